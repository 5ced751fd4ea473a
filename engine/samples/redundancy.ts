/**
 * Redundant samples (section 4.2 of the paper).
 *
 * @module
 */
import type { OnProgress } from "../gpu/pace.ts";
import { countSamples, type KernelSource, readSelfSimilarity, readTiles } from "./source.ts";

/**
 * Flags every sample x for which some other sample x' has `kappa(x, x') > kappa(x, x)`, strictly.
 *
 * The matrix is visited tile by tile and never stored.
 *
 * @returns `[N]`, 1 where redundant
 * @throws {NonFiniteError} if a self-similarity is not finite.
 */
export async function findRedundant(
  source: KernelSource,
  onProgress?: OnProgress,
): Promise<Uint8Array<ArrayBuffer>> {
  const self = await readSelfSimilarity(source);
  const redundant = new Uint8Array(countSamples(source));
  for await (const tile of readTiles(source, onProgress)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
    for (let i = 0; i < rowCount; i++) {
      const row = firstRow + i;
      for (let j = 0; j < columnCount; j++) {
        const column = firstColumn + j;
        if (row === column) continue;
        const similarity = values[i * stride + j];
        if (similarity > self[row]) redundant[row] = 1;
        if (mirrored && similarity > self[column]) redundant[column] = 1;
      }
    }
  }
  return redundant;
}
