/**
 * Dense layers and other products of matrices.
 *
 * @module
 */
import { countElements } from "../../formats/shape.ts";
import type { OnnxTensor } from "../../formats/onnx.ts";
import type { WeightTensor } from "../../formats/safetensors.ts";
import { type Call, isHost, type Operator } from "../call.ts";
import {
  arrange,
  describeSizes,
  findSamples,
  SAMPLES,
  shapeOf,
  Step,
  type View,
  ViewError,
} from "../view.ts";
import { apply, combine } from "./arithmetic.ts";
import { layLast, plus, readTensor } from "./laying.ts";

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
  call.rename(weight, `${name}.weight`);
  if (bias) call.rename(bias, `${name}.bias`);
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
  const [summed, other] = [shapeOf(x).at(-1)!, shapeOf(y).at(-2)!];
  if (summed !== other) throw new ViewError(`a product over ${summed} and ${other} elements`);
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

/** Multiplies tensors that both have leading axes, which must be alike; a tensor without samples is the same for all of them. */
function multiplyBatched(
  x: View,
  y: View,
  unequal: readonly View[],
  rows: readonly number[],
  columns: readonly number[],
): View {
  const rank = Math.max(...unequal.map(({ axes }) => axes.length));
  const leads = unequal.map((lead): View => ({
    ...lead,
    axes: [...Array(rank - lead.axes.length).fill([]), ...lead.axes],
  }));
  const [own, other] = leads.map((lead) => describeLead(lead));
  const places = leads.map(findSamples);
  const isOneOrder = places.includes(-1) || own.before === other.before;
  if (own.sizes !== other.sizes || !isOneOrder) {
    const [first, second] = leads.map((lead) => describeSizes(shapeOf(lead)));
    throw new ViewError(`leading axes [${first}] and [${second}]`);
  }
  const steps = [
    arrange(x, [own.axes, rows, listWide(x, -1)]),
    arrange(y, [other.axes, listWide(y, -2), columns]),
  ];
  const product = new Step(steps, (layers, [x, y]) => layers.matmul(x, y));
  const sizes = [
    ...own.axes.map((axis) => x.sizes[axis]),
    countElements(rows.map((axis) => x.sizes[axis])),
    countElements(columns.map((axis) => y.sizes[axis])),
  ];
  const step = own.axes.length === 1
    ? product
    : new Step([product], (layers, [z]) => layers.reshape(z, sizes));
  const place = (axis: number) => axis === 0 ? 0 : 1 + own.axes.indexOf(axis);
  const isWide = (axis: number) => axis === 0 || x.sizes[axis] > 1;
  const lead = leads[0].axes.map((list) => list.filter(isWide).map(place));
  const whole = places[0] < 0 && places[1] >= 0 ? lead.with(places[1], [0]) : lead;
  return {
    step,
    sizes: [SAMPLES, ...sizes],
    axes: [...whole, [sizes.length - 1], [sizes.length]],
  };
}

/** Describes leading axes without the samples: the physical axes, the sizes, and the number of elements before the samples. */
function describeLead({ axes, sizes }: View) {
  const flat = axes.flat();
  const sizesOf = (list: readonly number[]) =>
    countElements(list.filter((axis) => axis > 0).map((axis) => sizes[axis]));
  return {
    axes: flat.filter((axis) => axis > 0 && sizes[axis] > 1),
    sizes: axes.map(sizesOf).join(),
    before: sizesOf(flat.slice(0, flat.indexOf(0))),
  };
}

function listWide({ axes, sizes }: View, axis: number): number[] {
  return axes.at(axis)!.filter((physical) => physical > 0 && sizes[physical] > 1);
}

/** Refuses samples at the axis that a product sums over. */
function settleInner(view: View, axis: number): View {
  if (view.axes.at(axis)!.includes(0)) throw new ViewError("samples that act on one another");
  return view;
}

/** Operators that are products of matrices, by their names. */
export const PRODUCTS: Readonly<Record<string, Operator>> = { Gemm: gemm, MatMul: matmul };
