/**
 * Correlation of difficulty in subsets with that on the whole set.
 *
 * @module
 */
import { correlate, type Estimate, summarise } from "../../report/statistics.ts";
import type { Difficulties } from "./measure.ts";

/** Difficulty on the whole set beside that in subsets of one size. */
export interface Comparison {
  readonly size: number;
  readonly difficulties: Difficulties;
  /** Pearson's rho over the samples whose models trained, with its 95% interval. */
  readonly rho: Estimate | null;
  /** Pearson's rho after each class's mean is subtracted from either difficulty. */
  readonly rhoWithinClasses: Estimate | null;
}

/** Correlates two difficulties over the samples that have both. */
export function compareDifficulties(
  whole: Difficulties,
  difficulties: Difficulties,
  labels: ArrayLike<number>,
): Pick<Comparison, "rho" | "rhoWithinClasses"> {
  const trained = [...whole.keys()].filter((i) => whole[i] !== null && difficulties[i] !== null);
  const classes = trained.map((i) => labels[i]);
  const [x, y] = [whole, difficulties].map((values) => trained.map((i) => values[i]!));
  if (trained.length < 2) return { rho: null, rhoWithinClasses: null };
  return {
    rho: correlate(x, y),
    rhoWithinClasses: correlate(centerClasses(x, classes), centerClasses(y, classes)),
  };
}

/** Subtracts from every value the mean of its class. */
function centerClasses(values: readonly number[], classes: readonly number[]): number[] {
  const byClass = Map.groupBy(values.keys(), (i) => classes[i]);
  const means = new Map(
    [...byClass].map(([label, own]) => [label, summarise(own.map((i) => values[i])).mean!]),
  );
  return values.map((value, i) => value - means.get(classes[i])!);
}
