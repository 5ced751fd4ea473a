/**
 * Arithmetic between activations, element by element and by products of matrices. Every sample is computed by itself.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { DataError } from "../errors.ts";
import { describeShape } from "../options.ts";
import { checkCall } from "./arguments.ts";
import { type Activations, toActivations, toTensor } from "./features.ts";

/**
 * Adds two branches, such as a residual block and its shortcut, or a number. Along each axis sizes are equal, or one of them is 1 and that branch is
 * repeated.
 *
 * @throws {DataError} if their shapes differ otherwise.
 */
export function add<T extends Activations>(x: T, y: Activations | number): T {
  checkCall("add", arguments);
  return combine("add", tf.add, x, y);
}

/** Subtracts a branch or a number, with shapes as in {@linkcode add}. */
export function subtract<T extends Activations>(x: T, y: Activations | number): T {
  checkCall("subtract", arguments);
  return combine("subtract", tf.sub, x, y);
}

/** Multiplies by a branch, such as a gate or a scale, or by a number, with shapes as in {@linkcode add}. */
export function multiply<T extends Activations>(x: T, y: Activations | number): T {
  checkCall("multiply", arguments);
  return combine("multiply", tf.mul, x, y);
}

/** Divides by a branch or a number, with shapes as in {@linkcode add}. */
export function divide<T extends Activations>(x: T, y: Activations | number): T {
  checkCall("divide", arguments);
  return combine("divide", tf.div, x, y);
}

/**
 * Multiplies matrices over the last two axes, `[N, ..., A, B]` by `[N, ..., B, C]` to `[N, ..., A, C]`, as attention does.
 *
 * @throws {DataError} if the shapes do not fit together.
 */
export function matmul<T extends Activations>(x: T, y: T): T {
  checkCall("matmul", arguments);
  const [left, right] = [x.shape, y.shape];
  const fits = left.length === right.length && left.at(-1) === right.at(-2) &&
    left.slice(0, -2).every((size, axis) => size === right[axis]);
  if (!fits) {
    throw new DataError(
      `Cannot matmul: got ${describeShape(left)} and ${
        describeShape(right)
      }, need [N, ..., A, B] and [N, ..., B, C]`,
    );
  }
  return toActivations(tf.matMul(toTensor(x as Activations), toTensor(y as Activations)));
}

function combine<T extends Activations>(
  operation: string,
  compute: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor,
  x: T,
  y: Activations | number,
): T {
  const left = toTensor(x as Activations);
  if (typeof y === "number") return toActivations(compute(left, tf.scalar(y)));
  const fits = x.shape.length === y.shape.length && x.shape[0] === y.shape[0] &&
    x.shape.every((size, axis) => size === y.shape[axis] || size === 1 || y.shape[axis] === 1);
  if (!fits) {
    const isOneBatch = x.shape[0] === y.shape[0];
    const [first, second] = [x, y].map(({ shape }) =>
      isOneBatch ? describeShape(shape) : `[${shape.join(", ")}]`
    );
    throw new DataError(
      `Cannot ${operation}: got ${first} and ${second}, need branches of one shape, or sizes of 1 where they differ`,
    );
  }
  return toActivations(compute(left, toTensor(y)));
}
