/**
 * What was measured of adapters, remembered in the cache folder: the next process need not measure again.
 *
 * @module
 */
import type { z } from "npm:zod@4.6.7";
import type { Gpu } from "../gpu/device.ts";
import { hashShaders, readMemory, remember } from "./memory.ts";

/** One thing that is measured of a device. */
export interface Measurement<T> {
  /** What is measured, in a word. */
  readonly name: string;
  /** The shaders that are timed; another text is measured again. */
  readonly shaders: () => readonly string[];
  readonly schema: z.ZodType<T>;
  measure(gpu: Gpu): Promise<T>;
}

const known = new WeakMap<Gpu, Map<unknown, Promise<unknown>>>();

/**
 * A measurement of a device: the one remembered for its adapter, driver, Deno and shaders, or else a new one.
 *
 * @param fresh measure again whatever is remembered
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

/** What a measurement is taken with. */
export interface Clock {
  /** Milliseconds of one measurement at least. */
  readonly leastMs: number;
  /** Milliseconds since some moment. */
  read(): number;
}

/** The clock of the time that passes. */
export function clockOf(leastMs: number): Clock {
  return { leastMs, read: () => performance.now() };
}

/**
 * Milliseconds of one repetition: the mean of as many as drown the wait for the device, which takes some 12.
 *
 * @param submit submits so many repetitions
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

/** What a measurement holds for. */
async function describe(
  { adapter, device }: Gpu,
  { name, shaders }: Measurement<unknown>,
): Promise<string> {
  const features = [...device.features].sort().join(" ");
  const hash = await hashShaders(shaders());
  return `${name}; ${adapter.vendor} ${adapter.name}; ${features}; Deno ${Deno.version.deno}; shaders ${hash}`;
}
