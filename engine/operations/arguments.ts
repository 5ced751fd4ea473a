/**
 * Checks of the arguments of layer functions: every argument and option is checked before anything of the layer reaches the device, and
 * whatever is unknown or not supported is refused by its name.
 *
 * @module
 */
import { LayerError } from "../errors.ts";
import { describeShape, describeValue, findNearest, type OtherNames } from "../options.ts";
import {
  anyTensor,
  type Check,
  choice,
  flag,
  floats,
  images,
  list,
  number,
  optional,
  options,
  outputs,
  perAxis,
  refuse,
  type Signature,
  sizes,
  text,
  vectors,
  wholeNumber,
} from "./checks.ts";
import { OPERATION_SIGNATURES } from "./operation_arguments.ts";
import type { Activations } from "./features.ts";

/** Largest stride and dilation of a convolution: the input's gradient takes one launch for each remainder by the stride, along both axes. */
const MAX_STRIDE = 256;

/** Most rows or columns of zeros on each side of an image. */
const MAX_PAD = 1024;

/** Most rows and columns of a filter or window. */
const MAX_SIZE = 1024;

const READ_FROM_INPUT = "it is read from the input";

const PYTORCH_CONVOLUTION: OtherNames = {
  renamed: {
    padding: "pad",
    kernel_size: "size",
    kernelSize: "size",
    kernel: "size",
    out_channels: "filters",
    outChannels: "filters",
    channels: "filters",
    strides: "stride",
    use_bias: "bias",
    useBias: "bias",
    dilations: "dilation",
    dilationRate: "dilation",
    group: "groups",
  },
  refused: {
    padding_mode: "other padding than with zeros is not supported",
    paddingMode: "other padding than with zeros is not supported",
    output_padding: "transposed convolutions are not supported",
    in_channels: READ_FROM_INPUT,
    inChannels: READ_FROM_INPUT,
    activation: "apply relu, tanh or gelu to what the layer returns",
  },
};

const PYTORCH_DENSE: OtherNames = {
  renamed: { use_bias: "bias", useBias: "bias" },
  refused: {
    in_features: READ_FROM_INPUT,
    inFeatures: READ_FROM_INPUT,
    out_features: "it is the third argument",
    outFeatures: "it is the third argument",
    units: "it is the third argument",
    activation: "apply relu, tanh or gelu to what the layer returns",
  },
};

const PYTORCH_PARAMETER: OtherNames = {
  renamed: { value: "initial", fill: "initial", init: "initial" },
  refused: {},
};

const PYTORCH_NORM: OtherNames = {
  renamed: { eps: "epsilon" },
  refused: {
    momentum: "a batch norm's statistics are frozen",
    affine: "a norm has a weight and a bias",
    elementwise_affine: "a norm has a weight and a bias",
    num_groups: "it is the third argument",
    normalized_shape: READ_FROM_INPUT,
    num_channels: READ_FROM_INPUT,
    track_running_stats: "a batch norm's statistics are frozen",
    num_features: READ_FROM_INPUT,
    numFeatures: READ_FROM_INPUT,
  },
};

const epsilon = optional(
  number((value) => value >= 0 && value < Infinity, "a number of at least 0"),
);

/** Largest number of elements along an axis. */
const MAX_INDEX = 2 ** 31 - 1;

const index = wholeNumber(-MAX_INDEX, MAX_INDEX);

/** An axis after the samples, which are axis 0, or before the end. */
const anyAxis: Check = (subject, option, value) => {
  if (value !== 0) wholeNumber(-16, 16)(subject, option, value);
  else refuse(subject, option, `${option} 0, the samples`, "an axis of each sample, from 1 on");
};

const axes = list("axes", anyAxis);

const ARITHMETIC: Signature = {
  parameters: {
    x: anyTensor,
    y: (subject, option, value) => {
      if (typeof value === "number") {
        number(Number.isFinite, "a finite number")(subject, option, value);
      } else anyTensor(subject, option, value);
    },
  },
};

const REDUCTION: Signature = {
  parameters: {
    x: anyTensor,
    axes,
    options: optional(options({ keep: optional(flag) }, {
      renamed: { keepdim: "keep", keepdims: "keep", keepDims: "keep" },
    })),
  },
};

