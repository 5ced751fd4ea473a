/**
 * Zarr v3 arrays of two dimensions, as lpntk stores kernels: float32, uncompressed, each chunk with its CRC-32C.
 *
 * A chunk's file `c/I/J` holds `[rows, columns]` f32, row-major, little-endian, then 4 bytes of checksum. A chunk that crosses the array's
 * end is as large as any other, with NaN beyond the end. A missing chunk reads as NaN.
 *
 * @see https://zarr-specs.readthedocs.io/en/latest/v3/core/
 * @module
 */

import { z } from "npm:zod@4.6.7";
import { FileError, StoredKernelError } from "../errors.ts";
import { describeValue } from "../options.ts";
import { computeCrc32c } from "./crc32c.ts";
import { InputFile } from "../files/file.ts";
import { decodeJson } from "./json.ts";

/** Numbers of rows and columns. */
export type Extent = readonly [rows: number, columns: number];

/** Description of an array, as `zarr.json` holds it. */
export interface ZarrArray {
  readonly shape: Extent;
  readonly chunkShape: Extent;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Name of the file that describes an array, in its folder. */
export const ZARR_FILE = "zarr.json";

/** Name of the folder that holds the chunks. */
export const CHUNK_FOLDER = "c";

const CHECKSUM_BYTES = 4;

/** Members of `zarr.json` that are the same for every array. */
const FIXED = {
  zarr_format: 3,
  node_type: "array",
  data_type: "float32",
  chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
  fill_value: "NaN",
  codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
} as const;

const EXTENT = z.tuple([z.number().int().positive(), z.number().int().positive()]);
const VARIABLE = z.object({
  shape: EXTENT,
  chunk_grid: z.strictObject({
    name: z.literal("regular"),
    configuration: z.strictObject({ chunk_shape: EXTENT }),
  }),
  attributes: z.record(z.string(), z.unknown()),
});

/** Encodes the contents of `zarr.json`. */
export function encodeZarr({ shape, chunkShape, attributes }: ZarrArray): Uint8Array<ArrayBuffer> {
  const json = {
    ...FIXED,
    shape,
    chunk_grid: { name: "regular", configuration: { chunk_shape: chunkShape } },
    attributes,
  };
  return new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
}

/**
 * Decodes the contents of `zarr.json`.
 *
 * @param path names the file in errors
 * @throws {FileError} when the bytes are not JSON, or describe an array of another element type, rank, layout or codec
 */
export function decodeZarr(bytes: Uint8Array, path: string): ZarrArray {
  const json = decodeJson(bytes, path, "a Zarr v3 array") as Record<string, unknown> | null;
  const variable = VARIABLE.safeParse(json);
  const strange =
    Object.entries(FIXED).find(([key, value]) =>
      JSON.stringify(json?.[key]) !== JSON.stringify(value)
    )?.[0] ?? variable.error?.issues[0].path[0];
  if (strange !== undefined || !variable.success) {
    const value = strange === undefined ? undefined : json?.[String(strange)];
    throw new FileError(
      path,
      `Cannot read ${path}: got ${value === undefined ? "no" : describeValue(value)} ${
        String(strange ?? "array")
      }, need a two-dimensional float32 array as lpntk stores it; other arrays can be saved as .npy`,
    );
  }
  const { shape, chunk_grid: { configuration: { chunk_shape } }, attributes } = variable.data;
  return { shape, chunkShape: chunk_shape, attributes };
}

/** Path of the chunk in this row and column of the grid of chunks. */
export function locateChunk(folder: string, row: number, column: number): string {
  return `${folder}/${CHUNK_FOLDER}/${row}/${column}`;
}

/** Computes the bytes of a chunk's file. */
export function measureChunk([rows, columns]: Extent): number {
  return rows * columns * Float32Array.BYTES_PER_ELEMENT + CHECKSUM_BYTES;
}

/**
 * Encodes a chunk.
 *
 * @param values `[rows, columns]` f32, row-major, of the whole chunk
 */
export function encodeChunk(values: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.byteLength + CHECKSUM_BYTES);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const checksum = computeCrc32c(bytes.subarray(0, values.byteLength));
  new DataView(bytes.buffer).setUint32(values.byteLength, checksum, true);
  return bytes;
}

/**
 * Reads a chunk's file, after checking its size.
 *
 * @returns `[rows, columns]` f32, row-major
 * @throws {FileError} when the file is missing, or {@linkcode decodeChunk} refuses it
 */
export async function loadChunk(
  path: string,
  chunkShape: Extent,
  options?: { readonly isTrusted?: boolean },
): Promise<Float32Array<ArrayBuffer>> {
  using file = await InputFile.open(path, "a chunk of the kernel");
  checkSize(file.sizeBytes, chunkShape, path);
  return decodeChunk(await file.read(0, file.sizeBytes), chunkShape, path, options);
}

/**
 * Decodes a chunk; the result `[rows, columns]` f32, row-major, shares the bytes.
 *
 * @param path names the file in errors
 * @param options.isTrusted skips the checksum, which takes most of the time
 * @throws {FileError} when the bytes are too few or too many, or their checksum differs
 */
export function decodeChunk(
  bytes: Uint8Array<ArrayBuffer>,
  chunkShape: Extent,
  path: string,
  { isTrusted = false }: { readonly isTrusted?: boolean } = {},
): Float32Array<ArrayBuffer> {
  checkSize(bytes.length, chunkShape, path);
  const end = bytes.length - CHECKSUM_BYTES;
  const values = new Float32Array(
    bytes.buffer,
    bytes.byteOffset,
    end / Float32Array.BYTES_PER_ELEMENT,
  );
  if (isTrusted) return values;
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
  const computed = computeCrc32c(bytes.subarray(0, end));
  if (stored !== computed) {
    throw explainChunk(path, `contents with checksum ${toHex(computed)}`, toHex(stored));
  }
  return values;
}

function checkSize(gotBytes: number, chunkShape: Extent, path: string): void {
  const needBytes = measureChunk(chunkShape);
  if (gotBytes !== needBytes) throw explainChunk(path, `${gotBytes} bytes`, `${needBytes}`);
}

function explainChunk(path: string, got: string, need: string): StoredKernelError {
  return new StoredKernelError(
    path,
    `Cannot read ${path}: got ${got}, need ${need}; store the kernel again with repair`,
    true,
  );
}

function toHex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
