/** Training steps against the oracle's gradients, and the records of training. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { createDataset, type Dataset, takeSamples } from "../../../engine/data/dataset.ts";
import type { Engine } from "../../../engine/engine.ts";
import type { NetworkDefinition } from "../../../engine/network/definition.ts";
import { flatten, globalAverage, relu } from "../../../engine/network/definition.ts";
import { DeviceNetwork } from "../../../engine/network/network.ts";
import type { Weights } from "../../../engine/network/parameters.ts";
import { toTensor } from "../../../engine/operations/features.ts";
import type { TrainingOptions } from "../../../engine/training/options.ts";
import { computeLogits } from "../../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { countForgettings } from "../../../engine/reference/pruning.ts";
import { drawNumbers } from "../gpu/open.ts";
import { kernelOf, testEngine } from "../open_engine.ts";
import {
  concatenate,
  differentiateLoss,
  drawImages,
  drawWeights,
  strided,
  toNumbers,
} from "../network/tiny_networks.ts";

const NETWORK = strided(3);

function build(engine: Engine, weights: Weights) {
  return engine.network(NETWORK.definition, weights, NETWORK.inputShape);
}

/** Trains from given weights; returns the final weights, losses and difficulty. */
async function train(engine: Engine, weights: Weights, data: Dataset, options: TrainingOptions) {
  using network = build(engine, weights);
  return await engine.train(network, data, options);
}

for (const [momentum, weightDecay] of [[0, 0], [0.9, 0], [0.9, 0.1]]) {
  testEngine(
    `two steps with momentum ${momentum} and weight decay ${weightDecay} follow the oracle's gradient`,
    async (engine) => {
      const [before, data] = [drawWeights(NETWORK, 3), drawImages(NETWORK, 5, 2)];
      const options = { batch: "full", learningRate: 0.1, momentum, weightDecay } as const;
      const one = await train(engine, before, data, { ...options, epochs: 1 });
      const two = await train(engine, before, data, { ...options, epochs: 2 });
      const [first, second] = [before, one.weights].map((weights) => {
        const found = differentiateLoss(NETWORK, weights, data);
        const decayed = concatenate(weights).map((w, i) => found.gradient[i] + weightDecay * w);
        return { ...found, decayed };
      });

      // a handful of operations on numbers of this size make the step
      const roundingOf = (weights: Weights) => {
        const values = concatenate(weights);
        return (i: number) =>
          dotBound(
            6,
            Math.abs(values[i]) + Math.abs(first.decayed[i]) + Math.abs(second.decayed[i]),
          );
      };
      const [roundingBefore, roundingOne] = [roundingOf(before), roundingOf(one.weights)];
      assertClose(
        concatenate(one.weights),
        concatenate(before).map((w, i) => w - 0.1 * first.decayed[i]),
        (i) => 0.1 * first.error[i] + roundingBefore(i),
        "weights after one step",
      );
      // the expected second step starts from the computed weights of the first, so that errors do not add up
      assertClose(
        concatenate(two.weights),
        concatenate(one.weights).map((w, i) =>
          w - 0.1 * (momentum * first.decayed[i] + second.decayed[i])
        ),
        (i) => 0.1 * (first.error[i] + second.error[i]) + roundingOne(i),
        "weights after two steps",
      );
      const mean = (values: readonly number[]) =>
        values.reduce((sum, value) => sum + value) / values.length;
      assertClose(
        two.epochs.map(({ trainLoss }) => trainLoss),
        [mean(first.losses), mean(second.losses)],
        () => first.lossError + second.lossError,
        "mean losses",
      );
      assertClose(
        two.difficulty,
        first.losses.map((loss, n) => loss + second.losses[n]),
        () => first.lossError + second.lossError,
        "difficulty",
      );
    },
  );
}

