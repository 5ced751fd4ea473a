/**
 * Float64 twins of the convolution, projection and Gram kernels: direct loops, NHWC images, row-major.
 *
 * @module
 */

import { type Numbers, sampleAt, type Tensor, zeros } from "./tensor.ts";

/** How a square-strided convolution walks its input. */
export interface Stride {
  /** Pixels from one output position to the next, along both axes. */
  readonly stride: number;
  /** Rows and columns of zeros added on every side. */
  readonly pad: number;
}

/**
 * Calls `visit` for every output position and filter tap that meet an input pixel (not padding), position by position.
 * The three arguments are indices without their channel axis: `pixel` into `[N, H, W]`, `tap` into `[kh, kw]` and
 * `position` into `[N, Ho, Wo]`.
 */
function visitTaps(
  inputShape: readonly number[],
  filterShape: readonly number[],
  { stride, pad }: Stride,
  visit: (pixel: number, tap: number, position: number) => void,
): void {
  const [count, height, width] = inputShape;
  const [tapRows, tapColumns] = filterShape;
  const [, rows, columns] = outputShapeOf(inputShape, filterShape, { stride, pad });
  for (let n = 0; n < count; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const position = (n * rows + row) * columns + column;
        for (let i = 0; i < tapRows; i++) {
          for (let j = 0; j < tapColumns; j++) {
            const y = row * stride + i - pad;
            const x = column * stride + j - pad;
            if (y < 0 || y >= height || x < 0 || x >= width) continue;
            visit((n * height + y) * width + x, i * tapColumns + j, position);
          }
        }
      }
    }
  }
}

/** `[N, Ho, Wo, Co]` of a convolution: `Ho = floor((H + 2 pad - kh) / stride) + 1`, `Wo` likewise. */
function outputShapeOf(
  [count, height, width, channels]: readonly number[],
  [tapRows, tapColumns, filterChannels, outputs]: readonly number[],
  { stride, pad }: Stride,
): number[] {
  if (channels !== filterChannels) {
    throw new RangeError(
      `Cannot convolve: got an input of ${channels} channels, need ${filterChannels}`,
    );
  }
  const rows = Math.floor((height + 2 * pad - tapRows) / stride) + 1;
  const columns = Math.floor((width + 2 * pad - tapColumns) / stride) + 1;
  return [count, rows, columns, outputs];
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
 * Convolution (cross-correlation, as in PyTorch): `y[n,p,q,o] = b[o] + sum_ijc x[n, p s + i - pad, q s + j - pad, c] w[i,j,c,o]`.
 *
 * `x` `[N, H, W, Ci]`, `w` `[kh, kw, Ci, Co]`, `b` `[Co]`; returns `[N, Ho, Wo, Co]`.
 *
 * @throws {RangeError} the channels of `x` and `w` differ.
 */
export function convForward(
  { x, w, b, stride, pad }: { x: Numbers; w: Numbers; b?: Numbers } & Stride,
): Tensor {
  const [, , inputs, outputs] = w.shape;
  const y = zeros(outputShapeOf(x.shape, w.shape, { stride, pad }));
  if (b !== undefined) {
    for (let index = 0; index < y.data.length; index++) y.data[index] = b.data[index % outputs];
  }
  visitTaps(x.shape, w.shape, { stride, pad }, (pixel, tap, position) => {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        y.data[position * outputs + o] += x.data[pixel * inputs + c] *
          w.data[(tap * inputs + c) * outputs + o];
      }
    }
  });
  return y;
}

/**
 * The gradient of `sum(dy * y)` with respect to a convolution's input.
 *
 * `dy` `[N, Ho, Wo, Co]`, `w` `[kh, kw, Ci, Co]`, `inputShape` `[N, H, W, Ci]`, which is also the result's.
 *
 * @throws {RangeError} the shapes do not fit.
 */
