/**
 * MNIST, Fashion-MNIST and data sets of the same form, from four IDX files.
 *
 * @see LeCun, Cortes, Burges: The MNIST database of handwritten digits
 * @see Xiao, Rasul, Vollgraf: Fashion-MNIST
 * @module
 */

import { resolve } from "node:path";
import { FileError, MissingDatasetError } from "../errors.ts";
import type { Dataset, Split } from "./dataset.ts";
import { checkSplit, createDataset } from "./dataset.ts";
import { exists } from "../files/file.ts";
import type { IdxArray } from "../formats/idx.ts";
import { readIdx } from "../formats/idx.ts";

/** Names of the IDX files; each may end in `.gz`. */
export const IDX_FILES = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
} as const;

/** Name and normalisation of MNIST or Fashion-MNIST. */
interface IdxForm {
  readonly name: "mnist" | "fashion-mnist";
  readonly title: string;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const MNIST: IdxForm = { name: "mnist", title: "MNIST", mean: [0.1307], std: [0.3081] };
const FASHION: IdxForm = {
  name: "fashion-mnist",
  title: "Fashion-MNIST",
  mean: [0.286],
  std: [0.353],
};

/**
 * Reads one split of MNIST: 60,000 training or 10,000 test grey images of 28 x 28, 10 classes. It takes some 0.2 s, mostly for decompression.
 *
 * @param folder holds the IDX files under their original names, with or without `.gz`
 * @throws {MissingDatasetError} when a file is missing, `FileError` when one is broken
 * @throws {DataError} when images and labels do not fit together
 */
export async function readMnist(folder: string, split: Split): Promise<Dataset> {
  return await readForm(MNIST, folder, split);
}

/** Reads one split of Fashion-MNIST as {@link readMnist} does; its files have the same names. */
export async function readFashionMnist(folder: string, split: Split): Promise<Dataset> {
  return await readForm(FASHION, folder, split);
}

/** Folders in which torchvision keeps the IDX files, below the `root` that it is given. */
export const TORCHVISION_FOLDERS = { mnist: "MNIST/raw", fashion: "FashionMNIST/raw" } as const;

/**
 * Reads one split of the IDX files in a folder, in `raw` below it, or where torchvision keeps them below a `root`. Those of `FashionMNIST` are
 * normalised as Fashion-MNIST, all others as MNIST.
 *
 * @throws {FileError} when several of these folders hold some
 */
export async function readIdxFolder(path: string, split: Split): Promise<Dataset> {
  const [folder = path, second] = await listIdxFolders(path, split);
  if (second !== undefined) {
    throw new FileError(
      path,
      `Cannot read ${path}: got IDX files in ${folder} and in ${second}, need one of them as the path`,
    );
  }
  const isFashion = `${resolve(folder)}/`.endsWith(`/${TORCHVISION_FOLDERS.fashion}/`);
  return await readForm(isFashion ? FASHION : MNIST, folder, split);
}

/** Returns whether {@linkcode readIdxFolder} finds the images of this split. */
export async function holdsIdxFolder(path: string, split: Split): Promise<boolean> {
  return (await listIdxFolders(path, split)).length > 0;
}

async function listIdxFolders(path: string, split: Split): Promise<string[]> {
  const folders = [
    path,
    ...["raw", ...Object.values(TORCHVISION_FOLDERS)].map((name) => `${path}/${name}`),
  ];
  const found = await Promise.all(folders.map((folder) => holdsIdx(folder, split)));
  return folders.filter((_, i) => found[i]);
}

/** Returns whether the folder holds the images of this split, plain or gzip. */
export async function holdsIdx(folder: string, split: Split): Promise<boolean> {
  return await findFile(folder, IDX_FILES[split].images) !== undefined;
}

async function readForm(form: IdxForm, folder: string, split: Split): Promise<Dataset> {
  checkSplit(`read ${form.title}`, split);
  const images = await readRanked(form, folder, IDX_FILES[split].images, 3);
  const labels = await readRanked(form, folder, IDX_FILES[split].labels, 1);
  return createDataset({
    name: form.name,
    split,
    images: images.data,
    labels: labels.data,
    shape: [images.shape[1], images.shape[2], 1],
    classes: 10,
    mean: form.mean,
    std: form.std,
  });
}

async function readRanked(
  form: IdxForm,
  folder: string,
  name: string,
  rank: number,
): Promise<IdxArray> {
  const path = await findFile(folder, name);
  if (path === undefined) {
    throw new MissingDatasetError(
      folder,
      form.name,
      `Cannot read ${form.title}: got no ${name} or ${name}.gz in ${folder}, need the four IDX ` +
        `files; point LPNTK_DATA at the folder that holds ${form.name}/, or fetch them`,
    );
  }
  const array = await readIdx(path);
  if (array.shape.length !== rank) {
    throw new FileError(
      path,
      `Cannot read ${path}: got shape [${array.shape.join(", ")}], need ${rank} dimensions`,
    );
  }
  return array;
}

async function findFile(folder: string, name: string): Promise<string | undefined> {
  for (const path of [`${folder}/${name}`, `${folder}/${name}.gz`]) {
    if (await exists(path)) return path;
  }
}
