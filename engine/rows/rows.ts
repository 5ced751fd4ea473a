/**
 * Packed rows: on the device, in a file where they do not fit, or computed anew where neither holds them.
 *
 * @module
 */
import { DisposedError } from "../errors.ts";
import type { Commands } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { describeValue } from "../options.ts";
import { type RowLayout, type RowSlice, sliceRow } from "./layout.ts";
import { groupSlices, type Residence, shapeSlot } from "./plan.ts";
import { padRows, PANEL_ROWS, planBlockRows, planSliceLength } from "./blocks.ts";
import { RowFile } from "./row_file.ts";
import { type GramVariant, measureBinding, PLAIN_VARIANT } from "./variants.ts";

/**
 * The signed projections of N samples (equation 3), packed, as `Engine.project` gives them: `[count, length]` f32. Dispose them to free the
 * memory, `4 * length * count` bytes with `count` rounded up to 64. In a `file` two blocks of rows stand on the device in part and one in the
 * host's memory; `recomputed`, two blocks stand there in part, and the network and the data must live as long as the rows.
 */
export interface Rows extends Disposable {
  /** Number of rows: one for each sample, or, of the eNTK, one for each sample's logits, neighbours. */
  readonly count: number;
  /** Numbers in a row. */
  readonly length: number;
  /** What they are the projections of. */
  readonly projection: Projection;
  /** Where they stay. */
  readonly residence: Residence;
  /** Name of the variant of the Gram kernel that they were laid out for: for the record of what computed a result. */
  readonly gramVariant: string;
  /** Name of the variant's shader. */
  readonly gramShader: string;
  /** Frees the rows; a second time does nothing. Whatever needs them then throws a `DisposedError`. */
  dispose(): void;
}

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

/**
 * Which kernel rows are projected for, and so which combination of a sample's logits is differentiated: `lpntk` `s(y) / sqrt(C)` (equation
 * 2), `pntk` `1 / sqrt(C)`. `entk` gives C rows a sample, one for each of its logits alone.
 */
export type KernelKind = "lpntk" | "pntk" | "entk";

/** Every {@linkcode KernelKind}. */
export const KERNEL_KINDS: readonly KernelKind[] = ["lpntk", "pntk", "entk"];

/** What rows are the projections of: products of rows of two kinds are entries of no kernel. */
export interface Projection {
  /** The kernel's name, or `custom` for cotangents of the caller's own. */
  readonly kind: KernelKind | "custom";
  /** Whether every row has length 1, so that the kernel's entries are cosines. */
  readonly isNormalised: boolean;
}

/** Projections of cotangents that have no name, or numbers that are projections of nothing. */
const CUSTOM: Projection = { kind: "custom", isNormalised: false };

/** How rows are kept. */
export interface RowsOptions {
  /** What multiplies them, which says where they stand. Default: the variant that runs everywhere. */
  readonly variant?: GramVariant;
  /** Rows of one block, in whole panels of 64. Default: as many as the device can bind. */
  readonly blockRows?: number;
  /** Numbers of a row that are bound at once, at most. Default: as many as the device can bind. */
  readonly sliceLength?: number;
  /** Default: the device. */
  readonly residence?: Exclude<Residence, "recomputed">;
  /** What computes rows that stay nowhere, and how much of them stands on the device together; disposed with the rows. */
  readonly recompute?: { readonly source: RowSource; readonly heldLength: number };
  /** Rows of a sample, neighbours, where it has one for each of its logits, be that one alone. */
  readonly rowsPerSample?: number;
  /** Default: custom. */
  readonly projection?: Projection;
}

/** Computes packed rows. */
export interface RowSource extends Disposable {
  /**
   * Records the computation of some slices of a block, part by part; a part stands staged until the next one is asked for, and what has been
   * recorded is to be submitted by then.
   */
  fill(
    commands: Commands,
    block: RowBlock,
    slices: readonly BoundSlice[],
  ): Iterable<StagedPanels>;
}

/** Panels on their way to their place. */
export interface StagedPanels {
  readonly slice: BoundSlice;
  readonly panels: GPUBuffer;
  /** The first panel of samples in the block, and how many; a slice has a panel for each of its positions for one of samples. */
  readonly first: number;
  readonly count: number;
}

/** Room on the device for a group of slices of a block, and what stands there. */
interface Slot {
  readonly panels: readonly (GPUBuffer | GPUTexture)[];
  block: RowBlock | undefined;
  group: readonly BoundSlice[] | undefined;
}

