/**
 * Measurements of adapters, which are remembered in the cache folder, so that the next process need not measure again.
 *
 * @module
 */
import type { z } from "npm:zod@4.6.7";
import type { Gpu } from "../gpu/device.ts";
import { hashShaders, readMemory, remember } from "./memory.ts";

/** A kind of measurement of a device. */
export interface Measurement<T> {
  /** Name of the measurement. */
  readonly name: string;
  /** Sources of the shaders that are timed; results of other sources are not reused. */
  readonly shaders: () => readonly string[];
  /** Schema of a remembered result. */
  readonly schema: z.ZodType<T>;
  measure(gpu: Gpu): Promise<T>;
}

/** Results of this process, by device and measurement. */
const known = new WeakMap<Gpu, Map<unknown, Promise<unknown>>>();

/**
 * Returns the result of a measurement of a device: the one remembered for its adapter, driver, Deno and shaders, or else a new one.
 *
 * @param options.fresh measures again, whatever is remembered
 * @throws {DeviceError} if the device fails.
 */
export function recall<T>(
  gpu: Gpu,
  measurement: Measurement<T>,
  { fresh = false } = {},
): Promise<T> {
  let ofGpu = known.get(gpu);
  if (!ofGpu) known.set(gpu, ofGpu = new Map());
  let value = fresh ? undefined : ofGpu.get(measurement) as Promise<T> | undefined;
  if (!value) {
    ofGpu.set(measurement, value = find(gpu, measurement, fresh));
    // a failure is not remembered
    value.catch(() => ofGpu.delete(measurement));
  }
  return value;
}

/** Clock of a measurement, and how long it has to run. */
export interface Clock {
  /** Least duration of one measurement, in milliseconds. */
  readonly leastMs: number;
  /** Returns the milliseconds since some fixed moment. */
  read(): number;
}

/** Makes a clock of wall time. */
export function clockOf(leastMs: number): Clock {
  return { leastMs, read: () => performance.now() };
}

/**
 * Measures the milliseconds of one repetition, the mean of so many that the clock's least duration has passed, beside which the wait for the
 * device, some 12 ms, hardly counts.
 *
 * @param submit submits `count` repetitions to the device
 * @throws {DeviceError} if the device fails.
 */
export async function timeRepetitions(
  gpu: Gpu,
  clock: Clock,
  submit: (count: number) => void,
): Promise<number> {
  const measure = async (count: number) => {
    const start = clock.read();
    submit(count);
    await gpu.finish();
    return clock.read() - start;
  };
  // lavapipe compiles a pipeline again for textures of another size, for half a second
  await measure(1);
  for (let count = 1;; count *= 2) {
    const milliseconds = await measure(count);
    if (milliseconds > clock.leastMs) return milliseconds / count;
  }
}

async function find<T>(gpu: Gpu, measurement: Measurement<T>, fresh: boolean): Promise<T> {
  const key = await describe(gpu, measurement);
  const remembered = fresh ? undefined : measurement.schema.safeParse((await readMemory())[key]);
  if (remembered?.success) return remembered.data;
  const value = await measurement.measure(gpu);
  await remember(key, value);
  return value;
}

/** Describes the adapter, features, Deno and shaders that a measurement is valid for; this is its key in the cache folder. */
async function describe(
  { adapter, device }: Gpu,
  { name, shaders }: Measurement<unknown>,
): Promise<string> {
  const features = [...device.features].sort().join(" ");
  const hash = await hashShaders(shaders());
  return `${name}; ${adapter.vendor} ${adapter.name}; ${features}; Deno ${Deno.version.deno}; shaders ${hash}`;
}
