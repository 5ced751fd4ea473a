/**
 * What a network is: a function from images to logits, written over named layers.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";

export { maxPool, relu } from "./activation.ts";

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

/**
 * The parametric layers, as a definition's `forward` sees them. A name is a prefix in PyTorch's `state_dict` and may be used once: samples
 * must not share a layer's parameters over several places, and must not act on one another.
 */
export interface Layers {
  /** Number of classes, for the width of the last layer. */
  readonly classes: number;
  /** `[N, H, W, I]` to `[N, H', W', O]`. */
  convolution(name: string, x: tf.Tensor4D, options: ConvolutionOptions): tf.Tensor4D;
  /** `[N, I]` to `[N, units]`; loaded weights say `units` themselves. */
  dense(name: string, x: tf.Tensor2D, units: number): tf.Tensor2D;
}

/** A network without its parameters. */
export interface NetworkDefinition {
  readonly name: string;
  /** Images `[N, H, W, C]` to logits `[N, classes]`. */
  forward(layers: Layers, images: tf.Tensor4D): tf.Tensor2D;
}

/** `[N, H, W, C]` to `[N, C * H * W]`, in PyTorch's order. */
export function flatten(x: tf.Tensor4D): tf.Tensor2D {
  const [n, height, width, channels] = x.shape;
  const channelsFirst = channels === 1 ? x : tf.transpose(x, [0, 3, 1, 2]);
  return tf.reshape(channelsFirst, [n, channels * height * width]);
}
