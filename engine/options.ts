/**
 * Objects of options: a key that means nothing is refused, so that a misspelt option is never left out in silence.
 *
 * @module
 */
import { closest, distance } from "npm:fastest-levenshtein@1.0.16";

/** Every key of an options type, with its values where there are only some. The compiler sees to it that none is forgotten. */
export type OptionNames<T> = { readonly [K in keyof T]-?: true | readonly NonNullable<T[K]>[] };

/** Values of a flag. */
export const FLAG = [true, false] as const;

/**
 * Refuses what is no number, such as a text of one, and a number that is out of range.
 *
 * @param action what cannot be done then, as in `Cannot train`
 * @param name of the option
 * @throws {RangeError} unless it is a number that fits.
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

/** Whether a number counts something, at least one. */
export function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}

/** What is wrong with an object of options, as the end of an error line says it. */
export interface Misfit {
  /** The key that means nothing; none where these are no options at all. */
  readonly key?: string;
  /** `got ..., need ...`. */
  readonly text: string;
}

/** Names of other libraries for what is known here by another, and for what is not there at all. */
export interface OtherNames {
  /** Our name by theirs. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Why there is no such option, by its name. */
  readonly refused?: Readonly<Record<string, string>>;
}

/**
 * Refuses keys that an object of options does not have, and values that are none of the few that there are.
 *
 * @param action what cannot be done then, as in `Cannot train`
 * @param options an object, or nothing
 * @throws {TypeError} if it is no object, has a key that is none of `names`, for which the message names the nearest, or such a value.
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

/** The first key that means nothing, if there is one. */
export function findMisfit(
  options: unknown,
  names: readonly string[],
  { renamed = {}, refused = {} }: OtherNames = {},
): Misfit | undefined {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
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

/** The name that was probably meant. */
export function findNearest(name: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.replace(/[-_]/g, "").toLowerCase();
  const same = names.find((known) => plain(known) === plain(name));
  if (same !== undefined || names.length === 0) return same;
  const nearest = closest(name, [...names]);
  return distance(name, nearest) <= name.length / 2 ? nearest : undefined;
}

/** Letters of a value that are shown. */
const SHOWN = 60;

/** Any value in a few letters on one line. */
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

/** The shape of a batch, its first dimension by name. */
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

/** Letters of a name that are shown. */
const SHOWN_NAME = 200;

/** Whether a text from a file can stand in a line: nothing in it ends the line, moves the cursor or turns the direction, and it is no page. */
export function isPlainName(text: string): boolean {
  return text.length <= SHOWN_NAME && text.search(UNPRINTABLE) < 0;
}

/** A name that comes from a file, as it stands where it fits a line. */
export function describeName(name: string): string {
  return isPlainName(name) ? name : describeValue(name);
}

/** Controls, invisible letters, halves of letters, and other ends of lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value).replace(
      UNPRINTABLE,
      (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  } catch {
    // a circle, or numbers that JSON does not know
    return Array.isArray(value) ? "an array" : "an object";
  }
}
