/**
 * Packed rows of per-sample gradients: on the device, in a file where they do not fit, or recomputed where neither holds them.
 *
 * @module
 */
import { type BudgetError, DisposedError } from "../errors.ts";
import type { Commands } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { describeValue } from "../options.ts";
import { type RowLayout, type RowSlice, sliceRow } from "./layout.ts";
import { groupSlices, type Residence, shapeSlot } from "./plan.ts";
import { padRows, PANEL_ROWS, planBlockRows, planSliceLength } from "./blocks.ts";
import { RowFile } from "./row_file.ts";
import { type GramVariant, measureBinding, PLAIN_VARIANT } from "./variants.ts";

/**
 * Packed rows: the per-sample gradients of N samples, which are their signed projections (equation 3), `[count, length]` f32, as
 * `Engine.project` computes them. Dispose them to free the memory, `4 * length * count` bytes with `count` rounded up to 64. Of rows in a
 * `file` the device holds one slice of two blocks, and the host one slice of one block. Of rows that are `recomputed` the device holds some
 * slices of two blocks, and their network and data set must live as long as they do.
 */
export interface Rows extends Disposable {
  /** Number of rows: one for each sample, or for the eNTK one for each logit of each sample, those of a sample side by side. */
  readonly count: number;
  /** Number of elements in a row. */
  readonly length: number;
  /** Kernel that the rows are projections for. */
  readonly projection: Projection;
  /** Place where the rows are kept. */
  readonly residence: Residence;
  /** Name of the Gram kernel's variant that the rows were laid out for, to record what computed a result. */
  readonly gramVariant: string;
  /** Name of the variant's shader. */
  readonly gramShader: string;
  /** Frees the rows; a second time does nothing. Everything that needs them then throws `DisposedError`. */
  dispose(): void;
}

/** A block of neighbouring rows that a kernel binds at once. */
export interface RowBlock {
  /** Index of the block, from 0. */
  readonly index: number;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly panelCount: number;
}

/** A slice of rows that a kernel binds at once, with its segment table on the device. */
export interface BoundSlice extends RowSlice {
  readonly segments: GPUBuffer;
  readonly segmentCount: number;
}

/** Binding of a kernel: a slice of a block of rows. */
export type Place = readonly [block: RowBlock, slice: BoundSlice];

/**
 * Kernel that rows are projected for, and so the combination of a sample's logits that is differentiated: `lpntk` `s(y) / sqrt(C)` (equation
 * 2), `pntk` `1 / sqrt(C)`. For `entk` there are C rows a sample, each the gradient of one of its logits.
 */
export type KernelKind = "lpntk" | "pntk" | "entk";

/** Every {@linkcode KernelKind}. */
export const KERNEL_KINDS: readonly KernelKind[] = ["lpntk", "pntk", "entk"];

/** Kernel that rows are projections for. Products of rows of two kinds are entries of no kernel. */
export interface Projection {
  /** Name of the kernel, or `custom` for cotangents of the caller's own. */
  readonly kind: KernelKind | "custom";
  /** Whether every row has length 1, so that the kernel's entries are cosines. */
  readonly isNormalised: boolean;
}

/** Projections of the caller's own cotangents, or rows that are no projections. */
const CUSTOM: Projection = { kind: "custom", isNormalised: false };

/** What the process may hold, and what it holds of that at most beside results; both together with a device that shares its memory. */
export interface RowsBudget {
  readonly bytes: number;
  readonly usedBytes: number;
  readonly owner: BudgetError["owner"];
}

