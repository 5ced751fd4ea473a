/**
 * Farthest-point clustering (section 3.4 and algorithm 3 of the paper), over all samples or inside each class.
 *
 * The first centroid is the sample of the largest self-similarity. The next centroid is always the sample that is least similar to its own
 * centroid and no centroid itself, on a tie one of the older cluster, then of the lower index. It leaves its cluster, and every sample that is
 * strictly more similar to it than to its own centroid and no centroid itself moves to its cluster.
 *
 * @module
 */
import { findBadLabel } from "../data/label_check.ts";
import { BudgetError } from "../errors.ts";
import { formatBudget, formatMebibytes, MEBIBYTE } from "../sizes.ts";
import { countShare } from "../share.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { type PlannedLaunch, recordLaunches } from "../gpu/commands.ts";
import { hold } from "../gpu/held.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy, type OnProgress, Pace } from "../gpu/pace.ts";
import { cutLaunches } from "../gpu/rates.ts";
import { computeGram } from "../kernel/gram.ts";
import { isStepwise, measureKernel } from "../rows/plan.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { PackedRows, type Place } from "../rows/rows.ts";
import {
  checkKeys,
  checkNumber,
  describeValue,
  type OptionNames,
  refuseSurplus,
} from "../options.ts";
import {
  checkSource,
  countSamples,
  KernelMatrix,
  type KernelSource,
  readRow,
  readSelfSimilarity,
  type StoredKernel,
} from "./source.ts";

/** Options of `clusterSamples`. */
export interface ClusterOptions extends CallOptions {
  /** Number of clusters per sample, in (0, 1], rounded down; each group has at least one cluster. */
  readonly ratio: number;
  /** Labels `[N]`, by which each class is clustered by itself. Default: all samples are clustered together. */
  readonly perClass?: ArrayLike<number>;
  /** Indices of the samples that are clustered, as if there were no others. Default: all. */
  readonly among?: ArrayLike<number>;
}

const CLUSTER_OPTIONS: OptionNames<ClusterOptions> = {
  ratio: true,
  perClass: true,
  among: true,
  ...CALL_OPTIONS,
};

/** Clusters of a data set. */
export interface Clusters {
  /** Index of each cluster's centroid sample, `[M]`, in order of creation, and class by class when per class. */
  readonly centroids: Int32Array<ArrayBuffer>;
  /** Cluster of each sample, `[N]`; -1 for samples that were not clustered. */
  readonly assignment: Int32Array<ArrayBuffer>;
  /** Largest cluster, or the largest of each class in label order; the older on a tie. */
  readonly heads: readonly number[];
}

/** Samples that are clustered together, apart from other groups, and the number of their clusters. */
interface Group {
  readonly samples: number[];
  readonly clusterCount: number;
}

/** u32 that names no sample and no group. */
const NONE = 0xffffffff;

/** Largest finite f32, which with its negative stands for infinity in the shaders. */
const LARGEST = 3.4028234663852886e38;

/**
 * Clusters samples by farthest-point clustering.
 *
 * Rows are read on the device, all of them once for each centroid, and only the result is read back; of a stored kernel one matrix row is read
 * for each centroid, on the host, in the matrix's own precision. Of rows that are recomputed, or that hold convolutions factored, the kernel
 * is computed first and held on the host, `4 N^2` bytes; progress then counts its tiles.
 *
 * @throws {TypeError} if the source is neither rows nor a stored kernel, or an option is unknown.
 * @throws {RangeError} if the ratio is outside (0, 1], the labels are not an integer of at least 0 for each sample, or `among` does not hold
 * different samples.
 * @throws {BudgetError} if the memory budget has no room for a kernel that is held.
 */
