/**
 * Plan of where rows are kept, before they are computed: pure arithmetic from sizes, limits and a memory budget.
 *
 * @module
 */
import { BudgetError } from "../errors.ts";
import { formatBudget, formatMebibytes, MEBIBYTE } from "../sizes.ts";
import {
  type BindingLimits,
  padRows,
  PANEL_ROWS,
  planBlockRows,
  planSliceLength,
  PRODUCT_PANELS,
} from "./blocks.ts";
import { type RowLayout, type RowSlice, sliceRow } from "./layout.ts";

/**
 * Memory that a process holds beside rows and tiles: Deno, TensorFlow.js, compiled kernels, 60,000 images of MNIST and the forward and backward
 * pass of a batch. Measured with LeNet-5 on lavapipe, where the device's memory is the process's: 430 to 480 MiB where the driver remembers
 * its shaders, 620 in the first process on a machine, which compiles and times them.
 */
export const BASE_BYTES = 640 * 2 ** 20;

/**
 * What a device with memory of its own holds beside rows and tiles: parameters, lists of pairs, numbers for each sample, the state of
 * clustering. Where memory is shared it is in the base.
 */
export const DEVICE_BASE_BYTES = 128 * 2 ** 20;

/** Request for the plan of rows. */
export interface PlanRequest {
  /** Number of rows. */
  readonly count: number;
  readonly layout: RowLayout;
  readonly binding: BindingLimits;
  /** Number of rows in a block, in whole panels. Default: the largest that fits. */
  readonly blockRows?: number;
  /** What the process and the device may hold together, in bytes. Default: no bound. */
  readonly memoryBytes?: number;
  /** What the process may hold, in bytes. Default: no bound. */
  readonly hostBytes?: number;
  /** What the device may hold, in bytes. Default: no bound. */
  readonly deviceBytes?: number;
  /** What the process holds already beside the base, in bytes. Default 0. */
  readonly heldBytes?: number;
  /** What the device holds already beside the base, in bytes. Default 0. */
  readonly usedBytes?: number;
  /** Room for files, in bytes. Default: no bound. */
  readonly fileBytes?: number;
  /** Where the rows must stay, whatever room there is for files. Default: the first place where they fit. */
  readonly residence?: Residence;
}

/**
 * Place where rows are kept: on the `device`; in a `file`, from which one slice of two blocks is read at a time; or nowhere, so that slices of
 * two blocks, as many as fit, are `recomputed` whenever a tile needs them.
 */
export type Residence = "device" | "file" | "recomputed";

/** Plan of how the rows of a data set are kept and multiplied. */
export interface RowPlan {
  /** Number of rows in a block, in whole panels; a tile is the product of two blocks. */
  readonly blockRows: number;
  /** Number of blocks. */
  readonly blockCount: number;
  /** Number of slices, the parts of a row that are bound one at a time. */
  readonly sliceCount: number;
  /** Place where the rows are kept. */
  readonly residence: Residence;
  /** Whether clustering reads the rows step by step; otherwise their kernel is computed first and held. */
  readonly stepwise: boolean;
  /** Number of elements of a row that are on the device at a time. */
  readonly heldLength: number;
  /** Number of times that a sample goes through the network, on average, for a symmetric kernel. */
  readonly passes: number;
  /** Size of all rows, in bytes. */
  readonly rowBytes: number;
  /** Size of one tile on the device, in bytes; a tile that is read back takes three times as much on the host. */
  readonly tileBytes: number;
  /** Bytes that the process holds at most. */
  readonly hostBytes: number;
  /** Bytes that the device holds at most, where its memory is its own. */
  readonly deviceBytes: number;
  /** Bytes that the process and the device hold at most, where they share memory. */
  readonly peakBytes: number;
}

/**
 * Blocks of fewer rows make tiles that leave most of a card idle: a product of 64 x 64 takes one workgroup, and a tile of 1,024 rows 256 of them,
 * about two for each processor of the largest cards. Rows in a file, of larger tiles, come first: N rows of K numbers in blocks of B are read
 * from it `N / 2B` times, 4 K N^2 / 2B bytes, for N^2 K FLOP: at 1,024 rows 500 FLOP a byte, so that a disk of 2 GB/s feeds 1 TFLOP/s, where one
 * workgroup after another reaches some hundred GFLOP/s.
 */
