/** Data sets by name or path. @module */

import { distance } from "npm:fastest-levenshtein@1.0.16";
import { cacheFolder } from "../cache_folder.ts";
import { FileError, UnknownDatasetError } from "../errors.ts";
import { checkKeys, FLAG } from "../options.ts";
import { CIFAR10, CIFAR100, type CifarForm, holdsCifar, readCifar } from "./cifar.ts";
import { checkSplit, type Dataset, type Split, takeFirst } from "./dataset.ts";
import { drawStratified } from "./stratified.ts";
import { drawDigits } from "./digits.ts";
import { exists } from "../files/file.ts";
import { holdsArrays, readFolder } from "./folder.ts";
import { holdsIdx, IDX_FILES, readFashionMnist, readMnist } from "./mnist.ts";

/** A data set that is read from files. */
interface KnownDataset {
  /** Folders or archives that may hold it, below `$LPNTK_DATA` or the cache folder; the first is the folder for downloads. */
  readonly places: readonly [string, ...string[]];
  holds(place: string, split: Split): Promise<boolean>;
  read(place: string, split: Split): Promise<Dataset>;
}

const KNOWN = {
  mnist: { places: ["mnist"], holds: holdsIdx, read: readMnist },
  "fashion-mnist": { places: ["fashion-mnist"], holds: holdsIdx, read: readFashionMnist },
  cifar10: knowCifar(CIFAR10, "cifar-10-batches-bin"),
  cifar100: knowCifar(CIFAR100, "cifar-100-binary"),
} satisfies Record<string, KnownDataset>;

/** Data sets whose files a folder of any name may hold. */
const FORMS: readonly KnownDataset[] = [KNOWN.mnist, KNOWN.cifar10, KNOWN.cifar100];

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
 * from the cache folder), or a folder with `images.npy` and `labels.npy`, with the IDX files of MNIST, or with the binary batches or the
 * archive of CIFAR-10 or CIFAR-100; a folder that has a known name is written `./mnist`
 * @param options.size number of samples to keep, drawn class by class in proportion; the result's `indices` are those in the whole split
 * @param options.sampleSeed seed of that draw; 0 by default
 * @param options.first keeps the first `size` samples instead, whatever their classes
 * @throws {UnknownDatasetError} when a name without `/` is neither known nor a folder
 * @throws {RangeError} when the split holds fewer than `size` samples
 * @throws {FileError} when files are missing or broken
 * @throws {DataError} when images and labels do not fit together
 */
export async function loadDataset(
  name: string,
  split: Split,
  options: {
    readonly size?: number;
    readonly sampleSeed?: number;
    readonly first?: boolean;
  } = {},
): Promise<Dataset> {
  checkKeys(`load data set ${name}`, options, { size: true, sampleSeed: true, first: FLAG });
  checkSplit(`load data set ${name}`, split);
  const { size, sampleSeed, first } = options;
  const whole = await readWhole(name, split);
  if (size === undefined) return whole;
  return first ? takeFirst(whole, size) : drawStratified(whole, size, { seed: sampleSeed });
}

async function readWhole(name: string, split: Split): Promise<Dataset> {
  if (name === "digits") return drawDigits(split);
  if (isKnown(name)) return await KNOWN[name].read(await findKnown(name, split), split);
  if (!await exists(name)) throw explainMissing(name);
  if (await exists(`${name}/images.npy`) || await exists(`${name}/test_images.npy`)) {
    return await readFolder(name, split);
  }
  for (const { holds, read } of FORMS) {
    if (await holds(name, split)) return { ...await read(name, split), name };
  }
  const { images } = IDX_FILES[split];
  const batches = [CIFAR10, CIFAR100].map(({ files, archive }) => `${files[split][0]}, ${archive}`);
  throw new FileError(
    name,
    `Cannot load data set ${name}: got none of images.npy, ${images}, ${images}.gz, ` +
      `${batches.join(", ")} in it, need arrays of NumPy, the IDX files of MNIST, or the binary ` +
      "batches of CIFAR",
  );
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
  if (name === "digits" || isKnown(name)) return true;
  if (!await exists(name)) throw explainMissing(name);
  const found = await Promise.all(
    [holdsArrays(name, split), ...FORMS.map(({ holds }) => holds(name, split))],
  );
  return found.includes(true);
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
  if (/[/\\]/.test(name)) {
    return new FileError(name, `Cannot load data set ${name}: got no such folder, need one`);
  }
  const distances = new Map(NAMES.map((known) => [known, distance(name, known)]));
  const [nearest] = NAMES.filter((known) => distances.get(known)! <= 2)
    .sort((a, b) => distances.get(a)! - distances.get(b)!);
  const hint = nearest ? `; did you mean ${nearest}?` : "";
  return new UnknownDatasetError(name, `${NAMES.join(", ")} or a folder${hint}`);
}