export async function clusterSamples(
  source: KernelSource,
  // callers without types may leave the options out; the error then names the ratio
  options: ClusterOptions = {} as ClusterOptions,
): Promise<Clusters> {
  refuseSurplus("cluster samples", arguments, 2);
  checkKeys("cluster samples", options, CLUSTER_OPTIONS);
  const { ratio, perClass, among, signal, onProgress } = options;
  const report = interruptBy(options);
  checkSource("cluster samples", source);
  const count = countSamples(source);
  const isRatio = (value: number) => value > 0 && value <= 1;
  checkNumber("cluster samples", "ratio", ratio, isRatio, "a number above 0 and at most 1");
  if (perClass !== undefined && typeof Object(perClass).length !== "number") {
    throw new TypeError(
      `Cannot cluster samples per class: got perClass ${
        describeValue(perClass)
      }, need the labels, such as data.labels`,
    );
  }
  if (perClass && perClass.length !== count) {
    throw new RangeError(
      `Cannot cluster samples per class: got ${perClass.length} labels, need ${count}, one for each sample`,
    );
  }
  const bad = perClass ? findBadLabel(perClass) : -1;
  if (bad >= 0) {
    throw new RangeError(
      `Cannot cluster samples per class: got label ${
        perClass![bad]
      } for sample ${bad}, need an integer of at least 0`,
    );
  }
  const samples = among
    ? sortSamples(among, count)
    : Int32Array.from({ length: count }, (_, i) => i);
  const groups = formGroups(samples, ratio, perClass);
  const isHeld = source instanceof PackedRows && !isStepwise(source.residence, source.slices);
  if (isHeld) checkKernelRoom(source);
  const self = await readSelfSimilarity(source, options);
  const parts = !(source instanceof PackedRows)
    ? await clusterStored(source, groups, self, report)
    : isHeld
    // the kernel takes the time, and its clusters next to none
    ? await clusterStored(await multiplyRows(source, { signal, onProgress }), groups, self)
    : await clusterRows(source, groups, self, report);
  return joinParts(parts, groups, count);
}

/** Counts the samples of each cluster, `[M]` i32. */
export function countMembers({ assignment, centroids }: Clusters): Int32Array {
  const members = new Int32Array(centroids.length);
  for (const cluster of assignment) if (cluster >= 0) members[cluster]++;
  return members;
}

/** Clusters of one group, numbered from 0. */
interface Part {
  readonly centroids: ArrayLike<number>;
  /** Cluster of each of the group's samples, in their order. */
  readonly assignment: ArrayLike<number>;
}

/**
 * Sorts indices of samples in increasing order.
 *
 * @throws {RangeError} if there are none, or they are not different integers below `count`.
 */
function sortSamples(among: ArrayLike<number>, count: number): Int32Array {
  const sorted = Array.from(among).sort((a, b) => a - b);
  const isWrong = (sample: number, i: number) =>
    !(Number.isInteger(sample) && sample >= 0 && sample < count) || sample === sorted[i - 1];
  const wrong = sorted.findIndex(isWrong);
  if (wrong >= 0 || sorted.length === 0) {
    throw new RangeError(
      `Cannot cluster some samples: got ${
        wrong >= 0 ? `index ${sorted[wrong]}` : "none"
      }, need different integers from 0 to ${count - 1}`,
    );
  }
  return Int32Array.from(sorted);
}

function formGroups(samples: Int32Array, ratio: number, labels?: ArrayLike<number>): Group[] {
  const byLabel = Map.groupBy(samples, (sample) => labels ? labels[sample] : 0);
  return [...byLabel.entries()].sort(([a], [b]) => a - b).map(([, members]) => ({
    samples: members,
    clusterCount: Math.max(1, countShare(ratio, members.length)),
  }));
}

/** Finds the group's sample of the largest self-similarity, the first on a tie. */
function findFirstCentroid(group: Group, self: ArrayLike<number>): number {
  return group.samples.reduce((best, sample) => self[sample] > self[best] ? sample : best);
}

/**
 * Refuses to hold the kernel of rows on the host where their memory budget has no room for it.
 *
 * @throws {BudgetError} if there is none; it says what is enough.
 */
