/**
 * Products of packed rows on the device, tile by tile.
 *
 * @module
 */
import type { Commands } from "../gpu/commands.ts";
import { type BlockPair, pairBlocks, PANEL_ROWS } from "./blocks.ts";
import { Products } from "./products.ts";
import type { PackedRows, RowBlock } from "./rows.ts";

/** A tile on the device, valid until the next one is computed. */
export interface DeviceTile {
  /** Block of the tile's rows. */
  readonly left: RowBlock;
  /** Block of the tile's columns. */
  readonly right: RowBlock;
  /** Entries `[left, right]` f32 in whole panels, row-major; only the pairs of panels in `pairs` are computed. */
  readonly tile: GPUBuffer;
  /** Pairs of panels of the left and the right block, `[pairCount, 2]` u32; on the diagonal those on and above it. */
  readonly pairs: GPUBuffer;
  readonly pairCount: number;
  /** Whether both blocks are the same. */
  readonly diagonal: boolean;
  /** Position of the tile in the matrix, as parameters of the epilogues' kernels. */
  readonly place: Readonly<
    Record<"first_row" | "row_count" | "first_column" | "column_count" | "column_panels", number>
  >;
  /** Index of the tile, from 0, and number of all tiles. */
  readonly index: number;
  readonly tileCount: number;
}

/**
 * Computes tiles of `rows . columns^T` on the device, one after another in the same memory; without `columns` those of the symmetric matrix
 * on and above the diagonal.
 */
export class TileSweep implements Disposable {
  readonly places: readonly BlockPair[];
  readonly #stack = new DisposableStack();
  readonly #tile: GPUBuffer;
  readonly #products: Products;

  /**
   * @throws {RangeError} if the two sides come from networks of different layers, or are of different sketches or kinds.
   * @throws {DisposedError} if one of them has been disposed, or its engine.
   */
  constructor(
    private readonly rows: PackedRows,
    private readonly columns: PackedRows,
    isWanted: (firstRow: number, firstColumn: number) => boolean = () => true,
  ) {
    const { layout, gpu } = rows;
    columns.gpu.check();
    const sketches = [layout, columns.layout].map(({ sketch }) =>
      sketch ? `a sketch of ${sketch.dimension} numbers with seed ${sketch.seed}` : "exact rows"
    );
    if (sketches[0] !== sketches[1]) {
      throw new RangeError(
        `Cannot multiply rows: got ${
          sketches.join(" and ")
        }, need the same sketch on both sides, or none`,
      );
    }
    const [kind, other] = [rows, columns].map(describeProjection);
    if (kind !== other) {
      throw new RangeError(
        `Cannot multiply rows: got ${kind} rows and ${other} rows, need both projected as the same kind, ` +
          "and both normalised or neither",
      );
    }
    if (JSON.stringify(layout) !== JSON.stringify(columns.layout)) {
      const [own, others] = [layout, columns.layout].map(({ segments, length }) =>
        `${length} numbers of layers ${segments.map(({ layer }) => layer).join(", ")}`
      );
      throw new RangeError(
        `Cannot multiply rows: got rows of ${own} and rows of ${others}, need the same layers of one network`,
      );
    }
    if (rows.variant.operands !== columns.variant.operands) {
      throw new RangeError(
        `Cannot multiply rows: got one side in ${rows.variant.operands}s and one in ${columns.variant.operands}s, need both in the same`,
      );
    }
    this.places = pairBlocks(rows.blocks.length, columns.blocks.length, columns === rows).filter(
      ({ row, column }) => isWanted(rows.blocks[row].firstRow, columns.blocks[column].firstRow),
    );
    const most = (side: PackedRows) => Math.max(...side.blocks.map(({ panelCount }) => panelCount));
    const sizeBytes = most(rows) * most(columns) * PANEL_ROWS * PANEL_ROWS * 4;
    this.#tile = this.#stack.adopt(
      gpu.createBuffer("tile", sizeBytes),
      (buffer) => gpu.destroyBuffer(buffer),
    );
    this.#products = this.#stack.use(new Products(rows, columns));
  }

  /** The tile at `places[index]`, which holds its numbers once what `record` records has been submitted. */
  tileAt(index: number): DeviceTile {
    const { rows, columns } = this;
    const { row, column } = this.places[index];
    const [left, right] = [rows.blocks[row], columns.blocks[column]];
    const diagonal = left === right;
    const tile = this.#tile;
    const list = this.#products.list(pairPanels(left, right));
    const { buffer: pairs, count: pairCount } = list;
    const place = {
      first_row: left.firstRow,
      row_count: left.rowCount,
      first_column: right.firstRow,
      column_count: right.rowCount,
      column_panels: right.panelCount,
    };
    const tileCount = this.places.length;
    return { left, right, tile, pairs, pairCount, diagonal, place, index, tileCount };
  }

  /**
   * Records the computation of a tile; yields the share of it that is recorded whenever that is to be submitted before the rest, as
   * `Products.record` does.
   */
  record(commands: Commands, { left, right, tile }: DeviceTile): Generator<number, void> {
    const target = { tile, top: 0, left: 0, width: right.panelCount };
    return this.#products.record(commands, left, right, pairPanels(left, right), target);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

/** Pairs of panels of two blocks; of a block with itself those on and above the diagonal. */
function pairPanels(left: RowBlock, right: RowBlock): BlockPair[] {
  return pairBlocks(left.panelCount, right.panelCount, left === right);
}

/** Names the kernel of rows for an error: `lpntk` or `normalised lpntk`. */
function describeProjection({ projection: { kind, isNormalised } }: PackedRows): string {
  return `${isNormalised ? "normalised " : ""}${kind}`;
}
