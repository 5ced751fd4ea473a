/**
 * Float64 twins of the kernels of convolutions and of the signed projections that are made from them: direct loops over NHWC images, row-major.
 *
 * @module
 */

import { type Numbers, sampleAt, stackRows, type Tensor, zeros } from "./tensor.ts";

/** Placement of a convolution's filter. A number is for both axes, or for every side. */
export interface Stride {
  /** Pixels from one output position to the next. */
  readonly stride: number | readonly [rows: number, columns: number];
  /** Rows and columns of zeros around the image. */
  readonly pad:
    | number
    | readonly [rows: number, columns: number]
    | readonly [top: number, right: number, bottom: number, left: number];
  /** Pixels from one tap of the filter to the next. Default 1. */
  readonly dilation?: number | readonly [rows: number, columns: number];
  /** Groups that the channels are divided into: the outputs of a group see its inputs alone. Default 1. */
  readonly groups?: number;
}

/** Lists the sizes along the rows, then those along the columns. */
function splitAxes({ stride, pad, dilation = 1 }: Stride) {
  const pair = (value: number | readonly number[]) =>
    typeof value === "number" ? [value, value] : value;
  const sides = pair(pad);
  const [top, right, bottom, left] = sides.length === 2 ? [...sides, ...sides] : sides;
  const [strides, dilations] = [pair(stride), pair(dilation)];
  return [
    { stride: strides[0], dilation: dilations[0], before: top, after: bottom },
    { stride: strides[1], dilation: dilations[1], before: left, after: right },
  ];
}

/** Index of the first input channel that output channel `output` sees. */
function firstInput(
  output: number,
  [, , inputs, outputs]: readonly number[],
  { groups = 1 }: Stride,
): number {
  return Math.floor(output / (outputs / groups)) * inputs;
}

/**
 * Calls `visit` for every output position and filter tap that meet an input pixel (not padding), position by position. Its arguments are
 * indices without the channel axis: `pixel` into `[N, H, W]`, `tap` into `[kh, kw]` and `position` into `[N, Ho, Wo]`.
 */
function visitTaps(
  inputShape: readonly number[],
  filterShape: readonly number[],
  place: Stride,
  visit: (pixel: number, tap: number, position: number) => void,
): void {
  const [count, height, width] = inputShape;
  const [tapRows, tapColumns] = filterShape;
  const [, rows, columns] = outputShapeOf(inputShape, filterShape, place);
  const [down, across] = splitAxes(place);
  for (let n = 0; n < count; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const position = (n * rows + row) * columns + column;
        for (let i = 0; i < tapRows; i++) {
          for (let j = 0; j < tapColumns; j++) {
            const y = row * down.stride + i * down.dilation - down.before;
            const x = column * across.stride + j * across.dilation - across.before;
            if (y < 0 || y >= height || x < 0 || x >= width) continue;
            visit((n * height + y) * width + x, i * tapColumns + j, position);
          }
        }
      }
    }
  }
}

/**
 * Infers a convolution's output shape `[N, Ho, Wo, Co]`: `Ho = floor((H + top + bottom - (kh - 1) dilation - 1) / stride) + 1`, `Wo` likewise.
 */
function outputShapeOf(
  [count, height, width, channels]: readonly number[],
  [tapRows, tapColumns, filterChannels, outputs]: readonly number[],
  place: Stride,
): number[] {
  const { groups = 1 } = place;
  if (channels !== filterChannels * groups || outputs % groups !== 0) {
    throw new RangeError(
      `Cannot convolve: got an input of ${channels} channels and ${outputs} filters, need ${
        filterChannels * groups
      } and a multiple of ${groups}`,
    );
  }
  const [down, across] = splitAxes(place);
  const slide = (size: number, taps: number, { stride, dilation, before, after }: typeof down) =>
    Math.floor((size + before + after - (taps - 1) * dilation - 1) / stride) + 1;
  return [count, slide(height, tapRows, down), slide(width, tapColumns, across), outputs];
}

