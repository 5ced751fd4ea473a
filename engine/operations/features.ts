/**
 * What flows from layer to layer in a forward pass: tensors of TensorFlow.js, which a network's definition hands on and never opens.
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
  /** Samples of the batch first. */
  readonly shape: readonly number[];
  /** @ignore Sets them apart from whatever else has a shape. */
  readonly [OPAQUE]: true;
}

/** Activations with a place in an image, `[N, H, W, C]`: the images themselves, and what convolutions and poolings make of them. */
export interface FeatureMaps extends Activations {
  /** `[N, H, W, C]` */
  readonly shape: readonly [samples: number, height: number, width: number, channels: number];
}

/** Activations without one, `[N, D]`: what dense layers take and give, logits among them. */
export interface Features extends Activations {
  /** `[N, D]` */
  readonly shape: readonly [samples: number, features: number];
}

/** The tensor that activations are. */
export function toTensor(x: FeatureMaps): tf.Tensor4D;
export function toTensor(x: Features): tf.Tensor2D;
export function toTensor(x: Activations): tf.Tensor;
export function toTensor(x: Activations): tf.Tensor {
  return x as unknown as tf.Tensor;
}

/** A tensor as the activations that it is. */
export function toActivations<T extends Activations>(tensor: tf.Tensor): T {
  return tensor as unknown as T;
}
