/**
 * Self-similarity of packed rows.
 *
 * @module
 */
import { NonFiniteError } from "../errors.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { padRows, PANEL_ROWS } from "../rows/plan.ts";
import { Products } from "./products.ts";
import type { Rows } from "../rows/rows.ts";

/**
 * `kappa(x, x) = |phi(x)|^2` of every row, `[N]` f32: the diagonal of the Gram matrix to the last bit.
 *
 * @throws {NonFiniteError} if one of them is not finite; the message names the sample.
 */
export async function computeSelfSimilarity(rows: Rows): Promise<Float32Array<ArrayBuffer>> {
  const { gpu, count } = rows;
  const buffer = submitSelfSimilarity(rows);
  try {
    const similarity = new Float32Array(await gpu.read(buffer, count * 4));
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
  } finally {
    gpu.destroyBuffer(buffer);
  }
}

/** Panels of which the diagonals are computed in one tile. */
const DIAGONAL_PANELS = 8;

/** Submits the computation of all self-similarities, `[N]` f32 in whole panels; the caller destroys the buffer. */
export function submitSelfSimilarity(rows: Rows): GPUBuffer {
  const { gpu, count, blocks } = rows;
  const buffer = gpu.createBuffer("self-similarity", padRows(count) * 4);
  using products = new Products(rows, rows);
  const width = DIAGONAL_PANELS;
  const tile = gpu.createBuffer("diagonal tile", 4 * (width * PANEL_ROWS) ** 2);
  const commands = gpu.record();
  for (const block of blocks) {
    for (let top = 0; top < block.panelCount; top += width) {
      const panels = Math.min(width, block.panelCount - top);
      const pairs = Array.from({ length: panels }, (_, i) => ({ row: top + i, column: top + i }));
      products.record(commands, block, block, pairs, { tile, top, left: top, width });
      commands.run(
        kernels.tile_diagonal,
        {
          tile_panels: width,
          count: panels * PANEL_ROWS,
          first: block.firstRow + top * PANEL_ROWS,
        },
        { tile, similarity: buffer },
        panels,
      );
    }
  }
  commands.submit();
  gpu.destroyBuffer(tile);
  return buffer;
}
