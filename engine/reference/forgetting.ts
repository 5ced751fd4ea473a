/**
 * Float64 twins of the predicted effect of a training step, by the equations of the paper's section 2.1 and appendix A, one sample at a time.
 *
 * @module
 */
import type { Jacobian } from "./network.ts";

/** `softmax(z)`, `[C]`. */
export function softmax(logits: ArrayLike<number>): number[] {
  const powers = Array.from(logits, (z) => Math.exp(z - Math.max(...Array.from(logits))));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** The prediction error `p_tar(x) - q(x)` of every sample, `[N][C]`, from logits `[N][C]`. */
export function predictionErrors(
  logits: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
): number[][] {
  return logits.map((z, n) => softmax(z).map((q, c) => (c === labels[n] ? 1 : 0) - q));
}

/** The derivative of softmax, `A(x)` of equation 6, `[C][C]`: `q_i (1 - q_i)` on the diagonal, `-q_i q_j` elsewhere. */
export function softmaxDerivative(logits: ArrayLike<number>): number[][] {
  const q = softmax(logits);
  return q.map((qi, i) => q.map((qj, j) => i === j ? qi * (1 - qi) : -qi * qj));
}

/** A matrix times a vector. */
export function multiply(matrix: readonly ArrayLike<number>[], vector: ArrayLike<number>) {
  return matrix.map((row) => Array.from(row).reduce((sum, value, j) => sum + value * vector[j], 0));
}

/**
 * The change of the logits per unit of learning rate, `sum_u K(x, x_u) (p - q)(x_u)`, `[N][C]`, from eNTK blocks `K` `[N][B][C][C]` and
 * errors `[B][C]`.
 */
export function sumInfluence(
  blocks: readonly (readonly (readonly ArrayLike<number>[])[])[],
  errors: readonly ArrayLike<number>[],
): number[][] {
  return blocks.map((row) =>
    row.map((block, u) => multiply(block, errors[u]))
      .reduce((total, change) => total.map((value, i) => value + change[i]))
  );
}

/**
 * The same change without a kernel: first the batch's gradient `g = sum_u J(x_u)^T (p - q)(x_u)`, then `J(x) g`, `[N][C]`.
 *
 * `watched` `[N][C][P]`, `batch` `[B][C][P]`, `errors` `[B][C]`.
 */
export function sumInfluenceByGradient(
  watched: Jacobian,
  batch: Jacobian,
  errors: readonly ArrayLike<number>[],
): number[][] {
  const gradient = new Float64Array(batch[0][0].length);
  batch.forEach((logits, u) =>
    logits.forEach((row, c) => row.forEach((value, p) => gradient[p] += value * errors[u][c]))
  );
  return watched.map((logits) => multiply(logits, gradient));
}