export function convInputGradient(
  { dy, w, inputShape, stride, pad }:
    & { dy: Numbers; w: Numbers; inputShape: readonly number[] }
    & Stride,
): Tensor {
  const [, , inputs, outputs] = w.shape;
  requireOutputShape(dy, outputShapeOf(inputShape, w.shape, { stride, pad }));
  const dx = zeros(inputShape);
  visitTaps(inputShape, w.shape, { stride, pad }, (pixel, tap, position) => {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        dx.data[pixel * inputs + c] += dy.data[position * outputs + o] *
          w.data[(tap * inputs + c) * outputs + o];
      }
    }
  });
  return dx;
}

/** Every `step`th row and column of a filter, from some on. */
export interface FilterPart {
  readonly rows: number;
  readonly columns: number;
  readonly step: number;
  readonly first_row: number;
  readonly first_column: number;
}

/**
 * A filter `w` `[kh, kw, Ci, Co]`, or a part of it, as the convolution kernel reads it: `[rows*columns*Ci + 1, Co rounded up to a multiple
 * of 8]`, zeros beyond `Co`, the last row `b` `[Co]`, or zeros without it. Transposed, for the input's gradient, it is turned by half a
 * circle before the part is taken, its channels have changed places, and there is no bias.
 */
export function packFilter(
  { w, b, transposed, part }: {
    w: Numbers;
    b?: Numbers;
    transposed: boolean;
    part?: FilterPart;
  },
): Tensor {
  const [tapRows, tapColumns, inputs, outputs] = w.shape;
  const { rows, columns, step, first_row, first_column } = part ??
    { rows: tapRows, columns: tapColumns, step: 1, first_row: 0, first_column: 0 };
  const [inner, outer] = transposed ? [outputs, inputs] : [inputs, outputs];
  const width = Math.ceil(outer / 8) * 8;
  const packed = zeros([rows * columns * inner + 1, width]);
  for (let place = 0; place < rows * columns; place++) {
    const r = first_row + Math.floor(place / columns) * step;
    const s = first_column + place % columns * step;
    const tap = transposed
      ? (tapRows - 1 - r) * tapColumns + tapColumns - 1 - s
      : r * tapColumns + s;
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        const [row, column] = transposed ? [place * outputs + o, i] : [place * inputs + i, o];
        packed.data[row * width + column] = w.data[(tap * inputs + i) * outputs + o];
      }
    }
  }
  if (b !== undefined && !transposed) {
    for (let o = 0; o < outputs; o++) packed.data[rows * columns * inputs * width + o] = b.data[o];
  }
  return packed;
}

/** Groups `[G, size]` summed: numbers `first` to `first + count` of each. */
export function sumGroups(groups: Numbers, first: number, count: number): Tensor {
  const [groupCount, size] = groups.shape;
  const sums = zeros([count]);
  for (let g = 0; g < groupCount; g++) {
    for (let k = 0; k < count; k++) sums.data[k] += groups.data[g * size + first + k];
  }
  return sums;
}

/**
 * A sketch of a gradient `[in, out]`: `s_k = sum_io f[i, k] g[o, k] G[i, o]`, for filters `f` `[in, m]` and `g` `[out, m]`; returns `[m]`.
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

/** Products of `left` and `right` `[N, P, C]` summed over the places of each sample: `[N, C]`. */
export function sumProducts(left: Numbers, right: Numbers): Tensor {
  const [count, places, channels] = left.shape;
  const sums = zeros([count, channels]);
  for (let at = 0; at < left.data.length; at++) {
    const n = Math.floor(at / (places * channels));
    sums.data[n * channels + at % channels] += left.data[at] * right.data[at];
  }
  return sums;
}

/**
 * The gradient of `sum(dy * y)` with respect to a convolution's filter, summed over the batch.
 *
 * `x` `[N, H, W, Ci]`, `dy` `[N, Ho, Wo, Co]`, `filterShape` `[kh, kw, Ci, Co]`, which is also the result's.
 *
 * @throws {RangeError} the shapes do not fit.
 */
