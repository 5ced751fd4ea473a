/**
 * Which adapter a command computes on: chosen, said and recorded in one place.
 *
 * @module
 */
import {
  type AdapterDescription,
  type Engine,
  type EngineOptions,
  NoAdapterError,
  openEngine,
} from "../mod.ts";

/** What a user may set to choose the interface under WebGPU, read by Deno before its first adapter. */
const BACKEND = "DENO_WEBGPU_BACKEND";

/** An adapter, as the records of results name it. */
export interface UsedAdapter {
  readonly name: string;
  /** The interface under WebGPU: vulkan, metal, ... */
  readonly backend: string;
}

/** `--require-gpu` where there is none; exit code 3. */
export class GpuRequiredError extends Error {
  override name = "GpuRequiredError";
}

let isGpuRequired = false;
let hasSaid = false;
let used: UsedAdapter | undefined;

/** Begins a command: what it asks of adapters, and that it has used none. */
export function beginCommand(requireGpu = false): void {
  isGpuRequired = requireGpu;
  used = undefined;
}

/** The adapter that the command has computed on; undefined where it has opened none. */
export function findUsedAdapter(): UsedAdapter | undefined {
  return used;
}

/**
 * Opens the engine of a command.
 *
 * @throws {GpuRequiredError} if a GPU is required and there is none. What `openEngine` throws else.
 */
export function openAdapter(options?: EngineOptions): Promise<Engine> {
  return useAdapter(() => openEngine(options), (engine) => engine.adapter);
}

/**
 * Opens what computes, says on standard error where that is the CPU, once, and keeps the adapter for the record.
 *
 * @throws {GpuRequiredError} if a GPU is required and there is none; what was opened is disposed.
 */
export async function useAdapter<T extends { dispose(): void }>(
  open: () => Promise<T>,
  describe: (opened: T) => AdapterDescription,
): Promise<T> {
  const backend = chooseBackend();
  const opened = await open().catch((error) => {
    if (!(isGpuRequired && error instanceof NoAdapterError)) throw error;
    throw new GpuRequiredError(error.message, { cause: error });
  });
  const { name, isFallback } = describe(opened);
  if (isFallback && isGpuRequired) {
    opened.dispose();
    throw new GpuRequiredError(
      `Cannot compute on ${name}: got a CPU adapter, need a GPU; install the driver package of its card, or leave out --require-gpu`,
    );
  }
  if (isFallback && !hasSaid) {
    console.error(`lpntk: computes on the CPU, by ${name}; --require-gpu refuses that`);
    hasSaid = true;
  }
  used = { name, backend };
  return opened;
}

/**
 * The interface under WebGPU: what the user has set, or the one that drivers do best. On Linux Deno would take OpenGL too, whose drivers
 * lack what the kernels need.
 */
function chooseBackend(): string {
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
