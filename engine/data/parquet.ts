/**
 * Data sets of pictures in Parquet, as Hugging Face stores them: a column of PNG or JPEG bytes, and one of labels.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { z } from "npm:zod@4.6.7";
import { FileError } from "../errors.ts";
import { PictureError } from "../formats/picture.ts";
import { ParquetFile, type ParquetRow } from "../formats/parquet.ts";
import { describeName, describeValue } from "../options.ts";
import { checkSplit, type Dataset, type Split } from "./dataset.ts";
import type { FolderSplits } from "./folder_writer.ts";
import { describeNames, type Labels, numberLabels } from "./labels.ts";
import type { CacheEntry } from "./pictures/cache.ts";
import { decodePictures, type EncodedPicture, type PictureOptions } from "./pictures/decoding.ts";
import { describeFiles, listFolder } from "./pictures/listing.ts";
import { makeSplits, readThroughCache } from "./pictures/pictures.ts";

/** Files of each split, in the order of their samples. */
interface Parts extends Readonly<Record<Split, readonly string[]>> {
  /** Sentences on what is left out. */
  readonly notes: readonly string[];
}

/** Columns of pictures and labels, and the names of the classes where the file has them. */
interface Columns {
  readonly image: string;
  readonly label: string;
  readonly labelKind: "integer" | "text";
  readonly classNames?: readonly string[];
}

/** Key of the file's metadata under which Hugging Face's libraries describe the columns. */
const FEATURES_KEY = "huggingface";

const FEATURES = z.object({
  info: z.object({
    features: z.record(
      z.string(),
      z.object({ _type: z.string().optional(), names: z.array(z.string().min(1)).optional() }),
    ),
  }),
});

/** Names of the files of a folder, with the split, and of one part its number and how many there are. */
const PART = /^(train|test|validation|val)(?:-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?)?\.parquet$/;

/**
 * Reads one split of a Parquet file, which is one to train on, or of a folder of `train-00000-of-00002.parquet`, `test-00000-of-00001.parquet` and
 * the like, or of `train.parquet` and `test.parquet`, in the folder or in `data` below it. A `validation` split is tested on where there is no
 * `test`.
 *
 * The one column of pictures has bytes, or `bytes` and `path` together; the one of labels integers, whose names may be in the metadata, or texts,
 * which are classes in code point order. What was decoded is kept in the cache folder, as of pictures in files.
 *
 * @throws {FileError} when a file is missing or broken, has no column of pictures or of labels or several, or a label is missing; with `strict`
 * when a picture cannot be read
 * @throws {DataError} when pictures have several sizes and `imageSize` is not given, or labels are no classes
 */
export async function readParquet(
  path: string,
  split: Split,
  options: PictureOptions = {},
): Promise<Dataset> {
  checkSplit(`read ${path}`, split);
  const parts = await listParts(path);
  for (const note of parts.notes) options.onNote?.(note);
  const root = dirname(parts.train[0]);
  const files = (["train", "test"] as const).flatMap((split) =>
    parts[split].map((part) => ({ split, file: basename(part), label: 0 }))
  );
  const key = { classNames: [], files: await describeFiles(root, files) };
  return await readThroughCache(path, split, options, key, () => decodeParts(path, parts, options));
}

/**
 * Returns whether a path is that of a Parquet file, or of a folder of some, with this split.
 *
 * @throws {FileError} when parts of a split are missing
 */
export async function holdsParquet(path: string, split: Split): Promise<boolean> {
  const parts = await findParts(path);
  return parts !== undefined && parts[split].length > 0;
}

async function listParts(path: string): Promise<Parts> {
  const parts = await findParts(path);
  if (parts && parts.train.length > 0) return parts;
  throw new FileError(path, `Cannot read ${path}: got no Parquet file to train on in it, need one`);
}

