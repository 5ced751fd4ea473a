/**
 * Samples that are there more than once.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import { hashArray } from "../../data/digest.ts";
import { refuseFlags } from "../../data/index_check.ts";
import { checkFinite } from "../../data/pixels.ts";
import type { Engine } from "../../engine.ts";
import { countElements } from "../../formats/shape.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy, type OnProgress } from "../../gpu/pace.ts";
import { checkKeys, checkNumber, type OptionNames, refuseSurplus } from "../../options.ts";
import { findNearest } from "../../samples/nearest.ts";
import { areComparedAsRows, comparePictures, compareRows, type Comparison } from "./comparison.ts";

/** A sample of a group of copies. */
export interface Copy {
  /** Position of the sample in the data set. */
  readonly position: number;
  /** Whether its pixels equal those of the sample that is kept (`exact`), or nearly so (`near`). */
  readonly kind: "kept" | "exact" | "near";
  /**
   * How similar it is to the sample that is kept, 1 for equal pixels: the correlation of their pixels where they fit best, or in a table 1 less half
   * the mean square by which their standardised columns differ.
   */
  readonly similarity: number;
}

/** Samples that are copies of one another; the first is the one to keep. Their labels may differ: then one of them is wrong. */
export type CopyGroup = readonly [kept: Copy, ...others: Copy[]];

/** Options of {@link findDuplicates}. */
export interface DuplicateOptions extends CallOptions {
  /** Positions of samples that are not the ones to keep where they have a copy that is none of these, such as those whose labels look wrong. */
  readonly doubted?: ArrayLike<number>;
}

const DUPLICATE_OPTIONS: OptionNames<DuplicateOptions> = { doubted: true, ...CALL_OPTIONS };

/** Number of nearest samples that each sample is compared with; copies of one sample reach one another over several. */
const CANDIDATES = 4;

/** Number of samples between two waits, at which progress is reported and a signal heard. */
const STRIDE = 1024;

/**
 * Finds groups of copies, within and across labels.
 *
 * Exact copies have equal pixels, bit for bit. Near copies of a picture are shifted by at most an eighth of its sides, brighter, darker or of
 * another contrast, saved again as JPEG of quality 60 or better, or several of these. Where the two pictures overlap once they are aligned, what
 * is left between them may be one and a half times what JPEG of that quality leaves of either: copies leave 0 to 1.1 of it, the most alike of 750
 * digits 3.4, of 600 pictures of CIFAR-10 10. And it may be a fifth of the median of what is left between different pictures that are nearest to
 * one another in this data set, since JPEG leaves as much of small or noisy pictures as sets different ones apart. Of MNIST's 60,000 digits one
 * pair is within both, of 10,000 pictures of CIFAR-10 none.
 *
 * Near copies of rows of a table, and of pictures with a side below 8 pixels, are rows whose distance, once the columns are standardised, is
 * at most 0.05 of the median distance of nearest rows; there are none of fewer than 3 columns. A constant picture has exact copies alone.
 *
 * A group holds copies of copies, as long as they resemble the sample that is kept, the first of them, so that no chain of look-alikes grows.
 *
 * Candidates are the nearest pictures by their spectra, found on the device: `60 * N^2` FLOP there, and some 0.2 ms a picture on the host: 22 s for MNIST's 60,000 digits on two CPU
 * cores.
 * Memory grows with N, not with the number of copies.
 *
 * @returns groups by the position of their first sample; each by position, but for the sample that is kept, which comes first
 * @throws {DataError} if a pixel is no finite number.
 * @throws {TypeError} if the doubted samples are flags, or an option is unknown.
 * @throws {RangeError} if the position of a doubted sample is out of range.
 * @throws {OutOfMemoryError} if the device has no room for `240 * N` bytes.
 */
export async function findDuplicates(
  engine: Engine,
  data: Dataset,
  options: DuplicateOptions = {},
): Promise<CopyGroup[]> {
  refuseSurplus("find duplicates", arguments, 3);
  checkKeys("find duplicates", options, DUPLICATE_OPTIONS);
  const doubted = listDoubted(data, options.doubted ?? []);
  const report = interruptBy(options);
  checkFinite(data);
  const count = data.labels.length;
  // each of the four stages counts every sample once
  const stage = (index: number): OnProgress => (done, total) =>
    report?.(count * (index + done / total), 4 * count);
  const firsts = await findFirsts(data, stage(0));
  const distinct = Int32Array.from(firsts.keys()).filter((n) => firsts[n] === n);
  const comparison = (areComparedAsRows(data) ? compareRows : comparePictures)(data, distinct);
  const near = distinct.length < 2 ? [] : await findNear(engine, comparison, distinct, stage);
  report?.(4 * count, 4 * count);
  const places = new Map(Array.from(distinct, (position, place) => [position, place]));
  return collectGroups(firsts, near).map((group) => {
    const kept = group.find(({ position }) => !doubted.has(position)) ?? group[0];
    return kept === group[0] ? group : compareWith(kept.position, group);
  });

  function compareWith(kept: number, group: CopyGroup): CopyGroup {
    const others = group.filter(({ position }) => position !== kept).map(({ position }): Copy => {
      const [first, other] = [firsts[kept], firsts[position]];
      if (first === other) return { position, kind: "exact", similarity: 1 };
      const similarity = comparison.measure(places.get(first)!, places.get(other)!);
      return { position, kind: "near", similarity };
    });
    return [{ position: kept, kind: "kept", similarity: 1 }, ...others];
  }
}

