/** Arithmetic, reductions and rearrangements of activations, forward and backward, against their float64 twins. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import {
  add,
  concat,
  divide,
  globalAverage,
  matmul,
  mean,
  multiply,
  normalise,
  pad,
  reshape,
  slice,
  softmax,
  subtract,
  sum,
  transpose,
} from "../../../engine/network/definition.ts";
import { type Activations, toActivations, toTensor } from "../../../engine/operations/features.ts";
import * as twin from "../../../engine/reference/arrays.ts";
import { assertClose } from "../../../engine/reference/numbers.ts";
import { type Numbers, permute, sizeOf, type Tensor } from "../../../engine/reference/tensor.ts";
import { drawNumbers } from "../gpu/open.ts";
import { testEngine } from "../open_engine.ts";

interface Case {
  readonly name: string;
  /** Shapes of the arguments. */
  readonly shapes: readonly (readonly number[])[];
  readonly compute: (...x: Activations[]) => Activations;
  readonly twin: (...x: Numbers[]) => Tensor;
  /** Draws arguments away from zero, as divisors need. */
  readonly isPositive?: true;
}

const shaped = (x: Tensor, shape: readonly number[]): Tensor => ({ shape, data: x.data });

/** Pairs of shapes along which either side is repeated. */
const BROADCASTS = [
  [[3, 4], [3, 4]],
  [[2, 3, 5, 4], [2, 1, 1, 4]],
  [[2, 1, 1, 4], [2, 3, 5, 4]],
  [[3, 1, 7], [3, 5, 1]],
  [[1, 2, 3, 2, 5], [1, 2, 1, 2, 1]],
  [[2, 1, 1, 1], [2, 7, 5, 1]],
];

const ARITHMETIC: Case[] = BROADCASTS.flatMap((shapes) =>
  ([
    ["add", add, (x: number, y: number) => x + y],
    ["subtract", subtract, (x: number, y: number) => x - y],
    ["multiply", multiply, (x: number, y: number) => x * y],
    ["divide", divide, (x: number, y: number) => x / y],
  ] as const).map(([name, compute, f]): Case => ({
    name: `${name} of ${shapes.map((shape) => shape.join("x")).join(" and ")}`,
    shapes,
    compute: (x, y) => compute(x, y),
    twin: (x, y) => twin.combine(x, y, f),
    isPositive: true,
  }))
);

const REDUCTIONS: Case[] = ([
  [[3, 5], [1]],
  [[2, 7, 3, 4], [1, 2]],
  [[2, 1, 1, 3], [1, 2]],
  [[2, 5, 3], [2]],
  [[2, 3, 4, 5, 2], [2, 4]],
  [[1, 301, 2], [1]],
] as const).flatMap(([shape, axes]): Case[] => [
  {
    name: `mean over ${axes} of ${shape.join("x")}`,
    shapes: [shape],
    compute: (x) => mean(x, axes, { keep: true }),
    twin: (x) => twin.mean(x, axes),
  },
  {
    name: `sum over ${axes} of ${shape.join("x")}`,
    shapes: [shape],
    compute: (x) => sum(x, axes.map((axis) => axis - shape.length)),
    twin: (x) =>
      shaped(twin.sum(x, axes), shape.filter((_, axis) => !axes.includes(axis as never))),
  },
  {
    name: `normalise over ${axes} of ${shape.join("x")}`,
    shapes: [shape],
    compute: (x) => normalise(x, axes, { epsilon: 0.01 }),
    twin: (x) => twin.normalise(x, axes, 0.01),
  },
  {
    name: `softmax over ${axes[0]} of ${shape.join("x")}`,
    shapes: [shape],
    compute: (x) => softmax(x, axes[0]),
    twin: (x) => twin.softmax(x, axes[0]),
  },
]);