testEngine(
  "difficulty sums each sample's own loss over the epochs, in whatever order they come",
  async (engine) => {
    const [weights, data] = [drawWeights(NETWORK, 3), drawImages(NETWORK, 7, 5)];
    const { losses, lossError } = differentiateLoss(NETWORK, weights, data);
    // steps so small that no weight moves
    const options = { epochs: 3, batch: 2, learningRate: 1e-30, seed: 5 };
    const { difficulty, weights: after, epochs } = await train(engine, weights, data, options);
    assert.deepEqual(after, weights);
    assertClose(
      difficulty,
      losses.map((loss) => 3 * loss),
      (n) => 3 * lossError + dotBound(3, 3 * losses[n]),
      "difficulty",
    );
    assert.deepEqual(epochs.map(({ epoch }) => epoch), [1, 2, 3]);
  },
);

testEngine("the same seed gives the same weights bit for bit, another does not", async (engine) => {
  const [weights, data] = [drawWeights(NETWORK, 3), drawImages(NETWORK, 7, 2)];
  const options = { epochs: 2, batch: 2 };
  const first = await train(engine, weights, data, { ...options, seed: 1 });
  const again = await train(engine, weights, data, { ...options, seed: 1 });
  const other = await train(engine, weights, data, { ...options, seed: 2 });
  assert.deepEqual(again.weights, first.weights);
  assert.deepEqual(again.difficulty, first.difficulty);
  assert.notDeepEqual(other.weights, first.weights);
});

// A linear network on two images, which begins with both predictions wrong and ends with both right.

const linear: NetworkDefinition = {
  name: "linear",
  forward: (layers, images) => layers.dense("fc", flatten(images), layers.classes),
};

function drawPair(labels: readonly number[]): Dataset {
  return createDataset({
    name: "pair",
    split: "train",
    images: Uint8Array.of(255, 0, 0, 255),
    labels,
    shape: [2, 1, 1],
    classes: 2,
    mean: [0],
    std: [1],
  });
}

const wrong: Weights = new Map([
  ["fc.weight", { shape: [2, 2], data: Float32Array.of(-1, 1, 1, -1) }],
  ["fc.bias", { shape: [2], data: Float32Array.of(0, 0) }],
]);

testEngine("forgetting events are those of the epochs' own forward passes", async (engine) => {
  // pixels without information about the labels, and steps so large that samples are forgotten again and again
  const count = 23;
  const data = createDataset({
    ...drawPair([0, 1]),
    images: Uint8Array.from(drawNumbers(1, 4 * count), (number) => 127 * (1 + number)),
    labels: Array.from({ length: count }, (_, n) => n === 7 ? 2 : n * n % 3),
    shape: [2, 2, 1],
    classes: 3,
  });
  const twin = [{ kind: "flatten" }, { kind: "dense", name: "fc" }] as const;
  const before: Weights = new Map([
    ["fc.weight", { shape: [3, 4], data: drawNumbers(2, 12) }],
    ["fc.bias", { shape: [3], data: drawNumbers(3, 3) }],
  ]);
  const trainFor = async (epochs: number) => {
    using network = engine.network(linear, before, data.shape);
    return await engine.train(network, data, { batch: "full", learningRate: 2, epochs });
  };

  const epochs = 8;
  const right: boolean[][] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const weights = epoch === 0 ? before : (await trainFor(epoch)).weights;
    const { data: logits } = computeLogits(twin, weights, toNumbers(data));
    // no pixel is above 1
    const rounding = dotBound(5, concatenate(weights).reduce((sum, w) => sum + Math.abs(w), 0));
    right.push(Array.from(data.labels, (label, n) => {
      const row = Array.from(logits.subarray(n * 3, n * 3 + 3));
      const [first, second] = row.toSorted((a, b) => b - a);
      assert.ok(first - second > 2 * rounding, "an answer hangs on rounding");
      return row.indexOf(first) === label;
    }));
  }
  const expected = countForgettings(right);
  for (const events of [0, 1, 2, Infinity]) assert.ok(expected.includes(events), `${expected}`);
  assert.deepEqual([...(await trainFor(epochs)).forgettings], expected);
});

