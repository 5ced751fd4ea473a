/**
 * Indices of the samples of a stored kernel, where they are a subset of their split.
 *
 * @module
 */
import { hashIntegers } from "../data/digest.ts";
import { measureFile, writeWhole } from "../files/file.ts";
import { encodeNpy, readNpy } from "../formats/npy.ts";
import type { ZarrArray } from "../formats/zarr.ts";
import { StoredKernelError } from "../errors.ts";

/** Indices of a kernel's samples in their whole split, `[N]` i32; absent for a side that is a whole split. */
export interface KernelIndices {
  /** Samples of the rows, kept in `samples.npy`. */
  readonly rows?: Int32Array;
  /** Samples of the columns where they are others than those of the rows, kept in `test_samples.npy`. */
  readonly columns?: Int32Array;
}

const ROWS_FILE = "samples.npy";
const COLUMNS_FILE = "test_samples.npy";

/** Names of the files that hold the indices. */
export const INDEX_FILES = [ROWS_FILE, COLUMNS_FILE] as const;

/** Attribute that holds the SHA-256 of the indices, so that a store tells its samples from others with the same images. */
const ATTRIBUTE = "indices";

/** Returns the attributes of a store of these samples. */
export function describeIndices({ rows, columns }: KernelIndices = {}): Record<string, unknown> {
  if (!rows && !columns) return { [ATTRIBUTE]: undefined };
  const hashes = {
    ...rows && { rows: hashIntegers(rows) },
    ...columns && { columns: hashIntegers(columns) },
  };
  return { [ATTRIBUTE]: hashes };
}

/** Writes the index files of a store that do not exist. */
export async function writeIndices(
  folder: string,
  { rows, columns }: KernelIndices = {},
): Promise<void> {
  for (const [name, indices] of [[ROWS_FILE, rows], [COLUMNS_FILE, columns]] as const) {
    const path = `${folder}/${name}`;
    if (!indices || await measureFile(path) !== undefined) continue;
    await writeWhole(path, encodeNpy(indices, [indices.length]));
  }
}

/**
 * Reads the indices of the rows' samples; undefined where they are a whole split.
 *
 * @throws {FileError} when their file is missing, `StoredKernelError` when it is not the one that the store was written with.
 */
export async function readIndices(
  folder: string,
  { attributes, shape }: ZarrArray,
): Promise<Int32Array | undefined> {
  const hashes = attributes[ATTRIBUTE] as { readonly rows?: unknown } | undefined;
  if (hashes?.rows === undefined) return undefined;
  const path = `${folder}/${ROWS_FILE}`;
  const { data } = await readNpy(path);
  const isTheirs = data instanceof Int32Array && data.length === shape[0] &&
    hashIntegers(data) === hashes.rows;
  if (isTheirs) return data;
  throw new StoredKernelError(
    path,
    `Cannot use ${folder} as a kernel: got other samples in ${path} than it was computed from, need theirs; remove that file, and store the kernel again by the same options to write it anew`,
  );
}
