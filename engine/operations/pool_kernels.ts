/**
 * Pooling as operations of TensorFlow.js that run our kernels: one for maxima over square windows that do not overlap, which is the fastest, and
 * one for all other windows.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { Tensorflow } from "./tensorflow.ts";

const MAX_POOL = "LpntkMaxPool";
const MAX_POOL_GRADIENT = "LpntkMaxPoolGradient";
const POOL = "LpntkPool";
const POOL_GRADIENT = "LpntkPoolGradient";

/** What is computed of a window, in the order in which `shaders/shared/windows.wgsl` numbers it. */
const KINDS = ["maximum", "mean", "paddedMean", "adaptive"] as const;

/** What is computed of a window; `adaptive` is the mean over windows that `outputs` alone determines. */
export type PoolKind = typeof KINDS[number];

/** Windows over the rows and columns of images. */
export interface Windows {
  /** Rows and columns of a window. */
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pad: readonly [top: number, right: number, bottom: number, left: number];
  /** Rows and columns of the output. */
  readonly outputs: readonly [number, number];
}

/** The maximum over `size` x `size` windows that do not overlap, `[N, H, W, C]` to `[N, floor(H / size), floor(W / size), C]`. */
export function maxPoolApart(x: tf.Tensor4D, size: number): tf.Tensor {
  return tf.engine().runKernel(MAX_POOL, { x }, { size });
}

/** Pools over windows, each of which must have a pixel, `[N, H, W, C]` to `[N, outputs[0], outputs[1], C]`. */
export function computePool(kind: PoolKind, x: tf.Tensor4D, windows: Windows): tf.Tensor {
  return tf.engine().runKernel(POOL, { x }, {
    kind,
    windows: windows as unknown as tf.NamedAttrMap,
  });
}

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

/** Plans the launches of pooling over any windows and of its gradient, for inputs of a shape `[N, H, W, C]`; `shape` is that of the outputs. */
export function planWindowLaunches(
  kind: PoolKind,
  [sample_count, in_height, in_width, channels]: number[],
  { size, stride, pad, outputs: [out_height, out_width] }: Windows,
) {
  const constants = { KIND: KINDS.indexOf(kind) };
  const shape = [sample_count, out_height, out_width, channels];
  return {
    forward: {
      kernel: kernels.pool.shape({ constants }),
      workgroups: Math.ceil(tf.util.sizeFromShape(shape) / 64),
    },
    gradient: {
      kernel: kernels.pool_gradient.shape({ constants }),
      workgroups: Math.ceil(sample_count * in_height * in_width * channels / 64),
    },
    params: {
      sample_count,
      in_height,
      in_width,
      out_height,
      out_width,
      channels,
      size_y: size[0],
      size_x: size[1],
      stride_y: stride[0],
      stride_x: stride[1],
      pad_top: pad[0],
      pad_left: pad[3],
      pad_bottom: pad[2],
      pad_right: pad[1],
    },
    shape,
  };
}

type Inputs = Record<"x" | "y" | "dy", tf.TensorInfo>;

function register<A>(
  kernelName: string,
  compute: (inputs: Inputs, attributes: A) => tf.TensorInfo,
): void {
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs, attrs }) => compute(inputs as unknown as Inputs, attrs as A),
  });
}

register<{ size: number }>(MAX_POOL, ({ x }, { size }) => {
  const tensorflow = Tensorflow.current;
  const { shape, forward } = planPoolLaunches(x.shape, size);
  const y = tensorflow.allocate(shape);
  tensorflow.launch(forward.kernel, forward.params, { inputs: x, outputs: y }, forward.workgroups);
  return y;
});

register<{ size: number }>(MAX_POOL_GRADIENT, ({ x, dy }, { size }) => {
  const tensorflow = Tensorflow.current;
  const { kernel, params, workgroups } = planPoolLaunches(x.shape, size).gradient;
  const dx = tensorflow.allocate(x.shape);
  tensorflow.launch(kernel, params, { inputs: x, deltas: dy, gradients: dx }, workgroups);
  return dx;
});

register<{ kind: PoolKind; windows: Windows }>(POOL, ({ x }, { kind, windows }) => {
  const tensorflow = Tensorflow.current;
  const { shape, params, forward } = planWindowLaunches(kind, x.shape, windows);
  const y = tensorflow.allocate(shape);
  tensorflow.launch(forward.kernel, params, { inputs: x, outputs: y }, forward.workgroups);
  return y;
});

register<{ kind: PoolKind; windows: Windows }>(POOL_GRADIENT, ({ x, y, dy }, { kind, windows }) => {
  const tensorflow = Tensorflow.current;
  const { params, gradient } = planWindowLaunches(kind, x.shape, windows);
  const dx = tensorflow.allocate(x.shape);
  const tensors = { inputs: x, outputs: y, deltas: dy, gradients: dx };
  tensorflow.launch(gradient.kernel, params, tensors, gradient.workgroups);
  return dx;
});

tf.registerGradient({
  kernelName: MAX_POOL,
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attributes) => ({
    x: () => tf.engine().runKernel(MAX_POOL_GRADIENT, { x, dy: dy as tf.Tensor }, attributes),
  }),
});

tf.registerGradient({
  kernelName: POOL,
  inputsToSave: ["x"],
  outputsToSave: [true],
  gradFunc: (dy, [x, y], attributes) => ({
    x: () => tf.engine().runKernel(POOL_GRADIENT, { x, y, dy: dy as tf.Tensor }, attributes),
  }),
});
