/**
 * Opens devices as they were measured to be fastest: what drivers read in the environment is set before the first adapter is asked for.
 *
 * @module
 */
import { cacheFolder } from "../cache_folder.ts";
import { Gpu } from "../gpu/device.ts";
import { quietLoader } from "../gpu/drivers.ts";
import { chooseOperandStorage } from "./operand_storage.ts";
import { learnVectors } from "./vector_times.ts";
import { chooseVectorWidth, readSystemFile, recallVectors } from "./vectors.ts";

/** Bits of the vectors that Mesa's CPU driver computes with; by itself it takes 256 at most. */
const VECTOR_WIDTH = "LP_NATIVE_VECTOR_WIDTH";
const SHADER_CACHE = "MESA_SHADER_CACHE_DIR";

/** Mesa's CPU driver, as it is mapped into a process that has asked for an adapter. */
const DRIVER = "libvulkan_lvp";

/**
 * Opens a device that reads operands where its adapter was measured to read them fastest; the first time for an adapter, which measures, takes
 * some seconds.
 *
 * @throws {NoAdapterError} if there is no adapter, `DeviceError` if the device fails.
 */
export async function openTunedGpu(): Promise<Gpu> {
  const gpu = await openGpu();
  try {
    await chooseOperandStorage(gpu);
    await learnVectors(gpu);
    return gpu;
  } catch (error) {
    gpu.dispose();
    throw error;
  }
}

/**
 * Opens a device behind drivers that are prepared, and measures nothing.
 *
 * @throws {NoAdapterError} if there is no adapter.
 */
export function openGpu(): Promise<Gpu> {
  return Gpu.open(prepareDrivers);
}

/**
 * Quiets Vulkan's loader, and lets Mesa's CPU driver use the vectors that it is fastest with on this CPU; what a user has
 * set stays.
 *
 * @param options.isFirst nothing in this process can have asked for an adapter yet
 */
export async function prepareDrivers({ isFirst = false } = {}): Promise<void> {
  if (Deno.build.os !== "linux") return;
  try {
    quietLoader();
    await widenVectors(isFirst);
  } catch {
    // without the permissions, or a folder to write to, the driver does what it does by itself
  }
}

async function widenVectors(isFirst: boolean): Promise<void> {
  // the driver reads the width once, and where its cache is for every adapter: what it has begun it must go on with
  const mapped = await readSystemFile("/proc/self/maps");
  if (mapped === undefined ? !isFirst : mapped.includes(DRIVER)) return;
  const [setWidth, setCache] = [VECTOR_WIDTH, SHADER_CACHE].map((name) => Deno.env.get(name));
  const width = setWidth || await recallWidth();
  if (width === undefined || (setWidth && setCache)) return;
  // what Mesa remembers of a shader does not say for which width it was compiled
  const folder = `${setCache || cacheFolder()}/vectors-${width}`;
  await Deno.mkdir(folder, { recursive: true });
  Deno.env.set(SHADER_CACHE, folder);
  Deno.env.set(VECTOR_WIDTH, width);
}

/** The width to take on a CPU that has a choice. */
async function recallWidth(): Promise<string | undefined> {
  const memory = await recallVectors();
  return memory && String(chooseVectorWidth(memory.times));
}
