/**
 * Scores of the predictions of forgetting: precision, recall and F1-score of each predictor.
 *
 * @module
 */
import { ConfusionMatrix } from "npm:ml-confusion-matrix@2.0.0";
import { summarise } from "../../report/statistics.ts";
import type { Iteration, Predictor, Tally } from "./measure.ts";

/** Scores of predictions, 0 to 1; `null` if there is nothing to divide by. */
export interface Scores {
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
}
export const SCORE_KEYS = ["precision", "recall", "f1"] as const;

/** Counts and scores of one predictor. */
export interface Outcome {
  readonly predictor: Predictor;
  readonly happened: number;
  readonly predicted: number;
  /** Scores over all events. */
  readonly all: Scores;
  /** Scores of each batch over the iterations. */
  readonly batches: readonly Scores[];
}

/** Scores one predictor. */
export function scorePredictor(predictor: Predictor, found: readonly Iteration[]): Outcome {
  const tallies = found.map((iteration) => iteration.tallies[predictor]);
  const every = tallies.flat();
  return {
    predictor,
    happened: countEvents(every, "happened"),
    predicted: countEvents(every, "predicted"),
    all: score(every),
    batches: tallies[0].map((_, b) => score(tallies.map((batches) => batches[b]))),
  };
}

/** Events of some tallies together. */
export function countEvents(tallies: readonly Tally[], key: keyof Tally): number {
  return tallies.reduce((sum, tally) => sum + tally[key], 0);
}

/** Scores of some tallies together. */
function score(tallies: readonly Tally[]): Scores {
  const [samples, happened, predicted, both] =
    (["samples", "happened", "predicted", "both"] as const)
      .map((key) => countEvents(tallies, key));
  const neither = samples - happened - predicted + both;
  const matrix = new ConfusionMatrix([[both, happened - both], [predicted - both, neither]], [
    true,
    false,
  ]);
  const orNull = (value: number) => Number.isFinite(value) ? value : null;
  return {
    precision: orNull(matrix.getPositivePredictiveValue(true)),
    recall: orNull(matrix.getTruePositiveRate(true)),
    f1: orNull(matrix.getF1Score(true)),
  };
}

/** Mean and standard deviation of a score over the batches that have it. */
export function averageBatches({ batches }: Outcome, key: keyof Scores) {
  return summarise(batches.map((scores) => scores[key]).filter((value) => value !== null));
}