/** Refuses an output gradient that does not have the convolution's output shape. */
function requireOutputShape(dy: Numbers, expected: readonly number[]): void {
  if (dy.shape.join() !== expected.join()) {
    throw new RangeError(
      `Cannot take the gradient of a convolution: got dy [${dy.shape}], need [${expected}]`,
    );
  }
}

/**
 * Convolution (cross-correlation, as in PyTorch): `y[n,p,q,o] = b[o] + sum_ijc x[n, p s + i d - top, q s + j d - left, g + c] w[i,j,c,o]`, where
 * `g` is the first input channel of the group that `o` is in.
 *
 * `x` `[N, H, W, Ci]`, `w` `[kh, kw, Ci / groups, Co]`, `b` `[Co]`; returns `[N, Ho, Wo, Co]`.
 *
 * @throws {RangeError} if the channels of `x` and `w` differ.
 */
export function convForward(
  { x, w, b, ...place }: { x: Numbers; w: Numbers; b?: Numbers } & Stride,
): Tensor {
  const [, , inputs, outputs] = w.shape;
  const channels = x.shape[3];
  const y = zeros(outputShapeOf(x.shape, w.shape, place));
  if (b !== undefined) {
    for (let index = 0; index < y.data.length; index++) y.data[index] = b.data[index % outputs];
  }
  visitTaps(x.shape, w.shape, place, (pixel, tap, position) => {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        y.data[position * outputs + o] +=
          x.data[pixel * channels + firstInput(o, w.shape, place) + c] *
          w.data[(tap * inputs + c) * outputs + o];
      }
    }
  });
  return y;
}

/**
 * The gradient of `sum(dy * y)` with respect to a convolution's input.
 *
 * `dy` `[N, Ho, Wo, Co]`, `w` `[kh, kw, Ci / groups, Co]`, `inputShape` `[N, H, W, Ci]`, which is also the result's shape.
 *
 * @throws {RangeError} if the shapes do not fit together.
 */
export function convInputGradient(
  { dy, w, inputShape, ...place }:
    & { dy: Numbers; w: Numbers; inputShape: readonly number[] }
    & Stride,
): Tensor {
  const [, , inputs, outputs] = w.shape;
  const channels = inputShape[3];
  requireOutputShape(dy, outputShapeOf(inputShape, w.shape, place));
  const dx = zeros(inputShape);
  visitTaps(inputShape, w.shape, place, (pixel, tap, position) => {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        dx.data[pixel * channels + firstInput(o, w.shape, place) + c] +=
          dy.data[position * outputs + o] *
          w.data[(tap * inputs + c) * outputs + o];
      }
    }
  });
  return dx;
}

/** Every `row_step`th row of a filter from `first_row` on, and every `column_step`th column from `first_column` on. */
export interface FilterPart {
  readonly rows: number;
  readonly columns: number;
  readonly row_step: number;
  readonly column_step: number;
  readonly first_row: number;
  readonly first_column: number;
}

/**
 * A filter `w` `[kh, kw, I, Co]` of so many groups, or a part of it, in the layout that the convolution kernel reads: `[rows*columns*I + 1,
 * groups, Co / groups rounded up to a multiple of 8]`, zeros beyond a group's channels, the last row `b` `[Co]`, or zeros without it. For the
 * input's gradient the filter is `rotated` by 180 degrees before the part is taken, there is no bias, and unless the convolution is depthwise
 * the filter is `transposed`, which swaps a group's channel axes.
 */
