/**
 * Operators on shapes and axes.
 *
 * @module
 */
import { countElements } from "../../formats/shape.ts";
import type { OnnxTensor } from "../../formats/onnx.ts";
import { type Call, isHost, type Operator, shapeOfValue, type Value } from "../call.ts";
import {
  clampRange,
  concatHost,
  expandHost,
  gatherHost,
  type HostTensor,
  makeHost,
  type Range,
  reduceHost,
  sliceHost,
  transposeHost,
} from "../host.ts";
import {
  align,
  describeSizes,
  findSamples,
  reshape,
  SAMPLES,
  settle,
  shapeOf,
  Step,
  type View,
  ViewError,
} from "../view.ts";

function integers(data: readonly number[], shape: readonly number[] = [data.length]): HostTensor {
  return { shape, data, isFloat: false };
}

const shape: Operator = (call) => {
  const sizes = shapeOfValue(call.value(0));
  const { begin, end } = clampRange({
    begin: call.attribute<number>("start") ?? 0,
    end: call.attribute<number>("end") ?? sizes.length,
    step: 1,
  }, sizes.length);
  return integers(sizes.slice(begin, end));
};

const constant: Operator = (call) => {
  const value = call.attribute<OnnxTensor>("value");
  if (value) {
    const data = value.read();
    return makeHost(value.shape, (i) => data[i], value.isFloat);
  }
  for (const [name, isFloat] of [["value_float", true], ["value_int", false]] as const) {
    const number = call.attribute<number>(name);
    if (number !== undefined) return { shape: [], data: [number], isFloat };
  }
  for (const [name, isFloat] of [["value_floats", true], ["value_ints", false]] as const) {
    const list = call.attribute<readonly number[]>(name);
    if (list) return { shape: [list.length], data: list, isFloat };
  }
  throw call.fail("a constant that is no numbers", "numbers");
};

const constantOfShape: Operator = (call) => {
  const value = call.attribute<OnnxTensor>("value");
  const [number] = value?.read() ?? [0];
  return makeHost(call.host(0).data, () => number, value?.isFloat ?? true);
};

const range: Operator = (call) => {
  const [begin, end, step] = [0, 1, 2].map((i) => call.number(i, 0));
  const length = Math.max(0, Math.ceil((end - begin) / step));
  return makeHost([length], (i) => begin + i * step, call.host(0).isFloat);
};

/** Sizes of `Reshape`'s result: 0 stands for the input's size, and -1 for what is left. */
function resolveShape(call: Call, from: readonly number[], wanted: readonly number[]): number[] {
  const keepsZero = call.attribute<number>("allowzero") === 1;
  const sizes = wanted.map((size, axis) => size === 0 && !keepsZero ? from[axis] : size);
  const known = countElements(sizes.filter((size) => size !== -1));
  return sizes.map((size) => size === -1 ? countElements(from) / known : size);
}

/**
 * Resolves the shape that a tensor is given. Where the file fixes the number of samples, it stands in the shape as a plain number, or as a factor of
 * one: at a size before which the shape has as many elements as the tensor has before its samples, and where several fit, not at the last one, which
 * is that of features.
 */
function resolveViewShape(call: Call, view: View, wanted: readonly number[]): number[] {
  const from = shapeOf(view);
  const { fixedSamples } = call;
  const at = findSamples(view);
  const isNamed = wanted.some((size, axis) =>
    size !== 0 ? size % SAMPLES === 0 : from[axis] % SAMPLES === 0
  );
  if (fixedSamples === undefined || at < 0 || isNamed) return resolveShape(call, from, wanted);
  const place = view.axes[at].indexOf(0);
  const leading = view.axes[at].slice(0, place).map((axis) => view.sizes[axis]);
  const before = countElements([...from.slice(0, at), ...leading]);
  const fits = wanted.flatMap((size, axis) => {
    if (size < 1 || size % fixedSamples !== 0) return [];
    const share = size / fixedSamples;
    const sizes = resolveShape(call, from, wanted.with(axis, share * SAMPLES));
    const rest = before / countElements(sizes.slice(0, axis));
    const isFit = sizes.every(Number.isInteger) && Number.isInteger(rest) && share % rest === 0 &&
      countElements(sizes) === countElements(from);
    return isFit ? [{ axis, sizes, isPure: share === 1 && rest === 1 }] : [];
  });
  const best = fits.find(({ isPure }) => isPure) ??
    fits.findLast(({ axis }) => axis < wanted.length - 1) ?? fits[0];
  return best?.sizes ?? resolveShape(call, from, wanted);
}