const SIGNATURES = {
  convolution: {
    parameters: {
      name: text,
      x: images,
      options: options({
        filters: outputs,
        size: perAxis(1, MAX_SIZE),
        stride: optional(perAxis(1, MAX_STRIDE)),
        pad: optional(perAxis(0, MAX_PAD, ["top", "right", "bottom", "left"])),
        dilation: optional(perAxis(1, MAX_STRIDE)),
        groups: optional(outputs),
        bias: optional(flag),
      }, PYTORCH_CONVOLUTION),
    },
  },
  dense: {
    parameters: {
      name: text,
      x: vectors,
      units: outputs,
      options: optional(options({ bias: optional(flag) }, PYTORCH_DENSE)),
    },
  },
  parameter: {
    parameters: {
      name: text,
      shape: sizes,
      options: optional(options({
        initial: optional((subject, option, value) => {
          if (value instanceof Float32Array) floats(subject, option, value);
          else number(Number.isFinite, "a finite number or a Float32Array")(subject, option, value);
        }),
      }, PYTORCH_PARAMETER)),
    },
  },
  constant: { parameters: { values: floats, shape: sizes } },
  batchNorm: {
    parameters: {
      name: text,
      x: vectors,
      options: optional(options({ epsilon }, PYTORCH_NORM)),
    },
  },
  layerNorm: {
    parameters: {
      name: text,
      x: vectors,
      options: optional(options({ epsilon }, PYTORCH_NORM)),
    },
  },
  groupNorm: {
    parameters: {
      name: text,
      x: vectors,
      groups: outputs,
      options: optional(options({ epsilon }, PYTORCH_NORM)),
    },
  },
  dropout: {
    parameters: {
      x: anyTensor,
      share: number((value) => value >= 0 && value < 1, "a number from 0 to below 1"),
    },
  },
  ...OPERATION_SIGNATURES,
  globalAverage: { parameters: { x: images } },
  flatten: { parameters: { x: images } },
  add: ARITHMETIC,
  subtract: ARITHMETIC,
  multiply: ARITHMETIC,
  divide: ARITHMETIC,
  matmul: { parameters: { x: anyTensor, y: anyTensor } },
  mean: REDUCTION,
  sum: REDUCTION,
  softmax: { parameters: { x: anyTensor, axis: optional(anyAxis) } },
  normalise: { parameters: { x: anyTensor, axes, options: optional(options({ epsilon })) } },
  reshape: {
    parameters: {
      x: anyTensor,
      shape: list("sizes of each axis without the samples, or -1", (subject, option, size) => {
        if (size !== -1) outputs(subject, option, size);
      }),
    },
  },
  transpose: { parameters: { x: anyTensor, axes: list("axes", anyAxis, 0) } },
  concat: { parameters: { list: list("activations", anyTensor), axis: anyAxis } },
  slice: {
    parameters: {
      x: anyTensor,
      axis: anyAxis,
      begin: index,
      end: index,
      step: optional(wholeNumber(1, MAX_INDEX)),
    },
  },
  pad: {
    parameters: {
      x: anyTensor,
      pads: list(
        "a pair [before, after] for each axis after the samples",
        (subject, option, pair) => {
          const isPair = Array.isArray(pair) && pair.length === 2;
          if (!isPair) refuse(subject, option, describeValue(pair), "a pair [before, after]");
          for (const count of pair) wholeNumber(0, MAX_INDEX)(subject, option, count);
        },
        0,
      ),
      value: optional(number(Number.isFinite, "a finite number")),
    },
  },
  createResnet: {
    parameters: {
      options: options({
        name: text,
        widths: (subject, option, value) => {
          const need = "a list of whole numbers, one for each stage";
          if (!Array.isArray(value) || value.length === 0) {
            refuse(subject, option, `${option} ${describeValue(value)}`, need);
          }
          for (const width of value) outputs(subject, option, width);
        },
        blocks: wholeNumber(1, 1024),
        pooling: choice(["4 x 4", "global"]),
        batchNorm: optional(flag),
      }, {
        renamed: {
          channels: "widths",
          depth: "blocks",
          layers: "blocks",
          pool: "pooling",
          norm: "batchNorm",
        },
      }),
    },
  },
} satisfies Record<string, Signature>;

