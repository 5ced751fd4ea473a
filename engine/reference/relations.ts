/**
 * Float64 twins of the analyses of a kernel: redundancy, relations, nearest samples, farthest-point clusters.
 *
 * Every `kappa` is a symmetric `[N, N]` kernel, row-major.
 *
 * @module
 */
import { shareOf } from "./shares.ts";

/**
 * Redundant samples (section 4.2): 1 where some other sample has `kappa(x, x') > kappa(x, x)`, `[N]`.
 *
 * `rule` `"later"` compares with later samples only, as the authors' code does.
 */
export function redundant(
  kappa: ArrayLike<number>,
  count: number,
  rule: "any" | "later" = "any",
): Uint8Array {
  const flags = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    for (let j = rule === "later" ? i + 1 : 0; j < count; j++) {
      if (j !== i && kappa[i * count + j] > kappa[i * count + i]) flags[i] = 1;
    }
  }
  return flags;
}

/** Each sample's largest similarity to another, or to a later one, `[N]`; `-Infinity` where there is none. */
export function rowMaxima(
  kappa: ArrayLike<number>,
  count: number,
  rule: "any" | "later" = "any",
): Float64Array {
  const maxima = new Float64Array(count).fill(-Infinity);
  for (let i = 0; i < count; i++) {
    for (let j = rule === "later" ? i + 1 : 0; j < count; j++) {
      if (j !== i) maxima[i] = Math.max(maxima[i], kappa[i * count + j]);
    }
  }
  return maxima;
}

/** The `size` other samples that are most similar to each, the most similar first, the lower index first on a tie, `[N][size]`. */
export function nearestSamples(
  kappa: ArrayLike<number>,
  count: number,
  size: number,
): number[][] {
  return Array.from({ length: count }, (_, i) => {
    const others = Array.from({ length: count }, (_, j) => j).filter((j) => j !== i);
    others.sort((a, b) => kappa[i * count + b] - kappa[i * count + a] || a - b);
    return others.slice(0, size);
  });
}

/**
 * Each sample's mean similarity to the other samples of each class, `[N, classes]`, NaN for none; `kappa` `[N, M]` with `labels` `[M]`, where
 * `isSame` tells which column is the row's own sample.
 */
export function classMeans(
  kappa: ArrayLike<number>,
  count: number,
  labels: ArrayLike<number>,
  classes: number,
  isSame: (row: number, column: number) => boolean = (row, column) => row === column,
): number[] {
  return Array.from({ length: count * classes }, (_, at) => {
    const [row, label] = [Math.floor(at / classes), at % classes];
    const columns = Array.from({ length: labels.length }, (_, j) => j)
      .filter((j) => labels[j] === label && !isSame(row, j));
    return columns.reduce((sum, j) => sum + kappa[row * labels.length + j], 0) / columns.length;
  });
}

/** Numbers of pairs of samples in each relation. */
export interface RelationCounts {
  interchangeable: number;
  contradictory: number;
  unrelated: number;
  between: number;
}

/** Bounds between the relations. */
export interface Thresholds {
  /** Share `t` of both self-similarities, in (1/2, 1], from which on a pair is interchangeable, or with the sign changed contradictory. */
  readonly threshold: number;
  /** Share `eps` of both self-similarities up to which a pair is unrelated. */
  readonly tolerance: number;
}

/**
 * Relations (appendix C of the paper, on signed projections). With `a = kappa(x, x') / kappa(x, x)` and `b = kappa(x, x') / kappa(x', x')`:
 * interchangeable when both are at least `threshold`; contradictory when both are at most `-threshold`; unrelated when
 * both are within `tolerance` of 0; otherwise in between.
 *
 * Returns the counts over pairs `i < j`, and `codes` `[N, N]`: 1 interchangeable (the diagonal too), -1 contradictory, else 0.
 */
export function relatePairs(
  kappa: ArrayLike<number>,
  count: number,
  thresholds: Thresholds,
): { counts: RelationCounts; codes: Int8Array } {
  const counts = { interchangeable: 0, contradictory: 0, unrelated: 0, between: 0 };
  const codes = new Int8Array(count * count);
  for (let i = 0; i < count; i++) {
    codes[i * count + i] = 1;
    for (let j = i + 1; j < count; j++) {
      const shared = kappa[i * count + j];
      const a = shared / kappa[i * count + i];
      const b = shared / kappa[j * count + j];
      const relation = relate(a, b, thresholds);
      counts[relation]++;
      const code = relation === "interchangeable" ? 1 : relation === "contradictory" ? -1 : 0;
      codes[i * count + j] = codes[j * count + i] = code;
    }
  }
  return { counts, codes };
}

