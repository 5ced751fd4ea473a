/**
 * Buffers as kernels read them through textures, where that is faster.
 *
 * A CPU driver reads a storage buffer lane by lane, each behind a test, and a texture without one: ten times as fast and more. Buffers stay
 * the one form in which numbers are kept; a texture is a copy, made just before the launch that reads it. On a GPU the copy would be all
 * that it gives: `engine/tuning/operand_storage.ts` finds out which holds.
 *
 * @module
 */
import { findAll, findUses, print, replaceAt, replaceOnce, tokenize } from "../wgsl/tokens.ts";

/** The copy of an operand: number i of a buffer is texel `(i % 4096, i / 4096)`, or one of the four of texel `(i / 4 % 1024, i / 4096)`. */
export type CopyFormat = "r32float" | "rgba32float";

const ROW_BYTES = 4096 * 4;

/** What a shader declares an operand as, and how it reads element `i` of a copy. */
const ELEMENTS = {
  r32float: {
    type: "f32",
    read: (name, i) => `textureLoad(${name}, vec2(${i} & 4095, ${i} >> 12)).x`,
  },
  rgba32float: {
    type: "vec4f",
    read: (name, i) => `textureLoad(${name}, vec2(${i} & 1023, ${i} >> 10))`,
  },
} as const satisfies Record<
  CopyFormat,
  { type: string; read: (name: string, i: string) => string }
>;

/**
 * A shader that reads the operand `name` from a copy in a texture instead of its buffer.
 *
 * @throws {SyntaxError} if the shader does not declare it once, or reads it at anything but a variable, as in `name[at]`.
 */
export function readFromCopy(
  tokens: readonly string[],
  name: string,
  format: CopyFormat,
): string[] {
  const { type, read } = ELEMENTS[format];
  const texture = `var ${name}: texture_storage_2d<${format}, read>;`;
  const moved = replaceOnce(tokens, `var<storage, read> ${name}: array<${type}>;`, texture);
  const [declared] = findAll(moved, tokenize(texture));
  const uses = [...findUses(moved, name, 0, declared), ...findUses(moved, name, declared + 2)];
  return replaceAt(
    moved,
    new Map(uses.map((use) => {
      const [, open, index, close] = moved.slice(use, use + 4);
      if (open === "[" && /^\w+$/.test(index) && close === "]") {
        return [use, { length: 4, tokens: tokenize(read(name, index)) }];
      }
      throw new SyntaxError(
        `Cannot read '${name}' from a texture: got '${
          print(moved.slice(use, use + 6))
        }', need a variable in the brackets`,
      );
    })),
  );
}

/** Textures that launches copy their operands into, one after another: the queue runs each copy after the launch before it. */
export class OperandCopies {
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
  copy(
    encoder: GPUCommandEncoder,
    operand: number,
    format: CopyFormat,
    buffer: GPUBuffer,
  ): GPUTextureView {
    const texelBytes = format === "r32float" ? 4 : 16;
    const rows = Math.ceil(buffer.size / ROW_BYTES);
    const limit = this.device.limits.maxTextureDimension2D;
    if (rows > limit || buffer.size % texelBytes !== 0) {
      throw new RangeError(
        `Cannot copy buffer '${buffer.label}' to a texture: got ${buffer.size} bytes, need a multiple of ${texelBytes} up to ${
          limit * ROW_BYTES
        } on this device`,
      );
    }
    const { texture, view } = this.#find(operand, format, rows, ROW_BYTES / texelBytes);
    const whole = Math.floor(buffer.size / ROW_BYTES);
    const record = (row: number, width: number, height: number) =>
      encoder.copyBufferToTexture(
        { buffer, offset: row * ROW_BYTES, bytesPerRow: ROW_BYTES },
        { texture, origin: [0, row] },
        [width, height],
      );
    if (whole > 0) record(0, ROW_BYTES / texelBytes, whole);
    if (whole < rows) record(whole, (buffer.size - whole * ROW_BYTES) / texelBytes, 1);
    return view;
  }

  /** Frees the textures. */
  dispose(): void {
    for (const { texture } of this.#textures.values()) texture.destroy();
    this.#textures.clear();
  }

  #find(operand: number, format: CopyFormat, rows: number, width: number) {
    const height = Math.min(
      2 ** Math.ceil(Math.log2(rows)),
      this.device.limits.maxTextureDimension2D,
    );
    const key = `copy ${operand} ${format} ${height}`;
    let copy = this.#textures.get(key);
    if (!copy) {
      const texture = this.device.createTexture({
        label: key,
        size: [width, height],
        format,
        usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
      });
      copy = { texture, view: texture.createView() };
      this.#textures.set(key, copy);
    }
    return copy;
  }
}
