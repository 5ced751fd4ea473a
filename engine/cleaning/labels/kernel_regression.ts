/**
 * Kernel ridge regression, left one out.
 *
 * @module
 */

/**
 * Predicts every sample's class by kernel ridge regression on all other samples, in closed form: with `A = (K + ridge * mean(diag K) * I)^-1`
 * and targets `y = onehot(label) - share of the class`, the prediction for sample i of the model without it is `y_i - (A y)_i / A_ii`.
 *
 * Costs `N^3` multiplications and `8 * N^2` bytes beside the kernel. In float64, so that it is the same on every machine but for the kernel.
 *
 * @param kernel symmetric positive semi-definite matrix, `[N, N]` row-major; it is overwritten
 * @param labels labels `[N]`, each in `0 .. classes - 1`
 * @returns predicted probabilities, `[N, classes]` f64, row-major: they sum to 1, and may be below 0 or above 1
 */
export function predictLeftOut(
  kernel: Float64Array,
  labels: ArrayLike<number>,
  classes: number,
  ridge: number,
): Float64Array<ArrayBuffer> {
  const count = labels.length;
  let trace = 0;
  for (let n = 0; n < count; n++) trace += kernel[n * count + n];
  for (let n = 0; n < count; n++) kernel[n * count + n] += ridge * trace / count;
  invert(kernel, count);
  const shares = new Float64Array(classes);
  for (let n = 0; n < count; n++) shares[labels[n]] += 1 / count;
  const predicted = new Float64Array(count * classes);
  for (let n = 0; n < count; n++) {
    const row = kernel.subarray(n * count, (n + 1) * count);
    const sums = predicted.subarray(n * classes, (n + 1) * classes);
    let total = 0;
    for (let other = 0; other < count; other++) {
      sums[labels[other]] += row[other];
      total += row[other];
    }
    for (let label = 0; label < classes; label++) {
      const own = label === labels[n] ? 1 : 0;
      // what is left of the targets, (A y)_i, by the linearity of their shares
      sums[label] = own - (sums[label] - shares[label] * total) / row[n];
    }
  }
  return predicted;
}

/**
 * Inverts a symmetric positive definite matrix `[size, size]` in place, by Gauss-Jordan elimination, which needs no pivots for these.
 *
 * @throws {RangeError} if the matrix is not positive definite.
 */
export function invert(matrix: Float64Array, size: number): void {
  for (let k = 0; k < size; k++) {
    const pivotRow = matrix.subarray(k * size, (k + 1) * size);
    const pivot = pivotRow[k];
    if (!(pivot > 0)) {
      throw new RangeError(
        `Cannot invert a matrix: got pivot ${pivot} at ${k}, need a positive definite matrix`,
      );
    }
    pivotRow[k] = 1;
    for (let j = 0; j < size; j++) pivotRow[j] /= pivot;
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const row = matrix.subarray(i * size, (i + 1) * size);
      const factor = row[k];
      row[k] = 0;
      for (let j = 0; j < size; j++) row[j] -= factor * pivotRow[j];
    }
  }
}