/** Options of packed rows. */
export interface RowsOptions {
  /** Variant of the Gram kernel that multiplies the rows, which determines their storage. Default: the variant that runs everywhere. */
  readonly variant?: GramVariant;
  /** Number of rows in a block, a multiple of 64. Default: as many as the device can bind. */
  readonly blockRows?: number;
  /** Largest number of elements of a row that are bound at once. Default: as many as the device can bind. */
  readonly sliceLength?: number;
  /** Place where the rows are kept. Default: the device. */
  readonly residence?: Exclude<Residence, "recomputed">;
  /** Source of rows that are kept nowhere, disposed with them, and the number of elements of a row that the device holds at a time. */
  readonly recompute?: { readonly source: RowSource; readonly heldLength: number };
  /** Number of rows of a sample, one for each of its logits, side by side. Default: one row for all of its logits. */
  readonly rowsPerSample?: number;
  /** Kernel that the rows are projections for. Default: custom. */
  readonly projection?: Projection;
  /** Memory budget that the rows were planned for. Default: none. */
  readonly budget?: RowsBudget;
}

/** Computes packed rows. */
export interface RowSource extends Disposable {
  /**
   * Records the computation of some slices of a block, part by part. A part stays staged until the next one is requested; by then what has
   * been recorded has to be submitted. A part of which no panel is whole yet counts none.
   */
  fill(
    commands: Commands,
    block: RowBlock,
    slices: readonly BoundSlice[],
  ): Iterable<StagedPanels>;
}

/** Panels in a staging buffer, to be copied to the storage of their rows. */
export interface StagedPanels {
  readonly slice: BoundSlice;
  readonly panels: GPUBuffer;
  /** First panel of 64 samples in the block and number of such panels; for each the slice has as many panels as it has positions. */
  readonly first: number;
  readonly count: number;
}

/** Memory on the device for a group of slices of a block, and the group that it holds. */
interface Slot {
  readonly panels: readonly (GPUBuffer | GPUTexture)[];
  block: RowBlock | undefined;
  group: readonly BoundSlice[] | undefined;
}

/**
 * Rows in blocks of neighbours and slices of their elements, as kernels bind them. Of rows in a file one slice of two blocks is on the device,
 * and one slice of one block in the host's memory; of recomputed rows some slices of two blocks are on the device.
 */
export class PackedRows implements Rows {
  /** Name of the public type, which errors and the console print. */
  static readonly name = "Rows";

  readonly blocks: readonly RowBlock[];
  readonly slices: readonly BoundSlice[];
  readonly variant: GramVariant;
  readonly residence: Residence;
  /** Number of classes where a sample has a row for each of its logits; undefined where it has one row for all of them. */
  readonly rowsPerSample: number | undefined;
  readonly projection: Projection;
  readonly budget: RowsBudget | undefined;
  /** Group of each slice, which is on the device together, and index of the slice's panels in a slot. */
  readonly #places = new Map<BoundSlice, { group: readonly BoundSlice[]; place: number }>();
  /** A slot for each block, or two for all blocks, the one that was bound last at the end. */
  readonly #slots: Slot[];
  readonly #file: RowFile | undefined;
  readonly #source: RowSource | undefined;
  /** Filling of the slot that was filled last, which may wait between two parts. */
  #filling: Generator<number, void> | undefined;
  readonly #gpu: Gpu;
  #disposed = false;

