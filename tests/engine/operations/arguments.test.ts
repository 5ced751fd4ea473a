/** Arguments of a definition's layers: every mistake is refused by name before anything of it reaches the device. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import fc from "fast-check";
import type { Engine } from "../../../engine/engine.ts";
import { DataError, LayerError } from "../../../engine/errors.ts";
import * as definition from "../../../engine/network/definition.ts";
import type { FeatureMaps, Layers, NetworkDefinition } from "../../../engine/network/definition.ts";
import { createResnet, lenet5 } from "../../../engine/network/models.ts";
import { DeviceNetwork } from "../../../engine/network/network.ts";
import type { ParameterSource } from "../../../engine/network/parameters.ts";
import { toTensor } from "../../../engine/operations/features.ts";
import { testEngine } from "../open_engine.ts";

const SHAPE = [8, 7, 2] as const;
const CLASSES = 3;

/** Layers without types, to be called as nobody should. */
// deno-lint-ignore no-explicit-any
type Loose = Record<keyof Layers, (...args: any[]) => any>;

/** Runs calls within the first pass of a network that is right apart from them. */
function callWithin(engine: Engine, calls: (layers: Loose, images: FeatureMaps) => void): void {
  const network: NetworkDefinition = {
    name: "mine",
    forward(layers, images) {
      calls(layers as unknown as Loose, images);
      return layers.dense("end", layers.flatten(images), layers.classes);
    },
  };
  engine.network(network, { seed: 0, classes: CLASSES }, [...SHAPE]).dispose();
}

/** Asserts that a call is refused for an option of a layer, in one line that says all of `says`, and leaves nothing on the device. */
function assertRefused(
  call: () => unknown,
  layer: string,
  option: string,
  ...says: readonly string[]
): void {
  const before = { ...tf.memory() };
  assert.throws(call, (error) => {
    assert.ok(error instanceof LayerError, `${error}`);
    const { message } = error;
    assert.deepEqual({ layer: error.layer, option: error.option }, { layer, option }, message);
    assert.match(message, /^Cannot use [^\n]+: got [^\n]+, need [^\n]+$/);
    for (const part of [layer, ...says]) assert.ok(message.includes(part), message);
    return true;
  });
  const after = tf.memory();
  assert.deepEqual([after.numTensors, after.numBytes], [before.numTensors, before.numBytes]);
}

testEngine(
  "unknown options and surplus arguments are refused by name, and ours is said",
  async (engine) => {
    callWithin(engine, (layers, images) => {
      const flat = layers.flatten(images);
      const right = { filters: 8, size: 3 };
      const ours: [key: string, value: unknown, says: string][] = [
        ["padding", 1, "padding is pad here"],
        ["kernel_size", 3, "kernel_size is size here"],
        ["out_channels", 8, "out_channels is filters here"],
        ["use_bias", false, "use_bias is bias here"],
        ["strid", 2, "did you mean stride?"],
        ["Pad", 1, "did you mean pad?"],
        ["dilations", 2, "dilations is dilation here"],
        ["dilationRate", 2, "dilationRate is dilation here"],
        ["output_padding", 1, "transposed convolutions are not supported"],
        ["padding_mode", "reflect", "other padding than with zeros is not supported"],
        ["in_channels", 2, "it is read from the input"],
        ["zzz", 1, "need filters, size, stride, pad, dilation, groups, bias"],
      ];
      for (const [key, value, says] of ours) {
        assertRefused(
          () => layers.convolution("c", images, { ...right, [key]: value }),
          "c",
          key,
          `layer 'c'`,
          `unknown option ${key} = ${JSON.stringify(value)}`,
          says,
        );
      }
      assertRefused(() => layers.convolution("c", images, right, 1), "c", "argument 4", "4 1");
      assertRefused(() => layers.dense("d", flat, 3, { use_bias: false }), "d", "use_bias", "bias");
      assertRefused(
        () => layers.dense("d", flat, 3, { in_features: 1 }),
        "d",
        "in_features",
        "read",
      );
      assertRefused(() => layers.dense("d", flat, 3, {}, 1), "d", "argument 5");
      assertRefused(() => layers.batchNorm("b", images, { eps: 1 }), "b", "eps", "is epsilon here");
      assertRefused(
        () => layers.batchNorm("b", images, { momentum: 0.1 }),
        "b",
        "momentum",
        "frozen",
      );
      const pools: [key: string, value: unknown, says: string][] = [
        ["padding", 1, "padding is pad here"],
        ["ceil_mode", true, "ceil_mode is ceil here"],
        ["dilation", 2, "dilated windows are not supported"],
        ["kernel_size", 3, "it is the second argument, size"],
        ["strid", 2, "did you mean stride?"],
      ];
      for (const name of ["maxPool", "averagePool"] as const) {
        for (const [key, value, says] of pools) {
          assertRefused(() => layers[name](images, 3, { [key]: value }), name, key, says);
        }
        assertRefused(() => layers[name](images, 3, 2), name, "options", "got 2");
        assertRefused(() => layers[name](images, 3, {}, 1), name, "argument 4");
      }
      assertRefused(
        () => layers.maxPool(images, 3, { countPad: true }),
        "maxPool",
        "countPad",
        "need stride, pad, ceil",
      );
      assertRefused(() => layers.gelu(images, "tanh"), "gelu", "argument 2", "never approximated");
      assertRefused(() => layers.flatten(images, 1), "flatten", "argument 2");
      assertRefused(() => layers.globalAverage(images, 1), "globalAverage", "argument 2");
      assertRefused(() => layers.add(flat, flat, flat), "add", "argument 3");
      assertRefused(() => layers.dropout(flat, 0.5, true), "dropout", "argument 3");
      for (const name of ["relu", "tanh"] as const) {
        assertRefused(() => layers[name](flat, true), name, "argument 2");
      }
    });
    await Promise.resolve();
  },
);

