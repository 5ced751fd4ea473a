/**
 * Which tiles a store that was begun still lacks.
 *
 * @module
 */
import { FileError, NonFiniteError } from "../errors.ts";
import { measureFile } from "../files/file.ts";
import { locateChunk, type ZarrArray } from "../formats/zarr.ts";
import type { OnProgress } from "../gpu/pace.ts";
import type { BlockPair } from "../rows/blocks.ts";
import { hasChunk, listChunks, listTiles, readChunk, type Symmetry } from "./store.ts";

/**
 * Finds the tiles that lack a chunk, and counts those with a broken one, which with `repair` are missing too.
 *
 * @param repair reads every chunk whole
 * @throws {FileError} without `repair`, if a chunk has the wrong size.
 */
export async function findMissing(
  path: string,
  array: ZarrArray,
  symmetry: Symmetry,
  repair: boolean,
  onProgress?: OnProgress,
): Promise<{ missing: BlockPair[]; broken: number }> {
  const missing: BlockPair[] = [];
  let broken = 0;
  const tiles = listTiles(array, symmetry);
  for (const [done, tile] of tiles.entries()) {
    const states = await Promise.all(
      listChunks(tile, symmetry).map((chunk) => inspectChunk(path, array, chunk, repair)),
    );
    if (states.some((state) => state !== "whole")) missing.push(tile);
    if (states.includes("broken")) broken++;
    onProgress?.(done + 1, tiles.length);
  }
  return { missing, broken };
}

async function inspectChunk(
  path: string,
  array: ZarrArray,
  chunk: BlockPair,
  repair: boolean,
): Promise<"whole" | "missing" | "broken"> {
  const file = locateChunk(path, chunk.row, chunk.column);
  if (!repair) return await hasChunk(file, array.chunkShape) ? "whole" : "missing";
  if (await measureFile(file) === undefined) return "missing";
  try {
    await readChunk(path, array, chunk);
    return "whole";
  } catch (error) {
    if (error instanceof FileError || error instanceof NonFiniteError) return "broken";
    throw error;
  }
}
