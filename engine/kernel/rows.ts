/**
 * Packed rows: on the device, or in a file where they do not fit.
 *
 * @module
 */
import type { Commands } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { type RowLayout, type RowSlice, sliceRow } from "./layout.ts";
import { padRows, PANEL_ROWS, planBlockRows, planSliceLength, type RowPlan } from "./plan.ts";
import { RowFile } from "./row_file.ts";
import { type GramVariant, measureBinding, PLAIN_VARIANT } from "./variants.ts";

/** Neighbouring rows that a kernel binds at once. */
export interface RowBlock {
  /** Number of the block, from 0. */
  readonly index: number;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly panelCount: number;
}

/** Numbers of the rows that a kernel binds at once, with their segment table on the device. */
export interface BoundSlice extends RowSlice {
  readonly segments: GPUBuffer;
  readonly segmentCount: number;
}

/** What a kernel binds: some rows, and some numbers of them. */
export type Place = readonly [block: RowBlock, slice: BoundSlice];

/** How rows are kept. */
export interface RowsOptions {
  /** What multiplies them, which says where they stand. Default: the variant that runs everywhere. */
  readonly variant?: GramVariant;
  /** Rows of one block, in whole panels of 64. Default: as many as the device can bind. */
  readonly blockRows?: number;
  /** Numbers of a row that are bound at once, at most. Default: as many as the device can bind. */
  readonly sliceLength?: number;
  /** Default: the device. */
  readonly residence?: RowPlan["residence"];
  /** Neighbouring rows that belong to one sample. Default 1. */
  readonly rowsPerSample?: number;
}

/** Room on the device, and what stands there. */
interface Slot {
  readonly panels: GPUBuffer | GPUTexture;
  place: Place | undefined;
}

/**
 * The signed projections of N samples, packed: `[N, length]` f32 in blocks of rows and slices of their numbers. Dispose them to free the
 * memory, `4 * length * N` bytes rounded up to 64 rows; in a file one slice of two blocks is on the device, and one of one in the host's
 * memory. Rows of the eNTK are C for each sample.
 */
export class Rows {
  readonly blocks: readonly RowBlock[];
  readonly slices: readonly BoundSlice[];
  readonly variant: GramVariant;
  readonly residence: RowPlan["residence"];
  /** 1, or C where a sample has a row for each of its logits. */
  readonly rowsPerSample: number;
  /** A slot for each place, slice by slice; with a file two for all, the one that was asked for last at the end. */
  readonly #slots: Slot[];
  readonly #file: RowFile | undefined;

  /** Allocates rows of zeros. */
  constructor(
    readonly gpu: Gpu,
    readonly layout: RowLayout,
    readonly count: number,
    options: RowsOptions = {},
  ) {
    const { variant = PLAIN_VARIANT, residence = "device", rowsPerSample = 1 } = options;
    this.variant = variant;
    this.residence = residence;
    this.rowsPerSample = rowsPerSample;
    const binding = measureBinding(gpu, variant.operands);
    const { blockRows = planBlockRows(layout, binding) } = options;
    const { sliceLength = planSliceLength(layout, binding) } = options;
    const blocks: RowBlock[] = [];
    for (let firstRow = 0; firstRow < count; firstRow += blockRows) {
      const rowCount = Math.min(blockRows, count - firstRow);
      const panelCount = padRows(rowCount) / PANEL_ROWS;
      blocks.push({ index: blocks.length, firstRow, rowCount, panelCount });
    }
    this.blocks = blocks;
    this.slices = sliceRow(layout, sliceLength).map((slice) => ({
      ...slice,
      segments: gpu.upload("segments", slice.table),
      segmentCount: slice.table.length / 4,
    }));
    const isFiled = residence === "file" && blocks.length * this.slices.length > 2;
    this.#file = isFiled ? new RowFile(4 * PANEL_ROWS) : undefined;
    const places = this.slices.flatMap((slice) => blocks.map((block): Place => [block, slice]));
    const longest = Math.max(...this.slices.map(({ length }) => length));
    const create = (lines: number, { firstRow, panelCount }: RowBlock) =>
      gpu.createPanels(`rows ${firstRow}`, variant.operands, lines, panelCount);
    this.#slots = isFiled
      ? [0, 1].map(() => ({ panels: create(longest, blocks[0]), place: undefined }))
      : places.map((place) => ({ panels: create(place[1].length, place[0]), place }));
  }

  /**
   * A slice of a block where kernels can read it: panels of 64 rows (`gpu/panels.ts`), a line for each number of the slice, f32, zeros after
   * the last row. It stays until two other places have been bound.
   *
   * @param commands what has been recorded to read other places, which is submitted before one of them has to make room
   */
  bind(commands: Commands, place: Place): GPUBuffer | GPUTexture {
    const [block, slice] = place;
    const file = this.#file;
    if (!file) return this.#slots[slice.index * this.blocks.length + block.index].panels;
    const at = this.#slots.findIndex(({ place }) => place?.[0] === block && place[1] === slice);
    const [slot] = this.#slots.splice(Math.max(at, 0), 1);
    this.#slots.push(slot);
    if (at < 0) {
      commands.submit();
      const numbers = file.read(this.#locate(place, 0), block.panelCount * slice.length);
      this.gpu.writePanels(slot.panels, numbers, slice.length);
      slot.place = place;
    }
    return slot.panels;
  }

  /**
   * Puts the first `count` panels of a buffer, as high as the slice is long, in their place, `first` panels into a block, after what
   * `commands` has recorded; submits it.
   *
   * @throws {FileError} if the rows are kept in a file, and it cannot be written.
   */
  async write(
    commands: Commands,
    staged: GPUBuffer,
    place: Place,
    { first, count }: { first: number; count: number },
  ): Promise<void> {
    const height = place[1].length;
    if (!this.#file) {
      commands.copyPanels(staged, this.bind(commands, place), { height, first, count });
      commands.submit();
      return;
    }
    commands.submit();
    const panels = await this.gpu.read(staged, 4 * PANEL_ROWS * height * count);
    this.#file.write(this.#locate(place, first), new Uint8Array(panels));
  }

  /** Frees the rows; a second time does nothing. */
  dispose(): void {
    for (const { panels } of this.#slots) this.gpu.destroyBuffer(panels);
    for (const { segments } of this.slices) this.gpu.destroyBuffer(segments);
    this.#file?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Line of the file where a panel of a place begins: all panels of a slice stand together. */
  #locate([{ firstRow }, { offset, length }]: Place, panel: number): number {
    const panels = padRows(this.count) / PANEL_ROWS;
    return offset * panels + (firstRow / PANEL_ROWS + panel) * length;
  }
}
