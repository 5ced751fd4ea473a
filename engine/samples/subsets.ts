/**
 * Random splits of a data set into subsets.
 *
 * @module
 */
import { createGenerator, drawPermutation, STREAMS } from "../data/random.ts";

/**
 * Splits samples at random into subsets of one size (appendix D.2).
 *
 * @returns `count / size` lists of indices, `[size]` i32 each, which together hold every index from 0 to `count - 1` once
 * @throws {RangeError} if `size` is not a divisor of `count`.
 */
export function splitRandom(count: number, size: number, seed = 0): Int32Array<ArrayBuffer>[] {
  if (!(Number.isInteger(count / size) && Number.isInteger(size) && size >= 1)) {
    throw new RangeError(
      `Cannot split ${count} samples: got subsets of ${size}, need a divisor of ${count}`,
    );
  }
  const order = drawPermutation(createGenerator(seed, STREAMS.subsets), count);
  return Array.from(
    { length: count / size },
    (_, i) => order.slice(i * size, (i + 1) * size),
  );
}
