/**
 * Texture copies of buffers, for adapters that read textures faster.
 *
 * A CPU driver reads a storage buffer lane by lane with a bounds check for each, and a texture without one: at least ten times as fast. Data
 * are kept in buffers alone; a texture is a copy, made just before the launch that reads it. On a GPU the copy would only cost time:
 * `engine/tuning/operand_storage.ts` measures which is faster.
 *
 * @module
 */
import { findAll, findUses, print, replaceAt, replaceOnce, tokenize } from "../wgsl/tokens.ts";

/**
 * Texture format of an operand's copy. Element `i` of the buffer is texel `(i % 4096, i / 4096)` in `r32float`, and component `i % 4` of texel
 * `(i / 4 % 1024, i / 4096)` in `rgba32float`.
 */
export type CopyFormat = "r32float" | "rgba32float";

const ROW_BYTES = 4096 * 4;

/** Element type of an operand's declaration in the shader, and the expression that reads element `i` of its copy. */
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
 * Rewrites a shader to read the operand `name` from a texture copy instead of its buffer.
 *
 * @throws {SyntaxError} if the shader does not declare the operand exactly once, or its index is not a single variable, as in `name[at]`.
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

/** Textures that operands are copied to. Launches share them in turn, since the queue runs each copy after the launch before it. */
export class OperandCopies {
  /** Textures by operand, format and height, a power of two: together less than four times the bytes of the largest operands. */
  readonly #textures = new Map<string, { texture: GPUTexture; view: GPUTextureView }>();

  /** Is constructed by `Gpu` alone. */
  constructor(private readonly device: GPUDevice) {}

  /**
   * Records the copy of a whole buffer to a texture, and returns the view that the launch binds.
   *
   * @param operand index among the kernel's operands: two of one launch never share a texture
   * @throws {RangeError} if the buffer needs more rows than a texture of this device has, or its size is no whole number of texels.
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

  /** Destroys the textures. */
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