export function convFilterGradient(
  { x, dy, filterShape, stride, pad }:
    & { x: Numbers; dy: Numbers; filterShape: readonly number[] }
    & Stride,
): Tensor {
  const [, , inputs, outputs] = filterShape;
  requireOutputShape(dy, outputShapeOf(x.shape, filterShape, { stride, pad }));
  const dw = zeros(filterShape);
  visitTaps(x.shape, filterShape, { stride, pad }, (pixel, tap, position) => {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        dw.data[(tap * inputs + c) * outputs + o] += x.data[pixel * inputs + c] *
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
 * `x` `[N, H, W, Ci]`, `dy` `[N, Ho, Wo, Co]` (the deltas); returns `[N, kh*kw*Ci*Co]`, ordered `[kh][kw][Ci][Co]`, or with
 * `bias` `[N, (kh*kw*Ci + 1) * Co]`, the bias's `Co` numbers last: the row of a 1 appended to every patch `a_p`.
 *
 * @throws {RangeError} the shapes do not fit.
 */
export function projectPlain(
  { x, dy, filterShape, stride, pad, bias }:
    & { x: Numbers; dy: Numbers; filterShape: readonly number[]; bias: boolean }
    & Stride,
): Tensor {
  const rows = Array.from({ length: x.shape[0] }, (_, n) => {
    const delta = sampleAt(dy, n);
    const dw = convFilterGradient({ x: sampleAt(x, n), dy: delta, filterShape, stride, pad });
    return bias ? [...dw.data, ...biasGradient(delta).data] : [...dw.data];
  });
  return stackRows(rows);
}

/**
 * Factored row segments of a dense layer: each sample's input `a`, a 1 after it when the layer has a `bias`, then its `δ`.
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
 * Factored row segments of a convolution: for each output position of a sample what the filter sees there, a 1 after it when the layer has a
 * `bias`, then the position's `δ`.
 *
 * Sizes as in `convFilterGradient`; returns `[N, positions * (taps + (bias ? 1 : 0) + outputs)]`.
 */
export function projectPatches(
  { x, dy, filterShape, stride, pad, bias }:
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
    visitTaps(image.shape, filterShape, { stride, pad }, (pixel, tap, position) => {
      for (let c = 0; c < inputs; c++) {
        patches[position][tap * inputs + c] = image.data[pixel * inputs + c];
      }
    });
    return patches.flat();
  });
  return stackRows(rows);
}

/** Rows of equal length as one `[rows, length]` tensor. */
function stackRows(rows: readonly number[][]): Tensor {
  return { shape: [rows.length, rows[0]?.length ?? 0], data: Float64Array.from(rows.flat()) };
}

/** `max(x, 0)` element by element. */
export function reluForward(x: Numbers): Tensor {
  return { shape: x.shape, data: Float64Array.from(x.data, (value) => Math.max(value, 0)) };
}

/** The gradient of `sum(dy * reluForward(x))` with respect to `x`, from `y = reluForward(x)`: `dy` where `y > 0`. */
export function reluGradient(y: Numbers, dy: Numbers): Tensor {
  return {
    shape: y.shape,
    data: Float64Array.from(y.data, (value, i) => value > 0 ? dy.data[i] : 0),
  };
}

/** `tanh(x)` element by element. */
export function tanhForward(x: Numbers): Tensor {
  return { shape: x.shape, data: Float64Array.from(x.data, Math.tanh) };
}

/** The gradient of `sum(dy * tanhForward(x))` with respect to `x`: `dy / cosh(x)^2`, which `1 - tanh(x)^2` would lose where that rounds to 0. */
export function tanhGradient(x: Numbers, dy: Numbers): Tensor {
  return {
    shape: x.shape,
    data: Float64Array.from(x.data, (value, i) => dy.data[i] / Math.cosh(value) ** 2),
  };
}

/** `x Phi(x)` element by element, with the normal distribution's `Phi`. */
export function geluForward(x: Numbers): Tensor {
  return { shape: x.shape, data: Float64Array.from(x.data, (value) => value * normalBelow(value)) };
}

/** The gradient of `sum(dy * geluForward(x))` with respect to `x`: `dy (Phi(x) + x phi(x))`. */
export function geluGradient(x: Numbers, dy: Numbers): Tensor {
  return {
    shape: x.shape,
    data: Float64Array.from(
      x.data,
      (value, i) => dy.data[i] * (normalBelow(value) + value * normalDensity(value)),
    ),
  };
}

/** `phi(x)`, the normal distribution's density. */
export function normalDensity(x: number): number {
  return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

/** `Phi(x)`, the normal distribution's share below `x`, to some units of float64 of itself. */
export function normalBelow(x: number): number {
  const a = Math.abs(x);
  if (a < 2) {
    // phi(x) (x + x^3 / 3 + x^5 / (3 5) + ...), without cancellation, is what lies between 0 and x
    let [sum, term] = [0, x];
    for (let n = 3; sum + term !== sum; n += 2) {
      sum += term;
      term *= x * x / n;
    }
    return 0.5 + normalDensity(x) * sum;
  }
  // phi(a) / (a + 1 / (a + 2 / (a + 3 / ...))) lies beyond a
  let fraction = a;
  for (let n = 200; n > 0; n--) fraction = a + n / fraction;
  const beyond = normalDensity(a) / fraction;
  return x < 0 ? beyond : 1 - beyond;
}

/** Where each window of `maxPool` has its largest pixel, the first of several: `[N, H / size, W / size, C]` indices into `x`. */
function findLargest(
  { shape, data }: Numbers,
  size: number,
): { shape: number[]; places: number[] } {
  const [count, height, width, channels] = shape;
  const [rows, columns] = [Math.floor(height / size), Math.floor(width / size)];
  const places: number[] = [];
  for (let n = 0; n < count; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let c = 0; c < channels; c++) {
          const window = Array.from({ length: size * size }, (_, k) => {
            const [i, j] = [Math.floor(k / size), k % size];
            const pixel = (n * height + row * size + i) * width + column * size + j;
            return pixel * channels + c;
          });
          places.push(window.reduce((best, at) => data[at] > data[best] ? at : best));
        }
      }
    }
  }
  return { shape: [count, rows, columns, channels], places };
}

