/**
 * Kernels of one's own: WGSL run and timed without a screen, on any GPU that WebGPU reaches.
 *
 * ```ts
 * import { openGpu } from "lpntk/gpu";
 *
 * using gpu = await openGpu();
 * const kernel = await gpu.kernel(
 *   "double",
 *   `@group(0) @binding(0) var<storage, read> input: array<f32>;
 *    @group(0) @binding(1) var<storage, read_write> output: array<f32>;
 *    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
 *      if (id.x < arrayLength(&output)) { output[id.x] = 2 * input[id.x]; }
 *    }`,
 * );
 * const input = await gpu.buffer("input", Float32Array.of(1, 2, 3));
 * const output = await gpu.buffer("output", input.sizeBytes);
 * gpu.run(kernel, { input, output }, { workgroups: 1 });
 * console.log(await gpu.read(output, Float32Array));
 * ```
 *
 * @module
 */
import { prepareDrivers } from "../tuning/prepare.ts";
import { ComputeDevice } from "./compute_device.ts";
import { Gpu } from "./device.ts";

export { DeviceError, DisposedError, NoAdapterError } from "../errors.ts";
export type { AdapterDescription, AdapterRequest } from "./adapter.ts";
export {
  type ArrayKind,
  ComputeDevice,
  type DeviceArray,
  type DeviceTiming,
  type KernelOptions,
} from "./compute_device.ts";
export { type Bindings, ComputeKernel, KernelError, type Workgroups } from "./compute_kernel.ts";
export { DeviceBuffer } from "./device_buffer.ts";
export { type Launch, Recording } from "./recording.ts";
export type { BindingDescription } from "../wgsl/reflection.ts";
export type { Effort, Timing } from "./timing.ts";
export type { UniformValue } from "./uniforms.ts";

/**
 * Opens the system's preferred adapter for kernels of one's own: high performance is asked for, with the largest limits that the adapter has, and
 * with timestamps, subgroups and f16 where it has them. Mesa's CPU driver computes with the vectors that were measured to be fastest, as the
 * engine's does.
 *
 * @returns a device that the caller disposes
 * @throws {NoAdapterError} if there is none; the message names the packages to install.
 */
export async function openGpu(): Promise<ComputeDevice> {
  return new ComputeDevice(await Gpu.open(prepareDrivers, undefined, "openGpu"));
}
