/**
 * Investigation of a data set: which labels look wrong, which samples are there twice, which resemble no class, and which teach nothing new.
 *
 * @module
 */
import {
  computeClassSimilarity,
  computeSelfSimilarity,
  type CopyGroup,
  type Dataset,
  type Engine,
  estimateIssueCount,
  findDuplicates,
  findLabelIssues,
  findNearest,
  type LabelIssues,
  type Network,
  type OnProgress,
  scoreLogits,
} from "../../mod.ts";
import { withProgress } from "../progress.ts";
import type { Findings, Outlier, Redundant, Suspect } from "./findings.ts";
import { type Judge, openNetwork } from "./judge.ts";

/** What was found of a data set's samples, without what to do next. */
export type Found = Omit<Findings, "next">;

/**
 * Finds what is wrong with a data set.
 *
 * The labels are judged by networks that have not learnt them, or by the judge's own network. The kernel is that of a network that has learnt all
 * samples, or of the judge's own.
 */
export async function investigate(
  engine: Engine,
  data: Dataset,
  judge: Judge,
  seed: number,
): Promise<Found> {
  const steps = new Steps(judge.weights === undefined ? 5 : 4);
  using network = await openNetwork(engine, judge, data, seed);
  const duplicates = await steps.take(
    "looking for copies",
    "samples",
    (onProgress) => findDuplicates(engine, data, { onProgress }),
  );
  const { definition, training } = judge;
  const issues = await steps.take(
    "judging labels",
    "images",
    (onProgress) =>
      judge.weights === undefined
        ? findLabelIssues(engine, definition, data, { seed, training, onProgress })
        : judgeLabels(engine, network, data, onProgress),
  );
  const difficulty = judge.weights !== undefined ? issues.losses : await steps.take(
    "learning all samples",
    "images",
    async (onProgress) =>
      (await engine.train(network, data, { ...training, seed, onProgress })).difficulty,
  );
  const similarity = await steps.take("comparing with classes", "tiles", async (onProgress) => {
    using rows = await engine.project(network, data, { normalise: true });
    return await computeClassSimilarity(rows, data.labels, data.classes, { onProgress });
  });
  const partners = await steps.take(
    "comparing with each other",
    "tiles",
    (onProgress) => findPartners(engine, network, data, onProgress),
  );
  const suspectCount = estimateIssueCount(issues, data.labels, data.classes);
  const labels = listSuspects(data, issues, similarity);
  const outliers: Outlier[] = [];
  return {
    data,
    labels,
    suspectCount,
    duplicates,
    outliers,
    redundant: partners.filter(({ ratio }) => ratio > 1).sort((a, b) =>
      b.ratio - a.ratio || a.position - b.position
    ),
    classSimilarity: averageClasses(data, similarity),
    confusion: countConfusion(data, issues),
    difficulty,
    redundancy: partners.map(({ ratio }) => ratio),
    keep: chooseKept(data, labels.slice(0, suspectCount), duplicates, outliers),
    steps: [judge.reason],
  };
}

/** Steps of a long job, counted in their progress. */
class Steps {
  #begun = 0;

  constructor(private readonly total: number) {}

  take<T>(label: string, unit: string, job: (onProgress: OnProgress) => Promise<T>): Promise<T> {
    this.#begun++;
    return withProgress(`${this.#begun}/${this.total} ${label}`, unit, job);
  }
}

/** Judges labels by a network that may have learnt them. */
async function judgeLabels(
  engine: Engine,
  network: Network,
  data: Dataset,
  onProgress: OnProgress,
): Promise<LabelIssues> {
  const { classes } = network;
  const logits = await engine.logits(network, data, { onProgress });
  const { loss: losses } = scoreLogits(logits, data.labels);
  const suggested = new Int32Array(data.labels.length).map((_, n) => {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
  const order = Int32Array.from(losses.keys()).sort((a, b) => losses[b] - losses[a] || a - b);
  return { order, scores: losses, suggested, losses };
}

/** Finds for each sample the other one that makes it most redundant; none for a single sample. */
async function findPartners(
  engine: Engine,
  network: Network,
  data: Dataset,
  onProgress: OnProgress,
): Promise<Redundant[]> {
  if (data.labels.length < 2) return [];
  using rows = await engine.project(network, data);
  const self = await computeSelfSimilarity(rows);
  const { samples, similarities } = await findNearest(rows, 1, { onProgress });
  return Array.from(self, (own, position) => ({
    position,
    partner: samples[position],
    ratio: similarities[position] / own,
  }));
}

function listSuspects(
  { labels, classes }: Dataset,
  { order, suggested, scores, losses }: LabelIssues,
  similarity: Float64Array,
): Suspect[] {
  return Array.from(order, (position) => ({
    position,
    given: labels[position],
    suggested: suggested[position],
    score: scores[position],
    loss: losses[position],
    ownClassSimilarity: similarity[position * classes + labels[position]],
    witnessesFor: [],
    witnessesAgainst: [],
  }));
}

/** Averages the similarity of samples to classes over the samples of each class, `[C, C]`. */
function averageClasses({ labels, classes }: Dataset, similarity: Float64Array): Float64Array {
  const sums = new Float64Array(classes * classes);
  const counts = new Float64Array(classes * classes);
  similarity.forEach((value, i) => {
    if (Number.isNaN(value)) return;
    const pair = labels[Math.floor(i / classes)] * classes + i % classes;
    sums[pair] += value;
    counts[pair]++;
  });
  return sums.map((sum, pair) => sum / counts[pair]);
}

/** Counts the samples of each class, in rows, for which each class is suggested, `[C, C]`. */
function countConfusion({ labels, classes }: Dataset, { suggested }: LabelIssues): Int32Array {
  const counts = new Int32Array(classes * classes);
  labels.forEach((label, n) => counts[label * classes + suggested[n]]++);
  return counts;
}

/**
 * Chooses the positions to keep, in increasing order: no suspects, no outliers, and of copies the first that is neither, or none if all are.
 */
function chooseKept(
  { labels }: Dataset,
  suspects: readonly Suspect[],
  duplicates: readonly CopyGroup[],
  outliers: readonly Outlier[],
): Int32Array {
  const dropped = new Set([...suspects, ...outliers].map(({ position }) => position));
  for (const group of duplicates) {
    const left = group.filter(({ position }) => !dropped.has(position));
    for (const { position } of left.slice(1)) dropped.add(position);
  }
  return Int32Array.from(labels.keys().filter((position) => !dropped.has(position)));
}