const reshapeNode: Operator = (call) => {
  const value = call.value(0);
  const wanted = call.host(1).data;
  if (isHost(value)) return { ...value, shape: resolveShape(call, value.shape, wanted) };
  return reshape(value, resolveViewShape(call, value, wanted));
};

const flatten: Operator = (call) => {
  const view = call.view(0);
  const sizes = shapeOf(view);
  const axis = call.attribute<number>("axis") ?? 1;
  const at = axis < 0 ? axis + sizes.length : axis;
  return reshape(view, [countElements(sizes.slice(0, at)), countElements(sizes.slice(at))]);
};

const transpose: Operator = (call) => {
  const value = call.value(0);
  const rank = shapeOfValue(value).length;
  const order = call.attribute<readonly number[]>("perm") ??
    Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (isHost(value)) return transposeHost(value, order);
  return { ...value, axes: order.map((axis) => value.axes[axis]) };
};

const unsqueeze: Operator = (call) => {
  const value = call.value(0);
  const listed = call.integersOf("axes", 1) ?? [];
  const rank = shapeOfValue(value).length + listed.length;
  const places = listed.map((axis) => call.axis(axis, rank));
  const widen = <T>(list: readonly T[], narrow: T): T[] => {
    const rest = [...list];
    return Array.from({ length: rank }, (_, i) => places.includes(i) ? narrow : rest.shift()!);
  };
  if (isHost(value)) return { ...value, shape: widen(value.shape, 1) };
  return { ...value, axes: widen<readonly number[]>(value.axes, []) };
};

const squeeze: Operator = (call) => {
  const value = call.value(0);
  const sizes = shapeOfValue(value);
  const axes = call.integersOf("axes", 1)?.map((axis) => call.axis(axis, sizes.length)) ??
    sizes.flatMap((size, axis) => size === 1 ? [axis] : []);
  const wide = axes.find((axis) => sizes[axis] !== 1);
  if (wide !== undefined) {
    throw call.fail(`size ${describeSizes([sizes[wide]])} at axis ${wide}`, "1");
  }
  const isKept = (_: unknown, axis: number) => !axes.includes(axis);
  if (isHost(value)) return { ...value, shape: value.shape.filter(isKept) };
  return { ...value, axes: value.axes.filter(isKept) };
};

/** Takes a part of an axis. */
function takeRange(call: Call, value: Value, axis: number, wanted: Range): Value {
  if (isHost(value)) return sliceHost(value, axis, wanted);
  const size = shapeOf(value)[axis];
  const { begin, end, step } = clampRange(wanted, size);
  if (begin === 0 && end === size && step === 1) return value;
  if (step < 1) throw call.fail(`step ${step}`, "at least 1");
  const { view, physical: [at] } = settle(value, [axis]);
  const sizes = view.sizes.with(at, Math.ceil((end - begin) / step));
  if (sizes[at] < 1) throw call.fail(`no element of axis ${axis}`, "at least one");
  return {
    ...view,
    sizes,
    step: new Step([view.step], (layers, [x]) => layers.slice(x, at, begin, end, step)),
  };
}

const slice: Operator = (call) => {
  const begins = call.host(1).data;
  const ends = call.host(2).data;
  const axes = call.has(3) ? call.host(3).data : begins.map((_, i) => i);
  const steps = call.has(4) ? call.host(4).data : begins.map(() => 1);
  return axes.reduce((value: Value, given, i) => {
    const axis = call.axis(given, shapeOfValue(value).length);
    return takeRange(call, value, axis, { begin: begins[i], end: ends[i], step: steps[i] });
  }, call.value(0));
};

