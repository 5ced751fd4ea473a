/**
 * Operators that act element by element.
 *
 * @module
 */
import type { Activations, Layers } from "../../network/definition.ts";
import { type Call, isHost, type Operator } from "../call.ts";
import { findUniform, mapHost } from "../host.ts";
import { align, Step, type View } from "../view.ts";
import { expandView } from "./shapes.ts";

/** Applies a function of one tensor, in whatever order its axes stand. */
export function apply(
  view: View,
  run: (layers: Layers, x: Activations) => Activations,
): View {
  return { ...view, step: new Step([view.step], (layers, [x]) => run(layers, x)) };
}

function unary(
  run: (layers: Layers, x: Activations) => Activations,
  onHost?: (value: number) => number,
): Operator {
  return (call) => {
    const value = call.value(0);
    if (isHost(value) && onHost) return mapHost([value], onHost);
    return apply(call.view(0), run);
  };
}

type Run = (layers: Layers, x: Activations, y: Activations | number) => Activations;

/** A function of two tensors, or of one and a number. */
interface Binary {
  readonly run: Run;
  /** The function with a number first. */
  readonly flipped: (layers: Layers, x: number, y: Activations) => Activations;
  readonly onHost: (x: number, y: number) => number;
}

/** Applies a function to two tensors, which are broadcast. */
export function combine(x: View, y: View, run: Run): View {
  const { steps, sizes, axes } = align([x, y]);
  return { step: new Step(steps, (layers, [x, y]) => run(layers, x, y)), sizes, axes };
}

function binary({ run, flipped, onHost }: Binary, isScaling = false): Operator {
  return (call) => {
    const [x, y] = [call.value(0), call.value(1)];
    if (isHost(x) && isHost(y)) return mapHost([x, y], onHost);
    if (!isHost(x) && isHost(y)) {
      const number = findUniform(y);
      const wide = expandView(call, x, y.shape);
      if (number !== undefined) return apply(wide, (layers, x) => run(layers, x, number));
    }
    if (isHost(x) && !isHost(y)) {
      const number = findUniform(x);
      const wide = expandView(call, y, x.shape);
      if (number !== undefined) return apply(wide, (layers, y) => flipped(layers, number, y));
    }
    const views = [call.view(0), call.view(1)] as const;
    if (isScaling) views.forEach((view) => call.noteScale(view));
    return combine(...views, run);
  };
}

const add: Binary = {
  run: (layers, x, y) => layers.add(x, y),
  flipped: (layers, x, y) => layers.add(y, x),
  onHost: (x, y) => x + y,
};
const subtract: Binary = {
  run: (layers, x, y) => layers.subtract(x, y),
  flipped: (layers, x, y) => layers.add(layers.negate(y), x),
  onHost: (x, y) => x - y,
};
const multiply: Binary = {
  run: (layers, x, y) => layers.multiply(x, y),
  flipped: (layers, x, y) => layers.multiply(y, x),
  onHost: (x, y) => x * y,
};
const divide: Binary = {
  run: (layers, x, y) => layers.divide(x, y),
  flipped: (layers, x, y) => layers.multiply(layers.reciprocal(y), x),
  onHost: (x, y) => x / y,
};

/** Divides; integers are rounded towards 0. */
const div: Operator = (call) => {
  const [x, y] = [call.value(0), call.value(1)];
  const isInteger = isHost(x) && isHost(y) && !x.isFloat && !y.isFloat;
  if (isInteger) return mapHost([x, y], (x, y) => Math.trunc(x / y));
  return binary(divide, true)(call);
};

/** Operators whose results are above 0 where their first input is. */
const KEEP_POSITIVE: readonly string[] = ["GlobalAveragePool", "ReduceMean", "Pow"];

/** Whether an input is known to be above 0: it is clipped, or means and powers of what is. */
function isPositive(call: Call, input: number): boolean {
  const maker = call.maker(input);
  if (maker?.node.operator === "Clip") {
    return maker.number(1, maker.attribute<number>("min") ?? 0) > 0;
  }
  return maker !== undefined && KEEP_POSITIVE.includes(maker.node.operator) && isPositive(maker, 0);
}

const pow: Operator = (call) => {
  const [x, y] = [call.value(0), call.value(1)];
  if (isHost(x) && isHost(y)) return mapHost([x, y], (x, y) => x ** y);
  if (!isHost(x) && !isHost(y) && isPositive(call, 0)) {
    call.noteScale(y);
    const exponent = combine(apply(x, (layers, x) => layers.log(x)), y, multiply.run);
    return apply(exponent, (layers, x) => layers.exp(x));
  }
  const exponent = call.number(1, 1);
  const base = expandView(call, call.view(0), call.host(1).shape);
  if (exponent === 2) return apply(base, (layers, x) => layers.square(x));
  if (exponent === 0.5) return apply(base, (layers, x) => layers.sqrt(x));
  return apply(base, (layers, x) => layers.power(x, exponent));
};

/** Largest number of float32, for a bound that is left out. */
const LARGEST = 3.4028234663852886e38;

const clip: Operator = (call) => {
  const least = call.number(1, call.attribute<number>("min") ?? -LARGEST);
  const most = call.number(2, call.attribute<number>("max") ?? LARGEST);
  const value = call.value(0);
  if (isHost(value)) return mapHost([value], (x) => Math.min(Math.max(x, least), most));
  if (least === 0 && most === 6) return apply(value, (layers, x) => layers.relu6(x));
  if (least === 0 && most >= LARGEST) return apply(value, (layers, x) => layers.relu(x));
  return apply(value, (layers, x) => layers.clip(x, least, most));
};

