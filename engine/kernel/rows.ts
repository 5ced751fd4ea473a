/**
 * Packed rows: on the device, or in a file where they do not fit.
 *
 * @module
 */
import type { Commands } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { encodeSegments, type RowLayout } from "./layout.ts";
import { padRows, PANEL_ROWS, planBlockRows, type RowPlan } from "./plan.ts";
import { RowFile } from "./row_file.ts";
import { type GramVariant, PLAIN_VARIANT } from "./variants.ts";

/** Neighbouring rows that a kernel can bind at once. */
export interface RowBlock {
  /** Number of the block, from 0. */
  readonly index: number;
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
  /** Default: the device. */
  readonly residence?: RowPlan["residence"];
  /** Neighbouring rows that belong to one sample. Default 1. */
  readonly rowsPerSample?: number;
}

/** A place on the device and the block that stands there. */
interface Slot {
  readonly panels: GPUBuffer | GPUTexture;
  block: RowBlock | undefined;
}

/**
 * The signed projections of N samples, packed: `[N, length]` f32 in blocks. Dispose them to free the memory, `4 * length * N` bytes rounded
 * up to 64 rows; in a file two blocks of that are on the device, and one in the host's memory. Rows of the eNTK are C for each sample.
 */
export class Rows {
  readonly blocks: readonly RowBlock[];
  readonly variant: GramVariant;
  readonly residence: RowPlan["residence"];
  /** 1, or C where a sample has a row for each of its logits. */
  readonly rowsPerSample: number;
  /** The layout as the kernels read it, `[segmentCount, 4]` u32. */
  readonly segments: GPUBuffer;
  readonly segmentCount: number;
  /** A slot for each block; with a file two for all, the one that was asked for last at the end. */
  readonly #slots: Slot[];
  readonly #file: RowFile | undefined;

  /** Allocates rows of zeros. */
  constructor(
    readonly gpu: Gpu,
    readonly layout: RowLayout,
    readonly count: number,
    {
      variant = PLAIN_VARIANT,
      blockRows = planBlockRows(layout.length, gpu.device.limits.maxStorageBufferBindingSize),
      residence = "device",
      rowsPerSample = 1,
    }: RowsOptions = {},
  ) {
    this.variant = variant;
    this.residence = residence;
    this.rowsPerSample = rowsPerSample;
    const blocks: RowBlock[] = [];
    for (let firstRow = 0; firstRow < count; firstRow += blockRows) {
      const rowCount = Math.min(blockRows, count - firstRow);
      const panelCount = padRows(rowCount) / PANEL_ROWS;
      blocks.push({ index: blocks.length, firstRow, rowCount, panelCount });
    }
    this.blocks = blocks;
    const isFiled = residence === "file" && blocks.length > 2;
    this.#file = isFiled ? new RowFile(4 * PANEL_ROWS * layout.length) : undefined;
    const held = isFiled ? [blocks[0], blocks[0]] : blocks;
    this.#slots = held.map(({ firstRow, panelCount }, i) => ({
      panels: gpu.createPanels(`rows ${firstRow}`, variant.operands, layout.length, panelCount),
      block: isFiled ? undefined : blocks[i],
    }));
    const table = encodeSegments(layout);
    this.segments = gpu.upload("segments", table);
    this.segmentCount = table.length / 4;
  }

  /**
   * A block where kernels can read it: panels of 64 rows (`gpu/panels.ts`), a line for each number of a row, f32, zeros after the last row.
   * It stays until two other blocks have been bound.
   *
   * @param commands what has been recorded to read other blocks, which is submitted before one of them has to make room
   */
  bind(commands: Commands, block: RowBlock): GPUBuffer | GPUTexture {
    if (!this.#file) return this.#slots[block.index].panels;
    const at = this.#slots.findIndex((slot) => slot.block === block);
    const [slot] = this.#slots.splice(Math.max(at, 0), 1);
    this.#slots.push(slot);
    if (slot.block !== block) {
      commands.submit();
      const numbers = this.#file.read(block.firstRow / PANEL_ROWS, block.panelCount);
      this.gpu.writePanels(slot.panels, numbers, this.layout.length);
      slot.block = block;
    }
    return slot.panels;
  }

  /**
   * Puts the first `count` panels of a buffer in their place, `first` panels into a block, after what `commands` has recorded; submits it.
   *
   * @throws {FileError} if the rows are kept in a file, and it cannot be written.
   */
  async write(
    commands: Commands,
    staged: GPUBuffer,
    block: RowBlock,
    { first, count }: { first: number; count: number },
  ): Promise<void> {
    const height = this.layout.length;
    if (!this.#file) {
      commands.copyPanels(staged, this.#slots[block.index].panels, { height, first, count });
      commands.submit();
      return;
    }
    commands.submit();
    const panels = await this.gpu.read(staged, 4 * PANEL_ROWS * height * count);
    this.#file.write(block.firstRow / PANEL_ROWS + first, new Uint8Array(panels));
  }

  /** Frees the rows; a second time does nothing. */
  dispose(): void {
    for (const { panels } of this.#slots) this.gpu.destroyBuffer(panels);
    this.gpu.destroyBuffer(this.segments);
    this.#file?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
