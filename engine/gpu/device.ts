/**
 * The WebGPU device: opening, buffers, read-backs and errors. It knows nothing of lpNTK.
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
 * Bytes that stand for a device in V8's account of memory. What a driver holds for a device, such as compiled shaders and threads, it frees
 * when V8 collects the device's objects, not when the device is destroyed; V8 knows nothing of it, but collects once 64 MiB outside its heap
 * are new. Without this a process that opened engines in turn, each for a kernel of 64 samples, held 498 MiB after 50 of them and 981 after
 * 100 with Mesa's CPU driver; with it 349 after 40 and 354 after 60.
 */
const WEIGHT_BYTES = 64 * 2 ** 20;

/** Bytes of a piece of what is reserved: a buffer that every device can have. */
const PIECE_BYTES = 256 * 2 ** 20;

/** Launches whose parameters an arena holds. */
const ARENA_SLOTS = 256;

/**
 * A WebGPU device with an account of its buffers.
 *
 * Whoever creates a buffer destroys it; `dispose` destroys what is left. An error that the device reports outside of any call makes
 * every later call throw it: WebGPU itself would go on and compute zeros.
 */
export class Gpu {
  /** Buffers and textures, and the room for them. */
  readonly memory: DeviceMemory;
  /** By how they read. */
  readonly #pipelines = new Map<string, Map<Kernel, GPUComputePipeline>>();
  /** Of recordings, and of launches that somebody else submits. */
  #arenas: readonly [UniformArena, UniformArena] | undefined;
  #launches = 0;
  #copies: OperandCopies | undefined;
  readonly #readBack: ReadBack;
  /** Never touched, so that it takes no memory. */
  readonly #weight = new ArrayBuffer(WEIGHT_BYTES);
  /** Where launches recorded from now on read operands that may be copied; `engine/tuning/operand_storage.ts` chooses. */
  operandStorage: OperandStorage = "buffer";
  /**
   * Whether the invocations of a subgroup pass on what they read in launches recorded from now on: where it is 8 or 16 of them, as on a CPU
   * driver. A GPU's wider ones read the same place at once for the price of one.
   */
  subgroups: boolean;
  /** Whether operands may be read from storage textures. Tests lower it: WebGPU gives every device some. */
  hasTextures = true;
  /** Workgroups along x of launches recorded from now on, at most; what goes beyond is spread over y. */
  groupsAcross: number;
  /** Rates by which launches are cut and submissions are kept short; `engine/tuning/` measures them. */
  rates: Rates = UNMEASURED;
  #failure: Error | undefined;
  #disposed = false;

  private constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
    private readonly isDirectiveTaken: boolean,
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
   * Opens the system's preferred adapter with the largest limits it has; use `openGpu`.
   *
   * @param prepare sets what drivers read in the environment before an adapter is asked for
   * @param lowered limits and features that the device is to do without
   * @throws {NoAdapterError} if there is none; the message names the packages to install.
   */
  static async open(
    prepare: () => void | Promise<void>,
    lowered?: LoweredDevice,
  ): Promise<Gpu> {
    const { adapter, description } = await findAdapter(prepare);
    const device = await requestDevice(adapter, lowered);
    return new Gpu(device, description, await takesDirective(device));
  }

  /** How many buffers and textures created here are not destroyed yet. */
  get liveBuffers(): number {
    return this.memory.count;
  }

  /** Bytes of the buffers and textures created here that are not destroyed yet. */
  get liveBytes(): number {
    return this.memory.bytes;
  }

