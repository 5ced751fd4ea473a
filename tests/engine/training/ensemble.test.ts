/** Many models trained together, against the oracle's gradient descent and against training them one by one. @module */
import assert from "node:assert/strict";
import { takeSamples } from "../../../engine/data/dataset.ts";
import { drawDigits } from "../../../engine/data/digits.ts";
import { flatten, relu } from "../../../engine/network/definition.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { mlp } from "../../../engine/network/models.ts";
import type { Weights } from "../../../engine/network/parameters.ts";
import { lossAndGradient, type Weights as TwinWeights } from "../../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { type Numbers, sampleAt } from "../../../engine/reference/tensor.ts";
import { drawNumbers } from "../gpu/open.ts";
import { testEngine } from "../open_engine.ts";
import {
  drawImages,
  drawWeights,
  strided,
  type TinyNetwork,
  toNumbers,
} from "../network/tiny_networks.ts";

/** Network of three dense layers of awkward widths. */
const TINY: TinyNetwork = {
  definition: {
    name: "tiny",
    forward(layers, images) {
      const first = relu(layers.dense("fc1", flatten(images), 7));
      const second = relu(layers.dense("fc2", first, 5));
      return layers.dense("fc3", second, layers.classes);
    },
  },
  inputShape: [3, 2, 2],
  classes: 3,
  shapes: {
    "fc1.weight": [7, 12],
    "fc1.bias": [7],
    "fc2.weight": [5, 7],
    "fc2.bias": [5],
    "fc3.weight": [3, 5],
    "fc3.bias": [3],
  },
  twin: [
    { kind: "flatten" },
    { kind: "dense", name: "fc1" },
    { kind: "relu" },
    { kind: "dense", name: "fc2" },
    { kind: "relu" },
    { kind: "dense", name: "fc3" },
  ],
};

interface Descent {
  readonly epochs: number;
  readonly learningRate: number;
  readonly momentum: number;
}

/** Function that changes a parameter, of some size, after a step. */
type Nudge = (value: number, size: number) => number;

/** Descends in float64, and sums each sample's loss before each step. */
function descend(
  weights: Weights,
  images: Numbers,
  labels: ArrayLike<number>,
  { epochs, learningRate, momentum }: Descent,
  nudge: Nudge,
): number[] {
  let now: TwinWeights = new Map(
    [...weights].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]),
  );
  const velocities = new Map<string, Float64Array>();
  const sums = new Array<number>(labels.length).fill(0);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let n = 0; n < labels.length; n++) {
      sums[n] += lossAndGradient(TINY.twin, now, sampleAt(images, n), [labels[n]]).loss;
    }
    const { gradients } = lossAndGradient(TINY.twin, now, images, labels);
    now = new Map([...now].map(([name, { shape, data }]) => {
      const before = velocities.get(name) ?? new Float64Array(data.length);
      const velocity = gradients.get(name)!.data.map((g, i) => momentum * before[i] + g);
      velocities.set(name, velocity);
      const next = Float64Array.from(data, (w, i) => {
        const step = learningRate * velocity[i];
        return nudge(w - step, Math.abs(w) + Math.abs(step));
      });
      return [name, { shape, data: next }];
    }));
  }
  return sums;
}

/** Number of runs of the twin whose parameters are moved after each step by the largest float32 error of one. */
const NUDGED_RUNS = 8;

/** Number of products and sums in one step of one parameter: through three layers and back, and over the samples. */
const STEP_LENGTH = 64;

/** Computes the twin's sums, and bounds of the round-off: twice the farthest deviation of some random runs. */
function expect(weights: Weights, images: Numbers, labels: ArrayLike<number>, descent: Descent) {
  const sums = descend(weights, images, labels, descent, (value) => value);
  const bounds = sums.map(() => 0);
  for (let run = 0; run < NUDGED_RUNS; run++) {
    const draws = drawNumbers(run + 1, 4099);
    let at = 0;
    const moved = descend(
      weights,
      images,
      labels,
      descent,
      (value, size) => value + Math.sign(draws[at++ % draws.length]) * dotBound(STEP_LENGTH, size),
    );
    moved.forEach((sum, n) => bounds[n] = Math.max(bounds[n], 2 * Math.abs(sum - sums[n])));
  }
  // the last loss, which no step follows, has its own round-off
  return { sums, bounds: bounds.map((bound, n) => bound + dotBound(STEP_LENGTH, sums[n] + 1)) };
}

for (const [size, momentum] of [[1, 0], [3, 0], [5, 0.9], [17, 0]]) {
  testEngine(
    `subsets of ${size} with momentum ${momentum}: together and one by one as the oracle descends`,
    async (engine) => {
      const models = 3;
      const weights = drawWeights(TINY, 3);
      const data = drawImages(TINY, size * models, 2);
      const descent = { epochs: 12, learningRate: 0.3, momentum };
      const subsets = Array.from(
        { length: models },
        // interleaved, so that no sample's model follows from its position
        (_, m) => Array.from({ length: size }, (_, i) => i * models + (m + 1) % models),
      );
      using network = engine.network(TINY.definition, weights, TINY.inputShape);
      const { difficulty } = await engine.trainEnsemble(network, data, subsets, descent);
      for (const [m, subset] of subsets.entries()) {
        const own = takeSamples(data, subset);
        const { sums, bounds } = expect(weights, toNumbers(own), own.labels, descent);
        const found = difficulty.subarray(m * size, (m + 1) * size);
        assertClose(found, sums, (n) => bounds[n], `together, model ${m}`);
        using alone = engine.network(TINY.definition, weights, TINY.inputShape);
        const trained = await engine.train(alone, own, { ...descent, batch: "full" });
        assertClose(trained.difficulty, sums, (n) => bounds[n], `alone, model ${m}`);
      }
      assert.deepEqual(await network.weights(), weights, "the network itself has changed");
    },
  );
}

