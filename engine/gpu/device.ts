/**
 * WebGPU device: opening, buffers, launches, read-backs and errors. It knows nothing of lpNTK.
 *
 * @module
 */
import { DeviceError, DisposedError } from "../errors.ts";
import {
  type AdapterDescription,
  findAdapter,
  type LoweredDevice,
  requestDevice,
} from "./adapter.ts";
import { DeviceMemory, OutOfMemoryError } from "./allocation.ts";
import { Commands, type Destination, type PassClock, type UniformArena } from "./commands.ts";
import type { BufferBindings, Kernel, ParamValues, Reading } from "./kernel.ts";
import { isBuffer, type OperandStorage, PANEL_COLUMNS, PANEL_TEXTURE } from "./panels.ts";
import { ReadBack } from "./read_back.ts";
import { OperandCopies } from "./operand_copies.ts";
import { type Rates, UNMEASURED } from "./rates.ts";
import { adaptDirective, takesDirective } from "./subgroups.ts";

/**
 * Size of an array buffer that makes V8 count each device as external memory, in bytes. A driver frees a device's compiled shaders, threads
 * and the like when V8 collects the device's objects, not when the device is destroyed. V8 knows nothing of them, but collects garbage once
 * 64 MiB have been allocated outside its heap. Without this array a process that opened engines in turn, each for a kernel of 64 samples, held
 * 498 MiB after 50 of them and 981 after 100 with Mesa's CPU driver; with it 349 after 40 and 354 after 60.
 */
const WEIGHT_BYTES = 64 * 2 ** 20;

/** Size of the buffers that `Gpu.reserve` allocates: WebGPU's default `maxBufferSize`, which every device has. */
const PIECE_BYTES = 256 * 2 ** 20;

/** Number of slots in a uniform arena. */
const ARENA_SLOTS = 256;

/** Names of what users hold a device by, by the functions that open it, for messages. */
const OWNERS = { openEngine: "the engine", openGpu: "the GPU" } as const;

/**
 * WebGPU device with an account of its buffers and textures.
 *
 * Whoever creates a buffer destroys it; `dispose` destroys all that are left. An error that the device reports outside of any call makes
 * every later call throw it: WebGPU itself would go on and compute zeros.
 */
export class Gpu {
  /** Account of buffers and textures, and bounds of their memory. */
  readonly memory: DeviceMemory;
  /** Pipelines by the storage that their operands are read from, then by kernel. */
  readonly #pipelines = new Map<string, Map<Kernel, GPUComputePipeline>>();
  /** Uniform arenas: `[0]` for own submissions, `[1]` for external encoders. */
  #arenas: readonly [UniformArena, UniformArena] | undefined;
  #launches = 0;
  #copies: OperandCopies | undefined;
  readonly #readBack: ReadBack;
  /** External memory that V8 counts; never written, so that it takes no physical memory. */
  readonly #weight = new ArrayBuffer(WEIGHT_BYTES);
  /** Storage that recordings begun from now on read copyable operands from; `engine/tuning/operand_storage.ts` chooses it. */
  operandStorage: OperandStorage = "buffer";
  /**
   * Whether kernels broadcast loaded values among the invocations of a subgroup, in recordings begun from now on. By default they do for
   * subgroups of 8 to 16, as on a CPU driver; in a GPU's wider subgroups, loads of one address by all invocations cost no more than one.
   */
  subgroups: boolean;
  /** Whether operands may be read from storage textures. Tests set it to false; every WebGPU device has some. */
  hasTextures = true;
  /** Largest number of workgroups along x, in recordings begun from now on; more are spread over y. */
  groupsAcross: number;
  /** Rates by which launches are split and submissions are kept short; `engine/tuning/` measures them. */
  rates: Rates = UNMEASURED;
  #failure: Error | undefined;
  #disposed = false;

