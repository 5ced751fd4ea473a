/**
 * The adapter that a command computes on: chosen, announced and recorded in one place.
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
import { prepareDrivers } from "../engine/tuning/prepare.ts";
import { say } from "./print.ts";

/** An adapter, as the records of results name it. */
export type UsedAdapter = Pick<AdapterDescription, "name" | "backend">;

/** Failure of `--require-gpu` where no GPU answers; exit code 3. */
export class GpuRequiredError extends Error {
  override name = "GpuRequiredError";
}

let isGpuRequired = false;
let hasSaid = false;
let used: UsedAdapter | undefined;

/**
 * Begins a command: keeps whether it requires a GPU, forgets the adapter of the command before, and prepares the drivers. Call it before any module
 * of the user's is loaded, which may ask for an adapter itself.
 */
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
 * @throws {GpuRequiredError} if a GPU is required and there is none; else what `openEngine` throws.
 */
export function openAdapter(options?: EngineOptions): Promise<Engine> {
  return useAdapter(() => openEngine(options), (engine) => engine.adapter);
}

/**
 * Opens a device or an engine, says once on standard error if it computes on the CPU, and keeps its adapter for the record.
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
