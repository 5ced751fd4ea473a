/**
 * Convolutions and dense layers as operations of TensorFlow.js whose forward pass and gradients are our kernels.
 *
 * TensorFlow.js's own filter gradient runs one thread per weight over the whole batch. Operations of our own leave its kernels as they are,
 * and are differentiated like any other.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import {
  type ConvolutionAttributes,
  type ConvolutionGeometry,
  countConvolutionFlops,
  inferConvolutionGeometry,
  LOOP_STEPS,
} from "./convolution_geometry.ts";
import {
  countFilterSteps,
  countFilterTiles,
  groupChannels,
  planConvolutionLaunch,
  planFilterGradientLaunch,
} from "./convolution_launch.ts";
import { type FilterPart, splitInputGradient } from "./input_gradient_parts.ts";
import { Tensorflow } from "./tensorflow.ts";

/** Invocations that a filter gradient is split into: enough to occupy a large GPU, few enough that the partial sums stay small. */
const FILTER_GRADIENT_THREADS = 4096;

const FORWARD = "LpntkConvolution";
const INPUT_GRADIENT = "LpntkConvolutionInputGradient";
const FILTER_GRADIENT = "LpntkConvolutionFilterGradient";

/**
 * `x` convolved with `filter`, plus `bias`.
 *
 * @param x `[N, H, W, I]`
 * @param filter `[kernel height, kernel width, I / groups, O]`
 * @param bias `[O]`
 * @returns `[N, H', W', O]`
 */
export function convolve(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor1D | undefined,
  attributes: ConvolutionAttributes,
): tf.Tensor4D {
  return apply(x, filter, bias, attributes);
}

/**
 * `x` times `weight`, plus `bias`: a dense layer, computed as a convolution of images of one pixel.
 *
 * @param x `[N, I]`
 * @param weight `[I, O]`
 * @param bias `[O]`
 * @returns `[N, O]`
 */
export function applyDense(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  bias: tf.Tensor1D | undefined,
): tf.Tensor2D {
  return apply(x, weight, bias, {});
}

function apply<T extends tf.Tensor>(
  x: T,
  filter: T,
  bias: tf.Tensor1D | undefined,
  attributes: ConvolutionAttributes,
): T {
  const inputs: tf.NamedTensorMap = bias ? { x, filter, bias } : { x, filter };
  const named = { ...nameAttributes(attributes), hasBias: bias !== undefined };
  return tf.engine().runKernel(FORWARD, inputs, named);
}

/** The attributes as TensorFlow.js keeps them with a kernel's call. */
function nameAttributes(attributes: ConvolutionAttributes): tf.NamedAttrMap {
  const { stride, pad, dilation, groups } = attributes;
  return { stride, pad, dilation, groups } as unknown as tf.NamedAttrMap;
}

/**
 * The gradient of `sum(dy * convolve(x, filter, ...))` with respect to `x`.
 *
 * @param dy `[N, H', W', O]`, or for a dense layer `[N, O]`
 * @param filter `[kernel height, kernel width, I / groups, O]`, or `[I, O]`
 * @param inShape shape of `x`, and of the result
 */
export function differentiateInput(
  dy: tf.Tensor,
  filter: tf.Tensor,
  inShape: number[],
  attributes: ConvolutionAttributes,
): tf.Tensor {
  const named = { ...nameAttributes(attributes), inShape };
  return tf.engine().runKernel(INPUT_GRADIENT, { dy, filter }, named);
}

/**
 * The gradients of `sum(dy * convolve(x, filter, bias, ...))` with respect to `filter` and `bias`, summed over the batch in one pass.
 *
 * @param x `[N, H, W, I]`, or for a dense layer `[N, I]`
 * @param dy `[N, H', W', O]`, or `[N, O]`
 */
export function differentiateParameters(
  x: tf.Tensor,
  dy: tf.Tensor,
  filterShape: number[],
  attributes: ConvolutionAttributes,
): { filter: tf.Tensor; bias: tf.Tensor } {
  const [filter, bias] = tf.engine().runKernel<tf.Tensor[]>(
    FILTER_GRADIENT,
    { x, dy },
    { ...nameAttributes(attributes), filterShape },
  );
  return { filter, bias };
}

