/**
 * Recording kernel launches: many launches, one submission.
 *
 * @module
 */
import { type BufferBindings, isCopyable, type Kernel, type ParamValues } from "./kernel.ts";
import { isBuffer, type OperandStorage, PANEL_COLUMNS } from "./panels.ts";
import type { CopyFormat, OperandCopies } from "./operand_copies.ts";
import { SUBMISSION_MS } from "./rates.ts";

/** A uniform buffer cut into slots, one a launch; rewritten by every submission. */
export interface UniformArena {
  readonly buffer: GPUBuffer;
  readonly slotBytes: number;
}

/** Room for the uniforms of one launch, in the recording's own memory and in the arena. */
export interface UniformRoom {
  readonly view: DataView<ArrayBuffer>;
  /** Offset of the room in `view`. */
  readonly at: number;
  readonly buffer: GPUBuffer;
  /** Offset of the room in `buffer`. */
  readonly offset: number;
}

/** A bind group of a launch, with the offsets of its uniforms in the arena. */
export interface BoundGroup {
  readonly group: GPUBindGroup;
  /** Mutable, since the types of WebGPU that come with Deno ask for that. */
  readonly offsets: number[];
}

/** A clock that passes write their times to. */
export interface PassClock {
  /** Gives the place for the next pass's times, if there is one. */
  next(): GPUComputePassTimestampWrites | undefined;
}

/** Where a recording goes that somebody else submits: the encoder, and the first of its slots in the arena. */
export interface Destination {
  readonly encoder: GPUCommandEncoder;
  readonly firstSlot: number;
}

/**
 * A sequence of launches and copies that `submit` sends to the device at once.
 *
 * The parameters of all launches go up in one write just before their submission, so recordings never disturb one another. When the
 * arena is full, or the next launch would make the submission too long ({@linkcode SUBMISSION_MS}), the recording is submitted and goes on.
 */
export class Commands {
  readonly #params: DataView<ArrayBuffer>;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #slots = 0;
  /** Estimated time of what was recorded since the last submission. */
  #ms = 0;

  /** Use `Gpu.record`. */
  constructor(
    private readonly device: GPUDevice,
    private readonly arena: UniformArena,
    /** Copies operands that are read faster from textures; none where buffers are as fast. */
    private readonly copies: OperandCopies | undefined,
    private readonly pipelineOf: (kernel: Kernel, panels: OperandStorage) => GPUComputePipeline,
    /** Workgroups of a launch along x at most. */
    private readonly groupsAcross: number,
    private readonly destination?: Destination,
    private readonly clock?: PassClock,
  ) {
    const slots = destination ? 1 : arena.buffer.size / arena.slotBytes;
    this.#params = new DataView(new ArrayBuffer(slots * arena.slotBytes));
  }

