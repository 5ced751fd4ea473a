/**
 * Float64 twins of arithmetic, reductions and rearrangements of arrays, and gradients of any of them by central differences.
 *
 * @module
 */

import { type Numbers, sizeOf, type Tensor, zeros } from "./tensor.ts";

/** Visits every index of a shape, in row-major order. */
function visit(shape: readonly number[], use: (index: readonly number[], at: number) => void) {
  const index = shape.map(() => 0);
  for (let at = 0; at < sizeOf(shape); at++) {
    use(index, at);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) {
      index[axis] = 0;
    }
  }
}

/** Position of an index in row-major order; along axes of size 1 every index is 0. */
function locate(shape: readonly number[], index: readonly number[]): number {
  return shape.reduce((at, size, axis) => at * size + (size === 1 ? 0 : index[axis]), 0);
}

/** Applies a function to pairs of elements; sizes of 1 are repeated. */
export function combine(x: Numbers, y: Numbers, f: (x: number, y: number) => number): Tensor {
  const result = zeros(x.shape.map((size, axis) => Math.max(size, y.shape[axis])));
  visit(result.shape, (index, at) => {
    result.data[at] = f(x.data[locate(x.shape, index)], y.data[locate(y.shape, index)]);
  });
  return result;
}

/** `[..., A, B]` times `[..., B, C]`. */
export function matmul(x: Numbers, y: Numbers): Tensor {
  const inner = x.shape.at(-1)!;
  const result = zeros([...x.shape.slice(0, -1), y.shape.at(-1)!]);
  visit(result.shape, (index, at) => {
    const [row, column] = index.slice(-2);
    const batch = index.slice(0, -2);
    for (let k = 0; k < inner; k++) {
      result.data[at] += x.data[locate(x.shape, [...batch, row, k])] *
        y.data[locate(y.shape, [...batch, k, column])];
    }
  });
  return result;
}

/** Sums over axes, which are kept with a size of 1. */
export function sum(x: Numbers, axes: readonly number[]): Tensor {
  const result = zeros(x.shape.map((size, axis) => axes.includes(axis) ? 1 : size));
  visit(x.shape, (index, at) => result.data[locate(result.shape, index)] += x.data[at]);
  return result;
}

/** Means over axes, which are kept with a size of 1. */
export function mean(x: Numbers, axes: readonly number[]): Tensor {
  const count = sizeOf(axes.map((axis) => x.shape[axis]));
  const { shape, data } = sum(x, axes);
  return { shape, data: data.map((value) => value / count) };
}

/** `exp(x)` divided by its sum over an axis. */
export function softmax(x: Numbers, axis: number): Tensor {
  const raised = { shape: x.shape, data: Float64Array.from(x.data, Math.exp) };
  return combine(raised, sum(raised, [axis]), (value, total) => value / total);
}

/** `(x - mean) / sqrt(variance + epsilon)` over axes. */
export function normalise(x: Numbers, axes: readonly number[], epsilon: number): Tensor {
  const centred = combine(x, mean(x, axes), (value, average) => value - average);
  const squares = { shape: x.shape, data: centred.data.map((value) => value ** 2) };
  const variance = mean(squares, axes);
  return combine(centred, variance, (value, spread) => value / Math.sqrt(spread + epsilon));
}

/** Joins arrays one behind the other along an axis. */
export function concat(list: readonly Numbers[], axis: number): Tensor {
  const sizes = list.map(({ shape }) => shape[axis]);
  const total = sizes.reduce((a, b) => a + b, 0);
  const result = zeros(list[0].shape.map((size, i) => i === axis ? total : size));
  visit(result.shape, (index, at) => {
    let part = 0;
    let own = index[axis];
    while (own >= sizes[part]) own -= sizes[part++];
    const { shape, data } = list[part];
    result.data[at] = data[index.reduce((sum, i, k) => sum * shape[k] + (k === axis ? own : i), 0)];
  });
  return result;
}

/** Every `step`-th element from `begin` up to but not including `end` along an axis. */
export function slice(x: Numbers, axis: number, begin: number, end: number, step: number): Tensor {
  const count = Math.ceil((end - begin) / step);
  const result = zeros(x.shape.map((size, i) => i === axis ? count : size));
  visit(result.shape, (index, at) => {
    const from = index.map((i, k) => k === axis ? begin + i * step : i);
    result.data[at] = x.data[locate(x.shape, from)];
  });
  return result;
}

/** Adds elements of one value before and after those along each axis. */
export function pad(x: Numbers, pads: readonly (readonly [number, number])[], value: number) {
  const result = zeros(x.shape.map((size, axis) => size + pads[axis][0] + pads[axis][1]));
  visit(result.shape, (index, at) => {
    const from = index.map((i, axis) => i - pads[axis][0]);
    const isInside = from.every((i, axis) => i >= 0 && i < x.shape[axis]);
    result.data[at] = isInside ? x.data[locate(x.shape, from)] : value;
  });
  return result;
}

/** The gradient of `sum(dy * f(x))`, by central differences whose error is about 1e-9 of the values. */
export function differentiate(f: (x: Tensor) => Tensor, x: Numbers, dy: ArrayLike<number>): Tensor {
  const step = 2 ** -18;
  const moved: Tensor = { shape: x.shape, data: Float64Array.from(x.data) };
  const weigh = () => f(moved).data.reduce((sum, value, i) => sum + value * dy[i], 0);
  return {
    shape: x.shape,
    data: Float64Array.from(x.data, (value, i) => {
      moved.data[i] = value + step;
      const above = weigh();
      moved.data[i] = value - step;
      const below = weigh();
      moved.data[i] = value;
      return (above - below) / (2 * step);
    }),
  };
}