type Inputs = Record<"x" | "filter" | "bias" | "dy", tf.TensorInfo>;
type Attributes = ConvolutionAttributes & { inShape: number[]; filterShape: number[] };

function register(
  kernelName: string,
  compute: (inputs: Inputs, attributes: Attributes) => tf.TensorInfo | tf.TensorInfo[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs, attrs }) =>
      compute(inputs as unknown as Inputs, attrs as unknown as Attributes),
  });
}

/** Infers the sizes of a convolution, or of a dense layer as a convolution of one pixel. */
function inferLayerGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  attributes: ConvolutionAttributes,
): ConvolutionGeometry {
  if (inShape.length === 4) return inferConvolutionGeometry(inShape, filterShape, attributes);
  const [samples, inputs] = inShape;
  return inferConvolutionGeometry([samples, 1, 1, inputs], [1, 1, ...filterShape], attributes);
}

/** Launches `pack_filter`; with a `part` for that part of the filter, rotated and transposed. The caller releases the tensor. */
function packFilter(
  tensorflow: Tensorflow,
  filter: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  geometry: ConvolutionGeometry,
  part?: FilterPart,
): tf.TensorInfo {
  const { kernel_height, kernel_width, out_channels } = geometry;
  const { groups, filter_channels, isDepthwise } = groupChannels(geometry);
  const channels = [filter_channels, out_channels / groups];
  // each channel of a depthwise convolution is its own input and output
  const isTransposed = part !== undefined && !isDepthwise;
  const [inner, outer] = isTransposed ? channels.toReversed() : channels;
  const taken = part ?? {
    rows: kernel_height,
    columns: kernel_width,
    row_step: 1,
    column_step: 1,
    first_row: 0,
    first_column: 0,
  };
  const shape = [taken.rows * taken.columns * inner + 1, groups * 8 * Math.ceil(outer / 8)];
  const packed = tensorflow.unmeasured(() => tensorflow.allocate(shape));
  tensorflow.launch(
    kernels.pack_filter,
    {
      kernel_height,
      kernel_width,
      filter_channels,
      out_channels,
      groups,
      ...taken,
      has_bias: bias ? 1 : 0,
      rotated: part ? 1 : 0,
      transposed: isTransposed ? 1 : 0,
    },
    { filters: filter, bias: bias ?? filter, packed },
    Math.ceil(shape[0] * shape[1] / 8 / 64),
  );
  return packed;
}

register(FORWARD, ({ x, filter, bias }, attributes) => {
  const tensorflow = Tensorflow.current;
  const geometry = inferLayerGeometry(x.shape, filter.shape, attributes);
  const [samples] = x.shape;
  const { out_height, out_width, out_channels } = geometry;
  // filters without a bias are read unpacked where the channels of a group are a multiple of 8
  const isPacked = bias !== undefined || out_channels / groupChannels(geometry).groups % 8 !== 0;
  const filters = isPacked
    ? packFilter(tensorflow, filter, bias, geometry)
    : tensorflow.share(filter);
  const y = tensorflow.allocate(
    x.shape.length === 4 ? [samples, out_height, out_width, out_channels] : [samples, out_channels],
  );
  const { kernel, params, workgroups } = planConvolutionLaunch({
    sample_count: samples,
    ...geometry,
    step_y: 1,
    step_x: 1,
    first_row: 0,
    first_column: 0,
    has_bias: isPacked ? 1 : 0,
  });
  const flops = samples * countConvolutionFlops(geometry);
  tensorflow.launch(kernel, params, { inputs: x, filters, outputs: y }, workgroups, flops);
  tensorflow.release(filters);
  return y;
});

