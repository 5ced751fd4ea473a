/** Arguments of the operations over windows and axes: a mistake is refused by its name, and what is accepted has the right shape. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import fc from "fast-check";
import { DataError, LayerError } from "../../../engine/errors.ts";
import { operations } from "../../../engine/network/definition.ts";
import { testEngine } from "../open_engine.ts";

/** Operations without types, to be called as nobody should. */
// deno-lint-ignore no-explicit-any
const loose = operations as unknown as Record<string, (...args: any[]) => tf.Tensor>;

testEngine("an axis, window or bound that cannot be is refused with its mend", async () => {
  const images = tf.zeros([2, 8, 7, 3]);
  const flat = tf.zeros([2, 6]);
  const refused: [name: string, args: unknown[], option: string, says: string][] = [
    ["softmax", [images, 0], "axis", "axis 0, the samples, need an axis of each sample, from 1 on"],
    ["softmax", [images, -4], "axis", "axis -4 of [N, 8, 7, 3], need axes from 1 to 3"],
    ["softmax", [images, 4], "axis", "axis 4"],
    ["mean", [images, [1, 0]], "axes", "axes 0, the samples"],
    ["mean", [images, [1, -3]], "axes", "each once"],
    ["mean", [images, []], "axes", "a list of axes"],
    ["mean", [images, 1], "axes", "a list of axes"],
    ["sum", [images, [1], { keep: 1 }], "keep", "true or false"],
    ["normalise", [images, [1, 5]], "axes", "axis 5"],
    ["normalise", [images, [1], { epsilon: -1 }], "epsilon", "at least 0"],
    ["concat", [[images, images], 0], "axis", "axis 0, the samples"],
    ["concat", [[], 1], "list", "a list of activations"],
    ["concat", [[images, 5], 1], "list", "5"],
    ["slice", [images, 0, 0, 1], "axis", "axis 0, the samples"],
    ["slice", [images, 1, 3, 3], "end", "need at least one"],
    ["slice", [images, 1, 3, 0, -1], "step", "from 1 to"],
    ["pad", [images, [[1, 1]]], "pads", "1 pairs for [N, 8, 7, 3], need one for each axis"],
    ["pad", [images, [[1, -1], [0, 0], [0, 0]]], "pads", "a whole number from 0"],
    ["transpose", [images, [1, 2]], "axes", "each axis after the samples once"],
    ["transpose", [images, [0, 2, 3, 1]], "axes", "axes 0, the samples"],
    ["reshape", [images, [8, 8]], "shape", "need 168 elements a sample"],
    ["reshape", [images, [-1, 5]], "shape", "need 168 elements a sample"],
    ["clip", [images, 2, 1], "most", "most 1, need at least 2"],
    ["power", [images, 65], "exponent", "from -64 to 64"],
    ["maxPool", [images, 9], "size", "size 9 on 8 x 7 pixels, need at most 7; lower size"],
    ["maxPool", [images, 3, { pad: 3 }], "pad", "pad 3 beside size 3, need less than the size"],
    ["maxPool", [images, 3, { pad: [1, 2, 3] }], "pad", "[top, right, bottom, left]"],
    ["averagePool", [images, 3, { stride: 0 }], "stride", "from 1 to 1024"],
    ["averagePool", [images, 3, { countPad: 1 }], "countPad", "true or false"],
    ["adaptiveAveragePool", [images, [3]], "size", "as number or [height, width]"],
    ["leakyRelu", [images, NaN], "slope", "a finite number"],
    ["elu", [images, "1"], "alpha", "a finite number"],
    ["add", [images, NaN], "y", "a finite number"],
  ];
  for (const [name, args, option, says] of refused) {
    const { numTensors } = tf.memory();
    assert.throws(() => loose[name](...args), (error) => {
      assert.ok(error instanceof LayerError, `${name}: ${error}`);
      assert.deepEqual([error.layer, error.option], [name, option], error.message);
      assert.match(error.message, /^Cannot use [^\n]+: got [^\n]+, need [^\n]+$/);
      assert.ok(error.message.includes(says), error.message);
      return true;
    });
    assert.equal(tf.memory().numTensors, numTensors, `${name} leaves nothing`);
  }
  const misshapen: [name: string, args: unknown[], says: RegExp][] = [
    ["multiply", [images, flat], /^Cannot multiply: got \[N, 8, 7, 3\] and \[N, 6\], need/],
    ["divide", [images, tf.zeros([2, 4, 7, 3])], /^Cannot divide: got .*, need branches/],
    ["subtract", [flat, tf.zeros([1, 6])], /^Cannot subtract: got \[2, 6\] and \[1, 6\], need/],
    ["matmul", [images, images], /^Cannot matmul: got .*need \[N, \.\.\., A, B\]/],
    ["matmul", [flat, flat], /^Cannot matmul/],
    ["concat", [[images, flat], 1], /^Cannot concat: got .*need one shape but for axis 1$/],
  ];
  tf.tidy(() => {
    for (const [name, args, message] of misshapen) {
      assert.throws(() => loose[name](...args), { name: DataError.prototype.name, message });
    }
  });
  tf.dispose([images, flat, misshapen[1][1][1], misshapen[2][1][1]] as tf.Tensor[]);
  await Promise.resolve();
});

