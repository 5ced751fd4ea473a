/**
 * Float64 twins of published pruning scores: gradient norms (GraNd), forgetting events, k-center.
 *
 * @module
 */

import { type Layer, lossAndGradient, type Weights } from "./network.ts";
import { type Numbers, sampleAt } from "./tensor.ts";

/** GraNd: the norm of each sample's gradient of the loss with respect to all parameters; `images` `[N, H, W, C]`, `labels` `[N]`, to `[N]`. */
export function gradientNorms(
  network: readonly Layer[],
  weights: Weights,
  images: Numbers,
  labels: ArrayLike<number>,
): Float64Array {
  return Float64Array.from(labels, (label, n) => {
    const { gradients } = lossAndGradient(network, weights, sampleAt(images, n), [label]);
    let squares = 0;
    for (const { data } of gradients.values()) {
      for (const value of Array.from(data)) squares += value ** 2;
    }
    return Math.sqrt(squares);
  });
}

/**
 * Forgetting events of each sample, from `right[epoch][sample]`: how often it was classified rightly and in the next epoch wrongly; infinite for
 * a sample that never was classified rightly.
 */
export function countForgettings(right: readonly (readonly boolean[])[]): number[] {
  return right[0].map((_, n) => {
    const answers = right.map((epoch) => epoch[n]);
    if (!answers.includes(true)) return Infinity;
    return answers.filter((isRight, t) => !isRight && t > 0 && answers[t - 1]).length;
  });
}

/** Greedy k-center from sample 0: next is always the sample farthest from its nearest center, the lowest index on a tie; features `[N][D]`. */
export function greedyCenters(features: readonly ArrayLike<number>[], size: number): number[] {
  const squaredDistance = (i: number, j: number) =>
    Array.from(features[i]).reduce((sum, value, d) => sum + (value - features[j][d]) ** 2, 0);
  const centers = [0];
  while (centers.length < size) {
    let farthest = -1;
    let most = -1;
    features.forEach((_, n) => {
      if (centers.includes(n)) return;
      const nearest = Math.min(...centers.map((center) => squaredDistance(n, center)));
      if (nearest > most) [farthest, most] = [n, nearest];
    });
    centers.push(farthest);
  }
  return centers;
}
