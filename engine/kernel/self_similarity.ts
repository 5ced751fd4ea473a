/**
 * Self-similarities of packed rows.
 *
 * @module
 */
import { refuseSurplus } from "../options.ts";
import { NonFiniteError } from "../errors.ts";
import { type PlannedLaunch, recordLaunches } from "../gpu/commands.ts";
import type { Gpu } from "../gpu/device.ts";
import { hold } from "../gpu/held.ts";
import { type CallOptions, interruptWith, type OnProgress, Pace } from "../gpu/pace.ts";
import { cutLaunches } from "../gpu/rates.ts";
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
async function foldDiagonal(
  rows: PackedRows,
  onProgress?: OnProgress,
): Promise<{ readonly similarity: GPUBuffer } & Disposable> {
  const { gpu, count, blocks } = rows;
  using stack = new DisposableStack();
  const action = "compute self-similarities";
  const diagonal = stack.use(
    await hold(gpu, action, (own) => ({
      similarity: own(gpu.createBuffer("self-similarity", padRows(count) * 4)),
    })),
  );
  const { similarity } = diagonal;
  using planner = await hold(gpu, action, (_, stack) => ({
    diagonals: stack.use(new Diagonals(rows, similarity)),
  }));
  const pace = new Pace(gpu);
  const commands = gpu.record();
  for (const block of blocks) {
    const { firstRow, rowCount } = block;
    for (const share of recordLaunches(commands, planner.diagonals.plan(block))) {
      commands.submit();
      if (await pace.step()) onProgress?.(firstRow + Math.floor(share * rowCount), count);
    }
    commands.submit();
    if (await pace.step()) onProgress?.(firstRow + rowCount, count);
  }
  stack.move();
  return diagonal;
}

/** Tile of the products of a few panels with themselves. */
interface DiagonalTile {
  readonly products: Products;
  readonly tile: GPUBuffer;
}

/**
 * Plans the launches that compute self-similarities. Those over slices of several positions, which are sums over all pairs of positions, come from
 * the diagonals of tiles.
 */
class Diagonals implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #gpu: Gpu;
  /** Undefined where no slice has several positions. */
  readonly #tile: DiagonalTile | undefined;

  constructor(private readonly rows: PackedRows, private readonly similarity: GPUBuffer) {
    this.#gpu = rows.gpu;
    if (rows.slices.some(({ positions }) => positions > 1)) {
      const sizeBytes = 4 * (DIAGONAL_PANELS * PANEL_ROWS) ** 2;
      const tile = this.#gpu.createBuffer("diagonal tile", sizeBytes);
      this.#stack.adopt(tile, (buffer) => this.#gpu.destroyBuffer(buffer));
      this.#tile = { tile, products: this.#stack.use(new Products(rows, rows)) };
    }
  }

  /** Plans those of a block, in launches that are cut by {@linkcode cutLaunches}. */
  plan(block: RowBlock): PlannedLaunch[] {
    return this.rows.slices.flatMap((slice) =>
      slice.positions > 1
        ? this.#planTiles(block, slice, this.#tile!)
        : this.#planPanels(block, slice)
    );
  }

  #planPanels(block: RowBlock, slice: BoundSlice): PlannedLaunch[] {
    const { rows, similarity } = this;
    const panelMs = 4 * PANEL_ROWS * slice.lines / this.#gpu.rates.reads;
    return cutLaunches(block.panelCount, panelMs).map(({ start, end, ms }) => ({
      ms,
      prepare: (commands) => rows.prepare(commands, [block, slice]),
      record: (commands) =>
        commands.run(
          kernels.self_similarity,
          {
            row_length: slice.lines,
            segment_count: slice.segmentCount,
            first_panel: start,
            panel_count: end - start,
            first_row: block.firstRow,
            continues: slice.index > 0 ? 1 : 0,
          },
          { rows: rows.bind(commands, [block, slice]), segments: slice.segments, similarity },
          end - start,
          ms,
        ),
    }));
  }

  #planTiles(
    block: RowBlock,
    slice: BoundSlice,
    { tile, products }: DiagonalTile,
  ): PlannedLaunch[] {
    const width = DIAGONAL_PANELS;
    return Array.from({ length: Math.ceil(block.panelCount / width) }, (_, i) => {
      const top = i * width;
      const panels = Math.min(width, block.panelCount - top);
      const pairs = Array.from({ length: panels }, (_, i) => ({ row: top + i, column: top + i }));
      const ms = 8 * panels * PANEL_ROWS / this.#gpu.rates.elements;
      const diagonal: PlannedLaunch = {
        ms,
        record: (commands) =>
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
            ms,
          ),
      };
      const target = { tile, top, left: top, width };
      return [...products.plan(slice, block, block, pairs, target, 0), diagonal];
    }).flat();
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
