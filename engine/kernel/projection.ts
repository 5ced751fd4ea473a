/**
 * Signed projections `phi(x, y) = s(y)^T dz(x)/dw / sqrt(C)` (equation 3, second line) of whole data sets.
 *
 * @module
 */
import { type Dataset, indexSample } from "../data/dataset.ts";
import { DataError, NonFiniteError } from "../errors.ts";
import { OutOfMemoryError } from "../gpu/allocation.ts";
import { type OnProgress, Pace } from "../gpu/pace.ts";
import { LAUNCH_MS } from "../gpu/rates.ts";
import type { Gpu } from "../gpu/device.ts";
import type { DeviceNetwork, ParameterChoice } from "../network/network.ts";
import { FactorSketch } from "../network/factor_sketch.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { checkFit } from "../network/fit.ts";
import { type ConvolutionForm, layOutRow, type Sketch } from "../rows/layout.ts";
import type { JobPlan } from "../rows/job.ts";
import type { Residence } from "../rows/plan.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { type Cotangents, fillCotangents, Projector } from "../rows/projector.ts";
import { describeValue } from "../options.ts";
import { type PlannedJob, planWithin } from "../rows/room.ts";
import { PackedRows, type Projection, type RowsBudget } from "../rows/rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";
import { chooseVariant } from "../tuning/gram_variants.ts";
import { drawFilters, planSketch } from "../rows/sketch.ts";
import { measureBinding } from "../rows/variants.ts";

/** Options of a projection. */
export interface ProjectionOptions {
  readonly cotangents: Cotangents;
  /** Names of the layers whose parameters are differentiated: a kernel is the sum of its layers' kernels. Default: all. */
  readonly layers?: readonly string[];
  /**
   * Parameters that are differentiated, of the chosen layers: `all`, or `weights`, those of convolutions and dense layers without norms' and
   * others by themselves. Default `all`.
   */
  readonly parameters?: ParameterChoice;
  /** Whether every row is scaled by `1 / sqrt(kappa(x, x))`, so that products of rows are cosines. Default false. */
  readonly normalise?: boolean;
  /** Projects further, at random, onto fewer numbers. Default: rows are exact. */
  readonly sketch?: Sketch;
  /** What the process may hold, in bytes, together with a device that shares its memory; rows that do not fit go to a file. Default: no bound. */
  readonly memoryBytes?: number;
  /** What the caller holds of it, in bytes. Default 0. */
  readonly heldBytes?: number;
  /** Number of samples that are projected beside these, for whose rows memory is left. Default 0. */
  readonly others?: number;
  /** Number of rows in a block, a multiple of 64. Default: the largest that fits. */
  readonly blockRows?: number;
  /** Place where the rows are kept. Default: the first that the budget allows of the device, a file and nowhere, recomputed. */
  readonly residence?: Residence;
  /** Form in which rows hold convolutions. Default: for each layer the form that takes fewer multiplications. */
  readonly convolutions?: ConvolutionForm;
  readonly onProgress?: OnProgress;
}

/** Memory budget of a job. */
export type Budget = Pick<ProjectionOptions, "memoryBytes" | "heldBytes">;

/**
 * Projects every sample of a data set: one batched forward and backward pass for each batch, then one launch for each layer; normalised
 * rows take the passes twice, since a row is linear in its cotangent and its length is known only after the first.
 *
 * @returns packed rows; the caller disposes them
 * @throws {DataError} if images or labels do not fit the network, or a projection to be normalised is zero.
 * @throws {RangeError} if cotangents do not fit the data set or cannot be normalised, there is no layer of a name, a sketch's dimension is too
 * small, or blocks are no whole panels.
 * @throws {BudgetError} if the memory budget is too small.
 * @throws {FileError} if rows go to a file that cannot be written.
 * @throws {NonFiniteError} if a projection is not finite; the message names the sample and the layer.
 */
export async function projectRows(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options: ProjectionOptions,
): Promise<PackedRows> {
  const { cotangents, normalise: isNormalised = false, onProgress } = options;
  const kind = typeof cotangents === "string" ? cotangents : "custom";
  if (!isNormalised) {
    return await projectOnce(tensorflow, network, data, options, { kind, isNormalised });
  }
  checkFit(network, data);
  checkCotangents(network, data, cotangents);
  if (cotangents === "entk") {
    throw new RangeError(
      `Cannot normalise ${data.name}: got the kind 'entk', which gives ${network.classes} rows a sample, ` +
        "need one that gives one row; normalise 'lpntk' or 'pntk', or leave normalise out",
    );
  }
  const pass = (cotangents: Cotangents, passesBefore: number) =>
    projectOnce(tensorflow, network, data, {
      ...options,
      cotangents,
      onProgress: (done, total) => onProgress?.(passesBefore * total + done, 2 * total),
    }, { kind, isNormalised });
  const similarity = await (async () => {
    using rows = await pass(cotangents, 0);
    return await computeSelfSimilarity(rows);
  })();
  return await pass(scaleCotangents(data, cotangents, network.classes, similarity), 1);
}

/** Scales cotangents `[N, C]` so that their rows have length 1, by the squared lengths `[N]` of the rows of the unscaled ones. */
function scaleCotangents(
  data: Dataset,
  cotangents: Cotangents,
  classes: number,
  similarity: Float32Array,
): Float32Array {
  const zero = similarity.indexOf(0);
  if (zero >= 0) {
    throw new DataError(
      `Cannot normalise ${data.name}: got a signed projection of zeros for sample ${
        indexSample(data, zero)
      }, need one that has a direction`,
    );
  }
  const all = Int32Array.from(data.labels.keys());
  return fillCotangents(data, cotangents, classes, all).map((value, i) =>
    value / Math.sqrt(similarity[Math.floor(i / classes)])
  );
}