testEngine(
  "the weights that do best on the validation set are kept, whatever the test set says",
  async (engine) => {
    const [right, swapped] = [drawPair([0, 1]), drawPair([1, 0])];
    const options = { epochs: 8, batch: "full", learningRate: 0.5, momentum: 0.5 } as const;
    for (const [validation, test] of [[right, swapped], [swapped, right]]) {
      using network = engine.network(linear, wrong, [2, 1, 1]);
      const { weights, bestEpoch, epochs } = await engine.train(network, right, {
        ...options,
        validation,
        test,
      });
      const accuracies = epochs.map(({ validationAccuracy }) => validationAccuracy!);
      assert.deepEqual([...new Set(accuracies)].sort(), [0, 1]);
      assert.equal(bestEpoch, accuracies.indexOf(1) + 1);
      assert.deepEqual(
        epochs.map(({ testAccuracy }) => testAccuracy),
        accuracies.map((a) => 1 - a),
      );
      using kept = engine.network(linear, weights, [2, 1, 1]);
      assert.equal(await engine.accuracy(kept, validation), 1);
      // the network itself goes on with the last weights
      assert.equal(await engine.accuracy(network, validation), accuracies.at(-1));
    }
  },
);

testEngine("without a validation set the last weights are kept", async (engine) => {
  using network = engine.network(linear, wrong, [2, 1, 1]);
  const result = await engine.train(network, drawPair([0, 1]), { epochs: 3 });
  assert.equal(result.bestEpoch, 3);
  assert.deepEqual(result.weights, await network.weights());
  assert.ok(
    result.epochs.every((epoch) =>
      epoch.validationAccuracy === null && epoch.testAccuracy === null
    ),
  );
});

testEngine("the learning rate follows its schedule", async (engine) => {
  const expected = {
    constant: [1, 1, 1, 1, 1, 1, 1, 1],
    step: [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01],
    cosine: Array.from({ length: 8 }, (_, e) => Math.cos(Math.PI * e / 16) ** 2),
  };
  for (const schedule of ["constant", "step", "cosine"] as const) {
    using network = engine.network(linear, wrong, [2, 1, 1]);
    const options = { epochs: 8, learningRate: 0.5, schedule };
    const { epochs } = await engine.train(network, drawPair([0, 1]), options);
    const rates = epochs.map(({ learningRate }) => learningRate / 0.5);
    assertClose(rates, expected[schedule], () => 2 ** -50, schedule);
  }
});

testEngine("progress counts the samples of all epochs", async (engine) => {
  const data = takeSamples(drawPair([0, 1]), Array.from({ length: 21 }, (_, n) => n % 2));
  const progress: number[] = [];
  using network = engine.network(linear, wrong, [2, 1, 1]);
  await engine.train(network, data, {
    epochs: 2,
    batch: 2,
    onProgress(done, total) {
      assert.equal(total, 42);
      progress.push(done);
    },
  });
  assert.deepEqual(progress, progress.toSorted((a, b) => a - b));
  assert.deepEqual([progress.at(-1), progress.includes(21)], [42, true]);
});

testEngine("training that diverges says so, and leaves nothing", async (engine) => {
  // the loss shows it in the second epoch, the weights after the last step show it at once
  for (const [epochs, weightDecay] of [[5, 1], [1, 10]]) {
    using network = engine.network(linear, wrong, [2, 1, 1]);
    const options = { epochs, learningRate: 1e38, momentum: 0.9, weightDecay };
    await assert.rejects(engine.train(network, drawPair([1, 1]), options), {
      name: "NonFiniteError",
      message: epochs === 1 ? /fc\.weight after epoch 1/ : /got loss (NaN|Infinity) in epoch/,
    });
  }
});

testEngine("training options out of range are refused", async (engine) => {
  using network = engine.network(linear, wrong, [2, 1, 1]);
  for (
    const options of [
      { epochs: 0 },
      { epochs: 1.5 },
      { batch: 0 },
      { batch: 2.5 },
      { learningRate: 0 },
      { learningRate: NaN },
      { momentum: 1 },
      { momentum: -0.1 },
      { weightDecay: -1 },
      { weightDecay: NaN },
    ]
  ) {
    await assert.rejects(
      engine.train(network, drawPair([0, 1]), options),
      RangeError,
      JSON.stringify(options),
    );
  }
});