  /** Allocates rows of zeros. */
  constructor(
    gpu: Gpu,
    readonly layout: RowLayout,
    readonly count: number,
    options: RowsOptions = {},
  ) {
    const { variant = PLAIN_VARIANT, residence = "device", recompute, rowsPerSample } = options;
    this.#gpu = gpu;
    this.variant = variant;
    this.residence = recompute ? "recomputed" : residence;
    this.rowsPerSample = rowsPerSample;
    this.budget = options.budget;
    // frozen: what may be multiplied with what follows from it
    this.projection = Object.freeze(options.projection ?? CUSTOM);
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
    const slices = sliceRow(layout, sliceLength);
    const isFiled = this.residence === "file" && blocks.length * slices.length > 2;
    // made before anything on the device, since there may be no room for it
    this.#file = isFiled ? new RowFile(4 * PANEL_ROWS) : undefined;
    this.slices = slices.map((slice) => ({
      ...slice,
      segments: gpu.upload("segments", slice.table),
      segmentCount: slice.table.length / 4,
    }));
    this.#source = recompute?.source;
    const heldLength = isFiled ? 0 : recompute?.heldLength ?? Infinity;
    const groups = groupSlices(this.slices, heldLength);
    const shapes = shapeSlot(groups);
    for (const group of groups) {
      for (const slice of group) {
        const isAlike = ({ positions }: { positions: number }) => positions === slice.positions;
        const place = shapes.findIndex(isAlike) + group.filter(isAlike).indexOf(slice);
        this.#places.set(slice, { group, place });
      }
    }
    const createSlot = ({ firstRow, panelCount }: RowBlock): Slot => {
      const panels = shapes.map(({ positions, lines }) =>
        gpu.createPanels(`rows ${firstRow}`, variant.operands, lines, panelCount * positions)
      );
      return { panels, block: undefined, group: undefined };
    };
    this.#slots = isFiled || recompute
      ? [createSlot(blocks[0]), createSlot(blocks[0])]
      : blocks.map((block) => ({ ...createSlot(block), block, group: groups[0] }));
  }

  get length(): number {
    return this.layout.length;
  }

  get gramVariant(): string {
    return this.variant.name;
  }

  get gramShader(): string {
    return this.variant.kernel.name;
  }