testEngine(
  "values out of range are refused with the layer, the option and the value",
  async (engine) => {
    callWithin(engine, (layers, images) => {
      const flat = layers.flatten(images);
      const convolutions: [options: unknown, option: string, got: string][] = [
        [undefined, "options", "nothing"],
        [null, "options", "null"],
        [[8, 3], "options", "[8,3]"],
        [{ size: 3 }, "filters", "nothing"],
        [{ filters: 0, size: 3 }, "filters", "0"],
        [{ filters: 8 }, "size", "nothing"],
        [{ filters: 8, size: [1, 7, 7] }, "size", "[1,7,7]"],
        [{ filters: 8, size: [0, 7] }, "size", "[0,7]"],
        [{ filters: 8, size: [] }, "size", "[]"],
        [{ filters: 8, size: 2 ** 31 }, "size", "2147483648"],
        [{ filters: 8, size: 3, stride: 1.5 }, "stride", "1.5"],
        [{ filters: 8, size: 3, stride: NaN }, "stride", "NaN"],
        [{ filters: 8, size: 3, stride: 0 }, "stride", "0"],
        [{ filters: 8, size: 3, stride: 1e9, pad: 2 ** 31 }, "stride", "1000000000"],
        [{ filters: 8, size: 3, pad: 2 ** 31 }, "pad", "2147483648"],
        [{ filters: 8, size: 3, pad: -1 }, "pad", "-1"],
        [{ filters: 8, size: 3, pad: "same" }, "pad", '"same"'],
        [{ filters: 8, size: 3, pad: [1, 2, 3] }, "pad", "[1,2,3]"],
        [{ filters: 8, size: 3, pad: [1, 2, 3, -1] }, "pad", "[1,2,3,-1]"],
        [{ filters: 8, size: 3, stride: [1, 2, 1, 2] }, "stride", "[1,2,1,2]"],
        [{ filters: 8, size: 3, dilation: 0 }, "dilation", "0"],
        [{ filters: 8, size: 3, groups: 0 }, "groups", "0"],
        [{ filters: 8, size: 3, groups: [2, 1] }, "groups", "[2,1]"],
        [{ filters: 8, size: 3, bias: 0 }, "bias", "0"],
      ];
      for (const [options, option, got] of convolutions) {
        assertRefused(
          () => layers.convolution("c", images, options),
          "c",
          option,
          `${option} ${got}`.replace("options ", ""),
        );
      }
      for (const units of [0, -1, 1.5, NaN, undefined, "10", { units: 10 }]) {
        assertRefused(() => layers.dense("d", flat, units), "d", "units");
      }
      for (const share of [-2, 1, NaN, undefined, "0.5", { p: 0.5 }]) {
        assertRefused(() => layers.dropout(flat, share), "dropout", "share");
      }
      for (const epsilon of [-1e-5, NaN, Infinity, "1e-5"]) {
        assertRefused(() => layers.batchNorm("b", images, { epsilon }), "b", "epsilon");
      }
      for (const size of [0, 1.5, -2, NaN, undefined, [2, 2, 2], [2, 0], { size: 2 }]) {
        for (const name of ["maxPool", "averagePool"] as const) {
          assertRefused(() => layers[name](images, size), name, "size");
        }
      }
      for (const name of ["", 5, undefined, images]) {
        assertRefused(() => layers.dense(name, flat, 3), "dense", "name");
      }
    });
    await Promise.resolve();
  },
);

