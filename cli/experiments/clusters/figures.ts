/**
 * Tables and figures of `clusters`.
 *
 * @module
 */
import { type Bar, drawBars, drawLines } from "../../report/charts.ts";
import type { Estimate } from "../../report/statistics.ts";
import type { Figure, Table } from "../experiment.ts";
import { countSizes, type Division, INTERVAL } from "./divisions.ts";

function percent(share: number): string {
  return `${Math.round(100 * share)}%`;
}

/**
 * Table of what the heads hold.
 *
 * @param share of the samples that is called the easiest, and the hardest
 */
export function tabulateDivisions(divisions: readonly Division[], share: number): Table {
  return {
    name: "clusterings",
    caption: `Share of samples in the head: of all, of the ${percent(share)} easiest and of ` +
      `the ${percent(share)} hardest; 'expected' is what their classes alone would give`,
    rows: divisions.map((division) => ({
      kernel: division.kernel,
      scope: division.scope,
      clusters: division.sizes.length,
      largest: division.sizes[0],
      ...countSizes(division),
      "all in head": division.all,
      "easiest in head": division.easiest.inHead.value,
      "easiest expected": division.easiest.expected,
      "hardest in head": division.hardest.inHead.value,
      "hardest expected": division.hardest.expected,
    })),
  };
}

/** Figure of the clusters' sizes, of `count` samples together. */
export async function drawSizes(divisions: readonly Division[], count: number): Promise<Figure> {
  const lines = divisions.map(({ name, sizes }) => ({
    name,
    // of a run of equal sizes the first and the last draw the same line
    points: sizes.map((size, i) => ({ x: i + 1, y: size })).filter(({ y }, i) =>
      y !== sizes[i - 1] || y !== sizes[i + 1]
    ),
  }));
  return {
    name: "sizes",
    caption: "Sizes of the clusters in decreasing order, on logarithmic axes",
    svg: await drawLines(lines, {
      title: `Clusters of ${count} samples`,
      x: { title: "Cluster rank", scale: "log" },
      y: { title: "Cluster size (samples)", scale: "log" },
      markPoints: false,
    }),
  };
}

/** Figure of the shares in the head, as bars; `share` is as in {@linkcode tabulateDivisions}. */
export async function drawShares(divisions: readonly Division[], share: number): Promise<Figure> {
  return {
    name: "shares",
    caption: `How much of all samples, of the ${percent(share)} easiest and of the ` +
      `${percent(share)} hardest is in the head`,
    svg: await drawBars(divisions.flatMap(listBars), {
      title: "Samples in the head",
      x: { title: "Share in the head (%)", domain: [0, 100] },
      whiskers: INTERVAL,
    }),
  };
}

function listBars({ name, all, easiest, hardest }: Division): Bar[] {
  const draw = (what: string, { value, low, high }: Estimate) => ({
    name: `${name}: ${what}`,
    value: 100 * value,
    low: 100 * low!,
    high: 100 * high!,
  });
  return [
    { name: `${name}: all`, value: 100 * all },
    draw("easiest", easiest.inHead),
    draw("hardest", hardest.inHead),
  ];
}
