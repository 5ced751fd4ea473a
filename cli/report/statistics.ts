/**
 * Statistics of a report: means and spreads, the t-test of the paper's section 4.2, correlation, slopes, and how well a score ranks. A
 * number that does not exist is `null`, never NaN, so that a result goes through JSON unchanged.
 *
 * @module
 */

import jStat from "npm:jstat@1.9.6";
import ttest from "npm:ttest@4.0.0";

/** The package brings no types; this is the part of it that is called here. */
const runTTest: (
  left: number[],
  right: number[],
  options: { varEqual: boolean },
) => { testValue(): number; pValue(): number } = ttest;

/** The centre and spread of some values. */
export interface Summary {
  /** Arithmetic mean; `null` of no values. */
  mean: number | null;
  /** Sample standard deviation (divisor `n - 1`); `null` of fewer than 2 values. */
  standardDeviation: number | null;
}

/** The outcome of a two-sample t-test; see {@linkcode compareMeans} for what is `null` when. */
export interface MeanComparison {
  /** Student's t; its sign is that of `meanDifference`. */
  t: number | null;
  /** `a.length + b.length - 2`. */
  degreesOfFreedom: number | null;
  /** Two-sided p-value, 0 to 1. */
  p: number | null;
  /** `mean(a) - mean(b)`, in the unit of the values. */
  meanDifference: number | null;
  /** Cohen's d: `meanDifference` over the pooled standard deviation; no unit. */
  effectSize: number | null;
}

/**
 * Mean and sample standard deviation of `values`.
 *
 * @throws {RangeError} a value is NaN or infinite
 */
export function summarise(values: readonly number[]): Summary {
  checkFinite("summarise values", values);
  if (values.length === 0) return { mean: null, standardDeviation: null };
  // A running mean, unlike sum / n, is exact for equal values: their deviation is 0, not 1e-17.
  const mean = values.reduce((mean, value, i) => mean + (value - mean) / (i + 1), 0);
  if (values.length < 2) return { mean, standardDeviation: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardDeviation: Math.sqrt(squares / (values.length - 1)) };
}

/**
 * Student's two-sample t-test, two-sided with pooled variance, of the hypothesis that `a` and `b` come from
 * populations with one mean (the paper's section 4.2).
 *
 * With fewer than 2 values on a side there is no test: `t`, `degreesOfFreedom`, `p` and `effectSize` are
 * `null`. With zero variance on both sides `t`, `p` and `effectSize` are `null`, whether or not the means
 * differ. `meanDifference` is `null` only where a side is empty.
 *
 * @throws {RangeError} a value is NaN or infinite
 */
export function compareMeans(a: number[], b: number[]): MeanComparison {
  const left = summarise(a);
  const right = summarise(b);
  const none = { t: null, degreesOfFreedom: null, p: null, meanDifference: null, effectSize: null };
  if (left.mean === null || right.mean === null) return none;
  const meanDifference = left.mean - right.mean;
  if (left.standardDeviation === null || right.standardDeviation === null) {
    return { ...none, meanDifference };
  }
  const degreesOfFreedom = a.length + b.length - 2;
  const squares = (a.length - 1) * left.standardDeviation ** 2 +
    (b.length - 1) * right.standardDeviation ** 2;
  if (squares === 0) return { ...none, degreesOfFreedom, meanDifference };
  const test = runTTest(a, b, { varEqual: true });
  return {
    t: test.testValue(),
    degreesOfFreedom,
    p: test.pValue(),
    meanDifference,
    effectSize: meanDifference / Math.sqrt(squares / degreesOfFreedom),
  };
}

