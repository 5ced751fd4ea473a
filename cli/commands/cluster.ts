/** `lpntk cluster`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { type Clusters, clusterSamples, countMembers } from "../../mod.ts";
import { type Source, withSource } from "../inputs.ts";
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
      options.out("folder for centroids.npy, assignment.npy, summary.json and sizes.svg"),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "cluster", options: settings },
        (folder) =>
          withSource(settings, async (source) => {
            const clusters = await clusterSource(source, settings.ratio, settings.perClass);
            const summary = {
              ratio: settings.ratio,
              perClass: settings.perClass ?? false,
              ...describeClusters(clusters),
              ...source.origin,
            };
            await writeClusters(folder, clusters);
            await folder.writeJson("summary.json", summary);
            return summary;
          }),
      );
      report(json, summary, [
        `${summary.samples} samples in ${summary.clusters} clusters, ${summary.singletons} of one sample`,
        `largest: ${summary.head} samples together (${formatShare(summary.headShare)})`,
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/** Clusters of a kernel, with a progress bar. */
export function clusterSource(
  { kernel, labels }: Source,
  ratio: number,
  perClass: boolean | undefined,
  among?: ArrayLike<number>,
): Promise<Clusters> {
  if (perClass && !labels) throw new UsageError("got --per-class without labels, need --labels");
  return withProgress(
    "clustering",
    "centroids",
    (onProgress) =>
      clusterSamples(
        kernel,
        { ratio, perClass: perClass ? labels : undefined, among },
        onProgress,
      ),
  );
}

/** Sizes and shares of clusters; the head is the largest cluster, or the union of each class's. */
export function describeClusters(clusters: Clusters) {
  const sizes = Array.from(countMembers(clusters));
  const samples = sizes.reduce((sum, size) => sum + size, 0);
  const head = clusters.heads.reduce((sum, cluster) => sum + sizes[cluster], 0);
  return {
    samples,
    clusters: sizes.length,
    singletons: sizes.filter((size) => size === 1).length,
    head,
    headShare: head / samples,
    heads: clusters.heads.map((cluster) => ({
      cluster,
      centroid: clusters.centroids[cluster],
      size: sizes[cluster],
    })),
  };
}

/** Writes `centroids.npy`, `assignment.npy` and the figure of the sizes. */
export async function writeClusters(folder: OutputFolder, clusters: Clusters): Promise<void> {
  const { centroids, assignment } = clusters;
  await folder.writeNpy("centroids.npy", centroids, [centroids.length]);
  await folder.writeNpy("assignment.npy", assignment, [assignment.length]);
  const sizes = Array.from(countMembers(clusters));
  await folder.writeText("sizes.svg", await drawClusterSizes(sizes, "Cluster sizes"));
}