testEngine(
  "models of one sample are the same, in whichever part of many they are trained",
  async (engine) => {
    const data = drawDigits("train", { size: 3 });
    using network = engine.network(mlp, { seed: 1, classes: 10 }, data.shape);
    // models of this network are trained in parts of 2,048
    const subsets = Array.from({ length: 2051 }, (_, m) => [m % 3]);
    const { difficulty, lastLosses } = await engine.trainEnsemble(network, data, subsets, {
      epochs: 2,
      learningRate: 0.01,
    });
    for (const [m] of subsets.entries()) {
      assert.equal(difficulty[m], difficulty[m % 3]);
      assert.equal(lastLosses[m], lastLosses[m % 3]);
    }
    for (const sample of [0, 1, 2]) {
      const first = difficulty[sample] - lastLosses[sample];
      assert.ok(lastLosses[sample] < first, `${first}, then ${lastLosses[sample]}`);
    }
  },
);

testEngine("models that diverge are told by their difficulty", async (engine) => {
  const data = drawImages(TINY, 2, 2);
  using network = engine.network(TINY.definition, drawWeights(TINY, 3), TINY.inputShape);
  const options = { epochs: 5, learningRate: 1e30 };
  const { difficulty } = await engine.trainEnsemble(network, data, [[0], [1]], options);
  for (const value of difficulty) assert.ok(!Number.isFinite(value), `${value}`);
});

testEngine("a layer that no logit depends on changes nothing, wherever it is", async (engine) => {
  const { definition, inputShape } = TINY;
  const weights = drawWeights(TINY, 3);
  const data = drawImages(TINY, 4, 2);
  const subsets = [[0, 1], [2, 3]];
  const descent = { epochs: 3, learningRate: 0.3, momentum: 0.9 };
  const dead = new Map([
    ...weights,
    ["dead.weight", { shape: [2, 12], data: drawNumbers(9, 24) }],
    ["dead.bias", { shape: [2], data: drawNumbers(10, 2) }],
  ]);
  using network = engine.network(definition, weights, inputShape);
  const expected = await engine.trainEnsemble(network, data, subsets, descent);
  for (const place of ["first", "last"]) {
    using idle = engine.network(
      {
        name: "idle",
        forward(layers, images) {
          const add = () => layers.dense("dead", layers.flatten(images), 2);
          if (place === "first") add();
          const logits = definition.forward(layers, images);
          if (place === "last") add();
          return logits;
        },
      },
      dead,
      inputShape,
    );
    const found = await engine.trainEnsemble(idle, data, subsets, descent);
    if (place === "last") assert.deepEqual(found, expected);
    // the first layer's weights are never formed, and here the first layer is dead
    for (const [m, subset] of subsets.entries()) {
      const own = takeSamples(data, subset);
      const { sums, bounds } = expect(weights, toNumbers(own), own.labels, descent);
      const part = found.difficulty.subarray(2 * m, 2 * m + 2);
      assertClose(part, sums, (n) => bounds[n], `dead ${place}, model ${m}`);
    }
  }
  // all parameters are dead: training changes nothing
  using still = engine.network(
    {
      name: "still",
      forward(layers, images) {
        layers.dense("dead", layers.flatten(images), 2);
        return layers.globalAverage(layers.averagePool(images, 1));
      },
    },
    new Map([...dead].filter(([name]) => name.startsWith("dead"))),
    inputShape,
  );
  const two = { ...data, labels: data.labels.map(() => 0), classes: 2 };
  const { difficulty, lastLosses } = await engine.trainEnsemble(still, two, subsets, descent);
  const thrice = Array.from(lastLosses, (loss) => 3 * loss);
  assertClose(difficulty, thrice, (i) => dotBound(3, thrice[i]), "still");
  const { weights: kept } = await engine.train(still, two, { epochs: 1 });
  assert.deepEqual(kept, new Map([...dead].filter(([name]) => name.startsWith("dead"))));
  using rows = await engine.project(still, two);
  assert.ok((await computeGram(rows)).every((value) => value === 0));
});

testEngine("an ensemble is refused where it cannot be trained", async (engine) => {
  const data = drawImages(TINY, 4, 2);
  using network = engine.network(TINY.definition, drawWeights(TINY, 3), TINY.inputShape);
  const refused: readonly (readonly [number[][], object, RegExp])[] = [
    [[], {}, /got subsets of no samples/],
    [[[0, 1], [2]], {}, /got subsets of 2 and 1 samples, need one size/],
    [[[]], {}, /got subsets of 0 samples/],
    [[[0]], { epochs: 0 }, /got epochs 0, need a positive integer/],
    [[[0]], { learningRate: 0 }, /got learning rate 0, need a positive number/],
    [[[0]], { momentum: 1 }, /got momentum 1, need a number from 0 to below 1/],
    [[[4]], {}, /sample 4/],
  ];
  for (const [subsets, options, message] of refused) {
    await assert.rejects(engine.trainEnsemble(network, data, subsets, options), {
      name: "RangeError",
      message,
    });
  }
  await assert.rejects(engine.trainEnsemble(network, data, [[0]], { lr: 0.1 } as never), {
    name: "TypeError",
    message: /unknown option lr = 0.1.*lr is learningRate here/,
  });
  const folded = strided(3);
  using other = engine.network(folded.definition, drawWeights(folded, 3), folded.inputShape);
  await assert.rejects(engine.trainEnsemble(other, drawImages(folded, 2, 2), [[0]]), {
    name: "TypeError",
    message: /got convolution 'conv1', need dense layers/,
  });
});
