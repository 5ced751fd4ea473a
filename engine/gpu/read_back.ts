/**
 * Copies from the device to the host.
 *
 * They go through mappable buffers of a few MiB that are reused, as is the host's memory behind each mapping: pages that a process touches for
 * the first time cost a CPU driver more than the rest of a read. A single mapping of 64 MiB would take new pages each time.
 *
 * @module
 */

/** Size of a mapping in bytes; C's allocator returns freed memory above some 32 MiB to the system. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Number of mappable buffers that are kept for reuse: as many as a tile of a kernel takes. */
const KEPT_PIECES = 16;

/** Mappable buffers that the host reads a device's buffers through. */
export class ReadBack {
  readonly #free: GPUBuffer[] = [];

  constructor(private readonly device: GPUDevice) {}

  /**
   * Copies bytes of a buffer to the beginning of `target`, after everything submitted so far. Costs some 12 ms in Deno, whatever
   * the size: keep it out of inner loops.
   *
   * @param sizeBytes number of bytes, a multiple of 4
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

  /** Destroys the buffers kept for reuse. */
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