/** A number between the ends of its 95% confidence interval. */
export interface Estimate {
  readonly value: number;
  /** `null`, like `high`, where there are too few values for an interval. */
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * Pearson's correlation of `x` and `y`, with the 95% interval by Fisher's transformation (which needs 4 pairs, and takes both to be normal).
 *
 * @returns `null` where one of them does not vary
 * @throws {RangeError} fewer than 2 pairs, other numbers of `x` than of `y`, or a value that is not finite
 */
export function correlate(x: readonly number[], y: readonly number[]): Estimate | null {
  checkPairs("correlate", x, y, 2);
  if (isConstant(x) || isConstant(y)) return null;
  // rounding may lead out of the range
  const value = Math.max(-1, Math.min(1, jStat.corrcoeff(x, y)));
  if (x.length < 4) return { value, low: null, high: null };
  const reach = jStat.normal.inv(0.975, 0, 1) / Math.sqrt(x.length - 3);
  const [low, high] = [-reach, reach].map((step) => Math.tanh(Math.atanh(value) + step));
  return { value, low, high };
}

/**
 * Slope of the least-squares line of `y` over `x`, with the 95% interval by Student's t (which needs 3 points).
 *
 * @returns `null` where `x` does not vary
 * @throws {RangeError} fewer than 2 points, other numbers of `x` than of `y`, or a value that is not finite
 */
export function fitSlope(x: readonly number[], y: readonly number[]): Estimate | null {
  checkPairs("fit a slope", x, y, 2);
  if (isConstant(x)) return null;
  const { coef, t } = jStat.models.ols(y, x.map((value) => [1, value]));
  if (x.length < 3) return { value: coef[1], low: null, high: null };
  const [low, high] = t.interval95[1];
  return { value: coef[1], low, high };
}

/**
 * Area under the receiver operating characteristic: the chance that a positive has a higher score than a negative, half of it for equal scores.
 *
 * @param scores `[N]`, higher for what should be positive
 * @param positives `[N]`
 * @returns 0 to 1; `null` without a positive or without a negative
 * @throws {RangeError} other numbers of scores than of positives, or a score that is not finite
 */
export function measureAuroc(
  scores: readonly number[],
  positives: readonly boolean[],
): number | null {
  checkScores("measure an AUROC", scores, positives);
  const count = positives.filter(Boolean).length;
  const pairs = count * (scores.length - count);
  if (pairs === 0) return null;
  // of equal scores each gets their mean rank
  const ranks: number[] = jStat.rank(scores);
  const sum = ranks.reduce((total, rank, i) => total + (positives[i] ? rank : 0), 0);
  return (sum - count * (count + 1) / 2) / pairs;
}

/**
 * Share of positives among the `k` highest scores; of equal scores at the edge, the expected share.
 *
 * @throws {RangeError} `k` is not from 1 to N, other numbers of scores than of positives, or a score that is not finite
 */
export function measurePrecision(
  scores: readonly number[],
  positives: readonly boolean[],
  k: number,
): number {
  checkScores("measure precision", scores, positives);
  if (!(Number.isInteger(k) && k >= 1 && k <= scores.length)) {
    throw new RangeError(
      `Cannot measure precision: got k ${k}, need an integer in 1..${scores.length}`,
    );
  }
  const edge = scores.toSorted((a, b) => b - a)[k - 1];
  const countIn = (wanted: (score: number) => boolean) => {
    const inside = positives.filter((_, i) => wanted(scores[i]));
    return { all: inside.length, positive: inside.filter(Boolean).length };
  };
  const above = countIn((score) => score > edge);
  const level = countIn((score) => score === edge);
  return (above.positive + (k - above.all) * level.positive / level.all) / k;
}

function isConstant(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}

function checkPairs(
  action: string,
  x: readonly number[],
  y: readonly number[],
  least: number,
): void {
  if (x.length !== y.length || x.length < least) {
    throw new RangeError(
      `Cannot ${action}: got ${x.length} and ${y.length} values, need as many of both, at least ${least}`,
    );
  }
  for (const values of [x, y]) checkFinite(action, values);
}

function checkScores(
  action: string,
  scores: readonly number[],
  positives: readonly boolean[],
): void {
  if (scores.length !== positives.length) {
    throw new RangeError(
      `Cannot ${action}: got ${scores.length} scores and ${positives.length} positives, need as many of both`,
    );
  }
  checkFinite(action, scores);
}

function checkFinite(action: string, values: readonly number[]): void {
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    throw new RangeError(
      `Cannot ${action}: got ${values[broken]} at index ${broken}, need finite numbers`,
    );
  }
}

/** 0.123 as `12.30 %`. */
export function formatPercent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(2)} %`;
}
