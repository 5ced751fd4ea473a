/**
 * 95% confidence intervals of means and shares.
 *
 * @module
 */
import jStat from "npm:jstat@1.9.6";
import { type Estimate, summarise } from "./statistics.ts";

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
