/**
 * Investigation of a data set: which labels look wrong, which samples are there twice, which resemble no class, and which teach nothing new.
 *
 * @module
 */
import {
  type CallOptions,
  computeClassSimilarity,
  type CopyGroup,
  type Dataset,
  type Engine,
  findDuplicates,
  findLabelIssues,
  findOutliers,
  findWitnesses,
  judgeLabels,
  type LabelIssues,
  listIssues,
  mapClasses,
  measureRedundancy,
  type Network,
  type Outliers,
  type Redundancy,
  STRONG_ODDS,
  SUBSTANTIAL_ODDS,
  type Witness,
  type Witnesses,
} from "../../mod.ts";
import { withProgress } from "../progress.ts";
import { chooseKept } from "./default_rule.ts";
import type { Findings, Outlier, Redundant, Suspect } from "./findings.ts";
import { describeAgreement, type Judge, openNetwork } from "./judge.ts";
import { compareWithLargestClass } from "./largest_class.ts";

/** Most samples whose witnesses are sought. */
const WITNESSED = 1000;

/** Most witnesses on either side of a suspect, and of how many they are chosen, as some are copies of others. */
const WITNESSES = 4;
const ASKED = 3 * WITNESSES;

/** What was found of a data set's samples, without what follows from that. */
export type Found = Omit<Findings, "next" | "verification">;

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
  const { definition, training, folds, weights } = judge;
  const steps = new Steps(weights === undefined ? 9 : 8);
  using network = await openNetwork(engine, judge, data, seed);
  // refuses a budget that is too small before the labels are judged, which takes longest
  await engine.estimate(network, { count: data.labels.length, others: countWitnessed(data) });
  const issues = await steps.take(
    "judging labels",
    "images",
    (options) =>
      weights === undefined
        ? findLabelIssues(engine, definition, data, { seed, training, folds, ...options })
        : judgeLabels(engine, network, data, options),
  );
  const difficulty = weights !== undefined ? issues.losses : await steps.take(
    "learning all samples",
    "images",
    async (options) =>
      (await engine.train(network, data, { ...training, seed, ...options })).difficulty,
  );
  const { similarity, outliers, witnesses } = await compareNormalised(
    engine,
    network,
    data,
    issues,
    steps,
  );
  const redundancy = await measurePartners(engine, network, data, steps);
  const doubtful = listIssues(issues, data, SUBSTANTIAL_ODDS);
  const strong = listIssues(issues, data, STRONG_ODDS);
  const strange = listOutliers(outliers);
  const odd = strange.map(({ position }) => position);
  const duplicates = await steps.take(
    "looking for copies",
    "steps",
    (options) => findDuplicates(engine, data, { doubted: [...doubtful, ...odd], ...options }),
  );
  const heard = witnesses.map(({ for: alike, against }) => ({
    for: dropCopies(alike, duplicates),
    against: dropCopies(against, duplicates),
  }));
  const labels = listLabels(data, issues, similarity, heard);
  const pick = (positions: Int32Array) => {
    const listed = new Set(positions);
    return labels.filter(({ position }) => listed.has(position));
  };
  const agreement = {
    ...issues.agreement,
    ...compareWithLargestClass(issues.agreement.pooled, data),
  };
  return {
    data,
    labels,
    suspects: pick(doubtful),
    strongSuspects: pick(strong),
    agreement,
    duplicates,
    ...splitOutliers(strange, doubtful),
    redundant: listRedundant(redundancy),
    classSimilarity: mapClasses(similarity, data.labels).similarity,
    confusion: countConfusion(data, issues),
    difficulty,
    redundancy: redundancy.ratios,
    keep: chooseKept(data.labels, {
      suspects: doubtful,
      strongSuspects: strong,
      outliers: odd,
      duplicates,
    }),
    steps: [judge.reason, describeAgreement(judge, agreement), describeKernel(judge)],
  };
}

/** Number of samples whose witnesses are sought. */
function countWitnessed({ labels }: Dataset): number {
  return Math.min(WITNESSED, labels.length);
}

/** Steps of a long job, counted in their progress. */
class Steps {
  #begun = 0;

  constructor(private readonly total: number) {}

  take<T>(label: string, unit: string, job: (options: CallOptions) => Promise<T>): Promise<T> {
    this.#begun++;
    return withProgress(
      `${this.#begun}/${this.total} ${label}`,
      unit,
      (onProgress) => job({ onProgress }),
    );
  }
}

