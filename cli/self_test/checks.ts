/**
 * Checks of the self-test, and when they pass.
 *
 * @module
 */
import { NonFiniteError } from "../../mod.ts";
import { compareNumbers } from "../../engine/reference/numbers.ts";

/** One comparison with float64. */
export interface Check {
  /** GPU kernels that the result passed through, beyond those of the checks before. */
  readonly kernels: string;
  /** Largest difference relative to the largest element, or the share of integers that differ; NaN if a result is not finite. */
  readonly error: number;
  readonly passed: boolean;
}

/** Largest relative error that passes, for sums of some hundred products in float32. */
export const TOLERANCE = 1e-5;

/** Runs one check; a result that is not finite fails it. The names of the kernels may depend on what was run. */
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

/**
 * Refuses an adapter whose checks have failed.
 *
 * @param failed the kernels of each
 * @throws {Error} which names them.
 */
export function refuseFailed(failed: readonly string[]): void {
  if (failed.length === 0) return;
  throw new Error(
    `Cannot trust this adapter: got wrong numbers from ${
      failed.join("; ")
    }, need errors below ${TOLERANCE}; update the graphics driver`,
  );
}

/** Largest error relative to the largest element; NaN if a result is not finite. */
export function compare(got: ArrayLike<number>, needed: ArrayLike<number>): number {
  const largest = Array.from(needed).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const { excess } = compareNumbers(got, needed, () => largest);
  return excess < Infinity ? excess : NaN;
}

/** Share of the elements that differ. */
export function share(pairs: readonly (readonly [ArrayLike<number>, ArrayLike<number>])[]): number {
  const all = (side: 0 | 1) => pairs.flatMap((pair) => Array.from(pair[side]));
  const needed = all(1);
  return compareNumbers(all(0), needed, () => 0).failures / needed.length;
}
