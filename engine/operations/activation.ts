/**
 * Activations and poolings. Average pooling is TensorFlow.js's own; the others are operations of it whose kernels are ours.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { checkCall } from "./arguments.ts";
import { launchElementwise } from "./elementwise.ts";
import { computeGelu, computeTanh } from "./smooth_activation.ts";
import { Tensorflow } from "./tensorflow.ts";

const RELU = "LpntkRelu";
const RELU_GRADIENT = "LpntkReluGradient";
const MAX_POOL = "LpntkMaxPool";
const MAX_POOL_GRADIENT = "LpntkMaxPoolGradient";

/** max(x, 0), element by element. */
export function relu<T extends tf.Tensor>(x: T): T {
  checkCall("relu", arguments);
  return tf.engine().runKernel(RELU, { x });
}

/**
 * The maximum over `size` x `size` windows that do not overlap; a remainder at the edge is left out. The gradient goes to the first of
 * several maxima, as PyTorch's does.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, H / size, W / size, C]`
 * @throws {DataError} if the image is smaller than a window.
 */
export function maxPool(x: tf.Tensor4D, size: number): tf.Tensor4D {
  checkCall("maxPool", arguments);
  checkWindow("maxPool", x, size);
  return tf.engine().runKernel(MAX_POOL, { x }, { size });
}

/**
 * The mean over `size` x `size` windows that do not overlap; a remainder at the edge is left out.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, H / size, W / size, C]`
 * @throws {DataError} if the image is smaller than a window.
 */
export function averagePool(x: tf.Tensor4D, size: number): tf.Tensor4D {
  checkCall("averagePool", arguments);
  checkWindow("averagePool", x, size);
  return tf.avgPool(x, size, size, "valid");
}

/** The mean over all pixels, `[N, H, W, C]` to `[N, C]`. */
export function globalAverage(x: tf.Tensor4D): tf.Tensor2D {
  checkCall("globalAverage", arguments);
  return tf.mean(x, [1, 2]);
}

/** The hyperbolic tangent, element by element, to 1e-6 of itself; so is its gradient. */
export function tanh<T extends tf.Tensor>(x: T): T {
  checkCall("tanh", arguments);
  return computeTanh(x);
}

/**
 * `x (1 + erf(x / sqrt 2)) / 2`, element by element: PyTorch's default, to 1e-6 of itself. So is its gradient, but near its zero at -0.7518,
 * where it is off by at most 1e-6 of its two terms' absolute values.
 */
export function gelu<T extends tf.Tensor>(x: T): T {
  checkCall("gelu", arguments);
  return computeGelu(x);
}

function checkWindow(
  operation: string,
  { shape: [, height, width] }: tf.Tensor4D,
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

/** The kernels of pooling, with what a launch of them takes for an input. */
export function layPools([sample_count, in_height, in_width, channels]: number[], size: number) {
  const own = chooseChannels(channels, size);
  const row = size * own;
  // rows of windows that are whole quads, and begin where one begins
  const isQuad = row % 4 === 0 && in_width % size === 0 && in_width * channels % 4 === 0 &&
    (own === channels || (own % 4 === 0 && channels % 4 === 0));
  const constants = { SIZE: size, CHANNELS: own };
  const params = { sample_count, in_height, in_width, channels };
  const shape = [sample_count, Math.floor(in_height / size), Math.floor(in_width / size), channels];
  const windows = sample_count * Math.ceil(in_height / size) * Math.ceil(in_width / size);
  return {
    forward: {
      kernel: kernels.max_pool.shape({ constants, quads: isQuad ? ["inputs"] : [] }),
      params,
      workgroups: Math.ceil(tf.util.sizeFromShape(shape) / own / 64),
    },
    gradient: {
      kernel: kernels.max_pool_gradient.shape({
        constants,
        quads: isQuad ? ["inputs", "gradients"] : [],
      }),
      params,
      workgroups: Math.ceil(windows * channels / own / 64),
    },
    shape,
  };
}

/** Channels that an invocation computes: what they have of a window's row is written out in its shader. */
function chooseChannels(channels: number, size: number): number {
  const most = Math.max(1, Math.min(8, Math.floor(64 / size)));
  return Array.from({ length: most }, (_, i) => most - i).find((n) => channels % n === 0)!;
}

register(MAX_POOL, ({ x }, size) => {
  const tensorflow = Tensorflow.current;
  const { shape, forward } = layPools(x.shape, size);
  const y = tensorflow.allocate(shape);
  tensorflow.launch(forward.kernel, forward.params, { inputs: x, outputs: y }, forward.workgroups);
  return y;
});

register(MAX_POOL_GRADIENT, ({ x, dy }, size) => {
  const tensorflow = Tensorflow.current;
  const { kernel, params, workgroups } = layPools(x.shape, size).gradient;
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
