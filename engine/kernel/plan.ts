/**
 * How much at a time: pure arithmetic from sizes and limits.
 *
 * @module
 */

import { PANEL_COLUMNS } from "../gpu/panels.ts";

/** Packed rows side by side in memory, the unit that the kernels work on: a row is a column of its panel. */
export const PANEL_ROWS = PANEL_COLUMNS;

/** Rows of one block at most: a tile of two blocks is then 64 MiB. */
const BLOCK_ROWS = 4096;

/** Images of one forward and backward pass at most. */
const BATCH_SAMPLES = 256;

/** A number of rows rounded up to whole panels. */
export function padRows(rows: number): number {
  return Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS;
}

/**
 * Rows of one block: as many as the device can bind, in whole panels.
 *
 * @param rowLength numbers in a packed row
 * @param bindingBytes the largest binding of the device
 * @throws {RangeError} if not even one panel can be bound.
 */
export function planBlockRows(rowLength: number, bindingBytes: number): number {
  const panels = Math.floor(bindingBytes / (4 * PANEL_ROWS * rowLength));
  if (panels < 1) {
    throw new RangeError(
      `Cannot hold packed rows of ${rowLength} numbers: got bindings of at most ${bindingBytes} bytes on this device, ` +
        `need ${4 * PANEL_ROWS * rowLength}`,
    );
  }
  const tileSide = Math.floor(Math.sqrt(bindingBytes / 4) / PANEL_ROWS) * PANEL_ROWS;
  return Math.min(panels * PANEL_ROWS, tileSide, BLOCK_ROWS);
}

/**
 * Images of one forward and backward pass: fewer where a layer's output would not fit a binding. Whole panels, or a panel in equal parts.
 *
 * @param largestOutput numbers in the largest output of a layer for one image
 * @throws {RangeError} if one image does not fit.
 */
export function planBatch(largestOutput: number, bindingBytes: number): number {
  const samples = Math.floor(bindingBytes / (4 * largestOutput));
  if (samples < 1) {
    throw new RangeError(
      `Cannot run the network: got a layer with ${largestOutput} numbers an image, need at most ${
        Math.floor(bindingBytes / 4)
      } on this device`,
    );
  }
  const batch = Math.min(samples, BATCH_SAMPLES);
  return batch >= PANEL_ROWS
    ? Math.floor(batch / PANEL_ROWS) * PANEL_ROWS
    : 2 ** Math.floor(Math.log2(batch));
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
