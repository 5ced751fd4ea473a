/**
 * 95% confidence intervals of means and shares.
 *
 * @module
 */
import jStat from "npm:jstat@1.9.6";
import { compareMeans, type Estimate, summarise } from "./statistics.ts";

/**
 * Estimates a mean, with its interval by Student's t, which needs 2 values.
 *
 * @throws {RangeError} no value, or one that is not finite
 */
export function estimateMean(values: readonly number[]): Estimate {
  const { mean, standardDeviation } = summarise(values);
  if (mean === null) throw new RangeError("Cannot estimate a mean: got no value, need at least 1");
  if (standardDeviation === null) return { value: mean, low: null, high: null };
  const [low, high] = jStat.tci(mean, 0.05, standardDeviation, values.length);
  return { value: mean, low, high };
}

/**
 * Estimates the difference of two means, `mean(a) - mean(b)`, with its interval by Student's t with pooled variance, which needs 2 values of each
 * and some variance.
 *
 * @throws {RangeError} no value on a side, or one that is not finite
 */
export function estimateDifference(a: number[], b: number[]): Estimate {
  const { meanDifference: value, t, degreesOfFreedom } = compareMeans(a, b);
  if (value === null) {
    throw new RangeError("Cannot estimate a difference: got no value, need at least 1 of each");
  }
  if (t === null || degreesOfFreedom === null) return { value, low: null, high: null };
  const squares = [a, b].map((values) =>
    (values.length - 1) * summarise(values).standardDeviation! ** 2
  );
  const variance = (squares[0] + squares[1]) / degreesOfFreedom;
  const reach = jStat.studentt.inv(0.975, degreesOfFreedom) *
    Math.sqrt(variance / a.length + variance / b.length);
  return { value, low: value - reach, high: value + reach };
}

/**
 * Estimates the share of `hits` in `trials`, with its interval by Clopper and Pearson.
 *
 * @throws {RangeError} `hits` is not from 0 to `trials`, or there is no trial
 */
export function estimateShare(hits: number, trials: number): Estimate {
  if (!(Number.isInteger(hits) && hits >= 0 && hits <= trials && trials >= 1)) {
    throw new RangeError(`Cannot estimate a share: got ${hits} of ${trials}`);
  }
  return {
    value: hits / trials,
    low: hits === 0 ? 0 : jStat.beta.inv(0.025, hits, trials - hits + 1),
    high: hits === trials ? 1 : jStat.beta.inv(0.975, hits + 1, trials - hits),
  };
}

/** Formats an estimate as `0.951 [0.940, 0.962]`, or as the value alone if it has no interval. */
export function formatInterval({ value, low, high }: Estimate, digits = 3): string {
  const [text, ...ends] = [value, low, high].map((number) => number?.toFixed(digits));
  return low === null ? text! : `${text} [${ends.join(", ")}]`;
}
