/**
 * Tables and figures of `difficulty`.
 *
 * @module
 */
import { type Dataset, indexSample } from "../../../mod.ts";
import { nameLabel } from "../../known_samples.ts";
import { drawLines, drawScatter, type LinePoint } from "../../report/charts.ts";
import type { Figure, Table } from "../experiment.ts";
import type { Comparison } from "./comparisons.ts";
import type { Difficulties } from "./measure.ts";

/** Table of the correlations by size, for subsets of `count` samples. */
export function tabulateRho(comparisons: readonly Comparison[], count: number): Table {
  return {
    name: "rho",
    caption: "Pearson's rho between difficulty on the whole set and on subsets, 95% interval",
    rows: comparisons.map(({ size, rho, rhoWithinClasses }) => ({
      "subset size": size,
      models: count / size,
      rho: rho?.value ?? null,
      low: rho?.low ?? null,
      high: rho?.high ?? null,
      "rho within classes": rhoWithinClasses?.value ?? null,
      "low within classes": rhoWithinClasses?.low ?? null,
      "high within classes": rhoWithinClasses?.high ?? null,
    })),
  };
}

/** Table of every sample's difficulties. */
export function tabulateDifficulties(
  samples: Dataset,
  whole: Difficulties,
  comparisons: readonly Comparison[],
): Table {
  return {
    name: "difficulty_by_sample",
    caption: "Each sample's difficulty (loss summed over the epochs, nats)",
    rows: Array.from(samples.labels, (label, i) => ({
      sample: indexSample(samples, i),
      ...samples.files && { file: samples.files[i] },
      class: nameLabel(samples, label),
      "whole set (nats)": whole[i],
      ...Object.fromEntries(
        comparisons.map(({ size, difficulties }) => [
          `subsets of ${size} (nats)`,
          difficulties[i],
        ]),
      ),
    })),
  };
}

/** Figure 1 of the paper. */
export async function drawDifficulties(
  { labels, classes }: Dataset,
  whole: Difficulties,
  comparisons: readonly Comparison[],
): Promise<Figure> {
  const panels = comparisons.map(({ size, difficulties, rho }) => ({
    title: `${labels.length} vs ${size}: ρ = ${rho?.value.toFixed(2) ?? "-"}`,
    points: whole.flatMap((x, i) => {
      const y = difficulties[i];
      return x === null || y === null ? [] : [{ x, y, group: labels[i] }];
    }),
  }));
  return {
    name: "figure_1",
    caption:
      "As the paper's figure 1: each sample's difficulty on the whole set and in its subset; colour and shape are its class",
    svg: await drawScatter(panels, {
      title: "Learning difficulty on the whole set and on subsets",
      x: { title: "Whole set (nats)" },
      y: { title: "Subset (nats)" },
      groups: Array.from({ length: classes }, (_, label) => `class ${label}`),
    }),
  };
}

/** Figure of the correlations over the size. */
export async function drawRho(comparisons: readonly Comparison[]): Promise<Figure> {
  const lines = [
    { name: "all samples", points: listPoints(comparisons, "rho") },
    { name: "within classes", points: listPoints(comparisons, "rhoWithinClasses") },
  ];
  return {
    name: "rho_by_size",
    caption:
      "Pearson's rho over the size of the subsets, and what is left of it when each class's mean difficulty is taken away",
    svg: await drawLines(lines.filter(({ points }) => points.length > 0), {
      title: "Difficulty on subsets against that on the whole set",
      x: { title: "Samples of a subset", scale: "log" },
      y: { title: "Pearson's ρ" },
      band: "95% interval",
    }),
  };
}

function listPoints(
  comparisons: readonly Comparison[],
  key: "rho" | "rhoWithinClasses",
): LinePoint[] {
  return comparisons.flatMap(({ size, [key]: rho }) =>
    rho ? [{ x: size, y: rho.value, low: rho.low ?? rho.value, high: rho.high ?? rho.value }] : []
  );
}
