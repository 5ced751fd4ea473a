/**
 * Float64 twins of the neural tangent kernels: eNTK, lpNTK and pNTK, from full Jacobians.
 *
 * @module
 */

import type { Jacobian } from "./network.ts";
import { type Tensor, zeros } from "./tensor.ts";

/**
 * The sign vector `s(y)` of equation 2, `[C]`: -1 everywhere, +1 at the label.
 *
 * @throws {RangeError} if the label is not one of `0 .. classes - 1`.
 */
export function signVector(label: number, classes: number): Float64Array {
  const signs = Float64Array.from({ length: classes }, (_, c) => c === label ? 1 : -1);
  if (!signs.includes(1)) {
    throw new RangeError(`Cannot sign label ${label}: need 0 to ${classes - 1}`);
  }
  return signs;
}

/**
 * The empirical NTK in vector-output form, `eNTK[n, m, i, j] = dz_i(x_n)/dw · dz_j(x'_m)/dw`.
 *
 * `jacobian` `[N][C][P]`, `others` `[M][C][P]`; returns `[N, M, C, C]`. It takes `N M C² P` multiplications: seconds for
 * 16 x 16 samples of LeNet-5.
 */
export function entk(jacobian: Jacobian, others: Jacobian): Tensor {
  const blocks = jacobian.flatMap((sample) =>
    others.flatMap((other) => sample.flatMap((zi) => other.map((zj) => dot(zi, zj))))
  );
  const classes = jacobian[0].length;
  return {
    shape: [jacobian.length, others.length, classes, classes],
    data: Float64Array.from(blocks),
  };
}

/**
 * lpNTK by the first line of equation 3: `1/C sum_ij s_i(y) s_j(y') eNTK_ij(x, x')`, with the row index `i` on the left sample.
 *
 * `jacobian` `[N][C][P]`, `labels` `[N]`, `others` `[M][C][P]`, `otherLabels` `[M]`; returns `[N, M]`. It costs as much as `entk`.
 */
export function lpntk(
  jacobian: Jacobian,
  labels: ArrayLike<number>,
  others: Jacobian,
  otherLabels: ArrayLike<number>,
): Tensor {
  const classes = jacobian[0].length;
  const signs = Array.from(labels, (label) => signVector(label, classes));
  const otherSigns = Array.from(otherLabels, (label) => signVector(label, classes));
  return contractEntk(entk(jacobian, others), signs, otherSigns);
}

/** pNTK: lpNTK with every sign +1, `[N][C][P]` and `[M][C][P]` to `[N, M]`. It costs as much as `entk`. */
export function pntk(jacobian: Jacobian, others: Jacobian): Tensor {
  const ones = (samples: Jacobian) => samples.map((logits) => logits.map(() => 1));
  return contractEntk(entk(jacobian, others), ones(jacobian), ones(others));
}

/**
 * Contracts an eNTK with sign vectors, `1/C sum_ij s_i s'_j eNTK_ij`: `kernel` `[N, M, C, C]`, `signs` `[N][C]`, `otherSigns` `[M][C]`; returns
 * `[N, M]`.
 */
export function contractEntk(
  kernel: Tensor,
  signs: readonly ArrayLike<number>[],
  otherSigns: readonly ArrayLike<number>[],
): Tensor {
  const [count, others, classes] = kernel.shape;
  const result = zeros([count, others]);
  for (let n = 0; n < count; n++) {
    for (let m = 0; m < others; m++) {
      let sum = 0;
      for (let i = 0; i < classes; i++) {
        for (let j = 0; j < classes; j++) {
          const element = kernel.data[((n * others + m) * classes + i) * classes + j];
          sum += signs[n][i] * otherSigns[m][j] * element;
        }
      }
      result.data[n * others + m] = sum / classes;
    }
  }
  return result;
}

/** The cotangents of signed projections, `s(y) / √C`: `labels` `[N]` to `[N][C]`. */
export function signedCotangents(labels: ArrayLike<number>, classes: number): Float64Array[] {
  return Array.from(
    labels,
    (label) => signVector(label, classes).map((sign) => sign / Math.sqrt(classes)),
  );
}

/** The cotangents of pNTK's projections, `1 / √C` everywhere: `[N][C]`. */
export function plainCotangents(count: number, classes: number): Float64Array[] {
  return Array.from(
    { length: count },
    () => new Float64Array(classes).fill(1 / Math.sqrt(classes)),
  );
}

/**
 * Rows `cotangent^T dz(x)/dw`: with signed cotangents the projections `phi(x, y)` of equation 3's second line.
 *
 * `jacobian` `[N][C][P]`, `cotangents` `[N][C]`; returns `[N][P]`, in the Jacobian's order of parameters.
 */
export function contractJacobian(
  jacobian: Jacobian,
  cotangents: readonly ArrayLike<number>[],
): Float64Array[] {
  return jacobian.map((logits, n) => {
    const row = new Float64Array(logits[0].length);
    logits.forEach((gradient, c) =>
      gradient.forEach((value, p) => row[p] += cotangents[n][c] * value)
    );
    return row;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
