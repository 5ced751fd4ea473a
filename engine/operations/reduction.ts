/**
 * Means, sums and softmax over axes of each sample, and the normalisation that norms share.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { checkCall, findAxes } from "./arguments.ts";
import {
  type Activations,
  type FeatureMaps,
  type Features,
  toActivations,
  toTensor,
} from "./features.ts";
import { computePointwise } from "./pointwise.ts";

/** Options of a mean or sum. */
export interface ReductionOptions {
  /** Whether the axes are kept, with a size of 1. Default false. */
  readonly keep?: boolean;
}

/** Options of a normalisation. */
export interface NormaliseOptions {
  /** Number added to the variances. Default 1e-5, PyTorch's. */
  readonly epsilon?: number;
}

/** The mean over some axes of each sample: 1 is the first after the samples, -1 the last. */
export function mean(
  x: Activations,
  axes: readonly number[],
  options: ReductionOptions = {},
): Activations {
  checkCall("mean", arguments);
  const own = findAxes("mean", x, axes);
  return toActivations(tf.mean(toTensor(x), own, options.keep));
}

/** The sum over some axes of each sample, as in {@linkcode mean}. */
export function sum(
  x: Activations,
  axes: readonly number[],
  options: ReductionOptions = {},
): Activations {
  checkCall("sum", arguments);
  const own = findAxes("sum", x, axes);
  return toActivations(tf.sum(toTensor(x), own, options.keep));
}

/** The mean over all pixels, `[N, H, W, C]` to `[N, C]`. */
export function globalAverage(x: FeatureMaps): Features {
  checkCall("globalAverage", arguments);
  return toActivations(tf.mean(toTensor(x), [1, 2]));
}

/** `exp(x)` divided by its sum over an axis; default: the last. */
export function softmax<T extends Activations>(x: T, axis = -1): T {
  checkCall("softmax", arguments);
  const [own] = findAxes("softmax", x, [axis]);
  const differentiable = tf.customGrad((x, save) => {
    const input = x as tf.Tensor;
    const value = tf.tidy(() => {
      // our exponential: TensorFlow.js's loses digits in proportion to its argument
      const powers = computePointwise("exponential", tf.sub(input, tf.max(input, own, true)));
      return tf.div(powers, tf.sum(powers, own, true));
    });
    (save as (tensors: tf.Tensor[]) => void)([value]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [y]: tf.Tensor[]) => {
        const weighted = tf.mul(y, dy);
        return tf.sub(weighted, tf.mul(y, tf.sum(weighted, own, true)));
      },
    };
  });
  return toActivations(differentiable(toTensor(x as Activations)));
}

/**
 * `(x - mean) / sqrt(variance + epsilon)` over some axes of each sample, with the biased variance: a layer norm over the last axis, an instance norm
 * over the pixels, without weight and bias.
 */
export function normalise<T extends Activations>(
  x: T,
  axes: readonly number[],
  options: NormaliseOptions = {},
): T {
  checkCall("normalise", arguments);
  const { epsilon = 1e-5 } = options;
  const own = findAxes("normalise", x, axes);
  const input = toTensor(x as Activations);
  const centred = tf.sub(input, tf.mean(input, own, true));
  const variance = tf.mean(tf.square(centred), own, true);
  return toActivations(tf.mul(centred, tf.rsqrt(tf.add(variance, epsilon))));
}
