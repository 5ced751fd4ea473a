/**
 * Operators with weights, pooling and norms.
 *
 * @module
 */
import { countElements } from "../../formats/shape.ts";
import type { OnnxTensor } from "../../formats/onnx.ts";
import type { WeightTensor } from "../../formats/safetensors.ts";
import { type Call, isHost } from "../call.ts";
import { isExporterName } from "../graph.ts";
import { findUniform } from "../host.ts";
import { stem } from "../layer_names.ts";
import {
  arrange,
  describeSizes,
  findSamples,
  reshape,
  SAMPLES,
  settle,
  shapeOf,
  Step,
  type View,
  ViewError,
  viewPlain,
} from "../view.ts";
import { apply, combine, type Operator } from "./arithmetic.ts";
import { reduceView } from "./shapes.ts";

/** Reads a weight as it stands in the file. */
function readTensor(tensor: OnnxTensor): WeightTensor {
  return { shape: [...tensor.shape], data: Float32Array.from(tensor.read()) };
}

/** Reads a matrix `[in, out]` as `[out, in]`. */
function readTransposed(tensor: OnnxTensor): WeightTensor {
  const [inputs, outputs] = tensor.shape;
  const data = tensor.read();
  const turned = new Float32Array(inputs * outputs);
  for (let i = 0; i < inputs; i++) {
    for (let o = 0; o < outputs; o++) turned[o * inputs + i] = data[i * outputs + o];
  }
  return { shape: [outputs, inputs], data: turned };
}

/** Lays a tensor out with one axis as the last physical one, and all others in the order in which they stand. */
function layLast(view: View, axis: number): { readonly step: Step; readonly view: View } {
  const { view: settled, physical: [last] } = settle(view, [axis]);
  const others = settled.sizes.flatMap((size, i) => i > 0 && size > 1 && i !== last ? [i] : []);
  const groups = [...others.map((i) => [i]), [last]];
  const step = arrange(settled, groups);
  const places = new Map(groups.map(([old], i) => [old, i + 1]));
  return {
    step,
    view: {
      step,
      sizes: [SAMPLES, ...groups.map(([old]) => settled.sizes[old])],
      axes: settled.axes.map((list) =>
        list.flatMap((old) => old === 0 ? [0] : places.get(old) ?? [])
      ),
    },
  };
}

/** A dense layer over the last axis. */
function dense(call: Call): View | undefined {
  const { layer } = call;
  if (!layer) return undefined;
  const x = call.view(0);
  const { step, view } = layLast(x, x.axes.length - 1);
  const { weight, isTransposed, bias } = layer;
  const [units, inputs] = isTransposed ? weight.shape.toReversed() : weight.shape;
  if (view.sizes.at(-1) !== inputs) {
    throw call.fail(
      `${view.sizes.at(-1)} inputs for a weight [${weight.shape.join(", ")}]`,
      `${inputs}`,
    );
  }
  const name = call.own(layer.name, weight.name);
  const product = new Step(
    [step],
    (layers, [x]) => layers.dense(name, x, units, { bias: bias !== undefined }),
    () => [
      [`${name}.weight`, isTransposed ? readTransposed(weight) : readTensor(weight)],
      ...bias ? [[`${name}.bias`, readTensor(bias)] as const] : [],
    ],
  );
  return { ...view, step: product, sizes: view.sizes.with(-1, units) };
}

const plus: Parameters<typeof combine>[2] = (layers, x, y) => layers.add(x, y);

/** Adds the bias at an input, unless the layer has it. */
function addBias(call: Call, view: View, input: number): View {
  if (!call.has(input) || call.layer?.bias !== undefined) return view;
  const value = call.value(input);
  if (!isHost(value)) return combine(view, value, plus);
  const number = call.number(input, 0);
  return number === 0 ? view : apply(view, (layers, x) => layers.add(x, number));
}

