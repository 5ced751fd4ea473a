/** Data sets by name or path. @module */

import { distance } from "npm:fastest-levenshtein@1.0.16";
import { cacheFolder } from "../cache_folder.ts";
import { FileError, UnknownDatasetError } from "../errors.ts";
import { CALL_OPTIONS } from "../gpu/pace.ts";
import { checkKeys, describeValue, FLAG, type OptionNames } from "../options.ts";
import { CIFAR10, CIFAR100, type CifarForm, holdsCifar, readCifar } from "./cifar.ts";
import { checkSplit, type Dataset, type Split, takeFirst } from "./dataset.ts";
import { drawStratified } from "./stratified.ts";
import { drawDigits } from "./digits.ts";
import { exists } from "../files/file.ts";
import { FOLDER_FILES, holdsArrays, readFolder } from "./folder.ts";
import {
  holdsIdx,
  holdsIdxFolder,
  IDX_FILES,
  readFashionMnist,
  readIdxFolder,
  readMnist,
  TORCHVISION_FOLDERS,
} from "./mnist.ts";
import { holdsNpz, readNpz } from "./npz.ts";
import { holdsParquet, readParquet } from "./parquet.ts";
import type { PictureOptions } from "./pictures/decoding.ts";
import { holdsPictures, readPictures } from "./pictures/pictures.ts";

/** Form in which a data set stands on the disk. */
interface DatasetForm {
  /** Whether its images are pictures, which `imageSize` resizes. */
  readonly isPictures?: true;
  holds(place: string, split: Split): Promise<boolean>;
  read(place: string, split: Split, options?: PictureOptions): Promise<Dataset>;
}

/** A data set with a name. */
interface KnownDataset extends DatasetForm {
  /** Folders or archives that may hold it, below `$LPNTK_DATA` or the cache folder; the first is the folder for downloads. */
  readonly places: readonly [string, ...string[]];
}

/** How a data set is loaded. Progress is in pictures, of data sets of pictures alone. */
export interface LoadOptions extends PictureOptions {
  /** Number of samples to keep, drawn class by class in proportion; the result's `indices` are those in the whole split. Default: all. */
  readonly size?: number;
  /** Seed of that draw. Default: 0. */
  readonly sampleSeed?: number;
  /** Keeps the first `size` samples instead, whatever their classes. */
  readonly first?: boolean;
}

const LOAD_OPTIONS: OptionNames<LoadOptions> = {
  size: true,
  sampleSeed: true,
  first: FLAG,
  imageSize: true,
  strict: FLAG,
  onNote: true,
  onKept: true,
  ...CALL_OPTIONS,
};

const KNOWN = {
  mnist: { places: ["mnist", TORCHVISION_FOLDERS.mnist], holds: holdsIdx, read: readMnist },
  "fashion-mnist": {
    places: ["fashion-mnist", TORCHVISION_FOLDERS.fashion],
    holds: holdsIdx,
    read: readFashionMnist,
  },
  cifar10: knowCifar(CIFAR10, "cifar-10-batches-bin"),
  cifar100: knowCifar(CIFAR100, "cifar-100-binary"),
} satisfies Record<string, KnownDataset>;

/** Forms that a folder of any name may have, in the order in which they are looked for. */
const FORMS: readonly DatasetForm[] = [
  { holds: holdsArrays, read: readFolder },
  { holds: holdsIdxFolder, read: readIdxFolder },
  KNOWN.cifar10,
  KNOWN.cifar100,
  { holds: holdsNpz, read: readNpz },
  { holds: holdsParquet, read: readParquet, isPictures: true },
  { holds: holdsPictures, read: readPictures, isPictures: true },
];

const NAMES = ["digits", ...Object.keys(KNOWN)];

function knowCifar(form: CifarForm, folder: string): KnownDataset {
  return {
    places: [folder, form.archive],
    holds: (place, split) => holdsCifar(form, place, split),
    read: (place, split) => readCifar(form, place, split),
  };
}

/**
 * Loads one split of a data set.
 *
 * @param name `digits` (drawn, nothing to download), `mnist`, `fashion-mnist`, `cifar10` or `cifar100` (from `$LPNTK_DATA`, or else
 * from the cache folder), a file `.npz` or `.parquet`, or a folder with `images.npy` and `labels.npy`, with the IDX files of MNIST, which may be in
 * `raw` or `MNIST/raw` below it, with the binary batches or the archive of CIFAR-10 or CIFAR-100, with `train-*.parquet`, or with pictures in class
 * folders or a table of their labels; a folder that has a known name is written `./mnist`
 * @throws {UnknownDatasetError} when a name without `/` is neither known nor a folder
 * @throws {RangeError} when the split holds fewer than `size` samples, or `imageSize` is given for images that are no pictures
 * @throws {FileError} when files are missing or broken
 * @throws {DataError} when images and labels do not fit together
 * @throws {PictureSizesError} when pictures have several sizes, and `imageSize` is not given
 */
