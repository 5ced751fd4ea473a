/**
 * Checks of the arguments of layer functions: every argument and option is checked before anything of the layer reaches the device, and
 * whatever is unknown or not supported is refused by its name.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import {
  describeShape,
  describeValue,
  findMisfit,
  findNearest,
  type OtherNames,
} from "../options.ts";

/** The layer or operation that an error is about. */
interface Subject {
  /** The layer's name, or the operation's where it has none. */
  readonly layer: string;
  /** The name in messages: `layer 'conv1'` or `maxPool`. */
  readonly text: string;
}

/** Throws a {@linkcode LayerError} unless the value is valid for the argument or option of this name. */
type Check = (subject: Subject, option: string, value: unknown) => void;

/** An operation: the checks of its arguments by their names, in their order. */
interface Signature {
  readonly parameters: Readonly<Record<string, Check>>;
  /** A note that the error on further arguments ends with. */
  readonly surplus?: string;
}

/** Largest stride and dilation of a convolution: the input's gradient takes one launch for each remainder by the stride, along both axes. */
const MAX_STRIDE = 256;

/** Most rows or columns of zeros on each side of an image. */
const MAX_PAD = 1024;

/** Most rows and columns of a filter or window. */
const MAX_SIZE = 1024;

/** Most outputs of a layer; whether the device can hold them is only known when they are allocated. */
const MAX_OUTPUTS = 2 ** 31 - 1;

function refuse({ layer, text }: Subject, option: string, got: string, need: string): never {
  throw new LayerError(layer, option, `Cannot use ${text}: got ${got}, need ${need}`);
}

function wholeNumber(least: number, most: number, note = ""): Check {
  return (subject, option, value) => {
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return;
    const got = `${option} ${describeValue(value)}`;
    refuse(subject, option, got, `a whole number from ${least} to ${most}${note}`);
  };
}

/** Checks a whole number, or a list of one for each axis; with `sides` also one for each of these. */
function perAxis(least: number, most: number, sides?: readonly string[]): Check {
  const lists = [["height", "width"], ...sides ? [sides] : []];
  const need = ["number", ...lists.map((names) => `[${names.join(", ")}]`)].join(" or ");
  return (subject, option, value) => {
    const fits = (item: unknown) =>
      Number.isInteger(item) && Number(item) >= least && Number(item) <= most;
    if (
      Array.isArray(value)
        ? lists.some(({ length }) => length === value.length) && value.every(fits)
        : fits(value)
    ) return;
    const got = `${option} ${describeValue(value)}`;
    refuse(subject, option, got, `whole numbers from ${least} to ${most}, as ${need}`);
  };
}

function number(fits: (value: number) => boolean, need: string): Check {
  return (subject, option, value) => {
    if (typeof value === "number" && fits(value)) return;
    refuse(subject, option, `${option} ${describeValue(value)}`, need);
  };
}

function choice(values: readonly unknown[]): Check {
  return (subject, option, value) => {
    if (values.includes(value)) return;
    const need = values.map((known) => describeValue(known)).join(" or ");
    refuse(subject, option, `${option} ${describeValue(value)}`, need);
  };
}

const text: Check = (subject, option, value) => {
  if (typeof value === "string" && value !== "") return;
  refuse(subject, option, `${option} ${describeValue(value)}`, "a text that is not empty");
};

/** @param mend end of the error on a tensor of another rank: how to make it fit */
function tensor(
  need: string,
  fitsRank: (rank: number) => boolean,
  mend: (rank: number) => string = () => "",
): Check {
  return (subject, option, value) => {
    if (!(value instanceof tf.Tensor)) {
      refuse(subject, option, `${option} ${describeValue(value)}`, need);
    }
    const { shape, dtype, isDisposed } = value;
    if (isDisposed) {
      refuse(subject, option, `${option} that is freed`, "a tensor of the same forward pass");
    }
    const got = `${option} ${describeShape(shape)}`;
    if (!fitsRank(shape.length)) refuse(subject, option, got, need + mend(shape.length));
    if (shape.includes(0)) {
      refuse(subject, option, `${option} [${shape.join(", ")}]`, "at least one number");
    }
    if (dtype !== "float32") refuse(subject, option, `${option} of ${dtype}`, "float32");
  };
}

const anyTensor = tensor("a tensor, [N, D] or [N, H, W, C]", (rank) => rank > 0);
const images = tensor("images [N, H, W, C]", (rank) => rank === 4);
const vectors = tensor(
  "[N, D]",
  (rank) => rank === 2,
  (rank) => rank === 4 ? "; flatten it first, or take its globalAverage" : "",
);

function optional(check: Check): Check {
  return (subject, option, value) => {
    if (value !== undefined) check(subject, option, value);
  };
}

/** Checks an object of options, each by its own check; `others` are names that other libraries give them. */
function options(checks: Readonly<Record<string, Check>>, others?: OtherNames): Check {
  return (subject, option, value) => {
    const misfit = findMisfit(value, Object.keys(checks), others);
    if (misfit) {
      const { key = option, text } = misfit;
      throw new LayerError(subject.layer, key, `Cannot use ${subject.text}: ${text}`);
    }
    const given = value as Readonly<Record<string, unknown>>;
    for (const [name, check] of Object.entries(checks)) check(subject, name, given[name]);
  };
}

const outputs = wholeNumber(1, MAX_OUTPUTS);
const flag = choice([true, false]);

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

const PYTORCH_BATCH_NORM: OtherNames = {
  renamed: { eps: "epsilon" },
  refused: {
    momentum: "a batch norm is frozen",
    affine: "a batch norm has a weight and a bias",
    track_running_stats: "a batch norm is frozen",
    num_features: READ_FROM_INPUT,
    numFeatures: READ_FROM_INPUT,
  },
};

const WINDOWS = "; windows do not overlap, and stride, padding, dilation and ceil_mode are not " +
  "supported";

const POOL: Signature = {
  parameters: { x: images, size: wholeNumber(1, MAX_SIZE, ": windows are square") },
  surplus: WINDOWS,
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
  batchNorm: {
    parameters: {
      name: text,
      x: images,
      options: optional(options({
        epsilon: optional(
          number((value) => value >= 0 && value < Infinity, "a number of at least 0"),
        ),
      }, PYTORCH_BATCH_NORM)),
    },
  },
  dropout: {
    parameters: {
      x: anyTensor,
      share: number((value) => value >= 0 && value < 1, "a number from 0 to below 1"),
    },
  },
  relu: { parameters: { x: anyTensor } },
  tanh: { parameters: { x: anyTensor } },
  gelu: { parameters: { x: anyTensor }, surplus: "; it is exact, never approximated by tanh" },
  maxPool: POOL,
  averagePool: POOL,
  globalAverage: { parameters: { x: images } },
  flatten: { parameters: { x: images } },
  add: { parameters: { x: anyTensor, y: anyTensor } },
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
      }, { renamed: { channels: "widths", depth: "blocks", layers: "blocks", pool: "pooling" } }),
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

/** Layer functions by the names that other libraries give them. */
const OTHER_FUNCTIONS: Readonly<Record<string, string>> = {
  conv: "convolution",
  conv2d: "convolution",
  linear: "dense",
  batchNorm2d: "batchNorm",
  avgPool: "averagePool",
  avgPool2d: "averagePool",
  maxPool2d: "maxPool",
  adaptiveAvgPool2d: "globalAverage",
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
