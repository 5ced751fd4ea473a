/** Forgetting events, and the prediction of a step, against their float64 twins. @module */
import assert from "node:assert/strict";
import {
  type BatchStep,
  findForgotten,
  predictLogitsAfterStep,
  predictProbabilitiesAfterStep,
} from "../../../engine/samples/forgetting.ts";
import { createGenerator, drawUniform, STREAMS } from "../../../engine/data/random.ts";
import {
  multiply,
  predictionErrors,
  softmax,
  softmaxDerivative,
  sumInfluence,
  sumInfluenceByGradient,
} from "../../../engine/reference/forgetting.ts";
import { entk } from "../../../engine/reference/kernels.ts";
import {
  computeJacobian,
  computeLogits,
  type Layer,
  lossAndGradient,
  type Weights,
} from "../../../engine/reference/network.ts";
import { assertClose } from "../../../engine/reference/numbers.ts";

/** Rounding error of some thousand float64 operations on values of about 1. */
const ROUND_OFF = 2 ** -40;

function draw(seed: number, count: number, bound = 1): Float64Array {
  return Float64Array.from(drawUniform(createGenerator(seed, STREAMS.trials), count, bound));
}

/** Cuts an array into consecutive runs of `size` elements. */
function cut(numbers: ArrayLike<number>, size: number): number[][] {
  return Array.from(
    { length: numbers.length / size },
    (_, n) => Array.from({ length: size }, (_, i) => numbers[n * size + i]),
  );
}

function drawStep(count: number, batch: number, classes: number): BatchStep {
  return {
    logits: draw(1, count * classes, 3),
    batchLogits: draw(2, batch * classes, 3),
    batchLabels: Array.from({ length: batch }, (_, u) => (u * u + 1) % classes),
    classes,
    learningRate: 0.3,
  };
}

for (const [count, batch, classes] of [[1, 1, 2], [5, 3, 4], [7, 13, 3]]) {
  const size = `${count} samples, a batch of ${batch}, ${classes} classes`;

  Deno.test(`a step is predicted as equation 1 has it: ${size}`, () => {
    const step = drawStep(count, batch, classes);
    const full = draw(3, count * batch * classes ** 2);
    const scalar = draw(4, count * batch);
    const identity = (kappa: number) =>
      Array.from(
        { length: classes },
        (_, i) => Array.from({ length: classes }, (_, j) => i === j ? kappa : 0),
      );
    const errors = predictionErrors(cut(step.batchLogits, classes), step.batchLabels);
    const cases = [
      [
        full,
        cut(full, batch * classes ** 2).map((row) =>
          cut(row, classes ** 2).map((k) => cut(k, classes))
        ),
      ],
      [scalar, cut(scalar, batch).map((row) => row.map(identity))],
    ] as const;
    for (const [kernel, blocks] of cases) {
      const changes = sumInfluence(blocks, errors);
      const rows = cut(step.logits, classes);
      const logits = rows.flatMap((z, n) => z.map((value, i) => value + 0.3 * changes[n][i]));
      assertClose(predictLogitsAfterStep(kernel, step), logits, () => ROUND_OFF, "logits");
      const probabilities = rows.flatMap((z, n) => {
        const change = multiply(softmaxDerivative(z), changes[n]);
        return softmax(z).map((q, i) => q + 0.3 * change[i]);
      });
      assertClose(
        predictProbabilitiesAfterStep(kernel, step),
        probabilities,
        () => ROUND_OFF,
        "probabilities",
      );
    }
  });
}

/** Smooth network, so that a step's second order is bounded. */
const NETWORK: readonly Layer[] = [
  { kind: "flatten" },
  { kind: "dense", name: "fc1" },
  { kind: "tanh" },
  { kind: "dense", name: "fc2" },
];

