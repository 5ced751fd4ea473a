/**
 * Data sets from a folder of NumPy arrays: `images.npy` and `labels.npy`, for the test split `test_images.npy` and `test_labels.npy`, and an
 * optional `dataset.json`.
 *
 * @module
 */

import { z } from "npm:zod@4.6.7";
import { FileError } from "../errors.ts";
import { describeName, describeValue } from "../options.ts";
import type { Dataset, Split } from "./dataset.ts";
import { checkSplit, createDataset, nameClass } from "./dataset.ts";
import { exists } from "../files/file.ts";
import { readCsv } from "../formats/csv.ts";
import { readJson } from "../formats/json.ts";
import { readLabels } from "./labels.ts";
import { readNpy } from "../formats/npy.ts";

type Layout = "NCHW" | "NHWC";

const SETTINGS = z.strictObject({
  classes: z.union([z.number().int().positive(), z.array(z.string().min(1)).nonempty()]),
  mean: z.array(z.number()).nonempty(),
  std: z.array(z.number().positive()).nonempty(),
  layout: z.enum(["NCHW", "NHWC"]),
}).partial();

type Settings = z.infer<typeof SETTINGS>;

const NEEDED: Record<keyof Settings, string> = {
  classes: "an integer of at least 1, or a list of names",
  mean: "a list of numbers, one per channel",
  std: "a list of numbers above 0, one per channel",
  layout: '"NCHW" or "NHWC"',
};

/** Names of the files of each split. */
export const FOLDER_FILES = {
  train: { images: "images.npy", labels: "labels.npy", files: "files.csv" },
  test: { images: "test_images.npy", labels: "test_labels.npy", files: "test_files.csv" },
} as const;

/** Name of the file of settings. */
export const SETTINGS_FILE = "dataset.json";

/**
 * Reads one split of a folder.
 *
 * Images are u8 `[N, H, W]`, `[N, C, H, W]` or `[N, H, W, C]`. The `layout` of `dataset.json` says which of the last two; without it, the
 * axis of size 1 or 3 is that of the channels. Labels are integers of any width. Without `classes` their number is one more than the largest
 * label of this split and of `labels.npy`. `mean` defaults to 0 and `std` to 1.
 *
 * @throws {FileError} when a file is missing, broken, or of another type or shape
 * @throws {DataError} when images, labels and settings do not fit each other
 */
export async function readFolder(path: string, split: Split): Promise<Dataset> {
  checkSplit(`read ${path}`, split);
  const { classes, layout, ...settings } = await readSettings(`${path}/${SETTINGS_FILE}`);
  const names = FOLDER_FILES[split];
  const { images, shape } = await readImages(`${path}/${names.images}`, layout);
  const labels = await readLabels(`${path}/${names.labels}`);
  const classNames = Array.isArray(classes) ? classes : undefined;
  const data = createDataset({
    name: path,
    split,
    images,
    labels,
    shape,
    classes: classNames?.length ?? classes as number ?? await countClasses(path, split, labels),
    ...settings,
    ...classNames && { classNames },
  });
  const files = await readFiles(`${path}/${names.files}`, data);
  return files ? { ...data, files } : data;
}

/**
 * Reads the files of samples, where there is a list of them.
 *
 * @throws {FileError} when the list is broken, or is of other samples
 */
async function readFiles(path: string, data: Dataset): Promise<string[] | undefined> {
  if (!await exists(path)) return undefined;
  const need = "a list of files as lpntk writes it, one for each sample in their order";
  const fail = (state: string, mend = "") =>
    new FileError(path, `Cannot read ${path}: got ${state}, need ${need}${mend}`);
  const rows = await readCsv(path, need, ["index", "file"]);
  if (rows.length !== data.labels.length) {
    throw fail(`${rows.length} files for ${data.labels.length} samples`);
  }
  for (const [index, { line, cells }] of rows.entries()) {
    if (cells.index !== String(index)) {
      throw fail(`index ${describeName(cells.index)} in line ${line}`);
    }
    const label = nameClass(data, data.labels[index]);
    if (cells.label === undefined || cells.label === label) continue;
    throw fail(
      `label ${describeName(cells.label)} in line ${line} and ${describeName(label)} in the labels`,
      "; if labels were changed on purpose, change or remove its column label too",
    );
  }
  return rows.map(({ cells }) => cells.file);
}

