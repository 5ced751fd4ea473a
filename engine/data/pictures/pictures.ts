/**
 * Data sets of pictures: in class folders, or in a folder with a table of their labels.
 *
 * @module
 */
import { FileError } from "../../errors.ts";
import { readBytes } from "../../files/file.ts";
import { MOST_PICTURE_BYTES, PictureError } from "../../formats/picture.ts";
import { createDataset, type Dataset, type Split } from "../dataset.ts";
import type { FolderSplits } from "../folder_writer.ts";
import { type CacheEntry, PictureCache } from "./cache.ts";
import {
  checkImageSize,
  type DecodedPictures,
  decodePictures,
  type EncodedPicture,
  type PictureOptions,
  tellFindings,
} from "./decoding.ts";
import {
  findClassFolders,
  listClassFolders,
  type PictureFile,
  type PictureListing,
} from "./listing.ts";
import { findTables, listTable, tableHasTest } from "./table.ts";

/** Bytes of the pictures that are read while others are decoded. */
const AHEAD_BYTES = 2 ** 25;

/** Most pictures that are read while others are decoded. */
const AHEAD = 64;

/**
 * Returns whether a folder holds pictures of this split, in class folders or with a table.
 *
 * @throws {FileError} when a folder cannot be read, or pictures are in no known layout
 */
export async function holdsPictures(path: string, split: Split): Promise<boolean> {
  const { table, folders } = await findLayout(path);
  if (table) return split === "train" || await tableHasTest(path, table);
  return folders !== undefined && (split === "train" || folders.test !== undefined);
}

/**
 * Reads one split of a folder of pictures: `class/x.png`, `train/class/x.png` with `test` or `val` beside `train`, or a table `file,label[,split]`
 * as CSV. Classes and files come in code point order, as in torchvision's `ImageFolder`. What was decoded is kept in the cache folder, until a
 * file is another; where the system does not tell that, as on Windows or within a second of a file's change, nothing is kept.
 *
 * @param makeCache for tests
 * @throws {FileError} when the folder has no such pictures, files are missing, or none can be read; with `strict` when one cannot be read
 * @throws {PictureSizesError} when pictures have several sizes and `imageSize` is not given
 */
export async function readPictures(
  path: string,
  split: Split,
  options: PictureOptions = {},
  makeCache?: (place: string, key: CacheKey) => PictureCache,
): Promise<Dataset> {
  checkImageSize(`read ${path}`, options.imageSize);
  const listing = await listPictures(path);
  for (const note of listing.notes) options.onNote?.(note);
  if (!listing.files.some((file) => file.split === split)) {
    throw new FileError(
      path,
      `Cannot read ${path}: got no file to ${
        split === "train" ? "train" : "test"
      } on in its class folders, need pictures there`,
    );
  }
  const decode = () => decodeListing(path, listing, options);
  return await readThroughCache(path, split, options, listing, decode, makeCache);
}

/** What decoded pictures are known by: the files that they were read from, and the names of the classes where the files do not hold them. */
type CacheKey = Pick<PictureListing, "classNames" | "files">;

/** Split that was decoded with the other one, where the cache folder did not take both: it need not be decoded once more. */
let unkept: (CacheEntry<Dataset> & { readonly name: string }) | undefined;

/** Takes a split that was decoded before and not asked for yet; the next time it is decoded again. */
function takeUnkept(name: string, split: Split): CacheEntry<Dataset> | undefined {
  if (unkept?.name !== name || unkept.data.split !== split) return undefined;
  const taken = unkept;
  unkept = undefined;
  return taken;
}

/** Returns whether the system tells each file from others that were there before. */
function isTold({ files }: CacheKey): boolean {
  return files.every(({ identity, problem }) => identity || problem);
}

/**
 * Reads one split from the cache folder, or decodes both splits and keeps them there.
 *
 * @param makeCache for tests
 * @throws {FileError} when no picture of this split can be read; with `strict` when one cannot be read
 */
