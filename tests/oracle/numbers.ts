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

/**
 * Holds every element to its own bound, and names the worst: the one with the largest error in units of its bound.
 *
 * A NaN fails, wherever it stands; so does an infinity, and a bound that is infinite (it could not fail).
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
  let worst = -1;
  let worstExcess = 0;
  let failures = 0;
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (error <= bound(i) && bound(i) < Infinity) continue;
    failures++;
    const excess = Number.isNaN(error) ? Infinity : error / bound(i);
    if (worst < 0 || excess > worstExcess) {
      worst = i;
      worstExcess = excess;
    }
  }
  if (failures === 0) return;
  const difference = `got ${actual[worst]} at element ${worst}, need ${expected[worst]} within ${
    bound(worst)
  }`;
  throw new Error(
    `Cannot accept ${label}: ${difference}; ${failures} of ${actual.length} elements are off`,
  );
}
