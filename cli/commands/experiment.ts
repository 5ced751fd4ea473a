/** `lpntk experiment`. @module */

import { type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import { readText } from "../../engine/files/file.ts";
import { describeValue } from "../../engine/options.ts";
import { openAdapter } from "../adapter.ts";
import { type Choice, type Config, type ConfigFile, readConfig } from "../experiments/config.ts";
import { type Base, type Experiment, SettingError } from "../experiments/experiment.ts";
import { EXPERIMENTS } from "../experiments/list.ts";
import { PAGE, RunFolder } from "../experiments/run_folder.ts";
import { onInterrupt } from "../interruption.ts";
import type { Report } from "../report/page.ts";
import { print } from "../print.ts";
import { UsageError } from "../usage.ts";
import { options, report } from "./shared.ts";

/** Adds the command, with a sub-command for each experiment. */
export function addExperiment(program: Command): void {
  const command = program.command("experiment")
    .description("rerun an experiment of the paper, and compare what it finds with the paper");
  command.command("list")
    .description("list the experiments, and the section of the paper that each is from")
    .action(() => {
      const width = Math.max(...EXPERIMENTS.map(({ name }) => name.length));
      for (const { name, source, about } of EXPERIMENTS) {
        print(`${name.padEnd(width)}  ${about} (${source})`);
      }
    });
  for (const experiment of EXPERIMENTS) addOne(command, experiment);
}

function addOne(parent: Command, experiment: Experiment): void {
  const command = parent.command(experiment.name)
    .description(`${experiment.about} (${experiment.source})`)
    .option("--config <file>", "settings as TOML; a run's own config.toml repeats it")
    .addOption(
      new Option("--quick", "start from settings that take three or four minutes on two CPU cores")
        .conflicts("paper"),
    )
    .option("--paper", "start from the paper's settings")
    .addOption(options.data())
    .addOption(options.out("folder of the run; the same call resumes a run that was stopped"))
    .addOption(options.json())
    .addHelpText("after", describeSettings(experiment));
  if (Object.hasOwn(experiment.settings.shape, "model")) command.addOption(options.model());
  command.action(async (flags: Flags) => {
    const { config: path, quick, paper, out, json } = flags;
    const base: Base = quick ? "quick" : paper ? "paper" : "default";
    const file = path === undefined ? undefined : await readConfigFile(path);
    const config = readConfig(experiment, base, file, chooseFlags(flags));
    // opened first, so that a run that may not compute here leaves no folder
    using engine = await openAdapter();
    using folder = await RunFolder.open(out, experiment, config.settings);
    using _listening = onInterrupt(() => folder.dispose());
    const result = await folder.run(engine).catch((error) => {
      throw locateError(error, config);
    });
    const { name, findings, excluded } = result;
    report(json, { name, out, claims: findings.claims, excluded }, [
      ...describe(result),
      `wrote ${out}/${PAGE}`,
    ]);
  });
}

/** Values of the command's options. */
interface Flags extends Choice {
  readonly config?: string;
  readonly quick?: true;
  readonly paper?: true;
  readonly out: string;
  readonly json?: true;
}

/** The given options that are settings of the experiment. */
function chooseFlags({ data, model }: Choice): Choice {
  return { ...data !== undefined && { data }, ...model !== undefined && { model } };
}

/** Lines for all settings with their defaults, as `epochs = 30`, and for those whose defaults differ on certain data sets. */
function describeSettings({ settings, byData = {} }: Experiment): string {
  const list = (values: Readonly<Record<string, unknown>>) =>
    Object.entries(values).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}\n`).join("");
  return [
    `\nSettings and their defaults:\n${list(settings.parse({}))}`,
    ...Object.entries(byData).map(([data, bases]) => `\nOn ${data}:\n${list(bases.default)}`),
  ].join("");
}

/** Largest configuration file, in bytes; those that runs write take some hundred. */
const MOST_CONFIG = 2 ** 16;

async function readConfigFile(path: string): Promise<ConfigFile> {
  try {
    return { path, text: await readText(path, "settings as TOML", MOST_CONFIG) };
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

/** Turns an error about settings that do not go together into a usage error that names the line at fault. */
function locateError(error: unknown, { settings, locate }: Config): unknown {
  if (!(error instanceof SettingError)) return error;
  const { key, need } = error;
  return new UsageError(
    `Cannot use ${locate(key)}: got ${key} = ${describeValue(settings[key])}, need ${need}`,
    { cause: error },
  );
}

/** Lines that tell what was found, claim by claim. */
function describe({ findings, excluded }: Report): string[] {
  return [
    ...findings.claims.flatMap(({ what, paper, ours, verdict, rule }) => [
      `${what}: ${verdict}`,
      `  paper: ${paper}`,
      `  ours:  ${ours}`,
      `  rule:  ${rule}`,
    ]),
    ...excluded.map(({ part, reason }) => `left out: ${part}: ${reason}`),
    ...findings.notes.map((note) => `note: ${note}`),
  ];
}
