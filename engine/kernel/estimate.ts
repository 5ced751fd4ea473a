/**
 * Estimate of a job over a network's kernel before it runs: of its memory by the plan, of its time by the adapter's measured rates.
 *
 * @module
 */
import { countShare } from "../share.ts";
import { checkNumber, isCount } from "../options.ts";
import type { Gpu } from "../gpu/device.ts";
import type { DeviceNetwork, ParameterChoice } from "../network/network.ts";
import { countProducts, layOutRow, type RowLayout, type Sketch } from "../rows/layout.ts";
import { measureKernel, type RowPlan } from "../rows/plan.ts";
import { countFlops, pairBlocks } from "../rows/blocks.ts";
import { planWithin } from "../rows/room.ts";
import { planSketch } from "../rows/sketch.ts";
import type { Budget } from "./projection.ts";
import { chooseVariant, tune } from "../tuning/gram_variants.ts";
import { measureBinding } from "../rows/variants.ts";

/** Request for an estimate. */
export interface EstimateRequest {
  /** Number of samples. */
  readonly count: number;
  /** Number of samples on the kernel's other side. Default: the kernel is symmetric. */
  readonly others?: number;
  /** Names of the layers whose parameters are differentiated. Default: all. */
  readonly layers?: readonly string[];
  /**
   * Parameters that are differentiated, of the chosen layers: `all`, or `weights`, those of convolutions and dense layers without norms' and
   * others by themselves. Default `all`.
   */
  readonly parameters?: ParameterChoice;
  /** Number of clusters per sample. Default 0.1. */
  readonly ratio?: number;
  /** Number of groups that are clustered side by side, one step each at a time. Default 1. */
  readonly groups?: number;
  /** Random projections that shorten the rows. Default: none, rows are exact. */
  readonly sketch?: Sketch;
}

/** Estimate of a job. Seconds are the device's work on rows that have been computed; projecting the samples comes before. */
export interface Estimate {
  /** Layout of a row. */
  readonly layout: RowLayout;
  /** Plan of where the rows are kept, and of the memory that this takes. */
  readonly rows: RowPlan;
  /** Name of the Gram kernel's variant. */
  readonly variant: string;
  /** The kernel matrix. */
  readonly gram: {
    /** Number of tiles that are computed. */
    readonly tiles: number;
    /** Number of floating-point operations, two for each multiply-add. */
    readonly flops: number;
    /** Seconds at the measured rate of the variant. */
    readonly seconds: number;
    /** Size of the whole matrix in f32, in bytes. */
    readonly matrixBytes: number;
  };
  /** Farthest-point clustering. */
  readonly clusters: {
    /** Number of clusters. */
    readonly count: number;
    /** Number of times that all rows are read; 0 where the kernel is computed first, which then takes the time. */
    readonly passes: number;
    /** Number of bytes that these passes read. */
    readonly bytes: number;
    /** Seconds at the measured bandwidth of the rows' storage. */
    readonly seconds: number;
    /** Bytes that the process holds beside what the plan of the rows counts: the kernel, where it is computed first. */
    readonly heldBytes: number;
  };
}

/**
 * Estimates a job, without data.
 *
 * @throws {BudgetError} if the budget is too small; the message says what is needed.
 * @throws {RangeError} if a number is out of range, there is no layer of a name, or a sketch's dimension is too small.
 */
export async function estimateJob(
  gpu: Gpu,
  network: DeviceNetwork,
  { count, others, layers: names, parameters, ratio = 0.1, groups = 1, sketch }: EstimateRequest,
  { memoryBytes, heldBytes }: Budget,
): Promise<Estimate> {
  const check = (name: string, value: unknown, fits: (value: number) => boolean, need: string) =>
    checkNumber("estimate a job", name, value, fits, need);
  check("count", count, isCount, "a positive integer");
  if (others !== undefined) check("others", others, isCount, "a positive integer, or none");
  check("ratio", ratio, (share) => share > 0 && share <= 1, "a number above 0 and at most 1");
  check("groups", groups, isCount, "a positive integer");
  const chosen = network.select(names, parameters);
  const layout = sketch ? planSketch(chosen, sketch).layout : layOutRow(chosen);
  const variant = await chooseVariant(gpu, layout);
  const { rates, bandwidths } = await tune(gpu);
  const job = {
    layers: network.layers,
    tensors: network.tensorSizes,
    timelyBatch: network.timelyBatch,
    layout,
    isSketched: sketch !== undefined,
    binding: measureBinding(gpu, variant.operands),
    memoryBytes,
    heldBytes,
  };
  // one side is projected before the other
  planWithin(gpu, { ...job, count, others });
  // both sides of a rectangular kernel are held at once
  const { rows } = planWithin(gpu, { ...job, count: count + (others ?? 0) });
  const blocks = (side: number) => Math.ceil(side / rows.blockRows);
  const flops = countFlops(countProducts(layout), count, others);
  const clusters = Math.max(groups, countShare(ratio, count));
  const passes = rows.stepwise ? Math.ceil(clusters / groups) : 0;
  const bytes = 4 * layout.length * count * passes;
  const seconds = flops / rates[variant.name] / 1e9;
  return {
    layout,
    rows,
    variant: variant.name,
    gram: {
      tiles: pairBlocks(blocks(count), blocks(others ?? count), others === undefined).length,
      flops,
      seconds,
      matrixBytes: 4 * count * (others ?? count),
    },
    clusters: {
      count: clusters,
      passes,
      bytes,
      seconds: rows.stepwise ? bytes / bandwidths[variant.operands]! / 1e9 : seconds,
      heldBytes: rows.stepwise ? 0 : measureKernel(count),
    },
  };
}
