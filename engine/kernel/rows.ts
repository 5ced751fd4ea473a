/**
 * Packed rows on the device.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { encodeSegments, type RowLayout } from "./layout.ts";
import { padRows, PANEL_ROWS, planBlockRows } from "./plan.ts";

/** Neighbouring rows in one buffer that a kernel can bind. */
export interface RowBlock {
  /** Panels of 64 rows, k-major: number k of row n at `((n / 64) * length + k) * 64 + n % 64`, f32, zeros after the last row. */
  readonly buffer: GPUBuffer;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly panelCount: number;
}

/**
 * The signed projections of N samples, packed, on the device: `[N, length]` f32 in blocks. Dispose them to free the memory,
 * `4 * length * N` bytes rounded up to 64 rows.
 */
export class Rows {
  readonly blocks: readonly RowBlock[];
  /** The layout as the kernels read it, `[segmentCount, 4]` u32. */
  readonly segments: GPUBuffer;
  readonly segmentCount: number;

  /**
   * Allocates rows of zeros.
   *
   * @param blockRows rows of one block, in whole panels of 64; as many as the device can bind when left out
   */
  constructor(
    readonly gpu: Gpu,
    readonly layout: RowLayout,
    readonly count: number,
    blockRows: number = planBlockRows(layout.length, gpu.device.limits.maxStorageBufferBindingSize),
  ) {
    const blocks: RowBlock[] = [];
    for (let firstRow = 0; firstRow < count; firstRow += blockRows) {
      const rowCount = Math.min(blockRows, count - firstRow);
      const padded = padRows(rowCount);
      const buffer = gpu.createBuffer(`rows ${firstRow}`, padded * layout.length * 4);
      blocks.push({ buffer, firstRow, rowCount, panelCount: padded / PANEL_ROWS });
    }
    this.blocks = blocks;
    const table = encodeSegments(layout);
    this.segments = gpu.upload("segments", table);
    this.segmentCount = table.length / 4;
  }

  /** Frees the rows; a second time does nothing. */
  dispose(): void {
    for (const { buffer } of this.blocks) this.gpu.destroyBuffer(buffer);
    this.gpu.destroyBuffer(this.segments);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
