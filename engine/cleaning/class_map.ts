/**
 * What classes have to do with one another.
 *
 * @module
 */

import { checkNumber } from "../options.ts";

/** Classes beside classes. */
export interface ClassMap {
  /** Mean similarity of the samples of each class, in rows, to the other samples of each class, in columns, `[C, C]` f64; NaN where there is no pair. */
  readonly similarity: Float64Array<ArrayBuffer>;
  /**
   * Number of samples of each class, in rows, that resemble each class most, in columns, `[C, C]` i32. Beside the diagonal it says which class is
   * taken for which: similarity is the same in both directions, this is not.
   */
  readonly confusion: Int32Array<ArrayBuffer>;
}

/**
 * Summarises the similarity of samples to classes by their classes.
 *
 * @param classSimilarity `[N, C]`, as `computeClassSimilarity` gives it for a kernel of cosines
 * @param labels labels of the samples, `[N]`
 * @throws {RangeError} if there are not equally many numbers for each sample, or a label is out of range.
 */
export function mapClasses(
  classSimilarity: Float64Array,
  labels: ArrayLike<number>,
): ClassMap {
  const classes = classSimilarity.length / labels.length;
  if (!Number.isInteger(classes)) {
    throw new RangeError(
      `Cannot map classes: got ${classSimilarity.length} numbers for ${labels.length} samples, need as many for each`,
    );
  }
  const isLabel = (label: number) => Number.isInteger(label) && label >= 0 && label < classes;
  for (const label of Array.from(labels)) {
    checkNumber("map classes", "label", label, isLabel, `an integer from 0 to ${classes - 1}`);
  }
  const sums = new Float64Array(classes * classes);
  const counts = new Int32Array(classes * classes);
  const confusion = new Int32Array(classes * classes);
  for (let n = 0; n < labels.length; n++) {
    const row = labels[n] * classes;
    let nearest = -1;
    for (let column = 0; column < classes; column++) {
      const similarity = classSimilarity[n * classes + column];
      if (Number.isNaN(similarity)) continue;
      sums[row + column] += similarity;
      counts[row + column]++;
      if (nearest < 0 || similarity > classSimilarity[n * classes + nearest]) nearest = column;
    }
    if (nearest >= 0) confusion[row + nearest]++;
  }
  return { similarity: sums.map((sum, i) => sum / counts[i]), confusion };
}
