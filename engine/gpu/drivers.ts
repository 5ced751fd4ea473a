/**
 * What there is to know of drivers under WebGPU before and after an adapter is asked for.
 *
 * @module
 */

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

/** Variables that choose among interfaces, drivers and cards: Deno's, those of Vulkan's loader, and Mesa's. */
const CHOOSERS = [
  BACKEND,
  "VK_DRIVER_FILES",
  "VK_ICD_FILENAMES",
  "VK_ADD_DRIVER_FILES",
  "VK_LOADER_DRIVERS_SELECT",
  "VK_LOADER_DRIVERS_DISABLE",
  "MESA_VK_DEVICE_SELECT",
] as const;

/** Reads the variables that choose an adapter, by their names; those that are not set, or may not be read, are left out. */
export function readChoosers(): Readonly<Record<string, string>> {
  const entries = CHOOSERS.map((name) => {
    const { state } = Deno.permissions.querySync({ name: "env", variable: name });
    return [name, state === "granted" ? Deno.env.get(name) : undefined] as const;
  });
  return Object.fromEntries(
    entries.filter((entry): entry is [typeof entry[0], string] => !!entry[1]),
  );
}

/** Names a folder to Vulkan's loader, which complains on standard error where there is no session; the name is all it wants. */
export function quietLoader(): void {
  try {
    if (Deno.build.os === "linux" && !Deno.env.get("XDG_RUNTIME_DIR")) {
      Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
    }
  } catch (error) {
    // without the permission the loader complains
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

/** Bits of a vector: what the driver takes by itself, and what it takes when told to on a CPU that has such vectors. */
export type VectorWidth = 256 | 512;

/** Every {@linkcode VectorWidth}. */
const VECTOR_WIDTHS: readonly VectorWidth[] = [256, 512];

/** What an adapter's name says beside the width, and the width: `llvmpipe (LLVM 15.0.6, 256 bits)`; no width of other drivers. */
export function splitAdapterName(name: string): { identity: string; width?: VectorWidth } {
  const [, before, bits] = /^(llvmpipe \(.*), (\d+) bits\)$/.exec(name) ?? [];
  if (before === undefined) return { identity: name };
  return { identity: `${before})`, width: VECTOR_WIDTHS.find((width) => width === Number(bits)) };
}
