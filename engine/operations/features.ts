/**
 * Activations that pass from layer to layer: tensors of TensorFlow.js, which a network's definition hands on and never reads.
 *
 * @module
 */
import type * as tf from "npm:@tensorflow/tfjs-core@4.22.0";

declare const OPAQUE: unique symbol;

/**
 * A layer's activations for a batch of samples, float32 on the device. They come from the arguments of `forward` and from layers alone, live
 * until the pass ends, and show nothing but their shape.
 */
export interface Activations {
  /** Sizes of every axis; the first is the number of samples in the batch. */
  readonly shape: readonly number[];
  /** @ignore Sets them apart from whatever else has a shape. */
  readonly [OPAQUE]: true;
}

/** Activations at every position of an image, `[N, H, W, C]`: the images themselves, and outputs of convolutions and pooling. */
export interface FeatureMaps extends Activations {
  /** Sizes `[N, H, W, C]`. */
  readonly shape: readonly [samples: number, height: number, width: number, channels: number];
}

/** Activations without positions, `[N, D]`: inputs and outputs of dense layers, logits among them. */
export interface Features extends Activations {
  /** Sizes `[N, D]`. */
  readonly shape: readonly [samples: number, features: number];
}

/** Returns the tensor that activations are. */
export function toTensor(x: FeatureMaps): tf.Tensor4D;
export function toTensor(x: Features): tf.Tensor2D;
export function toTensor(x: Activations): tf.Tensor;
export function toTensor(x: Activations): tf.Tensor {
  return x as unknown as tf.Tensor;
}

/** Returns the activations that a tensor holds. */
export function toActivations<T extends Activations>(tensor: tf.Tensor): T {
  return tensor as unknown as T;
}
