/**
 * Self-similarities of packed rows.
 *
 * @module
 */
import { refuseSurplus } from "../options.ts";
import { NonFiniteError } from "../errors.ts";
import type { Commands } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { hold } from "../gpu/held.ts";
import { type CallOptions, interruptWith, type OnProgress, Pace } from "../gpu/pace.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { padRows, PANEL_ROWS } from "../rows/blocks.ts";
import { Products } from "../rows/products.ts";
import {
  type BoundSlice,
  checkRows,
  type PackedRows,
  type RowBlock,
  type Rows,
} from "../rows/rows.ts";

/**
 * Computes the self-similarity `kappa(x, x) = |phi(x)|^2` of every row, `[N]` f32: the diagonal of the Gram matrix to the last bit. Reads all
 * rows once.
 *
 * @throws {TypeError} if the value is no rows.
 * @throws {NonFiniteError} if a self-similarity is not finite; the message names the sample.
 */
export async function computeSelfSimilarity(
  rows: Rows,
  options: CallOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  refuseSurplus("compute self-similarities", arguments, 2);
  const report = interruptWith("compute self-similarities", options);
  checkRows("compute self-similarities", rows);
  const { gpu, count } = rows;
  using diagonal = await foldDiagonal(rows, report);
  const similarity = new Float32Array(await gpu.read(diagonal.similarity, count * 4));
  report?.(count, count);
  const bad = similarity.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new NonFiniteError(
      `Cannot compare samples: got self-similarity ${
        similarity[bad]
      } for sample ${bad}, need finite signed projections`,
      bad,
    );
  }
  return similarity;
}

/** Number of panels whose diagonals are computed in one tile. */
const DIAGONAL_PANELS = 8;

/** Computes all self-similarities, `[N]` f32 in whole panels, block by block; the caller disposes them. */
export async function foldDiagonal(
  rows: PackedRows,
  onProgress?: OnProgress,
): Promise<{ readonly similarity: GPUBuffer } & Disposable> {
  const { gpu, count, blocks, slices } = rows;
  using stack = new DisposableStack();
  const action = "compute self-similarities";
  const diagonal = stack.use(
    await hold(gpu, action, (own) => ({
      similarity: own(gpu.createBuffer("self-similarity", padRows(count) * 4)),
    })),
  );
  const { similarity } = diagonal;
  using tiles = await hold(gpu, action, (_, stack) => ({
    diagonals: slices.some(({ positions }) => positions > 1)
      ? stack.use(new Diagonals(rows, similarity))
      : undefined,
  }));
  const pace = new Pace(gpu);
  const commands = gpu.record();
  for (const block of blocks) {
    for (const slice of slices) {
      if (slice.positions > 1) {
        for (const _ of tiles.diagonals!.record(commands, block, slice)) {
          commands.submit();
          if (await pace.step()) onProgress?.(block.firstRow, count);
        }
        continue;
      }
      commands.run(
        kernels.self_similarity,
        {
          row_length: slice.lines,
          segment_count: slice.segmentCount,
          panel_count: block.panelCount,
          first_row: block.firstRow,
          continues: slice.index > 0 ? 1 : 0,
        },
        { rows: rows.bind(commands, [block, slice]), segments: slice.segments, similarity },
        block.panelCount,
        4 * PANEL_ROWS * block.panelCount * slice.lines / gpu.rates.reads,
      );
    }
    commands.submit();
    if (await pace.step()) onProgress?.(block.firstRow + block.rowCount, count);
  }
  stack.move();
  return diagonal;
}

/** Computes self-similarities over slices of several positions, which are sums over all pairs of positions, from the diagonals of tiles. */
class Diagonals implements Disposable {
  readonly #products: Products;
  readonly #gpu: Gpu;
  readonly #tile: GPUBuffer;

  constructor(rows: PackedRows, private readonly similarity: GPUBuffer) {
    this.#gpu = rows.gpu;
    const sizeBytes = 4 * (DIAGONAL_PANELS * PANEL_ROWS) ** 2;
    this.#tile = this.#gpu.createBuffer("diagonal tile", sizeBytes);
    this.#products = new Products(rows, rows);
  }

  /** Records those of a block; yields when that is to be submitted before the rest. */
  *record(commands: Commands, block: RowBlock, slice: BoundSlice): Generator<number, void> {
    const width = DIAGONAL_PANELS;
    const tile = this.#tile;
    for (let top = 0; top < block.panelCount; top += width) {
      const panels = Math.min(width, block.panelCount - top);
      const pairs = Array.from({ length: panels }, (_, i) => ({ row: top + i, column: top + i }));
      const target = { tile, top, left: top, width };
      yield* this.#products.record(commands, block, block, pairs, target, [slice]);
      commands.run(
        kernels.tile_diagonal,
        {
          tile_panels: width,
          count: panels * PANEL_ROWS,
          first: block.firstRow + top * PANEL_ROWS,
          continues: slice.index > 0 ? 1 : 0,
        },
        { tile, similarity: this.similarity },
        panels,
        8 * panels * PANEL_ROWS / this.#gpu.rates.reads,
      );
    }
  }

  [Symbol.dispose](): void {
    this.#products[Symbol.dispose]();
    this.#gpu.destroyBuffer(this.#tile);
  }
}
