/**
 * Opening of devices with the settings that were measured to be fastest.
 *
 * @module
 */
import type { LoweredDevice } from "../gpu/adapter.ts";
import { Gpu } from "../gpu/device.ts";
import { chooseOperandStorage } from "./operand_storage.ts";
import { prepareDrivers } from "./prepare.ts";
import { learnVectors } from "./vector_times.ts";

/**
 * Opens a device that reads operands from the storage that was measured to be fastest on its adapter. The first time for an adapter it is
 * measured, which takes some seconds.
 *
 * @param lowered limits and features that the device is to do without
 * @throws {NoAdapterError} if there is no adapter.
 * @throws {DeviceError} if the device fails.
 */
export async function openTunedGpu(lowered?: LoweredDevice): Promise<Gpu> {
  const gpu = await openGpu(lowered);
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
 * Prepares drivers and opens a device, and measures nothing.
 *
 * @param lowered limits and features that the device is to do without
 * @throws {NoAdapterError} if there is no adapter.
 */
export function openGpu(lowered?: LoweredDevice): Promise<Gpu> {
  return Gpu.open(prepareDrivers, lowered);
}