const gemm: Operator = (call) => {
  for (const [name, usual] of [["alpha", 1], ["beta", 1], ["transA", 0]] as const) {
    const value = call.attribute<number>(name) ?? usual;
    if (value !== usual) throw call.fail(`${name} ${value}`, `${usual}`);
  }
  const product = dense(call);
  if (product) return addBias(call, product, 2);
  const weight = call.view(1);
  const turned = call.attribute<number>("transB") === 1
    ? { ...weight, axes: weight.axes.toReversed() }
    : weight;
  return addBias(call, multiplyViews(call.view(0), turned), 2);
};

const matmul: Operator = (call) =>
  addBias(call, dense(call) ?? multiplyViews(call.view(0), call.view(1)), 2);

/**
 * Multiplies two tensors over the last axis of the first and the last but one of the second. Samples may stand at a leading axis of both, or
 * among the rows or columns of one; then the other is the same for all of them.
 */
function multiplyViews(first: View, second: View): View {
  if (first.axes.length < 2 || second.axes.length < 2) {
    throw new ViewError("a product with a vector");
  }
  const [x, y] = [settleInner(first, -1), settleInner(second, -2)];
  const leads = [x, y].map((view) => ({ ...view, axes: view.axes.slice(0, -2) }));
  const [hasX, hasY] = leads.map(({ axes, sizes }) =>
    axes.flat().some((axis) => axis === 0 || sizes[axis] > 1)
  );
  const rowsX = listWide(x, -2);
  const columnsY = listWide(y, -1);
  const samplesApart = findSamples(x) >= 0 && findSamples(y) >= 0 &&
    !(hasX && hasY && leads.every((lead) => findSamples(lead) >= 0));
  if (samplesApart) throw new ViewError("samples that act on one another");
  if (hasX && hasY) return multiplyBatched(x, y, leads, rowsX, columnsY);
  // leading axes that one side alone has are more of its rows or columns
  const leadX = leads[0].axes.flat().filter((axis) => axis > 0 && x.sizes[axis] > 1);
  const leadY = leads[1].axes.flat().filter((axis) => axis > 0 && y.sizes[axis] > 1);
  const rows = [...leadX, ...rowsX];
  const columns = [...leadY, ...columnsY];
  const inner = [listWide(x, -1), listWide(y, -2)];
  const steps = [arrange(x, [rows, inner[0]]), arrange(y, [inner[1], columns])];
  const product = new Step(steps, (layers, [x, y]) => layers.matmul(x, y));
  const sizes = [...rows.map((axis) => x.sizes[axis]), ...columns.map((axis) => y.sizes[axis])];
  const step = new Step([product], (layers, [z]) => layers.reshape(z, sizes));
  const placeX = (axis: number) => axis === 0 ? 0 : 1 + rows.indexOf(axis);
  const placeY = (axis: number) => axis === 0 ? 0 : 1 + rows.length + columns.indexOf(axis);
  const wideX = (list: readonly number[]) => list.filter((axis) => axis === 0 || x.sizes[axis] > 1);
  const wideY = (list: readonly number[]) => list.filter((axis) => axis === 0 || y.sizes[axis] > 1);
  const lead = hasY
    ? leads[1].axes.map((list) => wideY(list).map(placeY))
    : leads[0].axes.map((list) => wideX(list).map(placeX));
  const isFlat = sizes.length === 0;
  return {
    step: isFlat ? product : step,
    sizes: [SAMPLES, ...isFlat ? [1, 1] : sizes],
    axes: [...lead, wideX(x.axes.at(-2)!).map(placeX), wideY(y.axes.at(-1)!).map(placeY)],
  };
}

