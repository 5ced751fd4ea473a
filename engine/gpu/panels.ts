/**
 * Panels: operands of matrix products in slices of 64 columns, in a buffer or in a texture.
 *
 * A panel is a row-major matrix `[height, 64]` f32, whose height is a parameter of the launch: element `k` of column `n` is at index
 * `((n / 64) * height + k) * 64 + n % 64` of a buffer. In a texture it is component `n % 4` of texel `n % 64 / 4` in row `k` of layer `n / 64`.
 * Lavapipe reads textures several times as fast as buffers, where it checks the bounds of every component.
 *
 * @module
 */
import { replaceOnce } from "../wgsl/tokens.ts";

/** Storage that operands are read from. */
export type OperandStorage = "buffer" | "texture";

/** Number of columns of a panel. */
export const PANEL_COLUMNS = 64;

/** Bind group layout of a texture of panels. */
export const PANEL_TEXTURE = {
  access: "read-only",
  format: "rgba32float",
  viewDimension: "2d-array",
} as const;

/** Whether a resource is a buffer, not a texture. */
export function isBuffer(panels: GPUBuffer | GPUTexture): panels is GPUBuffer {
  return !("createView" in panels);
}

/**
 * Rewrites a shader to read the panels `name` from a texture instead of a buffer.
 *
 * @throws {SyntaxError} if the shader does not declare and read them exactly once, in the form below.
 */
export function readFromTexture(tokens: readonly string[], name: string): string[] {
  const declared = replaceOnce(
    tokens,
    `var<storage, read> ${name}: array<vec4f>;`,
    `var ${name}: texture_storage_2d_array<rgba32float, read>;`,
  );
  return replaceOnce(
    declared,
    `return ${name}[(panel * params.row_length + k) * 16u + vector];`,
    `return textureLoad(${name}, vec2u(vector, k), panel);`,
  );
}
