/**
 * Report on the arms of an experiment on parts of a training set: tables and figures of their accuracy, and t-tests between them.
 *
 * @module
 */
import { type ArmResult, drawArms, listFinalAccuracies, tabulateRuns } from "../../comparison.ts";
import {
  compareMeans,
  formatPercent,
  type MeanComparison,
  summarise,
} from "../../report/statistics.ts";
import type { Claim, Figure, Table } from "../experiment.ts";
import type { SubsetSettings } from "./subsets.ts";
import { claimDirection } from "./verdict.ts";

/** Draws the test accuracy of some arms over the epochs, in bands of a standard deviation on either side; no figure if no run is left. */
export async function drawSubsets(
  results: readonly ArmResult[],
  { model, trainSize, data }: SubsetSettings,
  { name, what }: { readonly name: string; readonly what: string },
): Promise<Figure[]> {
  if (results.every(({ runs }) => runs.length === 0)) return [];
  const title = `${model} on ${trainSize} samples of ${data}, and on parts of them`;
  const caption = `Test accuracy over the epochs ${what}`;
  return [{ name, caption, svg: await drawArms(results, title) }];
}

/** Tables of the final accuracy of each arm, and of every run if there is one. */
export function tabulateArms(results: readonly ArmResult[]): Table[] {
  const epochs = tabulateRuns(results).map(({ trainLoss, testAccuracy, ...row }) => ({
    ...row,
    "training loss (nats)": trainLoss,
    "test accuracy (%)": scale(testAccuracy),
  }));
  const accuracy = { name: "accuracy", caption: "Every epoch of every run", rows: epochs };
  return [
    {
      name: "arms",
      caption: "Test accuracy after the last epoch, over the runs that are not left out",
      rows: results.map((result) => {
        const { mean, standardDeviation } = summarise(listFinalAccuracies(result));
        return {
          arm: result.name,
          samples: result.samples,
          runs: result.runs.length,
          "accuracy (%)": scale(mean),
          "standard deviation (points)": scale(standardDeviation),
        };
      }),
    },
    ...epochs.length > 0 ? [accuracy] : [],
  ];
}

/** Two arms by name: the first's final accuracy is tested against the second's. */
export type Pair = readonly [first: string, second: string];

/** Table of two-sample t-tests of pairs of arms. */
export function tabulateTests(results: readonly ArmResult[], pairs: readonly Pair[]): Table {
  return {
    name: "tests",
    caption: "Two-sample t-tests (pooled variance, two-sided) of the accuracy after the last epoch",
    rows: pairs.map((pair) => {
      const { t, degreesOfFreedom, p, meanDifference, effectSize } = testPair(results, pair);
      const [first, second] = pair;
      return {
        first,
        second,
        "difference (points)": scale(meanDifference),
        t,
        "degrees of freedom": degreesOfFreedom,
        p,
        "effect size (Cohen's d)": effectSize,
      };
    }),
  };
}

/** Tests one arm's final accuracy against another's by a t-test. */
export function testPair(results: readonly ArmResult[], [first, second]: Pair): MeanComparison {
  return compareMeans(findFinals(results, first), findFinals(results, second));
}

/** A statement about two arms, judged by a t-test. */
export interface TestClaim {
  readonly what: string;
  readonly paper: string;
  readonly pair: Pair;
  /** Whether the first arm does significantly better than the second, or does not. */
  readonly expected: "better" | "not better";
}

/** Level of significance, as in the paper. */
const SIGNIFICANCE = 0.05;

/** Note on the degrees of freedom, by which the paper's t-tests can be compared with ours. */
export const DEGREES_NOTE =
  "The paper gives 19 degrees of freedom for two times 10 runs; a two-sample t-test with pooled variance has 18.";

/** Runs of an arm in the paper: with fewer, an absent difference says nothing. */
const PAPER_RUNS = 10;

/** Judges a statement about two arms: significance is at p < 0.05, two-sided, and its absence counts from the paper's 10 runs an arm on. */
export function claimTest(
  results: readonly ArmResult[],
  { what, paper, pair, expected }: TestClaim,
): Claim {
  const { t, degreesOfFreedom, p, meanDifference, effectSize } = testPair(results, pair);
  const finals = pair.map((name) => findFinals(results, name));
  const means = pair.map((name, i) => {
    const { mean, standardDeviation } = summarise(finals[i]);
    return `${name} ${formatPercent(mean)} ± ${formatPercent(standardDeviation)}`;
  });
  const [first, second] = pair;
  const isBetter = p !== null && p < SIGNIFICANCE && meanDifference! > 0;
  const runs = Math.min(...finals.map(({ length }) => length));
  const isOpen = p === null || p >= SIGNIFICANCE;
  return claimDirection({
    what,
    paper,
    ours: `${means.join(", ")}; ${
      t === null
        ? "no test"
        : `t(${degreesOfFreedom}) = ${t.toFixed(2)}, p = ${p!.toPrecision(2)}, d = ${
          effectSize!.toFixed(2)
        }`
    }`,
    need: `${first} is ${
      expected === "better" ? "" : "not "
    }above ${second} with p < ${SIGNIFICANCE} (two-sample t-test, two-sided)`,
    holds: isBetter === (expected === "better"),
    unable: isOpen && runs < PAPER_RUNS
      ? `no significant difference in ${runs} runs an arm, which counts from ${PAPER_RUNS} on`
      : undefined,
  });
}

function findFinals(results: readonly ArmResult[], name: string): number[] {
  return listFinalAccuracies(results.find((result) => result.name === name)!);
}

/** Converts a share to percent, or to points. */
function scale(share: number | null): number | null {
  return share === null ? null : 100 * share;
}
