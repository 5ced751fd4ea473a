/**
 * Buffers that a job holds together.
 *
 * @module
 */
import type { Gpu } from "./device.ts";

/**
 * Allocates what a job holds on a device, all of it or nothing; dispose the result to free it.
 *
 * @param action action that the error message says failed, as in `Cannot compute tiles`
 * @param make creates buffers and writes to them; `own` takes a buffer into the result's care, `stack` anything else
 * @throws {OutOfMemoryError} if the device has no memory for a buffer; the device stays usable.
 * @throws {DeviceError} if the device has failed.
 */
export function hold<T extends object>(
  gpu: Gpu,
  action: string,
  make: (own: (buffer: GPUBuffer) => GPUBuffer, stack: DisposableStack) => T,
): Promise<T & Disposable> {
  return gpu.allocate(action, () => {
    using stack = new DisposableStack();
    const made = make((buffer) => stack.adopt(buffer, (b) => gpu.destroyBuffer(b)), stack);
    const held = stack.move();
    return { ...made, [Symbol.dispose]: () => held.dispose() };
  });
}