Deno.test("what a step of SGD does differs from its prediction by the square of the learning rate", () => {
  const classes = 3;
  const weights: Weights = new Map([
    ["fc1.weight", { shape: [5, 6], data: draw(5, 30) }],
    ["fc1.bias", { shape: [5], data: draw(6, 5) }],
    ["fc2.weight", { shape: [classes, 5], data: draw(7, 15) }],
    ["fc2.bias", { shape: [classes], data: draw(8, 3) }],
  ]);
  const watched = { shape: [4, 2, 3, 1], data: draw(9, 24) };
  const batch = { shape: [7, 2, 3, 1], data: draw(10, 42) };
  const batchLabels = [0, 1, 2, 2, 1, 0, 0];
  const logits = computeLogits(NETWORK, weights, watched).data;
  const batchLogits = computeLogits(NETWORK, weights, batch).data;
  const [own, other] = [watched, batch].map((set) => computeJacobian(NETWORK, weights, set));
  const kernel = entk(own, other).data;
  const { gradients } = lossAndGradient(NETWORK, weights, batch, batchLabels);

  const errors = predictionErrors(cut(batchLogits, classes), batchLabels);
  const direct = sumInfluenceByGradient(own, other, errors).flat();
  const step = { logits, batchLogits, batchLabels, classes, learningRate: 1 };
  const through = predictLogitsAfterStep(kernel, step).map((z, at) => z - logits[at]);
  assertClose(through, direct, () => ROUND_OFF, "through the kernel, and through the gradient");

  const measure = (learningRate: number) => {
    const moved: Weights = new Map([...weights].map(([name, { shape, data }]) => [name, {
      shape,
      // the gradient is that of the mean
      data: Float64Array.from(data, (w, i) => w - learningRate * 7 * gradients.get(name)!.data[i]),
    }]));
    const after = computeLogits(NETWORK, moved, watched).data;
    const afterProbabilities = cut(after, classes).flatMap(softmax);
    const predicted = { ...step, learningRate };
    return [
      predictLogitsAfterStep(kernel, predicted).map((z, at) => z - after[at]),
      predictProbabilitiesAfterStep(kernel, predicted).map((q, at) => q - afterProbabilities[at]),
    ].map((errors) => Math.hypot(...errors));
  };
  const [coarse, fine] = [measure(2e-3), measure(1e-3)];
  coarse.forEach((error, i) => {
    const ratio = error / fine[i];
    assert.ok(ratio > 3.8 && ratio < 4.2, `halving the step divides the error by ${ratio}, not 4`);
  });
});

Deno.test("a sample is forgotten when it was right before and is wrong after; the first of equal scores counts", () => {
  const before = [2, 1, 0, /**/ 0, 1, 2, /**/ 1, 1, 0, /**/ 0, 3, 1];
  const after = [0, 1, 0, /**/ 2, 1, 0, /**/ 0, 1, 1, /**/ 0, 3, 2];
  assert.deepEqual([...findForgotten(before, after, [0, 1, 0, 1])], [1, 0, 1, 0]);
  // a tie at the first is right, at the second it is not
  assert.deepEqual([...findForgotten([1, 1], [0, 1], [1])], [0]);
  assert.deepEqual([...findForgotten([1, 1], [0, 1], [0])], [1]);
});

Deno.test("numbers that do not fit one another are refused", () => {
  const step = drawStep(5, 3, 4);
  for (const predict of [predictLogitsAfterStep, predictProbabilitiesAfterStep]) {
    assert.throws(() => predict(draw(1, 16), step), /got a kernel of 16 numbers, need 15 or 240 /);
    assert.throws(
      () => predict(draw(1, 15), { ...step, batchLogits: draw(1, 11) }),
      /got 20 logits and 11 of the batch, need 4 a sample, 3 x 4 of the batch$/,
    );
    assert.throws(() => predict(draw(1, 15), { ...step, logits: draw(1, 19) }), RangeError);
    // 4 would be class 0 of the next sample
    for (const label of [4, -1, 0.5, NaN]) {
      assert.throws(
        () => predict(draw(1, 15), { ...step, batchLabels: [0, label, 1] }),
        new RegExp(`got label ${label} for sample 1 of the batch, need an integer from 0 to 3$`),
      );
    }
  }
  for (const label of [2, -1, NaN]) {
    assert.throws(
      () => findForgotten([1, 0, 0, 1], [0, 1, 0, 1], [0, label]),
      new RegExp(`got label ${label} for sample 1, need an integer from 0 to 1$`),
    );
  }
  assert.throws(() => findForgotten([1, 0, 0], [0, 1, 0], [0, 1]), RangeError);
  // neither is larger than the other
  for (const score of [NaN, Infinity]) {
    assert.throws(
      () => findForgotten([1, 0, 0, 1], [0, 1, 0, score], [0, 1]),
      new RegExp(`got score ${score} of sample 1, need finite numbers$`),
    );
  }
  assert.throws(() => findForgotten([1, 0, 0, 1], [0, 1], [0, 1]), RangeError);
});
