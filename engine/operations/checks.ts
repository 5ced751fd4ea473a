/**
 * Checks of single arguments and options, of which the signatures of layer functions are made.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { LayerError } from "../errors.ts";
import { describeShape, describeValue, findMisfit, type OtherNames } from "../options.ts";

/** Most outputs of a layer; whether the device can hold them is only known when they are allocated. */
const MAX_OUTPUTS = 2 ** 31 - 1;

/** The layer or operation that an error is about. */
export interface Subject {
  /** The layer's name, or the operation's where it has none. */
  readonly layer: string;
  /** The name in messages: `layer 'conv1'` or `maxPool`. */
  readonly text: string;
}

/** Throws a {@linkcode LayerError} unless the value is valid for the argument or option of this name. */
export type Check = (subject: Subject, option: string, value: unknown) => void;

/** An operation: the checks of its arguments by their names, in their order. */
export interface Signature {
  readonly parameters: Readonly<Record<string, Check>>;
  /** A note that the error on further arguments ends with. */
  readonly surplus?: string;
}

export function refuse({ layer, text }: Subject, option: string, got: string, need: string): never {
  throw new LayerError(layer, option, `Cannot use ${text}: got ${got}, need ${need}`);
}

export function wholeNumber(least: number, most: number, note = ""): Check {
  return (subject, option, value) => {
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return;
    const got = `${option} ${describeValue(value)}`;
    refuse(subject, option, got, `a whole number from ${least} to ${most}${note}`);
  };
}

/** Checks a whole number, or a list of one for each axis; with `sides` also one for each of these. */
export function perAxis(least: number, most: number, sides?: readonly string[]): Check {
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

export function number(fits: (value: number) => boolean, need: string): Check {
  return (subject, option, value) => {
    if (typeof value === "number" && fits(value)) return;
    refuse(subject, option, `${option} ${describeValue(value)}`, need);
  };
}

/** Checks finite numbers in float32. */
export const floats: Check = (subject, option, value) => {
  const need = "a Float32Array of finite numbers";
  if (!(value instanceof Float32Array)) {
    refuse(subject, option, `${option} ${describeValue(value)}`, need);
  }
  const bad = value.findIndex((number) => !Number.isFinite(number));
  if (bad >= 0) refuse(subject, option, `${option} with ${value[bad]} at index ${bad}`, need);
};

export function choice(values: readonly unknown[]): Check {
  return (subject, option, value) => {
    if (values.includes(value)) return;
    const need = values.map((known) => describeValue(known)).join(" or ");
    refuse(subject, option, `${option} ${describeValue(value)}`, need);
  };
}

export const text: Check = (subject, option, value) => {
  if (typeof value === "string" && value !== "") return;
  refuse(subject, option, `${option} ${describeValue(value)}`, "a text that is not empty");
};

/** @param mend end of the error on a tensor of another rank: how to make it fit */
export function tensor(
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

export const anyTensor = tensor("a tensor, [N, D] or [N, H, W, C]", (rank) => rank > 0);
export const images = tensor("images [N, H, W, C]", (rank) => rank === 4);
export const vectors = tensor("a tensor [N, ..., D]", (rank) => rank >= 2);

export function optional(check: Check): Check {
  return (subject, option, value) => {
    if (value !== undefined) check(subject, option, value);
  };
}

/** Checks an object of options, each by its own check; `others` are names that other libraries give them. */
export function options(checks: Readonly<Record<string, Check>>, others?: OtherNames): Check {
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

export const outputs = wholeNumber(1, MAX_OUTPUTS);
export const flag = choice([true, false]);

/** Checks a list, each entry by the same check; `least` is the smallest number of entries. */
export function list(of: string, check: Check, least = 1): Check {
  return (subject, option, value) => {
    if (!Array.isArray(value) || value.length < least) {
      refuse(subject, option, `${option} ${describeValue(value)}`, `a list of ${of}`);
    }
    for (const entry of value) check(subject, option, entry);
  };
}

/** Sizes of every axis of a tensor; none is one number. */
export const sizes = list("whole numbers, the size of each axis without the samples", outputs, 0);
