/**
 * Gram matrices of packed rows, tile by tile.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { pairBlocks, PANEL_ROWS } from "./plan.ts";
import type { OnProgress } from "./projection.ts";
import type { RowBlock, Rows } from "./rows.ts";

/** A rectangle of a kernel matrix on the host. */
export interface Tile {
  readonly firstRow: number;
  readonly firstColumn: number;
  readonly rowCount: number;
  readonly columnCount: number;
  /** `[rowCount, columnCount]`, row-major with `stride` numbers from row to row. */
  readonly values: Float32Array | Float64Array;
  readonly stride: number;
  /** Whether the tile also stands for its transpose on the other side of the diagonal, which no other tile holds. */
  readonly mirrored: boolean;
}

/**
 * Computes the tiles of `rows . columns^T` one after another; without `columns` those of the symmetric matrix on and above the diagonal.
 *
 * Costs `2 * N * N' * length` FLOP, half of it when symmetric; holds one tile, at most 64 MiB, on the device and on the host.
 *
 * @param isWanted leaves the other tiles out
 * @throws {RangeError} if the two sides come from networks of different layers.
 */
export async function* computeTiles(
  rows: Rows,
  columns: Rows = rows,
  onProgress?: OnProgress,
  isWanted: (firstRow: number, firstColumn: number) => boolean = () => true,
): AsyncGenerator<Tile> {
  const { gpu, layout } = rows;
  if (JSON.stringify(layout) !== JSON.stringify(columns.layout)) {
    throw new RangeError(
      `Cannot multiply rows: got ${layout.length} and ${columns.layout.length} numbers a row, need rows of one network`,
    );
  }
  const symmetric = columns === rows;
  const pairs = pairBlocks(rows.blocks.length, columns.blocks.length, symmetric).filter((pair) =>
    isWanted(rows.blocks[pair.row].firstRow, columns.blocks[pair.column].firstRow)
  );
  for (const [done, pair] of pairs.entries()) {
    yield await computeTile(
      gpu,
      rows,
      rows.blocks[pair.row],
      columns.blocks[pair.column],
      symmetric,
    );
    onProgress?.(done + 1, pairs.length);
  }
}

/**
 * The whole matrix `rows . columns^T`, `[N, N']` f32, row-major; bit-identical on both sides of the diagonal.
 *
 * @throws {RangeError} if the matrix is larger than an array can be.
 */
export async function computeGram(
  rows: Rows,
  columns: Rows = rows,
  onProgress?: OnProgress,
): Promise<Float32Array<ArrayBuffer>> {
  const matrix = new Float32Array(rows.count * columns.count);
  for await (const tile of computeTiles(rows, columns, onProgress)) {
    storeTile(tile, matrix, columns.count);
  }
  return matrix;
}

async function computeTile(
  gpu: Gpu,
  rows: Rows,
  left: RowBlock,
  right: RowBlock,
  symmetric: boolean,
): Promise<Tile> {
  const diagonal = symmetric && left === right;
  const stride = right.panelCount * PANEL_ROWS;
  const sizeBytes = left.panelCount * PANEL_ROWS * stride * 4;
  const pairs = pairBlocks(left.panelCount, right.panelCount, diagonal);
  const list = gpu.upload("pairs", Uint32Array.from(pairs.flatMap((p) => [p.row, p.column])));
  const tile = gpu.createBuffer("tile", sizeBytes);
  try {
    const commands = gpu.record();
    commands.run(
      kernels.gram_tile,
      {
        row_length: rows.layout.length,
        segment_count: rows.segmentCount,
        pair_count: pairs.length,
        tile_columns: stride,
        mirror: diagonal ? 1 : 0,
      },
      { rows: left.buffer, columns: right.buffer, segments: rows.segments, pairs: list, tile },
      pairs.length,
    );
    commands.submit();
    return {
      firstRow: left.firstRow,
      firstColumn: right.firstRow,
      rowCount: left.rowCount,
      columnCount: right.rowCount,
      values: new Float32Array(await gpu.read(tile)),
      stride,
      mirrored: symmetric && !diagonal,
    };
  } finally {
    gpu.destroyBuffer(list);
    gpu.destroyBuffer(tile);
  }
}

/** Copies a tile, and its transpose where it stands for it, into a matrix with `width` columns. */
function storeTile(tile: Tile, matrix: Float32Array, width: number): void {
  const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
  for (let i = 0; i < rowCount; i++) {
    const row = values.subarray(i * stride, i * stride + columnCount);
    matrix.set(row, (firstRow + i) * width + firstColumn);
    if (mirrored) {
      for (let j = 0; j < columnCount; j++) {
        matrix[(firstColumn + j) * width + firstRow + i] = row[j];
      }
    }
  }
}
