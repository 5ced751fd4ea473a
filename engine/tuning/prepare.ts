/**
 * Preparation of drivers, before the first adapter of a process is requested.
 *
 * @module
 */
import { cacheFolder } from "../cache_folder.ts";
import { quietLoader } from "../gpu/drivers.ts";
import { chooseVectorWidth, readSystemFile, recallVectors } from "./vectors.ts";

/** Environment variable of the width in bits of the vectors that Mesa's CPU driver computes with; by itself it takes 256 at most. */
const VECTOR_WIDTH = "LP_NATIVE_VECTOR_WIDTH";

/** Environment variable of the folder in which Mesa keeps compiled shaders. */
const SHADER_CACHE = "MESA_SHADER_CACHE_DIR";

/** Name of Mesa's CPU driver in the memory map of a process that has requested an adapter. */
const DRIVER = "libvulkan_lvp";

/**
 * Keeps Vulkan's loader from warning, and sets the width of vectors that Mesa's CPU driver is fastest with on this CPU. Variables that the user
 * has set are not changed.
 *
 * @param options.isFirst whether nothing in this process can have requested an adapter yet
 */
export async function prepareDrivers({ isFirst = false } = {}): Promise<void> {
  if (Deno.build.os !== "linux") return;
  try {
    quietLoader();
    await widenVectors(isFirst);
  } catch {
    // without the permissions, or a folder to write to, the driver keeps its own settings
  }
}

async function widenVectors(isFirst: boolean): Promise<void> {
  // the driver reads the width once, but the cache's folder for every adapter: once it is loaded, neither may change
  const mapped = await readSystemFile("/proc/self/maps");
  if (mapped === undefined ? !isFirst : mapped.includes(DRIVER)) return;
  const [setWidth, setCache] = [VECTOR_WIDTH, SHADER_CACHE].map((name) => Deno.env.get(name));
  const width = setWidth || await recallWidth();
  if (width === undefined || (setWidth && setCache)) return;
  // Mesa's cache does not tell apart shaders that were compiled for different widths
  const folder = `${setCache || cacheFolder()}/vectors-${width}`;
  await Deno.mkdir(folder, { recursive: true });
  Deno.env.set(SHADER_CACHE, folder);
  Deno.env.set(VECTOR_WIDTH, width);
}

/** Chooses the width by the remembered times; undefined on a CPU with one width alone. */
async function recallWidth(): Promise<string | undefined> {
  const memory = await recallVectors();
  return memory && String(chooseVectorWidth(memory.times));
}
