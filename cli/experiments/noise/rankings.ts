/**
 * Quality of each score's ranking of wrong labels before right ones, over the seeds.
 *
 * @module
 */
import { estimateMean } from "../../report/intervals.ts";
import { type Estimate, measureAuroc, measurePrecision } from "../../report/statistics.ts";
import { mapKeys } from "../shared/records.ts";
import type { Judgement } from "./measure.ts";
import { type Score, SCORE_KEYS, type Suggester, SUGGESTER_KEYS } from "./scores.ts";

/** Quality of each score's ranking after some epochs, `[seed]` each. */
export interface Ranking {
  readonly epochs: number;
  /** Number of seeds. */
  readonly count: number;
  readonly auroc: Readonly<Record<Score, number[]>>;
  /** Precision at k, where k samples are flipped. */
  readonly precision: Readonly<Record<Score, number[]>>;
  /** Share of the flipped samples whose suggested label is the right one. */
  readonly right: Readonly<Record<Suggester, number[]>>;
  readonly testAccuracy: readonly number[];
}

/** One ranking for each checkpoint that some network has reached. */
export function rankCheckpoints(
  checkpoints: readonly number[],
  judgements: readonly Judgement[],
): Ranking[] {
  return checkpoints
    .map((epochs) => rank(epochs, judgements.filter((judgement) => judgement.epochs === epochs)))
    .filter(({ count }) => count > 0);
}

function rank(epochs: number, judgements: readonly Judgement[]): Ranking {
  return {
    epochs,
    count: judgements.length,
    auroc: mapKeys(
      SCORE_KEYS,
      (score) =>
        judgements.map(({ scores, noisy }) => measureAuroc(scores[score], noisy.isFlipped)!),
    ),
    precision: mapKeys(
      SCORE_KEYS,
      (score) =>
        judgements.map(({ scores, noisy: { isFlipped } }) =>
          measurePrecision(scores[score], isFlipped, isFlipped.filter(Boolean).length)
        ),
    ),
    right: mapKeys(
      SUGGESTER_KEYS,
      (by) =>
        judgements.map(({ suggested, noisy: { isFlipped, truth } }) => {
          const flipped = [...isFlipped.keys()].filter((i) => isFlipped[i]);
          return flipped.filter((i) => suggested[by][i] === truth[i]).length / flipped.length;
        }),
    ),
    testAccuracy: judgements.map(({ testAccuracy }) => testAccuracy),
  };
}

/** Estimates the mean of rates, with its interval cut to 0 and 1. */
export function estimateRate(values: readonly number[]): Estimate {
  const { value, low, high } = estimateMean(values);
  return low === null
    ? { value, low, high }
    : { value, low: Math.max(0, low), high: Math.min(1, high!) };
}

/** Summarises a ranking for `metrics.json`. */
export function summariseRanking({ epochs, count, auroc, precision, right }: Ranking) {
  return {
    epochs,
    seeds: count,
    auroc: mapKeys(SCORE_KEYS, (score) => estimateRate(auroc[score])),
    precision: mapKeys(SCORE_KEYS, (score) => estimateRate(precision[score])),
    suggestions: mapKeys(SUGGESTER_KEYS, (by) => estimateRate(right[by])),
  };
}
