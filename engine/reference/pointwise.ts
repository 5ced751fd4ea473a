/**
 * Float64 twins of the kernels of activations, pooling, the loss and the optimiser's step.
 *
 * @module
 */

import { type Numbers, sampleAt, stackRows, type Tensor, zeros } from "./tensor.ts";

/** Relu, `max(x, 0)` element by element. */
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

/** Hyperbolic tangent, `tanh(x)` element by element. */
export function tanhForward(x: Numbers): Tensor {
  return { shape: x.shape, data: Float64Array.from(x.data, Math.tanh) };
}

/** The gradient of `sum(dy * tanhForward(x))` with respect to `x`: `dy / cosh(x)^2`, since `1 - tanh(x)^2` rounds to 0 for large `x`. */
export function tanhGradient(x: Numbers, dy: Numbers): Tensor {
  return {
    shape: x.shape,
    data: Float64Array.from(x.data, (value, i) => dy.data[i] / Math.cosh(value) ** 2),
  };
}

/** Gelu, `x Phi(x)` element by element, with the normal distribution's `Phi`. */
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

/** Density `phi(x)` of the normal distribution. */
export function normalDensity(x: number): number {
  return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

/** Distribution function `Phi(x)` of the normal distribution, to a few units in the last place of float64. */
export function normalBelow(x: number): number {
  const a = Math.abs(x);
  if (a < 2) {
    // Phi(x) - 1/2 = phi(x) (x + x^3 / 3 + x^5 / (3 5) + ...), without cancellation
    let [sum, term] = [0, x];
    for (let n = 3; sum + term !== sum; n += 2) {
      sum += term;
      term *= x * x / n;
    }
    return 0.5 + normalDensity(x) * sum;
  }
  // Phi(-a) = phi(a) / (a + 1 / (a + 2 / (a + 3 / ...)))
  let fraction = a;
  for (let n = 200; n > 0; n--) fraction = a + n / fraction;
  const beyond = normalDensity(a) / fraction;
  return x < 0 ? beyond : 1 - beyond;
}

/** Finds the largest pixel of each window of `maxPool`, the first of several: `[N, H / size, W / size, C]` indices into `x`. */
function findLargest(
  { shape, data }: Numbers,
  size: number,
): { shape: number[]; indices: number[] } {
  const [count, height, width, channels] = shape;
  const [rows, columns] = [Math.floor(height / size), Math.floor(width / size)];
  const indices: number[] = [];
  for (let n = 0; n < count; n++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let c = 0; c < channels; c++) {
          const window = Array.from({ length: size * size }, (_, k) => {
            const [i, j] = [Math.floor(k / size), k % size];
            const pixel = (n * height + row * size + i) * width + column * size + j;
            return pixel * channels + c;
          });
          indices.push(window.reduce((best, at) => data[at] > data[best] ? at : best));
        }
      }
    }
  }
  return { shape: [count, rows, columns, channels], indices };
}

/** The maximum over `size` x `size` windows that do not overlap, `x` `[N, H, W, C]`; rows and columns left over at the edge are ignored. */
export function maxPool(x: Numbers, size: number): Tensor {
  const { shape, indices } = findLargest(x, size);
  return { shape, data: Float64Array.from(indices, (index) => x.data[index]) };
}

/** The gradient of `sum(dy * maxPool(x, size))` with respect to `x`; the first of several equal maxima takes all of it. */
export function maxPoolGradient(x: Numbers, dy: Numbers, size: number): Tensor {
  const dx = zeros(x.shape);
  findLargest(x, size).indices.forEach((index, i) => dx.data[index] += dy.data[i]);
  return dx;
}

/** Each sample's cross-entropy in nats, `logits` `[N, C]`; returns `[N]`. A loss near 0 keeps its digits. */
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
 * The gradient of `sum(deltas * crossEntropy(logits, labels))` with respect to `logits` `[N, C]`, which is also the result's shape. At the label
 * it is computed as minus the sum of the other classes' softmax, which equals the label's softmax - 1.
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