/** Multiplies tensors that both have leading axes, which must be alike. */
function multiplyBatched(
  x: View,
  y: View,
  leads: readonly View[],
  rows: readonly number[],
  columns: readonly number[],
): View {
  const wide = leads.map((lead) => describeSizes(shapeOf(lead).filter((size) => size !== 1)));
  if (wide[0] !== wide[1]) throw new ViewError(`leading axes [${wide[0]}] and [${wide[1]}]`);
  // the leading axes become one each, but for the samples among them
  const one = (view: View) => {
    const list = view.axes.slice(0, -2).flat().filter((axis) => axis > 0 && view.sizes[axis] > 1);
    return list;
  };
  const listX = one(x);
  const steps = [
    arrange(x, [listX, rows, listWide(x, -1)]),
    arrange(y, [one(y), listWide(y, -2), columns]),
  ];
  const product = new Step(steps, (layers, [x, y]) => layers.matmul(x, y));
  const sizes = [
    ...listX.map((axis) => x.sizes[axis]),
    countElements(rows.map((axis) => x.sizes[axis])),
    countElements(columns.map((axis) => y.sizes[axis])),
  ];
  const step = listX.length === 1
    ? product
    : new Step([product], (layers, [z]) => layers.reshape(z, sizes));
  const place = (axis: number) => axis === 0 ? 0 : 1 + listX.indexOf(axis);
  const isWide = (axis: number) => axis === 0 || x.sizes[axis] > 1;
  const lead = leads[0].axes.map((list) => list.filter(isWide).map(place));
  const whole = {
    step,
    sizes: [SAMPLES, ...sizes],
    axes: [...lead, [sizes.length - 1], [sizes.length]],
  };
  return whole;
}

function listWide({ axes, sizes }: View, axis: number): number[] {
  return axes.at(axis)!.filter((physical) => physical > 0 && sizes[physical] > 1);
}

/** Refuses samples at the axis that a product sums over. */
function settleInner(view: View, axis: number): View {
  if (view.axes.at(axis)!.includes(0)) throw new ViewError("samples that act on one another");
  return view;
}

/** Geometry of a window that moves over an image. */
interface Window {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Top, right, bottom, left. */
  readonly pad: readonly [number, number, number, number];
  readonly outputs: readonly [number, number];
}

type Pair = readonly [number, number];

/** Reads how a window moves over an image of this size. */
function readWindow(call: Call, image: Pair, size: Pair, ceil = false): Window {
  const pair = (name: string, missing: Pair): Pair =>
    (call.attribute<readonly number[]>(name) ?? missing) as Pair;
  const stride = pair("strides", [1, 1]);
  const dilation = pair("dilations", [1, 1]);
  const given = call.attribute<readonly number[]>("pads") ?? [0, 0, 0, 0];
  const mode = call.attribute<string>("auto_pad") ?? "NOTSET";
  const reach = ([0, 1] as const).map((axis) => dilation[axis] * (size[axis] - 1) + 1);
  const sides = ([0, 1] as const).map((axis): Pair => {
    if (mode === "NOTSET") return [given[axis], given[axis + 2]];
    if (mode === "VALID") return [0, 0];
    const outputs = Math.ceil(image[axis] / stride[axis]);
    const total = Math.max((outputs - 1) * stride[axis] + reach[axis] - image[axis], 0);
    const less = Math.floor(total / 2);
    return mode === "SAME_UPPER" ? [less, total - less] : [total - less, less];
  });
  const outputs = ([0, 1] as const).map((axis) => {
    const [before, after] = sides[axis];
    const steps = (image[axis] + before + after - reach[axis]) / stride[axis];
    if (!ceil) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    // no window begins in the padding behind the image
    return (count - 1) * stride[axis] >= image[axis] + before ? count - 1 : count;
  });
  return {
    size,
    stride,
    dilation,
    pad: [sides[0][0], sides[1][1], sides[0][1], sides[1][0]],
    outputs: outputs as [number, number],
  };
}

/** A list as one number where all are the same, as a definition is written by hand. */
function shorten<T extends readonly number[]>(list: T): number | T {
  return list.every((value) => value === list[0]) ? list[0] : list;
}

