/**
 * Statistics of a report: means, spreads, and the t-test of the paper's section 4.2. A number that does
 * not exist is `null`, never NaN, so that a result goes through JSON unchanged.
 *
 * @module
 */

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
export function summarise(values: number[]): Summary {
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    throw new RangeError(
      `Cannot summarise values: got ${values[broken]} at index ${broken}, need finite numbers`,
    );
  }
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