const WILD = [undefined, null, NaN, -1, 0, 1.5, 9, 2 ** 40, "1", true, [], [1, 1, 1], {}];

/** Generates a value that mostly fits, or any. */
const mostly = (...right: unknown[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom<unknown>(...right) }, {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(...WILD),
  });

/** Whether a value is a whole number within bounds. */
function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** The two numbers that a value for both axes stands for; undefined where it is none. */
function toPair(value: unknown, least: number): [number, number] | undefined {
  const pair = Array.isArray(value) && value.length === 2 ? value : [value, value];
  return pair.every((n) => isWhole(n, least, 1023)) ? pair as [number, number] : undefined;
}

/** Shape that a pooling must give, by PyTorch's formula; undefined where it must be refused. */
function expectPooled(
  size: unknown,
  stride: unknown = size,
  pad: unknown = 0,
  ceil: unknown = false,
) {
  const sides = Array.isArray(pad) && pad.length === 4 ? pad : undefined;
  const [sizes, steps, pads] = [toPair(size, 1), toPair(stride, 1), toPair(pad, 0)];
  const isFlag = typeof ceil === "boolean";
  if (!sizes || !steps || !isFlag || !(sides || pads)) return undefined;
  const [top, right, bottom, left] = (sides ?? [...pads!, ...pads!]) as number[];
  const lengths = [8, 7].map((length, axis) => {
    const [before, after] = axis === 0 ? [top, bottom] : [left, right];
    if (!(Math.max(before, after) < sizes[axis])) return 0;
    const more = ceil ? steps[axis] - 1 : 0;
    const count = Math.floor((length + before + after - sizes[axis] + more) / steps[axis]) + 1;
    return ceil && (count - 1) * steps[axis] >= length + before ? count - 1 : count;
  });
  return lengths.every((length) => length > 0) ? [2, ...lengths, 3] : undefined;
}

testEngine(
  "seeded fuzz: a call is refused in one line, or gives the shape that it must",
  async () => {
    let [accepted, refused] = [0, 0];
    const judge = (name: string, args: unknown[], expected: readonly number[] | undefined) => {
      const label = `${name}(${JSON.stringify(args.slice(1))})`;
      try {
        const { shape } = loose[name](...args);
        assert.ok(expected, `accepted: ${label}`);
        assert.deepEqual(shape, [...expected], label);
        accepted++;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof LayerError, `${label}: ${error}`);
        assert.match(error.message, /^Cannot use [^\n]+: got [^\n]+, need [^\n]+$/);
        assert.ok(error.message.includes(name), error.message);
        assert.equal(expected, undefined, `${label}: ${error.message}`);
        refused++;
      }
    };
    const axis = mostly(1, 2, 3, -1, -2, -3);
    const toIndex = (value: unknown) => isWhole(value, -3, 3) && value !== 0 ? (value + 4) % 4 : 0;
    const bound = mostly(-20, -3, 0, 2, 5, 20);
    tf.tidy(() => {
      const x = tf.zeros([2, 8, 7, 3]);
      const shape = x.shape;
      fc.assert(
        fc.property(
          mostly(1, 2, 3, [2, 3]),
          mostly(undefined, 1, 2, [3, 1]),
          mostly(undefined, 0, 1, [1, 0], [0, 1, 1, 0]),
          mostly(undefined, true, false),
          (size, stride, pad, ceil) => {
            const expected = expectPooled(size, stride, pad, ceil);
            for (const name of ["maxPool", "averagePool"]) {
              judge(name, [x, size, { stride, pad, ceil }], expected);
            }
            const outputs = toPair(size, 1);
            judge("adaptiveAveragePool", [x, size], outputs && [2, ...outputs, 3]);
          },
        ),
        { seed: 21, numRuns: 150 },
      );
      fc.assert(
        fc.property(axis, axis, bound, bound, mostly(1, 2, 3), (a, b, begin, end, step) => {
          const [first, second] = [toIndex(a), toIndex(b)];
          judge("softmax", [x, a], first || a === undefined ? shape : undefined);
          const isPair = first > 0 && second > 0 && first !== second;
          const rest = shape.filter((_, i) => i !== first && i !== second);
          for (const name of ["mean", "sum"]) judge(name, [x, [a, b]], isPair ? rest : undefined);
          judge("normalise", [x, [a, b]], isPair ? shape : undefined);
          const third = 6 - first - second;
          const order = [0, first, second, third].map((index) => shape[index]);
          judge("transpose", [x, [a, b, third]], isPair ? order : undefined);
          judge("concat", [[x, x], a], first ? shape.with(first, 2 * shape[first]) : undefined);
          const isBound = [begin, end].every((at) => isWhole(at, -(2 ** 31), 2 ** 31 - 1));
          const picked = Array.from({ length: shape[first] }, (_, i) => i)
            .slice(begin as number, end as number);
          const by = step === undefined ? 1 : step as number;
          const fits = first && isBound && isWhole(by, 1, 2 ** 31 - 1) && picked.length > 0;
          const count = Math.ceil(picked.length / by);
          judge("slice", [x, a, begin, end, step], fits ? shape.with(first, count) : undefined);
        }),
        { seed: 22, numRuns: 150 },
      );
    });
    assert.ok(accepted > 300 && refused > 200, `${accepted} accepted, ${refused} refused`);
    await Promise.resolve();
  },
);
