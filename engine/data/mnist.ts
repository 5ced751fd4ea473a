/**
 * MNIST, and data sets in its form, from its four IDX files.
 *
 * @see LeCun, Cortes, Burges: The MNIST database of handwritten digits
 * @module
 */

import { FileError } from "../errors.ts";
import type { Dataset, Split } from "./dataset.ts";
import { createDataset } from "./dataset.ts";
import { exists } from "./file.ts";
import type { IdxArray } from "./idx.ts";
import { readIdx } from "./idx.ts";

/** Names of the IDX files; each may carry `.gz`. */
export const MNIST_FILES = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
} as const;

/**
 * Reads one split of MNIST: 60,000 or 10,000 grey images of 28 x 28, 10 classes. Takes some
 * 0.2 s, mostly for decompression.
 *
 * @param folder holds the IDX files under their original names, with or without `.gz`
 * @throws {FileError} when a file is missing or broken
 * @throws {DataError} when images and labels do not fit
 */
export async function readMnist(folder: string, split: Split): Promise<Dataset> {
  const images = await readRanked(folder, MNIST_FILES[split].images, 3);
  const labels = await readRanked(folder, MNIST_FILES[split].labels, 1);
  return createDataset({
    name: "mnist",
    split,
    images: images.data,
    labels: labels.data,
    shape: [images.shape[1], images.shape[2], 1],
    classes: 10,
    mean: [0.1307],
    std: [0.3081],
  });
}

/** Whether the folder holds the images of this split, plain or gzip. */
export async function holdsMnist(folder: string, split: Split): Promise<boolean> {
  return await findFile(folder, MNIST_FILES[split].images) !== undefined;
}

async function readRanked(folder: string, name: string, rank: number): Promise<IdxArray> {
  const path = await findFile(folder, name);
  if (path === undefined) {
    throw new FileError(
      folder,
      `Cannot read MNIST: got no ${name} or ${name}.gz in ${folder}, need the four IDX files; ` +
        "run `lpntk data fetch mnist` or point LPNTK_DATA at the folder that holds mnist/",
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
