/**
 * Writers of kernels to a Zarr store, tile by tile, so that a run that was killed can be resumed.
 *
 * @module
 */
import {
  measureFile,
  readBytes,
  removeIfThere,
  removePartials,
  writeWhole,
} from "../files/file.ts";
import { MOST_JSON_BYTES } from "../formats/json.ts";
import { type FolderKind, LOCK_FILE, refuseOther, refuseOtherFiles } from "../files/folder.ts";
import { Lease } from "../files/lease.ts";
import {
  CHUNK_FOLDER,
  decodeZarr,
  encodeChunk,
  encodeZarr,
  type Extent,
  locateChunk,
  ZARR_FILE,
  type ZarrArray,
} from "../formats/zarr.ts";
import { DisposedError, FileError } from "../errors.ts";
import { checkKeys, describeValue, FLAG, type OptionNames, refuseSurplus } from "../options.ts";
import { computeTiles, type Tile } from "../kernel/gram.ts";
import { type BlockPair, padRows, PANEL_ROWS } from "../rows/blocks.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy, interruptWith } from "../gpu/pace.ts";
import { checkSampleRows, type Rows } from "../rows/rows.ts";
import { describeIndices, INDEX_FILES, type KernelIndices, writeIndices } from "./index_files.ts";
import { findMissing } from "./missing_tiles.ts";
import { checkFinite, listChunks, listTiles, SYMMETRY, type Symmetry } from "./store.ts";

/** A folder that is kept from other writers, as {@linkcode KernelWriter.hold} gives it. */
export interface HeldStore extends Disposable {
  /** The folder. */
  readonly subject: string;
  /** Lets other processes write; a second time does nothing. */
  release(): void;
}

/** Settings of a store that is to be written. */
export interface StoreSettings {
  /** Rows and columns of the kernel. */
  readonly shape: Extent;
  /** Which half is stored; `none` of a kernel between two sets of samples. */
  readonly symmetry: Symmetry;
  /** Most rows and columns of a chunk, a multiple of 64. */
  readonly chunkRows: number;
  /** Everything else that the kernel depends on, as attributes; a store in which one of them differs belongs to another job. */
  readonly job: Readonly<Record<string, unknown>>;
  /** Further attributes of a new store. */
  readonly notes?: Readonly<Record<string, unknown>>;
  /** Indices of the samples where they are a subset of their split; a store of other samples belongs to another job. */
  readonly indices?: KernelIndices;
}

const STORE_SETTINGS: OptionNames<StoreSettings> = {
  shape: true,
  symmetry: ["upper", "full", "none"],
  chunkRows: true,
  job: true,
  notes: true,
  indices: true,
};

/** How to open a store to write; progress is in tiles that were looked for. */
export interface OpenOptions extends CallOptions {
  /** Reads every chunk, and counts those that are broken as missing. Default: no. */
  readonly repair?: boolean;
}

const OPEN_OPTIONS: OptionNames<OpenOptions> = { repair: FLAG, ...CALL_OPTIONS };

const STORE: FolderKind = { marker: ZARR_FILE };

/**
 * A Zarr store that is being written. Dispose it to let other processes write; a store that it made but wrote nothing into is removed then.
 *
 * Each chunk appears completely or not at all.
 */
export class KernelWriter {
  /** Number of tiles of the kernel; those of a symmetric one are on and above the diagonal. */
  readonly tileCount: number;
  /** Number of tiles with a broken chunk when the store was opened for repair. */
  readonly brokenCount: number;
  readonly #missing: Set<string>;
  readonly #isFresh: boolean;
  #isWritten = false;
  #isWriting = false;
  #disposed = false;

  private constructor(
    readonly path: string,
    private readonly array: ZarrArray,
    readonly symmetry: Symmetry,
    private readonly lease: Lease,
    { missing, broken, isFresh }: { missing: BlockPair[]; broken: number; isFresh: boolean },
  ) {
    this.tileCount = listTiles(array, symmetry).length;
    this.brokenCount = broken;
    this.#missing = new Set(missing.map(nameTile));
    this.#isFresh = isFresh;
  }