/** Returns the positions of the doubted samples, once they are checked. */
function listDoubted({ labels }: Dataset, doubted: ArrayLike<number>): Set<number> {
  const action = "find duplicates";
  refuseFlags(action, doubted);
  const last = labels.length - 1;
  const isPosition = (value: number) => Number.isInteger(value) && value >= 0 && value <= last;
  const need = `a position, an integer from 0 to ${last}`;
  for (const position of Array.from(doubted)) {
    checkNumber(action, "a doubted sample", position, isPosition, need);
  }
  return new Set(Array.from(doubted));
}

/** Finds the first sample with the same pixels as each sample, `[N]`: itself where none comes before it. */
async function findFirsts(data: Dataset, report: OnProgress): Promise<Int32Array> {
  const size = countElements(data.shape);
  const seen = new Map<string, number>();
  const firsts = new Int32Array(data.labels.length);
  for (const position of firsts.keys()) {
    const pixels = data.images.subarray(position * size, (position + 1) * size);
    const hash = hashArray({ shape: [size], data: pixels });
    const first = seen.get(hash) ?? position;
    seen.set(hash, first);
    firsts[position] = first;
    await pause(position + 1, firsts.length, report);
  }
  return firsts;
}

/** A group of near copies of distinct samples: the one that is kept, and the others with their similarity to it. */
type NearGroup = readonly [kept: number, others: ReadonlyMap<number, number>];

/** Groups distinct samples that are nearly equal. */
async function findNear(
  engine: Engine,
  comparison: Comparison,
  distinct: Int32Array,
  stage: (index: number) => OnProgress,
): Promise<NearGroup[]> {
  const vectors = await run(comparison.describe(), distinct.length, stage(1));
  const size = Math.min(CANDIDATES, distinct.length - 1);
  using rows = await engine.pack(vectors, distinct.length);
  const { samples } = await findNearest(rows, size, { onProgress: stage(2) });
  const links = await linkCopies(comparison, samples, size, stage(3));
  return groupCopies(comparison, links).map(([kept, others]) => [
    distinct[kept],
    new Map([...others].map(([n, similarity]) => [distinct[n], similarity])),
  ]);
}

/** Compares each sample with its nearest ones, and lists the copies among them, both ways. */
async function linkCopies(
  comparison: Comparison,
  nearest: Int32Array,
  size: number,
  report: OnProgress,
): Promise<Map<number, number[]>> {
  const count = nearest.length / size;
  const links = new Map<number, number[]>();
  const link = (from: number, to: number) => links.set(from, [...links.get(from) ?? [], to]);
  comparison.calibrate(nearest, size);
  for (let n = 0; n < count; n++) {
    for (const other of nearest.subarray(n * size, (n + 1) * size)) {
      const isSeen = other < n && nearest.subarray(other * size, (other + 1) * size).includes(n);
      if (isSeen || comparison.compare(n, other, 1) === undefined) continue;
      link(n, other);
      link(other, n);
    }
    await pause(n + 1, count, report);
  }
  return links;
}

/** Follows links from each sample in turn to those that are no member yet, as far as they resemble it, twice as loosely as a copy. */
function groupCopies(comparison: Comparison, links: Map<number, number[]>): NearGroup[] {
  const grouped = new Set<number>();
  const groups: NearGroup[] = [];
  for (const kept of [...links.keys()].sort((a, b) => a - b)) {
    if (grouped.has(kept)) continue;
    const others = new Map<number, number>();
    const queue = [kept];
    for (const member of queue) {
      for (const other of links.get(member)!) {
        if (other === kept || grouped.has(other) || others.has(other)) continue;
        const similarity = comparison.compare(kept, other, 2);
        if (similarity === undefined) continue;
        others.set(other, similarity);
        queue.push(other);
      }
    }
    if (others.size === 0) continue;
    for (const member of queue) grouped.add(member);
    groups.push([kept, others]);
  }
  return groups;
}

/** Joins near copies and the exact copies of all of them. */
function collectGroups(firsts: Int32Array, near: readonly NearGroup[]): CopyGroup[] {
  const keptOf = new Map<number, number>();
  const similarities = new Map<number, number>();
  for (const [kept, others] of near) {
    for (const [other, similarity] of others) {
      keptOf.set(other, kept);
      similarities.set(other, similarity);
    }
  }
  const groups = new Map<number, [Copy, ...Copy[]]>();
  for (const [position, first] of firsts.entries()) {
    const kept = keptOf.get(first) ?? first;
    const group = groups.get(kept);
    if (!group) groups.set(kept, [{ position, kind: "kept", similarity: 1 }]);
    else if (first === kept) group.push({ position, kind: "exact", similarity: 1 });
    else group.push({ position, kind: "near", similarity: similarities.get(first)! });
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Runs a computation that yields how many of its steps are done. */
async function run<T>(steps: Generator<number, T>, total: number, report: OnProgress): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await pause(value, total, report);
  }
}

/** Reports progress, and lets others run, once in a while. */
async function pause(done: number, total: number, report: OnProgress): Promise<void> {
  if (done % STRIDE !== 0 && done !== total) return;
  report(done, total);
  await new Promise((resolve) => setTimeout(resolve, 0));
}