  /**
   * Device of the rows. Everything that reads rows on the device takes it from here, so that nothing of disposed rows is read.
   *
   * @throws {DisposedError} if the rows have been disposed, or their engine.
   */
  get gpu(): Gpu {
    const name = `packed rows [${this.count}, ${this.layout.length}]`;
    if (this.#disposed) throw new DisposedError(name, "others; call engine.project again");
    this.#gpu.check(`the engine of ${name}`);
    return this.#gpu;
  }

  /**
   * Brings a slice of a block to where kernels can read it: panels of 64 rows (`gpu/panels.ts`), k-major, f32, with zeros after the last row;
   * position `p` of sample `n` is row `n * positions + p`. It stays there until two other slices or blocks have been bound.
   *
   * @param commands recording of launches that read earlier bindings; it is submitted before one of these is overwritten
   * @throws {DisposedError} if the rows have been disposed, or, where they are recomputed, their network.
   */
  bind(commands: Commands, place: Place): GPUBuffer | GPUTexture {
    for (const _ of this.prepare(commands, place));
    return this.#slots.at(-1)!.panels[this.#places.get(place[1])!.place];
  }

  /**
   * Brings a slice of a block to where `bind` finds it, part by part; yields the share of it that is there between two parts, where the caller
   * may wait. Others that need room meanwhile finish it first; what they take then, `bind` brings once more.
   *
   * @param commands recording of launches that read earlier bindings; it is submitted before one of these is overwritten
   * @throws {DisposedError} if the rows have been disposed, or, where they are recomputed, their network.
   */
  *prepare(commands: Commands, [block, slice]: Place): Generator<number, void> {
    this.gpu.check();
    const { group } = this.#places.get(slice)!;
    const isHeld = (slot: Slot) => slot.block === block && slot.group === group;
    if (isHeld(this.#slots.at(-1)!)) return;
    if (!this.#slots.some(isHeld)) { for (const _ of this.#filling ?? []); }
    const at = this.#slots.findIndex(isHeld);
    const [slot] = this.#slots.splice(Math.max(at, 0), 1);
    this.#slots.push(slot);
    if (at >= 0) return;
    commands.submit();
    this.#filling = this.#fill(slot, block, group);
    yield* this.#filling;
  }

  /** Fills a slot with slices of a block, as `prepare` says. */
  *#fill(slot: Slot, block: RowBlock, group: readonly BoundSlice[]): Generator<number, void> {
    const { panels } = slot;
    const { gpu } = this;
    // until it is full, and if filling fails, the slot holds nothing
    slot.block = undefined;
    if (this.#file) {
      const [slice] = group;
      const lines = block.panelCount * slice.length;
      const numbers = this.#file.read(this.#locate([block, slice], 0), lines);
      gpu.writePanels(panels[this.#places.get(slice)!.place], numbers, slice.lines);
    } else {
      const commands = gpu.record();
      const total = group.length * block.panelCount;
      let done = 0;
      for (const staged of this.#source!.fill(commands, block, group)) {
        placePanels(commands, staged, panels[this.#places.get(staged.slice)!.place]);
        done += staged.count;
        if (done === total) continue;
        yield done / total;
        // they may have been disposed meanwhile
        this.gpu.check();
      }
    }
    Object.assign(slot, { block, group });
  }

  /**
   * Copies staged panels to the rows' storage, after what `commands` has recorded; everything is submitted.
   *
   * @throws {FileError} if the rows are kept in a file, and it cannot be written.
   */
  async write(
    commands: Commands,
    block: RowBlock,
    staged: StagedPanels,
  ): Promise<void> {
    const { slice, panels, first, count } = staged;
    const place: Place = [block, slice];
    if (!this.#file) {
      placePanels(commands, staged, this.bind(commands, place));
      return;
    }
    commands.submit();
    if (count === 0) return;
    const numbers = await this.gpu.read(panels, 4 * PANEL_ROWS * slice.length * count);
    this.#file.write(this.#locate(place, first), new Uint8Array(numbers));
  }

  dispose(): void {
    this.#disposed = true;
    for (const { panels } of this.#slots) panels.forEach((p) => this.#gpu.destroyBuffer(p));
    for (const { segments } of this.slices) this.#gpu.destroyBuffer(segments);
    this.#file?.dispose();
    this.#source?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Finds the line of the file at which a panel of a block's slice begins: the file holds slice after slice. */
  #locate([{ firstRow }, { offset, length }]: Place, panel: number): number {
    const panels = padRows(this.count) / PANEL_ROWS;
    return offset * panels + (firstRow / PANEL_ROWS + panel) * length;
  }
}

/**
 * Refuses a value that is no rows.
 *
 * @param action action that fails, for the message: `compute a kernel` in `Cannot compute a kernel`
 * @param need description of the values that are accepted, for the message
 * @throws {TypeError} if the value is no rows.
 */
export function checkRows(
  action: string,
  rows: unknown,
  need = "rows as Engine.project gives them",
): asserts rows is PackedRows {
  if (rows instanceof PackedRows) return;
  throw new TypeError(`Cannot ${action}: got ${describeValue(rows)}, need ${need}`);
}

/**
 * Refuses a value that is no rows, and rows of which a sample has several, since their indices are not those of samples.
 *
 * @param action action that fails, for the message: `find redundant samples` in `Cannot find redundant samples`
 * @param need description of the values that are accepted, for the message
 * @throws {TypeError} if the value is no rows.
 * @throws {RangeError} if a sample has several rows.
 */
export function checkSampleRows(
  action: string,
  rows: unknown,
  need?: string,
): asserts rows is PackedRows {
  checkRows(action, rows, need);
  const { rowsPerSample = 1 } = rows;
  if (rowsPerSample > 1) {
    throw new RangeError(
      `Cannot ${action}: got rows of the eNTK, ${rowsPerSample} for each sample, need one for each; ` +
        "project with the kind 'lpntk' or 'pntk'",
    );
  }
}

/** Copies staged panels to the storage that kernels read, and submits the copy. */
function placePanels(
  commands: Commands,
  { slice: { lines, positions }, panels, first, count }: StagedPanels,
  to: GPUBuffer | GPUTexture,
): void {
  if (count > 0) {
    commands.copyPanels(panels, to, {
      height: lines,
      first: first * positions,
      count: count * positions,
    });
  }
  commands.submit();
}