  /**
   * Records one launch of `workgroups` workgroups, numbered `x + y * num_workgroups.x` in the shader; more than fit along x are spread
   * over y, where the last row may hold numbers beyond the count. Operands that are read from textures are copied first.
   *
   * @param ms milliseconds that the launch takes by the device's rates. Default 0: too few to count
   * @throws {RangeError} if a buffer is larger than the device can bind.
   */
  run<P extends string, B extends string>(
    kernel: Kernel<P, B>,
    params: ParamValues<P>,
    buffers: BufferBindings<B>,
    workgroups: number,
    ms = 0,
  ): void {
    if (workgroups === 0) return;
    if (!this.fits(ms)) this.submit();
    const { view, at, buffer, offset } = this.reserve(kernel.paramBytes);
    kernel.writeParams(view, at, params);
    const isTextured = kernel.buffers.some(([name]) => !isBuffer(buffers[name]));
    const pipeline = this.pipelineOf(
      kernel as unknown as Kernel,
      isTextured ? "texture" : "buffer",
    );
    const group = this.device.createBindGroup({
      label: kernel.name,
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer, size: kernel.paramBytes } },
        ...kernel.buffers.map(([name, access], index) => ({
          binding: index + 1,
          resource: this.copies && isCopyable(access)
            ? this.#copyOperand(this.copies, index, access, buffers[name] as GPUBuffer)
            : this.#bind(buffers[name], kernel.name, name),
        })),
      ],
    });
    const x = Math.min(workgroups, this.groupsAcross);
    this.launch(kernel.name, pipeline, [{ group, offsets: [offset] }], [
      x,
      Math.ceil(workgroups / x),
    ]);
    this.#ms += ms;
  }

  /** Whether a launch of so many milliseconds has room in the submission that is being recorded; in a new one every launch has. */
  fits(ms: number): boolean {
    return ms === 0 || this.#ms === 0 || this.#ms + ms <= SUBMISSION_MS;
  }

  /**
   * Keeps room for the uniforms of the launch that is recorded next, if need be after a submission.
   *
   * @param sizeBytes at most the arena's size
   */
  reserve(sizeBytes: number): UniformRoom {
    const { buffer, slotBytes } = this.arena;
    const slots = Math.ceil(sizeBytes / slotBytes);
    if ((this.#slots + slots) * slotBytes > this.#params.byteLength) this.submit();
    const at = this.#slots * slotBytes;
    this.#slots += slots;
    return { view: this.#params, at, buffer, offset: this.#firstByte + at };
  }

  /** Records one launch of a pipeline whose bind groups are made, in the order of their numbers. */
  launch(
    label: string,
    pipeline: GPUComputePipeline,
    groups: readonly BoundGroup[],
    [x, y, z]: readonly [x: number, y?: number, z?: number],
  ): void {
    const pass = this.#pass ??= this.#encode().beginComputePass({
      label,
      timestampWrites: this.clock?.next(),
    });
    pass.setPipeline(pipeline);
    groups.forEach(({ group, offsets }, index) => pass.setBindGroup(index, group, offsets));
    pass.dispatchWorkgroups(x, y, z);
  }

  /** Records a copy of bytes between buffers. */
  copy(
    from: GPUBuffer,
    fromOffset: number,
    to: GPUBuffer,
    toOffset: number,
    sizeBytes: number,
  ): void {
    this.#endPass();
    this.#encode().copyBufferToBuffer(from, fromOffset, to, toOffset, sizeBytes);
  }

  /** Records a copy of the first `count` panels of `height` lines in a buffer to panel `first` of another place for panels. */
  copyPanels(
    from: GPUBuffer,
    to: GPUBuffer | GPUTexture,
    { height, first, count }: { height: number; first: number; count: number },
  ): void {
    if (isBuffer(to)) {
      const panelBytes = 4 * PANEL_COLUMNS * height;
      this.copy(from, 0, to, first * panelBytes, count * panelBytes);
      return;
    }
    this.#endPass();
    this.#encode().copyBufferToTexture(
      { buffer: from, bytesPerRow: 4 * PANEL_COLUMNS, rowsPerImage: height },
      { texture: to, origin: [0, 0, first] },
      [PANEL_COLUMNS / 4, height, count],
    );
  }

  /** Records that a buffer is filled with zeros. */
  clear(buffer: GPUBuffer): void {
    this.#endPass();
    this.#encode().clearBuffer(buffer);
  }

  /** Sends what was recorded to the device's queue, or leaves it with its destination; the recording can be used again. */
  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    const bytes = this.#slots * this.arena.slotBytes;
    const { buffer } = this.arena;
    if (bytes > 0) {
      this.device.queue.writeBuffer(buffer, this.#firstByte, this.#params.buffer, 0, bytes);
    }
    if (!this.destination) this.device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#slots = 0;
    this.#ms = 0;
  }

  #copyOperand(
    copies: OperandCopies,
    operand: number,
    format: CopyFormat,
    buffer: GPUBuffer,
  ): GPUTextureView {
    this.#endPass();
    return copies.copy(this.#encode(), operand, format, buffer);
  }

  #encode(): GPUCommandEncoder {
    return this.#encoder ??= this.destination?.encoder ??
      this.device.createCommandEncoder({ label: "lpntk" });
  }

  get #firstByte(): number {
    return (this.destination?.firstSlot ?? 0) * this.arena.slotBytes;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #bind(operand: GPUBuffer | GPUTexture, kernel: string, name: string): GPUBindingResource {
    if (!isBuffer(operand)) return operand.createView({ dimension: "2d-array" });
    const limit = this.device.limits.maxStorageBufferBindingSize;
    if (operand.size > limit) {
      throw new RangeError(
        `Cannot bind '${name}' of kernel '${kernel}': got ${operand.size} bytes, need at most ${limit} on this device`,
      );
    }
    return { buffer: operand };
  }
}
