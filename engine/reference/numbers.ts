/**
 * Bounds on the rounding errors of float32 results, and comparisons within such bounds.
 *
 * @module
 */

/** The unit round-off `u` of float32: half the distance from 1 to the next number. */
export const UNIT_ROUNDOFF = 2 ** -24;

/**
 * The bound on the error of a float32 dot product, in any order of summation: `gamma_n * magnitude`, `gamma_n = n u / (1 - n u)`.
 *
 * `length` is the number n of rounding steps on the longest path from a product to the result (for a dot product its length), `magnitude` the
 * sum of the absolute products. The bound holds for inputs that are exact in float32 and sums that neither overflow nor underflow.
 *
 * @throws {RangeError} if `n u` reaches 1, where there is no bound.
 */
export function dotBound(length: number, magnitude: number): number {
  const growth = length * UNIT_ROUNDOFF;
  if (!(growth < 1)) {
    throw new RangeError(`Cannot bound a dot product: got length ${length}, need less than 2**24`);
  }
  return growth / (1 - growth) * magnitude;
}

/** Errors of numbers in units of their bounds. */
export interface Comparison {
  /** Largest error in units of its element's bound; infinite where an element is missing, surplus or NaN. */
  readonly excess: number;
  /** Index of the element with that error; -1 where there is no element. */
  readonly worst: number;
  /** Number of elements whose error exceeds their bound. */
  readonly failures: number;
}

/**
 * Compares every element within its own bound.
 *
 * A NaN always fails, and so do an infinity and an infinite bound, which nothing could exceed.
 */
export function compareNumbers(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (i: number) => number,
): Comparison {
  let [worst, excess, failures] = [-1, -1, 0];
  for (let i = 0; i < Math.max(actual.length, expected.length); i++) {
    const error = Math.abs(actual[i] - expected[i]);
    const largest = bound(i);
    const passes = error <= largest && largest < Infinity;
    if (!passes) failures++;
    const own = passes && error === 0 ? 0 : error / largest;
    // NaN ranks as the largest error
    const ranked = own >= 0 && largest < Infinity ? own : Infinity;
    if (ranked > excess) [worst, excess] = [i, ranked];
  }
  return { worst, excess: Math.max(excess, 0), failures };
}

/**
 * Asserts that every element is within its own bound, as `compareNumbers` does.
 *
 * @throws {Error} if the lengths differ, or an element differs from `expected` by more than `bound(i)`; the message names the element with the
 * largest error in units of its bound.
 */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (i: number) => number,
  label: string,
): void {
  if (actual.length !== expected.length) {
    throw new Error(
      `Cannot accept ${label}: got ${actual.length} elements, need ${expected.length}`,
    );
  }
  const { worst, failures } = compareNumbers(actual, expected, bound);
  if (failures === 0) return;
  const difference = `got ${actual[worst]} at element ${worst}, need ${expected[worst]} within ${
    bound(worst)
  }`;
  throw new Error(
    `Cannot accept ${label}: ${difference}; ${failures} of ${actual.length} elements are off`,
  );
}
