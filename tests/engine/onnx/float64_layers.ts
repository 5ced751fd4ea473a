/**
 * The functions of `Layers` in float64 on the host, written from their definitions, so that graphs are tested without a device and its rounding.
 *
 * @module
 */
import type { Activations, Layers, NetworkDefinition } from "../../../engine/network/definition.ts";
import type { Weights } from "../../../engine/network/parameters.ts";

/** An array, row-major, samples first. */
export interface Float64Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Makes a tensor from a function of the place. */
function make(shape: readonly number[], at: (place: number[]) => number): Float64Tensor {
  const place = shape.map(() => 0);
  const data = new Float64Array(count(shape)).map(() => {
    const value = at(place);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++place[axis] < shape[axis]) break;
      place[axis] = 0;
    }
    return value;
  });
  return { shape: [...shape], data };
}

function get({ shape, data }: Float64Tensor, place: readonly number[]): number {
  return data[place.reduce((index, at, axis) => index * shape[axis] + at, 0)];
}

function broadcast(
  x: Float64Tensor,
  y: Float64Tensor | number,
  run: (a: number, b: number) => number,
) {
  if (typeof y === "number") return { shape: x.shape, data: x.data.map((a) => run(a, y)) };
  if (x.shape.length !== y.shape.length) throw new Error(`ranks of ${x.shape} and ${y.shape}`);
  const shape = x.shape.map((size, axis) => {
    const other = y.shape[axis];
    if (size !== other && size !== 1 && other !== 1) throw new Error(`${x.shape} and ${y.shape}`);
    return Math.max(size, other);
  });
  const from = (tensor: Float64Tensor, place: number[]) =>
    get(tensor, place.map((at, axis) => tensor.shape[axis] === 1 ? 0 : at));
  return make(shape, (place) => run(from(x, place), from(y, place)));
}