async function findParts(path: string): Promise<Parts | undefined> {
  if (path.endsWith(".parquet")) return { train: [path], test: [], notes: [] };
  for (const folder of [path, `${path}/data`]) {
    const names = await listNames(folder);
    const find = (split: string) =>
      names.filter((name) => PART.exec(name)?.[1] === split).map((name) => `${folder}/${name}`);
    const train = find("train");
    const [test = [], ...spare] = [find("test"), find("validation"), find("val")]
      .filter(({ length }) => length > 0);
    if (train.length === 0 && test.length === 0) continue;
    checkParts(path, train);
    checkParts(path, test);
    const others = names.filter((name) => /\.parquet$/i.test(name) && !PART.test(name));
    return { train, test, notes: noteLeft(path, spare.flat(), others) };
  }
}

/** Says which tables are not read. */
function noteLeft(path: string, spare: readonly string[], others: readonly string[]): string[] {
  const note = (why: string, names: readonly string[]) =>
    names.length > 0
      ? [`left out of ${path}, since ${why}: ${describeNames(names.map((name) => basename(name)))}`]
      : [];
  return [
    ...note("it has another split to test on", spare),
    ...note("it is named for no split", others),
  ];
}

async function listNames(folder: string): Promise<readonly string[]> {
  try {
    if (!(await Deno.stat(folder)).isDirectory) return [];
  } catch {
    return [];
  }
  return (await listFolder(folder)).files;
}

/** @throws {FileError} unless all parts of a split are there, once. */
function checkParts(path: string, files: readonly string[]): void {
  const found = files.map((file) => PART.exec(basename(file))!);
  const count = Number(found[0]?.[3] ?? 1);
  const isWhole = found.length === 0 ||
    (found.length === count &&
      found.every(([, , part, of]) => Number(of ?? 1) === count && Number(part ?? 0) < count) &&
      new Set(found.map(([, , part]) => part)).size === count);
  if (isWhole) return;
  throw new FileError(
    path,
    `Cannot read ${path}: got ${describeNames(files.map((file) => basename(file)))} of ${
      found[0][1]
    }, need each of its ${count} parts once`,
  );
}

/** Decodes all pictures of both splits. */
async function decodeParts(
  path: string,
  parts: Parts,
  { imageSize, onProgress, signal }: PictureOptions,
): Promise<CacheEntry<FolderSplits>> {
  const columns = await findColumns([...parts.train, ...parts.test]);
  const train = await readLabelColumn(parts.train, columns);
  const test = parts.test.length > 0 ? await readLabelColumn(parts.test, columns) : undefined;
  // both splits have the classes of both
  const number = (labels: Labels) =>
    numberLabels(path, labels, test ? [train, test] : [], columns.classNames);
  const { classes, classNames } = number(train);
  const labels = { train: number(train).labels, ...test && { test: number(test).labels } };
  const unnamed = new Set<Split>();
  const { splits, findings } = await decodePictures(
    path,
    readPictures(parts, columns, labels, unnamed),
    { train: labels.train.length, test: labels.test?.length },
    { imageSize, onProgress, signal },
  );
  const { train: first, test: second } = makeSplits(path, splits, {
    classes,
    ...classNames && { classNames },
  });
  return {
    data: {
      train: dropNames(first, unnamed),
      ...second && { test: dropNames(second, unnamed) },
    },
    findings,
  };
}

/** Leaves out the names of pictures in a split in which not all have one of their own. */
function dropNames({ files, ...data }: Dataset, unnamed: ReadonlySet<Split>): Dataset {
  return unnamed.has(data.split) ? data : { ...data, files };
}

/**
 * Finds the columns of pictures and labels, which are the same in all files, and the labels of one kind.
 *
 * @throws {FileError} when there are none, or several
 */
async function findColumns(paths: readonly string[]): Promise<Columns> {
  const found: Columns[] = [];
  for (const path of paths) {
    using file = await ParquetFile.open(path);
    found.push(chooseColumns(file));
    if (JSON.stringify(found[0]) === JSON.stringify(found.at(-1))) continue;
    throw new FileError(
      path,
      `Cannot read ${path}: got other columns or names of classes than in ${
        paths[0]
      }, need the same`,
    );
  }
  return found[0];
}

