/**
 * Signed projections `phi(x, y) = s(y)^T dz(x)/dw / sqrt(C)` (equation 3, second line) of whole data sets.
 *
 * @module
 */
import { type Dataset, indexSample } from "../data/dataset.ts";
import { DataError, NonFiniteError } from "../errors.ts";
import { type OnProgress, Pace } from "../gpu/pace.ts";
import type { Network } from "../network/network.ts";
import { SignalSketch } from "../network/signal_sketch.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { checkFit } from "../network/fit.ts";
import { type ConvolutionForm, layOutRow, type Sketch } from "../rows/layout.ts";
import { planJob } from "../rows/job.ts";
import type { Residence } from "../rows/plan.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { drawSeeds, NAMED_SEEDS, Projector, type Seeds } from "../rows/projector.ts";
import { describeValue } from "../options.ts";
import { measureFreeDisk } from "../rows/room.ts";
import { type Projection, Rows } from "../rows/rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";
import { chooseVariant } from "../tuning/gram_variants.ts";
import { drawFilters, planSketch } from "../rows/sketch.ts";
import { measureBinding } from "../rows/variants.ts";

/** How to project. */
export interface ProjectionOptions {
  readonly seeds: Seeds;
  /** Names of the layers whose parameters count: a kernel is the sum of its layers' kernels. Default: all. */
  readonly layers?: readonly string[];
  /** Scales every row by `1 / sqrt(kappa(x, x))`, so that products of rows are cosines. Default: no. */
  readonly normalise?: boolean;
  /** Projects further, at random, onto fewer numbers. Default: rows are exact. */
  readonly sketch?: Sketch;
  /** What the process and the device may hold together, in bytes; rows that do not fit go to a file. Default: no bound. */
  readonly memoryBytes?: number;
  /** What the caller holds of it, in bytes. Default 0. */
  readonly heldBytes?: number;
  /** Samples that are to be projected beside these, and for which room is left. Default 0. */
  readonly others?: number;
  /** Rows of one block, in whole panels of 64. Default: the largest that fit. */
  readonly blockRows?: number;
  /** Where the rows stay. Default: the first place where they fit, the device before a file before being computed anew. */
  readonly residence?: Residence;
  /** How convolutions are kept. Default: whichever takes fewer multiplications, layer by layer. */
  readonly convolutions?: ConvolutionForm;
  readonly onProgress?: OnProgress;
}

/**
 * Projects every sample of a data set: one batched forward and backward pass for each batch, then one launch for each layer; normalised
 * rows take the passes twice, since a row is linear in its seed and its length is known only after the first.
 *
 * @returns packed rows; the caller disposes them
 * @throws {DataError} if images or labels do not fit the network, or a projection to be normalised is zero, `RangeError` if seeds do not
 * fit the data set or cannot be normalised, there is no layer of a name, a sketch has too few numbers or blocks are no whole panels, `BudgetError` if the memory budget
 * is too small, `FileError` if rows go to a file that cannot be written, `NonFiniteError` if a projection overflows; the message names the sample and the
 * layer.
 */
export async function projectRows(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  options: ProjectionOptions,
): Promise<Rows> {
  const { seeds, normalise: isNormalised = false, onProgress } = options;
  const kind = typeof seeds === "string" ? seeds : "custom";
  if (!isNormalised) {
    return await projectSeeds(tensorflow, network, data, options, { kind, isNormalised });
  }
  checkFit(network, data);
  checkSeeds(network, data, seeds);
  if (seeds === "entk") {
    throw new RangeError(
      `Cannot normalise ${data.name}: got the seeds 'entk', which give ${network.classes} rows a sample, ` +
        "need seeds that give one; normalise 'lpntk' or 'pntk', or leave normalise out",
    );
  }
  const pass = (seeds: Seeds, passesBefore: number) =>
    projectSeeds(tensorflow, network, data, {
      ...options,
      seeds,
      onProgress: (done, total) => onProgress?.(passesBefore * total + done, 2 * total),
    }, { kind, isNormalised });
  const similarity = await (async () => {
    using rows = await pass(seeds, 0);
    return await computeSelfSimilarity(rows);
  })();
  return await pass(scaleSeeds(data, seeds, network.classes, similarity), 1);
}

/** Seeds of rows of length 1, given the squared lengths of the rows of `seeds`. */
function scaleSeeds(
  data: Dataset,
  seeds: Seeds,
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
  return drawSeeds(data, seeds, classes, all).map((seed, i) =>
    seed / Math.sqrt(similarity[Math.floor(i / classes)])
  );
}

async function projectSeeds(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  options: ProjectionOptions,
  projection: Projection,
): Promise<Rows> {
  const { seeds, layers, convolutions, sketch, memoryBytes, onProgress } = options;
  const { others = 0, heldBytes = 0 } = options;
  checkFit(network, data);
  const rowsPerSample = seeds === "entk" ? network.classes : undefined;
  const count = data.labels.length * (rowsPerSample ?? 1);
  checkSeeds(network, data, seeds);
  if (options.blockRows !== undefined) checkBlockRows(data, options.blockRows);
  const { gpu } = tensorflow;
  const chosen = network.select(layers);
  const sketched = sketch && planSketch(chosen, sketch, convolutions);
  const layout = sketched?.layout ?? layOutRow(chosen, convolutions);
  const variant = await chooseVariant(gpu, layout);
  const binding = measureBinding(gpu, variant.operands);
  const { pass, rows: plan, longest } = planJob({
    count,
    others: (rowsPerSample ?? 1) * others,
    layers: network.layers,
    layout,
    isSketched: sketched !== undefined,
    binding,
    blockRows: options.blockRows,
    memoryBytes,
    usedBytes: gpu.liveBytes + heldBytes,
    fileBytes: measureFreeDisk(),
    residence: options.residence,
  });
  const { blockRows, residence, heldLength } = plan;
  using stack = new DisposableStack();
  const source = stack.use(
    new Projector(tensorflow, network, data, {
      seeds,
      chosen: sketched?.layers.map(({ shape }) => shape) ?? chosen,
      layout,
      batch: pass.batch,
      longest,
      sketch: sketched && new SignalSketch(drawFilters(sketched), pass.width),
    }),
  );
  const rows = stack.use(
    new Rows(gpu, layout, count, {
      variant,
      blockRows,
      rowsPerSample,
      projection,
      ...residence === "recomputed" ? { recompute: { source, heldLength } } : { residence },
    }),
  );
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
    await computeSelfSimilarity(rows);
  } catch (error) {
    if (!(error instanceof NonFiniteError && error.sample !== undefined)) throw error;
    throw await source.explain(error.sample, rows.slices);
  }
  onProgress?.(count, count);
  stack.move();
  if (residence !== "recomputed") source.dispose();
  return rows;
}

function checkSeeds(network: Network, data: Dataset, seeds: Seeds): void {
  const { classes } = network;
  if (!(seeds instanceof Float32Array || NAMED_SEEDS.includes(seeds))) {
    throw new TypeError(
      `Cannot project ${data.name}: got seeds ${describeValue(seeds)}, need ${
        NAMED_SEEDS.join(", ")
      } or a Float32Array`,
    );
  }
  if (typeof seeds !== "string" && seeds.length !== data.labels.length * classes) {
    throw new RangeError(
      `Cannot project ${data.name}: got ${seeds.length} seeds, need ${data.labels.length} samples x ${classes} classes`,
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