function checkKernelRoom({ count, budget, residence }: PackedRows): void {
  const kernelBytes = measureKernel(count);
  if (!budget || budget.usedBytes + kernelBytes <= budget.bytes) return;
  // the slots of recomputed rows take what there is, unless the kernel takes less than half of it
  const enough = residence === "recomputed" && budget.owner === "both"
    ? budget.bytes + 2 * kernelBytes
    : budget.usedBytes + kernelBytes;
  const needBytes = MEBIBYTE * Math.ceil((enough + 1) / MEBIBYTE);
  throw new BudgetError(
    `Cannot cluster ${count} samples: got a memory budget of ${formatBudget(budget.bytes)}${
      budget.owner === "both" ? "" : ` for the ${budget.owner}`
    }, need ${formatMebibytes(needBytes)}, since these rows' kernel of ${
      formatMebibytes(kernelBytes)
    } is held; compute it into a store and cluster that, or take fewer samples`,
    budget.bytes,
    needBytes,
    budget.owner,
  );
}

/**
 * Computes the kernel of rows and holds it on the host.
 *
 * @throws {RangeError} if the kernel is larger than an array can be.
 */
async function multiplyRows(rows: PackedRows, options: CallOptions): Promise<KernelMatrix> {
  return new KernelMatrix(await computeGram(rows, rows, options), rows.count);
}

async function clusterStored(
  source: StoredKernel,
  groups: readonly Group[],
  self: ArrayLike<number>,
  onProgress?: OnProgress,
): Promise<Part[]> {
  const total = groups.reduce((sum, { clusterCount }) => sum + clusterCount, 0);
  let done = 0;
  const parts: Part[] = [];
  for (const { samples, clusterCount } of groups) {
    const centroids: number[] = [];
    const assignment = new Int32Array(samples.length);
    const best = new Float64Array(samples.length).fill(-Infinity);
    let next = samples.indexOf(findFirstCentroid({ samples, clusterCount }, self));
    for (let cluster = 0; cluster < clusterCount; cluster++) {
      const row = await readRow(source, samples[next]);
      centroids.push(samples[next]);
      assignment[next] = cluster;
      best[next] = Infinity;
      next = -1;
      for (let i = 0; i < samples.length; i++) {
        const similarity = row[samples[i]];
        if (similarity > best[i]) {
          best[i] = similarity;
          assignment[i] = cluster;
        }
        const isFarther = next < 0 || best[i] < best[next] ||
          (best[i] === best[next] && assignment[i] < assignment[next]);
        if (isFarther) next = i;
      }
      onProgress?.(++done, total);
    }
    parts.push({ centroids, assignment });
  }
  return parts;
}

