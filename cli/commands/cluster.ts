/** `lpntk cluster`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { type Clusters, clusterSamples, countMembers } from "../../mod.ts";
import { type Source, withSource } from "../inputs.ts";
import { describeSample, type KnownSamples } from "../known_samples.ts";
import { describeChoice } from "../samples.ts";
import { UsageError } from "../usage.ts";
import { parseRatio } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { drawClusterSizes } from "../report/figure.ts";
import { addSourceCommand, describeSketch, formatShare, options, report } from "./shared.ts";

/** Adds the command. */
export function addCluster(program: Command): void {
  addSourceCommand(program, "cluster", "cluster samples by farthest-point clustering")
    .addOption(options.labels())
    .option("--ratio <r>", "clusters per sample", parseRatio, 0.1)
    .option("--per-class", "cluster each class by itself")
    .addOption(
      options.out(
        "folder for centroids.npy, assignment.npy, samples.npy, tables of them, summary.json and sizes.svg",
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "cluster", options: settings },
        (folder) =>
          withSource(settings, folder, async (source) => {
            const clusters = await clusterSource(source, settings.ratio, settings.perClass);
            const summary = {
              ratio: settings.ratio,
              perClass: settings.perClass ?? false,
              choice: source.choice,
              ...describeClusters(clusters, source.samples),
              ...source.origin,
            };
            await writeClusters(folder, clusters, source.samples);
            await folder.writeSamples(source.samples);
            await folder.writeJson("summary.json", summary);
            return summary;
          }),
      );
      report(json, summary, [
        ...describeChoice("samples", summary.choice),
        `${summary.samples} samples in ${summary.clusters} clusters, ${summary.singletons} of one sample`,
        `largest: ${summary.head} samples together (${formatShare(summary.headShare)})`,
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/**
 * Clusters the samples of a kernel, with a progress bar.
 *
 * @throws {UsageError} if each class is to be clustered by itself and the kernel has no labels.
 */
export function clusterSource(
  { kernel, samples: { labels } }: Source,
  ratio: number,
  perClass: boolean | undefined,
  among?: ArrayLike<number>,
): Promise<Clusters> {
  if (perClass && !labels) {
    throw new UsageError(
      "got --per-class with a kernel that has no labels, need one for each sample; add --labels labels.npy",
    );
  }
  return withProgress(
    "clustering",
    "centroids",
    (onProgress) =>
      clusterSamples(kernel, {
        ratio,
        perClass: perClass ? labels : undefined,
        among,
        onProgress,
      }),
  );
}

/** Sizes and shares of clusters; the head is the largest cluster, or the union of each class's largest. */
export function describeClusters(clusters: Clusters, known: KnownSamples) {
  const sizes = Array.from(countMembers(clusters));
  const samples = sizes.reduce((sum, size) => sum + size, 0);
  const head = clusters.heads.reduce((sum, cluster) => sum + sizes[cluster], 0);
  return {
    samples,
    clusters: sizes.length,
    singletons: sizes.filter((size) => size === 1).length,
    head,
    headShare: head / samples,
    heads: clusters.heads.map((cluster) => {
      const { sample: centroid, ...names } = describeSample(known, clusters.centroids[cluster]);
      return { cluster, centroid, ...names, size: sizes[cluster] };
    }),
  };
}

/** Writes `centroids.npy` (indices in the whole split), `assignment.npy` (a cluster for each sample), tables of both, and a figure of the sizes. */
export async function writeClusters(
  folder: OutputFolder,
  clusters: Clusters,
  samples: KnownSamples,
): Promise<void> {
  await folder.writeIndices("centroids.npy", clusters.centroids, samples);
  await folder.writeValues("assignment.npy", clusters.assignment, samples);
  const sizes = Array.from(countMembers(clusters));
  await folder.writeText("sizes.svg", await drawClusterSizes(sizes, "Cluster sizes"));
}
