/**
 * Pooling over windows of feature maps, as PyTorch pools them, registered with TensorFlow.js.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import { checkCall } from "./arguments.ts";
import type { Padding, PerAxis } from "./convolution_geometry.ts";
import { type FeatureMaps, toActivations, toTensor } from "./features.ts";
import { computePool, maxPoolApart, type PoolKind, type Windows } from "./pool_kernels.ts";

/** Options of max pooling. */
export interface PoolOptions {
  /** Step between neighbouring windows. Default: the windows' size. */
  readonly stride?: PerAxis;
  /** Padding, which no maximum is taken of; less than the windows' size. Default 0. */
  readonly pad?: Padding;
  /**
   * Whether windows that the end of the padded image cuts off count too, PyTorch's `ceil_mode`. Each starts within the image or the padding
   * before it. Default false.
   */
  readonly ceil?: boolean;
}

/** Options of average pooling. */
export interface AveragePoolOptions extends PoolOptions {
  /** Whether a mean's divisor counts padding, PyTorch's `count_include_pad`. Default true. */
  readonly countPad?: boolean;
}

/**
 * The maximum over windows; rows and columns that no window reaches are ignored. The gradient goes to the first of several equal maxima, as in
 * PyTorch.
 *
 * @param x `[N, H, W, C]`
 * @param size rows and columns of a window
 * @returns `[N, H', W', C]`, with `floor((H + pads - size) / stride) + 1` rows, and columns alike
 * @throws {LayerError} if the padded image is smaller than a window.
 */
export function maxPool(x: FeatureMaps, size: PerAxis, options: PoolOptions = {}): FeatureMaps {
  checkCall("maxPool", arguments);
  const windows = inferWindows("maxPool", x, size, options);
  const [height, width] = windows.size;
  const isApart = height === width && areApart(windows, x);
  const input = toTensor(x);
  return toActivations(
    isApart ? maxPoolApart(input, height) : computePool("maximum", input, windows),
  );
}

/**
 * The mean over windows; rows and columns that no window reaches are ignored.
 *
 * @param x `[N, H, W, C]`
 * @param size rows and columns of a window
 * @returns `[N, H', W', C]`, with `floor((H + pads - size) / stride) + 1` rows, and columns alike
 * @throws {LayerError} if the padded image is smaller than a window.
 */
export function averagePool(
  x: FeatureMaps,
  size: PerAxis,
  options: AveragePoolOptions = {},
): FeatureMaps {
  checkCall("averagePool", arguments);
  const windows = inferWindows("averagePool", x, size, options);
  const input = toTensor(x);
  if (areApart(windows, x)) {
    return toActivations(tf.avgPool(input, [...windows.size], [...windows.size], "valid"));
  }
  const kind: PoolKind = options.countPad ?? true ? "paddedMean" : "mean";
  return toActivations(computePool(kind, input, windows));
}

/**
 * The mean over `size` windows that cover the image: the i-th of n along an axis of length L has the pixels from `floor(i L / n)` to below
 * `ceil((i + 1) L / n)`, as in PyTorch.
 *
 * @param x `[N, H, W, C]`
 * @param size rows and columns of the output
 * @returns `[N, h, w, C]`
 */
export function adaptiveAveragePool(x: FeatureMaps, size: PerAxis): FeatureMaps {
  checkCall("adaptiveAveragePool", arguments);
  const [height, width] = toPair(size);
  const input = toTensor(x);
  if (height === 1 && width === 1) return toActivations(tf.mean(input, [1, 2], true));
  return toActivations(computePool("adaptive", input, {
    size: [1, 1],
    stride: [1, 1],
    pad: [0, 0, 0, 0],
    outputs: [height, width],
  }));
}

function toPair(value: PerAxis): readonly [number, number] {
  return typeof value === "number" ? [value, value] : value;
}

function toSides(value: Padding): readonly [number, number, number, number] {
  if (typeof value === "number") return [value, value, value, value];
  return value.length === 4 ? value : [value[0], value[1], value[0], value[1]];
}

/** Whether windows neither overlap nor leave gaps, and none reaches beyond the image. */
function areApart({ size, stride, pad, outputs }: Windows, { shape }: FeatureMaps): boolean {
  return pad.every((side) => side === 0) &&
    size.every((length, i) => length === stride[i] && length * outputs[i] <= shape[i + 1]);
}

/** Infers the windows of a pooling, as PyTorch does. */
function inferWindows(
  operation: string,
  { shape: [, height, width] }: FeatureMaps,
  sizes: PerAxis,
  { stride: strides = sizes, pad: pads = 0, ceil = false }: PoolOptions,
): Windows {
  const [size, stride, pad] = [toPair(sizes), toPair(strides), toSides(pads)];
  const [top, right, bottom, left] = pad;
  const count = (length: number, axis: 0 | 1, before: number, after: number) => {
    if (Math.max(before, after) >= size[axis]) {
      const got = `pad ${Math.max(before, after)} beside size ${size[axis]}`;
      refuseArgument(operation, "pad", got, "less than the size; lower pad");
    }
    const padded = length + before + after;
    if (padded < size[axis] && !(ceil && padded + stride[axis] > size[axis])) {
      const most = Math.min(height + top + bottom, width + left + right);
      const padding = padded === length
        ? ""
        : `, padded to ${height + top + bottom} x ${width + left + right},`;
      const got = `size ${size[axis]} on ${height} x ${width} pixels${padding}`;
      refuseArgument(operation, "size", got.replace(/,$/, ""), `at most ${most}; lower size`);
    }
    const steps = (padded - size[axis]) / stride[axis];
    const whole = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // the last window must start in the image or in the padding before it
    return ceil && (whole - 1) * stride[axis] >= length + before ? whole - 1 : whole;
  };
  return {
    size,
    stride,
    pad,
    outputs: [count(height, 0, top, bottom), count(width, 1, left, right)],
  };
}

function refuseArgument(operation: string, option: string, got: string, need: string): never {
  throw new LayerError(operation, option, `Cannot use ${operation}: got ${got}, need ${need}`);
}
