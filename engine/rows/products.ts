/**
 * Products of packed rows on the device, panel by panel.
 *
 * @module
 */
import { type Commands, type PlannedLaunch, recordLaunches } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { cutLaunches } from "../gpu/rates.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { type BlockPair, PANEL_ROWS, PRODUCT_PANELS } from "./blocks.ts";
import type { BoundSlice, PackedRows, Place, RowBlock } from "./rows.ts";

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

/**
 * Multiplies blocks of two sets of rows; dispose it to free its lists of pairs. Of what is allocated together it comes last, since room for the
 * lists is only made sure of.
 */
export class Products implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #gpu: Gpu;
  readonly #lists = new Map<string, PairList[]>();
  /** Tile of the products of positions; undefined where no slice has several. */
  readonly #positions: GPUBuffer | undefined;

  constructor(private readonly rows: PackedRows, private readonly columns: PackedRows) {
    this.#gpu = rows.gpu;
    if (rows.slices.some(({ positions }) => positions > 1)) {
      const sizeBytes = 4 * (PRODUCT_PANELS * PANEL_ROWS) ** 2;
      this.#positions = this.#own(this.#gpu.createBuffer("positions", sizeBytes));
    }
    this.#reserveLists();
  }

  /**
   * Records the products of pairs of panels of two blocks, slice by slice, in launches that are cut by {@linkcode cutLaunches}.
   *
   * A slice of several positions is multiplied position by position into a tile of its own, at most 16 MiB, which is then summed.
   *
   * Yields the share of the work that is recorded whenever that is to be submitted before the rest. The caller may do something else after
   * its submission: nothing that is recorded waits by then, and others may take the place of these rows on the device.
   */
  *record(
    commands: Commands,
    left: RowBlock,
    right: RowBlock,
    pairs: readonly BlockPair[],
    target: Target,
  ): Generator<number, void> {
    const launches = this.rows.slices.flatMap((slice, i) =>
      this.plan(slice, left, right, pairs, target, i === 0 ? 0 : 1)
    );
    yield* recordLaunches(commands, launches);
  }

  /**
   * Plans the products of a slice alone, as `record` records them.
   *
   * @param continues 1: adds them to what the tile holds
   */
  plan(
    slice: BoundSlice,
    left: RowBlock,
    right: RowBlock,
    pairs: readonly BlockPair[],
    target: Target,
    continues: number,
  ): PlannedLaunch[] {
    return slice.positions === 1
      ? this.#multiply(slice, left, right, pairs, target, continues)
      : this.#multiplyPositions(slice, left, right, pairs, target, continues);
  }

  /** Pairs of panels, as the epilogues' kernels read them. */
  list(pairs: readonly BlockPair[]): PairList {
    return this.#cut(pairs)[0];
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  /** Makes sure of room for the lists of pairs, so that no attempt to allocate these products succeeds without it. */
  #reserveLists(): void {
    const most = (side: PackedRows) => Math.max(...side.blocks.map(({ panelCount }) => panelCount));
    // one for the epilogues, and those of the products of each number of positions
    const lists = [...new Set(this.rows.slices.map(({ positions }) => positions))]
      .reduce((sum, positions) => sum + positions ** 2, 1);
    // whole blocks and the last ones, and whole blocks with themselves
    this.#gpu.reserve("pairs", 8 * 4 * lists * most(this.rows) * most(this.columns));
  }

  /** Plans the products of a slice of several positions, square by square, and the sums over the positions. */
  #multiplyPositions(
    slice: BoundSlice,
    left: RowBlock,
    right: RowBlock,
    pairs: readonly BlockPair[],
    target: Target,
    continues: number,
  ): PlannedLaunch[] {
    const { positions } = slice;
    const side = Math.floor(PRODUCT_PANELS / positions / 2) * 2;
    const width = side * positions;
    const tile = this.#positions!;
    const pairMs = 4 * (positions * PANEL_ROWS) ** 2 / this.#gpu.rates.elements;
    return cutPairs(pairs, side).flatMap(({ row, column, part }) => {
      const place = { tile, top: row * positions, left: column * positions, width };
      const sums = this.#cut(part, { pairMs }).map((list): PlannedLaunch => {
        const ms = list.count * pairMs;
        return {
          ms,
          record: (commands) =>
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
              ms,
            ),
        };
      });
      return [...this.#multiply(slice, left, right, part, place, 0), ...sums];
    });
  }

  /** Plans the products of pairs of panels of samples of a slice, which has `positions` panels for one of samples. */
  #multiply(
    slice: BoundSlice,
    left: RowBlock,
    right: RowBlock,
    pairs: readonly BlockPair[],
    { tile, top, left: leftmost, width }: Target,
    continues: number,
  ): PlannedLaunch[] {
    const { rows, columns } = this;
    const { kernel, side, name } = rows.variant;
    const { variants, products } = this.#gpu.rates;
    const { lines, positions, segments, segmentCount } = slice;
    const pairMs = 2 * (side * PANEL_ROWS) ** 2 * lines / (variants[name] ?? products);
    const [own, other]: [Place, Place] = [[left, slice], [right, columns.slices[slice.index]]];
    return this.#cut(pairs, { positions, side, pairMs }).map((list) => {
      const ms = list.count * pairMs;
      return {
        ms,
        *prepare(commands) {
          for (const share of rows.prepare(commands, own)) yield share / 2;
          for (const share of columns.prepare(commands, other)) yield (1 + share) / 2;
        },
        record: (commands) =>
          commands.run(
            kernel,
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
              rows: rows.bind(commands, own),
              columns: columns.bind(commands, other),
              segments,
              pairs: list.buffer,
              tile,
            },
            list.count,
            ms,
          ),
      };
    });
  }

  /**
   * Lists pairs of panels of samples, or the panels of positions that they stand for, or so many of these side by side, each once, in lists
   * that are cut by {@linkcode cutLaunches}. Lists that were cut before are taken again.
   */
  #cut(
    pairs: readonly BlockPair[],
    { positions = 1, side = 1, pairMs = 0 }: {
      readonly positions?: number;
      readonly side?: number;
      readonly pairMs?: number;
    } = {},
  ): PairList[] {
    const key = [positions, side, pairMs, ...pairs.map(({ row, column }) => encode(row, column))]
      .join();
    let lists = this.#lists.get(key);
    if (!lists) {
      const places = [...placePairs(pairs, positions, side)];
      lists = cutLaunches(places.length, pairMs).map(({ start, end }) => {
        const numbers = Uint32Array.from(places.slice(start, end).flatMap(decode));
        return { buffer: this.#own(this.#gpu.upload("pairs", numbers)), count: end - start };
      });
      this.#lists.set(key, lists);
    }
    return lists;
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

/** Finds the pairs of panels of positions, or of `side` of them side by side, that pairs of panels of samples stand for, as numbers. */
function placePairs(pairs: readonly BlockPair[], positions: number, side: number): Set<number> {
  const places = new Set<number>();
  for (const { row, column } of pairs) {
    for (let i = row * positions; i < (row + 1) * positions; i++) {
      for (let j = column * positions; j < (column + 1) * positions; j++) {
        places.add(encode(Math.floor(i / side), Math.floor(j / side)));
      }
    }
  }
  return places;
}

/** More panels than a tile has on a side, and so few that encoded pairs stay small integers. */
const PANELS = 2 ** 15;

/** Writes a pair as one number, since strings of millions of them take seconds. */
function encode(row: number, column: number): number {
  return row * PANELS + column;
}

function decode(place: number): [row: number, column: number] {
  return [Math.floor(place / PANELS), place % PANELS];
}
