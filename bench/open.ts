/** The adapter that the benches compute on. @module */
import { bindEngine, type Engine } from "../engine/engine.ts";
import type { AdapterDescription } from "../engine/gpu/adapter.ts";
import type { Gpu } from "../engine/gpu/device.ts";
import { openTunedGpu } from "../engine/tuning/open.ts";

/** Opens the device, and refuses it if the command does. */
export type UseAdapter = (
  open: () => Promise<Gpu>,
  describe: (gpu: Gpu) => AdapterDescription,
) => Promise<Gpu>;

/** A device, and the engine that computes on it; disposing the engine disposes both. */
export interface Device {
  readonly gpu: Gpu;
  readonly engine: Engine;
}

/**
 * Opens the system's preferred adapter.
 *
 * @throws what `use` throws, and {NoAdapterError} if there is none.
 */
export async function openDevice(use: UseAdapter): Promise<Device> {
  const gpu = await use(openTunedGpu, ({ adapter }) => adapter);
  try {
    return { gpu, engine: await bindEngine(gpu) };
  } catch (error) {
    gpu.dispose();
    throw error;
  }
}
