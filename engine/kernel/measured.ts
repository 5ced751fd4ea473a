/**
 * What was measured of adapters, remembered in the cache folder: the next process need not measure again.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { cacheFolder } from "../cache_folder.ts";
import type { Gpu } from "../gpu/device.ts";

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

/**
 * Milliseconds of one repetition: the mean of as many as drown the wait for the device, which takes some 12.
 *
 * @param leastMs time of the whole at least
 * @param submit submits so many repetitions
 * @throws {DeviceError} if the device fails.
 */
export async function timeRepetitions(
  gpu: Gpu,
  leastMs: number,
  submit: (count: number) => void,
): Promise<number> {
  const measure = async (count: number) => {
    const start = performance.now();
    submit(count);
    await gpu.finish();
    return performance.now() - start;
  };
  // lavapipe compiles a pipeline again for textures of another size, for half a second
  await measure(1);
  for (let count = 1;; count *= 2) {
    const milliseconds = await measure(count);
    if (milliseconds > leastMs) return milliseconds / count;
  }
}

async function find<T>(gpu: Gpu, measurement: Measurement<T>, fresh: boolean): Promise<T> {
  const key = await describe(gpu, measurement);
  const remembered = fresh ? undefined : measurement.schema.safeParse((await readMemory())[key]);
  if (remembered?.success) return remembered.data;
  const value = await measurement.measure(gpu);
  await writeMemory({ ...await readMemory(), [key]: value });
  return value;
}

/** What a measurement holds for. */
async function describe(
  { adapter, device }: Gpu,
  { name, shaders }: Measurement<unknown>,
): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(shaders().join()));
  const features = [...device.features].sort().join(" ");
  const hash = new Uint8Array(digest).toHex().slice(0, 12);
  return `${name}; ${adapter.vendor} ${adapter.name}; ${features}; Deno ${Deno.version.deno}; shaders ${hash}`;
}

/** Values by what they hold for; none where the file cannot be read, since they can be had again. */
async function readMemory(): Promise<Record<string, unknown>> {
  try {
    return z.record(z.string(), z.unknown()).parse(
      JSON.parse(await Deno.readTextFile(memoryFile())),
    );
  } catch {
    return {};
  }
}

let failure: string | undefined;

/**
 * Why what was measured of an adapter could not be kept in the cache folder, so that the next process measures again, which takes some
 * seconds; undefined where it was kept, or nothing was measured.
 */
export function findCacheFailure(): string | undefined {
  return failure;
}

/** Writes the file whole; where it cannot be written the next process measures again. */
async function writeMemory(memory: Record<string, unknown>): Promise<void> {
  try {
    await Deno.mkdir(cacheFolder(), { recursive: true });
    const partial = `${memoryFile()}.${crypto.randomUUID().slice(0, 8)}`;
    await Deno.writeTextFile(partial, `${JSON.stringify(memory, null, 2)}\n`);
    await Deno.rename(partial, memoryFile());
    failure = undefined;
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
}

function memoryFile(): string {
  return `${cacheFolder()}/tuning.json`;
}