function relate(a: number, b: number, { threshold, tolerance }: Thresholds): keyof RelationCounts {
  if (a >= threshold && b >= threshold) return "interchangeable";
  if (a <= -threshold && b <= -threshold) return "contradictory";
  if (Math.abs(a) <= tolerance && Math.abs(b) <= tolerance) return "unrelated";
  return "between";
}

/** A farthest-point clustering. */
export interface Clusters {
  /** Sample index of each cluster's centroid, `[M]`, in the order in which the clusters were made. */
  readonly centroids: Int32Array;
  /** Cluster of each sample, `[N]`, an index into `centroids`. */
  readonly assignment: Int32Array;
}

/** Number of centroids for a ratio: `max(1, floor(ratio * count))`, of the decimal product. */
export function centroidCount(ratio: number, count: number): number {
  return Math.max(1, shareOf(ratio, count));
}

/**
 * Farthest-point clustering with lists, algorithm 3 of the paper made exact: a new centroid leaves its old list (the paper's listing leaves this
 * out), so that a centroid never moves; a tie for the next centroid goes to the older cluster, then to the lower index; a tie for the first one
 * to the lowest index. With more clusters than samples every sample is a cluster of its own.
 */
export function farthestPointClusters(
  kappa: ArrayLike<number>,
  count: number,
  clusters: number,
): Clusters {
  const similarity = (i: number, j: number) => kappa[i * count + j];
  const samples = Array.from({ length: count }, (_, i) => i);
  const first = samples.reduce((best, i) => similarity(i, i) > similarity(best, best) ? i : best);
  const centroids = [first];
  const members = [samples.filter((i) => i !== first)]; // samples of each cluster without its centroid, in increasing order

  while (centroids.length < clusters && centroids.length < count) {
    // 1. The sample least similar to its own centroid becomes the centroid of a new cluster.
    let least = Infinity;
    let founder = -1;
    members.forEach((list, j) =>
      list.forEach((i) => {
        if (similarity(centroids[j], i) < least) {
          least = similarity(centroids[j], i);
          founder = i;
        }
      })
    );
    // 2. Samples that are closer to the new centroid move to the new cluster.
    const moves = (i: number, j: number) => similarity(i, centroids[j]) < similarity(i, founder);
    const others = members.map((list) => list.filter((i) => i !== founder));
    const moved = others.flatMap((list, j) => list.filter((i) => moves(i, j)));
    others.forEach((list, j) => members[j] = list.filter((i) => !moves(i, j)));
    members.push(moved.sort((a, b) => a - b));
    centroids.push(founder);
  }

  const assignment = new Int32Array(count);
  members.forEach((list, j) => [centroids[j], ...list].forEach((i) => assignment[i] = j));
  return { centroids: Int32Array.from(centroids), assignment };
}

/**
 * Farthest-point clustering inside each class, with `max(1, floor(ratio * N_c))` centroids a class; clusters are numbered through all classes,
 * in increasing order of the labels.
 *
 * `kappa` `[N, N]`, `labels` `[N]`; centroids are indices into all N samples.
 */
export function farthestPointClustersPerClass(
  kappa: ArrayLike<number>,
  labels: ArrayLike<number>,
  ratio: number,
): Clusters {
  const count = labels.length;
  const centroids: number[] = [];
  const assignment = new Int32Array(count);
  for (const label of [...new Set(Array.from(labels))].sort((a, b) => a - b)) {
    const own = Array.from({ length: count }, (_, i) => i).filter((i) => labels[i] === label);
    const ownKappa = own.flatMap((i) => own.map((j) => kappa[i * count + j]));
    const clusters = farthestPointClusters(
      ownKappa,
      own.length,
      centroidCount(ratio, own.length),
    );
    own.forEach((i, k) => assignment[i] = centroids.length + clusters.assignment[k]);
    centroids.push(...Array.from(clusters.centroids, (k) => own[k]));
  }
  return { centroids: Int32Array.from(centroids), assignment };
}