async function projectOnce(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options: ProjectionOptions,
  projection: Projection,
): Promise<PackedRows> {
  const { cotangents, layers, parameters, convolutions, sketch, onProgress } = options;
  checkFit(network, data);
  const rowsPerSample = cotangents === "entk" ? network.classes : undefined;
  const count = data.labels.length * (rowsPerSample ?? 1);
  checkCotangents(network, data, cotangents);
  if (options.blockRows !== undefined) checkBlockRows(data, options.blockRows);
  const { gpu } = tensorflow;
  const { memoryBytes } = options;
  const chosen = network.select(layers, parameters);
  const sketched = sketch && planSketch(chosen, sketch, convolutions);
  const layout = sketched?.layout ?? layOutRow(chosen, convolutions);
  const variant = await chooseVariant(gpu, layout);
  const binding = measureBinding(gpu, variant.operands);
  const job = {
    count,
    others: (rowsPerSample ?? 1) * (options.others ?? 0),
    layers: network.layers,
    tensors: network.tensorSizes,
    timelyBatch: network.timelyBatch,
    layout,
    isSketched: sketched !== undefined,
    binding,
    blockRows: options.blockRows,
    memoryBytes,
    heldBytes: options.heldBytes,
    residence: options.residence,
  };
  const place = ({ pass, rows: plan, longest }: JobPlan) => {
    using stack = new DisposableStack();
    const source = stack.use(
      new Projector(tensorflow, network, data, {
        cotangents,
        layers: chosen,
        layout,
        batch: pass.batch,
        holdsPanel: pass.holdsPanel,
        longest,
        sketch: sketched && new FactorSketch(drawFilters(sketched), {
          width: pass.width,
          flops: LAUNCH_MS * gpu.rates.convolutions / pass.batch,
        }),
      }),
    );
    const { blockRows, residence, heldLength } = plan;
    const isShared = gpu.adapter.isFallback;
    const budget: RowsBudget | undefined = memoryBytes === undefined ? undefined : {
      bytes: memoryBytes,
      usedBytes: isShared ? plan.peakBytes : plan.hostBytes,
      owner: isShared ? "both" : "process",
    };
    const rows = stack.use(
      new PackedRows(gpu, layout, count, {
        variant,
        blockRows,
        rowsPerSample,
        projection,
        budget,
        ...residence === "recomputed" ? { recompute: { source, heldLength } } : { residence },
      }),
    );
    const held = stack.move();
    return { source, rows, [Symbol.dispose]: () => held.dispose() };
  };
  using stack = new DisposableStack();
  const { source, rows } = stack.use(await fitOnDevice(gpu, data.name, job, place));
  const { residence } = rows;
  const pace = new Pace(gpu);
  const commands = gpu.record();
  try {
    if (residence !== "recomputed") {
      for (const block of rows.blocks) {
        for (const staged of source.fill(commands, block, rows.slices)) {
          await rows.write(commands, block, staged);
          const done = block.firstRow +
            Math.min(block.rowCount, PANEL_ROWS * (staged.first + staged.count));
          if (await pace.step()) onProgress?.(done, count);
        }
      }
    }
    // one not finite anywhere in a row shows here, before it spreads; products of rows are no larger than these
    await computeSelfSimilarity(rows, residence === "recomputed" ? { onProgress } : {});
  } catch (error) {
    if (!(error instanceof NonFiniteError && error.sample !== undefined)) throw error;
    throw await source.explain(error.sample, rows.slices);
  }
  onProgress?.(count, count);
  stack.move();
  if (residence !== "recomputed") source.dispose();
  return rows;
}

/**
 * Allocates what a job takes by the best plan that the device has room for: first smaller tiles, then rows in a file, then rows that are
 * computed anew. Memory that a driver grants and does not have goes unseen.
 *
 * @param place allocates rows and what makes them by a plan
 */
async function fitOnDevice<T extends Disposable>(
  gpu: Gpu,
  name: string,
  job: PlannedJob,
  place: (plan: JobPlan) => T,
): Promise<T> {
  for (;;) {
    const plan = planWithin(gpu, job);
    try {
      return await gpu.allocate(`project ${name}`, () => {
        const placed = place(plan);
        gpu.reserve("passes and tiles", plan.rows.deviceBytes - gpu.liveBytes);
        return placed;
      });
    } catch (error) {
      // a refusal leaves the device with less room than this plan takes, so that the next one is smaller
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
  }
}

function checkCotangents(network: DeviceNetwork, data: Dataset, cotangents: Cotangents): void {
  const { classes } = network;
  if (typeof cotangents !== "string" && cotangents.length !== data.labels.length * classes) {
    throw new RangeError(
      `Cannot project ${data.name}: got ${cotangents.length} cotangents, need ${data.labels.length} samples x ${classes} classes`,
    );
  }
}

function checkBlockRows(data: Dataset, blockRows: number): void {
  const isWhole = Number.isInteger(blockRows) && blockRows % PANEL_ROWS === 0;
  if (!(isWhole && blockRows >= PANEL_ROWS)) {
    throw new RangeError(
      `Cannot project ${data.name}: got tiles of ${
        describeValue(blockRows)
      } rows, need a multiple of ${PANEL_ROWS}`,
    );
  }
}