/** Lays out images as `[N, H, W, C]`. */
function layImages(
  call: Call,
  input = 0,
): { readonly step: Step; readonly image: Pair; readonly channels: number } {
  const view = call.view(input);
  if (view.axes.length !== 4) {
    throw call.fail(`a tensor of ${view.axes.length} axes`, "images [N, C, H, W]");
  }
  const isSamples = view.axes[0].length === 1 && view.axes[0][0] === 0;
  if (!isSamples) {
    throw call.fail(
      `[${describeSizes(shapeOf(view))}], whose first axis is not the samples`,
      "images [N, C, H, W]",
    );
  }
  const [, channels, height, width] = shapeOf(view);
  const [, c, h, w] = view.axes;
  return { step: arrange(view, [h, w, c]), image: [height, width], channels };
}

function viewImages(step: Step, [height, width]: Pair, channels: number): View {
  return { ...viewPlain(step, [height, width, channels]), axes: [[0], [3], [1], [2]] };
}

const convolution: Operator = (call) => {
  const { layer } = call;
  if (!layer) {
    throw call.fail(
      call.tensor(1) ? "a weight that other nodes use too" : "a weight that is computed",
      "a weight of its own in floating point",
    );
  }
  const { weight, bias } = layer;
  if (weight.shape.length !== 4) {
    throw call.fail(`a weight of ${weight.shape.length} axes`, "a convolution over two");
  }
  const { step, image } = layImages(call);
  const [filters, , height, width] = weight.shape;
  const window = readWindow(call, image, [height, width]);
  const groups = call.attribute<number>("group") ?? 1;
  const name = call.own(layer.name, weight.name);
  const options = {
    filters,
    size: shorten(window.size),
    stride: shorten(window.stride),
    pad: shorten(window.pad),
    dilation: shorten(window.dilation),
    groups,
    bias: bias !== undefined,
  };
  const convolved = new Step(
    [step],
    (layers, [x]) => layers.convolution(name, x, options),
    () => [
      [`${name}.weight`, readTensor(weight)],
      ...bias ? [[`${name}.bias`, readTensor(bias)] as const] : [],
    ],
  );
  const view = viewImages(convolved, window.outputs, filters);
  if (!call.has(2) || bias) return view;
  const shared = call.view(2);
  return combine(view, { ...shared, axes: [...shared.axes, [], []] }, plus);
};

/** A norm by running statistics. */
const batchNorm: Operator = (call) => {
  const x = call.view(0);
  const tensors = [1, 2, 3, 4].map((input) => call.tensor(input));
  const [weight, bias, mean, variance] = tensors;
  if (!weight || !bias || !mean || !variance) {
    throw call.fail("a weight or statistics that are computed", "tensors of the file");
  }
  const { step, view } = layLast(x, 1);
  const epsilon = roundTo(call.attribute<number>("epsilon") ?? 1e-5);
  const name = call.own(
    weight.name.endsWith(".weight") ? stem(weight.name) : mean.name.replace(/\.running_mean$/, ""),
    mean.name,
  );
  const normalised = new Step(
    [step],
    (layers, [x]) => layers.batchNorm(name, x, { epsilon }),
    () => [
      [`${name}.weight`, readTensor(weight)],
      [`${name}.bias`, readTensor(bias)],
      [`${name}.running_mean`, readTensor(mean)],
      [`${name}.running_var`, readTensor(variance)],
    ],
  );
  return { ...view, step: normalised };
};

/** The decimal number that a float32 of the file was written as, such as 1e-5. */
function roundTo(value: number): number {
  return Number(value.toPrecision(7));
}

const times: Parameters<typeof combine>[2] = (layers, x, y) => layers.multiply(x, y);

/** Multiplies by the scale and adds the bias at two inputs, unless they are the constants 1 and 0. */
function scaleAndShift(call: Call, view: View, rank: number): View {
  const widen = (input: number) => {
    const value = call.view(input);
    return { ...value, axes: [...value.axes, ...Array(rank).fill([])] };
  };
  const isConstant = (input: number, usual: number) => {
    if (!call.has(input)) return true;
    const tensor = call.tensor(input);
    // a tensor of a module's own is a parameter, also where it is not trained yet
    if (tensor && !isExporterName(tensor.name)) return false;
    const value = tensor ? call.host(input) : call.value(input);
    return isHost(value) && findUniform(value) === usual;
  };
  let result = view;
  if (!isConstant(1, 1)) {
    const scale = widen(1);
    call.noteScale(scale);
    result = combine(result, scale, times);
  }
  return isConstant(2, 0) ? result : combine(result, widen(2), plus);
}

