/** Pooling over windows of any size, stride and padding, forward and backward, against its float64 twin. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { toActivations, toTensor } from "../../../engine/operations/features.ts";
import type { FeatureMaps, PerAxis } from "../../../engine/network/definition.ts";
import {
  adaptiveAveragePool,
  averagePool,
  type AveragePoolOptions,
  maxPool,
} from "../../../engine/operations/pooling.ts";
import { assertClose } from "../../../engine/reference/numbers.ts";
import { poolForward, poolGradient, type Pooling } from "../../../engine/reference/pooling.ts";
import { sizeOf } from "../../../engine/reference/tensor.ts";
import { drawIntegers, drawNumbers } from "../gpu/open.ts";
import { testEngine } from "../open_engine.ts";

/** A unit round-off of float32. */
const UNIT = 2 ** -24;

/** Compares a pooling and its gradient, summed over windows of at most `terms` pixels, with the twin. */
async function check(
  shape: readonly number[],
  twin: Pooling,
  pool: (x: FeatureMaps) => FeatureMaps,
  terms: number,
): Promise<void> {
  // integers, so that maxima tie
  const x = { shape, data: drawIntegers(1, sizeOf(shape)) };
  const expected = poolForward(x, twin);
  const dy = { shape: expected.shape, data: drawNumbers(2, expected.data.length) };
  const [y, dx] = tf.tidy(() => {
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor) =>
      toTensor(pool(toActivations(x))) as tf.Tensor
    )(tf.tensor(x.data, [...shape]), tf.tensor(dy.data, [...dy.shape]));
    return [value, grad];
  });
  assert.deepEqual(y.shape, [...expected.shape]);
  const label = JSON.stringify([shape, twin]);
  const most = 3 * (terms + 4) * UNIT;
  assertClose(await y.data() as Float32Array, expected.data, () => most, label);
  const slope = poolGradient(x, dy, twin).data;
  assertClose(await dx.data() as Float32Array, slope, () => most, `gradient: ${label}`);
  tf.dispose([y, dx]);
}

const cases: [shape: number[], size: PerAxis, options: AveragePoolOptions][] = [
  [[2, 7, 8, 3], 3, { stride: 2 }],
  [[2, 7, 8, 3], 3, { stride: 2, pad: 1 }],
  [[1, 8, 7, 1], 3, { stride: 2, pad: 1, ceil: true }],
  [[2, 6, 6, 2], 2, { stride: 3, ceil: true }],
  [[2, 5, 9, 2], [2, 3], { stride: [1, 2], pad: [1, 0] }],
  [[1, 5, 6, 4], [4, 2], { stride: 3, pad: [3, 0, 1, 1], ceil: true }],
  [[3, 1, 1, 1], 1, { stride: 2 }],
  [[1, 1, 1, 5], 3, { stride: 1, pad: 1 }],
  [[2, 7, 7, 3], 2, {}],
  [[2, 7, 7, 3], 2, { ceil: true }],
  [[2, 8, 8, 3], [2, 4], { ceil: true }],
  [[1, 3, 3, 2], 2, { stride: 5 }],
];

for (const [shape, size, options] of cases) {
  testEngine(
    `pooling agrees with its twin: ${shape.join("x")}, ${JSON.stringify([size, options])}`,
    async () => {
      const pair = (value: PerAxis): [number, number] =>
        typeof value === "number" ? [value, value] : [...value];
      const { stride = size, pad = 0, ceil = false } = options;
      const sides = typeof pad === "number" || pad.length === 2
        ? [...pair(pad), ...pair(pad)] as const
        : pad;
      const own = { size: pair(size), stride: pair(stride), pad: sides, ceil };
      const terms = own.size[0] * own.size[1];
      await check(shape, { ...own, kind: "maximum" }, (x) => maxPool(x, size, options), terms);
      for (const countPad of [true, false]) {
        await check(
          shape,
          { ...own, kind: countPad ? "paddedMean" : "mean" },
          (x) => averagePool(x, size, { ...options, countPad }),
          terms,
        );
      }
    },
  );
}

const adaptive: [shape: number[], outputs: PerAxis][] = [
  [[2, 7, 5, 3], 3],
  [[2, 8, 8, 2], [4, 1]],
  [[1, 3, 2, 5], 7],
  [[2, 9, 11, 1], 1],
  [[1, 1, 1, 1], 1],
];

for (const [shape, outputs] of adaptive) {
  testEngine(
    `adaptive pooling agrees with its twin: ${shape.join("x")} to ${outputs}`,
    async () => {
      const pair: [number, number] = typeof outputs === "number"
        ? [outputs, outputs]
        : [...outputs] as [number, number];
      const twin: Pooling = { kind: "adaptive", outputs: pair };
      await check(shape, twin, (x) => adaptiveAveragePool(x, outputs), shape[1] * shape[2]);
    },
  );
}
