/**
 * Core-sets by k-center greedy.
 *
 * @module
 */
import { findNonFinite } from "../data/finite_check.ts";

/**
 * Selects a core-set by k-center greedy (Sener and Savarese, 2018, "Active learning for convolutional neural networks: a core-set
 * approach", algorithm 1): sample 0, then always the sample whose distance to the nearest chosen one is largest, the lower index on a tie. The
 * paper measures Euclidean distance between the penultimate layer's features, which `Engine.features` computes.
 *
 * Costs `3 * N * size * D` operations on the host.
 *
 * @param features features `[count, D]`, row-major
 * @param size number of samples to select
 * @returns indices `[size]` i32, in the order in which they were selected
 * @throws {RangeError} if the samples do not have equally many features, one is not finite, or `size` is not an integer from 1 to `count`.
 */
export function kCenterGreedy(
  features: Float32Array,
  count: number,
  size: number,
): Int32Array<ArrayBuffer> {
  const width = features.length / count;
  if (!(Number.isInteger(width) && width >= 1)) {
    throw new RangeError(
      `Cannot choose centers: got ${features.length} features of ${count} samples, need as many for each`,
    );
  }
  if (!(Number.isInteger(size) && size >= 1 && size <= count)) {
    throw new RangeError(
      `Cannot choose centers: got ${size}, need an integer from 1 to ${count}`,
    );
  }
  const bad = findNonFinite(features);
  if (bad >= 0) {
    throw new RangeError(
      `Cannot choose centers: got feature ${features[bad]} of sample ${
        Math.floor(bad / width)
      }, need finite numbers`,
    );
  }
  const centers = new Int32Array(size);
  // squared distance to the nearest center; -1 for a center itself, so that even among equal samples each is chosen once
  const distances = new Float64Array(count).fill(Infinity);
  for (let c = 0, next = 0; c < size; c++) {
    const center = centers[c] = next;
    distances[center] = -1;
    next = center;
    for (let n = 0; n < count; n++) {
      if (distances[n] < 0) continue;
      let squared = 0;
      for (let d = 0; d < width; d++) {
        squared += (features[n * width + d] - features[center * width + d]) ** 2;
      }
      if (squared < distances[n]) distances[n] = squared;
      if (distances[n] > distances[next]) next = n;
    }
  }
  return centers;
}