testEngine(
  "what is no activations is refused, by the compiler and by the layer",
  async (engine) => {
    using network = engine.network(
      {
        name: "typed",
        forward(layers, images) {
          const [samples, height, width, channels] = images.shape;
          const pixels = tf.zeros([samples, height, width, channels]);
          const refuse = (call: () => unknown) => assert.throws(call, LayerError);
          // @ts-expect-error a shape alone
          refuse(() => layers.relu({ shape: [samples, 3] }));
          // @ts-expect-error vectors are no images
          refuse(() => layers.maxPool(layers.flatten(images), 2));
          // @ts-expect-error a tensor that no layer has made, which nothing shows at run time
          layers.relu(pixels);
          // @ts-expect-error TensorFlow.js's functions are not ours
          tf.relu(images);
          return layers.dense(
            "fc",
            layers.relu(layers.flatten(layers.relu(images))),
            layers.classes,
          );
        },
      },
      { seed: 0, classes: CLASSES },
      [...SHAPE],
    );
    assert.equal(network.classes, CLASSES);
    await Promise.resolve();
  },
);

testEngine(
  "tensors that a layer cannot take are refused",
  async (engine) => {
    callWithin(engine, (layers, images) => {
      const flat = layers.flatten(images);
      const own = { filters: 1, size: 1 };
      const scalar = tf.scalar(1);
      const empty = tf.zeros([1, 0, 7, 2]);
      const whole = tf.zeros([1, 4], "int32");
      const others = tf.zeros([2, 4]);
      assertRefused(() => layers.convolution("c", flat, own), "c", "x", "[N, 112]", "[N, H, W, C]");
      for (const name of ["maxPool", "averagePool"] as const) {
        assertRefused(() => layers[name](flat, 2), name, "x", "[N, 112]");
      }
      for (const name of ["globalAverage", "flatten"] as const) {
        assertRefused(() => layers[name](flat), name, "x", "[N, 112]");
      }
      for (const name of ["relu", "tanh", "gelu"] as const) {
        assertRefused(() => layers[name](5), name, "x", "5");
        assertRefused(() => layers[name](), name, "x", "nothing");
        assertRefused(() => layers[name](scalar), name, "x", "a tensor, [N, D]");
      }
      assertRefused(() => layers.add(flat), "add", "y", "nothing");
      assertRefused(() => layers.dense("d", Promise.resolve(flat), 3), "d", "x", "a promise");
      assertRefused(() => layers.dense("d", [1, 2], 3), "d", "x", "[1,2]");
      assertRefused(() => layers.flatten(empty), "flatten", "x", "[1, 0, 7, 2]");
      assertRefused(() => layers.dense("d", whole, 3), "d", "x", "int32");
      const gone = tf.zeros([1, 4]);
      gone.dispose();
      assertRefused(() => layers.relu(gone), "relu", "x", "freed");
      // a tensor of another number of samples is of no use to this pass
      assertRefused(() => layers.dense("d", others, 3), "d", "x", "2 samples, need 1");
      layers.dense("once", flat, 3);
      assertRefused(
        () => layers.dense("once", flat, 3, { bias: false }),
        "once",
        "name",
        "again: got a dense over 112 inputs without bias where it was a dense over 112 inputs with bias",
      );
      assertRefused(() => layers.parameter("once.bias", [3]), "once.bias", "name", "dense 'once'");
      assertRefused(() => layers.parameter("p", [3, 0]), "p", "shape", "0");
      const two = Float32Array.of(1, 2);
      assertRefused(() => layers.parameter("p", [3], { initial: two }), "p", "initial", "need 3");
      assertRefused(() => layers.constant(two, [3]), "constant", "values", "2 numbers, need 3");
      assertRefused(() => layers.constant([1, 2], [2]), "constant", "values", "a Float32Array");
      assertRefused(
        () => layers.constant(Float32Array.of(0, -Infinity), [2]),
        "constant",
        "values",
        "-Infinity at index 1",
      );
      assertRefused(() => layers.parameter("p", 3), "p", "shape", "a list of whole numbers");
      assert.throws(() => layers.add(flat, tf.zeros([2, 112])), {
        name: "DataError",
        message:
          /^Cannot add: got \[1, 112\] and \[2, 112\], need branches of one shape, or sizes of 1 where they differ$/,
      });
    });
    await Promise.resolve();
  },
);

