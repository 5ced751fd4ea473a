/**
 * What a job takes before it runs: pure arithmetic from sizes, limits and a memory budget.
 *
 * @module
 */
import { BudgetError } from "../errors.ts";
import { PANEL_COLUMNS } from "../gpu/panels.ts";
import { MAX_POSITIONS, type RowLayout, type RowSlice, sliceRow } from "./layout.ts";

/** Packed rows side by side in memory, the unit that the kernels work on: a row is a column of its panel. */
export const PANEL_ROWS = PANEL_COLUMNS;

/** Panels on a side of the tile of a factored convolution's positions, of which there are at most 16: 16 MiB. */
export const PRODUCT_PANELS = 2 * MAX_POSITIONS;

/** Rows of one block at most: a tile of two blocks is then 64 MiB. */
const BLOCK_ROWS = 4096;

/** Rows and columns of a stored chunk at most: it is then 4 MiB. */
const CHUNK_ROWS = 1024;

/**
 * What a process holds beside rows and tiles: Deno, TensorFlow.js, compiled kernels, 60,000 images of MNIST and the forward and backward
 * pass of a batch. Measured with LeNet-5 on lavapipe, where the device's memory is the process's: 430 to 480 MiB where the driver remembers
 * its shaders, 620 in the first process on a machine, which compiles and times them.
 */
export const BASE_BYTES = 640 * 2 ** 20;

/** A number of rows rounded up to whole panels. */
export function padRows(rows: number): number {
  return Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS;
}

/** What one binding of packed rows holds at most. */
export interface BindingLimits {
  readonly bytes: number;
  /** Numbers of a row. */
  readonly lines: number;
  readonly panels: number;
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
  /** Room for files, in bytes. Default: no bound. */
  readonly fileBytes?: number;
  /** Where the rows must stay, whatever room there is for files. Default: the first place where they fit. */
  readonly residence?: Residence;
}

/**
 * Where rows stay: on the device, or in a file from which a slice of two blocks at a time is read, or nowhere: the slices of two blocks are
 * then computed anew, as many as fit, whenever a tile needs them.
 */
export type Residence = "device" | "file" | "recomputed";

/** How the rows of a data set are kept and multiplied. */
export interface RowPlan {
  /** Rows of one block, in whole panels; a tile is a pair of blocks. */
  readonly blockRows: number;
  readonly blockCount: number;
  /** Parts of a row, each bound by itself. */
  readonly sliceCount: number;
  readonly residence: Residence;
  /** Whether clustering reads the rows step by step; otherwise their kernel is computed first and held. */
  readonly stepwise: boolean;
  /** Numbers of a row that stand on the device together. */
  readonly heldLength: number;
  /** Times that a sample goes through the network, on average, for a symmetric kernel. */
  readonly passes: number;
  /** Bytes of all rows. */
  readonly rowBytes: number;
  /** Bytes of one tile on the device; a tile that is read back takes three times as much on the host. */
  readonly tileBytes: number;
  /** Bytes that the process and the device hold at most. */
  readonly peakBytes: number;
}

/**
 * Chooses where rows stay, the device before a file before nowhere, and the largest blocks that fit; where rows are recomputed, those that
 * take the fewest passes.
 *
 * @throws {RangeError} if not even one panel can be bound.
 * @throws {BudgetError} if the budget is too small for a panel at a time; it says what is enough.
 */
export function planRows(request: PlanRequest): RowPlan {
  const { count, layout, memoryBytes = Infinity } = request;
  const fitting = listPlans(request).filter(({ peakBytes }) => peakBytes <= memoryBytes);
  const best = fitting[0]?.residence === "recomputed"
    ? fitting.reduce((best, plan) => plan.passes < best.passes ? plan : best)
    : fitting[0];
  if (best) return best;
  const needBytes = MEBIBYTE * Math.ceil(measureLeast(request) / MEBIBYTE);
  throw new BudgetError(
    `Cannot plan ${count} rows of ${layout.length} numbers: got a memory budget of ${
      formatBudget(memoryBytes)
    }, need at least ${formatMebibytes(needBytes)}`,
    memoryBytes,
    needBytes,
  );
}

/**
 * Bytes of the least budget that `planRows` can plan with.
 *
 * @throws {RangeError} if not even one panel can be bound.
 */
export function measureLeast(request: PlanRequest): number {
  return Math.min(...listPlans({ ...request, memoryBytes: 0 }).map(({ peakBytes }) => peakBytes));
}

/** Plans for the places where rows may stay, the best place and the largest blocks first. */
function listPlans(request: PlanRequest): RowPlan[] {
  const { count, layout, binding, fileBytes = Infinity } = request;
  const largest = Math.min(planBlockRows(layout, binding), padRows(count));
  const sizes = request.blockRows === undefined
    ? halve(largest)
    : [Math.min(request.blockRows, largest)];
  const slices = sliceRow(layout, planSliceLength(layout, binding));
  const plans = RESIDENCES.flatMap((residence) =>
    sizes.map((blockRows) => planResidence(request, slices, residence, blockRows))
  );
  return plans.filter(({ residence, rowBytes }) =>
    request.residence === undefined
      ? residence !== "file" || rowBytes <= fileBytes
      : residence === request.residence
  );
}