export async function loadDataset(
  name: string,
  split: Split,
  options: LoadOptions = {},
): Promise<Dataset> {
  checkKeys(`load data set ${name}`, options, LOAD_OPTIONS);
  checkSplit(`load data set ${name}`, split);
  const { size, sampleSeed, first, ...pictureOptions } = options;
  const whole = await readWhole(name, split, pictureOptions);
  if (size === undefined) return whole;
  return first ? takeFirst(whole, size) : drawStratified(whole, size, { seed: sampleSeed });
}

async function readWhole(name: string, split: Split, options: PictureOptions): Promise<Dataset> {
  const form = isNamed(name) ? undefined : await findForm(name);
  if (options.imageSize && !form?.isPictures) {
    throw new RangeError(
      `Cannot resize data set ${name}: got image size ${
        describeValue(options.imageSize)
      } for arrays, need pictures, or no image size`,
    );
  }
  if (name === "digits") return drawDigits(split);
  if (isKnown(name)) return await KNOWN[name].read(await findKnown(name, split), split);
  return { ...await form!.read(name, split, options), name };
}

/**
 * Finds the form of a folder.
 *
 * @throws {FileError} when it has none
 */
async function findForm(name: string): Promise<DatasetForm> {
  if (!await exists(name)) throw explainMissing(name);
  for (const form of FORMS) {
    if (await form.holds(name, "train") || await form.holds(name, "test")) return form;
  }
  const { images } = IDX_FILES.train;
  const { labels } = FOLDER_FILES.train;
  const lone = await exists(`${name}/${labels}`) ? `${labels}, but ` : "";
  const batches = [CIFAR10, CIFAR100].map(({ files, archive }) => `${files.train[0]}, ${archive}`);
  throw new FileError(
    name,
    `Cannot load data set ${name}: got ${lone}none of images.npy, ${images}, ${images}.gz, ` +
      `${batches.join(", ")} in it, need arrays of NumPy, the IDX files of MNIST, the binary ` +
      "batches of CIFAR, an .npz or .parquet file, train-*.parquet, a folder of PNG or JPEG for " +
      "each class, or such pictures and a CSV of file and label",
  );
}

function isNamed(name: string): boolean {
  return name === "digits" || isKnown(name);
}

function isKnown(name: string): name is keyof typeof KNOWN {
  return Object.hasOwn(KNOWN, name);
}

/**
 * Returns whether a data set has this split, complete or broken; data sets with a name have both.
 *
 * @throws {FileError} or {@link UnknownDatasetError} as {@link loadDataset} does, when there is no such data set
 */
export async function hasSplit(name: string, split: Split): Promise<boolean> {
  checkSplit(`look for data set ${name}`, split);
  if (isNamed(name)) return true;
  return await (await findForm(name)).holds(name, split);
}

/** Returns the folder for downloads of a named data set: in `$LPNTK_DATA` where that is set, else in the cache folder. */
export function chooseDataFolder(name: keyof typeof KNOWN): string {
  return `${Deno.env.get("LPNTK_DATA") || cacheFolder()}/${KNOWN[name].places[0]}`;
}

async function findKnown(name: keyof typeof KNOWN, split: Split): Promise<string> {
  const { places, holds } = KNOWN[name];
  const data = Deno.env.get("LPNTK_DATA");
  const roots = data ? [() => data, cacheFolder] : [cacheFolder];
  for (const root of roots) {
    for (const place of places) {
      if (await holds(`${root()}/${place}`, split)) return `${root()}/${place}`;
    }
  }
  return chooseDataFolder(name);
}

function explainMissing(name: string): Error {
  const isFile = /\.(npz|parquet)$/.test(name);
  if (isFile || /[/\\]/.test(name)) {
    const kind = isFile ? "file" : "folder";
    return new FileError(name, `Cannot load data set ${name}: got no such ${kind}, need one`);
  }
  const distances = new Map(NAMES.map((known) => [known, distance(name, known)]));
  const [nearest] = NAMES.filter((known) => distances.get(known)! <= 2)
    .sort((a, b) => distances.get(a)! - distances.get(b)!);
  const hint = nearest ? `; did you mean ${nearest}?` : "";
  return new UnknownDatasetError(name, `${NAMES.join(", ")} or a folder${hint}`);
}
