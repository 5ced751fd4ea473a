/**
 * Pooling of what several judges say of each sample's class.
 *
 * @module
 */

import { invert } from "./kernel_regression.ts";

/** Steps of Newton's method; the likelihood is concave, and a few suffice. */
const STEPS = 30;

/** Weight of the penalty `|w|^2 / 2`, which keeps weights finite where the judges make no mistake. */
const PENALTY = 1;

/** Pooled probabilities and the weight that each judge got. */
export interface Pool {
  /** Probabilities `[N, classes]` f64, row-major. */
  readonly probabilities: Float64Array<ArrayBuffer>;
  /** Weight of each judge, at least 0. */
  readonly weights: number[];
}

/**
 * Pools judges by `softmax(sum_j w_j score_j)`, the weights those of largest likelihood of the given labels among weights of at least 0, with the
 * penalty `|w|^2 / 2`, by projected Newton steps (Bertsekas, 1982, "Projected Newton methods"). A judge who does not help the others predict labels
 * gets a weight near 0. No weight is negative: a class is a little rarer among the others of its own samples, and a judge who knows no more than
 * that would tell each label by contradicting it.
 *
 * @param judges scores of each judge, `[N, classes]`, row-major, on a scale of its own: probabilities, their logarithms, or scores of a regression
 * @param labels labels `[N]`
 */
export function poolJudges(
  judges: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  classes: number,
): Pool {
  const size = judges.length;
  let weights = Array<number>(size).fill(0);
  let value = measureLikelihood(judges, labels, classes, weights);
  for (let step = 0; step < STEPS; step++) {
    const { gradient, curvature } = differentiate(judges, labels, classes, weights);
    // a judge whose weight is 0 and would fall stays out of this step
    const isFree = weights.map((weight, j) => weight > 0 || gradient[j] > 0);
    const direction = solve(
      curvature.map((row, i) =>
        row.map((value, j) => isFree[i] && isFree[j] ? value : Number(i === j))
      ),
      gradient.map((slope, j) => isFree[j] ? slope : 0),
    );
    let reach = 1;
    for (;; reach /= 2) {
      const tried = weights.map((weight, j) => Math.max(0, weight + reach * direction[j]));
      const triedValue = measureLikelihood(judges, labels, classes, tried);
      if (triedValue > value) {
        weights = tried;
        value = triedValue;
        break;
      }
      if (reach < 1e-6) return { probabilities: predict(judges, classes, weights), weights };
    }
  }
  return { probabilities: predict(judges, classes, weights), weights };
}

function predict(judges: readonly ArrayLike<number>[], classes: number, weights: number[]) {
  const pooled = new Float64Array(judges[0].length);
  for (let first = 0; first < pooled.length; first += classes) {
    const row = pooled.subarray(first, first + classes);
    for (let c = 0; c < classes; c++) {
      for (const [j, weight] of weights.entries()) row[c] += weight * judges[j][first + c];
    }
    const top = row.reduce((a, b) => Math.max(a, b));
    row.forEach((score, c) => row[c] = Math.exp(score - top));
    const total = row.reduce((a, b) => a + b, 0);
    row.forEach((power, c) => row[c] = power / total);
  }
  return pooled;
}

/** Log-likelihood of the labels, less the penalty. */
function measureLikelihood(
  judges: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  classes: number,
  weights: number[],
): number {
  const pooled = predict(judges, classes, weights);
  let sum = -PENALTY * weights.reduce((total, weight) => total + weight * weight, 0) / 2;
  for (let n = 0; n < labels.length; n++) {
    sum += Math.log(Math.max(pooled[n * classes + labels[n]], Number.MIN_VALUE));
  }
  return sum;
}

/** Gradient `[J]` of the penalised likelihood, and its negative Hessian `[J, J]`. */
function differentiate(
  judges: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  classes: number,
  weights: number[],
) {
  const pooled = predict(judges, classes, weights);
  const gradient = weights.map((weight) => -PENALTY * weight);
  const curvature = weights.map((_, i) => weights.map((_, j) => i === j ? PENALTY : 0));
  for (let n = 0; n < labels.length; n++) {
    const means = judges.map((scores) => {
      let mean = 0;
      for (let c = 0; c < classes; c++) mean += pooled[n * classes + c] * scores[n * classes + c];
      return mean;
    });
    judges.forEach((scores, i) => {
      gradient[i] += scores[n * classes + labels[n]] - means[i];
      judges.forEach((others, j) => {
        for (let c = 0; c < classes; c++) {
          const at = n * classes + c;
          curvature[i][j] += pooled[at] * (scores[at] - means[i]) * (others[at] - means[j]);
        }
      });
    });
  }
  return { gradient, curvature };
}

/** Solves a small symmetric positive definite system. */
function solve(matrix: number[][], right: number[]): number[] {
  const size = right.length;
  const inverse = Float64Array.from(matrix.flat());
  invert(inverse, size);
  return right.map((_, i) =>
    right.reduce((sum, value, j) => sum + inverse[i * size + j] * value, 0)
  );
}
