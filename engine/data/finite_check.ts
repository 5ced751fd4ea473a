/** The check for NaN and infinities in per-sample values. @module */

/** Finds the index of the first number that is NaN or infinite, or -1. */
export function findNonFinite(numbers: ArrayLike<number>): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i;
  return -1;
}
