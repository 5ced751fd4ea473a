/**
 * Stored kernels: kernel matrices in a Zarr store, read chunk by chunk.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { isAbsence, measureFile, readBytes } from "../files/file.ts";
import { MOST_JSON_BYTES } from "../formats/json.ts";
import {
  CHUNK_FOLDER,
  decodeZarr,
  type Extent,
  loadChunk,
  locateChunk,
  measureChunk,
  ZARR_FILE,
  type ZarrArray,
} from "../formats/zarr.ts";
import { DataError, FileError, NonFiniteError, StoredKernelError } from "../errors.ts";
import { checkKeys, describeValue } from "../options.ts";
import type { Tile } from "../kernel/gram.ts";
import { checkDiagonal, checkPair } from "./kernel_checks.ts";
import { type BlockPair, pairBlocks } from "../rows/blocks.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";
import { readIndices } from "./index_files.ts";

/**
 * Chunks that are stored of a kernel: of a symmetric one those on and above the diagonal (`upper`) or all of them (`full`); `none` means a
 * kernel between two sets of samples, all of whose chunks are stored.
 */
export type Symmetry = "upper" | "full" | "none";

/** Attribute that holds the {@link Symmetry}. */
export const SYMMETRY = "symmetric";

/** Bytes of chunks that are kept in memory: 64 chunks of 4 MiB. */
const CACHE_BYTES = 2 ** 28;

/** Lists the chunks that hold the tile of a pair of blocks. */
export function listChunks({ row, column }: BlockPair, symmetry: Symmetry): BlockPair[] {
  const both = symmetry === "full" && row !== column;
  return both ? [{ row, column }, { row: column, column: row }] : [{ row, column }];
}

/** Counts the rows and columns of an array's grid of chunks. */
function countBlocks({ shape, chunkShape }: Pick<ZarrArray, "shape" | "chunkShape">): number[] {
  return shape.map((size, axis) => Math.ceil(size / chunkShape[axis]));
}

/** Lists the tiles of an array's grid of chunks. */
export function listTiles({ shape, chunkShape }: ZarrArray, symmetry: Symmetry): BlockPair[] {
  const [rows, columns] = countBlocks({ shape, chunkShape });
  return pairBlocks(rows, columns, symmetry !== "none");
}

/**
 * Returns whether a chunk's file exists.
 *
 * @throws {FileError} when it exists, but has another size
 */
export async function hasChunk(path: string, chunkShape: Extent): Promise<boolean> {
  const sizeBytes = await measureFile(path);
  if (sizeBytes === undefined) return false;
  // reading it throws the error that says what is wrong
  if (sizeBytes !== measureChunk(chunkShape)) await loadChunk(path, chunkShape);
  return true;
}

/**
 * Counts the tiles of a symmetric kernel whose chunks all exist. It lists files instead of looking for every chunk, since the array's
 * description may claim any number of them.
 *
 * @throws {FileError} when a chunk has another size
 */
async function countTiles(
  folder: string,
  array: ZarrArray,
  symmetry: Symmetry,
): Promise<number> {
  const [blocks] = countBlocks(array);
  const rows = (await listNumbers(`${folder}/${CHUNK_FOLDER}`)).filter((row) => row < blocks);
  let count = 0;
  for (const row of rows) {
    const columns = await listNumbers(`${folder}/${CHUNK_FOLDER}/${row}`);
    for (const column of columns) {
      if (column < row || column >= blocks) continue;
      const chunks = listChunks({ row, column }, symmetry);
      const found = await Promise.all(
        chunks.map(({ row, column }) =>
          hasChunk(locateChunk(folder, row, column), array.chunkShape)
        ),
      );
      if (!found.includes(false)) count++;
    }
  }
  return count;
}

