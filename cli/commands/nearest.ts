/** `lpntk nearest`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  computeSelfSimilarity,
  findNearest,
  KernelMatrix,
  type KernelSource,
  KernelStore,
  type Nearest,
} from "../../mod.ts";
import { withSource } from "../inputs.ts";
import { identifySample, type KnownSamples, roundToFloat32, toIndices } from "../known_samples.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { encodeCsv } from "../../engine/formats/csv.ts";
import { describeChoice } from "../samples.ts";
import { addSourceCommand, describeSketch, options, report } from "./shared.ts";
import { parseCount } from "./values.ts";

/** Most samples that are listed for each where `--k` is left out. */
const DEFAULT_SIZE = 5;

/** Adds the command. */
export function addNearest(program: Command): void {
  addSourceCommand(program, "nearest", "list the other samples most similar to each sample")
    .addOption(options.labels())
    .option(
      "--k <n>",
      `number of samples to list for each; by default ${DEFAULT_SIZE}, or all others where there are fewer`,
      parseCount,
    )
    .addOption(
      options.out(
        "folder for nearest.csv, nearest.npy and similarity.npy [N, k], samples.npy with a table of it, and summary.json",
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "nearest", options: settings },
        (folder) =>
          withSource(settings, folder, async ({ kernel, count, samples, choice, origin }) => {
            // of a single sample there is no other, which findNearest says
            const k = settings.k ?? Math.max(1, Math.min(DEFAULT_SIZE, count - 1));
            const nearest = await withProgress(
              "comparing",
              "tiles",
              (onProgress) => findNearest(kernel, k, { onProgress }),
            );
            const self = await readSelfSimilarity(kernel);
            const indices = toIndices(nearest.samples, samples);
            const summary = { samples: count, choice, k, ...origin };
            await folder.writeMatrix("nearest.npy", indices, [count, k]);
            await folder.writeMatrix("similarity.npy", nearest.similarities, [count, k]);
            await folder.writeText("nearest.csv", encodeNearest(nearest, self, samples));
            await folder.writeSamples(samples);
            await folder.writeJson("summary.json", summary);
            return summary;
          }),
      );
      report(json, summary, [
        ...describeChoice("samples", summary.choice),
        `the ${summary.k} nearest of each of ${summary.samples} samples`,
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/** Reads or computes the self-similarities, `[N]`. */
async function readSelfSimilarity(kernel: KernelSource): Promise<ArrayLike<number>> {
  if (kernel instanceof KernelStore) return await kernel.readDiagonal();
  if (!(kernel instanceof KernelMatrix)) return await computeSelfSimilarity(kernel);
  const { values, size } = kernel;
  return Float64Array.from({ length: size }, (_, i) => values[i * size + i]);
}

/** Encodes a row for each sample and each of its nearest, the most similar first; a sample of self-similarity 0 has no cosine. */
function encodeNearest(
  { samples, similarities, size }: Nearest,
  self: ArrayLike<number>,
  known: KnownSamples,
): string {
  return encodeCsv(Array.from(samples, (other, at) => {
    const position = Math.floor(at / size);
    const { index, file, label } = identifySample(known, other);
    const cosine = similarities[at] / Math.sqrt(self[position] * self[other]);
    return {
      ...identifySample(known, position),
      rank: at % size + 1,
      nearest_index: index,
      nearest_file: file,
      nearest_label: label,
      similarity: roundToFloat32(similarities[at]),
      cosine: Number.isFinite(cosine) ? roundToFloat32(Math.fround(cosine)) : null,
    };
  }));
}
