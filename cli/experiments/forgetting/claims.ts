/**
 * Claims of `forgetting` with their rules, and notes for the reader.
 *
 * @module
 */
import type { Claim } from "../experiment.ts";
import { findReported, PAPER_NETWORKS } from "../shared/paper.ts";
import { claimDirection, claimNumber, listDifferences } from "../shared/verdict.ts";
import type { Predictor } from "./measure.ts";
import { averageBatches, type Outcome, SCORE_KEYS } from "./scores.ts";
import { PAPER_SETTINGS, type Settings } from "./settings.ts";

/** Table 1: mean and standard deviation. */
const TABLE_1 = {
  mnist: { precision: [0.9556, 0.0814], recall: [0.8667, 0.1367], f1: [0.8996, 0.071] },
  cifar10: { precision: [0.9699, 0.0399], recall: [0.9899, 0.0161], f1: [0.9787, 0.0208] },
};

/** Fewest events for a verdict. */
const ENOUGH_EVENTS = 500;

/** Least F1-score that counts as accurate. */
const ACCURATE = 0.9;

/** Predictors with the claim about each; the paper says `can accurately predict forgetting events`. */
const ACCURATE_PREDICTORS: readonly (readonly [Predictor, string])[] = [
  ["eNTK, logits", "the first-order change of the logits, with the eNTK, predicts forgetting"],
  ["lpNTK, logits", "lpNTK times the identity in place of the eNTK predicts it too"],
];

/**
 * Claims about the numbers of table 1, and whether predictions are accurate.
 *
 * @param failure why nothing can be claimed of the network
 */
export function claimForgetting(
  settings: Settings,
  outcomes: readonly Outcome[],
  failure: string | undefined,
): Claim[] {
  const find = (predictor: Predictor) =>
    outcomes.find((outcome) => outcome.predictor === predictor)!;
  const unable = failure ?? describeTooFew(outcomes[0].happened);
  return [
    ...claimTable1(settings, find("eNTK, probabilities"), unable),
    ...ACCURATE_PREDICTORS.map(([predictor, what]) => claimAccurate(what, find(predictor), unable)),
  ];
}

function describeTooFew(events: number): string | undefined {
  return events < ENOUGH_EVENTS ? `${events} events, need ${ENOUGH_EVENTS}` : undefined;
}

/** @param unable why this run cannot tell */
function claimTable1(
  settings: Settings,
  equation1: Outcome,
  unable: string | undefined,
): Claim[] {
  const paper = { ...findReported(PAPER_NETWORKS, settings.data), ...PAPER_SETTINGS };
  const differences = [...listDifferences(settings, paper), ...unable ? [unable] : []];
  return SCORE_KEYS.map((key) => {
    const [paper, deviation] = findReported(TABLE_1, settings.data)[key];
    return claimNumber({
      what: `${key} of forgetting predicted by equation 1 with the eNTK, mean over batches`,
      paper,
      ours: {
        value: averageBatches(equation1, key).mean ?? NaN,
        tolerance: deviation,
        reason: "the paper's standard deviation",
      },
      differences,
    });
  });
}

/** @param unable why this run cannot tell */
function claimAccurate(
  what: string,
  { happened, all: { precision, recall, f1 } }: Outcome,
  unable: string | undefined,
): Claim {
  const show = (value: number | null) => value === null ? "none" : value.toFixed(3);
  return claimDirection({
    what,
    paper: "can accurately predict forgetting events",
    ours: `precision ${show(precision)}, recall ${show(recall)}, F1 ${
      show(f1)
    } of ${happened} events`,
    need: `F1 over all events is at least ${ACCURATE}`,
    holds: f1 !== null && f1 >= ACCURATE,
    unable,
  });
}

/** Notes for the reader. */
export function noteForgetting(
  { batches, batchSize, iterations, loss }: Settings,
  [{ happened: events }]: readonly Outcome[],
): string[] {
  return [
    `${events} events among ${batches} x ${batchSize} training samples over ${iterations} iterations, each a step on a random batch of ${batchSize}. ` +
    `Scores are taken for each watched batch over all iterations; mean and standard deviation are over these ${batches}.`,
    `The batch's loss is the ${loss} of its samples' (setting loss). At one rate a mean takes a ${batchSize}th of the step that a sum takes, and hardly a sample is forgotten; ` +
    "the paper does not say which it used, but saw more than 5,000 events. Momentum and weight decay are off, before and while it watches: the first-order formula knows neither.",
    "logits: z + eta sum K (p - q), judged by the largest logit. probabilities: q + eta A sum K (p - q), equation 1 as it stands. Both are first-order in the weights; equation 1 makes the softmax linear too, " +
    "which understates a large change of a confident prediction.",
    "eNTK: the exact block of K x K numbers for each pair, none contracted beforehand. lpNTK: the scalar kappa of the two labelled samples in place of K, as kappa I (theorem 1).",
  ];
}
