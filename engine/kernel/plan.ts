/**
 * What a job takes before it runs: pure arithmetic from sizes, limits and a memory budget.
 *
 * @module
 */
import { PANEL_COLUMNS } from "../gpu/panels.ts";
import { measureLongestEntry, type RowLayout, sliceRow } from "./layout.ts";

/** Packed rows side by side in memory, the unit that the kernels work on: a row is a column of its panel. */
export const PANEL_ROWS = PANEL_COLUMNS;

/** Rows of one block at most: a tile of two blocks is then 64 MiB. */
const BLOCK_ROWS = 4096;

/** Rows and columns of a stored chunk at most: it is then 4 MiB. */
const CHUNK_ROWS = 1024;

/** Images of one forward and backward pass at most. */
const BATCH_SAMPLES = 256;

/**
 * What a process holds beside rows and tiles: Deno, TensorFlow.js, compiled kernels, 60,000 images of MNIST and the forward and backward
 * pass of a batch. Measured with LeNet-5 on lavapipe, where the device's memory is the process's: 336 MiB.
 */
export const BASE_BYTES = 384 * 2 ** 20;

/** A number of rows rounded up to whole panels. */
export function padRows(rows: number): number {
  return Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS;
}

/** What one binding of packed rows holds at most. */
export interface BindingLimits {
  readonly bytes: number;
  /** Numbers of a row. */
  readonly lines: number;
}

/** What a plan is made for. */
export interface PlanRequest {
  /** Samples. */
  readonly count: number;
  readonly layout: RowLayout;
  readonly binding: BindingLimits;
  /** Rows of a block, in whole panels. Default: the largest that fit. */
  readonly blockRows?: number;
  /** What the process and the device may hold together, in bytes. Default: no bound. */
  readonly memoryBytes?: number;
  /** What they hold already beside the base, in bytes. Default 0. */
  readonly usedBytes?: number;
}

/** How the rows of a data set are kept and multiplied. */
export interface RowPlan {
  /** Rows of one block, in whole panels; a tile is a pair of blocks. */
  readonly blockRows: number;
  readonly blockCount: number;
  /** Parts of a row, each bound by itself. */
  readonly sliceCount: number;
  /** Whether the rows stay on the device, or in a file from which two slices of blocks at a time are read. */
  readonly residence: "device" | "file";
  /** Bytes of all rows. */
  readonly rowBytes: number;
  /** Bytes of one tile on the device; a tile that is read back takes twice as much on the host. */
  readonly tileBytes: number;
  /** Bytes that the process and the device hold at most. */
  readonly peakBytes: number;
}

/**
 * Chooses the largest blocks that fit, and keeps the rows on the device if any block size lets them.
 *
 * @throws {RangeError} if not even one panel can be bound, or the budget is too small for a panel at a time; the message says what is
 * needed.
 */
export function planRows(
  { count, layout, binding, blockRows, memoryBytes = Infinity, usedBytes = 0 }: PlanRequest,
): RowPlan {
  const largest = Math.min(planBlockRows(layout, binding), padRows(count));
  const sizes = blockRows === undefined ? halve(largest) : [Math.min(blockRows, largest)];
  const slices = sliceRow(layout, planSliceLength(layout, binding));
  const longest = Math.max(...slices.map(({ length }) => length));
  const rowBytes = 4 * layout.length * padRows(count);
  const plans = (["device", "file"] as const).flatMap((residence) =>
    sizes.map((blockRows): RowPlan => {
      const tileBytes = 4 * blockRows * blockRows;
      // a slice on its way from a file stands in the host's memory once more, and once in the queue's
      const heldBytes = residence === "device" ? rowBytes : 4 * 4 * blockRows * longest;
      const peakBytes = BASE_BYTES + usedBytes + heldBytes + 3 * tileBytes;
      const blockCount = Math.ceil(count / blockRows);
      return {
        blockRows,
        blockCount,
        sliceCount: slices.length,
        residence,
        rowBytes,
        tileBytes,
        peakBytes,
      };
    })
  );
  const fitting = plans.find(({ peakBytes }) => peakBytes <= memoryBytes);
  if (fitting) return fitting;
  const least = Math.min(...plans.map(({ peakBytes }) => peakBytes));
  throw new RangeError(
    `Cannot plan ${count} rows of ${layout.length} numbers: got a memory budget of ${
      formatMebibytes(memoryBytes)
    }, need at least ${formatMebibytes(least)}; raise --memory`,
  );
}

/** `1,234 MiB`, rounded up. */
export function formatMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}

/** A number of rows, its half, its quarter and so on in whole panels, down to one. */
function halve(rows: number): number[] {
  const sizes = [rows];
  while (sizes.at(-1)! > PANEL_ROWS) sizes.push(padRows(sizes.at(-1)! / 2));
  return sizes;
}

/**
 * Rows of one block: as many as the device can bind, in whole panels.
 *
 * @throws {RangeError} if not even one panel of the longest entry of a row can be bound.
 */
export function planBlockRows(layout: RowLayout, { bytes, lines }: BindingLimits): number {
  const longest = measureLongestEntry(layout);
  const panels = longest > lines ? 0 : Math.floor(bytes / (4 * PANEL_ROWS * longest));
  if (panels < 1) {
    throw new RangeError(
      `Cannot hold packed rows: got ${longest} numbers that belong together, need at most ${
        Math.min(lines, Math.floor(bytes / (4 * PANEL_ROWS)))
      } on this device; leave that layer out with 'layers', or make it narrower`,
    );
  }
  const tileSide = Math.floor(Math.sqrt(bytes / 4) / PANEL_ROWS) * PANEL_ROWS;
  return Math.min(panels * PANEL_ROWS, tileSide, BLOCK_ROWS);
}

/** Numbers of a row that the device can bind at once in the largest block; the same for all rows of a layout, so that any two multiply. */
export function planSliceLength(layout: RowLayout, binding: BindingLimits): number {
  const { bytes, lines } = binding;
  return Math.min(lines, Math.floor(bytes / (4 * planBlockRows(layout, binding))));
}

/** FLOPs of a kernel matrix: `2 N N' K`; when symmetric those of the panels on and above the diagonal. */
export function countFlops(rowLength: number, count: number, others?: number): number {
  if (others !== undefined) return 2 * count * others * rowLength;
  return padRows(count) * (padRows(count) + PANEL_ROWS) * rowLength;
}

/**
 * Rows and columns of a stored chunk of a kernel: the device computes it as one tile.
 *
 * @throws {RangeError} if not even one panel can be bound.
 */
export function planChunkRows(layout: RowLayout, binding: BindingLimits): number {
  return Math.min(planBlockRows(layout, binding), CHUNK_ROWS);
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
