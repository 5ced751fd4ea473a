/**
 * Which samples a stored kernel is of, where they are a part of their split.
 *
 * @module
 */
import { hashIntegers } from "../data/digest.ts";
import { measureFile, writeWhole } from "../files/file.ts";
import { encodeNpy, readNpy } from "../formats/npy.ts";
import type { ZarrArray } from "../formats/zarr.ts";
import { FileError } from "../errors.ts";

/** Where the samples of either side of a kernel stand in their whole split, `[N]` i32; nothing of a side that is a whole one. */
export interface KernelIndices {
  /** Kept in `samples.npy`. */
  readonly rows?: Int32Array;
  /** Kept in `test_samples.npy`; of columns that are other samples than the rows. */
  readonly columns?: Int32Array;
}

const ROWS_FILE = "samples.npy";
const COLUMNS_FILE = "test_samples.npy";

/** Files beside the chunks. */
export const INDEX_FILES = [ROWS_FILE, COLUMNS_FILE] as const;

/** The attribute with their SHA-256, by which a store knows its samples even where the pictures of others are the same. */
const ATTRIBUTE = "indices";

/** Attributes of a store of these samples. */
export function describeIndices({ rows, columns }: KernelIndices = {}): Record<string, unknown> {
  if (!rows && !columns) return { [ATTRIBUTE]: undefined };
  const hashes = {
    ...rows && { rows: hashIntegers(rows) },
    ...columns && { columns: hashIntegers(columns) },
  };
  return { [ATTRIBUTE]: hashes };
}

/** Writes the files of a new store, and again those that went missing. */
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
 * Reads which samples the rows are; undefined where they are a whole split.
 *
 * @throws {FileError} when the file that tells is missing, or not the one that the store was written with.
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
  throw new FileError(
    path,
    `Cannot use ${folder} as a kernel: got other samples in ${path} than it was computed from, need theirs; remove that file, and the same call of lpntk gram writes it anew`,
  );
}
