/**
 * The functions of `Layers` in float64 on the host, by their twins, so that graphs are tested without a device and its rounding.
 *
 * @module
 */
import type { Activations, Layers, NetworkDefinition } from "../../../engine/network/definition.ts";
import type { Weights } from "../../../engine/network/parameters.ts";
import * as arrays from "../../../engine/reference/arrays.ts";
import { convForward } from "../../../engine/reference/convolution.ts";
import {
  geluForward,
  pointwiseForward,
  reluForward,
  tanhForward,
} from "../../../engine/reference/pointwise.ts";
import { poolForward, type Pooling } from "../../../engine/reference/pooling.ts";
import { type Numbers, permute, sizeOf, type Tensor } from "../../../engine/reference/tensor.ts";

/** An array, row-major, samples first. */
export type Float64Tensor = Tensor;

type Size = number | readonly number[];

const pair = (size: Size) => [size, size].flat().slice(0, 2) as [number, number];

/** `[top, right, bottom, left]` of padding. */
function sides(pad: Size): [number, number, number, number] {
  const list = [pad].flat() as number[];
  return [0, 1, 2, 3].map((i) => list[i % list.length]) as [number, number, number, number];
}

function reshape({ data }: Numbers, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== data.length) throw new Error(`${data.length} numbers for ${shape}`);
  return { shape, data: Float64Array.from(data) };
}

/** Applies a function to pairs of elements of two tensors of one rank, or of a tensor and a number. */
function combine(x: Tensor, y: Tensor | number, run: (x: number, y: number) => number): Tensor {
  if (typeof y === "number") return { shape: x.shape, data: x.data.map((value) => run(value, y)) };
  const fits = x.shape.length === y.shape.length &&
    x.shape.every((size, i) => size === y.shape[i] || size === 1 || y.shape[i] === 1);
  if (!fits) throw new Error(`${x.shape} and ${y.shape}`);
  return arrays.combine(x, y, run);
}

/** Counts axes from 0. */
function findAxes({ shape }: Tensor, axes: readonly number[]): number[] {
  return axes.map((axis) => axis < 0 ? axis + shape.length : axis);
}

function reduce(
  run: typeof arrays.mean,
  x: Tensor,
  axes: readonly number[],
  { keep = false } = {},
): Tensor {
  const own = findAxes(x, axes);
  const kept = run(x, own);
  return keep ? kept : reshape(kept, kept.shape.filter((_, axis) => !own.includes(axis)));
}

type PoolOptions = { stride?: Size; pad?: Size; ceil?: boolean; countPad?: boolean };

function pool(
  x: Tensor,
  kind: Pooling["kind"],
  size: Size,
  { stride = size, pad = 0, ceil }: PoolOptions = {},
): Tensor {
  const places = { size: pair(size), stride: pair(stride), pad: sides(pad), ceil };
  return poolForward(x, { kind, ...places });
}

/** Functions of one element, by the names that `Layers` has for them, and the twins' names. */
const UNARY = {
  sigmoid: "sigmoid",
  silu: "silu",
  softplus: "softplus",
  hardSwish: "hardSwish",
  hardSigmoid: "hardSigmoid",
  relu6: "relu6",
  erf: "erf",
  exp: "exponential",
  log: "logarithm",
  sqrt: "root",
  square: "square",
  absolute: "absolute",
  reciprocal: "reciprocal",
};