const splitNode: Operator = (call) => {
  const value = call.value(0);
  const sizes = shapeOfValue(value);
  const axis = call.axis(call.attribute<number>("axis") ?? 0, sizes.length);
  const parts = call.node.outputs.length;
  const each = Math.ceil(sizes[axis] / parts);
  const lengths = call.integersOf("split", 1) ??
    Array.from({ length: parts }, (_, i) => Math.min(each, sizes[axis] - i * each));
  let begin = 0;
  return lengths.map((length) => {
    const end = begin + length;
    const part = takeRange(call, value, axis, { begin, end, step: 1 });
    begin = end;
    return part;
  });
};

const gather: Operator = (call) => {
  const value = call.value(0);
  const sizes = shapeOfValue(value);
  const axis = call.axis(call.attribute<number>("axis") ?? 0, sizes.length);
  const indices = call.host(1);
  if (isHost(value)) return gatherHost(value, indices, axis);
  if (indices.shape.length > 1) {
    throw call.fail(`indices of shape [${describeSizes(indices.shape)}]`, "one index or a list");
  }
  const positive = indices.data.map((index) => index < 0 ? index + sizes[axis] : index);
  const parts = positive.map((begin) =>
    takeRange(call, value, axis, { begin, end: begin + 1, step: 1 }) as View
  );
  if (indices.shape.length === 1) return joinViews(parts, axis);
  return { ...parts[0], axes: parts[0].axes.filter((_, i) => i !== axis) };
};

/** Joins tensors along an axis. */
function joinViews(views: readonly View[], axis: number): View {
  if (views.length === 1) return views[0];
  const settled = views.map((view) => settle(view, [axis]).view);
  const total = settled.reduce((sum, view) => sum + shapeOf(view)[axis], 0);
  const { steps, sizes, axes } = align(settled, axis);
  const [at] = axes[axis];
  const step = new Step(steps, (layers, parts) => layers.concat(parts, at));
  return { step, sizes: sizes.with(at, total), axes };
}

const concat: Operator = (call) => {
  const values = call.node.inputs.map((_, i) => call.value(i));
  const axis = call.axis(call.attribute<number>("axis") ?? 0, shapeOfValue(values[0]).length);
  if (values.every(isHost)) return concatHost(values, axis);
  return joinViews(values.map((_, i) => call.view(i)), axis);
};

/** Repeats a tensor along axes of size 1, to a shape that both broadcast to. */
export function expandView(call: Call, value: View, wanted: readonly number[]): View {
  const rank = Math.max(wanted.length, value.axes.length);
  const axes = [...Array(rank - value.axes.length).fill([]), ...value.axes];
  return wanted.reduce((view: View, size, i) => {
    const axis = rank - wanted.length + i;
    if (size === 1 || shapeOf(view)[axis] !== 1) return view;
    const isSamples = size === SAMPLES || (axis === 0 && size === call.fixedSamples);
    if (isSamples && findSamples(view) < 0) return { ...view, axes: view.axes.with(axis, [0]) };
    if (size >= SAMPLES) throw new ViewError("samples at two axes");
    return joinViews(Array(size).fill(view), axis);
  }, { ...value, axes });
}

const expand: Operator = (call) => {
  const value = call.value(0);
  const wanted = call.host(1).data;
  return isHost(value) ? expandHost(value, wanted) : expandView(call, value, wanted);
};

const pad: Operator = (call) => {
  const view = call.view(0);
  const rank = view.axes.length;
  if ((call.attribute<string>("mode") ?? "constant") !== "constant") {
    throw call.fail(`padding by '${call.attribute<string>("mode")}'`, "by a constant");
  }
  const amounts = call.integersOf("pads", 1) ?? [];
  const value = call.number(2, call.attribute<number>("value") ?? 0);
  const listed = call.has(3)
    ? call.host(3).data.map((axis) => call.axis(axis, rank))
    : view.axes.map((_, axis) => axis);
  const sides = new Map(
    listed.map((axis, i) => [axis, [amounts[i], amounts[i + listed.length]] as const]),
  );
  const padded = [...sides].filter(([, [before, after]]) => before !== 0 || after !== 0);
  if (padded.length === 0) return view;
  const { view: settled, physical } = settle(view, padded.map(([axis]) => axis));
  const pads = settled.sizes.slice(1).map((_, i) => {
    const at = physical.indexOf(i + 1);
    return at < 0 ? [0, 0] as const : padded[at][1];
  });
  return {
    ...settled,
    sizes: settled.sizes.map((size, i) => i === 0 ? size : size + pads[i - 1][0] + pads[i - 1][1]),
    step: new Step([settled.step], (layers, [x]) => layers.pad(x, pads, value)),
  };
};

