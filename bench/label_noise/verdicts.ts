/**
 * Verdicts on the default of `findLabelIssues`: against each single score, and against the best of them in each cell.
 *
 * @module
 */
import jStat from "npm:jstat@1.9.6";
import { METHODS } from "./methods.ts";
import type { Quality } from "./quality.ts";

/** The method that `findLabelIssues` ranks by. */
export const DEFAULT = "folds and regressions, pooled";

/** Quality of a method on one cell, seed and stage of its networks. */
export interface Result extends Quality {
  readonly method: string;
  readonly cell: string;
  readonly stage: "half" | "trained";
  readonly seed: number;
  /** Share of the wrong labels for which the right one is suggested. */
  readonly right?: number;
}

/** Quantity that two methods are compared by. */
export type Measure = "averagePrecision" | "right";

/** Mean difference with its 95 % interval, and what it says: `undecided` where the interval holds 0. */
export interface Verdict {
  readonly mean: number;
  /** Half the width of the interval; infinite from a single difference. */
  readonly margin: number;
  readonly says: "better" | "worse" | "undecided";
}

/** Judges differences by Student's t. */
export function decide(differences: readonly number[]): Verdict {
  const { length } = differences;
  const mean = jStat.mean([...differences]);
  const margin = length < 2
    ? Infinity
    : jStat.studentt.inv(0.975, length - 1) * jStat.stdev([...differences], true) /
      Math.sqrt(length);
  const says = Math.abs(mean) <= margin ? "undecided" : mean > 0 ? "better" : "worse";
  return { mean, margin, says };
}

/**
 * Compares the default with another method, pair by pair of results of one cell, stage and seed. Differences are averaged over the seeds of a data
 * set and kind of wrong labels first, since the stages and seeds of one cell are not independent.
 */
export function compareMethods(
  results: readonly Result[],
  other: string,
  measure: Measure = "averagePrecision",
): Verdict | undefined {
  const byCell = new Map<string, number[]>();
  for (const own of results.filter(({ method }) => method === DEFAULT)) {
    const pair = results.find((result) =>
      result.method === other && result.cell === own.cell && result.stage === own.stage &&
      result.seed === own.seed
    );
    const [a, b] = [own[measure], pair?.[measure]];
    if (a === undefined || b === undefined) continue;
    byCell.set(own.cell, [...byCell.get(own.cell) ?? [], a - b]);
  }
  return byCell.size === 0
    ? undefined
    : decide([...byCell.values()].map((differences) => jStat.mean(differences)));
}

/** The best single score of a cell and stage by its mean over the seeds, and the default against it, seed by seed. */
export function compareWithBest(results: readonly Result[]) {
  const of = (method: string) =>
    results.filter((result) => result.method === method).sort((a, b) => a.seed - b.seed)
      .map(({ averagePrecision }) => averagePrecision);
  const singles = Object.keys(METHODS).filter((method) => METHODS[method].kind === "single");
  const means = singles.map((method) => jStat.mean(of(method)));
  const best = means.indexOf(Math.max(...means));
  const [own, others] = [of(DEFAULT), of(singles[best])];
  return {
    best: singles[best],
    precision: means[best],
    own: jStat.mean(own),
    ...decide(own.map((value, i) => value - others[i])),
  };
}