/** One step of SGD with momentum and weight decay, as in PyTorch: `v' = m v + (g + d w)`, `w' = w - r v'`. */
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

/** A function of one number and its derivative. */
interface Curve {
  value(x: number): number;
  slope(x: number): number;
}

/** The error function, to a few units in the last place of float64. */
export function erf(x: number): number {
  const a = Math.abs(x) * Math.SQRT2;
  // the series of normalBelow, without its 1/2, which would cancel
  if (a >= 2) return Math.sign(x) * (1 - 2 * normalBelow(-a));
  let [sum, term] = [0, a];
  for (let n = 3; sum + term !== sum; n += 2) {
    sum += term;
    term *= a * a / n;
  }
  return Math.sign(x) * 2 * normalDensity(a) * sum;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function cut(x: number): number {
  return Math.min(Math.max(x, 0), 6);
}

/** Functions of one number by the names of `engine/operations/pointwise.ts`; derivatives at corners are PyTorch's. */
const CURVES: Readonly<Record<string, (a: number, b: number) => Curve>> = {
  affine: (a, b) => ({ value: (x) => a * x + b, slope: () => a }),
  absolute: () => ({ value: Math.abs, slope: Math.sign }),
  square: () => ({ value: (x) => x * x, slope: (x) => 2 * x }),
  root: () => ({ value: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x) }),
  reciprocal: () => ({ value: (x) => 1 / x, slope: (x) => -1 / (x * x) }),
  exponential: () => ({ value: Math.exp, slope: Math.exp }),
  logarithm: () => ({ value: Math.log, slope: (x) => 1 / x }),
  power: (a, b) => ({
    value: (x) => x ** (a + b),
    slope: (x) => a + b === 0 ? 0 : (a + b) * x ** (a + b - 1),
  }),
  clip: (a, b) => ({
    value: (x) => Math.min(Math.max(x, a), b),
    slope: (x) => x >= a && x <= b ? 1 : 0,
  }),
  leaky: (a) => ({ value: (x) => x > 0 ? x : a * x, slope: (x) => x > 0 ? 1 : a }),
  elu: (a) => ({
    value: (x) => x > 0 ? x : a * Math.expm1(x),
    slope: (x) => x > 0 ? 1 : a * Math.exp(x),
  }),
  relu6: () => ({ value: cut, slope: (x) => x > 0 && x < 6 ? 1 : 0 }),
  hardSigmoid: () => ({
    value: (x) => cut(x + 3) / 6,
    slope: (x) => x > -3 && x < 3 ? 1 / 6 : 0,
  }),
  hardSwish: () => ({
    value: (x) => x * cut(x + 3) / 6,
    slope: (x) => x < -3 ? 0 : x > 3 ? 1 : (2 * x + 3) / 6,
  }),
  sigmoid: () => ({ value: sigmoid, slope: (x) => sigmoid(x) * sigmoid(-x) }),
  silu: () => ({
    value: (x) => x * sigmoid(x),
    slope: (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
  }),
  softplus: () => ({
    value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    slope: sigmoid,
  }),
  erf: () => ({ value: erf, slope: (x) => 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) }),
};

/** Applies the function of a name to every element, with its numbers `a` and `b`; a power's exponent is their sum. */
export function pointwiseForward(name: string, x: Numbers, a = 0, b = 0): Tensor {
  return { shape: x.shape, data: Float64Array.from(x.data, CURVES[name](a, b).value) };
}

/** The gradient of `sum(dy * pointwiseForward(name, x, a, b))` with respect to `x`. */
export function pointwiseGradient(name: string, x: Numbers, dy: Numbers, a = 0, b = 0): Tensor {
  const { slope } = CURVES[name](a, b);
  return {
    shape: x.shape,
    data: Float64Array.from(x.data, (value, i) => dy.data[i] * slope(value)),
  };
}
