/**
 * Tables and figures of `control`.
 *
 * @module
 */
import { type Dataset, indexSample } from "../../../mod.ts";
import { drawBars, drawLines } from "../../report/charts.ts";
import { type Estimate, summarise } from "../../report/statistics.ts";
import type { Figure, Table } from "../experiment.ts";
import { mapKeys } from "../shared/records.ts";
import { type Arm, ARMS } from "./companies.ts";
import type { Watched } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** Table of every target in every company. */
export function tabulateTargets(
  watched: readonly Watched[],
  pool: Dataset,
  { classes }: Settings,
): Table {
  return {
    name: "targets",
    caption: "Each target's difficulty by its company",
    rows: watched.flatMap(({ target, label, arms }) =>
      ARMS.map((arm) => ({
        target: indexSample(pool, target),
        ...pool.files && { file: pool.files[target] },
        label: pool.classNames?.[label] ?? classes[label],
        company: arm,
        "mean relation": arms[arm].relation,
        "of the target's class": arms[arm].samples.filter((other) => pool.labels[other] === label)
          .length,
        "difficulty (nats)": summarise(arms[arm].difficulty).mean,
      }))
    ),
  };
}

/** Figure of the difficulties relative to those with random company, as bars; `targets` were watched. */
export async function drawRatios(
  ratios: Readonly<Record<Arm, Estimate>>,
  targets: number,
  { added }: Settings,
): Promise<Figure> {
  const bars = ARMS.filter((arm) => arm !== "random").map((name) => {
    const { value, low, high } = ratios[name];
    return { name, value, ...low !== null && { low, high: high! } };
  });
  return {
    name: "ratios",
    caption: "How hard a sample is to learn with company of each kind, over how hard with " +
      "as many random samples: geometric mean over targets",
    svg: await drawBars(bars, {
      title: `Difficulty with ${added} added samples, relative to random ones`,
      x: { title: "Difficulty over that with random samples (1: no change)" },
      whiskers: targets > 1 ? "95% interval over targets" : undefined,
    }),
  };
}

/** Figure of the difficulty of every target in every company. */
export async function drawTargets(
  watched: readonly Watched[],
  { seeds }: Settings,
): Promise<Figure> {
  const summarised = watched.map(({ arms }) =>
    mapKeys(ARMS, (arm) => summarise(arms[arm].difficulty))
  );
  summarised.sort((a, b) => a.random.mean! - b.random.mean!);
  const lines = ARMS.map((arm) => ({
    name: arm,
    points: summarised.map((target, i) => {
      const { mean, standardDeviation } = target[arm];
      const spread = standardDeviation ?? 0;
      return { x: i + 1, y: mean!, ...seeds > 1 && { low: mean! - spread, high: mean! + spread } };
    }),
  }));
  return {
    name: "targets",
    caption: "Every target, from the easiest to the hardest with random company",
    svg: await drawLines(lines, {
      title: "Difficulty of each target by its company",
      x: { title: "Target" },
      y: { title: "Difficulty (nats, summed over steps)" },
      band: seeds > 1 ? `± 1 standard deviation over ${seeds} networks` : undefined,
    }),
  };
}