testEngine(
  "a layer that there is not is refused by name, with those that there are",
  async (engine) => {
    const others: [name: string, says: string][] = [
      ["conv2d", "did you mean convolution?"],
      ["Linear", "did you mean dense?"],
      ["batchnorm", "did you mean batchNorm?"],
      ["interpolate", "others are not supported"],
      ["permute", "did you mean transpose?"],
    ];
    callWithin(engine, (layers) => {
      for (const [name, says] of others) {
        const ask = () => layers[name as keyof Layers];
        assertRefused(
          ask,
          name,
          "name",
          `layers.${name}`,
          "convolution, dense, parameter, constant, batchNorm",
          says,
        );
      }
      assert.equal(String(layers), "[object Object]");
    });
    await Promise.resolve();
  },
);

testEngine("a residual network's options are checked like a layer's", async () => {
  const right = { name: "r", widths: [4, 8], blocks: 1, pooling: "global" };
  const refused: [change: Record<string, unknown>, option: string, ...says: string[]][] = [
    [{ blocks: 0 }, "blocks", "0"],
    [{ widths: [] }, "widths", "[]"],
    [{ widths: [4, 1.5] }, "widths", "1.5"],
    [{ widths: 4 }, "widths", "4"],
    [{ pooling: "average" }, "pooling", '"4 x 4" or "global"'],
    [{ name: undefined }, "name", "nothing"],
    [{ batchNorm: 1 }, "batchNorm", "1"],
    [{ norm: true }, "norm", "norm is batchNorm here"],
    [{ depth: 2 }, "depth", "depth is blocks here"],
    [{ width: [4] }, "width", "did you mean widths?"],
  ];
  for (const [change, option, ...says] of refused) {
    const create = () => createResnet({ ...right, ...change } as never);
    assertRefused(create, "createResnet", option, ...says);
  }
  await Promise.resolve();
});

testEngine(
  "what fits the arguments but not the device or the image is refused before it is drawn",
  async (engine) => {
    const filters = Math.floor(engine.limits.maxStorageBufferBindingSize / (4 * 264 * 263)) + 1;
    callWithin(engine, (layers, images) => {
      const refused: [options: unknown, says: RegExp][] = [
        [{ filters: 2 ** 31 - 1, size: 3 }, /^Cannot hold c0.weight \[3, 3, 2, 2147483647\]/],
        [
          { filters, size: 1, pad: 128 },
          /^Cannot hold what layer 'c1' gives for one sample, \[264, 263, \d+\]/,
        ],
      ];
      for (const [i, [options, message]] of refused.entries()) {
        const start = performance.now();
        assert.throws(() => layers.convolution(`c${i}`, images, options), {
          name: "DataError",
          message,
        });
        assert.ok(performance.now() - start < 2000, "an answer at once");
      }
    });
    await Promise.resolve();
  },
);

