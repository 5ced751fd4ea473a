/** Labels from NumPy arrays: integers, or texts that name classes. @module */

import { DataError, FileError } from "../errors.ts";
import { type NpyArray, type NpyDtype, type NpyTexts, readNpy } from "../formats/npy.ts";
import { describeName } from "../options.ts";
import { compareCodePoints } from "./code_points.ts";
import type { Dataset } from "./dataset.ts";

/** The largest label that a 32-bit signed integer holds. */
const LARGEST_LABEL = 2 ** 31 - 1;

/** Labels of samples: classes by their numbers, or by their names. */
export type Labels = Int32Array<ArrayBuffer> | readonly string[];

/** Labels as a data set has them. */
type NumberedLabels = Pick<Dataset, "labels" | "classes" | "classNames">;

/**
 * Reads labels `[N]` or `[N, 1]`, integers of any width.
 *
 * @throws {FileError} when the file is missing or broken, is of another type or shape, or holds a label that is negative or beyond 2^31 - 1
 */
export async function readLabels(path: string): Promise<Int32Array<ArrayBuffer>> {
  return decodeIntegers(await readNpy(path), path);
}

/**
 * Decodes labels `[N]` or `[N, 1]`: integers of any width, or texts.
 *
 * @param path names the array in errors
 * @throws {FileError} when they are of another type or shape, or a label is negative, beyond 2^31 - 1 or empty
 */
export function decodeLabels(array: NpyArray | NpyTexts, path: string): Labels {
  if ("data" in array) return decodeIntegers(array, path);
  checkShape(array.shape, path);
  const empty = array.texts.indexOf("");
  if (empty < 0) return array.texts;
  throw new FileError(
    path,
    `Cannot read ${path}: got an empty text at index ${empty}, need names of classes`,
  );
}

function decodeIntegers({ data, shape, dtype }: NpyArray, path: string): Int32Array<ArrayBuffer> {
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: got ${state}`);
  checkShape(shape, path);
  if (!isInteger(dtype)) {
    throw fail(`labels of dtype ${dtype}, need integers; save labels.astype('int64') instead`);
  }
  // compared before the conversion, which would round 64-bit integers
  const bad = data.findIndex((label) => label < 0 || label > LARGEST_LABEL);
  if (bad >= 0) {
    throw fail(`label ${data[bad]} at index ${bad}, need integers from 0 to ${LARGEST_LABEL}`);
  }
  return Int32Array.from<number | bigint>(data, Number);
}

function checkShape(shape: readonly number[], path: string): void {
  if (shape.length === 1 || (shape.length === 2 && shape[1] === 1)) return;
  const state = `labels of shape [${shape.join(", ")}]`;
  throw new FileError(path, `Cannot read ${path}: got ${state}, need [N] or [N, 1]`);
}

/** Returns whether an element type is an integer; a boolean is none. */
function isInteger(dtype: NpyDtype): boolean {
  return dtype[1] === "i" || dtype[1] === "u";
}

/**
 * Numbers labels that are names: by the list of names where there is one, else in code point order.
 *
 * @param others labels of other splits, which have the same classes
 * @param classes names of the classes, or their number; undefined where the labels tell
 * @throws {DataError} when names and numbers are mixed, a name is not in the list, or there are more or fewer names than classes
 */
export function numberLabels(
  name: string,
  labels: Labels,
  others: readonly Labels[],
  classes: number | readonly string[] | undefined,
): NumberedLabels {
  const fail = (state: string) => new DataError(`Cannot use data set ${name}: got ${state}`);
  const known = typeof classes === "number" ? undefined : classes;
  if (others.some((other) => isNamed(other) !== isNamed(labels))) {
    throw fail("labels that are texts for one split and integers for the other, need one kind");
  }
  if (!isNamed(labels)) {
    const all = [labels, ...others as Int32Array[]];
    const largest = () =>
      all.reduce((most, part) => part.reduce((a, b) => Math.max(a, b), most), 0);
    const numbers = { labels, classes: known?.length ?? classes as number ?? 1 + largest() };
    return known ? { ...numbers, classNames: known } : numbers;
  }
  const classNames = known ?? listNames([labels, ...others as string[][]]);
  if (typeof classes === "number" && classes !== classNames.length) {
    throw fail(
      `${classNames.length} names among the labels for ${classes} classes, need "classes" in dataset.json to be the list of names`,
    );
  }
  const numbers = new Map(classNames.map((className, label) => [className, label]));
  const bad = labels.findIndex((label) => !numbers.has(label));
  if (bad >= 0) {
    throw fail(
      `label ${describeName(labels[bad])} at index ${bad}, need one of the classes ${
        describeNames(classNames)
      }`,
    );
  }
  return {
    labels: Int32Array.from(labels, (label) => numbers.get(label)!),
    classes: classNames.length,
    classNames,
  };
}

/** Returns whether labels are names. */
export function isNamed(labels: Labels): labels is readonly string[] {
  return Array.isArray(labels);
}

/** Lists the distinct names in code point order, as Python sorts them. */
function listNames(splits: readonly (readonly string[])[]): string[] {
  return [...new Set(splits.flat())].sort(compareCodePoints);
}

/** Most names that a message lists. */
const LISTED = 10;

/** Describes names from a file, ten at most. */
export function describeNames(names: readonly string[]): string {
  const listed = names.slice(0, LISTED).map(describeName).join(", ");
  return names.length > LISTED ? `${listed} and ${names.length - LISTED} more` : listed;
}
