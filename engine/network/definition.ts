/**
 * Network definitions: functions from images to logits, written over named layers.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { DataError } from "../errors.ts";
import { describeShape } from "../options.ts";
import { averagePool, gelu, globalAverage, maxPool, relu, tanh } from "../operations/activation.ts";
import { checkCall } from "../operations/arguments.ts";
import type { Padding, PerAxis } from "../operations/convolution_geometry.ts";
import {
  type Activations,
  type FeatureMaps,
  type Features,
  toActivations,
  toTensor,
} from "../operations/features.ts";

export { averagePool, gelu, globalAverage, maxPool, relu, tanh };
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

/** Options of a frozen batch norm. */
export interface BatchNormOptions {
  /** Number added to the variances. Default 1e-5, PyTorch's. */
  readonly epsilon?: number;
}

/** Operations without parameters; each is also exported as a function of its own. */
export interface Operations {
  /** Applies {@linkcode relu}. */
  relu<T extends Activations>(x: T): T;
  /** Applies {@linkcode tanh}. */
  tanh<T extends Activations>(x: T): T;
  /** Applies {@linkcode gelu}. */
  gelu<T extends Activations>(x: T): T;
  /** Applies {@linkcode maxPool}, `[N, H, W, C]` to `[N, H / size, W / size, C]`. */
  maxPool(x: FeatureMaps, size: number): FeatureMaps;
  /** Applies {@linkcode averagePool}, `[N, H, W, C]` to `[N, H / size, W / size, C]`. */
  averagePool(x: FeatureMaps, size: number): FeatureMaps;
  /** Applies {@linkcode globalAverage}, `[N, H, W, C]` to `[N, C]`. */
  globalAverage(x: FeatureMaps): Features;
  /** Applies {@linkcode add}. */
  add<T extends Features | FeatureMaps>(x: T, y: T): T;
  /** Applies {@linkcode flatten}, `[N, H, W, C]` to `[N, C * H * W]`. */
  flatten(x: FeatureMaps): Features;
}

/**
 * Layers with parameters and every operation, which a definition's `forward` is given, so that a file with a network needs no import at run
 * time. A layer's name is a prefix in PyTorch's `state_dict` and may be used once: a layer must not be applied twice, and samples must not
 * act on one another.
 *
 * Arguments and options are checked when the layer is called: a `LayerError` names what is unknown, not supported or out of range.
 */
export interface Layers extends Operations {
  /** Number of classes, for the width of the last layer. */
  readonly classes: number;
  /** Applies a convolution, `[N, H, W, I]` to `[N, H', W', filters]`. */
  convolution(name: string, x: FeatureMaps, options: ConvolutionOptions): FeatureMaps;
  /** Applies a dense layer, `[N, I]` to `[N, units]`; loaded weights determine `units` themselves. */
  dense(name: string, x: Features, units: number, options?: DenseOptions): Features;
  /**
   * Computes `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`, channel by channel, `[N, H, W, C]` to the same shape.
   *
   * The layer is frozen: since it uses running statistics, samples do not act on one another; none of its tensors is trained, and it has no
   * part in a signed projection. A new one only divides by `sqrt(1 + epsilon)`.
   */
  batchNorm(name: string, x: FeatureMaps, options?: BatchNormOptions): FeatureMaps;
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
  /**
   * Maps images `[N, H, W, C]` to logits `[N, classes]`. Called once to build the parameters and once for every pass; it must use the same
   * layers each time.
   */
  forward(layers: Layers, images: FeatureMaps): Features;
}

/**
 * Adds two branches of one shape, such as a residual block and its shortcut.
 *
 * @throws {DataError} if their shapes differ.
 */
export function add<T extends Features | FeatureMaps>(x: T, y: T): T {
  checkCall("add", arguments);
  if (x.shape.join() !== y.shape.join()) {
    const isOneBatch = x.shape[0] === y.shape[0];
    const [first, second] = [x, y].map(({ shape }) =>
      isOneBatch ? describeShape(shape) : `[${shape.join(", ")}]`
    );
    throw new DataError(`Cannot add: got ${first} and ${second}, need branches of one shape`);
  }
  return toActivations(tf.add(toTensor(x), toTensor(y)));
}

/** Flattens feature maps `[N, H, W, C]` to `[N, C * H * W]`, channels first, as PyTorch does. */
export function flatten(x: FeatureMaps): Features {
  checkCall("flatten", arguments);
  const [n, height, width, channels] = x.shape;
  const images = toTensor(x);
  const channelsFirst = channels === 1 ? images : tf.transpose(images, [0, 3, 1, 2]);
  return toActivations(tf.reshape(channelsFirst, [n, channels * height * width]));
}

/** Every operation without parameters, by name. */
export const operations: Operations = {
  add,
  averagePool,
  flatten,
  gelu,
  globalAverage,
  maxPool,
  relu,
  tanh,
};