/** The maximum over `size` x `size` windows that do not overlap, `x` `[N, H, W, C]`; a remainder at the edge is left out. */
export function maxPool(x: Numbers, size: number): Tensor {
  const { shape, places } = findLargest(x, size);
  return { shape, data: Float64Array.from(places, (place) => x.data[place]) };
}

/** The gradient of `sum(dy * maxPool(x, size))` with respect to `x`; the first of several maxima takes it all. */
export function maxPoolGradient(x: Numbers, dy: Numbers, size: number): Tensor {
  const dx = zeros(x.shape);
  findLargest(x, size).places.forEach((place, i) => dx.data[place] += dy.data[i]);
  return dx;
}

/** Each sample's cross-entropy in nats, `logits` `[N, C]`; returns `[N]`. A loss that is all but 0 keeps its digits. */
export function crossEntropy(logits: Numbers, labels: ArrayLike<number>): Tensor {
  const losses = Array.from(labels, (label, n) => {
    const { data } = sampleAt(logits, n);
    const top = data.indexOf(data.reduce((a, b) => Math.max(a, b)));
    const others = data.reduce(
      (total, z, c) => c === top ? total : total + Math.exp(z - data[top]),
      0,
    );
    return Math.log1p(others) + (data[top] - data[label]);
  });
  return { shape: [labels.length], data: Float64Array.from(losses) };
}

/**
 * The gradient of `sum(deltas * crossEntropy(logits, labels))` for `logits` `[N, C]`, which is also the result's shape: at the label less the
 * sum of the other classes' softmax, which is the label's less 1.
 */
export function crossEntropyGradient(
  logits: Numbers,
  labels: ArrayLike<number>,
  deltas: ArrayLike<number>,
): Tensor {
  const rows = Array.from(labels, (label, n) => {
    const { data } = sampleAt(logits, n);
    const largest = data.reduce((a, b) => Math.max(a, b));
    const powers = Array.from(data, (z) => Math.exp(z - largest));
    const others = powers.reduce((sum, power, c) => c === label ? sum : sum + power, 0);
    const total = others + powers[label];
    return powers.map((power, c) => deltas[n] * (c === label ? -others : power) / total);
  });
  return stackRows(rows);
}

