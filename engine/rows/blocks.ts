/**
 * Units that rows and kernels are divided into for the device, panels, blocks, slices and chunks, and the cost of multiplying them.
 *
 * @module
 */
import { PANEL_COLUMNS } from "../gpu/panels.ts";
import { MAX_POSITIONS, type RowLayout, sliceRow } from "./layout.ts";

/** Number of packed rows in a panel, the unit that the kernels work on; a row is a column of its panel. */
export const PANEL_ROWS = PANEL_COLUMNS;

/** Panels on a side of the tile of products of a factored convolution's positions, of which there are at most 16: 16 MiB. */
export const PRODUCT_PANELS = 2 * MAX_POSITIONS;

/** Largest number of rows in a block: a tile of two blocks is then 64 MiB. */
const BLOCK_ROWS = 4096;

/** Largest number of rows and columns in a stored chunk: it is then 4 MiB. */
const CHUNK_ROWS = 1024;

/** Largest sizes of one binding of packed rows. */
export interface BindingLimits {
  readonly bytes: number;
  /** Largest number of elements of a row, over which the kernels' index k runs. */
  readonly lines: number;
  readonly panels: number;
}

/** Rounds a number of rows up to whole panels. */
export function padRows(rows: number): number {
  return Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS;
}

/**
 * Plans the number of rows in a block: as many as the device can bind, in whole panels.
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

/**
 * Plans the length of slices: as many elements of a row as the device can bind of the largest block. It is the same for all rows of a layout,
 * so that any two can be multiplied.
 */
export function planSliceLength(layout: RowLayout, binding: BindingLimits): number {
  const { bytes, lines } = binding;
  return Math.min(lines, Math.floor(bytes / (4 * planBlockRows(layout, binding))));
}

/**
 * Counts the FLOPs of a kernel matrix: `2 N N' K`, or when symmetric those of the panels on and above the diagonal.
 *
 * @param products number of multiplications for a product of two rows, K
 */
export function countFlops(products: number, count: number, others?: number): number {
  if (others !== undefined) return 2 * count * others * products;
  return padRows(count) * (padRows(count) + PANEL_ROWS) * products;
}

/**
 * Plans the rows and columns of a stored chunk of a kernel, which the device computes as one tile.
 *
 * @throws {RangeError} if not even one panel can be bound.
 */
export function planChunkRows(layout: RowLayout, binding: BindingLimits): number {
  return Math.min(planBlockRows(layout, binding), CHUNK_ROWS);
}

/** A pair of blocks by their indices. */
export interface BlockPair {
  readonly row: number;
  readonly column: number;
}

/** Lists pairs of blocks: all of them, or those on and above the diagonal. */
export function pairBlocks(rows: number, columns: number, symmetric: boolean): BlockPair[] {
  const pairs: BlockPair[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = symmetric ? row : 0; column < columns; column++) pairs.push({ row, column });
  }
  return pairs;
}