async function clusterRows(
  rows: PackedRows,
  groups: readonly Group[],
  self: ArrayLike<number>,
  onProgress?: OnProgress,
): Promise<Part[]> {
  const { gpu, count, blocks, slices } = rows;
  const steps = Math.max(...groups.map((group) => group.clusterCount));
  const first = groups.map((group) => findFirstCentroid(group, self));
  const groupOf = new Uint32Array(count).fill(NONE);
  groups.forEach((group, g) => group.samples.forEach((sample) => groupOf[sample] = g));
  const chosenFirst = new Uint32Array(groups.length * steps).fill(NONE);
  first.forEach((sample, g) => chosenFirst[g * steps] = sample);
  const bestFirst = new Float32Array(count).fill(-LARGEST);
  first.forEach((sample) => bestFirst[sample] = LARGEST);

  const longest = Math.max(...slices.map(({ lines }) => lines));
  using state = await hold(gpu, "cluster samples", (own) => ({
    newest: own(gpu.upload("newest", Uint32Array.from(first))),
    chosen: own(gpu.upload("chosen", chosenFirst)),
    best: own(gpu.upload("best", bestFirst)),
    cluster: own(gpu.createBuffer("cluster", count * 4)),
    group_of: own(gpu.upload("groups", groupOf)),
    centroid_counts: own(
      gpu.upload("centroid counts", Uint32Array.from(groups, (group) => group.clusterCount)),
    ),
    similarity: own(gpu.createBuffer("similarity", count * 4)),
    centroids: own(gpu.createBuffer("centroids", groups.length * Math.ceil(longest / 4) * 16)),
  }));
  const { newest, chosen, best, cluster, group_of, centroid_counts, centroids } = state;
  const commands = gpu.record();
  const pace = new Pace(gpu);
  for (let step = 0; step < steps; step++) {
    if (step > 0) {
      commands.run(
        kernels.fpc_select,
        { sample_count: count, step, step_limit: steps, group_count: groups.length },
        { group_of, centroid_counts, best, cluster, newest, chosen },
        groups.length,
        // each group looks through all samples for its own
        4 * count * (groups.length + 2) / gpu.rates.reads,
      );
    }
    for (const slice of slices) {
      const { lines: row_length } = slice;
      for (const block of blocks) {
        const { firstRow: first_row, rowCount: row_count } = block;
        commands.run(
          kernels.fpc_gather,
          { row_length, group_count: groups.length, first_row, row_count },
          { rows: rows.bind(commands, [block, slice]), newest, centroids },
          Math.ceil(groups.length * row_length / 64),
          8 * groups.length * row_length / gpu.rates.reads,
        );
      }
      const assignments = blocks.flatMap((block) =>
        planAssignments(rows, [block, slice], step, groups.length, state)
      );
      for (const _ of recordLaunches(commands, assignments)) {
        commands.submit();
        if (await pace.step()) onProgress?.(step, steps);
      }
    }
    commands.submit();
    if (await pace.step()) onProgress?.(step + 1, steps);
  }
  const chosenOnHost = new Uint32Array(await gpu.read(chosen));
  const clusterOnHost = new Uint32Array(await gpu.read(cluster));
  onProgress?.(steps, steps);
  return groups.map((group, g) => ({
    centroids: chosenOnHost.subarray(g * steps, g * steps + group.clusterCount),
    assignment: group.samples.map((sample) => clusterOnHost[sample]),
  }));
}

/** Buffers of clustering that assignments read and write. */
type AssignmentState = "centroids" | "newest" | "group_of" | "best" | "cluster" | "similarity";

/** Number of panels that a workgroup of `fpc_assign` serves. */
const ASSIGNED_PANELS = 8;

/** Plans the launches that compare a slice of a block with the newest centroids, cut by {@linkcode cutLaunches}. */
function planAssignments(
  rows: PackedRows,
  [block, slice]: Place,
  step: number,
  group_count: number,
  state: Readonly<Record<AssignmentState, GPUBuffer>>,
): PlannedLaunch[] {
  const panels = Math.min(ASSIGNED_PANELS, block.panelCount);
  const groupMs = 4 * slice.lines * panels * PANEL_ROWS / rows.gpu.rates.reads;
  const groups = Math.ceil(block.panelCount / ASSIGNED_PANELS);
  return cutLaunches(groups, groupMs).map(({ start, end, ms }) => ({
    ms,
    record: (commands) =>
      commands.run(
        kernels.fpc_assign,
        {
          row_length: slice.lines,
          segment_count: slice.segmentCount,
          group_count,
          first_panel: start * ASSIGNED_PANELS,
          first_row: block.firstRow,
          row_count: block.rowCount,
          step,
          continues: slice.index > 0 ? 1 : 0,
          ends: slice.index === rows.slices.length - 1 ? 1 : 0,
        },
        { ...state, rows: rows.bind(commands, [block, slice]), segments: slice.segments },
        end - start,
        ms,
      ),
  }));
}

/** Joins the groups' clusters, and numbers them consecutively over the groups. */
function joinParts(parts: readonly Part[], groups: readonly Group[], count: number): Clusters {
  const centroids: number[] = [];
  const assignment = new Int32Array(count).fill(-1);
  const heads: number[] = [];
  parts.forEach((part, g) => {
    const members = new Int32Array(part.centroids.length);
    groups[g].samples.forEach((sample, i) => {
      assignment[sample] = centroids.length + part.assignment[i];
      members[part.assignment[i]]++;
    });
    heads.push(centroids.length + members.indexOf(members.reduce((a, b) => Math.max(a, b))));
    centroids.push(...Array.from(part.centroids));
  });
  return { centroids: Int32Array.from(centroids), assignment, heads };
}
