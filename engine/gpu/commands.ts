/**
 * Recording of kernel launches and copies: many of them in one submission.
 *
 * @module
 */
import {
  type BufferBindings,
  countCopiedBytes,
  isCopyable,
  type Kernel,
  type ParamValues,
} from "./kernel.ts";
import { isBuffer, type OperandStorage, PANEL_COLUMNS } from "./panels.ts";
import type { CopyFormat, OperandCopies } from "./operand_copies.ts";
import { SUBMISSION_MS } from "./rates.ts";

/** Uniform buffer divided into slots, of which each launch takes one or more; rewritten by every submission. */
export interface UniformArena {
  readonly buffer: GPUBuffer;
  readonly slotBytes: number;
}

/** Memory for the uniforms of one launch, on the host and in the arena. */
export interface UniformRoom {
  readonly view: DataView<ArrayBuffer>;
  /** Offset of the uniforms in `view`, in bytes. */
  readonly at: number;
  readonly buffer: GPUBuffer;
  /** Offset of the uniforms in `buffer`, in bytes. */
  readonly offset: number;
}

/** Bind group of a launch, with the dynamic offsets of its uniforms in the arena. */
export interface BoundGroup {
  readonly group: GPUBindGroup;
  /** Offsets in bytes; a mutable array, since Deno's types of WebGPU require one. */
  readonly offsets: number[];
}

/** Source of timestamp queries for compute passes. */
export interface PassClock {
  /** Returns the timestamp queries of the next pass, or undefined where none are left. */
  next(): GPUComputePassTimestampWrites | undefined;
}

/** External command encoder to record into, such as TensorFlow.js's, and the uniform slot to use. */
export interface Destination {
  readonly encoder: GPUCommandEncoder;
  readonly firstSlot: number;
}

/** A launch that is planned. */
export interface PlannedLaunch {
  /** Milliseconds that it takes by the device's rates. */
  readonly ms: number;
  /** Brings what it reads to the device, part by part, each submitted; yields the share of it that is there between two parts. */
  prepare?(commands: Commands): Iterable<number>;
  record(commands: Commands): void;
}

/** A buffer that can be asked whether it may still be used. */
export interface Usable {
  /** Throws unless it can be used. */
  check(): void;
}

/**
 * Sequence of launches and copies that `submit` sends to the device in one submission.
 *
 * The uniforms of all launches are written at once, just before their submission, so recordings never disturb one another. When the
 * arena is full, or the next launch would make the submission too long ({@linkcode SUBMISSION_MS}), the recording is submitted and goes on.
 */
export class Commands {
  readonly #params: DataView<ArrayBuffer>;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  /** Slots of the arena that launches have taken. */
  #slots = 0;
  /** Slots that the next launch takes. */
  #reserved = 0;
  /** Estimated milliseconds of the launches recorded since the last submission. */
  #ms = 0;
  /** Buffers to check at the submission. */
  readonly #watched = new Set<Usable>();

  /** Is constructed by `Gpu` alone. */
  constructor(
    private readonly device: GPUDevice,
    private readonly arena: UniformArena,
    /** Texture copies of operands; undefined where operands are read from their buffers. */
    private readonly copies: OperandCopies | undefined,
    private readonly pipelineOf: (kernel: Kernel, panels: OperandStorage) => GPUComputePipeline,
    /** Estimates the milliseconds of moving so many bytes, read and written. */
    private readonly measureMove: (bytes: number) => number,
    /** Largest number of workgroups of a launch along x. */
    private readonly groupsAcross: number,
    private readonly destination?: Destination,
    private readonly clock?: PassClock,
  ) {
    const slots = destination ? 1 : arena.buffer.size / arena.slotBytes;
    this.#params = new DataView(new ArrayBuffer(slots * arena.slotBytes));
  }

