/**
 * Plan of a job's rows and of the passes that compute them, before it runs: pure arithmetic, like `plan.ts`.
 *
 * @module
 */
import { BudgetError } from "../errors.ts";
import { countElements } from "../formats/shape.ts";
import type { LayerShape } from "../network/network.ts";
import type { TensorSizes } from "../operations/tensorflow.ts";
import {
  BASE_BYTES,
  DEVICE_BASE_BYTES,
  measureKernel,
  measureLongestSlice,
  planLeast,
  type PlanRequest,
  planRows,
  type RowPlan,
} from "./plan.ts";
import { type BindingLimits, PANEL_ROWS } from "./blocks.ts";

/** Largest number of images in one forward and backward pass. */
const BATCH_SAMPLES = 256;

/** Number of tensors that a pass holds of the size of a layer's output: its input and delta, and what TensorFlow.js keeps and recycles. */
const PASS_COPIES = 4;

/**
 * Number of tensors that a pass holds of the size of an operation's result where that is no layer's output: the result, its gradient, and what
 * TensorFlow.js computes on the way there. Measured 3.02 on attention, which takes most, and 2 on batch norms.
 */
const OTHER_COPIES = 3.25;

/** Number of tensors that a pass then holds of the size of a layer's output: itself and its gradient. */
const LAYER_COPIES = 2;

/**
 * Size of the texture copies of a launch's operands, in outputs of the largest layer: of an input and an output gradient, each up to four times
 * (`gpu/operand_copies.ts`). Copies of filters are no larger than parameters, and stand with these in the base.
 */
const OPERAND_COPIES = 2 * 4;

/** Request for the plan of a pass. */
export interface PassRequest {
  /** All layers of the network. */
  readonly layers:
    readonly (Pick<LayerShape, "outputShape"> & Partial<Pick<LayerShape, "places">>)[];
  /** Sizes of what all operations give for one image. Default: there are none but layers. */
  readonly tensors?: TensorSizes;
  /** Number of elements in the longest slice of a row. */
  readonly longest: number;
  /** Whether the pass also holds results of random filters. Default false. */
  readonly isSketched?: boolean;
  /** Whether launches read their operands from texture copies. Default false. */
  readonly isCopied?: boolean;
  readonly binding: BindingLimits;
  /** What the device may hold, in bytes, be it together with the process. Default: no bound. */
  readonly memoryBytes?: number;
  /** Images that take a launch no longer than it should. Default: no bound. */
  readonly timelyBatch?: number;
  /** Images at most. Default 256. */
  readonly most?: number;
  /** Whether the factors of passes that are smaller than a panel may be held until it is full. Default false. */
  readonly mayHold?: boolean;
  /** Number of rows that the fullest panel has. Default 64. */
  readonly panelRows?: number;
}

/** Plan of a forward and backward pass, and of the panels that its rows are staged in. */
export interface PassPlan {
  /** Largest number of images: whole panels, or a panel in equal parts. */
  readonly batch: number;
  /** Whether the factors of smaller passes are held until a panel is full: there is room for them in a quarter of the budget. */
  readonly holdsPanel: boolean;
  /** Largest size of what the device holds, in bytes. */
  readonly bytes: number;
  /** Number of elements per image of the largest output of a layer, which a sketch is made of. */
  readonly width: number;
}

/**
 * Images of one forward and backward pass: fewer where a layer's output or an operation's result would not fit a binding, or all of them a quarter of the budget, or
 * a layer takes too long, but one at least.
 *
 * @throws {RangeError} if one image does not fit a binding.
 */
