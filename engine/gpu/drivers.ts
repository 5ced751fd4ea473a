/**
 * Drivers under WebGPU: the environment variables that choose one, and the vector width in a CPU driver's name.
 *
 * @module
 */

/** Variable that names the graphics API under WebGPU; Deno reads it when a thread requests its first adapter. */
const BACKEND = "DENO_WEBGPU_BACKEND";

/**
 * Chooses the graphics API under WebGPU, and returns its name: the user's choice, or else Vulkan on Linux and Deno's choice elsewhere.
 *
 * On Linux Deno would open OpenGL beside Vulkan. OpenGL's drivers lack features that the kernels need, and its libraries corrupt the heap when
 * a thread that has opened them ends while the process exits. With the libraries of Debian 12, 57 of 60 processes whose exit was delayed to
 * provoke this crashed after their last line, by `corrupted size vs. prev_size` and the like, and none of 60 with Vulkan alone. With those of
 * Debian 13, 3 of 20 crashed, and 1 of 127.
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
    // without the permission to set variables, Deno chooses
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
  return Deno.build.os === "darwin" ? "metal" : "chosen by Deno";
}

/** Variables that choose the graphics API, the driver or the GPU: Deno's, the Vulkan loader's and Mesa's. */
const CHOOSERS = [
  BACKEND,
  "VK_DRIVER_FILES",
  "VK_ICD_FILENAMES",
  "VK_ADD_DRIVER_FILES",
  "VK_LOADER_DRIVERS_SELECT",
  "VK_LOADER_DRIVERS_DISABLE",
  "MESA_VK_DEVICE_SELECT",
] as const;

/** Reads the variables that choose an adapter, and returns values by name; variables that are not set, or may not be read, are left out. */
export function readChoosers(): Readonly<Record<string, string>> {
  const entries = CHOOSERS.map((name) => {
    const { state } = Deno.permissions.querySync({ name: "env", variable: name });
    return [name, state === "granted" ? Deno.env.get(name) : undefined] as const;
  });
  return Object.fromEntries(
    entries.filter((entry): entry is [typeof entry[0], string] => !!entry[1]),
  );
}

/** Sets `XDG_RUNTIME_DIR` where it is missing, as in a batch job: the Vulkan loader would warn on standard error. No file is put there. */
export function quietLoader(): void {
  try {
    if (Deno.build.os === "linux" && !Deno.env.get("XDG_RUNTIME_DIR")) {
      Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
    }
  } catch (error) {
    // without the permission to set variables, the loader warns
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

/** Vector width of Mesa's CPU driver in bits: 256 by default, 512 on request where the CPU has such vectors. */
export type VectorWidth = 256 | 512;

/** Every {@linkcode VectorWidth}. */
const VECTOR_WIDTHS: readonly VectorWidth[] = [256, 512];

/** Splits an adapter's name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`, into a name without the width, and the width; other names have none. */
export function splitAdapterName(name: string): { identity: string; width?: VectorWidth } {
  const [, before, bits] = /^(llvmpipe \(.*), (\d+) bits\)$/.exec(name) ?? [];
  if (before === undefined) return { identity: name };
  return { identity: `${before})`, width: VECTOR_WIDTHS.find((width) => width === Number(bits)) };
}
