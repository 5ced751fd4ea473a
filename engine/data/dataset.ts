/** Data sets: labelled images in memory, in the one form that every reader produces. @module */

import { DataError } from "../errors.ts";
import { refuseFlags } from "./index_check.ts";
import { findBadLabel } from "./label_check.ts";
import { checkKeys, describeValue, findNearest, type OptionNames } from "../options.ts";
import { countElements } from "../formats/shape.ts";
import { describeType } from "../formats/type_name.ts";
import {
  allocateLike,
  checkFinite,
  checkNormalised,
  normaliseElements,
  type Pixels,
} from "./pixels.ts";

/** Most classes, since labels are 32-bit signed integers. */
const MAX_CLASSES = 2 ** 31;

/** Part of a data set: the samples to train on, or those to test on. */
export type Split = "train" | "test";

const SPLITS: readonly Split[] = ["train", "test"];

/**
 * Refuses a value that is no split.
 *
 * @param action the action of the message, as in `Cannot draw digits`
 * @throws {TypeError} if it is none; the message names the nearest, if one is near.
 */
export function checkSplit(action: string, split: unknown): asserts split is Split {
  if (SPLITS.some((known) => known === split)) return;
  const nearest = typeof split === "string" ? findNearest(split, SPLITS) : undefined;
  throw new TypeError(
    `Cannot ${action}: got split ${describeValue(split)}, need "train" or "test"` +
      (nearest ? `; did you mean "${nearest}"?` : ""),
  );
}

/** Labelled images, immutable; a subset is a new data set. */
export interface Dataset {
  /** Name or path by which it was loaded. */
  readonly name: string;
  /** Which part it is, or is of. */
  readonly split: Split;
  /**
   * Pixels, `[N, H, W, C]`, row-major: u8, which a network sees divided by 255, or finite f32, which it sees as they are. Rows of a table are
   * samples of shape [1, 1, D].
   */
  readonly images: Uint8Array | Float32Array;
  /** Labels, `[N]` i32, each in 0..classes-1. */
  readonly labels: Int32Array;
  /** Height, width and channels of an image. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** Number of classes, the paper's K; labels need not use all of them. */
  readonly classes: number;
  /** Mean of each channel, of u8 pixels scaled to 0..1. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, of u8 pixels scaled to 0..1. */
  readonly std: readonly number[];
  /**
   * Index of each sample in the whole split, `[N]` i32; absent where this is the whole split. Subsets of a subset keep the indices in the
   * whole split.
   */
  readonly indices?: Int32Array;
  /** Names of the classes, `[classes]`, each another; absent where classes have numbers only. */
  readonly classNames?: readonly string[];
  /** File that each sample was read from, `[N]`, relative to the folder of the data set; absent where samples are no files. */
  readonly files?: readonly string[];
}

/** Parts of a {@link Dataset}; a `mean` or `std` of one number is used for every channel. */
export interface DatasetParts extends Omit<Dataset, "labels" | "mean" | "std"> {
  /** Labels, `[N]`, integers in 0..classes-1. */
  readonly labels: ArrayLike<number>;
  /** Mean of each channel, `[C]` or one for all, of u8 pixels scaled to 0..1. Default: 0, as of a folder. */
  readonly mean?: readonly number[];
  /** Standard deviation of each channel, `[C]` or one for all, of u8 pixels scaled to 0..1. Default: 1, as of a folder. */
  readonly std?: readonly number[];
}

const DATASET_PARTS: OptionNames<DatasetParts> = {
  name: true,
  split: true,
  images: true,
  labels: true,
  shape: true,
  classes: true,
  mean: true,
  std: true,
  indices: true,
  classNames: true,
  files: true,
};

/**
 * Makes a data set from its parts, after checking that they fit together. It borrows the images and copies the labels.
 *
 * @throws {DataError} when the images are neither a `Uint8Array` nor finite numbers in a `Float32Array`, there are no samples, the counts of images and labels differ, a label is
 * no integer in 0..classes-1, mean and std do not fit the channels or take pixels beyond float32, or the indices are not integers of at
 * least 0, one for each sample
 * @throws {TypeError} when a part is unknown, missing or of another type
 */
export function createDataset(given: DatasetParts): Dataset {
  // undefined would pass as an object without keys, null does not
  checkKeys("create a data set", given ?? null, DATASET_PARTS);
  const parts = { ...given, mean: given.mean ?? [0], std: given.std ?? [1] };
  checkParts(parts);
  checkCounts(parts);
  checkLabels(parts);
  checkNames(parts);
  const data = {
    ...parts,
    labels: Int32Array.from(parts.labels),
    mean: spreadOverChannels(parts, "mean", Number.isFinite),
    std: spreadOverChannels(parts, "std", (value) => Number.isFinite(value) && value > 0),
  };
  checkFinite(data);
  checkNormalised(data);
  return data;
}

