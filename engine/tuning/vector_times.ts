/**
 * Times of Mesa's CPU driver with the vector width of this process, by which `vectors.ts` chooses the width.
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
import { timeConvolution } from "./operand_storage.ts";
import { LENGTH, measureVariant, planTrialLayout } from "./gram_variants.ts";

/** Number of rows of the Gram tile. */
const ROWS = 512;

/** Number of measurements of each kernel; the least counts, since other work on the machine also disturbs caches. */
const TURNS = 3;

/**
 * Clock of CPU time instead of wall time: each width is measured in processes of its own, so that other work on the machine may disturb one
 * width more than the other.
 */
const CLOCK: Clock = {
  leastMs: 30,
  read: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Measures the vector width that this process computes with, if the adapter is Mesa's CPU driver on a CPU with a choice and too few processes
 * have measured it yet. Times of another driver or other shaders are dropped.
 *
 * @param options.fresh drops all times and measures again
 * @returns times that are known now; undefined where there is no choice
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
  // where times cannot be written, measuring them helps no other process
  const isKnown = (known[width]?.processes ?? 0) >= PROCESSES;
  if (isKnown || findCacheFailure() !== undefined) return known;
  const times = { ...known, [width]: await measureKernels(gpu, known[width]) };
  await remember(memory.key, { measured, times });
  return times;
}

/** Measures both kernels, and returns the least times of this process and of those before it. */
async function measureKernels(gpu: Gpu, before?: KernelTimes): Promise<KernelTimes> {
  // the last of the subgroup variants is the fastest on CPUs
  const variant =
    VARIANTS.findLast((variant) =>
      variant.lanes > 1 && canRun(gpu, variant, planTrialLayout(LENGTH))
    ) ??
      PLAIN_VARIANT;
  const least = {
    gram_tile: before?.gram_tile ?? Infinity,
    convolution: before?.convolution ?? Infinity,
    processes: (before?.processes ?? 0) + 1,
  };
  for (let turn = 0; turn < TURNS; turn++) {
    const [tile, convolution] = [
      await measureVariant(gpu, variant, ROWS, CLOCK),
      await timeConvolution(gpu, gpu.operandStorage, CLOCK),
    ];
    least.gram_tile = Math.min(least.gram_tile, tile);
    least.convolution = Math.min(least.convolution, convolution);
  }
  return least;
}
