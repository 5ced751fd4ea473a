/**
 * Self-similarity of packed rows.
 *
 * @module
 */
import { NonFiniteError } from "../errors.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { padRows, PANEL_ROWS } from "./plan.ts";
import type { Rows } from "./rows.ts";

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

/** Submits the computation of all self-similarities, `[N]` f32 in whole panels; the caller destroys the buffer. */
export function submitSelfSimilarity(rows: Rows): GPUBuffer {
  const { gpu, count, blocks, slices } = rows;
  const buffer = gpu.createBuffer("self-similarity", padRows(count) * 4);
  const commands = gpu.record();
  for (const block of blocks) {
    const { panelCount, firstRow } = block;
    for (const slice of slices) {
      const { segments, segmentCount } = slice;
      commands.run(
        kernels.self_similarity,
        {
          row_length: slice.length,
          segment_count: segmentCount,
          panel_count: panelCount,
          first_panel: firstRow / PANEL_ROWS,
          continues: slice.index > 0 ? 1 : 0,
        },
        { rows: rows.bind(commands, [block, slice]), segments, similarity: buffer },
        Math.ceil(panelCount / 8),
      );
    }
  }
  commands.submit();
  return buffer;
}
