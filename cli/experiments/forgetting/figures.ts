/**
 * Tables and figures of `forgetting`.
 *
 * @module
 */
import { drawBars, drawLines } from "../../report/charts.ts";
import type { Figure, Table } from "../experiment.ts";
import { type Iteration, type Predictor, PREDICTORS } from "./measure.ts";
import { averageBatches, countEvents, type Outcome, SCORE_KEYS } from "./scores.ts";

/** Table of each predictor's scores. */
export function tabulateScores(outcomes: readonly Outcome[]): Table {
  return {
    name: "scores",
    caption: "How well events are predicted: over all of them, and over the batches",
    rows: outcomes.map((outcome) => ({
      predictor: outcome.predictor,
      happened: outcome.happened,
      predicted: outcome.predicted,
      ...Object.fromEntries(SCORE_KEYS.flatMap((key) => {
        const { mean, standardDeviation } = averageBatches(outcome, key);
        return [
          [key, outcome.all[key]],
          [`${key}, mean over batches`, mean],
          [`${key}, deviation over batches`, standardDeviation],
        ];
      })),
    })),
  };
}

/** Number of events in an iteration, the same for every predictor. */
function countHappened({ tallies }: Iteration): number {
  return countEvents(tallies["eNTK, logits"], "happened");
}

/** Table of each iteration's events. */
export function tabulateIterations(found: readonly Iteration[]): Table {
  return {
    name: "iterations",
    caption: "Events in each iteration, and those that each kernel predicted",
    rows: found.map((iteration, i) => ({
      iteration: i + 1,
      "accuracy before (0 to 1)": iteration.accuracy,
      happened: countHappened(iteration),
      ...Object.fromEntries(
        PREDICTORS.flatMap((predictor) => [
          [`${predictor}: predicted`, countEvents(iteration.tallies[predictor], "predicted")],
          [`${predictor}: both`, countEvents(iteration.tallies[predictor], "both")],
        ]),
      ),
    })),
  };
}

/** Figure of the F1-scores, as bars. */
export async function drawScores(outcomes: readonly Outcome[]): Promise<Figure> {
  const bars = outcomes.map((outcome) => {
    const { mean, standardDeviation } = averageBatches(outcome, "f1");
    const [value, spread] = [mean ?? 0, standardDeviation ?? 0];
    return {
      name: outcome.predictor,
      value,
      low: Math.max(0, value - spread),
      high: Math.min(1, value + spread),
    };
  });
  return {
    name: "f1",
    caption: "F1-score of each way to predict forgetting, mean over the watched batches",
    svg: await drawBars(bars, {
      title: "Prediction of forgetting events",
      x: { title: "F1-score", domain: [0, 1] },
      whiskers: "± 1 standard deviation over batches",
    }),
  };
}

/** Predictors whose events are drawn. */
const DRAWN: readonly Predictor[] = ["eNTK, logits", "eNTK, probabilities", "lpNTK, logits"];

/** Figure of the events over the iterations. */
export async function drawEvents(found: readonly Iteration[]): Promise<Figure> {
  const line = (name: string, count: (iteration: Iteration) => number) => ({
    name,
    points: found.map((iteration, i) => ({ x: i + 1, y: count(iteration) })),
  });
  return {
    name: "events",
    caption: "Samples that each iteration made the network forget, and those predicted to be",
    svg: await drawLines([
      line("happened", countHappened),
      ...DRAWN.map((name) => line(name, ({ tallies }) => countEvents(tallies[name], "predicted"))),
    ], {
      title: "Forgetting events",
      x: { title: "Iteration" },
      y: { title: "Forgotten (samples)" },
    }),
  };
}
