/**
 * Writing of data sets as folders of NumPy arrays, as {@link readFolder} reads them.
 *
 * @module
 */
import { DataError, FileError } from "../errors.ts";
import { exists, explainWrite, isPartial, removeIfThere, writeWhole } from "../files/file.ts";
import { refuseOtherFiles } from "../files/folder.ts";
import { encodeCsv } from "../formats/csv.ts";
import { writeNpy } from "../formats/npy.ts";
import { describeType } from "../formats/type_name.ts";
import { checkKeys, describeValue } from "../options.ts";
import { type Dataset, nameClass } from "./dataset.ts";
import { FOLDER_FILES, SETTINGS_FILE } from "./folder.ts";
import { isTable } from "./pixels.ts";

/** Data sets of a folder: what to train on, and what to test on. */
export interface FolderSplits {
  /** Data to train on. */
  readonly train: Dataset;
  /** Data to test on. */
  readonly test?: Dataset;
}

/** Name of the folder within that holds the files until all of them are written. */
const PARTIAL_FOLDER = ".partial";

/** Parts in which both splits have to agree, since a folder has each once; of images their type. */
const COMMON = ["shape", "classes", "classNames", "mean", "std", "images"] as const;

/** Files that a folder may have, of both splits. */
const NAMES: readonly string[] = [
  ...Object.values(FOLDER_FILES).flatMap((names) => Object.values(names)),
  SETTINGS_FILE,
];

/** Writes one file under a path, whole or not at all. */
export type WriteFile = (path: string) => Promise<void>;

/**
 * Writes a data set as a folder: `images.npy`, `labels.npy` (int32) and `dataset.json`, for a test split `test_images.npy` and
 * `test_labels.npy`, and where samples are files `files.csv` and `test_files.csv` (`index,file,label`). What `readFolder` reads of it is equal
 * to the last bit, but for `name`, and `indices`, since the samples of a subset are numbered anew.
 *
 * The files appear when all of them are written, `images.npy` last.
 *
 * @param path a folder that does not exist, or an empty one
 * @throws {DataError} when the splits differ in shape, classes, mean, std or in the type of their images
 * @throws {FileError} when the folder holds anything, or cannot be written; nothing is left then
 */
export async function writeFolder(path: string, splits: FolderSplits): Promise<void> {
  checkKeys<FolderSplits>(`write ${path}`, splits, { train: true, test: true });
  const files = listFolderFiles(splits);
  const aside = `${path}/${PARTIAL_FOLDER}`;
  const isNew = !await exists(path);
  try {
    await Deno.mkdir(path, { recursive: true });
    refuseOtherFiles(path, { own: [PARTIAL_FOLDER] });
    removeLeft(aside);
    await Deno.mkdir(aside);
  } catch (cause) {
    throw cause instanceof FileError ? cause : explainWrite(path, cause);
  }
  const moved: string[] = [];
  try {
    for (const [name, write] of files) await write(`${aside}/${name}`);
    for (const [name] of files) {
      await Deno.rename(`${aside}/${name}`, `${path}/${name}`);
      moved.push(name);
    }
  } catch (cause) {
    for (const name of moved) removeIfThere(`${path}/${name}`);
    throw explainWrite(path, cause instanceof FileError ? cause.cause : cause);
  } finally {
    removeIfThere(aside, { recursive: true });
    if (isNew) removeIfThere(path);
  }
}

/**
 * Removes what a killed process left aside.
 *
 * @throws {FileError} if something there is not ours
 */
function removeLeft(aside: string): void {
  try {
    const other = Array.from(Deno.readDirSync(aside), ({ name }) => name)
      .find((name) => !NAMES.includes(name) && !isPartial(name));
    if (other === undefined) return removeIfThere(aside, { recursive: true });
    throw new FileError(
      aside,
      `Cannot write ${aside}: got a folder with ${other}, which lpntk did not write, need that name; move it away`,
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Lists the files that {@link writeFolder} writes, each with how it is written, in the order in which they have to appear: without the last one the
 * folder is no data set.
 *
 * @throws {DataError} when the splits differ in what `dataset.json` has once
 */
export function listFolderFiles({ train, test }: FolderSplits): ReadonlyMap<string, WriteFile> {
  if (test) checkCommon(train, test);
  const { classes, classNames, mean, std } = train;
  const settings = {
    classes: classNames ?? classes,
    mean: joinSame(mean),
    std: joinSame(std),
    ...arrangeShape(train).length === 4 && { layout: "NHWC" },
  };
  return new Map<string, WriteFile>([
    [SETTINGS_FILE, writeText(`${JSON.stringify(settings, null, 2)}\n`)],
    ...test ? listSplit(test, FOLDER_FILES.test) : [],
    ...listSplit(train, FOLDER_FILES.train),
  ]);
}

/** Returns one number for all channels where all are the same, as of most tables of many columns. */
function joinSame(numbers: readonly number[]): readonly number[] {
  return numbers.every((number) => number === numbers[0]) ? numbers.slice(0, 1) : numbers;
}

function listSplit(
  data: Dataset,
  names: typeof FOLDER_FILES[keyof typeof FOLDER_FILES],
): [name: string, write: WriteFile][] {
  const { files, images, labels } = data;
  const rows = files?.map((file, index) => ({
    index,
    file,
    label: nameClass(data, labels[index]),
  }));
  return [
    ...rows ? [[names.files, writeText(encodeCsv(rows))] as [string, WriteFile]] : [],
    [names.labels, (path) => writeNpy(path, labels, [labels.length])],
    [names.images, (path) => writeNpy(path, images, arrangeShape(data))],
  ];
}

/** Chooses the shape in which images are written: `[N, D]` of a table, `[N, H, W]` of grey pictures, else `[N, H, W, C]`. */
function arrangeShape({ images, labels, shape }: Dataset): readonly number[] {
  const [height, width, channels] = shape;
  if (channels === 1) return [labels.length, height, width];
  const isRows = isTable(shape) && images instanceof Float32Array;
  return isRows ? [labels.length, channels] : [labels.length, height, width, channels];
}

function writeText(text: string): WriteFile {
  return (path) => writeWhole(path, new TextEncoder().encode(text));
}

/** @throws {DataError} when the splits differ in what a folder has once */
function checkCommon(train: Dataset, test: Dataset): void {
  const parts = (data: Dataset) => ({ ...data, images: describeType(data.images) });
  const [ours, theirs] = [parts(train), parts(test)];
  const part = COMMON.find((part) => JSON.stringify(ours[part]) !== JSON.stringify(theirs[part]));
  if (part === undefined) return;
  throw new DataError(
    `Cannot write data sets ${train.name} and ${test.name} into one folder: got ${part} ${
      describeValue(ours[part])
    } to train on and ${describeValue(theirs[part])} to test on, need the same`,
  );
}