testEngine("augmented training is drawn from the seed", async (engine) => {
  const data = drawImages(NETWORK, 9, 50);
  const options = { epochs: 2, batch: 4, learningRate: 0.01, augment: true };
  const run = (seed: number, augment = true) =>
    train(engine, drawWeights(NETWORK, 3), data, { ...options, augment, seed });
  const first = await run(1);
  assert.deepEqual((await run(1)).weights, first.weights);
  assert.notDeepEqual((await run(2)).weights, first.weights);
  assert.notDeepEqual((await run(1, false)).weights, first.weights);
});

testEngine(
  "a wide layer makes the batches smaller, and one too large to train with is refused",
  async (engine) => {
    const side = 128;
    const wide: NetworkDefinition = {
      name: "wide",
      forward(layers, images) {
        const x = layers.convolution("conv", images, { filters: 48, size: 1 });
        return layers.dense("fc", globalAverage(relu(x)), layers.classes);
      },
    };
    using network = engine.network(wide, { seed: 1, classes: 3 }, [side, side, 1]);
    const { maxStorageBufferBindingSize } = engine.limits;
    const limit = Math.floor(maxStorageBufferBindingSize / (4 * 48 * side * side));
    assert(network instanceof DeviceNetwork);
    assert.equal(network.batchLimit, limit);
    const count = limit + 3;
    const images = Uint8Array.from({ length: count * side * side }, (_, i) => i * i % 251);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
    const shape = [side, side, 1] as const;
    const data = createDataset({
      name: "large",
      split: "train",
      images,
      labels,
      shape,
      classes: 3,
      mean: [0],
      std: [1],
    });
    await assert.rejects(engine.train(network, data, { batch: "full" }), {
      name: "RangeError",
      message:
        `Cannot train wide: got batches of ${count}, need at most ${limit} for its largest layer on this device`,
    });
    const all = await engine.logits(network, data);
    const last = await engine.logits(network, takeSamples(data, [count - 1]));
    assert.deepEqual(all.subarray(-3), last);
  },
);

testEngine(
  "dropout drops its share in training steps, from the seed, and nothing elsewhere",
  async (engine) => {
    const [side, share] = [40, 0.25];
    let seen: tf.Tensor | undefined;
    const define = (isDropping: boolean): NetworkDefinition => ({
      name: "dropping",
      forward(layers, images) {
        const x = flatten(images);
        const y = isDropping ? layers.dropout(x, share) : x;
        if (isDropping && images.shape[0] === 8) seen = tf.keep(tf.clone(toTensor(y)));
        return layers.dense("fc", y, layers.classes);
      },
    });
    const data = createDataset({
      name: "ones",
      split: "train",
      images: new Uint8Array(8 * side * side).fill(1),
      labels: Uint8Array.from({ length: 8 }, (_, i) => i % 2),
      shape: [side, side, 1],
      classes: 2,
      mean: [0],
      std: [1 / 255],
    });
    const train = async (seed: number) => {
      using network = engine.network(define(true), { seed: 1, classes: 2 }, data.shape);
      const { weights } = await engine.train(network, data, { epochs: 1, seed });
      const passed = await seen!.data();
      seen!.dispose();
      return { weights, passed };
    };
    const { weights, passed } = await train(1);
    const dropped = passed.filter((value) => value === 0).length;
    const count = 8 * side * side;
    // five standard deviations of a binomial count
    const slack = 5 * Math.sqrt(count * share * (1 - share));
    assert.ok(Math.abs(dropped - count * share) < slack, `${dropped} of ${count} dropped`);
    assert.ok(passed.every((value) => value === 0 || value === Math.fround(1 / (1 - share))));
    assert.deepEqual((await train(1)).weights, weights);
    assert.notDeepEqual((await train(2)).weights, weights);

    using dropping = engine.network(define(true), weights, data.shape);
    using plain = engine.network(define(false), weights, data.shape);
    const few = takeSamples(data, [0, 1, 2]);
    assert.deepEqual(await engine.logits(dropping, few), await engine.logits(plain, few));
    assert.deepEqual(await kernelOf(engine, dropping, few), await kernelOf(engine, plain, few));
  },
);