const RESIDENCES: readonly Residence[] = ["device", "file", "recomputed"];

function planResidence(
  { count, layout, memoryBytes = Infinity, usedBytes = 0 }: PlanRequest,
  slices: readonly RowSlice[],
  residence: Residence,
  blockRows: number,
): RowPlan {
  const rowBytes = 4 * layout.length * padRows(count);
  const tileBytes = 4 * blockRows * blockRows;
  const productBytes = slices.some(({ positions }) => positions > 1)
    ? 4 * (PRODUCT_PANELS * PANEL_ROWS) ** 2
    : 0;
  const fixedBytes = BASE_BYTES + usedBytes + 4 * tileBytes + productBytes;
  const blockCount = Math.ceil(count / blockRows);
  const plan = {
    blockRows,
    blockCount,
    sliceCount: slices.length,
    residence,
    stepwise: isStepwise(residence, slices),
    rowBytes,
    tileBytes,
  };
  if (residence === "device") {
    const peakBytes = fixedBytes + rowBytes;
    return { ...plan, heldLength: layout.length, passes: 1, peakBytes };
  }
  // two blocks have room at once
  const measureHeld = (groups: readonly RowSlice[][]) =>
    2 * 4 * blockRows * shapeSlot(groups).reduce((sum, shape) => sum + measureShape(shape), 0);
  const longest = findLongest(slices);
  if (residence === "file") {
    // a slice on its way from a file stands in the host's memory once more, and once in the queue's
    const peakBytes = fixedBytes + measureHeld(groupSlices(slices, 0)) +
      2 * 4 * blockRows * longest;
    return { ...plan, heldLength: longest, passes: 1, peakBytes };
  }
  const room = memoryBytes - fixedBytes;
  let heldLength = Math.min(layout.length, Math.floor(room / (2 * 4 * blockRows)));
  let groups = groupSlices(slices, heldLength);
  while (measureHeld(groups) > room && heldLength > 0) {
    heldLength = Math.floor(heldLength * 0.9);
    groups = groupSlices(slices, heldLength);
  }
  // a block that is held whole serves a line of tiles; once more all are needed for the self-similarities
  const fills = groups.length === 1
    ? blockCount * (blockCount + 1) / 2
    : groups.length * blockCount * blockCount;
  const passes = groups.length + fills * blockRows / count;
  return { ...plan, heldLength, passes, peakBytes: fixedBytes + measureHeld(groups) };
}

/** Whether a step of clustering can read rows as they stand: they are somewhere, and each is one row for the kernels. */
export function isStepwise(residence: Residence, slices: readonly RowSlice[]): boolean {
  return residence !== "recomputed" && slices.every(({ positions }) => positions === 1);
}

/** Room for a slice. */
interface SliceShape {
  readonly positions: number;
  readonly lines: number;
}

/** Numbers of a row for which a shape has room. */
function measureShape({ positions, lines }: SliceShape): number {
  return positions * lines;
}

/** Room for each group of slices in turn: the i-th slice of so many positions finds the i-th place of that kind. */
export function shapeSlot(groups: readonly (readonly RowSlice[])[]): SliceShape[] {
  const kinds = [...new Set(groups.flat().map(({ positions }) => positions))];
  return kinds.flatMap((positions) => {
    const ofKind = groups.map((group) => group.filter((slice) => slice.positions === positions));
    const most = Math.max(...ofKind.map(({ length }) => length));
    return Array.from({ length: most }, (_, i) => ({
      positions,
      lines: Math.max(...ofKind.map((group) => group[i]?.lines ?? 0)),
    }));
  });
}

/** Numbers of the longest slice of a row. */
export function measureLongestSlice(layout: RowLayout, binding: BindingLimits): number {
  return findLongest(sliceRow(layout, planSliceLength(layout, binding)));
}

function findLongest(slices: readonly RowSlice[]): number {
  return Math.max(...slices.map(({ length }) => length));
}

/** Neighbouring slices of at most `heldLength` numbers together; one that is longer stands alone. */
export function groupSlices<T extends RowSlice>(slices: readonly T[], heldLength: number): T[][] {
  const groups: T[][] = [];
  for (const slice of slices) {
    const last = groups.at(-1);
    if (last && slice.offset + slice.length - last[0].offset <= heldLength) last.push(slice);
    else groups.push([slice]);
  }
  return groups;
}

const MEBIBYTE = 2 ** 20;

/** `1,234 MiB`, rounded up. */
export function formatMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MEBIBYTE).toLocaleString("en")} MiB`;
}

/** A size as it was given, in the largest unit that it is a whole number of: `4 GiB`, `1 KiB`, `1,001 bytes`. */
function formatBudget(bytes: number): string {
  const units = ["GiB", "MiB", "KiB"];
  const at = units.findIndex((_, i) => bytes > 0 && bytes % 2 ** (30 - 10 * i) === 0);
  const [size, unit] = at < 0 ? [1, "bytes"] : [2 ** (30 - 10 * at), units[at]];
  return `${(bytes / size).toLocaleString("en")} ${unit}`;
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