function chooseColumns(file: ParquetFile): Columns {
  const { path, columns } = file;
  const features = readFeatures(file);
  const choose = (what: string, fits: (column: ParquetFile["columns"][number]) => boolean) => {
    const found = columns.filter(fits);
    if (found.length === 1) return found[0].name;
    const all = describeNames(columns.map(({ name, kind }) => `${name} (${kind})`));
    throw new FileError(
      path,
      `Cannot read ${path}: got ${
        found.length === 0 ? "no column" : `columns ${describeNames(found.map(({ name }) => name))}`
      } of ${what} among ${all || "none"}, need one`,
    );
  };
  const image = choose(
    "pictures (bytes, or bytes and path)",
    ({ kind }) => kind === "picture" || kind === "bytes",
  );
  const isLabel = ({ kind }: ParquetFile["columns"][number]) =>
    kind === "integer" || kind === "text";
  const named = columns.filter((column) => isLabel(column) && /^labels?$/.test(column.name));
  const classes = columns.filter((column) => isLabel(column) && features?.[column.name]?.names);
  const label = named.length === 1 ? named[0].name : choose(
    "labels (integers or texts)",
    classes.length > 0 ? (column) => classes.includes(column) : isLabel,
  );
  const labelKind = columns.some(({ name, kind }) => name === label && kind === "text")
    ? "text"
    : "integer";
  const classNames = features?.[label]?.names;
  return { image, label, labelKind, ...classNames && { classNames } };
}

/** Reads how Hugging Face's libraries describe the columns; undefined where they do not. */
function readFeatures(file: ParquetFile): Record<string, { names?: string[] }> | undefined {
  try {
    return FEATURES.parse(JSON.parse(file.find(FEATURES_KEY) ?? "")).info.features;
  } catch {
    return undefined;
  }
}

async function readLabelColumn(paths: readonly string[], { label }: Columns): Promise<Labels> {
  const numbers: number[] = [];
  const texts: string[] = [];
  for (const path of paths) {
    using file = await ParquetFile.open(path);
    let row = 0;
    for await (const { [label]: value } of file.read([label])) {
      if (typeof value === "string" && value !== "") texts.push(value);
      else if (isLabel(value)) numbers.push(Number(value));
      else {
        throw new FileError(
          path,
          `Cannot read ${path}: got ${
            value === null || value === undefined ? "no label" : `label ${describeValue(value)}`
          } in row ${row} of column ${describeName(label)}, need a class for every picture`,
        );
      }
      row++;
    }
  }
  return texts.length > 0 ? texts : Int32Array.from(numbers);
}

function isLabel(value: unknown): boolean {
  return (typeof value === "number" || typeof value === "bigint") && value >= 0 && value < 2 ** 31;
}

/**
 * Yields the pictures of both splits.
 *
 * @param unnamed receives the splits in which some pictures have no path of their own
 */
async function* readPictures(
  parts: Parts,
  { image }: Columns,
  labels: { readonly [split in Split]?: Int32Array },
  unnamed: Set<Split>,
): AsyncGenerator<EncodedPicture> {
  for (const split of ["train", "test"] as const) {
    const names = new Set<string>();
    let sample = 0;
    for (const part of parts[split]) {
      using file = await ParquetFile.open(part);
      for await (const { [image]: value } of file.read([image])) {
        const { bytes, path } = unpack(value);
        const isNamed = typeof path === "string" && path !== "" && !names.has(path);
        if (isNamed) names.add(path);
        else unnamed.add(split);
        yield {
          split,
          file: isNamed ? path : `picture ${sample}`,
          label: labels[split]![sample++],
          content: bytes instanceof Uint8Array
            ? bytes
            : new PictureError("got no bytes, need those of a picture in the table"),
        };
      }
    }
  }
}

function unpack(value: unknown): ParquetRow {
  if (value instanceof Uint8Array) return { bytes: value };
  return typeof value === "object" && value !== null ? value as ParquetRow : {};
}