testEngine("what fits no image names the layer, the option and what mends it", async (engine) => {
  callWithin(engine, (layers, images) => {
    const refused: [options: object, option: string, ...says: string[]][] = [
      [{ size: 20 }, "size", "got size 20 on 8 x 7 pixels padded by 0, need at most 7; lower size"],
      [{ size: 3, pad: 1024 }, "pad", "got pad 1024 on 8 x 7 pixels", "steps", "; lower pad"],
      [{ size: 1024, pad: 1024 }, "size", "got size 1024 over 2 channels", "steps", "; lower size"],
      [
        { size: 3, dilation: [4, 1] },
        "size",
        "dilation [4, 1]",
        "8 x 7 of the 9 x 3",
        "lower size or",
      ],
      [
        { size: [2, 9], pad: [5, 1, 0, 0] },
        "size",
        "size [2, 9]",
        "need at most 13 x 8 of the 2 x 9",
      ],
      [{ size: 3, groups: 3 }, "groups", "groups 3 and an input of 2 channels, need a divisor"],
      [{ size: 3, filters: 9, groups: 2 }, "groups", "groups 2 and filters 9", "a multiple of 2"],
    ];
    for (const [i, [options, option, ...says]] of refused.entries()) {
      const call = () => layers.convolution(`c${i}`, images, { filters: 8, ...options });
      assertRefused(call, `c${i}`, option, ...says);
    }
    for (const pool of ["maxPool", "averagePool"] as const) {
      const says = "got size 9 on 8 x 7 pixels, need at most 7; lower size";
      assertRefused(() => layers[pool](images, 9), pool, "size", says);
    }
  });
  await Promise.resolve();
});

// Fuzzing of every function; this file judges validity by rules of its own.

const POINTWISE = [
  "absolute",
  "erf",
  "exp",
  "gelu",
  "hardSigmoid",
  "hardSwish",
  "log",
  "negate",
  "reciprocal",
  "relu",
  "relu6",
  "sigmoid",
  "silu",
  "softplus",
  "sqrt",
  "square",
  "tanh",
] as const;

const WILD = [
  undefined,
  null,
  NaN,
  Infinity,
  -1,
  0,
  0.5,
  1,
  2,
  3,
  1.5,
  2 ** 31,
  2 ** 53,
  "3",
  "",
  "same",
  true,
  false,
  [1, 7],
  [3],
  {},
  { size: 3 },
  () => 3,
  3n,
  Symbol("three"),
];
const isWhole = (value: unknown, least: number, most: number) =>
  typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;

const NO_VALUE = Symbol("no value");

/** Generates a value that mostly fits, or any. */
const mostly = <T>(...right: T[]) =>
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom<unknown>(...right) }, {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(...WILD),
  });

const KEYS = ["filters", "size", "stride", "pad", "dilation", "groups", "bias", "epsilon"];
const OTHER_KEYS = ["padding", "group", "dilations", "eps", "Stride", "p", "toString"];