  /**
   * Records one launch of `workgroups` workgroups, whose index in the shader is `x + y * num_workgroups.x`. More than fit along x are spread
   * over y, and the last row may then have indices beyond the count. Operands that are read from textures are copied first, which counts too.
   *
   * @param ms estimated milliseconds of the launch, by the device's rates. Default 0: not counted
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
    const copiedBytes = this.copies ? countCopiedBytes(kernel, buffers) : 0;
    const wholeMs = ms + this.measureMove(copiedBytes);
    if (!this.fits(wholeMs)) this.submit();
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
    this.#ms += wholeMs;
  }

  /** Whether a launch of `ms` milliseconds fits the submission that is being recorded; every launch fits an empty one. */
  fits(ms: number): boolean {
    return ms === 0 || this.#ms === 0 || this.#ms + ms <= SUBMISSION_MS;
  }

  /** Checks a buffer again when what is recorded now is submitted, by the caller or because the arena is full. */
  watch(buffer: Usable): void {
    this.#watched.add(buffer);
  }

  /**
   * Gives memory for the uniforms of the next launch; where the arena is full, the recording is submitted first. The launch takes it: where
   * none follows, it stays free.
   *
   * @param sizeBytes size of the uniforms, at most the arena's
   */
  reserve(sizeBytes: number): UniformRoom {
    const { buffer, slotBytes } = this.arena;
    const slots = Math.ceil(sizeBytes / slotBytes);
    if ((this.#slots + slots) * slotBytes > this.#params.byteLength) this.submit();
    const at = this.#slots * slotBytes;
    this.#reserved = slots;
    return { view: this.#params, at, buffer, offset: this.#firstByte + at };
  }

  /** Records one launch of a pipeline with bind groups, in the order of their indices. */
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
    this.#slots += this.#reserved;
    this.#reserved = 0;
  }

  /** Records a copy of `sizeBytes` bytes between buffers. */
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

  /**
   * Records a copy of `count` panels, `[height, 64]` f32 each, from the start of `from` to panel index `first` of `to`; what was recorded
   * before is submitted if that would be too long with it.
   */
  copyPanels(
    from: GPUBuffer,
    to: GPUBuffer | GPUTexture,
    { height, first, count }: { height: number; first: number; count: number },
  ): void {
    const panelBytes = 4 * PANEL_COLUMNS * height;
    const ms = this.measureMove(2 * count * panelBytes);
    if (!this.fits(ms)) this.submit();
    this.#ms += ms;
    if (isBuffer(to)) {
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

  /**
   * Submits the recorded commands to the device's queue, or leaves them in the external encoder; the recording can be used again.
   *
   * @throws what a watched buffer throws; the recorded commands are dropped then.
   */
  submit(): void {
    if (!this.#encoder) return;
    this.#endPass();
    const [encoder, bytes] = [this.#encoder, this.#slots * this.arena.slotBytes];
    const watched = [...this.#watched];
    this.#encoder = undefined;
    this.#slots = 0;
    this.#ms = 0;
    this.#watched.clear();
    for (const buffer of watched) buffer.check();
    if (bytes > 0) {
      const { buffer } = this.arena;
      this.device.queue.writeBuffer(buffer, this.#firstByte, this.#params.buffer, 0, bytes);
    }
    if (!this.destination) this.device.queue.submit([encoder.finish()]);
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

/**
 * Records launches one after another; yields the share of their time that is recorded whenever that is to be submitted before the rest, and
 * between the parts of what a launch is to read.
 */
export function* recordLaunches(
  commands: Commands,
  launches: readonly PlannedLaunch[],
): Generator<number, void> {
  const totalMs = launches.reduce((sum, { ms }) => sum + ms, 0);
  let doneMs = 0;
  for (const launch of launches) {
    if (!commands.fits(launch.ms)) yield doneMs / totalMs;
    for (const share of launch.prepare?.(commands) ?? []) {
      yield (doneMs + share * launch.ms) / totalMs;
    }
    launch.record(commands);
    doneMs += launch.ms;
  }
}
