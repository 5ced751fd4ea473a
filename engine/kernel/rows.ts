/**
 * Packed rows on the device.
 *
 * @module
 */
import type { Gpu } from "../gpu/device.ts";
import { encodeSegments, type RowLayout } from "./layout.ts";
import { padRows, PANEL_ROWS, planBlockRows } from "./plan.ts";
import { type GramVariant, PLAIN_VARIANT } from "./variants.ts";

/** Neighbouring rows that a kernel can bind at once. */
export interface RowBlock {
  /** Panels of 64 rows (`gpu/panels.ts`), a line for each number of a row, f32, zeros after the last row. */
  readonly panels: GPUBuffer | GPUTexture;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly panelCount: number;
}

/** How rows are kept. */
export interface RowsOptions {
  /** What multiplies them, which says where they stand. Default: the variant that runs everywhere. */
  readonly variant?: GramVariant;
  /** Rows of one block, in whole panels of 64. Default: as many as the device can bind. */
  readonly blockRows?: number;
}

/**
 * The signed projections of N samples, packed, on the device: `[N, length]` f32 in blocks. Dispose them to free the memory,
 * `4 * length * N` bytes rounded up to 64 rows.
 */
export class Rows {
  readonly blocks: readonly RowBlock[];
  readonly variant: GramVariant;
  /** The layout as the kernels read it, `[segmentCount, 4]` u32. */
  readonly segments: GPUBuffer;
  readonly segmentCount: number;

  /** Allocates rows of zeros. */
  constructor(
    readonly gpu: Gpu,
    readonly layout: RowLayout,
    readonly count: number,
    {
      variant = PLAIN_VARIANT,
      blockRows = planBlockRows(layout.length, gpu.device.limits.maxStorageBufferBindingSize),
    }: RowsOptions = {},
  ) {
    this.variant = variant;
    const blocks: RowBlock[] = [];
    for (let firstRow = 0; firstRow < count; firstRow += blockRows) {
      const rowCount = Math.min(blockRows, count - firstRow);
      const panelCount = padRows(rowCount) / PANEL_ROWS;
      const label = `rows ${firstRow}`;
      const panels = gpu.createPanels(label, variant.operands, layout.length, panelCount);
      blocks.push({ panels, firstRow, rowCount, panelCount });
    }
    this.blocks = blocks;
    const table = encodeSegments(layout);
    this.segments = gpu.upload("segments", table);
    this.segmentCount = table.length / 4;
  }

  /** Frees the rows; a second time does nothing. */
  dispose(): void {
    for (const { panels } of this.blocks) this.gpu.destroyBuffer(panels);
    this.gpu.destroyBuffer(this.segments);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