testEngine(
  "seeded fuzz: a call is refused in one line by its name, or gives the shape that it must",
  async (engine) => {
    let accepted = 0;
    let refused = 0;
    callWithin(engine, (layers, images) => {
      const flat = layers.flatten(images);
      const freed = tf.zeros([1, 4]);
      freed.dispose();
      const tensors: unknown[] = [
        images,
        flat,
        tf.zeros([1, 5, 5, 3]),
        tf.zeros([1, 6]),
        tf.zeros([1, 2, 3]),
        tf.scalar(1),
        tf.zeros([2, 6]),
        tf.zeros([1, 0, 7, 2]),
        tf.zeros([1, 4], "int32"),
        freed,
      ];
      const x = mostly<unknown>(...tensors, images, images, images, flat, flat);
      const rank = (value: unknown) =>
        value instanceof tf.Tensor && !value.isDisposed && value.dtype === "float32" &&
          !value.shape.includes(0)
          ? value.rank
          : 0;
      const option = (...right: unknown[]) =>
        fc.oneof({ weight: 4, arbitrary: fc.constant<unknown>(NO_VALUE) }, {
          weight: 4,
          arbitrary: mostly(...right),
        });
      const optionsOf = fc.record({
        filters: mostly(1, 4),
        size: mostly<unknown>(1, 3, [2, 3]),
        stride: option(1, 2, [1, 2]),
        pad: option(0, 1, [0, 1, 2, 3]),
        dilation: option(1, 2, [2, 1]),
        groups: option(1, 2),
        bias: option(true, false),
        epsilon: option(1e-5),
        other: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, {
          weight: 1,
          arbitrary: fc.constantFrom(...OTHER_KEYS),
        }),
        keep: fc.subarray(KEYS),
      }).map(({ other, keep, ...values }) => {
        const chosen = Object.entries(values).filter(([key, value]) =>
          value !== NO_VALUE && (key === "filters" || key === "size" || keep.includes(key))
        );
        return { ...Object.fromEntries(chosen), ...other && { [other]: 1 } } as Record<
          string,
          unknown
        >;
      });
      const surplus = fc.oneof({ weight: 8, arbitrary: fc.constant([]) }, {
        weight: 1,
        arbitrary: fc.constant([2]),
      });
      const only = (options: Record<string, unknown>, ...keys: string[]) =>
        Object.keys(options).every((key) => keys.includes(key));
      const named = new Set<string>();

      /** Runs a call; `expected` is the shape that it must give, or nothing where it must be refused. */
      const judge = (
        name: keyof Layers,
        args: unknown[],
        expected: readonly number[] | undefined,
      ): void => {
        const label = `${name}(${
          args.map((value) => String(Object(value)?.shape ?? typeof value)).join("; ")
        })`;
        try {
          const y = layers[name](...args) as tf.Tensor;
          assert.deepEqual(expected && y.shape, expected && [...expected], label);
          assert.ok(expected, `accepted: ${label}`);
          accepted++;
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          const isTold = error instanceof LayerError || error instanceof DataError;
          assert.ok(isTold, `${label}: ${error}`);
          assert.match(error.message, /^Cannot [^\n]+$/);
          const who = ["convolution", "dense", "batchNorm"].includes(name) ? String(args[0]) : name;
          if (typeof args[0] === "string" && args[0] !== "") assert.ok(error.message.includes(who));
          assert.equal(expected, undefined, `${label}: ${error.message}`);
          refused++;
        }
      };

      const parameters = { seed: 14, numRuns: 150 };
      fc.assert(
        fc.property(x, optionsOf, surplus, fc.nat(), (x, options, more, id) => {
          const name = `c${named.size}-${id}`;
          named.add(name);
          const { filters, size, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true } =
            options as Record<string, number>;
          const pair = (value: unknown) =>
            (Array.isArray(value) ? value : [value, value]) as number[];
          const arePair = (value: unknown, least: number, most: number) =>
            pair(value).length === 2 && pair(value).every((n) => isWhole(n, least, most));
          const sides = pair(pad).length === 2 ? [...pair(pad), ...pair(pad)] : pair(pad);
          const shape = rank(x) === 4 ? (x as tf.Tensor).shape : [];
          const fits = rank(x) === 4 && more.length === 0 &&
            only(options, "filters", "size", "stride", "pad", "dilation", "groups", "bias") &&
            isWhole(filters, 1, 2 ** 31 - 1) && arePair(size, 1, 1024) && arePair(stride, 1, 256) &&
            sides.length === 4 && sides.every((n) => isWhole(n, 0, 1024)) &&
            arePair(dilation, 1, 256) && isWhole(groups, 1, 2 ** 31 - 1) &&
            shape[3] % groups === 0 && filters % groups === 0 && typeof bias === "boolean";
          const out = (axis: 0 | 1) => {
            if (!fits) return 0;
            const room = shape[axis + 1] + sides[axis] + sides[axis + 2];
            const reach = (pair(size)[axis] - 1) * pair(dilation)[axis];
            return Math.floor((room - 1 - reach) / pair(stride)[axis]) + 1;
          };
          const height = out(0);
          const width = out(1);
          judge(
            "convolution",
            [name, x, options, ...more],
            fits && height >= 1 && width >= 1 ? [1, height, width, filters] : undefined,
          );
        }),
        parameters,
      );
      fc.assert(
        fc.property(
          x,
          mostly(1, 3),
          optionsOf,
          fc.boolean(),
          surplus,
          (x, units, options, has, more) => {
            const name = `d${named.size}`;
            named.add(name);
            const { bias = true } = options;
            const own = has ? { ...options, filters: undefined } : undefined;
            if (own) {
              for (const key of KEYS) {
                if (key !== "bias") delete (own as Record<string, unknown>)[key];
              }
            }
            const fits = rank(x) >= 2 && (x as tf.Tensor).shape[0] === 1 &&
              isWhole(units, 1, 2 ** 31 - 1) &&
              (own === undefined || (only(own, "bias") && typeof bias === "boolean")) &&
              more.length === 0;
            const args = own || more.length > 0 ? [name, x, units, own, ...more] : [name, x, units];
            judge(
              "dense",
              args,
              fits ? [...(x as tf.Tensor).shape.slice(0, -1), Number(units)] : undefined,
            );
          },
        ),
        parameters,
      );
      fc.assert(
        fc.property(x, option(1e-5, 0), surplus, (x, epsilon, more) => {
          const name = `b${named.size}`;
          named.add(name);
          const options = epsilon === NO_VALUE ? {} : { epsilon };
          const fits = rank(x) >= 2 && (x as tf.Tensor).shape[0] === 1 && more.length === 0 &&
            (epsilon === NO_VALUE || epsilon === undefined ||
              (typeof epsilon === "number" && epsilon >= 0 && epsilon < Infinity));
          judge(
            "batchNorm",
            [name, x, options, ...more],
            fits ? (x as tf.Tensor).shape : undefined,
          );
        }),
        parameters,
      );
      fc.assert(
        fc.property(x, x, mostly(1, 2), mostly(0, 0.5), surplus, (x, y, size, share, more) => {
          const shape = rank(x) > 0 ? (x as tf.Tensor).shape : [];
          const alone = more.length === 0;
          const fits = alone && shape.length > 0;
          for (const name of POINTWISE) {
            judge(name, [x, ...more], fits ? shape : undefined);
          }
          const isShare = typeof share === "number" && share >= 0 && share < 1;
          judge("dropout", [x, share, ...more], fits && isShare ? shape : undefined);
          const other = rank(y) > 0 ? (y as tf.Tensor).shape : [];
          const isBroadcast = other.length === shape.length && other[0] === shape[0] &&
            other.every((size, i) => size === shape[i] || size === 1 || shape[i] === 1);
          const sum = typeof y === "number" && Number.isFinite(y)
            ? shape
            : isBroadcast
            ? shape.map((size, i) => Math.max(size, other[i]))
            : undefined;
          for (const name of ["add", "subtract", "multiply", "divide"] as const) {
            judge(name, [x, y, ...more], fits ? sum : undefined);
          }
          const isImages = alone && shape.length === 4;
          const [n, height, width, channels] = shape;
          judge("flatten", [x, ...more], isImages ? [n, height * width * channels] : undefined);
          judge("globalAverage", [x, ...more], isImages ? [n, channels] : undefined);
          const isWindow = isImages && isWhole(size, 1, Math.min(height, width));
          for (const name of ["maxPool", "averagePool"] as const) {
            const pool = (length: number) => Math.floor(length / Number(size));
            const pooled = [n, pool(height), pool(width), channels];
            judge(name, [x, size, ...more], isWindow ? pooled : undefined);
          }
        }),
        parameters,
      );
    });
    assert.ok(accepted > 300 && refused > 300, `${accepted} accepted, ${refused} refused`);
    await Promise.resolve();
  },
);