/** Asks the kernel of cosines: how similar samples are to classes, which are similar to none, and who speaks for and against the first labels. */
async function compareNormalised(
  engine: Engine,
  network: Network,
  data: Dataset,
  { order, suggested }: LabelIssues,
  steps: Steps,
) {
  const others = countWitnessed(data);
  using rows = await steps.take(
    "projecting",
    "samples",
    // the suspects are projected beside these rows, once with either label
    (options) => engine.project(network, data, { normalise: true, others, ...options }),
  );
  const similarity = await steps.take(
    "comparing with classes",
    "tiles",
    (options) => computeClassSimilarity(rows, data.labels, data.classes, options),
  );
  const outliers = await steps.take(
    "looking for outliers",
    "tiles",
    (options) => findOutliers(engine, rows, data, options),
  );
  const suspects = order.subarray(0, others);
  const witnesses = await steps.take(
    "asking witnesses",
    "tiles",
    (options) =>
      findWitnesses(engine, network, data, rows, {
        suspects,
        suggested: suspects.map((position) => suggested[position]),
        size: ASKED,
        ...options,
      }),
  );
  return { similarity, outliers, witnesses };
}

/** Asks the kernel itself which sample makes which redundant. */
async function measurePartners(
  engine: Engine,
  network: Network,
  data: Dataset,
  steps: Steps,
): Promise<Redundancy> {
  using rows = await steps.take(
    "projecting",
    "samples",
    (options) => engine.project(network, data, options),
  );
  return await steps.take(
    "comparing with each other",
    "tiles",
    (options) => measureRedundancy(rows, options),
  );
}

/** Keeps the first witness of each group of copies, which all say the same, and of those the foremost. */
export function dropCopies(
  witnesses: readonly Witness[],
  groups: readonly CopyGroup[],
): readonly Witness[] {
  const groupOf = new Map(
    groups.flatMap((group) => group.map(({ position }) => [position, group] as const)),
  );
  const first = new Map(
    witnesses.toReversed().map((witness) =>
      [groupOf.get(witness.position) ?? witness, witness] as const
    ),
  );
  const kept = new Set(first.values());
  return witnesses.filter((witness) => kept.has(witness)).slice(0, WITNESSES);
}

/** Lists every sample, the most suspicious label first; the first have witnesses. */
function listLabels(
  { labels, classes }: Dataset,
  { order, suggested, scores, losses }: LabelIssues,
  similarity: Float64Array,
  witnesses: readonly Witnesses[],
): Suspect[] {
  return Array.from(order, (position, rank) => ({
    position,
    given: labels[position],
    suggested: suggested[position],
    score: scores[position],
    loss: losses[position],
    ownClassSimilarity: similarity[position * classes + labels[position]],
    witnessesFor: witnesses[rank]?.for ?? [],
    witnessesAgainst: witnesses[rank]?.against ?? [],
  }));
}

/** Lists the flagged samples, the strangest first. */
function listOutliers({ scores, flags, nearestClasses, similarities }: Outliers): Outlier[] {
  return [...scores.keys()].filter((position) => flags[position] === 1)
    .map((position) => ({
      position,
      nearestClass: nearestClasses[position],
      similarity: similarities[position],
      score: scores[position],
    }))
    .sort((a, b) => b.score - a.score || a.position - b.position);
}

/** Splits samples that resemble no class into outliers and suspects, so that each sample is decided on once. */
export function splitOutliers(
  strange: readonly Outlier[],
  suspects: ArrayLike<number>,
): Pick<Found, "outliers" | "outlyingSuspects"> {
  const suspected = new Set(Array.from(suspects));
  const outliers = strange.filter(({ position }) => !suspected.has(position));
  return { outliers, outlyingSuspects: strange.length - outliers.length };
}

/** Lists the samples that another one makes redundant, the most redundant first. */
function listRedundant({ ratios, partners }: Redundancy): Redundant[] {
  return Array.from(ratios, (ratio, position) => ({ position, partner: partners[position], ratio }))
    .filter(({ ratio }) => ratio > 1)
    .sort((a, b) => b.ratio - a.ratio || a.position - b.position);
}

/** Counts the samples of each class, in rows, for which each class is suggested, `[C, C]`. */
function countConfusion({ labels, classes }: Dataset, { suggested }: LabelIssues): Int32Array {
  const counts = new Int32Array(classes * classes);
  labels.forEach((label, n) => counts[label * classes + suggested[n]]++);
  return counts;
}

/** Says whose kernel tells what. */
function describeKernel({ weights }: Judge): string {
  const network = weights === undefined ? "a network that has learnt all samples" : "this network";
  return `Witnesses, outliers and redundant samples are by the kernel of ${network}; copies are by the pixels alone.`;
}
