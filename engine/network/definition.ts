/**
 * What a network is: a function from images to logits, written over named layers.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { DataError } from "../errors.ts";
import { describeShape } from "../options.ts";
import { averagePool, gelu, globalAverage, maxPool, relu, tanh } from "../operations/activation.ts";
import { checkCall } from "../operations/arguments.ts";
import {
  type Activations,
  type FeatureMaps,
  type Features,
  toActivations,
  toTensor,
} from "../operations/features.ts";

export { averagePool, gelu, globalAverage, maxPool, relu, tanh };
export type { Activations, FeatureMaps, Features };

/** A convolution over a square filter. */
export interface ConvolutionOptions {
  /** Output channels of a new network; loaded weights say themselves. */
  readonly filters: number;
  /** Height and width of the filter. */
  readonly size: number;
  /** Default 1. */
  readonly stride?: number;
  /** Rows and columns of zeros on every side, default 0. */
  readonly pad?: number;
  /** Default true. */
  readonly bias?: boolean;
}

/** A dense layer. */
export interface DenseOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/** A batch norm that is frozen. */
export interface BatchNormOptions {
  /** Added to the variances. Default 1e-5, PyTorch's. */
  readonly epsilon?: number;
}

/** Every operation without parameters; each is a function of its own too. */
export interface Operations {
  /** {@linkcode relu} */
  relu<T extends Activations>(x: T): T;
  /** {@linkcode tanh} */
  tanh<T extends Activations>(x: T): T;
  /** {@linkcode gelu} */
  gelu<T extends Activations>(x: T): T;
  /** {@linkcode maxPool}, `[N, H, W, C]` to `[N, H / size, W / size, C]`. */
  maxPool(x: FeatureMaps, size: number): FeatureMaps;
  /** {@linkcode averagePool}, `[N, H, W, C]` to `[N, H / size, W / size, C]`. */
  averagePool(x: FeatureMaps, size: number): FeatureMaps;
  /** {@linkcode globalAverage}, `[N, H, W, C]` to `[N, C]`. */
  globalAverage(x: FeatureMaps): Features;
  /** {@linkcode add} */
  add<T extends Features | FeatureMaps>(x: T, y: T): T;
  /** {@linkcode flatten}, `[N, H, W, C]` to `[N, C * H * W]`. */
  flatten(x: FeatureMaps): Features;
}

/**
 * What a definition's `forward` is given: the layers with parameters, and every operation, so that a file with a network needs no import at
 * run time. A name is a prefix in PyTorch's `state_dict` and may be used once: samples must not share a layer's parameters over several
 * places, and must not act on one another.
 *
 * Arguments and options are checked at once: a `LayerError` names what is unknown, not supported or out of range.
 */
export interface Layers extends Operations {
  /** Number of classes, for the width of the last layer. */
  readonly classes: number;
  /** `[N, H, W, I]` to `[N, H', W', O]`. */
  convolution(name: string, x: FeatureMaps, options: ConvolutionOptions): FeatureMaps;
  /** `[N, I]` to `[N, units]`; loaded weights say `units` themselves. */
  dense(name: string, x: Features, units: number, options?: DenseOptions): Features;
  /**
   * `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`, channel by channel, `[N, H, W, C]` to the same.
   *
   * Frozen: running statistics couple no samples, nothing of it is trained, and it has no part in a signed projection. A new one passes its
   * input on.
   */
  batchNorm(name: string, x: FeatureMaps, options?: BatchNormOptions): FeatureMaps;
  /**
   * In a training step numbers are set to 0 at random, a `share` of them, and the others divided by `1 - share`; everywhere else, and so in
   * kernels, `x` as it is.
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
  /** Name of the network, as errors and records of results have it. */
  readonly name: string;
  /**
   * Images `[N, H, W, C]` to logits `[N, classes]`. Called once to build the parameters and once for every pass; it must use the same layers
   * each time.
   */
  forward(layers: Layers, images: FeatureMaps): Features;
}

/**
 * The sum of two branches, such as a residual block and its shortcut.
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

/** `[N, H, W, C]` to `[N, C * H * W]`, in PyTorch's order. */
export function flatten(x: FeatureMaps): Features {
  checkCall("flatten", arguments);
  const [n, height, width, channels] = x.shape;
  const images = toTensor(x);
  const channelsFirst = channels === 1 ? images : tf.transpose(images, [0, 3, 1, 2]);
  return toActivations(tf.reshape(channelsFirst, [n, channels * height * width]));
}

/** Every operation without parameters, by its name. */
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
