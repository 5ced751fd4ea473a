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
import { checkSplit, nameClass } from "./dataset.ts";
import { exists } from "../files/file.ts";
import { readCsv } from "../formats/csv.ts";
import { readJson } from "../formats/json.ts";
import { type ArraySource, readArrays } from "./arrays.ts";
import { readNpyOrTexts } from "../formats/npy.ts";

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
 * Images are u8 `[N, H, W]`, `[N, C, H, W]` or `[N, H, W, C]`, or float16, float32 or float64, which are taken as they are and rounded to float32,
 * of such shapes or `[N, D]`, rows of a table. The `layout` of `dataset.json` says which of the second and the third; without it, the axis of size 1
 * or 3 is that of the channels. Labels are integers of any width, or texts: classes in code point order, unless `classes` of `dataset.json` names
 * them. Without `classes` their number is one more than the largest label of this split and of `labels.npy`. `mean` defaults to 0 and `std` to 1.
 *
 * @throws {FileError} when a file is missing, broken, or of another type or shape
 * @throws {DataError} when images, labels and settings do not fit each other
 */
export async function readFolder(path: string, split: Split): Promise<Dataset> {
  checkSplit(`read ${path}`, split);
  const settings = await readSettings(`${path}/${SETTINGS_FILE}`);
  const locate: ArraySource["locate"] = (split, role) => `${path}/${FOLDER_FILES[split][role]}`;
  const source: ArraySource = {
    name: path,
    locate,
    hasLabels: (split) => exists(locate(split, "labels")),
    read: (split, role) => readNpyOrTexts(locate(split, role)),
  };
  const data = await readArrays(source, split, settings);
  const files = await readFiles(`${path}/${FOLDER_FILES[split].files}`, data);
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

/**
 * Returns whether the folder holds images or labels of this split, so that {@link readFolder} reads it or says which file is missing. Labels without
 * images of either split make no folder of arrays.
 */
export async function holdsArrays(path: string, split: Split): Promise<boolean> {
  const { images, labels } = FOLDER_FILES[split];
  if (await exists(`${path}/${images}`)) return true;
  const other = FOLDER_FILES[split === "train" ? "test" : "train"];
  return await exists(`${path}/${labels}`) && await exists(`${path}/${other.images}`);
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
