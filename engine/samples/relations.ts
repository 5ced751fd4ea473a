/**
 * Interchangeable, unrelated and contradictory pairs (section 3 and appendix C of the paper, on signed projections).
 *
 * @module
 */
import { kernels } from "../../shaders/kernel_table.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy, type OnProgress } from "../gpu/pace.ts";
import { foldTiles } from "../kernel/gram.ts";
import { PackedRows } from "../rows/rows.ts";
import { foldDiagonal } from "../kernel/self_similarity.ts";
import { checkKeys, checkNumber, type OptionNames } from "../options.ts";
import {
  checkSource,
  chooseRounding,
  countSamples,
  type KernelSource,
  readRow,
  readSelfSimilarity,
  readTiles,
  type StoredKernel,
} from "./source.ts";

/** How two samples relate. */
export type Relation = "interchangeable" | "contradictory" | "unrelated" | "between";

/** Number of pairs i < j of each relation. */
export type RelationCounts = Record<Relation, number>;

/** Thresholds of the relations. */
export interface RelationOptions extends CallOptions {
  /** In (1/2, 1]; 1/2 itself is accepted. Default 0.5. */
  readonly threshold?: number;
  /** Not negative. Default 0.1. */
  readonly epsilon?: number;
  /** A sample whose relation to every other is wanted. */
  readonly sample?: number;
}

const RELATION_OPTIONS: OptionNames<RelationOptions> = {
  threshold: true,
  epsilon: true,
  sample: true,
  ...CALL_OPTIONS,
};

/** One sample's relation to another. */
export interface Partner {
  /** The other sample, from 0. */
  readonly sample: number;
  /** How the two relate. */
  readonly relation: Relation;
  /** Their `kappa`. */
  readonly similarity: number;
}

/** Relations of a whole data set. */
export interface Relations {
  /** Of all pairs. */
  readonly counts: RelationCounts;
  /** Of `options.sample` to every other sample, the most similar first; empty when none was asked for. */
  readonly partners: readonly Partner[];
}

/** Judges pairs in the precision of their kernel, so that rows and their stored kernel are judged alike. */
interface Judge {
  readonly threshold: number;
  readonly epsilon: number;
  /** Rounds a number to the kernel's precision. */
  readonly round: (value: number) => number;
}

/**
 * Relation of a pair: with `a = kappa(x, x') / kappa(x, x)` and `b = kappa(x, x') / kappa(x', x')`, interchangeable when both are at least
 * `threshold`, contradictory when both are at most `-threshold`, unrelated when both are within `epsilon` of 0, otherwise in between.
 * The quotients are not formed: `kappa(x, x')` is compared with the rounded products, and a sample without similarity to itself is in
 * between.
 */
function relate(
  similarity: number,
  self: number,
  otherSelf: number,
  { threshold, epsilon, round }: Judge,
): Relation {
  const least = Math.min(self, otherSelf);
  const most = round(threshold * Math.max(self, otherSelf));
  if (least <= 0) return "between";
  if (similarity >= most) return "interchangeable";
  if (similarity <= -most) return "contradictory";
  return Math.abs(similarity) <= round(epsilon * least) ? "unrelated" : "between";
}

/**
 * Counts the relations of all pairs, and lists those of one sample.
 *
 * The matrix is visited tile by tile and never stored; from rows the tiles never leave the device.
 *
 * @throws {RangeError} if a threshold or the sample is out of range, `NonFiniteError` if a self-similarity is not finite.
 */
export async function relateSamples(
  source: KernelSource,
  options: RelationOptions = {},
): Promise<Relations> {
  checkKeys("relate samples", options, RELATION_OPTIONS);
  const { threshold = 0.5, epsilon = 0.1, sample } = options;
  const report = interruptBy(options);
  checkSource("relate samples", source);
  const count = countSamples(source);
  checkOptions(count, threshold, epsilon, sample);
  const self = await readSelfSimilarity(source, options);
  const round = chooseRounding(source);
  const judge = { threshold: round(threshold), epsilon: round(epsilon), round };
  const counts = source instanceof PackedRows
    ? await countFromRows(source, judge, report)
    : await countFromTiles(source, self, judge, report);
  const row = sample === undefined ? [] : await readRow(source, sample);
  const partners = Array.from(row, (similarity, other): Partner => {
    const relation = relate(similarity, self[sample!], self[other], judge);
    return { sample: other, relation, similarity };
  }).filter(({ sample: other }) => other !== sample);
  partners.sort((p, q) => q.similarity - p.similarity || p.sample - q.sample);
  return { counts, partners };
}

/** As `tile_relations` counts them. */
const ORDER = ["interchangeable", "contradictory", "unrelated", "between"] as const;

async function countFromRows(
  rows: PackedRows,
  { threshold, epsilon }: Judge,
  onProgress?: OnProgress,
): Promise<RelationCounts> {
  const { gpu } = rows;
  using stack = new DisposableStack();
  const own = (buffer: GPUBuffer) => stack.adopt(buffer, (b) => gpu.destroyBuffer(b));
  const similarity = own(await foldDiagonal(rows));
  let counts: GPUBuffer | undefined;
  await foldTiles(
    rows,
    (commands, { tile, pairs, pairCount, place, index: slot, tileCount }) => {
      // four numbers a tile, whose pairs a u32 can count
      counts ??= own(gpu.createBuffer("relation counts", tileCount * ORDER.length * 4));
      commands.run(
        kernels.tile_relations,
        { pair_count: pairCount, ...place, slot, threshold, epsilon },
        { tile, pairs, similarity, counts },
        pairCount,
      );
    },
    onProgress,
  );
  const numbers = new Uint32Array(await gpu.read(counts!));
  const total = (relation: number) =>
    numbers.reduce((sum, n, i) => i % ORDER.length === relation ? sum + n : sum, 0);
  return Object.fromEntries(ORDER.map((name, i) => [name, total(i)])) as RelationCounts;
}

async function countFromTiles(
  source: StoredKernel,
  self: ArrayLike<number>,
  judge: Judge,
  onProgress?: OnProgress,
): Promise<RelationCounts> {
  const counts: RelationCounts = { interchangeable: 0, contradictory: 0, unrelated: 0, between: 0 };
  for await (const tile of readTiles(source, onProgress)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride } = tile;
    for (let i = 0; i < rowCount; i++) {
      const row = firstRow + i;
      // only pairs i < j: a mirrored tile lies above the diagonal, any other holds both orders
      for (let j = Math.max(0, row + 1 - firstColumn); j < columnCount; j++) {
        counts[relate(values[i * stride + j], self[row], self[firstColumn + j], judge)]++;
      }
    }
  }
  return counts;
}

function checkOptions(count: number, threshold: number, epsilon: number, sample?: number): void {
  const isThreshold = (value: number) => value >= 0.5 && value <= 1;
  checkNumber("relate samples", "threshold", threshold, isThreshold, "a number from 0.5 to 1");
  checkNumber(
    "relate samples",
    "epsilon",
    epsilon,
    (value) => value >= 0 && value < threshold,
    `a number from 0 to below the threshold ${threshold}`,
  );
  if (sample === undefined) return;
  const isSample = (value: number) => Number.isInteger(value) && value >= 0 && value < count;
  checkNumber("relate samples", "sample", sample, isSample, `an integer from 0 to ${count - 1}`);
}