/** One step of SGD with momentum and weight decay, as PyTorch takes it: `v' = m v + (g + d w)`, `w' = w - r v'`. */
export function momentumStep(
  weights: ArrayLike<number>,
  velocities: ArrayLike<number>,
  gradients: ArrayLike<number>,
  { learningRate, momentum, weightDecay }: {
    learningRate: number;
    momentum: number;
    weightDecay: number;
  },
): { weights: Float64Array; velocities: Float64Array } {
  const next = Float64Array.from(
    velocities,
    (v, i) => momentum * v + (gradients[i] + weightDecay * weights[i]),
  );
  return {
    weights: Float64Array.from(weights, (w, i) => w - learningRate * next[i]),
    velocities: next,
  };
}

/** A stretch of a packed row. */
export type Segment =
  /** The layer's contracted gradient itself: `length` numbers from `offset` on. */
  | { readonly kind: "plain"; readonly offset: number; readonly length: number }
  /**
   * For each of `positions`, one after another from `offset` on: `a`, `inputs` numbers (the 1 of a bias counted), then `δ`, `outputs`
   * numbers; stands for the sum of all `a ⊗ δ`.
   */
  | {
    readonly kind: "factored";
    readonly offset: number;
    readonly positions: number;
    readonly inputs: number;
    readonly outputs: number;
  };

/** A Gram matrix and what its rounding errors are proportional to. */
export interface Gram {
  /** `[N, M]`. */
  readonly value: Float64Array;
  /** `[N, M]`: the same sums over the absolute values of all products. */
  readonly magnitude: Float64Array;
}

/**
 * The Gram matrix of packed rows: the sum over segments of `r · r'` (plain) and, over all pairs of positions, `(a · a')(δ · δ')` (factored).
 *
 * `rowsA` N rows and `rowsB` M rows, laid out alike, as `segments` says; returns `[N, M]` arrays.
 */
export function gramRows(
  rowsA: readonly ArrayLike<number>[],
  rowsB: readonly ArrayLike<number>[],
  segments: readonly Segment[],
): Gram {
  const value = new Float64Array(rowsA.length * rowsB.length);
  const magnitude = new Float64Array(rowsA.length * rowsB.length);
  rowsA.forEach((a, n) =>
    rowsB.forEach((b, m) => {
      for (const segment of segments) {
        const product = multiplySegment(a, b, segment);
        value[n * rowsB.length + m] += product.value;
        magnitude[n * rowsB.length + m] += product.magnitude;
      }
    })
  );
  return { value, magnitude };
}

/** A dot product and the same sum over absolute products. */
interface Product {
  readonly value: number;
  readonly magnitude: number;
}

function multiplySegment(a: ArrayLike<number>, b: ArrayLike<number>, segment: Segment): Product {
  if (segment.kind === "plain") return multiplyRange(a, b, segment.offset, segment.length);
  const { offset, positions, inputs, outputs } = segment;
  let value = 0;
  let magnitude = 0;
  for (let p = 0; p < positions; p++) {
    for (let q = 0; q < positions; q++) {
      const [first, second] = [p, q].map((position) => offset + position * (inputs + outputs));
      const seen = multiplyRange(a, b, first, inputs, second);
      const deltas = multiplyRange(a, b, first + inputs, outputs, second + inputs);
      value += seen.value * deltas.value;
      magnitude += seen.magnitude * deltas.magnitude;
    }
  }
  return { value, magnitude };
}

function multiplyRange(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  offset: number,
  length: number,
  other = offset,
): Product {
  let value = 0;
  let magnitude = 0;
  for (let k = 0; k < length; k++) {
    const product = a[offset + k] * b[other + k];
    value += product;
    magnitude += Math.abs(product);
  }
  return { value, magnitude };
}