/**
 * Takes the samples of the given indices, in the given order, copied; an index may come twice. The result's `indices` are those in the
 * whole split.
 *
 * @throws {TypeError} when these are flags, a `Uint8Array` or booleans, as `findRedundant` gives them
 * @throws {RangeError} when there are no indices, or one is not an integer in 0..N-1
 */
export function takeSamples(data: Dataset, indices: ArrayLike<number>): Dataset {
  refuseFlags(`take samples of ${data.name}`, indices);
  if (indices.length === 0) {
    throw new RangeError(`Cannot take samples of ${data.name}: got no indices, need at least 1`);
  }
  const images = takePixels(data, indices);
  const labels = Int32Array.from(indices, (index) => data.labels[index]);
  return {
    ...data,
    images,
    labels,
    indices: Int32Array.from(indices, (index) => indexSample(data, index)),
    ...data.files && { files: Array.from(indices, (index) => data.files![index]) },
  };
}

/** Copies the pixels of samples. */
function takePixels(data: Dataset, indices: ArrayLike<number>): Pixels {
  checkIndices(data, indices);
  const size = countElements(data.shape);
  const pixels = allocateLike(data.images, indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i] * size;
    pixels.set(data.images.subarray(start, start + size), i * size);
  }
  return pixels;
}

/**
 * Takes the first `n` samples, copied unless they are all.
 *
 * @throws {RangeError} when `n` is not an integer in 1..N
 */
export function takeFirst(data: Dataset, n: number): Dataset {
  const samples = data.labels.length;
  if (!Number.isInteger(n) || n < 1 || n > samples) {
    throw new RangeError(
      `Cannot take the first ${n} samples of ${data.name} (${data.split}): it holds ${samples}, ` +
        `need an integer in 1..${samples}`,
    );
  }
  if (n === samples) return data;
  return takeSamples(data, Int32Array.from({ length: n }, (_, i) => i));
}

/**
 * Returns the index in the whole split of sample `n` of a data set, which may be a subset of it.
 */
export function indexSample({ indices }: Pick<Dataset, "indices">, n: number): number {
  return indices ? indices[n] : n;
}

/** Returns the name of a class: as the data set has it, or else its number, as of an output of a network beyond the data set's classes. */
export function nameClass({ classNames }: Pick<Dataset, "classNames">, label: number): string {
  return classNames?.[label] ?? String(label);
}

/**
 * Normalises the images of the given indices for a network: `(pixel / 255 - mean) / std` by channel, without the division of f32 images, rounded
 * once from float64.
 *
 * @returns `[B, H, W, C]` f32, row-major, for B indices
 * @throws {RangeError} when an index is not an integer in 0..N-1
 */
export function normalise(data: Dataset, indices: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const samples = takePixels(data, indices);
  const normalised = new Float32Array(samples.length);
  normaliseElements(data, samples, normalised);
  return normalised;
}

/** Parts that may not be missing once the defaults are filled in. */
type Checked = "name" | "split" | "images" | "labels" | "shape" | "classes" | "mean" | "std";

/** @throws {TypeError} when a part is missing or of another type */
function checkParts(parts: Required<Pick<DatasetParts, Checked>>): void {
  const { name, split, labels, shape, mean, std } = parts;
  const check = (part: keyof typeof parts, fits: boolean, need: string) => {
    if (fits) return;
    throw new TypeError(
      `Cannot create a data set: got ${part} ${describeValue(parts[part])}, need ${need}`,
    );
  };
  check("name", typeof name === "string", "a text");
  checkSplit(`create data set ${name}`, split);
  check("shape", Array.isArray(shape) && shape.length === 3, "[height, width, channels]");
  check("labels", typeof Object(labels).length === "number", "a list of integers");
  check(
    "mean",
    Array.isArray(mean),
    "a list of one number for all channels, as [0], or one for each",
  );
  check(
    "std",
    Array.isArray(std),
    "a list of one number for all channels, as [1], or one for each",
  );
}