export function planPass(
  { layers, tensors, longest, isSketched = false, isCopied = false, binding, ...bounds }:
    PassRequest,
): PassPlan {
  const { memoryBytes = Infinity, timelyBatch = Infinity, most = BATCH_SAMPLES } = bounds;
  const { mayHold = false, panelRows = PANEL_ROWS } = bounds;
  const outputs = layers.map(({ outputShape }) => countElements(outputShape));
  const width = Math.max(...outputs);
  const total = outputs.reduce((sum, output, i) => sum + output * (layers[i].places ?? 1), 0);
  const others = (tensors?.total ?? total) - total;
  const held = Math.max(PASS_COPIES * total, LAYER_COPIES * total + OTHER_COPIES * others);
  const sketched = isSketched ? PASS_COPIES * width : 0;
  const copied = isCopied ? OPERAND_COPIES * width : 0;
  const imageBytes = 4 * (held + sketched + copied);
  const largest = Math.max(width, tensors?.largest ?? 0);
  const bindable = Math.floor(binding.bytes / (4 * largest));
  if (bindable < 1) {
    throw new RangeError(
      `Cannot run the network: got a tensor with ${largest} numbers an image, need at most ${
        Math.floor(binding.bytes / 4)
      } on this device`,
    );
  }
  const affordable = Math.max(1, Math.floor(memoryBytes / 4 / imageBytes));
  const images = Math.min(bindable, affordable, timelyBatch, most);
  const largestBatch = images >= PANEL_ROWS
    ? Math.floor(images / PANEL_ROWS) * PANEL_ROWS
    : 2 ** Math.floor(Math.log2(images));
  // a layer's input and its output gradient, of the panel's images before
  const measure = (batch: number) =>
    batch * imageBytes + 4 * LAYER_COPIES * total * Math.max(0, panelRows - batch);
  // holding the factors is worth smaller passes, since each is then computed once
  const smaller = Array.from({ length: Math.log2(PANEL_ROWS) }, (_, i) => largestBatch / 2 ** i);
  const holding = mayHold && largestBatch < PANEL_ROWS
    ? smaller.find((batch) => batch >= 1 && measure(batch) <= memoryBytes / 4)
    : undefined;
  const batch = holding ?? largestBatch;
  const holdsPanel = holding !== undefined;
  const bytes = (holdsPanel ? measure(batch) : batch * imageBytes) +
    4 * Math.max(batch, PANEL_ROWS) * longest;
  return { batch, holdsPanel, bytes, width };
}

/** Request for the plan of a job: its rows, and the passes that compute them. */
export interface JobRequest extends PlanRequest {
  /** All layers of the network. */
  readonly layers: PassRequest["layers"];
  /** Sizes of what all operations give for one image. Default: there are none but layers. */
  readonly tensors?: TensorSizes;
  /** Images of one pass that take a launch no longer than it should. Default: no bound. */
  readonly timelyBatch?: number;
  /** Whether its rows are sketched. */
  readonly isSketched: boolean;
  /** Whether passes read their operands from texture copies. Default false. */
  readonly isCopied?: boolean;
  /** Rows of as many numbers that are to stand beside these, and for which room is left. Default 0. */
  readonly others?: number;
}

/** Rows and the passes that make them. */
export interface JobPlan {
  readonly pass: PassPlan;
  readonly rows: RowPlan;
  /** Numbers of the longest slice of a row. */
  readonly longest: number;
}

/**
 * Plans rows and the passes that make them: as large passes as have room beside the rows, and beside the kernel where clustering holds it, so
 * that whatever a budget has room for, a larger one has too.
 *
 * @throws {RangeError} if the device cannot bind a panel or an image.
 * @throws {BudgetError} if the budget is too small for a panel and an image at a time; it says what is enough.
 */
export function planJob(
  { layers, tensors, isSketched, isCopied, timelyBatch, others = 0, ...request }: JobRequest,
): JobPlan {
  const { layout, binding, memoryBytes = Infinity, deviceBytes = Infinity } = request;
  const longest = measureLongestSlice(layout, binding);
  const bound = Math.min(memoryBytes, deviceBytes);
  const planAtMost = (most?: number) =>
    planPass({
      layers,
      tensors,
      longest,
      isSketched,
      isCopied,
      binding,
      memoryBytes: bound,
      timelyBatch,
      most,
      mayHold: most === undefined && longest < layout.length,
      panelRows: Math.min(PANEL_ROWS, request.count),
    });
  let { heldBytes = 0, usedBytes = 0 } = request;
  if (others > 0) {
    const pass = planAtMost(1).bytes;
    const least = planLeast({ ...request, count: others, heldBytes: 0, usedBytes: pass });
    heldBytes += least.hostBytes - BASE_BYTES;
    usedBytes += least.deviceBytes - DEVICE_BASE_BYTES;
  }
  const kernelBytes = measureKernel(request.count);
  /** The largest passes that have room beside the rows, if smaller ones leave none for the kernel either. */
  let largest: JobPlan | undefined;
  let most: number | undefined;
  for (;;) {
    const pass = planAtMost(most);
    const { batch, holdsPanel } = pass;
    const isLeast = batch === 1 && !holdsPanel;
    most = holdsPanel ? batch : batch - 1;
    try {
      const rows = planRows({ ...request, heldBytes, usedBytes: usedBytes + pass.bytes });
      const plan = { pass, rows, longest };
      // clustering holds the kernel of rows that it cannot read step by step
      if (rows.stepwise || rows.peakBytes + kernelBytes <= memoryBytes) return plan;
      largest ??= plan;
      if (isLeast) return largest;
    } catch (error) {
      if (!(error instanceof BudgetError) || isLeast) throw error;
    }
  }
}
