/**
 * Tables and figures of `poison`.
 *
 * @module
 */
import type { Dataset } from "../../../mod.ts";
import type { ArmResult } from "../../comparison.ts";
import { nameLabel } from "../../known_samples.ts";
import type { Figure, Table } from "../experiment.ts";
import { drawSubsets, tabulateArms, tabulateTests } from "../shared/arms.ts";
import { describeHead, formatShare, nameArms } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** Tables of how well every arm learns, and of what is in the head; `counts` are its samples by class, which `train` may name. */
export function tabulatePoison(
  settings: Settings,
  results: readonly ArmResult[],
  counts: readonly number[],
  train: Dataset,
): Table[] {
  return [
    tabulateTests(results, settings.shares.map(nameArms)),
    ...tabulateArms(results),
    {
      name: "head",
      caption: `Samples of ${describeHead(settings)} by class`,
      rows: counts.map((samples, label) => ({ class: nameLabel(train, label), samples })),
    },
  ];
}

/** Figures, one for each share of `sizes` samples. */
export async function drawPoison(
  settings: Settings,
  results: readonly ArmResult[],
  sizes: readonly number[],
): Promise<Figure[]> {
  const figures = await Promise.all(
    settings.shares.map((share, i) =>
      drawSubsets(results.slice(2 * i, 2 * i + 2), settings, {
        name: `accuracy_${formatShare(share)}`,
        what: `on ${sizes[i]} samples, from ${describeHead(settings)} and from everything`,
      })
    ),
  );
  return figures.flat();
}