  /**
   * Takes the lease of a store's folder, which it makes, so that a store that cannot be written is refused before anything is computed.
   *
   * @throws {FileError} when the folder cannot be written, holds anything but a store, or is being written by another process
   */
  static async hold(path: string): Promise<HeldStore> {
    const lease = await Lease.take(`${path}/${LOCK_FILE}`, path);
    try {
      refuseOtherFiles(path, STORE);
      return lease;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /**
   * Makes a store, or opens one of the same job to resume it.
   *
   * @param place a folder, or the lease of one from {@link KernelWriter.hold}, which the writer then releases
   * @throws {FileError} when the folder cannot be written, holds anything else or another job's kernel (the message names what differs),
   * another process is writing it, or, without `repair`, a chunk has the wrong size; `TypeError` when the place is none
   */
  static async open(
    place: string | HeldStore,
    settings: StoreSettings,
    options: OpenOptions = {},
  ): Promise<KernelWriter> {
    const path = typeof place === "string" ? place : place.subject;
    checkKeys(`write ${path}`, settings, STORE_SETTINGS);
    checkKeys(`write ${path}`, options, OPEN_OPTIONS);
    const { repair = false } = options;
    const report = interruptBy(options);
    const array = describeArray(settings);
    const lease = typeof place === "string" ? await KernelWriter.hold(place) : place;
    if (!(lease instanceof Lease)) {
      const got = describeValue(lease);
      throw new TypeError(`Cannot write ${path}: got ${got}, need what KernelWriter.hold gives`);
    }
    let isFresh = false;
    try {
      const file = `${path}/${ZARR_FILE}`;
      isFresh = await measureFile(file) === undefined;
      if (isFresh) await writeWhole(file, encodeZarr(array));
      else {
        const stored = decodeZarr(await readBytes(file, "a Zarr v3 array", MOST_JSON_BYTES), file);
        refuseOtherJob(path, stored, array, settings);
      }
      await removePartials(path);
      await writeIndices(path, settings.indices);
      const { symmetry } = settings;
      const { missing, broken } = await findMissing(path, array, symmetry, repair, report);
      return new KernelWriter(path, array, symmetry, lease, { missing, broken, isFresh });
    } catch (error) {
      if (isFresh) removeStore(lease);
      lease.release();
      throw error;
    }
  }

  /** Rows and columns of the kernel. */
  get shape(): Extent {
    return this.array.shape;
  }

  /** Rows and columns of a tile; the last ones may be smaller. */
  get tileShape(): Extent {
    return this.array.chunkShape;
  }

  /** Number of tiles that are still to be written. */
  get missingCount(): number {
    return this.#missing.size;
  }

  /**
   * Returns whether the tile that starts at this row and column is still to be written.
   *
   * @throws {DisposedError} if the writer has been disposed: another process may have written since.
   */
  lacks(firstRow: number, firstColumn: number): boolean {
    this.#check();
    const [rows, columns] = this.tileShape;
    return this.#missing.has(nameTile({ row: firstRow / rows, column: firstColumn / columns }));
  }

  /**
   * Writes one tile, and its mirror image where the store holds that too.
   *
   * @throws {RangeError} if the tile is not exactly one chunk.
   * @throws {NonFiniteError} if an element is not finite.
   * @throws {FileError} if it cannot be written.
   * @throws {DisposedError} if the writer has been disposed.
   */
  async writeTile(tile: Tile): Promise<void> {
    this.#check();
    const { shape, chunkShape } = this.array;
    const { firstRow, firstColumn, rowCount, columnCount } = tile;
    const pair = { row: firstRow / chunkShape[0], column: firstColumn / chunkShape[1] };
    if (
      !Number.isInteger(pair.row) || !Number.isInteger(pair.column) ||
      rowCount !== Math.min(chunkShape[0], shape[0] - firstRow) ||
      columnCount !== Math.min(chunkShape[1], shape[1] - firstColumn)
    ) {
      throw new RangeError(
        `Cannot store a tile: got ${rowCount} x ${columnCount} at [${firstRow}, ${firstColumn}], need one chunk of ${
          chunkShape.join(" x ")
        } in [${shape.join(", ")}]`,
      );
    }
    checkFinite(this.path, tile);
    this.lease.check();
    for (const chunk of listChunks(pair, this.symmetry)) {
      const values = fillChunk(tile, chunkShape, chunk.row !== pair.row);
      await this.#write(locateChunk(this.path, chunk.row, chunk.column), encodeChunk(values));
    }
    this.#missing.delete(nameTile(pair));
  }

  #check(): void {
    if (this.#disposed) {
      throw new DisposedError(
        `the writer of ${this.path}`,
        "another; call KernelWriter.open again",
      );
    }
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    this.#isWriting = true;
    try {
      await writeWhole(path, bytes);
      this.#isWritten = true;
    } catch (cause) {
      const stays = this.#isWritten || !this.#isFresh;
      if (!(cause instanceof FileError && stays)) throw cause;
      const message = `${cause.message}; the tiles written so far stay, and the same call goes on`;
      throw new FileError(path, message, { cause });
    } finally {
      this.#isWriting = false;
    }
  }

  /** Unlocks the store; a second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    // not while a chunk is being written, whose files could not all be removed
    if (this.#isFresh && !this.#isWritten && !this.#isWriting) removeStore(this.lease);
    this.lease.release();
  }

  /** Unlocks the store at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Computes the tiles that a store still lacks, and writes each while the next one is computed. An interrupted call leaves the tiles that it
 * wrote, and the next call resumes there.
 *
 * @param rows rows in blocks of the size of the store's tiles, as the columns
 * @throws {TypeError} if one side is no rows, `RangeError` if the tiles are not the store's.
 */
export async function storeGram(
  writer: KernelWriter,
  rows: Rows,
  columns: Rows = rows,
  options: CallOptions = {},
): Promise<void> {
  refuseSurplus("store a kernel", arguments, 4);
  const report = interruptWith("store a kernel", options);
  checkSampleRows("store a kernel", rows);
  checkSampleRows("store a kernel", columns);
  const sides = [rows, columns].map(({ count, blocks }) => `${count} in ${blocks[0].rowCount}s`);
  const needed = writer.shape.map((count, axis) =>
    `${count} in ${Math.min(count, writer.tileShape[axis])}s`
  );
  const isSymmetric = writer.symmetry !== "none";
  if (`${sides}` !== `${needed}` || (columns === rows) !== isSymmetric) {
    throw new RangeError(
      `Cannot store a kernel: got rows ${sides.join(" and columns ")}, need rows ${
        needed.join(" and columns ")
      }, ${isSymmetric ? "the same" : "others"}`,
    );
  }
  let writing = Promise.resolve();
  const isWanted = writer.lacks.bind(writer);
  try {
    for await (const tile of computeTiles(rows, columns, report, isWanted)) {
      await writing;
      writing = writer.writeTile(tile);
      writing.catch(() => {}); // an error is thrown where it is awaited
    }
  } finally {
    await writing;
  }
}

function describeArray(settings: StoreSettings): ZarrArray {
  const { shape, chunkRows, notes } = settings;
  if (!(chunkRows >= PANEL_ROWS && chunkRows % PANEL_ROWS === 0)) {
    throw new RangeError(
      `Cannot store a kernel: got chunks of ${chunkRows} rows, need a multiple of ${PANEL_ROWS}`,
    );
  }
  return {
    shape,
    chunkShape: [Math.min(chunkRows, padRows(shape[0])), Math.min(chunkRows, padRows(shape[1]))],
    attributes: { ...describeJob(settings), ...notes },
  };
}

/** Returns the attributes that a store of this job has. */
function describeJob({ symmetry, job, indices }: StoreSettings): Record<string, unknown> {
  return { [SYMMETRY]: symmetry, ...job, ...describeIndices(indices) };
}

/** Removes a store's files. */
function removeStore(lease: Lease): void {
  if (!lease.isOurs()) return;
  removeIfThere(`${lease.subject}/${CHUNK_FOLDER}`, { recursive: true });
  for (const name of [ZARR_FILE, ...INDEX_FILES]) removeIfThere(`${lease.subject}/${name}`);
}

/** @throws {FileError} when a setting of the job, or the kernel's shape, chunks or symmetry, differs from the store's. */
function refuseOtherJob(
  path: string,
  stored: ZarrArray,
  { shape, chunkShape }: ZarrArray,
  settings: StoreSettings,
): void {
  const ours = { ...describeJob(settings), shape, chunk: chunkShape };
  const theirs: Record<string, unknown> = {
    ...stored.attributes,
    shape: stored.shape,
    chunk: stored.chunkShape,
  };
  // only attributes that the job has, so the notes are left out
  const job = Object.fromEntries(Object.keys(ours).map((key) => [key, theirs[key]]));
  refuseOther(path, "a kernel", job, ours);
}

/** Fills a chunk with a tile or its mirror image, and NaN beyond the end. */
function fillChunk(tile: Tile, [rows, columns]: Extent, isMirrored: boolean): Float32Array {
  const { rowCount, columnCount, values, stride } = tile;
  const chunk = new Float32Array(rows * columns).fill(NaN);
  for (let i = 0; i < rowCount; i++) {
    const row = values.subarray(i * stride, i * stride + columnCount);
    if (!isMirrored) chunk.set(row, i * columns);
    else for (let j = 0; j < columnCount; j++) chunk[j * columns + i] = row[j];
  }
  return chunk;
}

function nameTile({ row, column }: BlockPair): string {
  return `${row}/${column}`;
}
