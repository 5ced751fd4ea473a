/**
 * Network definitions: functions from images to logits, written over named layers.
 *
 * @module
 */
import * as activation from "../operations/activation.ts";
import * as arithmetic from "../operations/arithmetic.ts";
import * as arrangement from "../operations/arrangement.ts";
import type { Padding, PerAxis } from "../operations/convolution_geometry.ts";
import * as elements from "../operations/elements.ts";
import type { Activations, FeatureMaps, Features } from "../operations/features.ts";
import * as pooling from "../operations/pooling.ts";
import * as reduction from "../operations/reduction.ts";
import type { NormaliseOptions } from "../operations/reduction.ts";

export * from "../operations/activation.ts";
export * from "../operations/arithmetic.ts";
export * from "../operations/arrangement.ts";
export * from "../operations/elements.ts";
export * from "../operations/pooling.ts";
export * from "../operations/reduction.ts";
export type { Activations, FeatureMaps, Features, Padding, PerAxis };

/** Options of a convolution. A pair of numbers is one for the rows and one for the columns; one number is for both. */
export interface ConvolutionOptions {
  /** Number of output channels of a new layer; loaded weights determine it themselves. */
  readonly filters: number;
  /** Height and width of the filters. */
  readonly size: PerAxis;
  /** Step between neighbouring output positions. Default 1. */
  readonly stride?: PerAxis;
  /** Rows and columns of zeros added on every side, or `[top, right, bottom, left]`. Default 0. */
  readonly pad?: Padding;
  /** Distance between neighbouring elements of a filter. Default 1. */
  readonly dilation?: PerAxis;
  /**
   * Number of groups that input channels and filters are divided into: a filter sees the channels of its own group alone. It divides both.
   * With as many groups as input channels the convolution is depthwise. Default 1.
   */
  readonly groups?: number;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/** Options of a dense layer. */
export interface DenseOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
}

/** Options of a parameter by itself. */
export interface ParameterOptions {
  /** Value of every element in a new network, or all values, row-major. Default 0. */
  readonly initial?: number | Float32Array;
}

/** Options of a batch norm. */
export interface BatchNormOptions {
  /** Number added to the variances. Default 1e-5, PyTorch's. */
  readonly epsilon?: number;
}

/** Operations without parameters, by name; each is also exported as a function of its own, which says what it computes. */
export type Operations =
  & typeof activation
  & typeof arithmetic
  & typeof arrangement
  & typeof elements
  & typeof pooling
  & typeof reduction;

/** Every operation without parameters. */
export const operations: Operations = {
  ...activation,
  ...arithmetic,
  ...arrangement,
  ...elements,
  ...pooling,
  ...reduction,
};

/**
 * Layers with parameters and every operation, which a definition's `forward` is given, so that a file with a network needs no import at run
 * time. A layer's name is a prefix in PyTorch's `state_dict`; where it is used several times, the weights are shared, and a kernel is that of
 * the sum of the uses' gradients. Samples must not act on one another.
 *
 * Arguments and options are checked when the layer is called: a `LayerError` names what is unknown, not supported or out of range.
 */
export interface Layers extends Operations {
  /** Number of classes, for the width of the last layer. */
  readonly classes: number;
  /** Applies a convolution, `[N, H, W, I]` to `[N, H', W', filters]`. */
  convolution(name: string, x: FeatureMaps, options: ConvolutionOptions): FeatureMaps;
  /**
   * Applies a dense layer over the last axis, `[N, I]` to `[N, units]` or `[N, T, I]` to `[N, T, units]`; loaded weights determine `units`
   * themselves.
   */
  dense<T extends Activations>(name: string, x: T, units: number, options?: DenseOptions): T;
  /**
   * Returns a tensor of parameters that is no matrix of weights, such as positions, a class token or a scale of channels: a copy for every
   * sample, `[N, ...shape]`. Loaded weights must have exactly this shape.
   */
  parameter(name: string, shape: readonly [number], options?: ParameterOptions): Features;
  /** Returns a parameter of the shape of feature maps. */
  parameter(
    name: string,
    shape: readonly [number, number, number],
    options?: ParameterOptions,
  ): FeatureMaps;
  /** Returns a parameter of any other shape. */
  parameter(name: string, shape: readonly number[], options?: ParameterOptions): Activations;
  /**
   * Returns a tensor that is no parameter, such as fixed positions or a mask: a copy for every sample, `[N, ...shape]`.
   *
   * @param values elements, row-major
   */
  constant(values: Float32Array, shape: readonly [number]): Features;
  /** Returns a constant of the shape of feature maps. */
  constant(values: Float32Array, shape: readonly [number, number, number]): FeatureMaps;
  /** Returns a constant of any other shape. */
  constant(values: Float32Array, shape: readonly number[]): Activations;
  /**
   * Computes `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`, channel by channel of the last axis, to the same shape.
   *
   * Its statistics are frozen, so that samples do not act on one another. Its weight and bias are parameters like any other, named
   * `NAME.weight` and `NAME.bias`: they are trained, and have their part in a signed projection. A new one only divides by
   * `sqrt(1 + epsilon)`.
   */
  batchNorm<T extends Activations>(name: string, x: T, options?: BatchNormOptions): T;
  /**
   * Normalises each vector over the last axis by its own mean and variance, then multiplies by a weight and adds a bias, `NAME.weight` and
   * `NAME.bias`, which have one number for each element.
   */
  layerNorm<T extends Activations>(name: string, x: T, options?: NormaliseOptions): T;
  /**
   * Normalises each sample's channels, the last axis, in equal `groups` of neighbours, over all positions; then multiplies each channel by a weight
   * and adds a bias, `NAME.weight` and `NAME.bias`.
   */
  groupNorm<T extends Activations>(
    name: string,
    x: T,
    groups: number,
    options?: NormaliseOptions,
  ): T;
  /**
   * Sets a `share` of the elements to 0 at random and divides the others by `1 - share`, in training steps alone; everywhere else, and so in
   * kernels, it returns `x`.
   */
  dropout<T extends Activations>(x: T, share: number): T;
}

/**
 * A network without its parameters.
 *
 * ```ts
 * import type { NetworkDefinition } from "lpntk";
 *
 * const mine: NetworkDefinition = {
 *   name: "mine",
 *   forward(layers, images) {
 *     const first = layers.relu(
 *       layers.convolution("conv1", images, { filters: 8, size: 3, stride: 2, pad: 1 }),
 *     );
 *     const second = layers.convolution("conv2", first, { filters: 8, size: 3, pad: 1, bias: false });
 *     const features = layers.globalAverage(layers.relu(layers.add(first, second)));
 *     return layers.dense("fc", features, layers.classes);
 *   },
 * };
 * ```
 */
export interface NetworkDefinition {
  /** Name of the network in errors and in records of results. */
  readonly name: string;
  /** Whether samples `[1, 1, C]` may be images of one pixel; a convolution refuses them as rows of a table otherwise. Default false. */
  readonly takesPixels?: boolean;
  /**
   * Maps images `[N, H, W, C]` to logits `[N, classes]`. Called once to build the parameters and once for every pass; it must use the same
   * layers each time.
   */
  forward(layers: Layers, images: FeatureMaps): Features;
}
