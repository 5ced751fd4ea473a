/**
 * Buffers of `lpntk/gpu`.
 *
 * @module
 */
import { DisposedError } from "../errors.ts";
import { describeValue } from "../options.ts";
import type { Gpu } from "./device.ts";

/** A storage buffer of a device. Dispose it, or let its device do so. */
export class DeviceBuffer implements Disposable {
  #isDisposed = false;

  /** Use `buffer` of a device. */
  constructor(
    /** The buffer of WebGPU, for code that uses WebGPU itself; it is destroyed with this. */
    readonly native: GPUBuffer,
    private readonly destroy: (buffer: DeviceBuffer) => void,
  ) {}

  /** Name in messages. */
  get label(): string {
    return this.native.label;
  }

  /** Size in bytes, a multiple of 4. */
  get sizeBytes(): number {
    return this.native.size;
  }

  /**
   * Throws unless it can be used.
   *
   * @throws {DisposedError} after disposal.
   */
  check(): void {
    if (this.#isDisposed) {
      throw new DisposedError(`buffer '${this.label}'`, "one that is not disposed");
    }
  }

  /** Frees its memory. A second time does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.destroy(this);
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Refuses what a device cannot use as a buffer, before it reaches the device.
 *
 * @param action action that fails, for the message: `write` in `Cannot write`
 * @throws {TypeError} if the value is no buffer, or one of another device; `DisposedError` after its disposal.
 */
export function checkBuffer(
  action: string,
  gpu: Gpu,
  buffer: unknown,
): asserts buffer is DeviceBuffer {
  if (!(buffer instanceof DeviceBuffer)) {
    throw new TypeError(
      `Cannot ${action}: got ${describeValue(buffer)}, need a buffer of the device`,
    );
  }
  buffer.check();
  if (!gpu.owns(buffer.native)) {
    throw new TypeError(
      `Cannot ${action} buffer '${buffer.label}': got one of another device, need one of this device`,
    );
  }
}
