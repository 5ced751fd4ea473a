/** Labelled images in memory: the one form that every reader of data sets produces. @module */

import { DataError } from "../errors.ts";
import { findBadLabel } from "./label_check.ts";
import { checkKeys, describeValue, findNearest, type OptionNames } from "../options.ts";
import { countElements } from "../formats/shape.ts";
import { describeType } from "../formats/type_name.ts";

/** Labels are kept as 32-bit signed integers. */
const MAX_CLASSES = 2 ** 31;

/** Which part of a data set: the samples to learn from, or the samples to judge by. */
export type Split = typeof SPLITS[number];

const SPLITS = ["train", "test"] as const;

/**
 * Refuses what is no split.
 *
 * @param action what cannot be done then, as in `Cannot draw digits`
 * @throws {TypeError} for which the message names the nearest, if there is one.
 */
export function checkSplit(action: string, split: unknown): asserts split is Split {
  if (SPLITS.some((known) => known === split)) return;
  const nearest = typeof split === "string" ? findNearest(split, SPLITS) : undefined;
  throw new TypeError(
    `Cannot ${action}: got split ${describeValue(split)}, need "train" or "test"` +
      (nearest ? `; did you mean "${nearest}"?` : ""),
  );
}

/** Labelled images. Nothing changes it once made; a subset is a new one. */
export interface Dataset {
  /** Name or path that it was loaded by. */
  readonly name: string;
  readonly split: Split;
  /** Pixels, `[N, H, W, C]` u8, row-major. */
  readonly images: Uint8Array;
  /** Labels, `[N]` i32, each in 0..classes-1. */
  readonly labels: Int32Array;
  /** Height, width and channels of an image. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** Number of classes, the paper's K; labels need not use all of them. */
  readonly classes: number;
  /** Mean of each channel, of pixels scaled to 0..1. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, of pixels scaled to 0..1. */
  readonly std: readonly number[];
  /**
   * Where each sample stands in the whole split, `[N]` i32; absent where this is the whole split. Whatever takes samples of a part keeps
   * counting from the split's beginning.
   */
  readonly indices?: Int32Array;
}

/** What a {@link Dataset} is made of; a `mean` or `std` of one number holds for every channel. */
export interface DatasetParts extends Omit<Dataset, "labels"> {
  readonly labels: ArrayLike<number>;
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
};

/**
 * Makes a data set from its parts after checking that they fit. Borrows the images, copies the
 * labels.
 *
 * @throws {DataError} when the images are no `Uint8Array`, there are no samples, the counts of images and labels differ, a label is
 * no integer in 0..classes-1, mean and std do not fit the channels, or lead beyond float32, or the indices are not different integers
 * of at least 0
 * @throws {TypeError} when a part is unknown, missing or of another type
 */
export function createDataset(parts: DatasetParts): Dataset {
  checkParts(parts);
  checkCounts(parts);
  checkLabels(parts);
  const data = {
    ...parts,
    labels: Int32Array.from(parts.labels),
    mean: spreadOverChannels(parts, "mean", Number.isFinite),
    std: spreadOverChannels(parts, "std", (value) => Number.isFinite(value) && value > 0),
  };
  checkNormalised(data);
  return data;
}

/**
 * The samples of the given indices, in the given order; an index may come twice. Copies them, and
 * tells in `indices` where they stand in the whole split.
 *
 * @throws {RangeError} when there are no indices, or one is not an integer in 0..N-1
 */
export function takeSamples(data: Dataset, indices: ArrayLike<number>): Dataset {
  if (indices.length === 0) {
    throw new RangeError(`Cannot take samples of ${data.name}: got no indices, need at least 1`);
  }
  checkIndices(data, indices);
  const pixels = countElements(data.shape);
  const images = new Uint8Array(indices.length * pixels);
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i] * pixels;
    images.set(data.images.subarray(start, start + pixels), i * pixels);
  }
  const labels = Int32Array.from(indices, (index) => data.labels[index]);
  return {
    ...data,
    images,
    labels,
    indices: Int32Array.from(indices, (place) => indexSample(data, place)),
  };
}

/**
 * The first `n` samples, copied unless they are all.
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
 * Index in the whole split of the sample at a place of a data set, which may be a part of it.
 */
export function indexSample({ indices }: Pick<Dataset, "indices">, place: number): number {
  return indices ? indices[place] : place;
}

/**
 * Images as a network takes them: `(pixel / 255 - mean) / std` by channel, rounded once from
 * float64.
 *
 * @returns `[B, H, W, C]` f32, row-major, for B indices
 * @throws {RangeError} when an index is not an integer in 0..N-1
 */
export function normalise(data: Dataset, indices: ArrayLike<number>): Float32Array<ArrayBuffer> {
  checkIndices(data, indices);
  const channels = data.shape[2];
  const tables = data.mean.map((mean, channel) =>
    Float32Array.from({ length: 256 }, (_, pixel) => (pixel / 255 - mean) / data.std[channel])
  );
  const pixels = countElements(data.shape);
  const normalised = new Float32Array(indices.length * pixels);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * pixels;
    const to = i * pixels;
    for (let p = 0; p < pixels; p++) {
      normalised[to + p] = tables[p % channels][data.images[from + p]];
    }
  }
  return normalised;
}

/** @throws {TypeError} when a part is unknown, missing or of another type */
function checkParts(parts: DatasetParts): void {
  // null is no object of parts; nothing would pass for one without any
  checkKeys("create a data set", parts ?? null, DATASET_PARTS);
  const { name, split, labels, shape, mean, std } = parts;
  const check = (part: keyof DatasetParts, fits: boolean, need: string) => {
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
  // typed arrays of other types would be read as pixels that they do not hold
  if (!(images instanceof Uint8Array)) {
    throw new DataError(
      `Cannot use data set ${name}: got images of ${
        describeType(images)
      }, need a Uint8Array of pixels from 0 to 255`,
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
        `${labels.length} labels, need as many images as labels`,
    );
  }
  if (indices && indices.length !== samples) {
    throw new DataError(
      `Cannot use data set ${name}: got ${indices.length} indices, need ${samples}, one for each sample`,
    );
  }
  // one sample may stand at several places
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
    : findBadLabel(Array.from(labels, (label) => label - 1), classes) < 0
    ? "; the labels count from 1: subtract 1"
    : "";
  throw new DataError(
    `Cannot use data set ${name}: got label ${labels[bad]} at index ${bad}, need an integer in ` +
      `0..${classes - 1}${hint}`,
  );
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
  parts: DatasetParts,
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

/** Normalised pixels are float32, in which a tiny deviation would make them infinite. */
function checkNormalised({ name, mean, std }: Dataset): void {
  for (const [channel, deviation] of std.entries()) {
    const extremes = [(0 - mean[channel]) / deviation, (1 - mean[channel]) / deviation];
    const bad = extremes.find((pixel) => !Number.isFinite(Math.fround(pixel)));
    if (bad === undefined) continue;
    throw new DataError(
      `Cannot use data set ${name}: got mean ${mean[channel]} and std ${deviation} for channel ` +
        `${channel}, need pixels within float32, got ${bad}`,
    );
  }
}

/** Classes that no sample is of, one after another in increasing order; there may be as many as labels can count. */
export function* findEmptyClasses({ labels, classes }: Dataset): Generator<number> {
  const found = new Set(labels);
  for (let label = 0; label < classes; label++) if (!found.has(label)) yield label;
}