const hardSigmoid: Operator = (call) => {
  const alpha = call.attribute<number>("alpha") ?? 0.2;
  const beta = call.attribute<number>("beta") ?? 0.5;
  if (alpha === Math.fround(1 / 6) && beta === 0.5) {
    return apply(call.view(0), (layers, x) => layers.hardSigmoid(x));
  }
  return apply(
    call.view(0),
    (layers, x) => layers.clip(layers.add(layers.multiply(x, alpha), beta), 0, 1),
  );
};

const selu: Operator = (call) => {
  const alpha = call.attribute<number>("alpha") ?? 1.6732632423543772;
  const gamma = call.attribute<number>("gamma") ?? 1.0507009873554805;
  return apply(call.view(0), (layers, x) => layers.multiply(layers.elu(x, alpha), gamma));
};

/** `max(x, 0) - slope * max(-x, 0)`, with a slope that is a parameter. */
const prelu: Operator = (call) => {
  const x = call.view(0);
  const negative = apply(x, (layers, x) => layers.relu(layers.negate(x)));
  const scaled = combine(negative, call.view(1), multiply.run);
  return combine(apply(x, (layers, x) => layers.relu(x)), scaled, subtract.run);
};

const gelu: Operator = (call) => {
  if (call.attribute<string>("approximate") === "tanh") {
    throw call.fail("the approximation by tanh", "the exact GELU; use nn.GELU() as it is");
  }
  return apply(call.view(0), (layers, x) => layers.gelu(x));
};

/** Leaves integers as they are, and rounds what becomes one. */
const cast: Operator = (call) => {
  const value = call.value(0);
  const isFloat = [1, 10, 11, 16].includes(call.attribute<number>("to") ?? 1);
  if (isHost(value)) return mapHost([value], (x) => isFloat ? x : Math.trunc(x), isFloat);
  if (isFloat) return value;
  throw call.fail("a rounding to integers of what depends on the samples", "floating point");
};

/** Drops elements in training steps; kernels leave it out. */
const dropout: Operator = (call) => {
  const share = call.number(1, call.attribute<number>("ratio") ?? 0.5);
  return share === 0 ? call.value(0) : apply(call.view(0), (layers, x) => layers.dropout(x, share));
};

/** A function of host tensors alone. */
function onHost(run: (...values: number[]) => number): Operator {
  return (call) => mapHost(call.node.inputs.map((_, i) => call.host(i)), run, false);
}

/** The larger of two tensors: `y + relu(x - y)`. The derivative where they are equal is `y`'s. */
const maximum: Operator = (call) => {
  const values = call.node.inputs.map((_, i) => call.value(i));
  if (values.length !== 2 || values.some(isHost) || call.tensor(0) || call.tensor(1)) {
    return onHost(Math.max)(call);
  }
  const [x, y] = [call.view(0), call.view(1)];
  const difference = combine(x, y, subtract.run);
  return combine(apply(difference, (layers, x) => layers.relu(x)), y, add.run);
};

/** Operators that act element by element, by their names. */
export const ARITHMETIC: Readonly<Record<string, Operator>> = {
  Add: binary(add),
  Sub: binary(subtract),
  Mul: binary(multiply, true),
  Div: div,
  Pow: pow,
  Neg: unary((layers, x) => layers.negate(x), (x) => -x),
  Abs: unary((layers, x) => layers.absolute(x), Math.abs),
  Sqrt: unary((layers, x) => layers.sqrt(x), Math.sqrt),
  Exp: unary((layers, x) => layers.exp(x), Math.exp),
  Log: unary((layers, x) => layers.log(x), Math.log),
  Reciprocal: unary((layers, x) => layers.reciprocal(x), (x) => 1 / x),
  Relu: unary((layers, x) => layers.relu(x)),
  Sigmoid: unary((layers, x) => layers.sigmoid(x)),
  Tanh: unary((layers, x) => layers.tanh(x)),
  Erf: unary((layers, x) => layers.erf(x)),
  Softplus: unary((layers, x) => layers.softplus(x)),
  HardSwish: unary((layers, x) => layers.hardSwish(x)),
  Silu: unary((layers, x) => layers.silu(x)),
  Gelu: gelu,
  HardSigmoid: hardSigmoid,
  LeakyRelu: (call) => {
    const slope = call.attribute<number>("alpha") ?? 0.01;
    return apply(call.view(0), (layers, x) => layers.leakyRelu(x, slope));
  },
  Elu: (call) => {
    const alpha = call.attribute<number>("alpha") ?? 1;
    return apply(call.view(0), (layers, x) => layers.elu(x, alpha));
  },
  Selu: selu,
  PRelu: prelu,
  Clip: clip,
  Cast: cast,
  Dropout: dropout,
  Identity: (call) => call.value(0),
  Min: onHost(Math.min),
  Max: maximum,
  Mod: onHost((x, y) => x - y * Math.floor(x / y)),
  Floor: onHost(Math.floor),
  Ceil: onHost(Math.ceil),
  Equal: onHost((x, y) => Number(x === y)),
  Less: onHost((x, y) => Number(x < y)),
  LessOrEqual: onHost((x, y) => Number(x <= y)),
  Greater: onHost((x, y) => Number(x > y)),
  GreaterOrEqual: onHost((x, y) => Number(x >= y)),
  Not: onHost((x) => Number(!x)),
  And: onHost((x, y) => Number(x && y)),
  Or: onHost((x, y) => Number(x || y)),
  Where: onHost((condition, x, y) => condition ? x : y),
};
