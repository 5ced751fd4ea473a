/**
 * How rows and kernels are cut for the device: panels, blocks, slices, chunks, and what multiplying them takes.
 *
 * @module
 */
import { PANEL_COLUMNS } from "../gpu/panels.ts";
import { MAX_POSITIONS, type RowLayout, sliceRow } from "./layout.ts";

/** Packed rows side by side in memory, the unit that the kernels work on: a row is a column of its panel. */
export const PANEL_ROWS = PANEL_COLUMNS;

/** Panels on a side of the tile of a factored convolution's positions, of which there are at most 16: 16 MiB. */
export const PRODUCT_PANELS = 2 * MAX_POSITIONS;

/** Rows of one block at most: a tile of two blocks is then 64 MiB. */
const BLOCK_ROWS = 4096;

/** Rows and columns of a stored chunk at most: it is then 4 MiB. */
const CHUNK_ROWS = 1024;

/** What one binding of packed rows holds at most. */
export interface BindingLimits {
  readonly bytes: number;
  /** Numbers of a row. */
  readonly lines: number;
  readonly panels: number;
}

/** A number of rows rounded up to whole panels. */
export function padRows(rows: number): number {
  return Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS;
}

/**
 * Rows of one block: as many as the device can bind, in whole panels.
 *
 * @throws {RangeError} if not even one panel of an entry of a row can be bound.
 */
export function planBlockRows(layout: RowLayout, binding: BindingLimits): number {
  const { bytes, lines, panels } = binding;
  const most = sliceRow(layout, 1).map((entry) => {
    const bindable = Math.min(
      Math.floor(bytes / (4 * PANEL_ROWS * entry.length)),
      Math.floor(panels / entry.positions),
    );
    if (entry.lines <= lines && bindable >= 1) return bindable;
    throw new RangeError(
      `Cannot hold packed rows: got ${entry.length} numbers that belong together, need at most ${
        Math.min(lines * entry.positions, Math.floor(bytes / (4 * PANEL_ROWS)))
      } on this device; leave that layer out with 'layers', or make it narrower`,
    );
  });
  const tileSide = Math.floor(Math.sqrt(bytes / 4) / PANEL_ROWS) * PANEL_ROWS;
  return Math.min(Math.min(...most) * PANEL_ROWS, tileSide, BLOCK_ROWS);
}

/** Numbers of a row that the device can bind at once in the largest block; the same for all rows of a layout, so that any two multiply. */
export function planSliceLength(layout: RowLayout, binding: BindingLimits): number {
  const { bytes, lines } = binding;
  return Math.min(lines, Math.floor(bytes / (4 * planBlockRows(layout, binding))));
}

/**
 * FLOPs of a kernel matrix: `2 N N' K`; when symmetric those of the panels on and above the diagonal.
 *
 * @param products multiplications of a product of two rows, K
 */
export function countFlops(products: number, count: number, others?: number): number {
  if (others !== undefined) return 2 * count * others * products;
  return padRows(count) * (padRows(count) + PANEL_ROWS) * products;
}

/**
 * Rows and columns of a stored chunk of a kernel: the device computes it as one tile.
 *
 * @throws {RangeError} if not even one panel can be bound.
 */
export function planChunkRows(layout: RowLayout, binding: BindingLimits): number {
  return Math.min(planBlockRows(layout, binding), CHUNK_ROWS);
}

/** One pair of blocks of a Gram matrix. */
export interface BlockPair {
  readonly row: number;
  readonly column: number;
}

/** Pairs of blocks: all of them, or those on and above the diagonal. */
export function pairBlocks(rows: number, columns: number, symmetric: boolean): BlockPair[] {
  const pairs: BlockPair[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = symmetric ? row : 0; column < columns; column++) pairs.push({ row, column });
  }
  return pairs;
}
