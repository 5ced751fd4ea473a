/**
 * Data sets from one `.npz` file, as `numpy.savez` and `numpy.savez_compressed` write it.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import { decodeNpyOrTexts } from "../formats/npy.ts";
import { ZipArchive } from "../formats/zip.ts";
import { type ArraySource, readArrays } from "./arrays.ts";
import { checkSplit, type Dataset, type Split } from "./dataset.ts";
import { describeNames } from "./labels.ts";

/** Names of the arrays of each split. */
type Names = Readonly<Record<Split, { readonly images: string; readonly labels: string }>>;

/** Names that are known: Keras's, and those of the files of a folder. */
const KNOWN: readonly Names[] = [
  { train: { images: "x_train", labels: "y_train" }, test: { images: "x_test", labels: "y_test" } },
  {
    train: { images: "images", labels: "labels" },
    test: { images: "test_images", labels: "test_labels" },
  },
];

const KIND =
  "a NumPy .npz file with arrays x_train and y_train, or images and labels; for a test " +
  "split x_test and y_test, or test_images and test_labels";

/** Ending of the members' names. */
const NPY = ".npy";

/**
 * Reads one split of an `.npz` file. Its arrays are read as {@linkcode readFolder} reads those of a folder without a `dataset.json`; axes whose
 * order is not clear need such a folder. It reads the arrays of this split alone, and of the other its labels where classes depend on them.
 *
 * @throws {FileError} when the file is missing or broken, or its arrays are missing, unknown, or of another type or shape
 * @throws {DataError} when images and labels do not fit each other
 */
export async function readNpz(path: string, split: Split): Promise<Dataset> {
  checkSplit(`read ${path}`, split);
  using archive = await ZipArchive.open(path, KIND);
  const names = findNames(archive);
  const source: ArraySource = {
    name: path,
    locate: (split, role) => `${path}/${names[split][role]}`,
    hasLabels: (split) => archive.names.includes(names[split].labels + NPY),
    read: async (split, role) =>
      decodeNpyOrTexts(
        await archive.read(names[split][role] + NPY),
        `${path}/${names[split][role]}`,
      ),
  };
  return await readArrays(source, split, {});
}

/**
 * Returns whether a path is that of an `.npz` file with this split.
 *
 * @throws {FileError} when the file is broken
 */
export async function holdsNpz(path: string, split: Split): Promise<boolean> {
  if (!path.endsWith(".npz")) return false;
  using archive = await ZipArchive.open(path, KIND);
  const { images, labels } = findNames(archive)[split];
  return [images, labels].some((name) => archive.names.includes(name + NPY));
}

/**
 * Finds how the arrays are named.
 *
 * @throws {FileError} when some are unknown, or of both kinds
 */
function findNames({ path, names }: ZipArchive): Names {
  const found = KNOWN.find((splits) => {
    const known = Object.values(splits).flatMap(({ images, labels }) => [images, labels]);
    return names.length > 0 && names.every((name) => known.some((stem) => name === stem + NPY));
  });
  if (found) return found;
  const listed = describeNames(names.map((name) => name.replace(/\.npy$/, "")));
  throw new FileError(path, `Cannot read ${path}: got ${listed || "no array"} in it, need ${KIND}`);
}
