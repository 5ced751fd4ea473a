/**
 * Parsers of option values: a value that is wrong is a usage error.
 *
 * @module
 */
import { InvalidArgumentError } from "npm:@commander-js/extra-typings@15.1.0";
import { MODEL_NEED, namesModel } from "../model.ts";
import { readBytes } from "../units.ts";

/** Largest height or width that pictures are resized to. */
const MOST_SIDE = 2 ** 13;

/** A built-in network's name, or a path. */
export function parseModel(text: string): string {
  if (namesModel(text)) return text;
  throw new InvalidArgumentError(`Got '${text}', need ${MODEL_NEED}.`);
}

/** An integer of at least 1. */
export const parseCount = parser(
  (value) => Number.isInteger(value) && value >= 1,
  "a positive integer",
);

/** A seed: an integer of 32 bits. */
export const parseSeed = parser(
  (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
  "an integer from 0 to 4294967295",
);

/** A number in (0, 1]. */
export const parseRatio = parser(
  (value) => value > 0 && value <= 1,
  "a number above 0 and at most 1",
);

/** A number in [0, 1). */
export const parseFraction = parser(
  (value) => value >= 0 && value < 1,
  "a number from 0 to below 1",
);

/** A number above 0. */
export const parsePositive = parser((value) => value > 0, "a number above 0");

/** A number of at least 0. */
export const parseNotNegative = parser((value) => value >= 0, "a number of at least 0");

/** A number from 1/2 to 1. */
export const parseThreshold = parser(
  (value) => value >= 0.5 && value <= 1,
  "a number from 0.5 to 1",
);

/** A number of bytes, with or without a unit. */
export function parseBytes(text: string): number {
  const bytes = readBytes(text);
  if (!(bytes > 0)) {
    throw new InvalidArgumentError(`Got '${text}', need a size such as 4GiB or 512MiB.`);
  }
  return bytes;
}

/** A path; an empty one comes from a shell variable that is not set. */
export function parsePath(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Got '', need a path.");
}

/** A sample, by its index or its file. */
export function parseSample(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Got '', need an index or the name of a file.");
}

/** Samples, each by an option of its own, since names of files may hold any separator. */
export function parseSamples(text: string, others: readonly string[] = []): readonly string[] {
  return [...others, parseSample(text)];
}

/** The size of an image, `28x28x1`. */
export function parseShape(text: string): readonly [number, number, number] {
  const sizes = text.split("x").map(Number);
  if (sizes.length !== 3 || !sizes.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new InvalidArgumentError(
      `Got '${text}', need height, width and channels such as 28x28x1.`,
    );
  }
  return sizes as [number, number, number];
}

/** Height and width of pictures, `32x32`. */
export function parseImageSize(text: string): readonly [height: number, width: number] {
  const sizes = /^\d+x\d+$/.test(text) ? text.split("x").map(Number) : [];
  if (sizes.length === 2 && sizes.every((size) => size >= 1 && size <= MOST_SIDE)) {
    return sizes as [number, number];
  }
  throw new InvalidArgumentError(
    `Got '${text}', need height and width in pixels, such as 32x32, each at most ${MOST_SIDE}.`,
  );
}

/** Names of layers, `conv1,fc1`. */
export function parseLayers(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const isTwice = new Set(names).size < names.length;
  if (names.includes("") || isTwice) {
    throw new InvalidArgumentError(
      `Got '${text}', need names of ${isTwice ? "different " : ""}layers such as conv1,fc1.`,
    );
  }
  return names;
}

/** A batch size, or `full`. */
export function parseBatch(text: string): number | "full" {
  return text === "full" ? text : parseCount(text);
}

function parser(fits: (value: number) => boolean, need: string): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? NaN : Number(text);
    if (!Number.isFinite(value) || !fits(value)) {
      throw new InvalidArgumentError(`Got '${text}', need ${need}.`);
    }
    return value;
  };
}
