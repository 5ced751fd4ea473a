/**
 * Interchangeable, unrelated and contradictory pairs (section 3 and appendix C of the paper, on signed projections).
 *
 * @module
 */
import { kernels } from "../../shaders/kernel_table.ts";
import { hold } from "../gpu/held.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy, type OnProgress } from "../gpu/pace.ts";
import { foldTiles } from "../kernel/gram.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { PackedRows } from "../rows/rows.ts";
import { checkKeys, checkNumber, type OptionNames, refuseSurplus } from "../options.ts";
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

/** Relation of two samples. */
export type Relation = "interchangeable" | "contradictory" | "unrelated" | "between";

/** Number of pairs i < j of each relation. */
export type RelationCounts = Record<Relation, number>;

/** Options of `relateSamples`. */
export interface RelationOptions extends CallOptions {
  /** Threshold of interchangeable and contradictory pairs, in [1/2, 1]; the paper has it above 1/2. Default 0.5. */
  readonly threshold?: number;
  /** Bound of unrelated pairs, from 0 to below the threshold. Default 0.1. */
  readonly epsilon?: number;
  /** Index of a sample whose relation to every other sample is listed. Default: none. */
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
  /** Index of the other sample. */
  readonly sample: number;
  /** Relation of the two samples. */
  readonly relation: Relation;
  /** Kernel value of the two samples. */
  readonly similarity: number;
}

/** Relations of a whole data set. */
export interface Relations {
  /** Number of pairs of each relation, over all pairs. */
  readonly counts: RelationCounts;
  /** Relations of `options.sample` to every other sample, the most similar first; empty without that option. */
  readonly partners: readonly Partner[];
}

/** Thresholds in the precision of the kernel, so that a pair has the same relation whether its kernel is computed from rows or stored. */
interface Thresholds {
  readonly threshold: number;
  readonly epsilon: number;
  /** Rounds a number to the kernel's precision. */
  readonly round: (value: number) => number;
}

/**
 * Determines the relation of a pair: with `a = kappa(x, x') / kappa(x, x)` and `b = kappa(x, x') / kappa(x', x')`, interchangeable when both
 * are at least `threshold`, contradictory when both are at most `-threshold`, unrelated when both are within `epsilon` of 0, otherwise in
 * between. The quotients are not formed: `kappa(x, x')` is compared with the rounded products, and a pair with a self-similarity of 0 is in
 * between.
 */
function relate(
  similarity: number,
  self: number,
  otherSelf: number,
  { threshold, epsilon, round }: Thresholds,
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
 * @throws {TypeError} if the source is neither rows nor a stored kernel, or an option is unknown.
 * @throws {RangeError} if a threshold or the sample is out of range.
 * @throws {NonFiniteError} if a self-similarity is not finite.
 */
export async function relateSamples(
  source: KernelSource,
  options: RelationOptions = {},
): Promise<Relations> {
  refuseSurplus("relate samples", arguments, 2);
  checkKeys("relate samples", options, RELATION_OPTIONS);
  const { threshold = 0.5, epsilon = 0.1, sample } = options;
  const report = interruptBy(options);
  checkSource("relate samples", source);
  const count = countSamples(source);
  checkOptions(count, threshold, epsilon, sample);
  const self = await readSelfSimilarity(source, options);
  const round = chooseRounding(source);
  const thresholds = { threshold: round(threshold), epsilon: round(epsilon), round };
  const counts = source instanceof PackedRows
    ? await countFromRows(source, self, thresholds, report)
    : await countFromTiles(source, self, thresholds, report);
  const row = sample === undefined ? [] : await readRow(source, sample);
  const partners = Array.from(row, (similarity, other): Partner => {
    const relation = relate(similarity, self[sample!], self[other], thresholds);
    return { sample: other, relation, similarity };
  }).filter(({ sample: other }) => other !== sample);
  partners.sort((p, q) => q.similarity - p.similarity || p.sample - q.sample);
  return { counts, partners };
}

/** Order in which `tile_relations` counts the relations. */
const ORDER = ["interchangeable", "contradictory", "unrelated", "between"] as const;

async function countFromRows(
  rows: PackedRows,
  self: ArrayLike<number>,
  { threshold, epsilon }: Thresholds,
  onProgress?: OnProgress,
): Promise<RelationCounts> {
  const { gpu, blocks } = rows;
  const tileCount = blocks.length * (blocks.length + 1) / 2;
  using held = await hold(gpu, "relate samples", (own) => ({
    // four counts for each tile, whose number of pairs fits a u32
    counts: own(gpu.createBuffer("relation counts", tileCount * ORDER.length * 4)),
    similarity: own(gpu.upload("self-similarity", Float32Array.from(self))),
  }));
  const { counts, similarity } = held;
  await foldTiles(
    rows,
    ({ tile, pairs, pairCount, place, index: slot }) => {
      // an element, and the self-similarities of both its samples
      const ms = 3 * 4 * PANEL_ROWS ** 2 * pairCount / gpu.rates.elements;
      return [{
        ms,
        record: (commands) =>
          commands.run(
            kernels.tile_relations,
            { pair_count: pairCount, ...place, slot, threshold, epsilon },
            { tile, pairs, similarity, counts },
            pairCount,
            ms,
          ),
      }];
    },
    onProgress,
  );
  const numbers = new Uint32Array(await gpu.read(counts));
  const total = (relation: number) =>
    numbers.reduce((sum, n, i) => i % ORDER.length === relation ? sum + n : sum, 0);
  return Object.fromEntries(ORDER.map((name, i) => [name, total(i)])) as RelationCounts;
}

async function countFromTiles(
  source: StoredKernel,
  self: ArrayLike<number>,
  thresholds: Thresholds,
  onProgress?: OnProgress,
): Promise<RelationCounts> {
  const counts: RelationCounts = { interchangeable: 0, contradictory: 0, unrelated: 0, between: 0 };
  for await (const tile of readTiles(source, onProgress)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride } = tile;
    for (let i = 0; i < rowCount; i++) {
      const row = firstRow + i;
      // pairs i < j alone: a mirrored tile lies above the diagonal, any other holds each pair in both orders
      for (let j = Math.max(0, row + 1 - firstColumn); j < columnCount; j++) {
        counts[relate(values[i * stride + j], self[row], self[firstColumn + j], thresholds)]++;
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
