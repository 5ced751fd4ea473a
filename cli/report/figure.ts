/**
 * Charts of a comparison and of clusters, as SVG text. Titles and names may hold any characters; they are escaped.
 *
 * @module
 */
import { CHART, COLORS, describeLogAxis, render } from "./chart_style.ts";
import { drawLines, type LinePoint } from "./charts.ts";
import { summarise } from "./statistics.ts";

/** An arm and its test accuracy. */
export interface Arm {
  /** Name in the legend. */
  name: string;
  /** Test accuracy `[seed][epoch]`, 0 to 1; every seed has the same number of epochs. */
  accuracy: number[][];
}

/**
 * Draws test accuracy over epochs: a line through the mean over seeds for each arm, in a band of one sample standard deviation on either side, cut at
 * 0 and 100 %. An arm of one seed has no band.
 *
 * @returns SVG, 640 x 360
 * @throws {RangeError} no arm, an arm without an epoch, seeds of different lengths, or an accuracy that
 * is not a finite number
 */
export async function drawAccuracy(arms: Arm[], title: string): Promise<string> {
  if (arms.length === 0) throw new RangeError("Cannot draw accuracy: got no arm, need at least 1");
  const lines = arms.map(({ name, accuracy }) => ({
    name,
    points: summariseAccuracy(accuracy, name),
  }));
  const lastEpoch = Math.max(...lines.map(({ points }) => points.length));
  return await drawLines(lines, {
    title,
    x: { title: "Epoch", domain: [1, lastEpoch], isWhole: true },
    y: { title: "Test accuracy (%)" },
    band: "± 1 standard deviation over seeds, around the mean",
  });
}

/** Mean over the seeds and edges of the band, epoch by epoch, in percent. */
function summariseAccuracy(accuracy: number[][], name: string): LinePoint[] {
  const epochs = accuracy[0]?.length ?? 0;
  if (epochs === 0) {
    throw new RangeError(`Cannot draw accuracy: got no epoch in arm "${name}", need at least 1`);
  }
  const odd = accuracy.find((seed) => seed.length !== epochs);
  if (odd !== undefined) {
    throw new RangeError(
      `Cannot draw accuracy: got seeds of ${epochs} and ${odd.length} epochs in arm "${name}", ` +
        "need equal numbers",
    );
  }
  return Array.from({ length: epochs }, (_, i) => {
    const { mean, standardDeviation } = summarise(accuracy.map((seed) => 100 * seed[i]));
    const low = Math.max(0, mean! - (standardDeviation ?? 0));
    const high = Math.min(100, mean! + (standardDeviation ?? 0));
    return { x: i + 1, y: mean!, low, high };
  });
}

/**
 * Draws the sizes of clusters in decreasing order over their rank, both on logarithmic axes.
 *
 * @param clusterSizes samples in each cluster, 1 or more; in any order
 * @returns SVG, 640 x 360
 * @throws {RangeError} no cluster, or a size below 1
 */
export async function drawClusterSizes(clusterSizes: number[], title: string): Promise<string> {
  if (clusterSizes.length === 0) {
    throw new RangeError("Cannot draw cluster sizes: got no cluster, need at least 1");
  }
  const broken = clusterSizes.find((size) => !(size >= 1));
  if (broken !== undefined) {
    throw new RangeError(`Cannot draw cluster sizes: got a size of ${broken}, need at least 1`);
  }
  const ranked = clusterSizes.toSorted((a, b) => b - a).map((size, i) => ({ rank: i + 1, size }));
  // The first and the last of a run of equal sizes draw the same line: hundreds of points instead of thousands.
  const values = ranked.filter(({ size }, i) =>
    size !== ranked[i - 1]?.size || size !== ranked[i + 1]?.size
  );
  return await render({
    ...CHART,
    title: { text: { expr: "title" } },
    params: [{ name: "title", value: title }],
    data: { values },
    mark: { type: "line", color: COLORS[0], point: { color: COLORS[0], size: 14 } },
    encoding: {
      x: describeLogAxis("rank", "Cluster rank", [1, ranked.length]),
      y: describeLogAxis("size", "Cluster size (samples)", [1, ranked[0].size]),
    },
  });
}
