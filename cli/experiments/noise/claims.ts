/**
 * Claims of `noise` with their rules, and notes for the reader.
 *
 * @module
 */
import { estimateMean, formatInterval } from "../../report/intervals.ts";
import type { Claim } from "../experiment.ts";
import { claimDirection, claimSide } from "../shared/verdict.ts";
import { estimateRate, type Ranking } from "./rankings.ts";
import { type Score, SCORES } from "./scores.ts";

/** Least AUROC at which the kernel's score counts as finding wrong labels. */
const LEAST_AUROC = 0.95;

/** Interval and bound by which differences between two rankings are judged. */
const ABOVE_0 = {
  interval: "95% interval of the difference over seeds",
  side: "above",
  bound: 0,
} as const;

/** Pairs of scores, of which the first is claimed to rank better than the second. */
const COMPARED: readonly (readonly [Score, Score])[] = [
  ["own", "plain"],
  ["neighbours", "loss"],
  ["neighboursAndLoss", "loss"],
  ["candidate", "summedLoss"],
  ["candidateAndSummed", "summedLoss"],
];

/** Claims about every checkpoint. */
export function claimNoise(rankings: readonly Ranking[]): Claim[] {
  return [
    claimFinding(rankings[0]),
    ...rankings.flatMap((ranking) =>
      COMPARED.map(([score, other]) => claimBetter(ranking, score, other))
    ),
    claimSuggestions(rankings.at(-1)!),
  ];
}

function claimFinding({ epochs, auroc }: Ranking): Claim {
  const own = estimateRate(auroc.own);
  return claimDirection({
    what: `after ${epochs} epochs, '${SCORES.own.name}' finds wrong labels`,
    paper: "not in the paper; a bound of ours",
    ours: `AUROC ${formatInterval(own)}`,
    need: `the mean AUROC over seeds is at least ${LEAST_AUROC}`,
    holds: own.value >= LEAST_AUROC,
  });
}

function claimBetter({ auroc, epochs }: Ranking, score: Score, other: Score): Claim {
  const difference = estimateDifference(auroc[score], auroc[other]);
  return claimSide({
    what: `after ${epochs} epochs, '${SCORES[score].name}' ranks better than '${
      SCORES[other].name
    }'`,
    paper: "not in the paper; a question of ours",
    ours: `AUROC ${formatInterval(estimateRate(auroc[score]), 4)} against ${
      formatInterval(estimateRate(auroc[other]), 4)
    }; difference ${formatInterval(difference, 4)}`,
    estimate: difference,
    ...ABOVE_0,
  });
}

function claimSuggestions({ epochs, right: { candidate, logits } }: Ranking): Claim {
  return claimSide({
    what: `after ${epochs} epochs, the kernel suggests right labels more often than logits`,
    paper: "not in the paper; a question of ours",
    ours: `${formatInterval(estimateRate(candidate))} of flipped samples against ${
      formatInterval(estimateRate(logits))
    }`,
    estimate: estimateDifference(candidate, logits),
    ...ABOVE_0,
  });
}

/** Mean of `a - b`, seed by seed. */
function estimateDifference(a: readonly number[], b: readonly number[]) {
  return estimateMean(a.map((value, i) => value - b[i]));
}

/** Notes for the reader. */
export function noteNoise(rankings: readonly Ranking[]): string[] {
  return [
    ...rankings.map(describeRanking),
    "Losses are strong, and cheap. The loss summed over training needs the training's record; the loss of a finished network fades as the network learns wrong labels by heart. The kernel needs the weights alone.",
    "What the kernel adds is the why: the samples that contradict a suspect, the class it resembles, and the label it should have.",
    "'Best other label' asks the kernel once with each label: a signed projection depends on the label through its sign vector, so a sample is compared with a class as if it belonged there.",
    "Contradiction is weak among ten classes: for different labels the product of two sign vectors is (C - 4)/C of that for equal ones, still positive. A suspect's cosines to its contradicting samples are near 0, far from the -1/2 of appendix C.",
    "Which scores are compared was settled on other flips than these.",
    "Weights after later checkpoints go on from the earlier ones, with the momentum at rest.",
  ];
}

function describeRanking({ epochs, auroc }: Ranking): string {
  const mean = (score: Score) => estimateRate(auroc[score]).value.toFixed(4);
  const kernels: Score[] = ["plain", "own", "margin", "candidate", "neighbours"];
  const best = kernels.reduce((a, b) => mean(b) > mean(a) ? b : a);
  return `After ${epochs} epochs: AUROC ${mean("loss")} by loss, ${mean("el2n")} by EL2N, ${
    mean("summedLoss")
  } by the loss summed over training; by the kernel ${mean("plain")} plain, ${
    mean("own")
  } as cosine, ${mean(best)} at best ('${SCORES[best].name}').`;
}
