/**
 * What drivers read in the environment, set before the first adapter is asked for; what a user has set stays.
 *
 * @module
 */
import { cacheFolder } from "../cache_folder.ts";
import { readSystemFile } from "./memory.ts";
import { chooseVectorWidth, recallVectors } from "./vectors.ts";

/** Bits of the vectors that Mesa's CPU driver computes with; by itself it takes 256 at most. */
const VECTOR_WIDTH = "LP_NATIVE_VECTOR_WIDTH";
const SHADER_CACHE = "MESA_SHADER_CACHE_DIR";

/** Mesa's CPU driver, as it is mapped into a process that has asked for an adapter. */
const DRIVER = "libvulkan_lvp";

/** The interface under WebGPU, which Deno reads before a thread's first adapter. */
const BACKEND = "DENO_WEBGPU_BACKEND";

/**
 * The interface under WebGPU: what the user has set, or the one that drivers do best.
 *
 * On Linux Deno would open OpenGL beside Vulkan. Its drivers lack what the kernels need, and its libraries break the heap when a thread that
 * has opened them ends while the process exits: with those of Debian 12, 57 of 60 processes whose exit was held up for that crashed after
 * their last line, by `corrupted size vs. prev_size` and the like, and none of 60 with Vulkan alone. With those of Debian 13 it was
 * 3 of 20, and 1 of 127.
 */
export function chooseBackend(): string {
  try {
    const set = Deno.env.get(BACKEND);
    if (set) return set;
    if (Deno.build.os === "linux") {
      Deno.env.set(BACKEND, "vulkan");
      return "vulkan";
    }
  } catch (error) {
    // without the permission Deno chooses
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
  return Deno.build.os === "darwin" ? "metal" : "chosen by Deno";
}

/**
 * Quiets Vulkan's loader, and lets Mesa's CPU driver use the vectors that it is fastest with on this CPU.
 *
 * @param options.isFirst nothing in this process can have asked for an adapter yet
 */
export async function prepareDrivers({ isFirst = false } = {}): Promise<void> {
  if (Deno.build.os !== "linux") return;
  try {
    // the loader complains on standard error where there is no session; all it wants is the name of a folder
    if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
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