register(INPUT_GRADIENT, ({ dy, filter }, attributes) => {
  const tensorflow = Tensorflow.current;
  const { inShape } = attributes;
  const geometry = inferLayerGeometry(inShape, filter.shape, attributes);
  const [samples] = inShape;
  const dx = tensorflow.allocate(inShape);
  for (const { filter: part, ...origin } of splitInputGradient(geometry)) {
    const filters = packFilter(tensorflow, filter, undefined, geometry, part);
    const { kernel, params, workgroups } = planConvolutionLaunch({
      sample_count: samples,
      in_height: geometry.out_height,
      in_width: geometry.out_width,
      in_channels: geometry.out_channels,
      out_height: geometry.in_height,
      out_width: geometry.in_width,
      out_channels: geometry.in_channels,
      groups: geometry.groups,
      kernel_height: part.rows,
      kernel_width: part.columns,
      stride_y: 1,
      stride_x: 1,
      has_bias: 1,
      ...origin,
    });
    // every part of the filter takes its share
    const share = part.rows * part.columns / (geometry.kernel_height * geometry.kernel_width);
    const flops = share * samples * countConvolutionFlops(geometry);
    tensorflow.launch(kernel, params, { inputs: dy, filters, outputs: dx }, workgroups, flops);
    tensorflow.release(filters);
  }
  return dx;
});

/** Gradients of filter and bias: sums over each group of samples, then over the groups. */
register(FILTER_GRADIENT, ({ x, dy }, attributes) => {
  const tensorflow = Tensorflow.current;
  const { filterShape } = attributes;
  const geometry = inferLayerGeometry(x.shape, filterShape, attributes);
  const [samples] = x.shape;
  const { out_height, out_width, out_channels, stride_x } = geometry;
  const filterSize = tf.util.sizeFromShape(filterShape);
  const groupSamples = Math.min(
    Math.ceil(samples * countFilterTiles(geometry) / FILTER_GRADIENT_THREADS),
    Math.floor(LOOP_STEPS / countFilterSteps(out_height, out_width, stride_x)),
  );
  const group_count = Math.ceil(samples / groupSamples);
  const group_size = filterSize + out_channels;
  const groups = tensorflow.allocate([group_count, group_size]);
  const { kernel, params, workgroups } = planFilterGradientLaunch({
    sample_count: samples,
    group_count,
    group_samples: groupSamples,
    first_group: 0,
    ...geometry,
    first: 0,
    end: group_size,
    panel_stride: 64 * group_size,
    group_stride: group_size,
    element_stride: 1,
    offset: 0,
  });
  const flops = samples * countConvolutionFlops(geometry);
  tensorflow.launch(
    kernel,
    params,
    { inputs: x, deltas: dy, gradients: groups },
    workgroups,
    flops,
  );
  const sum = (shape: number[], first: number, count: number) => {
    const sums = tensorflow.allocate(shape);
    tensorflow.launch(
      kernels.sum_groups,
      { group_count, group_size, first, count },
      { groups, sums },
      Math.ceil(count / 64),
    );
    return sums;
  };
  const gradients = [
    sum(filterShape, 0, filterSize),
    sum([out_channels], filterSize, out_channels),
  ];
  tensorflow.release(groups);
  return gradients;
});

tf.registerGradient({
  kernelName: FORWARD,
  inputsToSave: ["x", "filter"],
  gradFunc: (gradient, [x, filter], named) => {
    const dy = gradient as tf.Tensor;
    const attributes = named as unknown as ConvolutionAttributes & { hasBias: boolean };
    const differentiate = () => differentiateParameters(x, dy, filter.shape, attributes);
    // One launch gives both gradients, but TensorFlow.js asks for each in a scope of its own: the bias's is kept outside of them.
    let kept: tf.Tensor | undefined;
    return {
      x: () => differentiateInput(dy, filter, x.shape, attributes),
      filter: () => {
        const gradients = differentiate();
        if (attributes.hasBias) kept = tf.keep(gradients.bias);
        return gradients.filter;
      },
      bias: () => {
        if (!kept) return differentiate().bias;
        const own = tf.clone(kept);
        kept.dispose();
        return own;
      },
    };
  },
});