export async function readThroughCache(
  path: string,
  split: Split,
  options: PictureOptions,
  key: CacheKey,
  decode: () => Promise<CacheEntry<FolderSplits>>,
  makeCache = (place: string, key: CacheKey) => new PictureCache(place, key, options.imageSize),
): Promise<Dataset> {
  const name = JSON.stringify([path, options.imageSize ?? null, key]);
  const rest = takeUnkept(name, split);
  if (rest) {
    tellFindings(path, rest.findings, options);
    return { ...rest.data, name: path };
  }
  let cache: PictureCache | undefined;
  const explainLoss = (error: unknown) =>
    options.onNote?.(
      `the decoded pictures of ${path} cannot be kept in the cache folder: ${
        (error as Error).message
      }`,
    );
  try {
    if (isTold(key)) cache = makeCache(await Deno.realPath(path), key);
  } catch (error) {
    explainLoss(error);
  }
  const known = await cache?.recall(split);
  if (cache && known) {
    tellFindings(path, known.findings, options);
    options.onKept?.(cache.entry);
    return { ...known.data, name: path };
  }
  const entry = await decode();
  tellFindings(path, entry.findings, options);
  const isKept = await cache?.keep(entry).then(() => true).catch(explainLoss);
  if (cache && isKept) options.onKept?.(cache.entry);
  const { [split]: data, [split === "train" ? "test" : "train"]: other } = entry.data;
  if (!isKept && other) unkept = { name, data: other, findings: entry.findings };
  if (data) return data;
  throw new FileError(
    path,
    `Cannot read ${path}: got no ${split} picture that can be read, need one`,
  );
}

/**
 * Finds the table of a folder, or else its class folders.
 *
 * @throws {FileError} when there are several tables, or class folders beside a CSV that is neither a table nor a result of lpntk: labels might be
 * meant to come from it
 */
async function findLayout(path: string) {
  const { table, results, others } = await findTables(path);
  if (table) return { table, results };
  const folders = await findClassFolders(path, others);
  if (!folders || others.length === 0) return { folders, results };
  throw new FileError(
    path,
    `Cannot read ${path}: got folders of pictures beside ${
      others.join(", and ")
    }, need the columns file and label, separated by commas, to take the labels from there, or no CSV beside the folders`,
  );
}

async function listPictures(path: string): Promise<PictureListing> {
  const { table, folders, results } = await findLayout(path);
  if (table) return await listTable(path, table);
  if (folders) return await listClassFolders(path, folders, results);
  throw new FileError(
    path,
    `Cannot read ${path}: got no pictures in class folders, and no table of file and label, need either`,
  );
}

async function decodeListing(
  path: string,
  { files, classNames }: PictureListing,
  { imageSize, onProgress, signal }: PictureOptions,
): Promise<CacheEntry<FolderSplits>> {
  const count = (split: Split) => files.filter((file) => file.split === split).length;
  const { splits, findings } = await decodePictures(path, readInTurn(path, files), {
    train: count("train"),
    test: count("test"),
  }, { imageSize, onProgress, signal });
  return { data: makeSplits(path, splits, { classes: classNames.length, classNames }), findings };
}

/**
 * Makes data sets of decoded pictures.
 *
 * @throws {FileError} when there is none to train on
 */
export function makeSplits(
  path: string,
  splits: DecodedPictures["splits"],
  classes: Pick<Dataset, "classes" | "classNames">,
): FolderSplits {
  const make = (split: Split, decoded: DecodedPictures["splits"][Split]) =>
    decoded && createDataset({ name: path, split, ...classes, ...decoded });
  const train = make("train", splits.train);
  const test = make("test", splits.test);
  if (train) return { train, ...test && { test } };
  throw new FileError(
    path,
    `Cannot read ${path}: got no picture to train on that can be read, need one`,
  );
}

/** Reads files in their order, some ahead of the one that is asked for. */
async function* readInTurn(
  path: string,
  files: readonly PictureFile[],
): AsyncGenerator<EncodedPicture> {
  const ahead: { file: PictureFile; reading: Promise<EncodedPicture> }[] = [];
  let aheadBytes = 0;
  for (let next = 0; next < files.length || ahead.length > 0;) {
    while (
      next < files.length &&
      (ahead.length === 0 || (ahead.length < AHEAD && aheadBytes < AHEAD_BYTES))
    ) {
      const file = files[next++];
      aheadBytes += file.sizeBytes;
      ahead.push({ file, reading: readPicture(path, file) });
    }
    const { file, reading } = ahead.shift()!;
    yield await reading;
    aheadBytes -= file.sizeBytes;
  }
}

async function readPicture(
  path: string,
  { file, label, split, problem }: PictureFile,
): Promise<EncodedPicture> {
  const at = `${path}/${file}`;
  try {
    if (problem !== undefined) throw new PictureError(problem);
    const content = await readBytes(at, "a picture", MOST_PICTURE_BYTES);
    return { file, label, split, content };
  } catch (error) {
    if (error instanceof PictureError) return { file, label, split, content: error };
    if (!(error instanceof FileError)) throw error;
    // the note names the file
    const state = error.message.replace(`Cannot read ${at}: `, () => "");
    return { file, label, split, content: new PictureError(state, { cause: error }) };
  }
}
