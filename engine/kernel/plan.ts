/**
 * How much at a time: pure arithmetic from sizes and limits.
 *
 * @module
 */

/** Packed rows side by side in memory, the unit that the kernels work on. */
export const PANEL_ROWS = 64;

/** Rows of one block at most: a tile of two blocks is then 64 MiB. */
const BLOCK_ROWS = 4096;

/** Rows and columns of a stored chunk at most: it is then 4 MiB. */
const CHUNK_ROWS = 1024;

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
 * Rows and columns of a stored chunk of a kernel with rows of `rowLength` numbers: the device computes it as one tile.
 *
 * @throws {RangeError} if not even one panel can be bound.
 */
export function planChunkRows(rowLength: number, bindingBytes: number): number {
  return Math.min(planBlockRows(rowLength, bindingBytes), CHUNK_ROWS);
}

/**
 * Images of one forward and backward pass: fewer where a layer's output would not fit a binding.
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
  return Math.min(samples, BATCH_SAMPLES);
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
