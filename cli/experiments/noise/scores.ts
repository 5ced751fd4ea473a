/**
 * Scores of how suspicious each sample's label is under one network: losses, and how little the sample resembles its own class under the lpNTK.
 *
 * @module
 */
import jStat from "npm:jstat@1.9.6";
import {
  computeClassSimilarity,
  type Dataset,
  type Engine,
  findNearest,
  type Network,
  type OnProgress,
  type Rows,
  scoreLogits,
  takeSamples,
} from "../../../mod.ts";
import { listKeys } from "../shared/records.ts";

/** Scores by which samples are ranked, the most suspicious first, and what each needs. */
export const SCORES = {
  loss: { name: "loss", needs: "one forward pass" },
  el2n: { name: "EL2N", needs: "one forward pass" },
  summedLoss: { name: "loss, summed over training", needs: "the whole training" },
  plain: { name: "own class, plain kernel", needs: "weights" },
  own: { name: "own class, cosine", needs: "weights" },
  margin: { name: "best other class - own, cosine", needs: "weights" },
  candidate: { name: "best other label - own, cosine", needs: "weights" },
  neighbours: { name: "neighbours' labels, cosine", needs: "weights" },
  neighboursAndLoss: { name: "neighbours and loss, by rank", needs: "weights" },
  candidateAndSummed: { name: "best other label and summed loss", needs: "the whole training" },
} as const;
export type Score = keyof typeof SCORES;
export const SCORE_KEYS = listKeys(SCORES);

/** Sources of a suggested label: the kernel with each label tried, and the logits. */
export const SUGGESTERS = { candidate: "the kernel", logits: "the logits" } as const;
export type Suggester = keyof typeof SUGGESTERS;
export const SUGGESTER_KEYS = listKeys(SUGGESTERS);

/** Scores and suggested labels of the samples that one network learnt. */
export interface Suspicion {
  /** Values `[N]` of each score, higher for what is more suspicious. */
  readonly scores: Readonly<Record<Score, readonly number[]>>;
  /** Most likely label of each sample beside the given one, `[N]`. */
  readonly suggested: Readonly<Record<Suggester, readonly number[]>>;
}

/**
 * Scores every sample under a network that has learnt them.
 *
 * @param summedLoss each sample's loss summed over the training, `[N]`
 * @param neighbours number of nearest samples that vote
 */
export async function scoreSamples(
  engine: Engine,
  network: Network,
  data: Dataset,
  { summedLoss, neighbours }: { readonly summedLoss: Float64Array; readonly neighbours: number },
  onProgress: OnProgress,
): Promise<Suspicion> {
  const { labels, classes } = data;
  const logits = await engine.logits(network, data);
  const { loss, el2n } = scoreLogits(logits, labels);
  const plain = await averagePlain(engine, network, data);
  using rows = await engine.project(network, data, { normalise: true });
  const cosine = await computeClassSimilarity(rows, labels, classes);
  const candidate = await tryLabels(engine, network, data, cosine, onProgress);
  const own = (means: Float64Array) =>
    Array.from(labels, (label, i) => orNothing(means[i * classes + label]));
  const overOwn = (means: Float64Array) => {
    const best = findBestOther(means, labels, classes);
    return own(cosine).map((similarity, i) => means[i * classes + best[i]] - similarity);
  };
  const scores = {
    loss: Array.from(loss),
    el2n: Array.from(el2n),
    summedLoss: Array.from(summedLoss),
    plain: own(plain).map((similarity) => -similarity),
    own: own(cosine).map((similarity) => -similarity),
    margin: overOwn(cosine),
    candidate: overOwn(candidate),
    neighbours: await countVotes(rows, labels, neighbours),
  };
  return {
    scores: {
      ...scores,
      neighboursAndLoss: addRanks(scores.neighbours, scores.loss),
      candidateAndSummed: addRanks(scores.candidate, scores.summedLoss),
    },
    suggested: {
      candidate: findBestOther(candidate, labels, classes),
      logits: findBestOther(logits, labels, classes),
    },
  };
}

/** Mean similarity of each sample to each class under the kernel as it is, `[N, classes]`. */
async function averagePlain(
  engine: Engine,
  network: Network,
  data: Dataset,
): Promise<Float64Array> {
  using rows = await engine.project(network, data);
  return await computeClassSimilarity(rows, data.labels, data.classes);
}

/** Replaces the missing similarity of a sample that is alone in its class by 0. */
function orNothing(similarity: number): number {
  return Number.isNaN(similarity) ? 0 : similarity;
}

/**
 * Computes the mean cosine of each sample to each class as if it had that class's label, `[N, classes]`: `cosine` has them for the given labels.
 * Costs one more normalised projection of every sample for each class, and one more kernel.
 */
async function tryLabels(
  engine: Engine,
  network: Network,
  data: Dataset,
  cosine: Float64Array,
  onProgress: OnProgress,
): Promise<Float64Array> {
  const { labels, classes } = data;
  const means = new Float64Array(labels.length * classes).fill(NaN);
  for (let label = 0; label < classes; label++) {
    const members = [...labels.keys()].filter((i) => labels[i] === label);
    if (members.length === 0) continue;
    using columns = await engine.project(network, takeSamples(data, members), { normalise: true });
    using rows = await engine.project(network, relabel(data, label), { normalise: true });
    const cosines = await computeClassSimilarity(rows, members.map(() => 0), 1, { columns });
    labels.forEach((given, i) => {
      const at = i * classes + label;
      means[at] = given === label ? cosine[at] : cosines[i];
    });
    onProgress(label + 1, classes);
  }
  return means;
}

function relabel(data: Dataset, label: number): Dataset {
  return { ...data, labels: data.labels.map(() => label) };
}

/** Sum of the cosines of each sample's nearest samples, those of its own label counted as negative. */
async function countVotes(
  rows: Rows,
  labels: ArrayLike<number>,
  size: number,
): Promise<number[]> {
  const { samples, similarities } = await findNearest(rows, size);
  const votes = Array<number>(labels.length).fill(0);
  samples.forEach((other, at) => {
    const sample = Math.floor(at / size);
    votes[sample] += labels[other] === labels[sample] ? -similarities[at] : similarities[at];
  });
  return votes;
}

/** Label with the largest value beside the given one, `[N]`; values `[N, classes]`, NaN for none. */
function findBestOther(
  values: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): number[] {
  return Array.from(labels, (given, i) => {
    const others = [...Array(classes).keys()].filter((c) =>
      c !== given && !Number.isNaN(values[i * classes + c])
    );
    return others.reduce((a, b) => values[i * classes + b] > values[i * classes + a] ? b : a);
  });
}

/** Sum of each sample's ranks by two scores, `[N]`. */
function addRanks(a: readonly number[], b: readonly number[]): number[] {
  const [first, second]: number[][] = [jStat.rank(a), jStat.rank(b)];
  return first.map((rank, i) => rank + second[i]);
}
