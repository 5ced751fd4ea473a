/**
 * Checks of options: an unknown key is refused, so that a misspelt option is never ignored in silence.
 *
 * @module
 */
import { closest, distance } from "npm:fastest-levenshtein@1.0.16";

/** Every key of an options type, with the values that are allowed, or `true` for any. The compiler ensures that no key is missing. */
export type OptionNames<T> = { readonly [K in keyof T]-?: true | readonly NonNullable<T[K]>[] };

/** Values of a boolean option. */
export const FLAG = [true, false] as const;

/**
 * Refuses a value that is no number, such as a string of digits, and a number that is out of range.
 *
 * @param action action that fails, for the message: `train` in `Cannot train`
 * @param name name of the option
 * @param need description of the values that fit, for the message
 * @throws {RangeError} unless the value is a number that fits.
 */
export function checkNumber(
  action: string,
  name: string,
  value: unknown,
  fits: (value: number) => boolean,
  need: string,
): void {
  if (typeof value === "number" && fits(value)) return;
  throw new RangeError(`Cannot ${action}: got ${name} ${describeValue(value)}, need ${need}`);
}

/**
 * Refuses arguments after the last, which callers without types may give: a signal or a callback there would be ignored.
 *
 * @param action action that fails, for the message: `train` in `Cannot train`
 * @param given the function's own `arguments`
 * @throws {TypeError} if there are more than `most`.
 */
export function refuseSurplus(action: string, given: ArrayLike<unknown>, most: number): void {
  if (given.length <= most) return;
  throw new TypeError(
    `Cannot ${action}: got ${given.length} arguments, need at most ${most}, with onProgress and signal in the last, as options`,
  );
}

/** Returns whether a number is a positive integer. */
export function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}

/** Mistake in an object of options. */
export interface Misfit {
  /** Unknown key; undefined where the value is no object of options. */
  readonly key?: string;
  /** End of the error's message: `got ..., need ...`. */
  readonly text: string;
}

/** Names that other libraries give to options. */
export interface OtherNames {
  /** Names of ours by those of other libraries. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Reasons for options that are not supported, by their names in other libraries. */
  readonly refused?: Readonly<Record<string, string>>;
}

/**
 * Refuses an object of options with an unknown key or a value that is not allowed.
 *
 * @param action action that fails, for the message: `train` in `Cannot train`
 * @param options object of options, or undefined
 * @throws {TypeError} if the value is no object, a key is none of `names`, or a value is not allowed; for a key the message suggests the
 * nearest name.
 */
export function checkKeys<T>(
  action: string,
  options: unknown,
  names: OptionNames<T>,
  others?: OtherNames,
): void {
  if (options === undefined) return;
  const misfit = findMisfit(options, Object.keys(names), others);
  if (misfit) throw new TypeError(`Cannot ${action}: ${misfit.text}`);
  for (const [key, value] of Object.entries(options as object)) {
    const values = names[key as keyof T];
    if (values === true || value === undefined || values.includes(value)) continue;
    throw new TypeError(
      `Cannot ${action}: got ${key} ${describeValue(value)}, need ${
        values.map((known) => describeValue(known)).join(" or ")
      }`,
    );
  }
}

/** Finds the first unknown key of an object of options; undefined where all are known. */
export function findMisfit(
  options: unknown,
  names: readonly string[],
  { renamed = {}, refused = {} }: OtherNames = {},
): Misfit | undefined {
  const isObject = typeof options === "object" && options !== null && !Array.isArray(options);
  if (!isObject || options instanceof AbortSignal) {
    return { text: `got ${describeValue(options)}, need an object with ${names.join(", ")}` };
  }
  const key = Object.keys(options).find((key) => !names.includes(key));
  if (key === undefined) return undefined;
  const got = `got an unknown option ${key} = ${
    describeValue((options as Record<string, unknown>)[key])
  }, need `;
  if (Object.hasOwn(refused, key)) return { key, text: `${got}none: ${refused[key]}` };
  const need = `${got}${names.join(", ")}`;
  if (Object.hasOwn(renamed, key)) return { key, text: `${need}; ${key} is ${renamed[key]} here` };
  const nearest = findNearest(key, names);
  return { key, text: nearest ? `${need}; did you mean ${nearest}?` : need };
}

/** Finds the name that was probably meant; undefined where none is near: more than half of the shorter word would have to change. */
export function findNearest(name: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.replace(/[-_]/g, "").toLowerCase();
  const same = names.find((known) => plain(known) === plain(name));
  if (same !== undefined || names.length === 0) return same;
  const nearest = closest(name, [...names]);
  return distance(name, nearest) <= Math.min(name.length, nearest.length) / 2 ? nearest : undefined;
}

/** Largest number of characters of a value that an error shows. */
const SHOWN = 60;

/** Describes any value for an error, in a few characters on one line. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value instanceof Promise) return "a promise";
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" && typeof value !== "string") return String(value);
  const shape = readShape(value);
  if (shape) return `a tensor ${describeShape(shape)}`;
  if (value !== null && typeof value === "object" && !isPlain(value)) {
    return `a ${value.constructor?.name || "thing"}`;
  }
  const text = toJson(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
}

/** Formats the shape of a batch, with `N` for its first size. */
export function describeShape(shape: readonly number[]): string {
  return `[${["N", ...shape.slice(1)].slice(0, shape.length).join(", ")}]`;
}

function readShape(value: unknown): readonly number[] | undefined {
  const { shape, dataId } = Object(value);
  return Array.isArray(shape) && dataId !== undefined ? shape : undefined;
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

/** Largest number of characters of a name that an error shows as it is. */
const SHOWN_NAME = 200;

/** Returns whether a name from a file can be printed in a line as it is: it is short, and has no control, format or line-breaking character. */
export function isPlainName(text: string): boolean {
  return text.length <= SHOWN_NAME && text.search(UNPRINTABLE) < 0;
}

/** Describes a name from a file: as it is where it can be printed so, or else as {@linkcode describeValue} does. */
export function describeName(name: string): string {
  return isPlainName(name) ? name : describeValue(name);
}

/** Characters that are not printed as they are: controls, formats such as a change of direction, unpaired surrogates, and line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value).replace(
      UNPRINTABLE,
      (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  } catch {
    // JSON has no circular references and no bigint
    return Array.isArray(value) ? "an array" : "an object";
  }
}