export function packFilter(
  { w, b, rotated = false, transposed = rotated, part, groups = 1 }: {
    w: Numbers;
    b?: Numbers;
    rotated?: boolean;
    transposed?: boolean;
    part?: FilterPart;
    groups?: number;
  },
): Tensor {
  const [tapRows, tapColumns, inputs, allOutputs] = w.shape;
  const outputs = allOutputs / groups;
  const { rows, columns, row_step, column_step, first_row, first_column } = part ?? {
    rows: tapRows,
    columns: tapColumns,
    row_step: 1,
    column_step: 1,
    first_row: 0,
    first_column: 0,
  };
  const [inner, outer] = transposed ? [outputs, inputs] : [inputs, outputs];
  const groupWidth = Math.ceil(outer / 8) * 8;
  const width = groups * groupWidth;
  const packed = zeros([rows * columns * inner + 1, width]);
  for (let at = 0; at < rows * columns; at++) {
    const r = first_row + Math.floor(at / columns) * row_step;
    const s = first_column + at % columns * column_step;
    const tap = rotated ? (tapRows - 1 - r) * tapColumns + tapColumns - 1 - s : r * tapColumns + s;
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < allOutputs; o++) {
        const [group, own] = [Math.floor(o / outputs), o % outputs];
        const [row, column] = transposed ? [at * outputs + own, i] : [at * inputs + i, own];
        packed.data[row * width + group * groupWidth + column] =
          w.data[(tap * inputs + i) * allOutputs + o];
      }
    }
  }
  if (b !== undefined && !rotated) {
    const last = rows * columns * inputs * width;
    for (let o = 0; o < allOutputs; o++) {
      packed.data[last + Math.floor(o / outputs) * groupWidth + o % outputs] = b.data[o];
    }
  }
  return packed;
}

/** Sum over groups `[G, size]` of the elements from `first` up to but not including `first + count`: `[count]`. */
export function sumGroups(groups: Numbers, first: number, count: number): Tensor {
  const [groupCount, size] = groups.shape;
  const sums = zeros([count]);
  for (let g = 0; g < groupCount; g++) {
    for (let k = 0; k < count; k++) sums.data[k] += groups.data[g * size + first + k];
  }
  return sums;
}

/**
 * A sketch of a gradient `G` `[in, out]`: `s_k = sum_io f[i, k] g[o, k] G[i, o]`, for random filters `inputs` `f` `[in, m]` and `deltas` `g`
 * `[out, m]`; returns `[m]`.
 */
export function sketchGradient(
  gradient: ArrayLike<number>,
  inputs: ArrayLike<number>,
  deltas: ArrayLike<number>,
): Float64Array {
  const count = Math.round(Math.sqrt(inputs.length * deltas.length / gradient.length));
  const outputs = deltas.length / count;
  const sketch = new Float64Array(count);
  for (let at = 0; at < gradient.length; at++) {
    const [i, o] = [Math.floor(at / outputs), at % outputs];
    for (let k = 0; k < count; k++) {
      sketch[k] += inputs[i * count + k] * deltas[o * count + k] * gradient[at];
    }
  }
  return sketch;
}

/** Products of `left` and `right` `[N, P, C]`, summed over the positions of each sample: `[N, C]`. */
export function sumProducts(left: Numbers, right: Numbers): Tensor {
  const [count, positions, channels] = left.shape;
  const sums = zeros([count, channels]);
  for (let at = 0; at < left.data.length; at++) {
    const n = Math.floor(at / (positions * channels));
    sums.data[n * channels + at % channels] += left.data[at] * right.data[at];
  }
  return sums;
}

/**
 * The gradient of `sum(dy * y)` with respect to a convolution's filter, summed over the batch.
 *
 * `x` `[N, H, W, Ci]`, `dy` `[N, Ho, Wo, Co]`, `filterShape` `[kh, kw, Ci / groups, Co]`, which is also the result's shape.
 *
 * @throws {RangeError} if the shapes do not fit together.
 */
export function convFilterGradient(
  { x, dy, filterShape, ...place }:
    & { x: Numbers; dy: Numbers; filterShape: readonly number[] }
    & Stride,
): Tensor {
  const [, , inputs, outputs] = filterShape;
  const channels = x.shape[3];
  requireOutputShape(dy, outputShapeOf(x.shape, filterShape, place));
  const dw = zeros(filterShape);
  visitTaps(x.shape, filterShape, place, (pixel, tap, position) => {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        dw.data[(tap * inputs + c) * outputs + o] +=
          x.data[pixel * channels + firstInput(o, filterShape, place) + c] *
          dy.data[position * outputs + o];
      }
    }
  });
  return dw;
}

