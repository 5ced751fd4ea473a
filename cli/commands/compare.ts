/** `lpntk compare`. @module */

import { dirname } from "node:path";
import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { type Dataset, takeSamples } from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { Checkpoint } from "../checkpoint.ts";
import {
  type Arm,
  describeArms,
  summariseArms,
  trainArms,
  writeComparison,
} from "../comparison.ts";
import { loadIndices, loadPart } from "../arrays.ts";
import { loadDefinition } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
import {
  describeChoices,
  listChoices,
  loadTrainingSets,
  locateKept,
  writeTrainingSamples,
} from "../samples.ts";
import { UsageError } from "../usage.ts";
import { parseCount } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import {
  addTrainingOptions,
  chooseTraining,
  LARGE_SET,
  options,
  report,
  RESUME_NOTE,
} from "./shared.ts";

/** Adds the command. */
export function addCompare(program: Command): void {
  const command = program.command("compare")
    .description("train on several choices of samples and compare test accuracy")
    .addOption(options.model().default("lenet5"))
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .option(
      "--arm <arm>",
      "samples to train on: full, or NAME=keep.npy with their indices in the whole split or a boolean for each sample; repeat it for each arm",
      (text: string, arms: string[]) => [...arms, text],
      [] as string[],
    )
    .option("--seeds <n>", "runs of each arm", parseCount, 10);
  addTrainingOptions(command, LARGE_SET)
    .addOption(
      options.out(
        `folder for summary.json, samples.npy and a table of it, accuracy.csv and accuracy.svg; ${RESUME_NOTE}`,
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const { data, model, seeds } = settings;
      if (settings.arm.length === 0) {
        throw new UsageError("got no --arm, need at least one, such as --arm full");
      }
      const named = settings.arm.map(parseArm);
      const run = { command: "compare", options: settings };
      const summary = await OutputFolder.fill(
        out,
        run,
        async (folder) => {
          const definition = await loadDefinition(model);
          const sets = await loadTrainingSets(settings);
          const { train, test } = sets;
          for (const { data } of [train, test]) noteEmptyClasses(data);
          const arms = await Promise.all(
            named.map(async ({ name, file }): Promise<Arm> => {
              if (file === undefined) return { name };
              // a mask refers to the samples in the `samples.npy` beside it, if there is one
              const part = await loadPart(`${dirname(file)}/samples.npy`) ?? train.data.indices;
              const kept = await loadIndices(file, train.choice.of, part);
              const positions = await locateKept(file, kept, sets);
              return { name, keep: () => positions };
            }),
          );
          using engine = await openAdapter();
          const checkpoint = await Checkpoint.open(folder, run, {
            engine,
            model,
            sets: { samples: train.data, test: test.data, ...takeArms(arms, train.data) },
          });
          const results = await withProgress(
            "training",
            "images",
            (onProgress) =>
              checkpoint.run(() =>
                trainArms(
                  engine,
                  arms,
                  {
                    definition,
                    train: train.data,
                    test: test.data,
                    seeds,
                    training: chooseTraining(settings),
                  },
                  onProgress,
                  (name, work) => checkpoint.step(name, work),
                )
              ),
          );
          const summary = {
            model,
            data,
            choices: listChoices(sets),
            seeds,
            adapter: engine.adapter.name,
            arms: summariseArms(results),
          };
          await writeTrainingSamples(folder, sets);
          await writeComparison(folder, results, `${model} on ${data}, ${seeds} seeds`);
          await folder.writeJson("summary.json", summary);
          return summary;
        },
      );
      report(json, summary, [
        ...describeChoices(summary.choices),
        ...describeArms(summary.arms),
        `wrote ${out}`,
      ]);
    });
}

/** The data set of each arm that trains on a part, by name. */
function takeArms(arms: readonly Arm[], train: Dataset): Record<string, Dataset> {
  return Object.fromEntries(
    arms.flatMap(({ name, keep }) => keep ? [[`arm ${name}`, takeSamples(train, keep(0))]] : []),
  );
}

/** Parses `full`, or a name and a file of indices or booleans. */
function parseArm(text: string, index: number, all: readonly string[]): {
  name: string;
  file?: string;
} {
  const at = text.indexOf("=");
  const arm = at < 0 ? { name: text } : { name: text.slice(0, at), file: text.slice(at + 1) };
  if ((at < 0 && text !== "full") || arm.name === "" || arm.file === "") {
    throw new UsageError(`got --arm ${text}, need full or NAME=keep.npy`);
  }
  if (all.slice(0, index).some((other) => other.split("=")[0] === arm.name)) {
    throw new UsageError(`got two arms named ${arm.name}, need a name of its own for each`);
  }
  return arm;
}
