/**
 * Convolution as an operation of TensorFlow.js whose forward pass and gradients are kernels of ours.
 *
 * TensorFlow.js's own filter gradient runs one thread a weight over the whole batch; registering our own operation leaves its kernels
 * as they are and takes part in its differentiation.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { DataError } from "../errors.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { Tensorflow } from "./tensorflow.ts";

/** Stride and zero padding, the same along both axes. */
export interface ConvolutionAttributes {
  readonly stride: number;
  readonly pad: number;
}

/** Sizes of one convolution over `[N, in_height, in_width, in_channels]`, by the names that the kernels use. */
export interface ConvolutionGeometry {
  readonly in_height: number;
  readonly in_width: number;
  readonly in_channels: number;
  readonly out_height: number;
  readonly out_width: number;
  readonly out_channels: number;
  readonly kernel_height: number;
  readonly kernel_width: number;
  readonly stride: number;
  readonly pad: number;
}

/**
 * Sizes of a convolution.
 *
 * @param inShape `[N, height, width, channels]`
 * @param filterShape `[kernel height, kernel width, in channels, out channels]`
 * @throws {DataError} if the image is smaller than the filter.
 */
export function measureConvolution(
  inShape: readonly number[],
  filterShape: readonly number[],
  { stride, pad }: ConvolutionAttributes,
): ConvolutionGeometry {
  const [, in_height, in_width, in_channels] = inShape;
  const [kernel_height, kernel_width, , out_channels] = filterShape;
  const out_height = Math.floor((in_height + 2 * pad - kernel_height) / stride) + 1;
  const out_width = Math.floor((in_width + 2 * pad - kernel_width) / stride) + 1;
  if (out_height < 1 || out_width < 1) {
    throw new DataError(
      `Cannot convolve: got ${in_height} x ${in_width} pixels padded by ${pad}, need at least the filter's ${kernel_height} x ${kernel_width}`,
    );
  }
  return {
    in_height,
    in_width,
    in_channels,
    out_height,
    out_width,
    out_channels,
    kernel_height,
    kernel_width,
    stride,
    pad,
  };
}

/** Threads that a filter gradient is split for: enough for a large GPU, few enough that the partial sums stay small. */
const FILTER_GRADIENT_THREADS = 8192;

const FORWARD = "LpntkConvolution";
const INPUT_GRADIENT = "LpntkConvolutionInputGradient";
const FILTER_GRADIENT = "LpntkConvolutionFilterGradient";

/**
 * `x` convolved with `filter`, plus `bias`.
 *
 * @param x `[N, H, W, I]`
 * @param filter `[kernel height, kernel width, I, O]`
 * @param bias `[O]`
 * @returns `[N, H', W', O]`
 */
export function convolve(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor1D | undefined,
  attributes: ConvolutionAttributes,
): tf.Tensor4D {
  const inputs: tf.NamedTensorMap = bias ? { x, filter, bias } : { x, filter };
  return tf.engine().runKernel(FORWARD, inputs, { ...attributes });
}

type Inputs = Record<"x" | "filter" | "bias" | "dy", tf.TensorInfo>;
type Attributes = ConvolutionAttributes & { inShape: number[]; filterShape: number[] };

function register(
  kernelName: string,
  compute: (inputs: Inputs, attributes: Attributes) => tf.TensorInfo,
): void {
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs, attrs }) =>
      compute(inputs as unknown as Inputs, attrs as unknown as Attributes),
  });
}

register(FORWARD, ({ x, filter, bias }, attributes) => {
  const tensorflow = Tensorflow.current;
  const geometry = measureConvolution(x.shape, filter.shape, attributes);
  const [samples] = x.shape;
  const { out_height, out_width, out_channels } = geometry;
  const y = tensorflow.allocate([samples, out_height, out_width, out_channels]);
  const invocations = samples * out_height * Math.ceil(out_width / 4) * Math.ceil(out_channels / 8);
  tensorflow.launch(
    kernels.convolution,
    { sample_count: samples, ...geometry, has_bias: bias ? 1 : 0 },
    { inputs: x, filters: filter, bias: bias ?? filter, outputs: y },
    Math.ceil(invocations / 64),
  );
  return y;
});

register(INPUT_GRADIENT, ({ dy, filter }, attributes) => {
  const tensorflow = Tensorflow.current;
  const { inShape } = attributes;
  const geometry = measureConvolution(inShape, filter.shape, attributes);
  const [samples] = inShape;
  const dx = tensorflow.allocate(inShape);
  const { in_height, in_width, in_channels } = geometry;
  const invocations = samples * in_height * Math.ceil(in_width / 4) * Math.ceil(in_channels / 4);
  tensorflow.launch(
    kernels.input_gradient,
    { sample_count: samples, ...geometry },
    { deltas: dy, filters: filter, gradients: dx },
    Math.ceil(invocations / 64),
  );
  return dx;
});

/** Sums of groups of samples, `[groups, inputs + 1, out_channels]`: the filter's gradient, then the bias's. */
register(FILTER_GRADIENT, ({ x, dy }, attributes) => {
  const tensorflow = Tensorflow.current;
  const geometry = measureConvolution(x.shape, attributes.filterShape, attributes);
  const [samples] = x.shape;
  const { kernel_height, kernel_width, in_channels, out_channels } = geometry;
  const tapCount = kernel_height * kernel_width * in_channels;
  const threads = Math.ceil((tapCount + 1) / 4) * Math.ceil(out_channels / 4);
  const groupSamples = Math.ceil(samples * threads / FILTER_GRADIENT_THREADS);
  const groups = Math.ceil(samples / groupSamples);
  const size = (tapCount + 1) * out_channels;
  const sums = tensorflow.allocate([groups, tapCount + 1, out_channels]);
  tensorflow.launch(
    kernels.filter_gradient,
    {
      sample_count: samples,
      group_count: groups,
      group_samples: groupSamples,
      first_group: 0,
      ...geometry,
      tap_count: tapCount,
      bias: 1,
      panel_stride: 64 * size,
      group_stride: size,
      number_stride: 1,
      offset: 0,
    },
    { inputs: x, deltas: dy, gradients: sums },
    Math.ceil(groups * threads / 64),
  );
  return sums;
});

tf.registerGradient({
  kernelName: FORWARD,
  inputsToSave: ["x", "filter"],
  gradFunc: (dy, [x, filter], attributes) => {
    const shared = { ...attributes, inShape: x.shape, filterShape: filter.shape };
    const gradient = dy as tf.Tensor4D;
    let sums: tf.Tensor2D | undefined;
    // filter and bias come from one launch, and only when one of them is asked for
    const packed = (): tf.Tensor2D =>
      sums ??= tf.sum(
        tf.engine().runKernel<tf.Tensor3D>(FILTER_GRADIENT, { x, dy: gradient }, shared),
        0,
      ) as tf.Tensor2D;
    const taps = filter.size / filter.shape[3]!;
    return {
      x: () => tf.engine().runKernel(INPUT_GRADIENT, { dy: gradient, filter }, shared),
      filter: () => tf.reshape(tf.slice(packed(), [0, 0], [taps, -1]), filter.shape),
      bias: () => tf.reshape(tf.slice(packed(), [taps, 0]), [-1]),
    };
  },
});
