/** Tanh and gelu, forward and backward, against their float64 twins over all magnitudes. @module */
import assert from "node:assert/strict";
import type { Dataset } from "../../../engine/data/dataset.ts";
import type { Engine } from "../../../engine/engine.ts";
import { kernels } from "../../../shaders/kernel_table.ts";
import { planElementwiseLaunch } from "../../../engine/operations/elementwise.ts";
import { flatten, gelu, tanh } from "../../../engine/network/definition.ts";
import type { Weights } from "../../../engine/network/parameters.ts";
import { lpntk } from "../../../engine/reference/kernels.ts";
import {
  geluForward,
  geluGradient,
  normalBelow,
  normalDensity,
  tanhForward,
  tanhGradient,
} from "../../../engine/reference/pointwise.ts";
import { computeJacobian } from "../../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { sizeOf } from "../../../engine/reference/tensor.ts";
import { assertOutput, drawNumbers, type Floats, launchTwice, testGpu } from "../gpu/open.ts";
import { kernelOf, testEngine } from "../open_engine.ts";
import { drawImages, drawWeights, type TinyNetwork, toNumbers } from "../network/tiny_networks.ts";

/** Largest error that is promised for both, relative to the exact value. */
const TOLERANCE = 1e-6;

/** Smallest magnitude that must not become 0: below it, the exponential that values are computed from is subnormal. */
const SMALLEST = 2 ** -123;

/**
 * Generates every magnitude from 1e-30 to 1e4 with both signs, and the neighbours of the points at which a kernel changes its method, `count` or a
 * few more.
 */
function sweep(count: number): Floats {
  const [exponents, near] = [drawNumbers(1, count), drawNumbers(2, count)];
  const corners = [0.625, 0.7517915, 2, 9, 13.2, 13.25, 43.6, 44].flatMap((x) =>
    [-4, -1, 0, 1, 4].map((ulps) => x * (1 + ulps * 2 ** -23))
  );
  return Float32Array.from([
    ...exponents.map((e, i) => (i % 2 ? 1 : -1) * 10 ** (17 * e - 13)),
    ...near.map((x) => 15 * x),
    ...corners.flatMap((x) => [x, -x]),
    0,
  ]);
}

const activations = [
  { name: "tanh", kernel: kernels.tanh, forward: tanhForward, gradient: tanhGradient },
  { name: "gelu", kernel: kernels.gelu, forward: geluForward, gradient: geluGradient },
] as const;

/** Sums the absolute values of the gradient's terms: gelu's cancel near -0.75. */
function measureTerms(name: string, x: number): number {
  if (name === "tanh") return 1 / Math.cosh(x) ** 2;
  const slope = Math.abs(normalBelow(x) + x * normalDensity(x));
  const isNearZero = Math.abs(x + 0.7517915) < 0.25;
  return isNearZero ? normalBelow(x) + Math.abs(x) * normalDensity(x) : slope;
}