function reduce(
  x: Float64Tensor,
  axes: readonly number[],
  keep: boolean,
  run: (values: number[]) => number,
): Float64Tensor {
  const positive = axes.map((axis) => axis < 0 ? axis + x.shape.length : axis);
  const kept = x.shape.map((size, axis) => positive.includes(axis) ? 1 : size);
  const inner = x.shape.map((size, axis) => positive.includes(axis) ? size : 1);
  const result = make(kept, (place) => {
    const outer = [...place];
    const values: number[] = [];
    make(inner, (at) => values.push(get(x, at.map((i, axis) => i + outer[axis]))));
    return run(values);
  });
  const shape = keep ? kept : kept.filter((_, axis) => !positive.includes(axis));
  return { shape, data: result.data };
}

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** The error function, by its series and its continued fraction (Abramowitz and Stegun 7.1.6 and 7.1.14). */
function erf(x: number): number {
  const z = Math.abs(x);
  if (z < 3) {
    let [term, sum] = [z, z];
    for (let n = 1; Math.abs(term) > 1e-18 * sum; n++) sum += term *= (2 * z * z) / (2 * n + 1);
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

type Pair = readonly [number, number];
const pair = (value: number | readonly number[]): Pair =>
  typeof value === "number" ? [value, value] : value as unknown as Pair;
const sides = (value: number | readonly number[]) =>
  typeof value === "number"
    ? [value, value, value, value]
    : value.length === 2
    ? [value[0], value[1], value[0], value[1]]
    : value;

/** Windows of an image: the values under one, by output position, filter position and channel; `undefined` in the padding. */
function windows(
  x: Float64Tensor,
  size: Pair,
  stride: Pair,
  [top, right, bottom, left]: readonly number[],
  dilation: Pair,
  ceil: boolean,
) {
  const [, height, width] = x.shape;
  const reach = ([0, 1] as const).map((i) => dilation[i] * (size[i] - 1) + 1);
  const outputs = [[height, top, bottom], [width, left, right]].map(
    ([length, before, after], i) => {
      const steps = (length + before + after - reach[i]) / stride[i];
      const all = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
      return ceil && (all - 1) * stride[i] >= length + before ? all - 1 : all;
    },
  );
  const at = (n: number, [oy, ox]: Pair, [fy, fx]: Pair, c: number) => {
    const y = oy * stride[0] + fy * dilation[0] - top;
    const z = ox * stride[1] + fx * dilation[1] - left;
    const isInside = y >= 0 && y < height && z >= 0 && z < width;
    const isCounted = y < height + bottom && z < width + right;
    return { value: isInside ? get(x, [n, y, z, c]) : undefined, isCounted };
  };
  return { outputs, at };
}

function pool(
  x: Float64Tensor,
  size: number | readonly number[],
  // deno-lint-ignore no-explicit-any
  options: any = {},
  run: (values: number[], counted: number) => number,
) {
  const { stride = size, pad = 0, ceil = false } = options;
  const [h, w] = pair(size);
  const { outputs, at } = windows(x, [h, w], pair(stride), sides(pad), [1, 1], ceil);
  return make([x.shape[0], ...outputs, x.shape[3]], ([n, oy, ox, c]) => {
    const all = Array.from(
      { length: h * w },
      (_, i) => at(n, [oy, ox], [Math.floor(i / w), i % w], c),
    );
    const values = all.flatMap(({ value }) => value === undefined ? [] : [value]);
    return run(values, all.filter(({ isCounted }) => isCounted).length);
  });
}

const unary = {
  relu: (x: number) => Math.max(x, 0),
  tanh: Math.tanh,
  gelu: (x: number) => x * (1 + erf(x / Math.SQRT2)) / 2,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  silu: (x: number) => x / (1 + Math.exp(-x)),
  softplus: (x: number) => Math.log1p(Math.exp(x)),
  hardSwish: (x: number) => x * Math.min(Math.max(x + 3, 0), 6) / 6,
  hardSigmoid: (x: number) => Math.min(Math.max(x + 3, 0), 6) / 6,
  relu6: (x: number) => Math.min(Math.max(x, 0), 6),
  erf,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  square: (x: number) => x * x,
  negate: (x: number) => -x,
  absolute: Math.abs,
  reciprocal: (x: number) => 1 / x,
};

/** Makes the functions, with the weights that layers take. */
export function makeFloat64Layers(weights: Weights, samples: number, classes: number) {
  const used = new Set<string>();
  const take = (name: string): Float64Tensor => {
    const tensor = weights.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    used.add(name);
    return { shape: tensor.shape, data: Float64Array.from(tensor.data) };
  };
  const map = (x: Float64Tensor, run: (value: number) => number) => ({
    shape: x.shape,
    data: x.data.map((value) => run(value)),
  });
  const channel = (x: Float64Tensor, name: string, run: (value: number, own: number) => number) => {
    const { data } = take(name);
    const { length } = data;
    return { shape: x.shape, data: x.data.map((value, i) => run(value, data[i % length])) };
  };
  const layers = {
    classes,
    ...Object.fromEntries(
      Object.entries(unary).map(([name, run]) => [name, (x: Float64Tensor) => map(x, run)]),
    ),
    leakyRelu: (x: Float64Tensor, slope = 0.01) => map(x, (v) => v > 0 ? v : slope * v),
    elu: (x: Float64Tensor, alpha = 1) => map(x, (v) => v > 0 ? v : alpha * Math.expm1(v)),
    power: (x: Float64Tensor, exponent: number) => map(x, (v) => v ** exponent),
    clip: (x: Float64Tensor, least: number, most: number) =>
      map(x, (v) => Math.min(Math.max(v, least), most)),
    dropout: (x: Float64Tensor) => x,
    add: (x: Float64Tensor, y: Float64Tensor | number) => broadcast(x, y, (a, b) => a + b),
    subtract: (x: Float64Tensor, y: Float64Tensor | number) => broadcast(x, y, (a, b) => a - b),
    multiply: (x: Float64Tensor, y: Float64Tensor | number) => broadcast(x, y, (a, b) => a * b),
    divide: (x: Float64Tensor, y: Float64Tensor | number) => broadcast(x, y, (a, b) => a / b),
    matmul(x: Float64Tensor, y: Float64Tensor) {
      const [rows, inner] = x.shape.slice(-2);
      if (x.shape.slice(0, -2).join() !== y.shape.slice(0, -2).join() || inner !== y.shape.at(-2)) {
        throw new Error(`product of ${x.shape} and ${y.shape}`);
      }
      return make([...x.shape.slice(0, -2), rows, y.shape.at(-1)!], (place) => {
        const [lead, r, c] = [place.slice(0, -2), ...place.slice(-2)] as [number[], number, number];
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += get(x, [...lead, r, k]) * get(y, [...lead, k, c]);
        return sum;
      });
    },
    mean: (x: Float64Tensor, axes: number[], { keep = false } = {}) => reduce(x, axes, keep, mean),
    sum: (x: Float64Tensor, axes: number[], { keep = false } = {}) =>
      reduce(x, axes, keep, (values) => values.reduce((a, b) => a + b, 0)),
    normalise(x: Float64Tensor, axes: number[], { epsilon = 1e-5 } = {}) {
      const centred = broadcast(x, reduce(x, axes, true, mean), (a, b) => a - b);
      const variance = reduce(centred, axes, true, (v) => mean(v.map((a) => a * a)));
      return broadcast(centred, variance, (a, b) => a / Math.sqrt(b + epsilon));
    },
    softmax(x: Float64Tensor, axis = -1) {
      const powers = map(x, Math.exp);
      return broadcast(
        powers,
        reduce(powers, [axis], true, (v) => v.reduce((a, b) => a + b, 0)),
        (a, b) => a / b,
      );
    },
    concat(list: Float64Tensor[], axis: number) {
      const shape = [...list[0].shape];
      shape[axis] = list.reduce((sum, { shape }) => sum + shape[axis], 0);
      for (const tensor of list) {
        if (tensor.shape.some((size, i) => i !== axis && size !== shape[i])) {
          throw new Error(`joining ${list.map(({ shape }) => `[${shape}]`)} at ${axis}`);
        }
      }
      return make(shape, (place) => {
        let at = place[axis];
        for (const tensor of list) {
          if (at < tensor.shape[axis]) return get(tensor, place.with(axis, at));
          at -= tensor.shape[axis];
        }
        return NaN;
      });
    },
    slice: (x: Float64Tensor, axis: number, begin: number, end: number, step = 1) =>
      make(
        x.shape.with(axis, Math.ceil((end - begin) / step)),
        (place) => get(x, place.with(axis, begin + step * place[axis])),
      ),
    pad: (x: Float64Tensor, pads: Pair[], value = 0) =>
      make(
        x.shape.map((size, i) => i === 0 ? size : size + pads[i - 1][0] + pads[i - 1][1]),
        (place) => {
          const at = place.map((p, i) => i === 0 ? p : p - pads[i - 1][0]);
          return at.every((p, i) => p >= 0 && p < x.shape[i]) ? get(x, at) : value;
        },
      ),
    transpose(x: Float64Tensor, axes: number[]) {
      const order = [0, ...axes];
      if (order.toSorted().join() !== x.shape.map((_, i) => i).toSorted().join()) {
        throw new Error(`axes ${axes} of ${x.shape}`);
      }
      return make(
        order.map((axis) => x.shape[axis]),
        (place) => get(x, order.map((_, axis) => place[order.indexOf(axis)])),
      );
    },
    reshape(x: Float64Tensor, shape: number[]) {
      if (count(shape) * samples !== x.data.length) throw new Error(`${shape} for ${x.shape}`);
      return { shape: [samples, ...shape], data: x.data };
    },
    flatten: (x: Float64Tensor) =>
      layers.reshape(layers.transpose(x, [3, 1, 2]), [count(x.shape.slice(1))]),
    maxPool: (x: Float64Tensor, size: number, options?: unknown) =>
      pool(x, size, options, (values) => Math.max(...values)),
    averagePool: (x: Float64Tensor, size: number, options: { countPad?: boolean } = {}) =>
      pool(x, size, options, (values, counted) =>
        values.reduce((a, b) => a + b, 0) /
        (options.countPad === false ? values.length : counted)),
    globalAverage: (x: Float64Tensor) => reduce(x, [1, 2], false, mean),
    constant: (data: Float32Array, shape: number[]) =>
      make(
        [samples, ...shape],
        ([, ...place]) => get({ shape, data: Float64Array.from(data) }, place),
      ),
    parameter(name: string, shape: number[]) {
      const { shape: own, data } = take(name);
      if (own.join() !== shape.join()) throw new Error(`parameter ${name} ${own} for ${shape}`);
      return make([samples, ...shape], ([, ...place]) => get({ shape, data }, place));
    },
    // deno-lint-ignore no-explicit-any
    convolution(name: string, x: Float64Tensor, options: any) {
      const { size, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true } = options;
      const weight = take(`${name}.weight`);
      const own = bias ? take(`${name}.bias`).data : undefined;
      const [filters, inputs] = weight.shape;
      const [h, w] = pair(size);
      const { outputs, at } = windows(x, [h, w], pair(stride), sides(pad), pair(dilation), false);
      return make([x.shape[0], ...outputs, filters], ([n, oy, ox, o]) => {
        let sum = own?.[o] ?? 0;
        const first = Math.floor(o / (filters / groups)) * inputs;
        for (let i = 0; i < h * w * inputs; i++) {
          const [fy, fx, c] = [Math.floor(i / inputs / w), Math.floor(i / inputs) % w, i % inputs];
          const { value = 0 } = at(n, [oy, ox], [fy, fx], first + c);
          sum += value * get(weight, [o, c, fy, fx]);
        }
        return sum;
      });
    },
    dense(name: string, x: Float64Tensor, _units: number, { bias = true } = {}) {
      const weight = take(`${name}.weight`);
      const own = bias ? take(`${name}.bias`).data : undefined;
      const [outputs, inputs] = weight.shape;
      if (x.shape.at(-1) !== inputs) throw new Error(`dense ${name} of ${x.shape}`);
      return make([...x.shape.slice(0, -1), outputs], (place) => {
        let sum = own?.[place.at(-1)!] ?? 0;
        for (let i = 0; i < inputs; i++) {
          sum += get(x, place.with(-1, i)) * get(weight, [place.at(-1)!, i]);
        }
        return sum;
      });
    },
    batchNorm(name: string, x: Float64Tensor, { epsilon = 1e-5 } = {}) {
      const centred = channel(x, `${name}.running_mean`, (v, own) => v - own);
      const scaled = channel(
        centred,
        `${name}.running_var`,
        (v, own) => v / Math.sqrt(own + epsilon),
      );
      return channel(
        channel(scaled, `${name}.weight`, (v, own) => v * own),
        `${name}.bias`,
        (v, own) => v + own,
      );
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
