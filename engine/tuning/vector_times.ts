/**
 * How fast Mesa's CPU driver is with the width of vectors that it has in this process, for `vectors.ts` to choose by.
 *
 * @module
 */
import process from "node:process";
import type { Gpu } from "../gpu/device.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { findCacheFailure, hashShaders, remember } from "./memory.ts";
import { splitAdapterName } from "../gpu/drivers.ts";
import { type KernelTimes, PROCESSES, recallVectors, type VectorTimes } from "./vectors.ts";
import { canRun, PLAIN_VARIANT, VARIANTS } from "../rows/variants.ts";
import type { Clock } from "./measurement.ts";
import { measureConvolution } from "./operand_storage.ts";
import { layOut, LENGTH, measureVariant } from "./gram_variants.ts";

/** Rows of the Gram tile. */
const ROWS = 512;

/** Measurements of each kernel. */
const TURNS = 3;

/**
 * CPU time rather than time that passes: the widths are measured in processes of their own, which other work on the machine disturbs at its
 * will. The least of some measurements, for what it does to caches.
 */
const CLOCK: Clock = {
  leastMs: 30,
  read: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Times the width of vectors that this process computes with, if that is Mesa's CPU driver on a CPU with a choice and too few processes
 * have yet. The other width's times are forgotten if they are another driver's.
 *
 * @param fresh measure again, and forget both
 * @returns what is known then; undefined where there is no choice
 * @throws {DeviceError} if the device fails.
 */
export async function learnVectors(
  gpu: Gpu,
  { fresh = false } = {},
): Promise<VectorTimes | undefined> {
  const { identity, width } = splitAdapterName(gpu.adapter.name);
  if (width === undefined) return undefined;
  const memory = await recallVectors().catch(() => undefined);
  if (!memory) return undefined;
  const shaders = [kernels.gram_tile_subgroup, kernels.convolution].map(({ source }) => source);
  const measured = `${identity}; shaders ${await hashShaders(shaders)}`;
  const known = memory.measured === measured && !fresh ? memory.times : {};
  // what cannot be kept helps no other process
  const isKnown = (known[width]?.processes ?? 0) >= PROCESSES;
  if (isKnown || findCacheFailure() !== undefined) return known;
  const times = { ...known, [width]: await measureKernels(gpu, known[width]) };
  await remember(memory.key, { measured, times });
  return times;
}

/** The least times of this process and of those before it. */
async function measureKernels(gpu: Gpu, before?: KernelTimes): Promise<KernelTimes> {
  // the last is the fastest on CPUs
  const variant =
    VARIANTS.findLast((variant) => variant.lanes > 1 && canRun(gpu, variant, layOut(LENGTH))) ??
      PLAIN_VARIANT;
  const least = {
    gram_tile: before?.gram_tile ?? Infinity,
    convolution: before?.convolution ?? Infinity,
    processes: (before?.processes ?? 0) + 1,
  };
  for (let turn = 0; turn < TURNS; turn++) {
    const [tile, convolution] = [
      await measureVariant(gpu, variant, ROWS, CLOCK),
      await measureConvolution(gpu, gpu.operandStorage, CLOCK),
    ];
    least.gram_tile = Math.min(least.gram_tile, tile);
    least.convolution = Math.min(least.convolution, convolution);
  }
  return least;
}
