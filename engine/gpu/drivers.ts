/**
 * What drivers read in the environment, set before the first adapter is asked for; what a user has set stays.
 *
 * @module
 */
import { cacheFolder } from "../cache_folder.ts";
import { chooseVectorWidth, recallVectors } from "./vectors.ts";

/** Bits of the vectors that Mesa's CPU driver computes with; by itself it takes 256 at most. */
const VECTOR_WIDTH = "LP_NATIVE_VECTOR_WIDTH";
const SHADER_CACHE = "MESA_SHADER_CACHE_DIR";

/** Mesa's CPU driver, as it is mapped into a process that has asked for an adapter. */
const DRIVER = "libvulkan_lvp";

/** Quiets Vulkan's loader, and lets Mesa's CPU driver use the vectors that it is fastest with on this CPU. */
export async function prepareDrivers(): Promise<void> {
  if (Deno.build.os !== "linux") return;
  try {
    // the loader complains on standard error where there is no session; all it wants is the name of a folder
    if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
    await widenVectors();
  } catch {
    // without the permissions, or a folder to write to, the driver does what it does by itself
  }
}

async function widenVectors(): Promise<void> {
  // the driver reads the width once, and where its cache is for every adapter: what it has begun it must go on with
  if ((await Deno.readTextFile("/proc/self/maps")).includes(DRIVER)) return;
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
