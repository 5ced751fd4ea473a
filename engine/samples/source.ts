/**
 * Sources of a kernel: packed rows, a matrix in memory, or a store on disk.
 *
 * @module
 */
import { DataError, NonFiniteError } from "../errors.ts";
import { describeType } from "../formats/type_name.ts";
import { computeGramRow, type Tile } from "../kernel/gram.ts";
import type { CallOptions, OnProgress } from "../gpu/pace.ts";
import { checkSampleRows, PackedRows, type Rows } from "../rows/rows.ts";
import { computeSelfSimilarity } from "../kernel/self_similarity.ts";
import { checkDiagonal, checkPair } from "../store/kernel_checks.ts";
import { KernelStore } from "../store/store.ts";

/** A symmetric kernel matrix on the host, `[size, size]` f32 or f64, row-major; it is analysed in its own precision. */
export class KernelMatrix {
  /**
   * Checks the matrix, and keeps a reference to it.
   *
   * @param values entries `[size, size]`, row-major
   * @param size number of samples
   * @throws {TypeError} if the array is of another type.
   * @throws {DataError} if the array is not a symmetric matrix, or its diagonal is negative somewhere; the message names the entry.
   * @throws {NonFiniteError} if an entry is not finite.
   */
  constructor(readonly values: Float32Array | Float64Array, readonly size: number) {
    if (!(values instanceof Float32Array || values instanceof Float64Array)) {
      throw new TypeError(
        `Cannot use a kernel matrix: got ${
          describeType(values)
        }, need a Float32Array or Float64Array`,
      );
    }
    if (size < 1 || values.length !== size * size) {
      throw new DataError(
        `Cannot use a kernel matrix: got ${values.length} numbers, need ${size} x ${size} with at least one sample`,
      );
    }
    let largest = 0;
    for (let at = 0; at < values.length; at++) {
      if (!Number.isFinite(values[at])) {
        throw new NonFiniteError(
          `Cannot use a kernel matrix: got ${values[at]} at [${Math.floor(at / size)}, ${
            at % size
          }], need finite numbers`,
        );
      }
      largest = Math.max(largest, Math.abs(values[at]));
    }
    checkDiagonal("a kernel matrix", takeDiagonal(values, size));
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < row; column++) {
        const value = values[row * size + column];
        const other = values[column * size + row];
        checkPair("a kernel matrix", row, column, value, other, largest);
      }
    }
  }
}

/** Source of a symmetric kernel: rows that it is computed from, or the stored kernel itself. */
export type KernelSource = Rows | StoredKernel;

/** A kernel that has been computed, in memory or on disk. */
export type StoredKernel = KernelMatrix | KernelStore;

/** A source that has been checked. */
export type CheckedSource = PackedRows | StoredKernel;

/**
 * Refuses a value that is no source of a kernel of samples.
 *
 * @param action action that fails, for the message: `find redundant samples` in `Cannot find redundant samples`
 * @throws {TypeError} if the value is no source.
 * @throws {RangeError} if it is rows of which a sample has several.
 */
export function checkSource(action: string, source: unknown): asserts source is CheckedSource {
  if (source instanceof KernelMatrix || source instanceof KernelStore) return;
  checkSampleRows(
    action,
    source,
    "rows as Engine.project gives them, a KernelMatrix or a KernelStore",
  );
}

/** Returns the number of samples. */
export function countSamples(source: CheckedSource): number {
  return source instanceof PackedRows ? source.count : source.size;
}

/** Reads a stored kernel in tiles that hold every pair of samples: a store's own tiles, or a matrix as a single tile. */
export function readTiles(
  source: StoredKernel,
  onProgress?: OnProgress,
): AsyncIterable<Tile> | Iterable<Tile> {
  if (source instanceof KernelStore) return source.readTiles({ onProgress });
  const { size, values } = source;
  const tile = { firstRow: 0, firstColumn: 0, rowCount: size, columnCount: size };
  return [{ ...tile, values, stride: size, mirrored: false }];
}

/** Reads one row of the kernel: the similarities of one sample to all, `[N]`. */
export async function readRow(
  source: CheckedSource,
  sample: number,
): Promise<Float32Array | Float64Array> {
  if (source instanceof PackedRows) return await computeGramRow(source, sample);
  if (source instanceof KernelStore) return await source.readRow(sample);
  return source.values.subarray(sample * source.size, (sample + 1) * source.size);
}

/** Returns the function that rounds a number to the precision of the kernel's entries. */
export function chooseRounding(source: CheckedSource): (value: number) => number {
  return source instanceof KernelMatrix && source.values instanceof Float64Array
    ? (value) => value
    : Math.fround;
}

/**
 * Reads or computes the self-similarities `kappa(x, x)`, `[N]`.
 *
 * @throws {NonFiniteError} if a self-similarity is not finite; the message names the sample.
 */
export async function readSelfSimilarity(
  source: CheckedSource,
  { signal }: CallOptions,
): Promise<Float32Array | Float64Array> {
  if (source instanceof PackedRows) return await computeSelfSimilarity(source, { signal });
  if (source instanceof KernelStore) return await source.readDiagonal();
  return takeDiagonal(source.values, source.size);
}

function takeDiagonal(values: Float32Array | Float64Array, size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => values[i * size + i]);
}
