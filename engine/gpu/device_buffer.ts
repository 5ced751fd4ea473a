/**
 * Buffers of `lpntk/gpu`.
 *
 * @module
 */
import { DisposedError } from "../errors.ts";

/** A storage buffer of a device. Dispose it, or let its device do so. */
export class DeviceBuffer implements Disposable {
  #isDisposed = false;

  /** Use `buffer` of a device. */
  constructor(
    /** The buffer of WebGPU, for code that uses WebGPU itself; it is destroyed with this. */
    readonly native: GPUBuffer,
    private readonly destroy: (native: GPUBuffer) => void,
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
    this.destroy(this.native);
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