const OTHERS: Case[] = [
  ...[[[2, 3, 5], [2, 5, 4]], [[1, 1, 7], [1, 7, 1]], [[2, 3, 9, 6], [2, 3, 6, 5]], [
    [1, 2, 29, 12],
    [1, 2, 12, 3],
  ]].map((shapes): Case => ({
    name: `matmul of ${shapes.map((shape) => shape.join("x")).join(" and ")}`,
    shapes,
    compute: (x, y) => matmul(x, y),
    twin: (x, y) => twin.matmul(x, y),
  })),
  {
    name: "globalAverage",
    shapes: [[2, 3, 5, 4]],
    compute: (x) => globalAverage(x as never),
    twin: (x) => shaped(twin.mean(x, [1, 2]), [2, 4]),
  },
  ...([[[2, 3, 4], [2, 1]], [[2, 3, 4, 5], [3, 1, 2]], [[2, 3, 1, 5, 2], [4, 2, 1, 3]], [
    [2, 2, 3, 2, 2, 3],
    [3, 5, 1, 2, 4],
  ]] as const).map(([shape, axes]): Case => ({
    name: `transpose ${axes} of ${shape.join("x")}`,
    shapes: [shape],
    compute: (x) => transpose(x, axes),
    twin: (x) => permute(x, [0, ...axes]),
  })),
  ...([[[[2, 3], [2, 1], [2, 5]], 1], [[[2, 3, 4, 1], [2, 2, 4, 1]], 1], [
    [[1, 2, 3, 2], [1, 2, 3, 5]],
    3,
  ]] as const).map(([shapes, axis]): Case => ({
    name: `concat along ${axis} of ${shapes.map((shape) => shape.join("x")).join(" and ")}`,
    shapes,
    compute: (...list) => concat(list, axis),
    twin: (...list) => twin.concat(list, axis),
  })),
  ...([
    [[2, 7], 1, 2, 5, 1],
    [[2, 7, 3], 1, 1, 7, 2],
    [[2, 7, 3], 1, 0, 7, 3],
    [[1, 2, 5, 4, 3], 2, 1, 4, 2],
    [[3, 4, 4, 2], 3, 1, 2, 1],
  ] as const).map(([shape, axis, begin, end, step]): Case => ({
    name: `slice ${begin} to ${end} by ${step} along ${axis} of ${shape.join("x")}`,
    shapes: [shape],
    compute: (x) => slice(x, axis, begin - (begin > 0 ? shape[axis]! : 0), Math.max(end, 1), step),
    twin: (x) => twin.slice(x, axis, begin, end, step),
  })),
  {
    name: "pad images by -2",
    shapes: [[2, 3, 4, 2]],
    compute: (x) => pad(x, [[1, 0], [2, 3], [0, 0]], -2),
    twin: (x) => twin.pad(x, [[0, 0], [1, 0], [2, 3], [0, 0]], -2),
  },
  {
    name: "pad vectors",
    shapes: [[3, 4]],
    compute: (x) => pad(x, [[0, 2]]),
    twin: (x) => twin.pad(x, [[0, 0], [0, 2]], 0),
  },
  {
    name: "reshape with an open size",
    shapes: [[2, 3, 4, 5]],
    compute: (x) => reshape(x, [6, -1]),
    twin: (x) => shaped(twin.pad(x, x.shape.map(() => [0, 0]), 0), [2, 6, 10]),
  },
];

for (
  const { name, shapes, compute, twin: reference, isPositive } of [
    ...ARITHMETIC,
    ...REDUCTIONS,
    ...OTHERS,
  ]
) {
  testEngine(`${name} agrees with its twin, forward and backward`, async () => {
    const inputs = shapes.map((shape, i) => {
      const data = drawNumbers(i + 1, sizeOf(shape));
      return { shape, data: isPositive ? data.map((value) => Math.abs(value) + 0.5) : data };
    });
    const expected = reference(...inputs);
    const dy = drawNumbers(9, expected.data.length);
    const tensors = inputs.map(({ shape, data }) => tf.tensor(data, [...shape]));
    const forward = (...x: tf.Tensor[]) =>
      toTensor(compute(...x.map((each) => toActivations<Activations>(each)))) as tf.Tensor;
    const cotangent = tf.tensor(dy, [...expected.shape]);
    const { value, grads } = tf.valueAndGrads(forward)(tensors, cotangent);
    // 32 roundings to float32 of 2^-23 each, of which sums of a few hundred terms in parts, a root and a quotient stay well below
    const bound = (values: ArrayLike<number>) => {
      const largest = Math.max(...Array.from(values, Math.abs));
      return () => 32 * 2 ** -23 * largest;
    };
    assertClose(await value.data(), expected.data, bound(expected.data), name);
    for (const [i, input] of inputs.entries()) {
      const partial = (x: Tensor) => reference(...inputs.map((own, k) => k === i ? x : own));
      const gradient = twin.differentiate(partial, input, dy).data;
      assertClose(await grads[i].data(), gradient, bound(gradient), `gradient ${i} of ${name}`);
    }
    tf.dispose([value, cotangent, ...grads, ...tensors]);
  });
}
