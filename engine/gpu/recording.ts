/**
 * Recordings of `lpntk/gpu`.
 *
 * @module
 */
import type { Commands } from "./commands.ts";
import type { Bindings, ComputeKernel, Workgroups } from "./compute_kernel.ts";
import type { Gpu } from "./device.ts";
import { checkBuffer, type DeviceBuffer } from "./device_buffer.ts";

/** Extent of a launch. */
export interface Launch {
  /** Workgroups along x, or along x, y and z. */
  readonly workgroups: Workgroups;
}

/** Launches and copies that are sent to the device together, and run in their order. */
export class Recording {
  /** Use `record` of a device. */
  constructor(private readonly gpu: Gpu, private readonly commands: Commands) {}

  /**
   * Records one launch. Values of uniforms are taken as they are now.
   *
   * @param bindings a buffer or a value for every variable that the kernel uses, by its name in the shader
   * @throws {TypeError} if a binding is missing, unknown or of another kind, or a written buffer is bound twice.
   * @throws {RangeError} if a buffer is too small or too large, a number does not fit its type, or the device launches fewer workgroups.
   * @throws {DisposedError} if a buffer is disposed.
   */
  run(kernel: ComputeKernel, bindings: Bindings, { workgroups }: Launch): void {
    this.gpu.check();
    kernel.record(this.gpu, this.commands, bindings, workgroups);
  }

  /**
   * Records a copy of a whole buffer to the beginning of another.
   *
   * @throws {RangeError} if the other is smaller, or the same; `TypeError` if one is of another device; `DisposedError` if one is disposed.
   */
  copy(from: DeviceBuffer, to: DeviceBuffer): void {
    this.gpu.check();
    for (const buffer of [from, to]) checkBuffer("copy", this.gpu, buffer);
    if (from === to || from.sizeBytes > to.sizeBytes) {
      throw new RangeError(
        `Cannot copy buffer '${from.label}': got ${
          from === to ? "itself" : `'${to.label}' of ${to.sizeBytes} bytes`
        }, need another of at least ${from.sizeBytes}`,
      );
    }
    this.commands.copy(from.native, 0, to.native, 0, from.sizeBytes);
    for (const buffer of [from, to]) this.commands.watch(buffer);
  }

  /**
   * Records that a buffer is filled with zeros.
   *
   * @throws {TypeError} if it is of another device, `DisposedError` if it is disposed.
   */
  clear(buffer: DeviceBuffer): void {
    this.gpu.check();
    checkBuffer("clear", this.gpu, buffer);
    this.commands.clear(buffer.native);
    this.commands.watch(buffer);
  }

  /**
   * Sends what was recorded to the device, and begins anew. It does not wait.
   *
   * @throws {DisposedError} if a buffer has been disposed since it was recorded; nothing of the recording is sent then. `run` throws it too where
   * the uniforms of 256 launches and more are sent in parts.
   */
  submit(): void {
    this.gpu.check();
    this.commands.submit();
  }
}
