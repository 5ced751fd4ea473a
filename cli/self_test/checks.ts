/**
 * What a check of the self-test is, and when it passes.
 *
 * @module
 */
import { NonFiniteError } from "../../mod.ts";
import { compareNumbers } from "../../engine/reference/numbers.ts";

/** One comparison with float64. */
export interface Check {
  /** Kernels that the number passed through, beyond those of the checks before. */
  readonly kernels: string;
  /** Largest difference relative to the largest number, or the share of integers that differ; NaN where a number is none. */
  readonly error: number;
  readonly passed: boolean;
}

/** Largest error relative to the largest number: sums of some hundred products in float32. */
export const TOLERANCE = 1e-5;

/** One check; a number that is none fails it. The kernels' names may depend on what was run. */
export async function check(
  kernels: string | (() => string),
  measure: () => Promise<number>,
  most = TOLERANCE,
): Promise<Check> {
  const error = await measure().catch((error) => {
    if (error instanceof NonFiniteError) return NaN;
    throw error;
  });
  return {
    kernels: typeof kernels === "string" ? kernels : kernels(),
    error,
    passed: error <= most,
  };
}

/** The largest error relative to the largest number; NaN where a number is none. */
export function compare(got: ArrayLike<number>, needed: ArrayLike<number>): number {
  const largest = Array.from(needed).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const { excess } = compareNumbers(got, needed, () => largest);
  return excess < Infinity ? excess : NaN;
}

/** The share of numbers that differ. */
export function share(pairs: readonly (readonly [ArrayLike<number>, ArrayLike<number>])[]): number {
  const all = (side: 0 | 1) => pairs.flatMap((pair) => Array.from(pair[side]));
  const needed = all(1);
  return compareNumbers(all(0), needed, () => 0).failures / needed.length;
}