/**
 * Checks a call of a layer function.
 *
 * @param given all arguments of the call
 * @throws {LayerError} if an argument or option is missing, surplus, unknown, unsupported or out of range; the message names the layer, the
 * option, its value and what is needed.
 */
export function checkCall(operation: keyof typeof SIGNATURES, given: ArrayLike<unknown>): void {
  const { parameters, surplus = "" }: Signature = SIGNATURES[operation];
  const names = Object.keys(parameters);
  const [first] = Array.from(given);
  const isNamed = names[0] === "name" && typeof first === "string" && first !== "";
  const subject = isNamed
    ? { layer: first, text: `layer '${first}'` }
    : { layer: operation, text: operation };
  if (given.length > names.length) {
    const option = `argument ${names.length + 1}`;
    const got = `${option} ${describeValue(given[names.length])}`;
    refuse(subject, option, got, `${operation}(${names.join(", ")})${surplus}`);
  }
  for (const [i, [name, check]] of Object.entries(parameters).entries()) {
    check(subject, name, given[i]);
  }
}

/**
 * Finds axes of activations, counted from 0.
 *
 * @throws {LayerError} if there is none of that number, it is the samples', or it is named twice.
 */
export function findAxes(
  operation: keyof typeof SIGNATURES,
  { shape }: Activations,
  axes: readonly number[],
): number[] {
  const own = axes.map((axis) => axis < 0 ? shape.length + axis : axis);
  const misfit = own.findIndex((axis, i) =>
    !(axis >= 1 && axis < shape.length) || own.indexOf(axis) < i
  );
  if (misfit < 0) return own;
  throw new LayerError(
    operation,
    axes.length > 1 ? "axes" : "axis",
    `Cannot use ${operation}: got axis ${axes[misfit]} of ${
      describeShape(shape)
    }, need axes from 1 to ${shape.length - 1}, each once`,
  );
}

/** Layer functions by the names that other libraries give them. */
const OTHER_FUNCTIONS: Readonly<Record<string, string>> = {
  conv: "convolution",
  conv2d: "convolution",
  linear: "dense",
  batchNorm2d: "batchNorm",
  avgPool: "averagePool",
  cat: "concat",
  concatenate: "concat",
  permute: "transpose",
  view: "reshape",
  mul: "multiply",
  sub: "subtract",
  div: "divide",
  bmm: "matmul",
  avgPool2d: "averagePool",
  maxPool2d: "maxPool",
  adaptiveAvgPool: "adaptiveAveragePool",
  adaptiveAvgPool2d: "adaptiveAveragePool",
  abs: "absolute",
  clamp: "clip",
  neg: "negate",
  pow: "power",
  swish: "silu",
  globalAveragePool: "globalAverage",
};

/** Names that JavaScript itself looks up on objects. */
const LANGUAGE_NAMES: readonly string[] = ["then", "toJSON", "constructor", "toString", "valueOf"];

/**
 * Wraps the layer functions that a definition is called with, so that one that does not exist is refused by its name.
 *
 * @throws {LayerError} as soon as the definition reads it; the message lists those that exist.
 */
export function refuseUnknown<T extends object>(layers: T): T {
  const names = Object.keys(SIGNATURES).filter((name) => name in layers);
  const others = Object.keys(OTHER_FUNCTIONS);
  return new Proxy(layers, {
    get(target, key) {
      const isKnown = typeof key !== "string" || key in target || LANGUAGE_NAMES.includes(key);
      // With the target as the receiver, since a proxy lacks its private fields.
      if (isKnown) return Reflect.get(target, key, target);
      const other = others.find((name) => name.toLowerCase() === key.toLowerCase());
      const nearest = other ? OTHER_FUNCTIONS[other] : findNearest(key, names);
      const mend = nearest ? `; did you mean ${nearest}?` : "; others are not supported";
      const need = `${names.join(", ")} or classes${mend}`;
      throw new LayerError(
        key,
        "name",
        `Cannot use layers.${key}: got no such layer, need ${need}`,
      );
    },
  });
}
