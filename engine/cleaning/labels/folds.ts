/**
 * Predictions out of folds: every sample is judged by networks that have not learnt it.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import { takeSamples } from "../../data/dataset.ts";
import { createGenerator, drawPermutation, STREAMS } from "../../data/random.ts";
import type { Engine } from "../../engine.ts";
import type { CallOptions } from "../../gpu/pace.ts";
import type { NetworkDefinition } from "../../network/definition.ts";
import type { TrainingOptions } from "../../training/options.ts";

/** Folds of few samples, and of many: two thirds of so many teach a network nearly as much as four fifths, and take half of the time. */
const FOLDS = 5;
const FOLDS_OF_MANY = 3;

/** Number of samples from which on they are many. */
const MANY_SAMPLES = 5000;

/** Chooses the number of folds for so many samples: 5, or 3 from 5,000 on. */
export function chooseFolds(count: number): number {
  return count < MANY_SAMPLES ? FOLDS : FOLDS_OF_MANY;
}

/** How networks are trained for folds. */
export interface FoldOptions extends CallOptions {
  readonly folds: number;
  readonly seed: number;
  readonly training: TrainingOptions;
}

/**
 * Predicts each sample's class by networks that were trained on the other folds.
 *
 * @returns probabilities `[N, classes]` f64, row-major
 */
export async function predictOutOfFolds(
  engine: Engine,
  definition: NetworkDefinition,
  data: Dataset,
  { folds, seed, training, signal, onProgress }: FoldOptions,
): Promise<Float64Array<ArrayBuffer>> {
  const { classes } = data;
  const probabilities = new Float64Array(data.labels.length * classes);
  const parts = divideSamples(data, folds, seed);
  for (const [fold, part] of parts.entries()) {
    const others = parts.flatMap((other) => other === part ? [] : other);
    using network = engine.network(definition, { seed, classes }, data.shape);
    await engine.train(network, takeSamples(data, others), {
      ...training,
      seed,
      signal,
      onProgress: (done, total) => onProgress?.(fold * total + done, folds * total),
    });
    const logits = await engine.logits(network, takeSamples(data, part), { signal });
    part.forEach((sample, n) =>
      probabilities.set(
        softmax(logits.subarray(n * classes, (n + 1) * classes)),
        sample * classes,
      )
    );
  }
  return probabilities;
}

/**
 * Divides samples into folds of equal size within each class, up to one: those of a class are dealt in random order.
 *
 * @returns positions of each fold's samples, in increasing order
 */
export function divideSamples({ labels }: Dataset, folds: number, seed: number): number[][] {
  const place = drawPermutation(createGenerator(seed, STREAMS.folds), labels.length);
  const dealt = [...labels.keys()].sort((a, b) => labels[a] - labels[b] || place[a] - place[b]);
  const parts: number[][] = Array.from({ length: folds }, () => []);
  dealt.forEach((sample, turn) => parts[turn % folds].push(sample));
  return parts.map((part) => part.sort((a, b) => a - b));
}

/** Computes the softmax of one sample's logits, in float64. */
export function softmax(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
