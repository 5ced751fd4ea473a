/**
 * The device of `lpntk/gpu`.
 *
 * @module
 */
import { DeviceError } from "../errors.ts";
import { checkKeys, checkNumber, describeValue, isCount, type OptionNames } from "../options.ts";
import type { AdapterDescription } from "./adapter.ts";
import { type Bindings, compileKernel, type ComputeKernel } from "./compute_kernel.ts";
import type { Gpu } from "./device.ts";
import { checkBuffer, DeviceBuffer } from "./device_buffer.ts";
import { type Launch, Recording } from "./recording.ts";
import { makeChecked } from "./scopes.ts";
import { type Effort, Measurement, type Timing } from "./timing.ts";
import { Timestamps } from "./timestamps.ts";

/** Arrays whose bytes a buffer can hold. */
export type DeviceArray =
  | Float32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** A kind of array that bytes are read as, such as `Float32Array`. */
export interface ArrayKind<T> {
  /** An array on top of bytes. */
  new (bytes: ArrayBuffer): T;
  /** Bytes of an element. */
  readonly BYTES_PER_ELEMENT: number;
  /** Name of the class, for messages. */
  readonly name: string;
}

/** Options of a kernel's compilation. */
export interface KernelOptions {
  /** The function to run; may be left out where the shader has only one. */
  readonly entryPoint?: string;
}

/** Milliseconds of one repetition, and the clock that they are by. */
export interface DeviceTiming extends Timing {
  /**
   * `device`: by timestamps of the adapter, of the passes of kernels alone. `host`: with the wait for the device, some 12 ms in Deno, shared by
   * the repetitions.
   */
  readonly clock: "device" | "host";
}

/** The wait for the device is less than 5 % of a measurement. */
const EFFORT: Effort = { rounds: 5, measurementMs: 250, budgetMs: 3000 };

const EFFORT_NAMES: OptionNames<Effort> = { rounds: true, measurementMs: true, budgetMs: true };
const KERNEL_OPTIONS: OptionNames<KernelOptions> = { entryPoint: true };

/**
 * A WebGPU device for kernels of one's own. Its buffers are disposed with it; after an error that the device reports outside of any call, every
 * later call throws it.
 */
export class ComputeDevice implements Disposable {
  readonly #gpu: Gpu;
  readonly #buffers = new Set<DeviceBuffer>();
  /** Tells whether timestamps are nanoseconds, once that was tried. */
  #isTimed: Promise<boolean> | undefined;

  /** Use `openGpu`. */
  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** The adapter as its driver names it. */
  get adapter(): AdapterDescription {
    return this.#gpu.adapter;
  }

  /** The device's limits: as large as the adapter has those that kernels profit from. */
  get limits(): GPUSupportedLimits {
    return this.#gpu.device.limits;
  }

  /** The device of WebGPU, for code that uses WebGPU itself; it is destroyed with this. */
  get native(): GPUDevice {
    return this.#gpu.device;
  }

  /** Number of buffers that are not disposed yet. */
  get liveBuffers(): number {
    return this.#buffers.size;
  }

  /**
   * Creates a storage buffer: zeros of a number of bytes, or a copy of an array.
   *
   * @param label its name in messages
   * @param content bytes, a positive integer that is rounded up to a multiple of 4, or an array of a positive multiple of 4 bytes
   * @returns a buffer that the caller disposes, or the device
   * @throws {TypeError} if the content is neither; `RangeError` if the device has no buffers of that size; `DeviceError` if it has no memory
   * left for it.
   */
  async buffer(label: string, content: number | DeviceArray): Promise<DeviceBuffer> {
    this.#gpu.check();
    const action = `create buffer '${label}'`;
    if (typeof content !== "number") checkArray(action, content);
    else checkNumber(action, "bytes", content, isCount, "a positive integer");
    const sizeBytes = typeof content === "number" ? content : content.byteLength;
    let native: GPUBuffer | undefined;
    try {
      native = await makeChecked(this.#gpu.device, () => {
        native = this.#gpu.createBuffer(label, sizeBytes);
        if (typeof content !== "number") this.#gpu.device.queue.writeBuffer(native, 0, content);
        return native;
      }, (cause) =>
        new DeviceError(
          `Cannot ${action}: got ${sizeBytes} bytes, need less on this device: ${
            cause.message.replace(/\s+/g, " ").trim()
          }`,
          { cause },
        ));
      this.#gpu.check();
    } catch (error) {
      if (native) this.#gpu.destroyBuffer(native);
      throw error;
    }
    const buffer = new DeviceBuffer(native, (buffer) => this.#destroy(buffer));
    this.#buffers.add(buffer);
    return buffer;
  }

