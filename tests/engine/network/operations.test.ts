/** The kernel of a network of many operations without parameters, with attention among them, against float64. @module */
import { lpntk } from "../../../engine/reference/kernels.ts";
import {
  combine,
  concat,
  matmul,
  mean,
  normalise,
  softmax,
} from "../../../engine/reference/arrays.ts";
import { computeJacobian } from "../../../engine/reference/network.ts";
import { assertClose } from "../../../engine/reference/numbers.ts";
import { pointwiseForward, pointwiseGradient } from "../../../engine/reference/pointwise.ts";
import { poolForward, poolGradient } from "../../../engine/reference/pooling.ts";
import type { Step } from "../../../engine/reference/steps.ts";
import { permute, type Tensor } from "../../../engine/reference/tensor.ts";
import { kernelOf, testEngine } from "../open_engine.ts";
import { drawImages, drawWeights, type TinyNetwork, toNumbers } from "./tiny_networks.ts";

/** A step whose gradient is taken by differences of sixth order. */
function differentiated(forward: (x: Tensor) => Tensor): Step {
  const [h, weights] = [2 ** -7, [[1, 3 / 4], [2, -3 / 20], [3, 1 / 60]]];
  return {
    parameters: [],
    forward,
    backward(x, dy) {
      const data = x.data.map((value, i) => {
        const evaluate = (step: number) =>
          forward({ shape: x.shape, data: x.data.with(i, value + step) }).data
            .reduce((sum, y, k) => sum + y * dy.data[k], 0);
        return weights.reduce(
          (sum, [k, weight]) => sum + weight * (evaluate(k * h) - evaluate(-k * h)) / h,
          0,
        );
      });
      return { dx: { shape: x.shape, data }, gradients: [] };
    },
  };
}

/** What is computed of the second convolution's outputs `[1, 4, 3, 4]`, as in the definition below. */
function attend(x: Tensor): Tensor {
  const gated = combine(x, softmax(x, 3), (a, b) => a * b);
  const centred = normalise(gated, [1, 2], 0.01);
  const joined = concat([centred, pointwiseForward("sigmoid", x)], 3);
  const tokens = { shape: [1, 12, 8], data: joined.data };
  const scores = matmul(tokens, permute(tokens, [0, 2, 1]));
  const attention = softmax({ ...scores, data: scores.data.map((value) => value / 3) }, 2);
  const mixed = matmul(attention, tokens);
  return { shape: [1, 8], data: mean(mixed, [1]).data };
}

const pooling = { kind: "maximum", size: [3, 3], stride: [2, 2], pad: [1, 1, 1, 1] } as const;

const network: TinyNetwork = {
  definition: {
    name: "attention",
    forward(layers, images) {
      const first = layers.convolution("conv1", images, { filters: 3, size: 3, pad: 1 });
      const pooled = layers.maxPool(layers.silu(first), 3, { stride: 2, pad: 1 });
      const x = layers.convolution("conv2", pooled, { filters: 4, size: 1 });
      const gated = layers.multiply(x, layers.softmax(x));
      const centred = layers.normalise(gated, [1, 2], { epsilon: 0.01 });
      const joined = layers.concat([centred, layers.sigmoid(x)], -1);
      const tokens = layers.reshape(joined, [12, 8]);
      const scores = layers.matmul(tokens, layers.transpose(tokens, [2, 1]));
      const mixed = layers.matmul(layers.softmax(layers.divide(scores, 3)), tokens);
      const features = layers.reshape(layers.mean(mixed, [1]), [8]);
      return layers.dense("fc", features, layers.classes);
    },
  },
  inputShape: [7, 6, 2],
  classes: 3,
  shapes: {
    "conv1.weight": [3, 2, 3, 3],
    "conv1.bias": [3],
    "conv2.weight": [4, 3, 1, 1],
    "conv2.bias": [4],
    "fc.weight": [3, 8],
    "fc.bias": [3],
  },
  twin: [
    { kind: "conv", name: "conv1", stride: 1, pad: 1 },
    {
      kind: "step",
      step: {
        parameters: [],
        forward: (x) => pointwiseForward("silu", x),
        backward: (x, dy) => ({ dx: pointwiseGradient("silu", x, dy), gradients: [] }),
      },
    },
    {
      kind: "step",
      step: {
        parameters: [],
        forward: (x) => poolForward(x, pooling),
        backward: (x, dy) => ({ dx: poolGradient(x, dy, pooling), gradients: [] }),
      },
    },
    { kind: "conv", name: "conv2", stride: 1, pad: 0 },
    { kind: "step", step: differentiated(attend) },
    { kind: "dense", name: "fc" },
  ],
};

testEngine("the kernel of a network with attention is that of its float64 twin", async (engine) => {
  const weights = drawWeights(network, 5);
  const data = drawImages(network, 6, 251);
  using built = engine.network(network.definition, weights, network.inputShape);
  const jacobian = computeJacobian(network.twin, weights, toNumbers(data));
  const expected = lpntk(jacobian, data.labels, jacobian, data.labels).data;
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  assertClose(await kernelOf(engine, built, data), expected, () => 1e-5 * largest, "lpNTK");
});
