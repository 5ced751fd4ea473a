/**
 * Interchangeable, unrelated and contradictory pairs (section 3 and appendix C of the paper, on signed projections).
 *
 * @module
 */
import type { OnProgress } from "../gpu/pace.ts";
import { countSamples, type KernelSource, readSelfSimilarity, readTiles } from "./source.ts";

/** How two samples relate. */
export type Relation = "interchangeable" | "contradictory" | "unrelated" | "between";

/** Number of pairs i < j of each relation. */
export type RelationCounts = Record<Relation, number>;

/** Thresholds of the relations. */
export interface RelationOptions {
  /** In (1/2, 1]; 1/2 itself is accepted. Default 0.5. */
  readonly threshold?: number;
  /** Not negative. Default 0.1. */
  readonly epsilon?: number;
  /** A sample whose relation to every other is wanted. */
  readonly sample?: number;
}

/** One sample's relation to another. */
export interface Partner {
  readonly sample: number;
  readonly relation: Relation;
  readonly similarity: number;
}

/** Relations of a whole data set. */
export interface Relations {
  readonly counts: RelationCounts;
  /** Of `options.sample` to every other sample, the most similar first; empty when none was asked for. */
  readonly partners: readonly Partner[];
}

/**
 * Relation of a pair: with `a = kappa(x, x') / kappa(x, x)` and `b = kappa(x, x') / kappa(x', x')`, interchangeable when both are at least
 * `threshold`, contradictory when both are at most `-threshold`, unrelated when both are within `epsilon` of 0, otherwise in between.
 */
export function relate(
  similarity: number,
  self: number,
  otherSelf: number,
  threshold: number,
  epsilon: number,
): Relation {
  const a = similarity / self;
  const b = similarity / otherSelf;
  if (a >= threshold && b >= threshold) return "interchangeable";
  if (a <= -threshold && b <= -threshold) return "contradictory";
  if (Math.abs(a) <= epsilon && Math.abs(b) <= epsilon) return "unrelated";
  return "between";
}

/**
 * Counts the relations of all pairs, and lists those of one sample.
 *
 * The matrix is visited tile by tile and never stored.
 *
 * @throws {RangeError} if a threshold or the sample is out of range, `NonFiniteError` if a self-similarity is not finite.
 */
export async function relateSamples(
  source: KernelSource,
  { threshold = 0.5, epsilon = 0.1, sample }: RelationOptions = {},
  onProgress?: OnProgress,
): Promise<Relations> {
  const count = countSamples(source);
  checkOptions(count, threshold, epsilon, sample);
  const self = await readSelfSimilarity(source);
  const counts: RelationCounts = { interchangeable: 0, contradictory: 0, unrelated: 0, between: 0 };
  const partners: Partner[] = [];
  for await (const tile of readTiles(source, onProgress)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride } = tile;
    for (let i = 0; i < rowCount; i++) {
      const row = firstRow + i;
      // only pairs i < j: a mirrored tile lies above the diagonal, any other holds both orders
      for (let j = Math.max(0, row + 1 - firstColumn); j < columnCount; j++) {
        const column = firstColumn + j;
        const similarity = values[i * stride + j];
        const relation = relate(similarity, self[row], self[column], threshold, epsilon);
        counts[relation]++;
        if (row === sample) partners.push({ sample: column, relation, similarity });
        else if (column === sample) partners.push({ sample: row, relation, similarity });
      }
    }
  }
  partners.sort((p, q) => q.similarity - p.similarity || p.sample - q.sample);
  return { counts, partners };
}

function checkOptions(count: number, threshold: number, epsilon: number, sample?: number): void {
  if (!(threshold >= 0.5 && threshold <= 1)) {
    throw new RangeError(
      `Cannot relate samples: got threshold ${threshold}, need a number from 0.5 to 1`,
    );
  }
  if (!(epsilon >= 0 && epsilon < threshold)) {
    throw new RangeError(
      `Cannot relate samples: got epsilon ${epsilon}, need a number from 0 to below the threshold ${threshold}`,
    );
  }
  if (sample !== undefined && !(Number.isInteger(sample) && sample >= 0 && sample < count)) {
    throw new RangeError(
      `Cannot relate samples: got sample ${sample}, need an integer from 0 to ${count - 1}`,
    );
  }
}