/** Normalises axes of each sample. */
function normalise(view: View, axes: readonly number[], epsilon: number): View {
  return reduceView(
    view,
    axes,
    true,
    (layers, x, physical) => layers.normalise(x, physical, { epsilon }),
  );
}

const layerNorm: Operator = (call) => {
  const x = call.view(0);
  const rank = x.axes.length;
  const first = call.axis(call.attribute<number>("axis") ?? -1, rank);
  const axes = Array.from({ length: rank - first }, (_, i) => first + i);
  const epsilon = roundTo(call.attribute<number>("epsilon") ?? 1e-5);
  const normalised = { ...normalise(x, axes, epsilon), sizes: x.sizes, axes: x.axes };
  return scaleAndShift(call, normalised, 0);
};

const instanceNorm: Operator = (call) => {
  const x = call.view(0);
  const axes = x.axes.flatMap((_, axis) => axis > 1 ? [axis] : []);
  const epsilon = roundTo(call.attribute<number>("epsilon") ?? 1e-5);
  const normalised = { ...normalise(x, axes, epsilon), sizes: x.sizes, axes: x.axes };
  return scaleAndShift(call, normalised, axes.length);
};

const softmax: Operator = (call) => {
  const x = call.view(0);
  const rank = x.axes.length;
  const isOld = call.opset < 13;
  const axis = call.axis(call.attribute<number>("axis") ?? (isOld ? 1 : -1), rank);
  if (!isOld || axis === rank - 1) return softmaxAt(x, axis);
  // before opset 13 all axes from this one on are one
  const merged = { ...x, axes: [...x.axes.slice(0, axis), x.axes.slice(axis).flat()] };
  return reshape(softmaxAt(merged, axis), shapeOf(x));
};

function softmaxAt(x: View, axis: number): View {
  const { view, physical: [at] } = settle(x, [axis]);
  return apply(view, (layers, x) => layers.softmax(x, at));
}

const pool = (kind: "maxPool" | "averagePool"): Operator => (call) => {
  const { step, image, channels } = layImages(call);
  const size = call.attribute<Pair>("kernel_shape")!;
  const ceil = call.attribute<number>("ceil_mode") === 1;
  const window = readWindow(call, image, size, ceil);
  if (shorten(window.dilation) !== 1) throw call.fail("a dilated window", "dilations of 1");
  const countPad = call.attribute<number>("count_include_pad") === 1;
  const isPadded = window.pad.some((side) => side !== 0);
  const options = {
    stride: shorten(window.stride),
    pad: shorten(window.pad),
    ceil,
    ...kind === "averagePool" && { countPad: countPad || !isPadded && !ceil },
  };
  const pooled = new Step([step], (layers, [x]) => layers[kind](x, shorten(size), options));
  return viewImages(pooled, window.outputs, channels);
};

const globalAverage: Operator = (call) => {
  const { step, channels } = layImages(call);
  const pooled = new Step([step], (layers, [x]) => layers.globalAverage(x));
  return { step: pooled, sizes: [SAMPLES, channels], axes: [[0], [1], [], []] };
};

const globalMax: Operator = (call) => {
  const { step, image, channels } = layImages(call);
  const size = shorten(image);
  const pooled = new Step([step], (layers, [x]) => layers.maxPool(x, size));
  return viewImages(pooled, [1, 1], channels);
};

/** Operators with weights, pooling and norms, by their names. */
export const LAYERS: Readonly<Record<string, Operator>> = {
  Conv: convolution,
  Gemm: gemm,
  MatMul: matmul,
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  InstanceNormalization: instanceNorm,
  Softmax: softmax,
  MaxPool: pool("maxPool"),
  AveragePool: pool("averagePool"),
  GlobalAveragePool: globalAverage,
  GlobalMaxPool: globalMax,
};