testEngine("`forward` is given every operation that is exported, the same", async (engine) => {
  const names = [
    "absolute",
    "adaptiveAveragePool",
    "add",
    "averagePool",
    "clip",
    "concat",
    "divide",
    "elu",
    "erf",
    "exp",
    "flatten",
    "gelu",
    "globalAverage",
    "hardSigmoid",
    "hardSwish",
    "leakyRelu",
    "log",
    "matmul",
    "maxPool",
    "mean",
    "multiply",
    "negate",
    "normalise",
    "pad",
    "power",
    "reciprocal",
    "relu",
    "relu6",
    "reshape",
    "sigmoid",
    "silu",
    "slice",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "subtract",
    "sum",
    "tanh",
    "transpose",
  ];
  callWithin(engine, (layers) => {
    for (const name of names) {
      assert.equal(
        layers[name as keyof Layers],
        definition[name as keyof typeof definition] as unknown,
        name,
      );
    }
  });
  await Promise.resolve();
});

testEngine(
  "what is no network, has no layers, gives no logits or changes from pass to pass is refused",
  async (engine) => {
    const drawn = { seed: 0, classes: CLASSES };
    const build = (network: unknown, source: unknown = drawn, shape = SHAPE) =>
      engine.network(network as NetworkDefinition, source as ParameterSource, shape);
    const forward = (forward: unknown) => ({ name: "mine", forward });
    const dense = forward((layers: Layers, x: FeatureMaps) =>
      layers.dense("fc", layers.flatten(x), 3)
    );
    const refused: [network: unknown, source: unknown, message: RegExp][] = [
      [
        lenet5,
        undefined,
        /^Cannot build lenet5: got nothing for its parameters, need weights as loadWeights reads them, or \{ seed, classes \}/,
      ],
      [lenet5, null, /got null for its parameters/],
      [lenet5, Promise.resolve(new Map()), /got a promise for its parameters/],
      [
        lenet5,
        { seed: 0, classes: 3, initialization: "lecun" },
        /unknown option initialization = "lecun", need seed, classes, initialisation; did you mean initialisation\?/,
      ],
      [lenet5, { seed: 0.5, classes: 3 }, /got seed 0.5, need an integer/],
      [lenet5, { seed: 0 }, /got classes nothing, need a positive integer/],
      [
        lenet5,
        { seed: 0, classes: 3, initialisation: "he" },
        /got initialisation "he", need "uniform" or "lecun"/,
      ],
      [undefined, undefined, /^Cannot build a network: got nothing, need a NetworkDefinition/],
      [{ name: "mine" }, undefined, /need a NetworkDefinition/],
      [
        forward((_: Layers, x: FeatureMaps) => definition.globalAverage(x)),
        { seed: 0, classes: 2 },
        /^Cannot build mine: got no layer from its forward pass/,
      ],
      [
        forward((layers: Layers, x: FeatureMaps) =>
          layers.add(definition.flatten(x), layers.parameter("p", [112]))
        ),
        { seed: 0, classes: 112 },
        /^Cannot build mine: got parameters by themselves alone, need a convolution or dense layer/,
      ],
      [
        forward(async () => await Promise.reject(new Error("late"))),
        drawn,
        /got a promise from its forward pass/,
      ],
      [
        forward((_: Layers, x: FeatureMaps) => x),
        drawn,
        /got \[N, 8, 7, 2\] from its forward pass, need logits \[N, 3\]; flatten it/,
      ],
      [
        forward((_: Layers, x: tf.Tensor4D) => tf.zeros([2, x.shape[3]])),
        { seed: 0, classes: 2 },
        /got \[2, 2\] for 1 samples/,
      ],
      [
        forward(() => {
          throw "a text";
        }),
        drawn,
        /threw "a text"/,
      ],
    ];
    for (const [network, source, message] of refused) {
      assert.throws(
        () => engine.network(network as NetworkDefinition, source as ParameterSource, SHAPE),
        (error) => {
          assert.ok(error instanceof Error);
          assert.match(error.message, message);
          assert.match(error.message, /^Cannot build [^\n]+$/);
          return true;
        },
      );
    }
    assert.throws(() => build(dense, undefined, [8, 7] as never), /images of shape \[8,7\]/);

    // a later pass that differs from the first
    const images = tf.zeros<tf.Rank.R4>([2, ...SHAPE]);
    const changes: [second: (layers: Layers, x: FeatureMaps) => unknown, message: RegExp][] = [
      [(layers, x) => layers.dense("other", layers.flatten(x), 3), /got no layer 'other'/],
      [
        (layers, x) => layers.dense("fc", layers.flatten(layers.maxPool(x, 2)), 3),
        /got layer 'fc' as dense of \[N, 24\], bias true where it was dense of \[N, 112\], bias true/,
      ],
      [() => tf.zeros([2, 3]), /got a pass without layer 'fc'/],
      [
        (layers, x) => tf.slice(toTensor(layers.dense("fc", layers.flatten(x), 3)), [0, 0], [1, 3]),
        /got \[1, 3\] for 2 samples/,
      ],
    ];
    for (const [second, message] of changes) {
      let passes = 0;
      using network = build(
        forward((layers: Layers, x: FeatureMaps) =>
          (passes++ === 0 ? dense.forward as typeof second : second)(layers, x)
        ),
      );
      assert(network instanceof DeviceNetwork);
      assert.throws(() => tf.tidy(() => network.logits(images)), { message });
    }
    images.dispose();
    await Promise.resolve();
  },
);
