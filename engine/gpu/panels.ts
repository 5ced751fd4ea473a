/**
 * Panels: numbers that many invocations read side by side, in a buffer or in a texture.
 *
 * A panel is 64 columns wide and as high as the launch says: number `k` of column `n` is at `((n / 64) * height + k) * 64 + n % 64`. In a
 * texture the same bytes are layer `n / 64`, line `k`, texel `n % 64 / 4`. Lavapipe reads textures several times as fast as buffers, whose
 * every component it checks against the end of the buffer.
 *
 * @module
 */
import { replaceOnce } from "../wgsl/tokens.ts";

/** Where panels stand. */
export type OperandStorage = "buffer" | "texture";

/** Columns of a panel. */
export const PANEL_COLUMNS = 64;

/** How a texture of panels is bound. */
export const PANEL_TEXTURE = {
  access: "read-only",
  format: "rgba32float",
  viewDimension: "2d-array",
} as const;

/** Whether panels stand in a buffer. */
export function isBuffer(panels: GPUBuffer | GPUTexture): panels is GPUBuffer {
  return !("createView" in panels);
}

/**
 * A shader that reads the panels `name` from a texture instead of a buffer.
 *
 * @throws {SyntaxError} if the shader does not declare and read them in the one way that is understood.
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