/** Reduces axes on the device or on the host. */
function reduction(
  run: "mean" | "sum",
  onHost: (values: readonly number[]) => number,
): Operator {
  return (call) => {
    const value = call.value(0);
    const rank = shapeOfValue(value).length;
    const listed = call.integersOf("axes", 1);
    if (listed?.length === 0 && call.attribute<number>("noop_with_empty_axes") === 1) return value;
    const axes = (listed?.length ? listed : Array.from({ length: rank }, (_, i) => i))
      .map((axis) => call.axis(axis, rank));
    const keep = (call.attribute<number>("keepdims") ?? 1) === 1;
    if (isHost(value)) return reduceHost(value, axes, keep, onHost);
    return reduceView(
      value,
      axes,
      keep,
      (layers, x, physical) => layers[run](x, physical, { keep: true }),
    );
  };
}

/** Reduces axes to one element each by a function of physical axes that keeps them. */
export function reduceView(
  view: View,
  axes: readonly number[],
  keep: boolean,
  run: (
    layers: Parameters<Step["run"]>[0],
    x: Parameters<Step["run"]>[1][0],
    physical: number[],
  ) => ReturnType<Step["run"]>,
): View {
  if (axes.some((axis) => view.axes[axis].includes(0))) {
    throw new ViewError("samples that act on one another");
  }
  const physical = axes.flatMap((axis) => view.axes[axis]).sort((a, b) => a - b);
  const left = keep
    ? view.axes.map((list, axis) => axes.includes(axis) ? [] : list)
    : view.axes.filter((_, axis) => !axes.includes(axis));
  if (physical.length === 0) return { ...view, axes: left };
  return {
    step: new Step([view.step], (layers, [x]) => run(layers, x, physical)),
    sizes: view.sizes.map((size, axis) => physical.includes(axis) ? 1 : size),
    axes: left,
  };
}

/** `sqrt(sum of squares)`. */
const reduceL2: Operator = (call) => {
  const view = call.view(0);
  const rank = view.axes.length;
  const axes = (call.integersOf("axes", 1) ?? view.axes.map((_, axis) => axis))
    .map((axis) => call.axis(axis, rank));
  const keep = (call.attribute<number>("keepdims") ?? 1) === 1;
  return reduceView(
    view,
    axes,
    keep,
    (layers, x, physical) => layers.sqrt(layers.sum(layers.square(x), physical, { keep: true })),
  );
};

function sumOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function onHostAlone(reduce: (values: readonly number[]) => number): Operator {
  return (call) => {
    const value = call.host(0);
    const { length: rank } = value.shape;
    const axes = call.integersOf("axes", 1)?.map((axis) => call.axis(axis, rank)) ??
      value.shape.map((_, axis) => axis);
    return reduceHost(value, axes, (call.attribute<number>("keepdims") ?? 1) === 1, reduce);
  };
}

/** Operators on shapes and axes, by their names. */
export const SHAPES: Readonly<Record<string, Operator>> = {
  Shape: shape,
  Size: (call) => integers([countElements(shapeOfValue(call.value(0)))], []),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  Reshape: reshapeNode,
  Flatten: flatten,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Squeeze: squeeze,
  Slice: slice,
  Split: splitNode,
  Gather: gather,
  Concat: concat,
  Expand: expand,
  Pad: pad,
  ReduceMean: reduction("mean", (values) => sumOf(values) / values.length),
  ReduceSum: reduction("sum", sumOf),
  ReduceL2: reduceL2,
  ReduceProd: onHostAlone((values) => countElements(values)),
  ReduceMax: onHostAlone((values) => Math.max(...values)),
  ReduceMin: onHostAlone((values) => Math.min(...values)),
};