/** Returns whether the folder holds images or labels of this split, so that {@link readFolder} reads it or says which file is missing. */
export async function holdsArrays(path: string, split: Split): Promise<boolean> {
  const { images, labels } = FOLDER_FILES[split];
  return await exists(`${path}/${images}`) || await exists(`${path}/${labels}`);
}

async function readSettings(path: string): Promise<Settings> {
  if (!await exists(path)) return {};
  const json = await readJson(path, "an object");
  const settings = SETTINGS.safeParse(json);
  if (settings.success) return settings.data;
  throw new FileError(
    path,
    `Cannot read ${path}: ${explainIssue(settings.error.issues[0], json)}`,
  );
}

function explainIssue(issue: z.core.$ZodIssue, json: unknown): string {
  const known = Object.keys(NEEDED).join(", ");
  if (issue.code === "unrecognized_keys") {
    return `got key ${describeValue(issue.keys[0])}, need one of ${known}`;
  }
  const key = issue.path[0] as keyof Settings | undefined;
  if (key === undefined) return `got ${describeValue(json)}, need an object with keys ${known}`;
  return `got ${describeValue((json as Settings)[key])} for "${key}", need ${NEEDED[key]}`;
}

async function readImages(
  path: string,
  layout: Layout | undefined,
): Promise<Pick<Dataset, "images" | "shape">> {
  const { data, shape, dtype } = await readNpy(path);
  const sizes = shape.join(", ");
  if (dtype !== "|u1") {
    throw new FileError(
      path,
      `Cannot read ${path}: got images of dtype ${dtype}, need |u1 (uint8); of numbers from 0 to 1 save (images * 255).round().astype('uint8')`,
    );
  }
  const images = data as Uint8Array;
  if (shape.length === 3) return { images, shape: [shape[1], shape[2], 1] };
  if (shape.length !== 4) {
    throw new FileError(
      path,
      `Cannot read ${path}: got images of shape [${sizes}], need [N, H, W], [N, C, H, W] or ` +
        `[N, H, W, C]`,
    );
  }
  const found = layout ?? inferLayout(shape);
  if (found === undefined) {
    throw new FileError(
      path,
      `Cannot tell the layout of ${path}: got shape [${sizes}], need "layout": "NCHW" or "NHWC" ` +
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

/** Infers the layout from the axis of size 1 or 3, the channels; undefined when both axes or neither have such a size. */
function inferLayout(shape: readonly number[]): Layout | undefined {
  const isChannels = (size: number | undefined) => size === 1 || size === 3;
  if (isChannels(shape[1]) === isChannels(shape[3])) return undefined;
  return isChannels(shape[1]) ? "NCHW" : "NHWC";
}

/** Transposes `[N, C, pixels]` to `[N, pixels, C]`. */
function moveChannelsLast(images: Uint8Array, channels: number, pixels: number): Uint8Array {
  const moved = new Uint8Array(images.length);
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

/** Counts classes by the largest label; a test split has at least as many as its training split. */
async function countClasses(path: string, split: Split, labels: Int32Array): Promise<number> {
  const classes = 1 + labels.reduce((largest, label) => Math.max(largest, label), 0);
  const trainLabels = `${path}/${FOLDER_FILES.train.labels}`;
  if (split === "train" || !await exists(trainLabels)) return classes;
  return Math.max(classes, await countClasses(path, "train", await readLabels(trainLabels)));
}
