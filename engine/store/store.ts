/**
 * Kernels in a Zarr store, read chunk by chunk.
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
import { DataError, FileError, NonFiniteError } from "../errors.ts";
import { checkKeys, describeValue } from "../options.ts";
import type { Tile } from "../kernel/gram.ts";
import { checkDiagonal, checkPair } from "./kernel_checks.ts";
import { type BlockPair, pairBlocks } from "../rows/blocks.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";
import { readIndices } from "./index_files.ts";

/**
 * Which chunks of a kernel are stored: of a symmetric one those on and above the diagonal (`upper`) or all of them (`full`); `none` is a
 * kernel of two sets of samples, all of it.
 */
export type Symmetry = "upper" | "full" | "none";

/** Attribute that holds the {@link Symmetry}. */
export const SYMMETRY = "symmetric";

/** 64 chunks of 4 MiB. */
const CACHE_BYTES = 2 ** 28;

/** Chunks that stand for the tile of a pair of blocks. */
export function listChunks({ row, column }: BlockPair, symmetry: Symmetry): BlockPair[] {
  const both = symmetry === "full" && row !== column;
  return both ? [{ row, column }, { row: column, column: row }] : [{ row, column }];
}

/** Rows and columns of an array's grid of chunks. */
function countBlocks({ shape, chunkShape }: Pick<ZarrArray, "shape" | "chunkShape">): number[] {
  return shape.map((size, axis) => Math.ceil(size / chunkShape[axis]));
}

/** Tiles of an array's grid of chunks. */
export function listTiles({ shape, chunkShape }: ZarrArray, symmetry: Symmetry): BlockPair[] {
  const [rows, columns] = countBlocks({ shape, chunkShape });
  return pairBlocks(rows, columns, symmetry !== "none");
}

/**
 * Whether a chunk's file is there.
 *
 * @throws {FileError} when it is, but of another size
 */
export async function hasChunk(path: string, chunkShape: Extent): Promise<boolean> {
  const sizeBytes = await measureFile(path);
  if (sizeBytes === undefined) return false;
  // reading it says what is wrong with it
  if (sizeBytes !== measureChunk(chunkShape)) await loadChunk(path, chunkShape);
  return true;
}

/**
 * How many tiles of a symmetric kernel have all their chunks. Goes through the files that there are, since the array may say that there are
 * any number of them.
 *
 * @throws {FileError} when a chunk is of another size
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

/** Entries of a folder whose names are numbers; none where there is no folder. */
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
 * @throws {FileError} when it is missing, or its size or checksum is wrong
 * @throws {NonFiniteError} when a number within the array's shape is not finite; the message names its row and column
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

/**
 * @throws {NonFiniteError} when a number of a tile is not finite; the message names its row and column.
 */
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
 * A symmetric kernel in a Zarr store, complete; it is read chunk by chunk, and no more than 256 MiB of it are kept in memory.
 *
 * The first time that a chunk is read its checksum is compared, every number must be finite, and none other than its mirror image, which
 * takes reading that as well where a `full` store holds it.
 */
export class KernelStore {
  /** Number of samples. */
  readonly size: number;
  /** Rows and columns of a chunk. */
  readonly #edge: number;
  readonly #cache = new Map<string, Float32Array<ArrayBuffer>>();
  readonly #checked = new Set<string>();
  /** Largest number on the diagonal. */
  #largest: number | undefined;

  private constructor(
    readonly path: string,
    private readonly array: ZarrArray,
    private readonly symmetry: Symmetry,
    /** Where each sample stands in its whole split, `[N]` i32; undefined of a kernel of a whole one. */
    readonly indices: Int32Array | undefined,
    private readonly cacheBytes: number,
  ) {
    this.size = array.shape[0];
    this.#edge = array.chunkShape[0];
  }

  /** What the store says that its numbers were computed from. */
  get attributes(): ZarrArray["attributes"] {
    return this.array.attributes;
  }

  /**
   * Opens a store.
   *
   * @param options.cacheBytes bytes of chunks that are kept at most for reading rows; one chunk is kept whatever its size
   * @throws {FileError} when it is missing, unfinished, or not as `gram` writes it; unfinished says how many tiles are missing
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
      throw new FileError(
        path,
        `Cannot use ${path} as a kernel: got ${done} of ${tileCount} tiles, need all of them; run lpntk gram with the same options again to finish it`,
      );
    }
    const indices = await readIndices(path, array);
    return new KernelStore(path, array, symmetry, indices, cacheBytes);
  }

  /**
   * SHA-256 of what the store holds, by the checksums of its chunks: it takes a short read of each.
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

  /** The tiles on and above the diagonal, one after another. */
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
   * The diagonal, `[N]` f32.
   *
   * @throws {DataError} when one of its numbers is negative; the message names the sample
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
   * One row of the whole matrix, `[N]` f32.
   *
   * Of a chunk that is checked already it reads the row alone; where only the mirror image is stored it needs that whole chunk, so rows
   * come faster from a `full` store.
   */
  async readRow(row: number): Promise<Float32Array<ArrayBuffer>> {
    const values = new Float32Array(this.size);
    const own = Math.floor(row / this.#edge);
    const place = row % this.#edge;
    for (let other = 0; other * this.#edge < this.size; other++) {
      const part = values.subarray(other * this.#edge, (other + 1) * this.#edge);
      if (this.symmetry === "full" || other >= own) {
        await this.#copyRow({ row: own, column: other }, place, part);
      } else {
        const chunk = await this.#load({ row: other, column: own });
        for (let i = 0; i < part.length; i++) part[i] = chunk[i * this.#edge + place];
      }
    }
    return values;
  }

  async #copyRow(chunk: BlockPair, place: number, part: Float32Array<ArrayBuffer>): Promise<void> {
    const key = nameChunk(chunk);
    if (this.#checked.has(key) && !this.#cache.has(key)) {
      readRange(locateChunk(this.path, chunk.row, chunk.column), place * this.#edge, part);
      return;
    }
    const values = await this.#load(chunk);
    part.set(values.subarray(place * this.#edge, place * this.#edge + part.length));
  }

  /** A chunk from memory or from disk, where the one that was not used for longest makes room. */
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

  /** A chunk from disk, checked if it was not before. */
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
    // no product of two samples is larger than both of theirs with themselves
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

  /** As errors name it. */
  get #title(): string {
    return `kernel ${this.path}`;
  }
}

function nameChunk({ row, column }: BlockPair): string {
  return `${row}/${column}`;
}

/** Reads numbers of a chunk from the `first` on; a few KiB, for which the detour of an asynchronous read takes many times as long. */
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
