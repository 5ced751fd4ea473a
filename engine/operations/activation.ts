/**
 * Activations and pooling. Average pooling is TensorFlow.js's own; the others are registered with TensorFlow.js and run our kernels.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { checkCall } from "./arguments.ts";
import { launchElementwise } from "./elementwise.ts";
import { type Activations, type FeatureMaps, toActivations, toTensor } from "./features.ts";
import { computeGelu, computeTanh } from "./smooth_activation.ts";
import { Tensorflow } from "./tensorflow.ts";

const RELU = "LpntkRelu";
const RELU_GRADIENT = "LpntkReluGradient";
const MAX_POOL = "LpntkMaxPool";
const MAX_POOL_GRADIENT = "LpntkMaxPoolGradient";

/** max(x, 0), element by element. */
export function relu<T extends Activations>(x: T): T {
  checkCall("relu", arguments);
  return toActivations(tf.engine().runKernel(RELU, { x: toTensor(x) }));
}

/**
 * The maximum over `size` x `size` windows that do not overlap; rows and columns left over at the edge are
 * ignored. The gradient goes to the first of several equal maxima, as in PyTorch.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, floor(H / size), floor(W / size), C]`
 * @throws {LayerError} if the image is smaller than a window.
 */
export function maxPool(x: FeatureMaps, size: number): FeatureMaps {
  checkCall("maxPool", arguments);
  checkPoolWindow("maxPool", x, size);
  return toActivations(tf.engine().runKernel(MAX_POOL, { x: toTensor(x) }, { size }));
}

/**
 * The mean over `size` x `size` windows that do not overlap; rows and columns left over at the edge are ignored.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, floor(H / size), floor(W / size), C]`
 * @throws {LayerError} if the image is smaller than a window.
 */
export function averagePool(x: FeatureMaps, size: number): FeatureMaps {
  checkCall("averagePool", arguments);
  checkPoolWindow("averagePool", x, size);
  return toActivations(tf.avgPool(toTensor(x), size, size, "valid"));
}

/** The hyperbolic tangent, element by element. Its relative error and that of its gradient are below 1e-6. */
export function tanh<T extends Activations>(x: T): T {
  checkCall("tanh", arguments);
  return toActivations(computeTanh(toTensor(x)));
}

/**
 * `x (1 + erf(x / sqrt 2)) / 2`, element by element, as PyTorch's default. Its relative error and that of its gradient are below 1e-6; only near
 * the gradient's zero at -0.7518 the error is relative to the absolute values of the gradient's two terms.
 */
export function gelu<T extends Activations>(x: T): T {
  checkCall("gelu", arguments);
  return toActivations(computeGelu(toTensor(x)));
}

/** Refuses windows that are larger than the image. */
function checkPoolWindow(
  operation: string,
  { shape: [, height, width] }: FeatureMaps,
  size: number,
): void {
  if (height >= size && width >= size) return;
  throw new LayerError(
    operation,
    "size",
    `Cannot use ${operation}: got size ${size} on ${height} x ${width} pixels, need at most ${
      Math.min(height, width)
    }; lower size`,
  );
}

type Inputs = Record<"x" | "y" | "dy", tf.TensorInfo>;

function register(
  kernelName: string,
  compute: (inputs: Inputs, size: number) => tf.TensorInfo,
): void {
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs, attrs }) => compute(inputs as unknown as Inputs, Number(attrs?.size)),
  });
}

register(RELU, ({ x }) => {
  const y = Tensorflow.current.allocate(x.shape);
  launchElementwise(kernels.relu, { inputs: x, outputs: y }, y);
  return y;
});

register(RELU_GRADIENT, ({ y, dy }) => {
  const dx = Tensorflow.current.allocate(y.shape);
  launchElementwise(kernels.relu_gradient, { outputs: y, deltas: dy, gradients: dx }, dx);
  return dx;
});

/** Plans the launches of max pooling and its gradient for inputs of a shape `[N, H, W, C]`; `shape` is that of the outputs. */
export function planPoolLaunches(
  [sample_count, in_height, in_width, channels]: number[],
  size: number,
) {
  const own = chooseChannels(channels, size);
  const row = size * own;
  // vec4s, where every row of a window begins and ends at one
  const isVec4 = row % 4 === 0 && in_width % size === 0 && in_width * channels % 4 === 0 &&
    (own === channels || (own % 4 === 0 && channels % 4 === 0));
  const constants = { SIZE: size, CHANNELS: own };
  const params = { sample_count, in_height, in_width, channels };
  const shape = [sample_count, Math.floor(in_height / size), Math.floor(in_width / size), channels];
  const windows = sample_count * Math.ceil(in_height / size) * Math.ceil(in_width / size);
  return {
    forward: {
      kernel: kernels.max_pool.shape({ constants, vec4s: isVec4 ? ["inputs"] : [] }),
      params,
      workgroups: Math.ceil(tf.util.sizeFromShape(shape) / own / 64),
    },
    gradient: {
      kernel: kernels.max_pool_gradient.shape({
        constants,
        vec4s: isVec4 ? ["inputs", "gradients"] : [],
      }),
      params,
      workgroups: Math.ceil(windows * channels / own / 64),
    },
    shape,
  };
}

/** Channels that an invocation computes, a divisor of all: so few that its part of a window's row, which the shader unrolls, stays short. */
function chooseChannels(channels: number, size: number): number {
  const most = Math.max(1, Math.min(8, Math.floor(64 / size)));
  return Array.from({ length: most }, (_, i) => most - i).find((n) => channels % n === 0)!;
}

register(MAX_POOL, ({ x }, size) => {
  const tensorflow = Tensorflow.current;
  const { shape, forward } = planPoolLaunches(x.shape, size);
  const y = tensorflow.allocate(shape);
  tensorflow.launch(forward.kernel, forward.params, { inputs: x, outputs: y }, forward.workgroups);
  return y;
});

register(MAX_POOL_GRADIENT, ({ x, dy }, size) => {
  const tensorflow = Tensorflow.current;
  const { kernel, params, workgroups } = planPoolLaunches(x.shape, size).gradient;
  const dx = tensorflow.allocate(x.shape);
  tensorflow.launch(kernel, params, { inputs: x, deltas: dy, gradients: dx }, workgroups);
  return dx;
});

tf.registerGradient({
  kernelName: RELU,
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({
    x: () => tf.engine().runKernel(RELU_GRADIENT, { y, dy: dy as tf.Tensor }),
  }),
});

tf.registerGradient({
  kernelName: MAX_POOL,
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attributes) => ({
    x: () => tf.engine().runKernel(MAX_POOL_GRADIENT, { x, dy: dy as tf.Tensor }, attributes),
  }),
});
