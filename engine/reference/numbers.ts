/**
 * How far a float32 result may be from the exact one, and the comparison that holds it to that.
 *
 * @module
 */

/** The unit round-off `u` of float32: half the gap between 1 and the next number. */
export const UNIT_ROUNDOFF = 2 ** -24;

/**
 * The bound on the error of a float32 dot product, in any order of summation: `gamma_n * magnitude`, `gamma_n = n u / (1 - n u)`.
 *
 * `length` is the number n of rounding steps on the longest path from a product to the result (for a dot product its
 * length), `magnitude` the sum of the absolute products. Holds for inputs that are exact in float32 and sums that neither
 * overflow nor underflow.
 *
 * @throws {RangeError} `n u` reaches 1, where the bound says nothing.
 */
export function dotBound(length: number, magnitude: number): number {
  const growth = length * UNIT_ROUNDOFF;
  if (!(growth < 1)) {
    throw new RangeError(`Cannot bound a dot product: got length ${length}, need less than 2**24`);
  }
  return growth / (1 - growth) * magnitude;
}

/** How far numbers are from those that are needed. */
export interface Comparison {
  /** The largest error in units of its element's bound; infinite where an element is missing, too many, or no number. */
  readonly excess: number;
  /** The element that has it; -1 where there is no element. */
  readonly worst: number;
  /** Elements that are further off than their bound. */
  readonly failures: number;
}

/**
 * Holds every element to its own bound.
 *
 * A NaN fails, wherever it stands and whatever comes after it; so does an infinity, and a bound that is infinite (it could not fail).
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
    // what is no number is further off than any
    const ranked = own >= 0 && largest < Infinity ? own : Infinity;
    if (ranked > excess) [worst, excess] = [i, ranked];
  }
  return { worst, excess: Math.max(excess, 0), failures };
}

/**
 * Holds every element to its own bound as `compareNumbers` does, and names the worst: the one with the largest error in units of its bound.
 *
 * @throws {Error} the lengths differ, or an element is further from `expected` than `bound(i)`.
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