/** Lists the entries of a folder whose names are numbers; none where there is no folder. */
async function listNumbers(folder: string): Promise<number[]> {
  try {
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    return names.filter((name) => /^(0|[1-9]\d{0,14})$/.test(name)).map(Number);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

/**
 * Reads and checks one chunk, `chunkShape` f32, row-major.
 *
 * @throws {FileError} when the chunk is missing, or its size or checksum is wrong
 * @throws {NonFiniteError} when an element within the array's shape is not finite; the message names its row and column
 */
export async function readChunk(
  folder: string,
  { shape, chunkShape }: ZarrArray,
  { row, column }: BlockPair,
): Promise<Float32Array<ArrayBuffer>> {
  const path = locateChunk(folder, row, column);
  const values = await loadChunk(path, chunkShape);
  const [firstRow, firstColumn] = [row * chunkShape[0], column * chunkShape[1]];
  const rowCount = Math.min(chunkShape[0], shape[0] - firstRow);
  const columnCount = Math.min(chunkShape[1], shape[1] - firstColumn);
  checkFinite(folder, {
    firstRow,
    firstColumn,
    rowCount,
    columnCount,
    values,
    stride: chunkShape[1],
  });
  return values;
}

/** @throws {NonFiniteError} when an element of a tile is not finite; the message names its row and column. */
export function checkFinite(name: string, tile: Omit<Tile, "mirrored">): void {
  const { firstRow, firstColumn, rowCount, columnCount, values, stride } = tile;
  for (let i = 0; i < rowCount; i++) {
    for (let j = 0; j < columnCount; j++) {
      const value = values[i * stride + j];
      if (!Number.isFinite(value)) {
        throw new NonFiniteError(
          `Cannot use kernel ${name}: got ${value} at [${firstRow + i}, ${
            firstColumn + j
          }], need finite numbers`,
        );
      }
    }
  }
}

/**
 * A complete symmetric kernel in a Zarr store. It is read chunk by chunk, and at most 256 MiB of it are kept in memory.
 *
 * When a chunk is read for the first time its checksum is compared, and its elements must be finite and equal to those of its mirror image,
 * which is read as well where a `full` store holds it.
 */
export class KernelStore {
  /** Number of samples. */
  readonly size: number;
  /** Rows and columns of a chunk. */
  readonly #edge: number;
  readonly #cache = new Map<string, Float32Array<ArrayBuffer>>();
  readonly #checked = new Set<string>();
  /** Largest element of the diagonal. */
  #largest: number | undefined;

  private constructor(
    readonly path: string,
    private readonly array: ZarrArray,
    private readonly symmetry: Symmetry,
    /** Index of each sample in its whole split, `[N]` i32; undefined for the kernel of a whole split. */
    readonly indices: Int32Array | undefined,
    private readonly cacheBytes: number,
  ) {
    this.size = array.shape[0];
    this.#edge = array.chunkShape[0];
  }

  /** Attributes of the store: the settings, weights and data that the kernel was computed from. */
  get attributes(): Readonly<Record<string, unknown>> {
    return this.array.attributes;
  }

  /**
   * Opens a store.
   *
   * @param options.cacheBytes most bytes of chunks that are kept in memory; one chunk is kept whatever its size
   * @throws {FileError} when the store is missing or of another format, `StoredKernelError` when it is incomplete (the message says how many
   * tiles exist)
   * @throws {DataError} when it holds no symmetric kernel
   */
  static async open(
    path: string,
    options: { readonly cacheBytes?: number } = {},
  ): Promise<KernelStore> {
    checkKeys(`read ${path}`, options, { cacheBytes: true });
    const { cacheBytes = CACHE_BYTES } = options;
    const file = `${path}/${ZARR_FILE}`;
    const array = decodeZarr(await readBytes(file, "a Zarr v3 array", MOST_JSON_BYTES), file);
    const { shape, chunkShape, attributes: { [SYMMETRY]: symmetry } } = array;
    if (symmetry !== "upper" && symmetry !== "full") {
      throw new DataError(
        `Cannot use ${path} as a kernel: got ${SYMMETRY} ${describeValue(symmetry)} of shape [${
          shape.join(", ")
        }], need "upper" or "full" [N, N]`,
      );
    }
    if (shape[0] !== shape[1] || chunkShape[0] !== chunkShape[1]) {
      throw new DataError(
        `Cannot use ${path} as a kernel: got [${shape.join(", ")}] in chunks of [${
          chunkShape.join(", ")
        }], need [N, N] in square chunks`,
      );
    }
    const [blocks] = countBlocks(array);
    const tileCount = blocks * (blocks + 1) / 2;
    const done = await countTiles(path, array, symmetry);
    if (done < tileCount) {
      throw new StoredKernelError(
        path,
        `Cannot use ${path} as a kernel: got ${done} of ${tileCount} tiles, need all of them; store it again by the same options to finish it`,
      );
    }
    const indices = await readIndices(path, array);
    return new KernelStore(path, array, symmetry, indices, cacheBytes);
  }

  /**
   * Hashes the kernel (SHA-256) by the checksums of its chunks, which takes a short read of each.
   *
   * @returns 64 hexadecimal digits
   */
  hash(): string {
    const { shape, chunkShape } = this.array;
    const length = chunkShape[0] * chunkShape[1];
    const checksums = listTiles(this.array, this.symmetry)
      .flatMap((tile) => listChunks(tile, this.symmetry))
      .map(({ row, column }) => {
        const checksum = new Float32Array(1);
        readRange(locateChunk(this.path, row, column), length, checksum);
        return new Uint8Array(checksum.buffer).toHex();
      });
    const text = JSON.stringify([shape, chunkShape, this.symmetry, checksums]);
    return createHash("sha256").update(text).digest("hex");
  }

  /** Yields the tiles on and above the diagonal, one after another. */
  async *readTiles(options: CallOptions = {}): AsyncGenerator<Tile> {
    const report = interruptWith("read a kernel", options);
    const tiles = listTiles(this.array, this.symmetry);
    for (const [done, { row, column }] of tiles.entries()) {
      const [firstRow, firstColumn] = [row * this.#edge, column * this.#edge];
      yield {
        firstRow,
        firstColumn,
        rowCount: Math.min(this.#edge, this.size - firstRow),
        columnCount: Math.min(this.#edge, this.size - firstColumn),
        values: await this.#read({ row, column }),
        stride: this.#edge,
        mirrored: row !== column,
      };
      report?.(done + 1, tiles.length);
    }
  }

  /**
   * Reads the diagonal, `[N]` f32.
   *
   * @throws {DataError} when one of its elements is negative; the message names the sample
   */
  async readDiagonal(): Promise<Float32Array<ArrayBuffer>> {
    const diagonal = new Float32Array(this.size);
    for (let block = 0; block * this.#edge < this.size; block++) {
      const values = await readChunk(this.path, this.array, { row: block, column: block });
      const first = block * this.#edge;
      const count = Math.min(this.#edge, this.size - first);
      for (let i = 0; i < count; i++) diagonal[first + i] = values[i * (this.#edge + 1)];
    }
    checkDiagonal(this.#title, diagonal);
    return diagonal;
  }

  /**
   * Reads one row of the whole matrix, `[N]` f32.
   *
   * From a chunk that was checked before it reads the row alone; where only the mirror image is stored it reads that whole chunk, so rows are
   * read faster from a `full` store.
   */
  async readRow(row: number): Promise<Float32Array<ArrayBuffer>> {
    const values = new Float32Array(this.size);
    const own = Math.floor(row / this.#edge);
    const within = row % this.#edge;
    for (let other = 0; other * this.#edge < this.size; other++) {
      const part = values.subarray(other * this.#edge, (other + 1) * this.#edge);
      if (this.symmetry === "full" || other >= own) {
        await this.#copyRow({ row: own, column: other }, within, part);
      } else {
        const chunk = await this.#load({ row: other, column: own });
        for (let i = 0; i < part.length; i++) part[i] = chunk[i * this.#edge + within];
      }
    }
    return values;
  }

  async #copyRow(chunk: BlockPair, row: number, part: Float32Array<ArrayBuffer>): Promise<void> {
    const key = nameChunk(chunk);
    if (this.#checked.has(key) && !this.#cache.has(key)) {
      readRange(locateChunk(this.path, chunk.row, chunk.column), row * this.#edge, part);
      return;
    }
    const values = await this.#load(chunk);
    part.set(values.subarray(row * this.#edge, row * this.#edge + part.length));
  }

  /** Loads a chunk from memory or from disk; the least recently used one makes room. */
  async #load(chunk: BlockPair): Promise<Float32Array<ArrayBuffer>> {
    const key = nameChunk(chunk);
    const values = this.#cache.get(key) ?? await this.#read(chunk);
    this.#cache.delete(key);
    this.#cache.set(key, values);
    if (this.#cache.size > 1 && this.#cache.size * values.byteLength > this.cacheBytes) {
      this.#cache.delete(this.#cache.keys().next().value!);
    }
    return values;
  }

  /** Reads a chunk from disk, and checks it the first time. */
  async #read(chunk: BlockPair): Promise<Float32Array<ArrayBuffer>> {
    const { row, column } = chunk;
    if (this.#checked.has(nameChunk(chunk))) {
      const path = locateChunk(this.path, row, column);
      return await loadChunk(path, this.array.chunkShape, { isTrusted: true });
    }
    const values = await readChunk(this.path, this.array, chunk);
    if (row === column) {
      await this.#checkMirror(chunk, values, values);
    } else if (this.symmetry === "full") {
      const mirror = { row: column, column: row };
      await this.#checkMirror(chunk, values, await readChunk(this.path, this.array, mirror));
      this.#checked.add(nameChunk(mirror));
    }
    this.#checked.add(nameChunk(chunk));
    return values;
  }

  /** @throws {DataError} when the kernel is not symmetric there; the message names the pair. */
  async #checkMirror(
    { row, column }: BlockPair,
    values: Float32Array,
    mirror: Float32Array,
  ): Promise<void> {
    // no element is larger than the largest of the diagonal (Cauchy-Schwarz)
    this.#largest ??= (await this.readDiagonal()).reduce((a, b) => Math.max(a, b));
    const [firstRow, firstColumn] = [row * this.#edge, column * this.#edge];
    const rowCount = Math.min(this.#edge, this.size - firstRow);
    const columnCount = Math.min(this.#edge, this.size - firstColumn);
    for (let i = 0; i < rowCount; i++) {
      for (let j = 0; j < columnCount; j++) {
        const [value, other] = [values[i * this.#edge + j], mirror[j * this.#edge + i]];
        checkPair(this.#title, firstRow + i, firstColumn + j, value, other, this.#largest);
      }
    }
  }

  /** Name of the kernel in errors. */
  get #title(): string {
    return `kernel ${this.path}`;
  }
}

function nameChunk({ row, column }: BlockPair): string {
  return `${row}/${column}`;
}

/** Fills `values` from a chunk's element `first` on. It reads synchronously: for a few KiB an asynchronous read takes many times as long. */
function readRange(path: string, first: number, values: Float32Array<ArrayBuffer>): void {
  using file = Deno.openSync(path);
  file.seekSync(first * values.BYTES_PER_ELEMENT, Deno.SeekMode.Start);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  for (let done = 0; done < bytes.length;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) {
      throw new FileError(
        path,
        `Cannot read ${path}: got ${done} bytes of a row, need ${bytes.length}`,
      );
    }
    done += count;
  }
}
