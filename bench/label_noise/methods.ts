/**
 * Methods that rank labels, made from what a cell's networks say.
 *
 * @module
 */
import { scoreLogits } from "../../mod.ts";
import { poolJudges } from "../../engine/cleaning/labels/pooling.ts";
import { learnConfidently } from "../peers/confident_learning.ts";
import type { Signals, Stage } from "./signals.ts";

/** A ranking of labels, and the labels that are suggested where the method has any. */
export interface Ranking {
  /** Scores `[N]`, higher for what is more suspicious. */
  readonly scores: readonly number[];
  /** Support of each class `[N, C]`, of which the best is suggested. */
  readonly support?: ArrayLike<number>;
}

/** A method. */
export interface Method {
  /** Whether it is one score or a combination of several. */
  readonly kind: "single" | "combination";
  readonly rank: (signals: Signals, stage: Stage) => Ranking;
}

const single = (rank: Method["rank"]): Method => ({ kind: "single", rank });
const combination = (rank: Method["rank"]): Method => ({ kind: "combination", rank });

/** Every method by its name. */
export const METHODS: Readonly<Record<string, Method>> = {
  "loss": single((signals, { learnt }) => ({ scores: lossOf(signals, learnt), support: learnt })),
  "summed loss": single((_, { summedLoss }) => ({ scores: summedLoss })),
  "EL2N": single((signals, { learnt }) => ({
    scores: [...scoreLogits(toLogits(learnt), signals.labels).el2n],
  })),
  "neighbours by features": single((_, { featureVotes }) => ({ scores: featureVotes })),
  "kernel, own class": single((signals, { kernel }) => ({
    scores: own(signals, kernel).map((cosine) => -cosine),
  })),
  "kernel, best other label": single((signals, { kernel }) => contrast(signals, kernel)),
  "kernel, neighbours' votes": single((_, { kernelVotes }) => ({ scores: kernelVotes })),
  "kernel, half and fully trained": single((signals) =>
    contrast(signals, add(signals.half.kernel, signals.trained.kernel))
  ),
  "kernel out of folds": single((signals, { outOfFoldKernel }) =>
    contrast(signals, outOfFoldKernel)
  ),
  "loss out of folds": single((signals, { outOfFold }) => ({
    scores: lossOf(signals, outOfFold),
    support: outOfFold,
  })),
  "margin out of folds": single((signals, { outOfFold }) => contrast(signals, outOfFold)),
  "confident learning": single((signals, { outOfFold }) => ({
    scores: [...learnConfidently(outOfFold, signals.labels, signals.classes).scores],
    support: outOfFold,
  })),
  "regression, patches": single((signals) => contrast(signals, signals.regressions.patches)),
  "regression, patches, loss": single((signals) => pool(signals, [signals.regressions.patches])),
  "regression, new networks": single((signals) => contrast(signals, signals.regressions.lenet5)),
  "regression, new networks, loss": single((signals) =>
    pool(signals, [signals.regressions.lenet5])
  ),
  "summed loss and kernel, by rank": combination((signals, { summedLoss, kernel }) => ({
    scores: addRanks(summedLoss, contrast(signals, kernel).scores),
    support: kernel,
  })),
  "loss out of folds and kernel, by rank": combination((signals, { outOfFold, kernel }) => ({
    scores: addRanks(lossOf(signals, outOfFold), contrast(signals, kernel).scores),
    support: kernel,
  })),
  "folds and patches, by rank": combination((signals, { outOfFold }) => ({
    scores: addRanks(
      lossOf(signals, outOfFold),
      contrast(signals, signals.regressions.patches).scores,
    ),
    support: add(outOfFold, signals.regressions.patches),
  })),
  "summed loss and patches, by rank": combination((signals, { summedLoss }) => ({
    scores: addRanks(summedLoss, contrast(signals, signals.regressions.patches).scores),
    support: signals.regressions.patches,
  })),
  "folds and patches, mean": combination((signals, { outOfFold }) =>
    contrast(signals, add(outOfFold, signals.regressions.patches))
  ),
  "folds' logarithms and patches, pooled": combination((signals, { outOfFold }) =>
    pool(signals, [toLogits(outOfFold), signals.regressions.patches])
  ),
  "regressions, pooled": combination((signals) =>
    pool(signals, Object.values(signals.regressions))
  ),
  "folds' logarithms and regressions, pooled": combination((signals, { outOfFold }) =>
    pool(signals, [toLogits(outOfFold), ...Object.values(signals.regressions)])
  ),
  "folds and regressions, pooled": combination((signals, { outOfFold }) =>
    pool(signals, [outOfFold, ...Object.values(signals.regressions)])
  ),
  "folds' logarithms, regressions and kernel, pooled": combination((
    signals,
    { outOfFold, outOfFoldKernel },
  ) =>
    pool(signals, [toLogits(outOfFold), ...Object.values(signals.regressions), outOfFoldKernel])
  ),
};

function own({ labels, classes }: Signals, values: ArrayLike<number>): number[] {
  return labels.map((label, n) => values[n * classes + label]);
}

function lossOf(signals: Signals, probabilities: readonly number[]): number[] {
  return own(signals, probabilities).map((share) => -Math.log(Math.max(share, 1e-30)));
}

/** Ranks by the best other class's support less the given one's. */
function contrast(signals: Signals, support: readonly number[]): Ranking {
  const { labels, classes } = signals;
  const scores = labels.map((label, n) => {
    const others = support.slice(n * classes, (n + 1) * classes).filter((_, c) => c !== label);
    return Math.max(...others) - support[n * classes + label];
  });
  return { scores, support };
}

/** Ranks by the loss of pooled judges. */
function pool(signals: Signals, judges: readonly ArrayLike<number>[]): Ranking {
  const { probabilities } = poolJudges(judges, signals.labels, signals.classes);
  const support = [...probabilities];
  return { scores: lossOf(signals, support), support };
}

/** Log-probabilities, which are logits. */
function toLogits(probabilities: readonly number[]): Float32Array {
  return Float32Array.from(probabilities, (share) => Math.log(Math.max(share, 1e-12)));
}

function add(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value + b[i]);
}

/** Sum of each sample's ranks by two scores. */
function addRanks(a: readonly number[], b: readonly number[]): number[] {
  const [first, second] = [rankValues(a), rankValues(b)];
  return first.map((rank, n) => rank + second[n]);
}

function rankValues(values: readonly number[]): number[] {
  const ranks = Array<number>(values.length);
  [...values.keys()].sort((a, b) => values[a] - values[b]).forEach((n, rank) => ranks[n] = rank);
  return ranks;
}
