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
import { prepareDrivers } from "../engine/gpu/drivers.ts";
import { say } from "./print.ts";

/** An adapter, as the records of results name it. */
export type UsedAdapter = Pick<AdapterDescription, "name" | "backend">;

/** `--require-gpu` where there is none; exit code 3. */
export class GpuRequiredError extends Error {
  override name = "GpuRequiredError";
}

let isGpuRequired = false;
let hasSaid = false;
let used: UsedAdapter | undefined;

/** Begins a command: what it asks of adapters, and that it has used none. Before anything of the user's is loaded, which may ask for one. */
export async function beginCommand(requireGpu = false): Promise<void> {
  isGpuRequired = requireGpu;
  used = undefined;
  await prepareDrivers({ isFirst: true });
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
  const opened = await open().catch((error) => {
    if (!(isGpuRequired && error instanceof NoAdapterError)) throw error;
    throw new GpuRequiredError(error.message, { cause: error });
  });
  const { name, backend, isFallback } = describe(opened);
  if (isFallback && isGpuRequired) {
    opened.dispose();
    throw new GpuRequiredError(
      `Cannot compute on ${name}: got a CPU adapter, need a GPU; install the driver package of its card, or leave out --require-gpu`,
    );
  }
  if (isFallback && !hasSaid) {
    say(`lpntk: computes on the CPU, by ${name}; --require-gpu refuses that`);
    hasSaid = true;
  }
  used = { name, backend };
  return opened;
}
