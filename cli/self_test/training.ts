/**
 * Check of training against float64: the loss of each sample, and the change of the weights in two steps.
 *
 * @module
 */
import type { Dataset, Engine, Network, Weights } from "../../mod.ts";
import { crossEntropy, momentumStep } from "../../engine/reference/pointwise.ts";
import { computeLogits, lossAndGradient } from "../../engine/reference/network.ts";
import type { Numbers } from "../../engine/reference/tensor.ts";
import { type Check, check, compare } from "./checks.ts";
import { CONVOLUTIONS, SAMPLES, toNumbers } from "./probes.ts";

/** Options of two training steps over all samples, the second with a velocity; so large that the rounding of the weights does not count. */
const STEPS = {
  epochs: 2,
  batch: "full",
  learningRate: 0.5,
  momentum: 0.9,
  weightDecay: 0.01,
} as const;

/** Checks two steps of training: each sample's loss, and the change of the weights. */
export async function testTraining(
  engine: Engine,
  network: Network,
  data: Dataset,
  initial: Weights,
): Promise<Check> {
  const names = [...initial.keys()];
  const images = toNumbers(data);
  let weights: ReadonlyMap<string, Numbers> = initial;
  let velocities: readonly Float64Array[] = names.map((name) =>
    new Float64Array(initial.get(name)!.data.length)
  );
  const difficulty = new Float64Array(SAMPLES);
  for (let step = 0; step < STEPS.epochs; step++) {
    const { gradients } = lossAndGradient(CONVOLUTIONS.twin, weights, images, data.labels);
    const logits = computeLogits(CONVOLUTIONS.twin, weights, images);
    crossEntropy(logits, data.labels).data.forEach((loss, n) => difficulty[n] += loss);
    const stepped = names.map((name, i) =>
      momentumStep(weights.get(name)!.data, velocities[i], gradients.get(name)!.data, STEPS)
    );
    velocities = stepped.map(({ velocities }) => velocities);
    weights = new Map(
      names.map((name, i) => [name, { ...initial.get(name)!, data: stepped[i].weights }]),
    );
  }
  const change = (after: ReadonlyMap<string, Numbers>) =>
    names.flatMap((name) =>
      Array.from(after.get(name)!.data, (value, i) => value - initial.get(name)!.data[i])
    );
  return await check(
    "cross_entropy, cross_entropy_gradient, sum_groups, momentum_step",
    async () => {
      const trained = await engine.train(network, data, STEPS);
      return Math.max(
        compare(trained.difficulty, difficulty),
        compare(change(trained.weights), change(weights)),
      );
    },
  );
}