  /**
   * Writes an array to the beginning of a buffer, before whatever is submitted later.
   *
   * @throws {RangeError} if the buffer is smaller, `TypeError` if it is of another device, or the content no array of a positive multiple of
   * 4 bytes.
   */
  write(buffer: DeviceBuffer, content: DeviceArray): void {
    this.#gpu.check();
    checkBuffer("write", this.#gpu, buffer);
    const action = `write buffer '${buffer.label}'`;
    checkArray(action, content);
    if (content.byteLength > buffer.sizeBytes) {
      throw new RangeError(
        `Cannot ${action}: got ${content.byteLength} bytes, need at most ${buffer.sizeBytes}`,
      );
    }
    this.#gpu.device.queue.writeBuffer(buffer.native, 0, content);
  }

  /**
   * Reads a whole buffer, after everything submitted so far. Costs some 12 ms in Deno, whatever the size: keep it out of inner loops.
   *
   * @param kind of array, such as `Float32Array`
   * @throws {RangeError} if the buffer holds no whole number of such elements; `TypeError` if it is of another device; `DeviceError` if the
   * device has failed.
   */
  async read<T>(buffer: DeviceBuffer, kind: ArrayKind<T>): Promise<T> {
    this.#gpu.check();
    checkBuffer("read", this.#gpu, buffer);
    if (!(Object(kind).BYTES_PER_ELEMENT >= 1)) {
      throw new TypeError(
        `Cannot read buffer '${buffer.label}': got ${
          describeValue(kind)
        }, need a kind of array, such as Float32Array`,
      );
    }
    if (buffer.sizeBytes % kind.BYTES_PER_ELEMENT !== 0) {
      throw new RangeError(
        `Cannot read buffer '${buffer.label}': got ${buffer.sizeBytes} bytes, need a multiple of ${kind.BYTES_PER_ELEMENT} for a ${kind.name}`,
      );
    }
    return new kind(await this.#gpu.read(buffer.native));
  }

  /**
   * Compiles a compute shader. What it takes, by which names, is read from its own declarations: storage buffers and uniforms, in any groups.
   * `enable subgroups;` is added or left out as the device's compiler wants it.
   *
   * @param name in messages
   * @param wgsl the shader's text
   * @throws {KernelError} if the device refuses it; the message quotes the line; also if it needs more of a workgroup than the device has, or
   * takes textures or samplers. `RangeError` if it has no entry point of that name, or several and none is named.
   */
  async kernel(name: string, wgsl: string, options: KernelOptions = {}): Promise<ComputeKernel> {
    this.#gpu.check();
    checkKeys(`compile kernel '${name}'`, options, KERNEL_OPTIONS);
    return await compileKernel(this.#gpu, name, wgsl, options.entryPoint);
  }

  /** Starts recording launches and copies that are to be sent together. */
  record(): Recording {
    this.#gpu.check();
    return new Recording(this.#gpu, this.#gpu.record());
  }

  /**
   * Launches a kernel once. It does not wait; `read` and `finish` do.
   *
   * @param bindings a buffer or a value for every variable that the kernel uses, by its name in the shader
   * @throws The errors of a recording's `run`.
   */
  run(kernel: ComputeKernel, bindings: Bindings, launch: Launch): void {
    const recording = this.record();
    recording.run(kernel, bindings, launch);
    recording.submit();
  }

  /**
   * Times what a function records: repetitions, sent together, fill a measurement, which warms up too; then measurements.
   *
   * The device's timestamps are taken where it has them and they are found to be nanoseconds.
   *
   * @param record records one repetition
   * @param effort how long to measure; by default five measurements of a quarter of a second
   * @throws {TypeError} if `record` returns a promise: what it records later is in no measurement. `RangeError` if the effort is none;
   * `DeviceError` if the device fails; or what `record` throws.
   */
  async time(
    record: (recording: Recording) => void,
    effort: Partial<Effort> = {},
  ): Promise<DeviceTiming> {
    this.#gpu.check();
    const whole = completeEffort(effort);
    using timestamps = await (this.#isTimed ??= this.#tryTimestamps())
      ? new Timestamps(this.#gpu)
      : undefined;
    let clock: DeviceTiming["clock"] = "host";
    const measurement = await Measurement.begin(async (repetitions) => {
      const { hostMs, deviceMs } = await this.#measure(record, repetitions, timestamps);
      clock = deviceMs === undefined ? "host" : "device";
      return { ms: deviceMs ?? hostMs, hostMs };
    }, whole);
    for (let round = 0; round < whole.rounds; round++) await measurement.measure();
    return { ...measurement.summarise(), clock };
  }

  /**
   * Waits until everything submitted so far is done.
   *
   * @throws {DeviceError} if the device has failed.
   */
  async finish(): Promise<void> {
    this.#gpu.check();
    await this.#gpu.finish();
  }

  /** Destroys every buffer and the device. A second time does nothing. */
  dispose(): void {
    this.#gpu.dispose();
    this.#buffers.clear();
  }

  /** Destroys every buffer and the device. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #destroy(buffer: DeviceBuffer): void {
    this.#buffers.delete(buffer);
    this.#gpu.destroyBuffer(buffer.native);
  }

  async #measure(
    record: (recording: Recording) => void,
    repetitions: number,
    timestamps?: Timestamps,
  ): Promise<{ readonly hostMs: number; readonly deviceMs?: number }> {
    const start = performance.now();
    const commands = this.#gpu.record(timestamps);
    const recording = new Recording(this.#gpu, commands);
    for (let i = 0; i < repetitions; i++) refusePromise(record(recording));
    commands.submit();
    await this.#gpu.finish();
    const hostMs = performance.now() - start;
    return { hostMs, deviceMs: await timestamps?.read() };
  }

  /**
   * Tries whether the device's timestamps are nanoseconds: some implementations give the driver's ticks as they are, of 10 ns and more. Launches that
   * take long enough for the wait not to count are timed by both clocks.
   */
  async #tryTimestamps(): Promise<boolean> {
    if (!this.#gpu.device.features.has("timestamp-query")) return false;
    const kernel = await this.kernel("spin", SPIN);
    using state = await this.buffer("spin", 4);
    using timestamps = new Timestamps(this.#gpu);
    const spin = (recording: Recording) => recording.run(kernel, { state }, { workgroups: 1 });
    // compiles, which is no part of the time
    await this.#measure(spin, 1, timestamps);
    for (let launches = 1; launches <= 4096; launches *= 2) {
      const { hostMs, deviceMs = 0 } = await this.#measure(spin, launches, timestamps);
      if (hostMs >= 80) return deviceMs > hostMs / 2 && deviceMs < hostMs * 1.05;
    }
    return false;
  }
}

/** Operations that each wait for the one before, for a millisecond and more. Mesa's CPU driver ends an invocation's loops after 65,535 turns. */
const SPIN = `
@group(0) @binding(0) var<storage, read_write> state: u32;

@compute @workgroup_size(1)
fn main() {
  var x = state | 1u;
  for (var i = 0u; i < 60000u; i++) {
    ${"x ^= x << 13u; x ^= x >> 17u; x ^= x << 5u; ".repeat(16)}
  }
  state = x;
}
`;

/** Completes an effort by the default one, and refuses what measures nothing. */
function completeEffort(effort: Partial<Effort>): Effort {
  checkKeys("time", effort, EFFORT_NAMES);
  const { rounds = EFFORT.rounds } = effort;
  const { measurementMs = EFFORT.measurementMs, budgetMs = EFFORT.budgetMs } = effort;
  checkNumber("time", "rounds", rounds, isCount, "a positive integer");
  for (const [name, ms] of Object.entries({ measurementMs, budgetMs })) {
    const isTime = (value: number) => value > 0 && value < Infinity;
    checkNumber("time", name, ms, isTime, "a positive number of milliseconds");
  }
  return { rounds, measurementMs, budgetMs };
}

/** Refuses what an async function returns; its later failure would otherwise end the process. */
function refusePromise(returned: unknown): void {
  if (!(returned instanceof Promise)) return;
  returned.catch(() => {});
  throw new TypeError(
    "Cannot time: got an async function, need one that records before it returns",
  );
}

const ARRAYS = [Float32Array, Uint32Array, Int32Array, Uint16Array, Uint8Array];

function checkArray(action: string, content: unknown): void {
  const isArray = ARRAYS.some((kind) => content instanceof kind);
  const sizeBytes = isArray ? (content as DeviceArray).byteLength : 0;
  if (sizeBytes === 0 || sizeBytes % 4 !== 0) {
    const got = isArray ? `${sizeBytes} bytes` : describeValue(content);
    throw new TypeError(
      `Cannot ${action}: got ${got}, need a ${
        ARRAYS.map(({ name }) => name).join(", ")
      } of a positive multiple of 4 bytes`,
    );
  }
}
