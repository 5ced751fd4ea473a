/** `lpntk prune`. @module */

import {
  type Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@15.1.0";
import {
  dropFlagged,
  findRedundant,
  hashDataset,
  keepRandom,
  pruneHeads,
  type SketchError,
} from "../../mod.ts";
import { countShare } from "../../engine/share.ts";
import { type SourceOptions, withSource } from "../inputs.ts";
import type { KnownSamples } from "../known_samples.ts";
import { describeChoice, loadSamples, type SampleChoice } from "../samples.ts";
import { UsageError } from "../usage.ts";
import { parseFraction, parseRatio } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { clusterSource } from "./cluster.ts";
import { addSourceCommand, describeSketch, formatShare, options, report } from "./shared.ts";

/** Ways to choose what to remove: the redundant samples, a share of the head clusters, or a share of all samples. */
const METHODS = ["redundant", "head", "random"] as const;

/** Options that each method would ignore, which are refused. */
const UNUSED: Readonly<Record<typeof METHODS[number], readonly string[]>> = {
  redundant: ["share", "ratio", "perClass"],
  head: [],
  random: ["ratio", "perClass", "kind", "layers", "parameters", "sketch"],
};

interface PruneSettings extends SourceOptions {
  readonly method: typeof METHODS[number];
  readonly share: number;
  readonly ratio: number;
  readonly perClass?: true;
  readonly seed: number;
}

/** The samples to keep, those that they were chosen from, and the error of a sketched kernel. */
interface Kept {
  /** Positions among the samples, `[K]`. */
  readonly keep: Int32Array;
  readonly count: number;
  readonly samples: KnownSamples;
  readonly choice: SampleChoice | undefined;
  readonly sketch?: SketchError;
}

/** Adds the command. */
export function addPrune(program: Command): void {
  addSourceCommand(program, "prune", "choose the samples to keep for training")
    .addOption(new Option("--method <method>", "what to remove").choices(METHODS))
    .addOption(options.labels())
    .option(
      "--share <s>",
      "share to remove; head: of the head clusters, random: of all samples",
      parseFraction,
      0.1,
    )
    .option("--ratio <r>", "head: clusters per sample", parseRatio, 0.1)
    .option("--per-class", "head: cluster each class by itself")
    .addOption(options.seed())
    .addOption(options.out("folder for keep.npy, samples.npy, tables of both, and summary.json"))
    .addOption(options.json())
    .action(async ({ out, json, method, ...others }, command) => {
      if (method === undefined) {
        throw new UsageError(`got no --method, need one of ${METHODS.join(", ")}`);
      }
      refuseUnused(method, command);
      const settings = { ...others, method };
      const summary = await OutputFolder.fill(
        out,
        { command: "prune", options: settings },
        async (folder) => {
          const { keep, count, samples, choice, sketch } = await choose(settings, folder);
          const summary = {
            method,
            samples: count,
            choice,
            kept: keep.length,
            removed: count - keep.length,
            sketch,
          };
          await folder.writeIndices("keep.npy", keep, samples);
          await folder.writeSamples(samples);
          await folder.writeJson("summary.json", summary);
          return summary;
        },
      );
      const { kept, samples } = summary;
      report(json, summary, [
        ...describeChoice("samples", summary.choice),
        `kept ${kept} of ${samples} samples (${formatShare(kept / samples)})`,
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/** @throws {UsageError} if an option was given that the method would ignore. */
function refuseUnused(method: typeof METHODS[number], command: CommandUnknownOpts): void {
  const unused = command.options.find((option) => {
    const name = option.attributeName();
    return UNUSED[method].includes(name) && command.getOptionValueSource(name) === "cli";
  });
  if (unused) throw new UsageError(`got ${unused.long}, need none for --method ${method}`);
}

async function choose(settings: PruneSettings, folder: OutputFolder): Promise<Kept> {
  const { method, share, ratio, perClass, seed } = settings;
  const keepShare = (count: number) => keepRandom(count, count - countShare(share, count), seed);
  if (method === "random" && settings.data !== undefined) {
    const { data, choice } = await loadSamples({ ...settings, data: settings.data });
    const { length: count } = data.labels;
    folder.declare({ samples: hashDataset(data) });
    return { keep: keepShare(count), count, samples: data, choice };
  }
  return await withSource(settings, folder, async (source): Promise<Kept> => {
    const { kernel, count, samples, choice, origin: { sketch } } = source;
    const known = { count, samples, choice };
    if (method === "random") return { keep: keepShare(count), ...known };
    if (method === "head") {
      const clusters = await clusterSource(source, ratio, perClass);
      return { keep: pruneHeads(clusters, share, seed), ...known, sketch };
    }
    const flags = await withProgress(
      "comparing",
      "tiles",
      (onProgress) => findRedundant(kernel, { onProgress }),
    );
    return { keep: dropFlagged(flags), ...known, sketch };
  });
}
