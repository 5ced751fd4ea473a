/** Fixtures of the tests of stores: kernels without a GPU, and readers that know the specification alone. @module */
import type { Tile } from "../../../engine/kernel/gram.ts";
import { KernelWriter, type StoreSettings } from "../../../engine/store/store_writer.ts";

/** Computes entry [i, j] of a symmetric kernel whose rows are all different. */
export function entryOf(i: number, j: number): number {
  const [low, high] = i < j ? [i, j] : [j, i];
  return Math.fround(Math.sin(1.7 * low + 0.31 * high * high) + (i === j ? 1.5 : 0));
}

/** Draws the whole kernel, row-major. */
export function drawKernel(rows: number, columns = rows): Float32Array {
  return Float32Array.from(
    { length: rows * columns },
    (_, at) => entryOf(Math.floor(at / columns), at % columns),
  );
}

/** Makes the settings of a store of some job. */
export function settle(
  rows: number,
  { columns = rows, ...others }: { columns?: number } & Partial<StoreSettings> = {},
): StoreSettings {
  return {
    shape: [rows, columns],
    symmetry: "upper",
    chunkRows: 64,
    job: { kind: "lpntk", rows: { samples: rows } },
    ...others,
  };
}

/** Cuts the tiles that a store lacks, in wider rows than they need, with garbage beyond. */
export function* cutTiles(writer: KernelWriter): Generator<Tile> {
  const [rows, columns] = writer.shape;
  const [tileRows, tileColumns] = writer.tileShape;
  for (let firstRow = 0; firstRow < rows; firstRow += tileRows) {
    for (let firstColumn = 0; firstColumn < columns; firstColumn += tileColumns) {
      if (!writer.lacks(firstRow, firstColumn)) continue;
      const rowCount = Math.min(tileRows, rows - firstRow);
      const columnCount = Math.min(tileColumns, columns - firstColumn);
      const stride = tileColumns + 3;
      const values = new Float32Array(rowCount * stride).fill(NaN);
      for (let i = 0; i < rowCount; i++) {
        for (let j = 0; j < columnCount; j++) {
          values[i * stride + j] = entryOf(firstRow + i, firstColumn + j);
        }
      }
      const mirrored = writer.symmetry !== "none" && firstRow !== firstColumn;
      yield { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored };
    }
  }
}

/** Writes everything that a store lacks; returns the number of tiles. */
export async function finishStore(path: string, settings: StoreSettings): Promise<number> {
  using writer = await KernelWriter.open(path, settings);
  const { missingCount } = writer;
  for (const tile of cutTiles(writer)) await writer.writeTile(tile);
  return missingCount;
}

/** Computes CRC-32C by its definition. */
export function computeCrc32cByBits(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Reads a whole array as the Zarr v3 specification says, with none of lpntk's code; a missing chunk gives NaN. */
export async function readBySpecification(path: string): Promise<Float32Array> {
  const json = JSON.parse(await Deno.readTextFile(`${path}/zarr.json`));
  const [rows, columns] = json.shape;
  const [chunkRows, chunkColumns] = json.chunk_grid.configuration.chunk_shape;
  const matrix = new Float32Array(rows * columns).fill(NaN);
  for (let row = 0; row * chunkRows < rows; row++) {
    for (let column = 0; column * chunkColumns < columns; column++) {
      const file = `${path}/c/${row}/${column}`;
      const bytes = await Deno.readFile(file).catch(() => undefined);
      if (!bytes) continue;
      const view = new DataView(bytes.buffer);
      const end = chunkRows * chunkColumns * 4;
      if (bytes.length !== end + 4) throw new Error(`${file}: ${bytes.length} bytes`);
      if (view.getUint32(end, true) !== computeCrc32cByBits(bytes.subarray(0, end))) {
        throw new Error(`${file}: wrong checksum`);
      }
      for (let i = 0; i < chunkRows; i++) {
        for (let j = 0; j < chunkColumns; j++) {
          const value = view.getFloat32((i * chunkColumns + j) * 4, true);
          const [r, c] = [row * chunkRows + i, column * chunkColumns + j];
          if (r < rows && c < columns) matrix[r * columns + c] = value;
          else if (!Number.isNaN(value)) throw new Error(`${file}: ${value} beyond the end`);
        }
      }
    }
  }
  return matrix;
}

/** Lists the chunks that exist, sorted, as `row/column`. */
export async function listChunkFiles(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name: row } of Deno.readDir(`${path}/c`)) {
    for await (const { name } of Deno.readDir(`${path}/c/${row}`)) names.push(`${row}/${name}`);
  }
  return names.sort();
}

/** Sends a signal to a process, unless it has just ended by itself. */
export function killRunning(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
