/**
 * Samples that are there more than once.
 *
 * @module
 */
import { countElements } from "../formats/shape.ts";
import type { Dataset } from "../data/dataset.ts";
import { hashArray } from "../data/digest.ts";
import type { Engine } from "../engine.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";

/** A sample of a group of copies. */
export interface Copy {
  /** Position of the sample in the data set. */
  readonly position: number;
  /** Whether its pixels equal those of the sample that is kept (`exact`), or nearly so (`near`). */
  readonly kind: "kept" | "exact" | "near";
  /** How similar it is to the sample that is kept, up to 1, equal pixels. */
  readonly similarity: number;
}

/** Samples that are copies of one another; the first is the one to keep. */
export type CopyGroup = readonly [kept: Copy, ...others: Copy[]];

/** Finds groups of copies, by the position of the sample that is kept. */
// deno-lint-ignore require-await
export async function findDuplicates(
  _engine: Engine,
  data: Dataset,
  options: CallOptions = {},
): Promise<CopyGroup[]> {
  interruptWith("find duplicates", options);
  const size = countElements(data.shape);
  const groups = new Map<string, number[]>();
  for (const position of data.labels.keys()) {
    const pixels = data.images.subarray(position * size, (position + 1) * size);
    const hash = hashArray({ shape: [size], data: pixels });
    groups.set(hash, [...groups.get(hash) ?? [], position]);
  }
  return [...groups.values()].filter((group) => group.length > 1).map(([kept, ...others]) => [
    { position: kept, kind: "kept", similarity: 1 },
    ...others.map((position): Copy => ({ position, kind: "exact", similarity: 1 })),
  ]);
}