/**
 * Rows in blocks of neighbours and slices of their numbers, as kernels bind them. In a file one slice of two blocks is on the device, and one
 * of one in the host's memory; recomputed, some slices of two blocks are on the device.
 */
export class PackedRows implements Rows {
  /** Name of the public type, which errors and the console print. */
  static readonly name = "Rows";

  readonly blocks: readonly RowBlock[];
  readonly slices: readonly BoundSlice[];
  readonly variant: GramVariant;
  readonly residence: Residence;
  /** C where a sample has a row for each of its logits; nothing where it has one of all of them. */
  readonly rowsPerSample: number | undefined;
  readonly projection: Projection;
  /** Slices that stand on the device together, and which of a slot's places each of them takes. */
  readonly #places = new Map<BoundSlice, { group: readonly BoundSlice[]; place: number }>();
  /** A slot for each block, or two for all, the one that was asked for last at the end. */
  readonly #slots: Slot[];
  readonly #file: RowFile | undefined;
  readonly #source: RowSource | undefined;
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
    this.projection = options.projection ?? CUSTOM;
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
    // first, since there may be no room for it
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
   * The device where they stand. Whatever reads rows on a device asks for it first, so that nothing of disposed rows gets there.
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
   * A slice of a block where kernels can read it: panels of 64 rows (`gpu/panels.ts`), a line for each number of the slice, f32, zeros after
   * the last row; position `p` of sample `n` is row `n * positions + p`. It stays until two other places have been bound.
   *
   * @param commands what has been recorded to read other places, which is submitted before one of them has to make room
   * @throws {DisposedError} if the rows have been disposed, or, where they are computed anew, their network.
   */
  bind(commands: Commands, [block, slice]: Place): GPUBuffer | GPUTexture {
    const { gpu } = this;
    const { group, place } = this.#places.get(slice)!;
    const isHeld = (slot: Slot) => slot.block === block && slot.group === group;
    if (!isHeld(this.#slots.at(-1)!)) {
      const at = this.#slots.findIndex(isHeld);
      const [slot] = this.#slots.splice(Math.max(at, 0), 1);
      this.#slots.push(slot);
      if (at < 0) {
        commands.submit();
        // where filling it fails, it holds nothing
        slot.block = undefined;
        this.#fill(gpu, slot, block, group);
        Object.assign(slot, { block, group });
      }
    }
    return this.#slots.at(-1)!.panels[place];
  }

  /** Puts slices of a block in a slot. */
  #fill(gpu: Gpu, { panels }: Slot, block: RowBlock, group: readonly BoundSlice[]): void {
    if (this.#file) {
      const [slice] = group;
      const lines = block.panelCount * slice.length;
      const numbers = this.#file.read(this.#locate([block, slice], 0), lines);
      gpu.writePanels(panels[this.#places.get(slice)!.place], numbers, slice.lines);
      return;
    }
    const commands = gpu.record();
    for (const staged of this.#source!.fill(commands, block, group)) {
      placePanels(commands, staged, panels[this.#places.get(staged.slice)!.place]);
    }
  }

  /**
   * Puts staged panels in their place, after what `commands` has recorded; submits it.
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

  /** Line of the file where a panel of a place begins: all panels of a slice stand together. */
  #locate([{ firstRow }, { offset, length }]: Place, panel: number): number {
    const panels = padRows(this.count) / PANEL_ROWS;
    return offset * panels + (firstRow / PANEL_ROWS + panel) * length;
  }
}

/**
 * Refuses what is no rows.
 *
 * @param action what cannot be done then, as in `Cannot compute a kernel`
 * @param need what else may be given, as in `rows as Engine.project gives them`
 * @throws {TypeError} if these are no rows.
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
 * Refuses what is no rows, and rows that are not one for each sample, of which samples' indices would mean nothing.
 *
 * @param action what cannot be done then, as in `Cannot find redundant samples`
 * @param need what else may be given
 * @throws {TypeError} if these are no rows, `RangeError` if they are several for each sample.
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

/** Submits the copy of staged panels to where kernels read them. */
function placePanels(
  commands: Commands,
  { slice: { lines, positions }, panels, first, count }: StagedPanels,
  to: GPUBuffer | GPUTexture,
): void {
  commands.copyPanels(panels, to, {
    height: lines,
    first: first * positions,
    count: count * positions,
  });
  commands.submit();
}