const LEAST_BLOCK_ROWS = 1024;

/**
 * Chooses where rows stay, the device before a file before nowhere, and the largest blocks that fit, of {@linkcode LEAST_BLOCK_ROWS} before
 * smaller ones unless rows are recomputed; of these blocks those that take the fewest passes.
 *
 * @throws {RangeError} if not even one panel can be bound.
 * @throws {BudgetError} if the budget is too small for a panel at a time; it says what is enough.
 */
export function planRows(request: PlanRequest): RowPlan {
  const { count, layout } = request;
  const bounds = readBounds(request);
  const fitting = listPlans(request).filter((plan) =>
    bounds.every(({ bytes, measure }) => measure(plan) <= bytes)
  );
  const best = fitting[0]?.residence === "recomputed"
    ? fitting.reduce((best, plan) => plan.passes < best.passes ? plan : best)
    : fitting[0];
  if (best) return best;
  const least = planLeast(request);
  const { owner, bytes, measure } = bounds.find(({ bytes, measure }) => measure(least) > bytes)!;
  const needBytes = MEBIBYTE * Math.ceil(measure(least) / MEBIBYTE);
  throw new BudgetError(
    `Cannot plan ${count} rows of ${layout.length} numbers: got a memory budget of ${
      formatBudget(bytes)
    }${owner === "both" ? "" : ` for the ${owner}`}, need at least ${formatMebibytes(needBytes)}`,
    bytes,
    needBytes,
    owner,
  );
}

/** Bound of what a plan may hold somewhere. */
interface Bound {
  readonly owner: BudgetError["owner"];
  readonly bytes: number;
  readonly measure: (plan: RowPlan) => number;
}

function readBounds(
  { memoryBytes = Infinity, hostBytes = Infinity, deviceBytes = Infinity }: PlanRequest,
): Bound[] {
  return [
    { owner: "both", bytes: memoryBytes, measure: (plan) => plan.peakBytes },
    { owner: "process", bytes: hostBytes, measure: (plan) => plan.hostBytes },
    { owner: "device", bytes: deviceBytes, measure: (plan) => plan.deviceBytes },
  ];
}

/**
 * The plan that holds the least, of the process as of the device.
 *
 * @throws {RangeError} if not even one panel can be bound.
 */
export function planLeast(request: PlanRequest): RowPlan {
  return listPlans({ ...request, memoryBytes: 0 })
    .reduce((least, plan) => plan.peakBytes < least.peakBytes ? plan : least);
}

/** Lists the plans for every place where rows may be kept and every size of blocks, in the order that `planRows` prefers. */
function listPlans(request: PlanRequest): RowPlan[] {
  const { count, layout, binding, fileBytes = Infinity } = request;
  const largest = Math.min(planBlockRows(layout, binding), padRows(count));
  const sizes = request.blockRows === undefined
    ? halve(largest)
    : [Math.min(request.blockRows, largest)];
  const slices = sliceRow(layout, planSliceLength(layout, binding));
  const least = Math.min(LEAST_BLOCK_ROWS, sizes[0]);
  const [roomy, tight] = [true, false].map((isRoomy) =>
    sizes.filter((blockRows) => blockRows >= least === isRoomy)
  );
  const plan = (residence: Residence, blockRows: number) =>
    planResidence(request, slices, residence, blockRows);
  const plans = [
    ...[roomy, tight].flatMap((sizes) =>
      KEPT.flatMap((residence) => sizes.map((blockRows) => plan(residence, blockRows)))
    ),
    ...sizes.map((blockRows) => plan("recomputed", blockRows)),
  ];
  return plans.filter(({ residence, rowBytes }) =>
    request.residence === undefined
      ? residence !== "file" || rowBytes <= fileBytes
      : residence === request.residence
  );
}

/** Places where rows are kept, the best first. */
const KEPT: readonly Residence[] = ["device", "file"];

