/**
 * Copies from the device to the host.
 *
 * They go through buffers of a few MiB that are used again, as is the host's own copy of what is mapped: memory that a process has not
 * touched yet costs a CPU driver more than everything else about a read. Mapped as one piece, 64 MiB are such memory each time.
 *
 * @module
 */

/** Bytes that are mapped at once; C's allocator gives back to the system what is larger than some 32 MiB. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Pieces that are kept: what a tile of a kernel takes. */
const KEPT_PIECES = 16;

/** Buffers of a device that the host reads through. */
export class ReadBack {
  readonly #free: GPUBuffer[] = [];

  constructor(private readonly device: GPUDevice) {}

  /**
   * Copies bytes of a buffer to the beginning of `target`, as they are after everything submitted so far. Costs some 12 ms in Deno, whatever
   * the size: keep it out of inner loops.
   *
   * @param sizeBytes a multiple of 4
   */
  async read(
    buffer: GPUBuffer,
    offsetBytes: number,
    sizeBytes: number,
    target: ArrayBuffer,
  ): Promise<void> {
    const encoder = this.device.createCommandEncoder({ label: "read-back" });
    const pieces: { piece: GPUBuffer; at: number; size: number }[] = [];
    for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
      const size = Math.min(PIECE_BYTES, sizeBytes - at);
      const piece = this.#free.pop() ?? this.#create();
      encoder.copyBufferToBuffer(buffer, offsetBytes + at, piece, 0, size);
      pieces.push({ piece, at, size });
    }
    this.device.queue.submit([encoder.finish()]);
    try {
      await Promise.all(
        pieces.map(({ piece, size }) => piece.mapAsync(GPUMapMode.READ, 0, size)),
      );
    } catch (error) {
      for (const { piece } of pieces) piece.destroy();
      throw error;
    }
    const bytes = new Uint8Array(target);
    for (const { piece, at, size } of pieces) {
      bytes.set(new Uint8Array(piece.getMappedRange(0, size)), at);
      piece.unmap();
      if (this.#free.length < KEPT_PIECES) this.#free.push(piece);
      else piece.destroy();
    }
  }

  /** Destroys what is kept. */
  dispose(): void {
    for (const piece of this.#free.splice(0)) piece.destroy();
  }

  #create(): GPUBuffer {
    return this.device.createBuffer({
      label: "read-back",
      size: PIECE_BYTES,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }
}
