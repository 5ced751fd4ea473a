/**
 * Data sets from arrays of NumPy, wherever these stand.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import type { NpyArray, NpyTexts } from "../formats/npy.ts";
import { createDataset, type Dataset, type Split } from "./dataset.ts";
import { decodeLabels, isNamed, type Labels, numberLabels } from "./labels.ts";
import { allocateLike, type Pixels } from "./pixels.ts";

/** Order of a picture's axes. */
export type Layout = "NCHW" | "NHWC";

/** Place of the arrays of a data set. */
export interface ArraySource {
  /** Name of the data set. */
  readonly name: string;
  /** Returns what an array is called in errors. */
  locate(split: Split, role: "images" | "labels"): string;
  /** Returns whether labels of a split are there. */
  hasLabels(split: Split): boolean | Promise<boolean>;
  read(split: Split, role: "images" | "labels"): Promise<NpyArray | NpyTexts>;
}

/** What is known of a data set beside its arrays. */
export interface ArraySettings {
  /** Number of classes, or their names in the order of the labels. */
  readonly classes?: number | readonly string[];
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly layout?: Layout;
}

/**
 * Reads one split.
 *
 * Images are u8 `[N, H, W]`, `[N, C, H, W]` or `[N, H, W, C]`, or floats of such shapes or `[N, D]`, rows of a table. The `layout` says which of
 * the second and the third; without it, the axis of size 1 or 3 is that of the channels. Labels are integers of any width, or texts. Without
 * `classes` there are as many as the largest label of this split and of the training split asks for, or as there are texts in both splits.
 *
 * @throws {FileError} when an array is missing, broken, or of another type or shape
 * @throws {DataError} when images, labels and settings do not fit each other
 */
export async function readArrays(
  source: ArraySource,
  split: Split,
  { classes, layout, ...settings }: ArraySettings,
): Promise<Dataset> {
  const at = source.locate(split, "images");
  const pixels = arrangeImages(await source.read(split, "images"), at, layout);
  const labels = await readSourceLabels(source, split);
  return createDataset({
    name: source.name,
    split,
    ...pixels,
    ...numberLabels(source.name, labels, await readOthers(source, split, labels, classes), classes),
    ...settings,
  });
}

/** Reads the labels of the other split where this one's classes depend on them. */
async function readOthers(
  source: ArraySource,
  split: Split,
  labels: Labels,
  classes: ArraySettings["classes"],
): Promise<Labels[]> {
  // a training split that is numbered has its own classes, whatever is tested on
  if (Array.isArray(classes) || (split === "train" && !isNamed(labels))) return [];
  const other = split === "train" ? "test" : "train";
  return await source.hasLabels(other) ? [await readSourceLabels(source, other)] : [];
}

async function readSourceLabels(source: ArraySource, split: Split): Promise<Labels> {
  return decodeLabels(await source.read(split, "labels"), source.locate(split, "labels"));
}

function arrangeImages(
  array: NpyArray | NpyTexts,
  path: string,
  layout: Layout | undefined,
): Pick<Dataset, "images" | "shape"> {
  const { shape } = array;
  const fail = (state: string, need: string) =>
    new FileError(path, `Cannot read ${path}: got images of ${state}, need ${need}`);
  if (!("data" in array)) throw fail("texts", "numbers");
  const images = toPixels(array, path, fail);
  const isFloat = images instanceof Float32Array;
  if (shape.length === 2 && isFloat) return { images, shape: [1, 1, shape[1]] };
  if (shape.length === 3) return { images, shape: [shape[1], shape[2], 1] };
  const sizes = `[${shape.join(", ")}]`;
  if (shape.length !== 4) {
    const mend = shape.length === 2
      ? "; reshape pictures, and save a table as images.astype('float32')"
      : "";
    throw fail(
      `shape ${sizes}`,
      `[N, H, W], [N, C, H, W] or [N, H, W, C]${isFloat ? ", or [N, D] for a table" : ""}${mend}`,
    );
  }
  const found = layout ?? inferLayout(shape);
  if (found === undefined) {
    throw new FileError(
      path,
      `Cannot tell the layout of ${path}: got shape ${sizes}, need "layout": "NCHW" or "NHWC" ` +
        `in dataset.json`,
    );
  }
  if (found === "NHWC") return { images, shape: [shape[1], shape[2], shape[3]] };
  const [, channels, height, width] = shape as [number, number, number, number];
  return {
    images: moveChannelsLast(images, channels, height * width),
    shape: [height, width, channels],
  };
}

/** Takes bytes and float32 as they are, and converts other floats to float32. */
function toPixels(
  { data, dtype }: NpyArray,
  path: string,
  fail: (state: string, need: string) => FileError,
): Pixels {
  if (dtype === "|u1" || dtype === "<f4") return data as Pixels;
  if (dtype === "<f2") return Float32Array.from(data as Float16Array);
  if (dtype !== "<f8") {
    throw fail(
      `dtype ${dtype}`,
      "|u1 (uint8) from 0 to 255, or floats that are taken as they are; save images.astype('uint8') or images.astype('float32')",
    );
  }
  const doubles = data as Float64Array;
  const floats = Float32Array.from(doubles);
  const bad = floats.findIndex((value, i) =>
    !Number.isFinite(value) && Number.isFinite(doubles[i])
  );
  if (bad < 0) return floats;
  throw new FileError(
    path,
    `Cannot read ${path}: got ${
      doubles[bad]
    } at element ${bad}, need numbers within float32; scale them`,
  );
}

/** Infers the layout from the axis of size 1 or 3, the channels; undefined when both axes or neither have such a size. */
function inferLayout(shape: readonly number[]): Layout | undefined {
  const isChannels = (size: number | undefined) => size === 1 || size === 3;
  if (isChannels(shape[1]) === isChannels(shape[3])) return undefined;
  return isChannels(shape[1]) ? "NCHW" : "NHWC";
}

/** Transposes `[N, C, pixels]` to `[N, pixels, C]`. */
function moveChannelsLast(images: Pixels, channels: number, pixels: number): Pixels {
  const moved = allocateLike(images, images.length);
  const imageSize = channels * pixels;
  for (let start = 0; start < images.length; start += imageSize) {
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        moved[start + pixel * channels + channel] = images[start + channel * pixels + pixel];
      }
    }
  }
  return moved;
}