/** The gradient of `sum(dy * y)` with respect to a bias: `dy` `[..., Co]` summed over all but its last axis, `[Co]`. */
export function biasGradient(dy: Numbers): Tensor {
  const outputs = dy.shape[dy.shape.length - 1];
  const db = zeros([outputs]);
  for (let index = 0; index < dy.data.length; index++) db.data[index % outputs] += dy.data[index];
  return db;
}

/**
 * Plain row segments of a convolution: each sample's own `sum_p a_p ⊗ δ_p` over its output positions.
 *
 * `x` `[N, H, W, Ci]`, `dy` `[N, Ho, Wo, Co]` (the output gradients δ); returns `[N, kh*kw*I*Co]` for `I = Ci / groups`, ordered
 * `[kh][kw][I][Co]`, or with `bias` `[N, (kh*kw*I + 1) * Co]`, where the bias's `Co` elements come last, as if a 1 were appended to every patch `a_p`.
 *
 * @throws {RangeError} if the shapes do not fit together.
 */
export function projectPlain(
  { x, dy, filterShape, bias, ...place }:
    & { x: Numbers; dy: Numbers; filterShape: readonly number[]; bias: boolean }
    & Stride,
): Tensor {
  const rows = Array.from({ length: x.shape[0] }, (_, n) => {
    const delta = sampleAt(dy, n);
    const dw = convFilterGradient({ x: sampleAt(x, n), dy: delta, filterShape, ...place });
    return bias ? [...dw.data, ...biasGradient(delta).data] : [...dw.data];
  });
  return stackRows(rows);
}

/**
 * Factored row segments of a dense layer: each sample's input `a`, a 1 where the layer has a `bias`, then its output gradient `δ`.
 *
 * `x` `[N, inputs]`, `dy` `[N, outputs]`; returns `[N, inputs + (bias ? 1 : 0) + outputs]`.
 */
export function projectFactored(
  { x, dy, bias }: { x: Numbers; dy: Numbers; bias: boolean },
): Tensor {
  const rows = Array.from({ length: x.shape[0] }, (_, n) => {
    const one = bias ? [1] : [];
    return [...sampleAt(x, n).data, ...one, ...sampleAt(dy, n).data];
  });
  return stackRows(rows);
}

/**
 * Factored row segments of a convolution of one group: for each output position of a sample the patch of the input that the filter sees there, a 1 where the
 * layer has a `bias`, then the position's output gradient `δ`.
 *
 * Sizes as in `convFilterGradient`; returns `[N, positions * (taps + (bias ? 1 : 0) + outputs)]`.
 */
export function projectPatches(
  { x, dy, filterShape, bias, ...place }:
    & { x: Numbers; dy: Numbers; filterShape: readonly number[]; bias: boolean }
    & Stride,
): Tensor {
  const [height, width, inputs, outputs] = filterShape;
  const taps = height * width * inputs;
  const [count, outHeight, outWidth] = dy.shape;
  const rows = Array.from({ length: count }, (_, n) => {
    const [image, delta] = [sampleAt(x, n), sampleAt(dy, n)];
    const patches = Array.from(
      { length: outHeight * outWidth },
      (_, p) => [
        ...new Array<number>(taps).fill(0),
        ...bias ? [1] : [],
        ...Array.from({ length: outputs }, (_, o) => delta.data[p * outputs + o]),
      ],
    );
    visitTaps(image.shape, filterShape, place, (pixel, tap, position) => {
      for (let c = 0; c < inputs; c++) {
        patches[position][tap * inputs + c] = image.data[pixel * inputs + c];
      }
    });
    return patches.flat();
  });
  return stackRows(rows);
}