function checkCounts({ name, images, labels, shape, indices }: DatasetParts): void {
  // other typed arrays would be read as wrong pixels
  if (!(images instanceof Uint8Array || images instanceof Float32Array)) {
    throw new DataError(
      `Cannot use data set ${name}: got images of ${
        describeType(images)
      }, need a Uint8Array of pixels from 0 to 255, or a Float32Array of any`,
    );
  }
  if (!shape.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new DataError(
      `Cannot use data set ${name}: got images of shape [${shape.join(", ")}], need sizes of at ` +
        `least 1`,
    );
  }
  if (images.length === 0 && labels.length === 0) {
    throw new DataError(`Cannot use data set ${name}: it holds no samples, need at least 1`);
  }
  const samples = images.length / countElements(shape);
  if (samples !== labels.length) {
    throw new DataError(
      `Cannot use data set ${name}: got ${samples} images of shape [${shape.join(", ")}] and ` +
        `${labels.length} labels, need as many images as labels; take both from the same samples`,
    );
  }
  if (indices && indices.length !== samples) {
    throw new DataError(
      `Cannot use data set ${name}: got ${indices.length} indices, need ${samples}, one for each sample`,
    );
  }
  // an index may come several times
  const bad = Array.from(indices ?? []).findIndex((index) =>
    !(Number.isInteger(index) && index >= 0)
  );
  if (bad < 0) return;
  throw new DataError(
    `Cannot use data set ${name}: got index ${
      describeValue(indices![bad])
    } at place ${bad}, need integers of at least 0`,
  );
}

function checkLabels({ name, labels, classes }: DatasetParts): void {
  if (!Number.isInteger(classes) || classes < 1 || classes > MAX_CLASSES) {
    throw new DataError(
      `Cannot use data set ${name}: got ${classes} classes, need an integer in 1..${MAX_CLASSES}`,
    );
  }
  const bad = findBadLabel(labels, classes);
  if (bad < 0) return;
  const hint = typeof labels[bad] === "bigint"
    ? ", of type number"
    : !Number.isInteger(labels[bad])
    ? "; from Python, save labels.astype('int64')"
    : findBadLabel(Array.from(labels, (label) => label - 1), classes) < 0
    ? "; the labels count from 1: subtract 1"
    : "";
  throw new DataError(
    `Cannot use data set ${name}: got label ${labels[bad]} at index ${bad}, need an integer in ` +
      `0..${classes - 1}${hint}`,
  );
}

/** Refuses class names that are not one for each class, or are there twice, and files that are not one for each sample. */
function checkNames({ name, classes, classNames, labels, files }: DatasetParts): void {
  if (classNames && classNames.length !== classes) {
    throw new DataError(
      `Cannot use data set ${name}: got ${classNames.length} class names, need ${classes}, one for each class`,
    );
  }
  const twice = classNames?.find((className, label) => classNames.indexOf(className) !== label);
  if (twice !== undefined) {
    throw new DataError(
      `Cannot use data set ${name}: got class name ${
        describeValue(twice)
      } twice, need another for each class`,
    );
  }
  if (files && files.length !== labels.length) {
    throw new DataError(
      `Cannot use data set ${name}: got ${files.length} files for ${labels.length} samples, need one for each`,
    );
  }
}

function checkIndices(data: Dataset, indices: ArrayLike<number>): void {
  const samples = data.labels.length;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i];
    if (!Number.isInteger(index) || index < 0 || index >= samples) {
      throw new RangeError(
        `Cannot take sample ${index} of ${data.name} (${data.split}): it holds ${samples}, ` +
          `need an integer in 0..${samples - 1}`,
      );
    }
  }
}

function spreadOverChannels(
  parts: Required<Pick<DatasetParts, "name" | "shape" | "mean" | "std">>,
  key: "mean" | "std",
  isValid: (value: number) => boolean,
): readonly number[] {
  const values = parts[key];
  const channels = parts.shape[2];
  if (values.length !== channels && values.length !== 1) {
    throw new DataError(
      `Cannot use data set ${parts.name}: got ${values.length} numbers for ${key}, need ` +
        `${channels}, one per channel, or 1 for all`,
    );
  }
  const bad = values.find((value) => !isValid(value));
  if (bad !== undefined) {
    throw new DataError(
      `Cannot use data set ${parts.name}: got ${bad} in ${key}, need finite numbers` +
        (key === "std" ? " above 0" : ""),
    );
  }
  return Array.from({ length: channels }, (_, channel) => values[channel % values.length]);
}

/** Yields the classes without samples in increasing order; there may be as many as 2^31. */
export function* findEmptyClasses({ labels, classes }: Dataset): Generator<number> {
  const found = new Set(labels);
  for (let label = 0; label < classes; label++) if (!found.has(label)) yield label;
}