for (const { name, kernel, forward, gradient } of activations) {
  // an invocation handles 4 elements, or 16 as four vec4f
  for (const extra of [0, 1]) {
    testGpu(
      `${name} and its gradient are off by 1e-6 of themselves at most: by ${
        extra ? "vec4s" : "scalars"
      }`,
      async (gpu) => {
        const all = sweep(20_000);
        const x = all.subarray(0, all.length - (all.length + extra + 3) % 4);
        assert.equal(x.length % 4 === 0, extra === 1);
        const shape = [x.length];
        const run = async (isGradient: number, deltas: Floats) => {
          const { kernel: shaped, count, workgroups } = planElementwiseLaunch(
            kernel.shape({ constants: { IS_GRADIENT: isGradient } }),
            x.length,
          );
          const contents = { inputs: x, deltas, outputs: { unfilled: x.length } };
          return (await launchTwice(gpu, shaped, { count }, contents, workgroups)).outputs;
        };
        const y = forward({ shape, data: x }).data;
        assertOutput(
          await run(0, x),
          y,
          (i) => TOLERANCE * Math.abs(y[i]) + SMALLEST,
          name,
        );
        const dy = drawNumbers(3, x.length);
        const dx = gradient({ shape, data: x }, { shape, data: dy }).data;
        assertOutput(
          await run(1, dy),
          dx,
          (i) => TOLERANCE * Math.abs(dy[i]) * measureTerms(name, x[i]) + SMALLEST,
          `gradient of ${name}`,
        );
      },
    );
  }

  testGpu(`${name}: a NaN stays one, and infinities come to what large numbers do`, async (gpu) => {
    const inputs = Float32Array.of(NaN, Infinity, -Infinity);
    const run = async (isGradient: number) => {
      const shaped = kernel.shape({ constants: { IS_GRADIENT: isGradient } });
      const contents = { inputs, deltas: Float32Array.of(1, 1, 1), outputs: { unfilled: 3 } };
      return [...(await launchTwice(gpu, shaped, { count: 3 }, contents, 1)).outputs.values];
    };
    const [value, slope] = [await run(0), await run(1)];
    assert.ok(Number.isNaN(value[0]) && Number.isNaN(slope[0]), `${value} ${slope}`);
    const high = name === "tanh" ? [1, -1, 0, 0] : [Infinity, 0, 1, 0];
    // adding 0 turns -0 into 0
    assert.deepEqual([...value.slice(1), ...slope.slice(1)].map((v) => v + 0), high);
  });
}

/** Defines a dense layer of 16, an activation and another dense layer, without biases, whose gradients would hide small ones. */
function between(kind: "tanh" | "gelu"): TinyNetwork {
  const activation = { tanh, gelu }[kind];
  return {
    definition: {
      name: kind,
      forward(layers, images) {
        const first = layers.dense("fc1", flatten(images), 16, { bias: false });
        return layers.dense("fc2", activation(first), layers.classes, { bias: false });
      },
    },
    inputShape: [4, 3, 1],
    classes: 3,
    shapes: { "fc1.weight": [16, 12], "fc2.weight": [3, 16] },
    twin: [
      { kind: "flatten" },
      { kind: "dense", name: "fc1" },
      { kind },
      { kind: "dense", name: "fc2" },
    ],
  };
}

for (const kind of ["tanh", "gelu"] as const) {
  const network = between(kind);
  const check = async (
    engine: Engine,
    weights: Weights,
    pixels: Pick<Dataset, "mean" | "std">,
    layers: readonly string[],
    tolerance: number,
  ) => {
    const data = { ...drawImages(network, 8, 251), ...pixels };
    using built = engine.network(network.definition, weights, network.inputShape);
    const length = layers.reduce((sum, name) => sum + sizeOf(network.shapes[`${name}.weight`]), 0);
    const jacobian = computeJacobian(network.twin, weights, toNumbers(data))
      .map((logits) => logits.map((gradient) => gradient.subarray(0, length)));
    const expected = lpntk(jacobian, data.labels, jacobian, data.labels).data;
    const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const kernel = await kernelOf(engine, built, data, { layers });
    assertClose(kernel, expected, () => tolerance * largest, "lpNTK");
  };

  // TensorFlow.js's tanh of 1e-6 is off by 1%
  for (const scale of [1e-6, 1e-3, 1]) {
    testEngine(
      `dense layers around ${kind}: their kernel at inputs of ${scale}`,
      async (engine) => {
        await check(engine, drawWeights(network, 5), { mean: [0.5], std: [0.5 / scale] }, [
          "fc1",
          "fc2",
        ], 1e-6);
      },
    );
  }

  // 1 - y y and 1 + erf would keep only a few digits
  testEngine(
    `a dense layer under ${kind}: its kernel where all slopes are small`,
    async (engine) => {
      // inputs of one sign and weights of the other give sums from -8 to -5
      const weights = new Map(drawWeights(network, 5));
      const { shape, data } = weights.get("fc1.weight")!;
      weights.set("fc1.weight", { shape, data: data.map((value) => 0.25 + Math.abs(value) / 4) });
      const most = 8;
      // a slope changes by up to 8 times its value times the sum's error, and two slopes meet
      const tolerance = 2 * most * dotBound(12, most) + 1e-6;
      await check(engine, weights, { mean: [2], std: [1] }, ["fc1"], tolerance);
    },
  );
}