  /**
   * Throws what went wrong on the device, if anything did.
   *
   * @param name of the engine, where more than one may be meant
   * @throws {DeviceError} after a device error or a lost device, `DisposedError` after disposal.
   */
  check(name = "the engine"): void {
    if (this.#disposed) throw new DisposedError(name, "an open one; call openEngine again");
    if (this.#failure) throw this.#failure;
  }

  /**
   * A storage buffer of zeros that can be copied from and to; the caller destroys it.
   *
   * @param sizeBytes rounded up to a multiple of 4.
   * @throws {RangeError} if the device has no buffers of that size.
   */
  createBuffer(label: string, sizeBytes: number): GPUBuffer {
    return this.#create(
      label,
      sizeBytes,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
  }

  /** A storage buffer that holds `data`; the caller destroys it. */
  upload(label: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.createBuffer(label, data.byteLength);
    this.device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  /**
   * A place for `count` panels of `height` lines, zeros at first; the caller destroys it.
   *
   * @throws {RangeError} if the device has none of that size.
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
   * Makes what takes much memory, or nothing, as `DeviceMemory.attempt` does; after a refusal the device goes on.
   *
   * @throws {OutOfMemoryError} if the device has no room for a buffer, `DeviceError` if the device has failed.
   */
  async allocate<T extends Disposable>(action: string, make: () => T): Promise<T> {
    this.check();
    try {
      const made = await this.memory.attempt(action, make);
      this.check();
      return made;
    } catch (error) {
      // what was freed is there again for the next attempt
      if (error instanceof OutOfMemoryError) await this.finish();
      throw error;
    }
  }

  /** Allocates so many bytes as part of an attempt, and frees them: the attempt fails where there is no room for them. */
  reserve(label: string, sizeBytes: number): void {
    const pieces: GPUBuffer[] = [];
    for (let rest = sizeBytes; rest > 0; rest -= PIECE_BYTES) {
      pieces.push(this.createBuffer(label, Math.min(rest, PIECE_BYTES)));
    }
    for (const piece of pieces) this.destroyBuffer(piece);
  }

  /** Copies whole panels of `height` lines from the host to a place for panels, from its first on, before anything submitted later. */
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

  /** Destroys what `createBuffer`, `upload` or `createPanels` made; a second time does nothing. */
  destroyBuffer(buffer: GPUBuffer | GPUTexture): void {
    this.memory.destroy(buffer);
  }

  /**
   * Starts recording kernel launches and copies.
   *
   * @param clock takes the times of the recording's passes
   */
  record(clock?: PassClock): Commands {
    this.check();
    return this.#startCommands(this.#findArenas()[0], undefined, clock);
  }

  /**
   * Records one launch into an encoder of somebody else's, who has to submit it before `launchLimit` more are recorded: the memory of its
   * parameters is then used again.
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

  /** WGSL as this device's compiler takes it: with `enable subgroups;` or without. */
  adaptShader(code: string): string {
    return adaptDirective(code, this.isDirectiveTaken);
  }

  /** How many launches of `launchInto` may wait for their submission. */
  readonly launchLimit = ARENA_SLOTS - 1;

  /**
   * Copies `sizeBytes` bytes of a buffer to the host, after everything submitted so far. Costs some 12 ms in Deno, whatever the size: keep
   * it out of inner loops.
   *
   * @param target takes the bytes, and may be longer; memory of its own when left out
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
   * Waits until everything submitted so far is done.
   *
   * @throws {DeviceError} if the device has failed.
   */
  async finish(): Promise<void> {
    this.check();
    await this.device.queue.onSubmittedWorkDone();
    await this.#settle();
  }

  /** Destroys every buffer and the device. A second time does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.memory.dispose();
    this.#copies?.dispose();
    this.#readBack.dispose();
    this.device.destroy();
  }

  /** Lets pending error events arrive, then throws what they said. */
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

  /** Bytes of a launch's uniforms at most. */
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

  #startCommands(
    arena: UniformArena,
    destination?: Destination,
    clock?: PassClock,
  ): Commands {
    const { operandStorage: operands, subgroups, groupsAcross } = this;
    return new Commands(
      this.device,
      arena,
      operands === "texture" ? this.#copies ??= new OperandCopies(this.device) : undefined,
      (kernel, panels) => this.#pipeline(kernel, { panels, operands, subgroups }),
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