function planResidence(
  { count, layout, memoryBytes = Infinity, deviceBytes = Infinity, ...used }: PlanRequest,
  slices: readonly RowSlice[],
  residence: Residence,
  blockRows: number,
): RowPlan {
  const rowBytes = 4 * layout.length * padRows(count);
  const tileBytes = 4 * blockRows * blockRows;
  const productBytes = slices.some(({ positions }) => positions > 1)
    ? 4 * (PRODUCT_PANELS * PANEL_ROWS) ** 2
    : 0;
  const { heldBytes = 0, usedBytes = 0 } = used;
  const host = BASE_BYTES + heldBytes + 3 * tileBytes;
  const device = DEVICE_BASE_BYTES + usedBytes + tileBytes + productBytes;
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
  const measure = (deviceBytes: number, hostBytes = host) => ({
    hostBytes,
    deviceBytes,
    // the base is the device's, too
    peakBytes: hostBytes + deviceBytes - DEVICE_BASE_BYTES,
  });
  if (residence === "device") {
    return { ...plan, heldLength: layout.length, passes: 1, ...measure(device + rowBytes) };
  }
  // two blocks have room at once
  const measureHeld = (groups: readonly RowSlice[][]) =>
    2 * 4 * blockRows * shapeSlot(groups).reduce((sum, shape) => sum + measureShape(shape), 0);
  const longest = findLongest(slices);
  if (residence === "file") {
    // a slice on its way from a file stands in the host's memory once more, and once in the queue's
    const sizes = measure(
      device + measureHeld(groupSlices(slices, 0)),
      host + 2 * 4 * blockRows * longest,
    );
    return { ...plan, heldLength: longest, passes: 1, ...sizes };
  }
  const beside = memoryBytes - measure(device).peakBytes;
  // clustering holds the kernel, for which room is left where it takes less than half of it
  const kernelBytes = measureKernel(count);
  const shared = kernelBytes < beside / 2 ? beside - kernelBytes : beside;
  const room = Math.min(shared, deviceBytes - device);
  let heldLength = Math.min(layout.length, Math.floor(room / (2 * 4 * blockRows)));
  let groups = groupSlices(slices, heldLength);
  while (measureHeld(groups) > room && heldLength > 0) {
    heldLength = Math.floor(heldLength * 0.9);
    groups = groupSlices(slices, heldLength);
  }
  // a block that is held whole serves a whole row of tiles; all blocks are filled once more for the self-similarities
  const fills = groups.length === 1
    ? blockCount * (blockCount + 1) / 2
    : groups.length * blockCount * blockCount;
  const passes = groups.length + fills * blockRows / count;
  return { ...plan, heldLength, passes, ...measure(device + measureHeld(groups)) };
}

/** Returns whether clustering can read rows step by step: they are kept somewhere, and each is a single row for the kernels. */
export function isStepwise(residence: Residence, slices: readonly RowSlice[]): boolean {
  return residence !== "recomputed" && slices.every(({ positions }) => positions === 1);
}

/** Size of the kernel of `count` rows, f32, in bytes: what clustering holds where it cannot read rows step by step. */
export function measureKernel(count: number): number {
  return 4 * count * count;
}

/** Shape of the memory for a slice. */
interface SliceShape {
  readonly positions: number;
  readonly lines: number;
}

/** Counts the elements of a row that a shape holds. */
function measureShape({ positions, lines }: SliceShape): number {
  return positions * lines;
}

/** Computes the shapes of a slot that can hold any of the groups: the i-th slice of p positions in a group takes the i-th shape of p positions. */
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

/** Counts the elements of the longest slice of a row. */
export function measureLongestSlice(layout: RowLayout, binding: BindingLimits): number {
  return findLongest(sliceRow(layout, planSliceLength(layout, binding)));
}

function findLongest(slices: readonly RowSlice[]): number {
  return Math.max(...slices.map(({ length }) => length));
}

/** Groups neighbouring slices of at most `heldLength` elements together; a longer slice is a group of its own. */
export function groupSlices<T extends RowSlice>(slices: readonly T[], heldLength: number): T[][] {
  const groups: T[][] = [];
  for (const slice of slices) {
    const last = groups.at(-1);
    if (last && slice.offset + slice.length - last[0].offset <= heldLength) last.push(slice);
    else groups.push([slice]);
  }
  return groups;
}

/** Lists a number of rows, its half, its quarter and so on in whole panels, down to one panel. */
function halve(rows: number): number[] {
  const sizes = [rows];
  while (sizes.at(-1)! > PANEL_ROWS) sizes.push(padRows(sizes.at(-1)! / 2));
  return sizes;
}
