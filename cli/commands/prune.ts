/** `lpntk prune`. @module */

import { type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import {
  countShare,
  findRedundant,
  keepRandom,
  keepUnflagged,
  pruneHeads,
  type SketchError,
} from "../../mod.ts";
import { loadData, type SourceOptions, withSource } from "../inputs.ts";
import { UsageError } from "../usage.ts";
import { parseFraction, parseRatio } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { clusterSource } from "./cluster.ts";
import { addSourceCommand, describeSketch, formatShare, options, report } from "./shared.ts";

/** How samples are chosen: flagged redundant, a share of the head clusters, or a share of all. */
const METHODS = ["redundant", "head", "random"] as const;

interface PruneSettings extends SourceOptions {
  readonly method: typeof METHODS[number];
  readonly share: number;
  readonly ratio: number;
  readonly perClass?: true;
  readonly seed: number;
}

/** What is kept, of how many, and how far off the kernel is where it was sketched. */
interface Kept {
  readonly keep: Int32Array;
  readonly count: number;
  readonly sketch?: SketchError;
}

/** Adds the command. */
export function addPrune(program: Command): void {
  addSourceCommand(program, "prune", "choose the samples to keep")
    .addOption(
      new Option("--method <method>", "how to choose").choices(METHODS).makeOptionMandatory(),
    )
    .addOption(options.labels())
    .option(
      "--share <s>",
      "head, random: share of the head, or of all, to remove",
      parseFraction,
      0.1,
    )
    .option("--ratio <r>", "head: clusters per sample", parseRatio, 0.1)
    .option("--per-class", "head: cluster each class by itself")
    .addOption(options.seed())
    .addOption(options.out("folder for keep.npy and summary.json"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "prune", options: settings },
        async (folder) => {
          const { keep, count, sketch } = await choose(settings);
          const { method } = settings;
          const summary = {
            method,
            samples: count,
            kept: keep.length,
            removed: count - keep.length,
            sketch,
          };
          await folder.writeNpy("keep.npy", keep, [keep.length]);
          await folder.writeJson("summary.json", summary);
          return summary;
        },
      );
      const { kept, samples } = summary;
      report(json, summary, [
        `kept ${kept} of ${samples} samples (${formatShare(kept / samples)})`,
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

function choose(settings: PruneSettings): Promise<Kept> {
  const { method, share, ratio, perClass, seed } = settings;
  const keepShare = (count: number): Kept => ({
    keep: keepRandom(count, count - countShare(share, count), seed),
    count,
  });
  if (method === "random" && settings.data !== undefined) {
    if (settings.layers) throw new UsageError("got --layers, need none for --method random");
    return loadData({ ...settings, data: settings.data }).then((d) => keepShare(d.labels.length));
  }
  return withSource(settings, async (source): Promise<Kept> => {
    const { kernel, count, origin: { sketch } } = source;
    if (method === "random") return keepShare(count);
    if (method === "head") {
      const clusters = await clusterSource(source, ratio, perClass);
      return { keep: pruneHeads(clusters, share, seed), count, sketch };
    }
    const flags = await withProgress(
      "comparing",
      "tiles",
      (onProgress) => findRedundant(kernel, {}, onProgress),
    );
    return { keep: keepUnflagged(flags), count, sketch };
  });
}