/** Makes the functions, with the weights that layers take. */
function makeFloat64Layers(weights: Weights, samples: number, classes: number) {
  const used = new Set<string>();
  const take = (name: string): Tensor => {
    const tensor = weights.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    used.add(name);
    return { shape: tensor.shape, data: Float64Array.from(tensor.data) };
  };
  const copy = ({ data }: Numbers, shape: readonly number[]): Tensor => ({
    shape: [samples, ...shape],
    data: Float64Array.from({ length: samples * data.length }, (_, i) => data[i % data.length]),
  });
  /** Combines the channels of the last axis with a tensor of one number for each. */
  const channel = (x: Tensor, name: string, run: (value: number, own: number) => number) => {
    const own = take(name);
    return combine(x, reshape(own, [...x.shape.slice(1).map(() => 1), own.data.length]), run);
  };
  const convolve = (
    name: string,
    x: Tensor,
    w: Tensor,
    { stride = 1, pad = 0, dilation = 1, groups = 1, bias = true }: Record<string, Size> & {
      groups?: number;
      bias?: boolean;
    },
  ) =>
    convForward({
      ...{ x, w, b: bias ? take(`${name}.bias`) : undefined, groups },
      ...{ stride: pair(stride), pad: sides(pad), dilation: pair(dilation) },
    });
  const layers = {
    classes,
    ...Object.fromEntries(
      Object.entries(UNARY).map(([name, own]) => [name, (x: Tensor) => pointwiseForward(own, x)]),
    ),
    relu: reluForward,
    tanh: tanhForward,
    gelu: geluForward,
    negate: (x: Tensor) => pointwiseForward("affine", x, -1),
    leakyRelu: (x: Tensor, slope = 0.01) => pointwiseForward("leaky", x, slope),
    elu: (x: Tensor, alpha = 1) => pointwiseForward("elu", x, alpha),
    power: (x: Tensor, exponent: number) => pointwiseForward("power", x, exponent),
    clip: (x: Tensor, least: number, most: number) => pointwiseForward("clip", x, least, most),
    dropout: (x: Tensor) => x,
    add: (x: Tensor, y: Tensor | number) => combine(x, y, (a, b) => a + b),
    subtract: (x: Tensor, y: Tensor | number) => combine(x, y, (a, b) => a - b),
    multiply: (x: Tensor, y: Tensor | number) => combine(x, y, (a, b) => a * b),
    divide: (x: Tensor, y: Tensor | number) => combine(x, y, (a, b) => a / b),
    matmul(x: Tensor, y: Tensor) {
      const isOneBatch = x.shape.slice(0, -2).join() === y.shape.slice(0, -2).join();
      if (!isOneBatch || x.shape.at(-1) !== y.shape.at(-2)) {
        throw new Error(`product of ${x.shape} and ${y.shape}`);
      }
      return arrays.matmul(x, y);
    },
    mean: reduce.bind(undefined, arrays.mean),
    sum: reduce.bind(undefined, arrays.sum),
    normalise: (x: Tensor, axes: number[], { epsilon = 1e-5 } = {}) =>
      arrays.normalise(x, findAxes(x, axes), epsilon),
    softmax: (x: Tensor, axis = -1) => arrays.softmax(x, findAxes(x, [axis])[0]),
    concat(list: Tensor[], axis: number) {
      const rests = new Set(list.map(({ shape }) => `${shape.with(axis, 1)}`));
      if (rests.size > 1) throw new Error(`joining ${[...rests].join(" and ")} at ${axis}`);
      return arrays.concat(list, axis);
    },
    slice: (x: Tensor, axis: number, begin: number, end: number, step = 1) =>
      arrays.slice(x, axis, begin, end, step),
    pad: (x: Tensor, pads: [number, number][], value = 0) =>
      arrays.pad(x, [[0, 0], ...pads], value),
    transpose: (x: Tensor, axes: number[]) => permute(x, [0, ...axes]),
    reshape: (x: Tensor, shape: number[]) => reshape(x, [samples, ...shape]),
    flatten: (x: Tensor) => reshape(permute(x, [0, 3, 1, 2]), [samples, sizeOf(x.shape.slice(1))]),
    maxPool: (x: Tensor, size: Size, options?: PoolOptions) => pool(x, "maximum", size, options),
    averagePool: (x: Tensor, size: Size, options?: PoolOptions) =>
      pool(x, options?.countPad === false ? "mean" : "paddedMean", size, options),
    globalAverage: (x: Tensor) => reduce(arrays.mean, x, [1, 2]),
    constant: (data: Float32Array, shape: number[]) => copy({ shape, data }, shape),
    parameter(name: string, shape: number[]) {
      const own = take(name);
      if (own.shape.join() !== shape.join()) {
        throw new Error(`parameter ${name} ${own.shape} for ${shape}`);
      }
      return copy(own, shape);
    },
    convolution: (name: string, x: Tensor, options: Parameters<typeof convolve>[3]) =>
      convolve(name, x, permute(take(`${name}.weight`), [2, 3, 1, 0]), options),
    /** A convolution of one pixel over an image one pixel high. */
    dense(name: string, x: Tensor, _units: number, options: { bias?: boolean } = {}) {
      const weight = permute(take(`${name}.weight`), [1, 0]);
      const [inputs, outputs] = weight.shape;
      if (x.shape.at(-1) !== inputs) throw new Error(`dense ${name} of ${x.shape}`);
      const pixels = reshape(x, [1, 1, x.data.length / inputs, inputs]);
      const y = convolve(name, pixels, reshape(weight, [1, 1, inputs, outputs]), options as never);
      return reshape(y, [...x.shape.slice(0, -1), outputs]);
    },
    batchNorm(name: string, x: Tensor, { epsilon = 1e-5 } = {}) {
      const centred = channel(x, `${name}.running_mean`, (value, mean) => value - mean);
      const normal = channel(
        centred,
        `${name}.running_var`,
        (value, variance) => value / Math.sqrt(variance + epsilon),
      );
      const scaled = channel(normal, `${name}.weight`, (value, weight) => value * weight);
      return channel(scaled, `${name}.bias`, (value, bias) => value + bias);
    },
  };
  return { layers: layers as unknown as Layers, used };
}

/**
 * Computes logits, `[N, C]`.
 *
 * @param images `[N, H, W, C]`, row-major
 * @throws {Error} if the network does not use exactly the weights.
 */
export function computeFloat64Logits(
  { forward }: NetworkDefinition,
  weights: Weights,
  images: Float64Tensor,
  classes = 1,
): Float64Tensor {
  const { layers, used } = makeFloat64Layers(weights, images.shape[0], classes);
  const logits = forward(layers, images as unknown as Parameters<typeof forward>[1]);
  const unused = [...weights.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`unused weights ${unused}`);
  return logits as Activations as unknown as Float64Tensor;
}
