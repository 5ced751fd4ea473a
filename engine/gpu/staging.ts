/**
 * Buffers as kernels read them through textures.
 *
 * A CPU driver reads a storage buffer lane by lane, each behind a test, and a texture without one: ten times as fast and more. Buffers stay
 * the one form in which numbers are kept; a texture is a copy, made just before the launch that reads it.
 *
 * @module
 */

/** A staged operand: number i of a buffer is texel `(i % 4096, i / 4096)`, or one of the four of texel `(i / 4 % 1024, i / 4096)`. */
export type StagedFormat = "r32float" | "rgba32float";

const NUMBERS_PER_ROW = 4096;
const ROW_BYTES = NUMBERS_PER_ROW * 4;

/** Textures that launches copy their operands into, one after another: the queue runs each copy after the launch before it. */
export class Staging {
  /** By operand, format and rows, a power of two: at most twice the bytes of the largest operands. */
  readonly #textures = new Map<string, { texture: GPUTexture; view: GPUTextureView }>();

  /** Use `Gpu.record`. */
  constructor(private readonly device: GPUDevice) {}

  /**
   * Records the copy of a whole buffer, and returns what the launch binds.
   *
   * @param operand place among the kernel's operands: two of one launch never share a texture
   * @throws {RangeError} if the buffer has more rows than a texture of this device, or its bytes are no whole texels.
   */
  stage(
    encoder: GPUCommandEncoder,
    operand: number,
    format: StagedFormat,
    buffer: GPUBuffer,
  ): GPUTextureView {
    const texelBytes = format === "r32float" ? 4 : 16;
    const rows = Math.ceil(buffer.size / ROW_BYTES);
    const limit = this.device.limits.maxTextureDimension2D;
    if (rows > limit || buffer.size % texelBytes !== 0) {
      throw new RangeError(
        `Cannot stage buffer '${buffer.label}': got ${buffer.size} bytes, need a multiple of ${texelBytes} up to ${
          limit * ROW_BYTES
        } on this device`,
      );
    }
    const { texture, view } = this.#find(operand, format, rows, ROW_BYTES / texelBytes);
    const whole = Math.floor(buffer.size / ROW_BYTES);
    const copy = (row: number, width: number, height: number) =>
      encoder.copyBufferToTexture(
        { buffer, offset: row * ROW_BYTES, bytesPerRow: ROW_BYTES },
        { texture, origin: [0, row] },
        [width, height],
      );
    if (whole > 0) copy(0, ROW_BYTES / texelBytes, whole);
    if (whole < rows) copy(whole, (buffer.size - whole * ROW_BYTES) / texelBytes, 1);
    return view;
  }

  /** Frees the textures. */
  dispose(): void {
    for (const { texture } of this.#textures.values()) texture.destroy();
    this.#textures.clear();
  }

  #find(operand: number, format: StagedFormat, rows: number, width: number) {
    const height = Math.min(
      2 ** Math.ceil(Math.log2(rows)),
      this.device.limits.maxTextureDimension2D,
    );
    const key = `staged ${operand} ${format} ${height}`;
    let staged = this.#textures.get(key);
    if (!staged) {
      const texture = this.device.createTexture({
        label: key,
        size: [width, height],
        format,
        usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
      });
      staged = { texture, view: texture.createView() };
      this.#textures.set(key, staged);
    }
    return staged;
  }
}
