/**
 * Products of packed rows on the device, panel by panel.
 *
 * @module
 */
import type { Commands } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { type BlockPair, PANEL_ROWS, PRODUCT_PANELS } from "./blocks.ts";
import type { BoundSlice, PackedRows, RowBlock } from "./rows.ts";

/** Pairs of panels, `[count, 2]` u32. */
export interface PairList {
  readonly buffer: GPUBuffer;
  readonly count: number;
}

/** A tile, row-major, that takes the products of some panels. */
export interface Target {
  readonly tile: GPUBuffer;
  /** Panel of the left block at the tile's top; even, since some variants compute two at a time. */
  readonly top: number;
  /** Panel of the right block at its left; even. */
  readonly left: number;
  /** Panels in a line of it. */
  readonly width: number;
}

/** Multiplies blocks of two sets of rows; dispose it to free its lists of pairs. */
export class Products implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #gpu: Gpu;
  readonly #lists = new Map<string, PairList>();
  #positions: GPUBuffer | undefined;

  constructor(private readonly rows: PackedRows, private readonly columns: PackedRows) {
    this.#gpu = rows.gpu;
  }

  /**
   * Records the products of pairs of panels of two blocks, slice by slice; returns the pairs as the epilogues' kernels read them.
   *
   * A slice of several positions is multiplied position by position into a tile of its own, at most 16 MiB, which is then summed.
   *
   * @param slices of the rows, whose products alone the tile then holds. Default: all.
   */
  record(
    commands: Commands,
    left: RowBlock,
    right: RowBlock,
    pairs: readonly BlockPair[],
    target: Target,
    slices: readonly BoundSlice[] = this.rows.slices,
  ): PairList {
    for (const slice of slices) {
      const continues = slice === slices[0] ? 0 : 1;
      if (slice.positions === 1) {
        this.#multiply(commands, slice, left, right, pairs, target, continues);
        continue;
      }
      const { positions } = slice;
      const side = Math.floor(PRODUCT_PANELS / positions / 2) * 2;
      for (const { row, column, part } of cutPairs(pairs, side)) {
        const tile = this.#positions ??= this.#own(
          this.#gpu.createBuffer("positions", 4 * (PRODUCT_PANELS * PANEL_ROWS) ** 2),
        );
        const width = side * positions;
        const place = { tile, top: row * positions, left: column * positions, width };
        this.#multiply(commands, slice, left, right, spreadPairs(part, positions), place, 0);
        const list = this.#list(part);
        commands.run(
          kernels.sum_positions,
          {
            pair_count: list.count,
            positions,
            product_row: row,
            product_column: column,
            product_panels: width,
            tile_row: target.top,
            tile_column: target.left,
            tile_panels: target.width,
            continues,
          },
          { products: tile, pairs: list.buffer, tile: target.tile },
          4 * list.count,
        );
      }
    }
    return this.#list(pairs);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  /** Records one launch over pairs of panels of a slice, which has `positions` of them for one of samples. */
  #multiply(
    commands: Commands,
    slice: BoundSlice,
    left: RowBlock,
    right: RowBlock,
    pairs: readonly BlockPair[],
    { tile, top, left: leftmost, width }: Target,
    continues: number,
  ): void {
    const { rows, columns } = this;
    const { variant } = rows;
    const { lines, positions, segments, segmentCount } = slice;
    const list = this.#list(pairs, variant.side);
    commands.run(
      variant.kernel,
      {
        row_length: lines,
        segment_count: segmentCount,
        pair_count: list.count,
        row_panels: left.panelCount * positions,
        column_panels: right.panelCount * positions,
        tile_row: top,
        tile_column: leftmost,
        tile_panels: width,
        continues,
      },
      {
        rows: rows.bind(commands, [left, slice]),
        columns: columns.bind(commands, [right, columns.slices[slice.index]]),
        segments,
        pairs: list.buffer,
        tile,
      },
      list.count,
    );
  }

  /** Pairs of panels, or of so many panels side by side, each once. */
  #list(pairs: readonly BlockPair[], side = 1): PairList {
    const places = new Set(
      pairs.map(({ row, column }) => `${Math.floor(row / side)},${Math.floor(column / side)}`),
    );
    const key = [...places].join();
    let list = this.#lists.get(key);
    if (!list) {
      const numbers = Uint32Array.from(key.split(","), Number);
      list = { buffer: this.#own(this.#gpu.upload("pairs", numbers)), count: places.size };
      this.#lists.set(key, list);
    }
    return list;
  }

  #own(buffer: GPUBuffer): GPUBuffer {
    return this.#stack.adopt(buffer, (b) => this.#gpu.destroyBuffer(b));
  }
}

/** Groups pairs by the squares of `side` panels that they lie in, with each square's first row and column. */
function cutPairs(pairs: readonly BlockPair[], side: number) {
  const squares = Map.groupBy(
    pairs,
    ({ row, column }) => `${Math.floor(row / side)},${Math.floor(column / side)}`,
  );
  return [...squares].map(([key, part]) => {
    const [row, column] = key.split(",").map((square) => Number(square) * side);
    return { row, column, part };
  });
}

/** Expands pairs of panels of samples to pairs of panels of positions. */
function spreadPairs(pairs: readonly BlockPair[], positions: number): BlockPair[] {
  const spread: BlockPair[] = [];
  for (const { row, column } of pairs) {
    for (let i = 0; i < positions; i++) {
      for (let j = 0; j < positions; j++) {
        spread.push({ row: row * positions + i, column: column * positions + j });
      }
    }
  }
  return spread;
}
