/**
 * Norms and softmax.
 *
 * @module
 */
import { type Call, isHost, type Operator } from "../call.ts";
import { EXPORT_LINE, isExporterName } from "../graph.ts";
import { findUniform } from "../host.ts";
import { stem } from "../layer_names.ts";
import { reshape, settle, shapeOf, Step, type View } from "../view.ts";
import { apply, combine } from "./arithmetic.ts";
import { layLast, plus, readTensor } from "./laying.ts";
import { reduceView } from "./shapes.ts";

/** A norm by running statistics. */
const batchNorm: Operator = (call) => {
  if (call.attribute<number>("training_mode") === 1) {
    throw call.fail("statistics of the batch", `running statistics; export it by ${EXPORT_LINE}`);
  }
  const x = call.view(0);
  const tensors = [1, 2, 3, 4].map((input) => call.tensor(input));
  const [weight, bias, mean, variance] = tensors;
  const isMade = (input: number) => {
    const tensor = call.tensor(input);
    return tensor ? isExporterName(tensor.name) : isHost(call.value(input));
  };
  const { step, view } = layLast(x, 1);
  const epsilon = roundTo(call.attribute<number>("epsilon") ?? 1e-5);
  if (isMade(1) && isMade(2) && mean && variance) {
    const [scale, shift] = [1, 2].map((input) => call.host(input).data);
    const [means, variances] = [mean, variance].map((tensor) => Array.from(tensor.read()));
    const factors = variances.map((value, c) => scale[c] / Math.sqrt(value + epsilon));
    const summands = means.map((value, c) => shift[c] - value * factors[c]);
    return { ...view, step: applyAffine(step, factors, summands) };
  }
  if (!weight || !bias || !mean || !variance) {
    throw call.fail("a weight or statistics that are computed", "tensors of the file");
  }
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

/** Multiplies channels, the last axis, by factors and adds summands, neither of which is a parameter: a norm with `affine=False`. */
function applyAffine(step: Step, factors: readonly number[], summands: readonly number[]): Step {
  return new Step([step], (layers, [x]) => {
    const widen = (values: readonly number[]) =>
      layers.constant(Float32Array.from(values), [
        ...Array<number>(x.shape.length - 2).fill(1),
        values.length,
      ]);
    return layers.add(layers.multiply(x, widen(factors)), widen(summands));
  });
}

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

/** Norms and softmax, by their names. */
export const NORMS: Readonly<Record<string, Operator>> = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  InstanceNormalization: instanceNorm,
  Softmax: softmax,
};
