/** Features and gradient norms of networks, against the twins. @module */
import assert from "node:assert/strict";
import type { Weights } from "../../../engine/network/parameters.ts";
import { computeLogits } from "../../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { gradientNorms } from "../../../engine/reference/pruning.ts";
import { takeSamples } from "../../../engine/data/dataset.ts";
import { testEngine } from "../open_engine.ts";
import {
  countSteps,
  differentiateLoss,
  drawExactWeights,
  drawImages,
  drawWeights,
  pooled,
  residual,
  strided,
  toNumbers,
} from "../network/tiny_networks.ts";

for (
  const { network, levels, seed } of [
    { network: strided(4), levels: 7, seed: 1 },
    { network: pooled(4), levels: 43, seed: 11 },
    { network: residual(4), levels: 5, seed: 1 },
  ]
) {
  testEngine(
    `${network.definition.name}: features are exactly what goes into the last layer`,
    async (engine) => {
      const weights = drawExactWeights(network, seed);
      // more than one batch of 512
      const data = drawImages(network, 515, levels);
      using built = engine.network(network.definition, weights, network.inputShape);
      const twin = network.twin.slice(0, -1);
      const expected = computeLogits(twin, weights, toNumbers(data));
      assert.ok(expected.data.some((feature) => feature !== 0));
      assertClose(await engine.features(built, data), expected.data, () => 0, "features");
    },
  );
}

for (const network of [strided(3), pooled(3)]) {
  testEngine(
    `${network.definition.name}: gradient norms agree with the gradients of single samples`,
    async (engine) => {
      const weights = drawWeights(network, 3);
      const data = drawImages(network, 9, 2);
      using built = engine.network(network.definition, weights, network.inputShape);
      const bounds = Float64Array.from(data.labels, (_, n) => {
        const { error } = differentiateLoss(network, weights, takeSamples(data, [n]));
        return Math.hypot(...error);
      });
      const expected = gradientNorms(network.twin, weights, toNumbers(data), data.labels);
      const length = countParameters(weights) + countSteps(network);
      assertClose(
        await engine.gradientNorms(built, data),
        expected,
        // adds the error of the sum of squares and its root to the gradients' own errors
        (n) => bounds[n] + dotBound(length, expected[n] + bounds[n]),
        "gradient norms",
      );
    },
  );
}

testEngine("gradient norms of more samples than are held together are in order", async (engine) => {
  const network = pooled(3);
  using built = engine.network(network.definition, drawWeights(network, 3), network.inputShape);
  const data = drawImages(network, 4100, 43);
  const progress: [number, number][] = [];
  const norms = await engine.gradientNorms(built, data, {
    onProgress: (...step) => progress.push(step),
  });
  const last = Array.from({ length: 10 }, (_, i) => 4090 + i);
  assert.deepEqual(
    norms.subarray(4090),
    await engine.gradientNorms(built, takeSamples(data, last)),
  );
  const done = progress.map(([samples]) => samples);
  assert.deepEqual(done, done.toSorted((a, b) => a - b));
  assert.ok(done.includes(4096));
  assert.deepEqual(progress.at(-1), [4100, 4100]);
});

function countParameters(weights: Weights): number {
  return [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
}
