/**
 * Functions of single elements, such as exponentials and powers; activations have a file of their own.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import { checkCall } from "./arguments.ts";
import { type Activations, toActivations, toTensor } from "./features.ts";
import { computePointwise } from "./pointwise.ts";

/** `exp(x)`, element by element. Its relative error and that of its gradient are below 1e-6. */
export function exp<T extends Activations>(x: T): T {
  checkCall("exp", arguments);
  return toActivations(computePointwise("exponential", toTensor(x)));
}

/** The natural logarithm, element by element. Its relative error and that of its gradient are below 1e-6. */
export function log<T extends Activations>(x: T): T {
  checkCall("log", arguments);
  return toActivations(computePointwise("logarithm", toTensor(x)));
}

/** The square root, element by element. */
export function sqrt<T extends Activations>(x: T): T {
  checkCall("sqrt", arguments);
  return toActivations(computePointwise("root", toTensor(x)));
}

/** `x x`, element by element. */
export function square<T extends Activations>(x: T): T {
  checkCall("square", arguments);
  return toActivations(computePointwise("square", toTensor(x)));
}

/** `-x`, element by element. */
export function negate<T extends Activations>(x: T): T {
  checkCall("negate", arguments);
  return toActivations(computePointwise("affine", toTensor(x), { a: -1 }));
}

/** `|x|`, element by element; its gradient at 0 is 0. */
export function absolute<T extends Activations>(x: T): T {
  checkCall("absolute", arguments);
  return toActivations(computePointwise("absolute", toTensor(x)));
}

/** `1 / x`, element by element. */
export function reciprocal<T extends Activations>(x: T): T {
  checkCall("reciprocal", arguments);
  return toActivations(computePointwise("reciprocal", toTensor(x)));
}

/**
 * `x` to the power of a number, element by element; a negative x gives NaN unless the exponent is whole. The relative error is below 1e-6 for
 * exponents up to 8, and grows in proportion to larger ones.
 *
 * @param exponent from -64 to 64
 */
export function power<T extends Activations>(x: T, exponent: number): T {
  checkCall("power", arguments);
  const differentiable = tf.customGrad((x, save) => {
    (save as (tensors: tf.Tensor[]) => void)([x as tf.Tensor]);
    return {
      value: raise(x as tf.Tensor, exponent),
      gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) => {
        if (exponent === 0) return tf.zerosLike(dy);
        const slope = computePointwise("affine", raise(x, exponent - 1), { a: exponent });
        return tf.mul(dy, slope);
      },
    };
  });
  return toActivations(differentiable(toTensor(x)));
}

/** Raises every element to a power, without a gradient. */
function raise(x: tf.Tensor, exponent: number): tf.Tensor {
  if (exponent === 0) return tf.onesLike(x);
  if (exponent === 1) return computePointwise("affine", x, { a: 1 });
  if (exponent === 2) return computePointwise("square", x);
  if (exponent === 0.5) return computePointwise("root", x);
  if (exponent === -1) return computePointwise("reciprocal", x);
  // so short that its product with a float32's exponent is exact
  const short = Math.round(exponent * 256) / 256;
  const parity = !Number.isInteger(exponent) ? 0 : exponent % 2 === 0 ? 1 : -1;
  return computePointwise("power", x, { a: short, b: exponent - short, c: parity });
}

/**
 * `min(max(x, least), most)`, element by element; its gradient is 1 from `least` to `most`, both included, as in PyTorch. Either may be
 * infinite.
 *
 * @throws {LayerError} if `least` is above `most`.
 */
export function clip<T extends Activations>(x: T, least: number, most: number): T {
  checkCall("clip", arguments);
  if (least > most) {
    throw new LayerError(
      "clip",
      "most",
      `Cannot use clip: got most ${most}, need at least ${least}, as least is`,
    );
  }
  const [a, b] = [least, most].map((limit) => Math.max(-LARGEST, Math.min(LARGEST, limit)));
  return toActivations(computePointwise("clip", toTensor(x), { a, b }));
}

/** Largest float32. */
const LARGEST = 3.4028234663852886e38;
