/**
 * Where a kernel's numbers come from: packed rows on the device, a matrix in memory, or a store on disk.
 *
 * @module
 */
import { DataError, NonFiniteError } from "../errors.ts";
import { computeGramRow, type Tile } from "../kernel/gram.ts";
import type { OnProgress } from "../gpu/pace.ts";
import { Rows } from "../rows/rows.ts";
import { computeSelfSimilarity } from "../kernel/self_similarity.ts";
import { KernelStore } from "../store/store.ts";

/** A symmetric kernel matrix on the host, `[size, size]`, row-major; analysed in the precision it comes in. */
export class KernelMatrix {
  /**
   * @throws {DataError} if the array is not a finite symmetric matrix; the message names the entry.
   */
  constructor(readonly values: Float32Array | Float64Array, readonly size: number) {
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
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < i; j++) {
        const [below, above] = [values[i * size + j], values[j * size + i]];
        if (Math.abs(below - above) > ASYMMETRY * largest) {
          throw new DataError(
            `Cannot use a kernel matrix: got ${below} at [${i}, ${j}] but ${above} at [${j}, ${i}], need a symmetric matrix`,
          );
        }
      }
    }
  }
}

/** What a symmetric kernel is read from. */
export type KernelSource = Rows | StoredKernel;

/** A kernel that is computed already. */
export type StoredKernel = KernelMatrix | KernelStore;

/** Asymmetry relative to the largest entry that rounding in another program may leave. */
const ASYMMETRY = 1e-4;

/** Number of samples. */
export function countSamples(source: KernelSource): number {
  return source instanceof Rows ? source.count : source.size;
}

/** Every pair of samples once, in tiles of a stored kernel: a store reads its, a matrix is one tile of itself. */
export function readTiles(
  source: StoredKernel,
  onProgress?: OnProgress,
): AsyncIterable<Tile> | Iterable<Tile> {
  if (source instanceof KernelStore) return source.readTiles(onProgress);
  const { size, values } = source;
  const tile = { firstRow: 0, firstColumn: 0, rowCount: size, columnCount: size };
  return [{ ...tile, values, stride: size, mirrored: false }];
}

/** Similarities of one sample to all, `[N]`. */
export async function readRow(
  source: KernelSource,
  sample: number,
): Promise<Float32Array | Float64Array> {
  if (source instanceof Rows) return await computeGramRow(source, sample);
  if (source instanceof KernelStore) return await source.readRow(sample);
  return source.values.subarray(sample * source.size, (sample + 1) * source.size);
}

/** Rounds a number to the precision of a kernel's entries. */
export function chooseRounding(source: KernelSource): (value: number) => number {
  return source instanceof KernelMatrix && source.values instanceof Float64Array
    ? (value) => value
    : Math.fround;
}

/**
 * Self-similarities `kappa(x, x)`, `[N]`.
 *
 * @throws {NonFiniteError} if one of them is not finite; the message names the sample.
 */
export async function readSelfSimilarity(
  source: KernelSource,
): Promise<Float32Array | Float64Array> {
  if (source instanceof Rows) return await computeSelfSimilarity(source);
  if (source instanceof KernelStore) return await source.readDiagonal();
  const { values, size } = source;
  return Float64Array.from({ length: size }, (_, i) => values[i * size + i]);
}