  private constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
    private readonly isDirectiveTaken: boolean,
    private readonly opener: keyof typeof OWNERS,
  ) {
    this.memory = new DeviceMemory(device, (error) => this.#fail(error));
    this.#readBack = new ReadBack(device);
    this.groupsAcross = device.limits.maxComputeWorkgroupsPerDimension;
    this.subgroups = device.features.has("subgroups") && adapter.subgroupMinSize >= 8 &&
      adapter.subgroupMaxSize <= 16;
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fail((event as GPUUncapturedErrorEvent).error);
    });
    device.lost.then((info) => {
      if (!this.#disposed) this.#fail(new Error(`device lost (${info.reason}): ${info.message}`));
    });
  }

  /**
   * Opens the system's preferred adapter with the largest limits that it has; programs call `openGpu`.
   *
   * @param prepare sets environment variables that drivers read, before the adapter is requested
   * @param lowered lower limits and fewer features than the adapter has
   * @param opener function that the user calls, for messages
   * @throws {NoAdapterError} if there is no adapter; the message names the packages to install.
   */
  static async open(
    prepare: () => void | Promise<void>,
    lowered?: LoweredDevice,
    opener: keyof typeof OWNERS = "openEngine",
  ): Promise<Gpu> {
    const { adapter, description } = await findAdapter(prepare);
    const device = await requestDevice(adapter, lowered);
    return new Gpu(device, description, await takesDirective(device), opener);
  }

  /** Number of buffers and textures created here that are not destroyed yet. */
  get liveBuffers(): number {
    return this.memory.count;
  }

  /** Bytes of the buffers and textures created here that are not destroyed yet. */
  get liveBytes(): number {
    return this.memory.bytes;
  }

  /**
   * Throws the device's error, if it has failed or been disposed.
   *
   * @param name name of the device's owner in the message, where there may be several
   * @throws {DeviceError} after a device error or a lost device.
   * @throws {DisposedError} after disposal.
   */
  check(name: string = OWNERS[this.opener]): void {
    if (this.#disposed) throw new DisposedError(name, `an open one; call ${this.opener} again`);
    if (this.#failure) throw this.#failure;
  }

  /**
   * Creates a storage buffer of zeros that can be copied from and to; the caller destroys it.
   *
   * @param sizeBytes size, rounded up to a multiple of 4
   * @throws {RangeError} if the size exceeds the device's limit.
   */
  createBuffer(label: string, sizeBytes: number): GPUBuffer {
    return this.#create(
      label,
      sizeBytes,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
  }

  /** Creates a storage buffer that holds a copy of `data`; the caller destroys it. */
  upload(label: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.createBuffer(label, data.byteLength);
    // Deno ends the process at a write of 0 bytes
    if (data.byteLength > 0) this.device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  /**
   * Creates a buffer or texture of zeros for `count` panels, `[height, 64]` f32 each; the caller destroys it.
   *
   * @throws {RangeError} if the size exceeds the device's limits.
   */
  createPanels(
    label: string,
    operands: OperandStorage,
    height: number,
    count: number,
  ): GPUBuffer | GPUTexture {
    if (operands === "buffer") return this.createBuffer(label, 4 * PANEL_COLUMNS * height * count);
    this.check();
    const { maxTextureDimension2D, maxTextureArrayLayers } = this.device.limits;
    if (height > maxTextureDimension2D || count > maxTextureArrayLayers) {
      throw new RangeError(
        `Cannot create texture '${label}': got ${count} panels of ${height} numbers, need at most ${maxTextureArrayLayers} of ${maxTextureDimension2D} on this device`,
      );
    }
    return this.memory.create(
      label,
      4 * PANEL_COLUMNS * height * count,
      () =>
        this.device.createTexture({
          label,
          size: [PANEL_COLUMNS / 4, height, count],
          format: PANEL_TEXTURE.format,
          usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
        }),
    );
  }

  /**
   * Makes an object that takes much device memory, all of it or nothing, as `DeviceMemory.attempt` does; the device survives a refusal.
   *
   * @throws {OutOfMemoryError} if the device has no memory for a buffer.
   * @throws {DeviceError} if the device has failed.
   */
  async allocate<T extends Disposable>(action: string, make: () => T): Promise<T> {
    this.check();
    try {
      const made = await this.memory.attempt(action, make);
      this.check();
      return made;
    } catch (error) {
      // after this the freed memory is available to the next attempt
      if (error instanceof OutOfMemoryError) await this.finish();
      throw error;
    }
  }

  /** Allocates `sizeBytes` bytes as part of an attempt, and frees them: the attempt fails where the device has no memory for them. */
  reserve(label: string, sizeBytes: number): void {
    const pieces: GPUBuffer[] = [];
    for (let rest = sizeBytes; rest > 0; rest -= PIECE_BYTES) {
      pieces.push(this.createBuffer(label, Math.min(rest, PIECE_BYTES)));
    }
    for (const piece of pieces) this.destroyBuffer(piece);
  }

  /** Copies whole panels, `[count, height, 64]` f32, from the host to the first panels of a buffer or texture, before any later submission. */
  writePanels(
    panels: GPUBuffer | GPUTexture,
    numbers: Float32Array<ArrayBuffer>,
    height: number,
  ): void {
    this.check();
    if (isBuffer(panels)) {
      this.device.queue.writeBuffer(panels, 0, numbers);
      return;
    }
    const bytesPerRow = 4 * PANEL_COLUMNS;
    const count = numbers.length / PANEL_COLUMNS / height;
    this.device.queue.writeTexture(
      { texture: panels },
      numbers,
      { bytesPerRow, rowsPerImage: height },
      [PANEL_COLUMNS / 4, height, count],
    );
  }

  /** Whether a buffer was created here, and is not destroyed yet. */
  owns(buffer: GPUBuffer): boolean {
    return this.memory.has(buffer);
  }

  /** Destroys a result of `createBuffer`, `upload` or `createPanels`; a second time does nothing. */
  destroyBuffer(buffer: GPUBuffer | GPUTexture): void {
    this.memory.destroy(buffer);
  }

  /**
   * Starts recording kernel launches and copies.
   *
   * @param clock source of the passes' timestamp queries. Default: passes are not timed
   */
  record(clock?: PassClock): Commands {
    this.check();
    return this.#startCommands(this.#findArenas()[0], undefined, clock);
  }

  /**
   * Records one launch into an external command encoder. It has to be submitted before `launchLimit` more launches are recorded: the uniform
   * slot is then reused.
   */
  launchInto<P extends string, B extends string>(
    encoder: GPUCommandEncoder,
    kernel: Kernel<P, B>,
    params: ParamValues<P>,
    buffers: BufferBindings<B>,
    workgroups: number,
  ): void {
    this.check();
    const firstSlot = this.#launches++ % ARENA_SLOTS;
    const commands = this.#startCommands(this.#findArenas()[1], { encoder, firstSlot });
    commands.run(kernel, params, buffers, workgroups);
    commands.submit();
  }

  /** Adapts WGSL to this device's compiler, which takes or refuses `enable subgroups;`. */
  adaptShader(code: string): string {
    return adaptDirective(code, this.isDirectiveTaken);
  }

  /** Number of launches of `launchInto` that may be recorded before they are submitted. */
  readonly launchLimit = ARENA_SLOTS - 1;

  /**
   * Copies `sizeBytes` bytes of a buffer to the host, after everything submitted so far. Costs some 12 ms in Deno, whatever the size: keep
   * it out of inner loops.
   *
   * @param target memory for the bytes, which may be longer. Default: new memory
   * @returns `target`
   * @throws {DeviceError} if the device has failed.
   */
  async read(
    buffer: GPUBuffer,
    sizeBytes: number = buffer.size,
    offsetBytes = 0,
    target: ArrayBuffer = new ArrayBuffer(sizeBytes),
  ): Promise<ArrayBuffer> {
    this.check();
    try {
      await this.#readBack.read(buffer, offsetBytes, sizeBytes, target);
      await this.#settle();
      return target;
    } catch (error) {
      await this.#settle();
      throw new DeviceError("Cannot read a result from the device", { cause: error });
    }
  }

  /**
   * Waits until all submitted work is done.
   *
   * @throws {DeviceError} if the device has failed.
   */
  async finish(): Promise<void> {
    this.check();
    await this.device.queue.onSubmittedWorkDone();
    await this.#settle();
  }

  /** Destroys all buffers, all textures and the device; a second time does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.memory.dispose();
    this.#copies?.dispose();
    this.#readBack.dispose();
    this.device.destroy();
  }

  /** Lets pending error events arrive, then throws the first error, if there is one. */
  async #settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.check();
  }

  #create(label: string, sizeBytes: number, usage: number): GPUBuffer {
    this.check();
    const size = Math.max(4, Math.ceil(sizeBytes / 4) * 4);
    const { maxBufferSize } = this.device.limits;
    if (!(size <= maxBufferSize)) {
      throw new RangeError(
        `Cannot create buffer '${label}': got ${size} bytes, need at most ${maxBufferSize} on this device`,
      );
    }
    return this.memory.create(label, size, () => this.device.createBuffer({ label, size, usage }));
  }

  /** Largest size of a launch's uniforms, in bytes. */
  get uniformBytes(): number {
    return ARENA_SLOTS * this.#slotBytes;
  }

  get #slotBytes(): number {
    return Math.max(128, this.device.limits.minUniformBufferOffsetAlignment);
  }

  #findArenas(): readonly [UniformArena, UniformArena] {
    const slotBytes = this.#slotBytes;
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const create = (label: string) => ({
      buffer: this.#create(label, this.uniformBytes, usage),
      slotBytes,
    });
    return this.#arenas ??= [create("params"), create("launch params")];
  }

  #startCommands(arena: UniformArena, destination?: Destination, clock?: PassClock): Commands {
    const { operandStorage: operands, subgroups, groupsAcross } = this;
    return new Commands(
      this.device,
      arena,
      operands === "texture" ? this.#copies ??= new OperandCopies(this.device) : undefined,
      (kernel, panels) => this.#pipeline(kernel, { panels, operands, subgroups }),
      (bytes) => bytes / this.rates.reads,
      groupsAcross,
      destination,
      clock,
    );
  }

  #pipeline(kernel: Kernel, reading: Reading): GPUComputePipeline {
    const key = JSON.stringify(reading);
    let pipelines = this.#pipelines.get(key);
    if (!pipelines) this.#pipelines.set(key, pipelines = new Map());
    let pipeline = pipelines.get(kernel);
    if (!pipeline) {
      pipeline = kernel.createPipeline(this.device, reading, (code) => this.adaptShader(code));
      pipelines.set(kernel, pipeline);
    }
    return pipeline;
  }

  #fail(error: { message: string }): void {
    const kind = error instanceof GPUOutOfMemoryError
      ? "the device is out of memory, and needs a memory budget that it has:"
      : "the device reported";
    const message = error.message.replace(/\s+/g, " ").trim();
    this.#failure ??= new DeviceError(`Cannot trust any result: ${kind} ${message}`, {
      cause: error,
    });
  }
}
