/** Intervals against published and tabulated numbers. @module */
import assert from "node:assert/strict";
import {
  estimateDifference,
  estimateMean,
  estimateShare,
  formatInterval,
} from "../../../cli/report/intervals.ts";
import type { Estimate } from "../../../cli/report/statistics.ts";

function assertEstimate(actual: Estimate, expected: readonly number[], tolerance: number): void {
  [actual.value, actual.low!, actual.high!].forEach((number, i) =>
    assert.ok(Math.abs(number - expected[i]) <= tolerance, `${number}, not ${expected[i]}`)
  );
}

Deno.test("the interval of a mean is Student's", () => {
  // t(4) at 0.975 is 2.776445 in tables; the deviation of 1 to 5 is sqrt(2.5)
  const reach = 2.776445 * Math.sqrt(2.5 / 5);
  assertEstimate(estimateMean([1, 2, 3, 4, 5]), [3, 3 - reach, 3 + reach], 2e-6);
  assert.deepEqual(estimateMean([7]), { value: 7, low: null, high: null });
  assert.deepEqual(estimateMean([7, 7, 7]), { value: 7, low: 7, high: 7 });
  assert.throws(() => estimateMean([]), RangeError);
  assert.throws(() => estimateMean([1, NaN]), RangeError);
});

Deno.test("the interval of a difference is Student's with pooled variance", () => {
  // squares about the means: 10 and 2; t(6) at 0.975 is 2.446912 in tables
  const reach = 2.446912 * Math.sqrt(12 / 6 * (1 / 5 + 1 / 3));
  assertEstimate(
    estimateDifference([1, 2, 3, 4, 5], [7, 8, 9]),
    [-5, -5 - reach, -5 + reach],
    5e-6,
  );
  assertEstimate(estimateDifference([1, 3], [1, 3]), [0, -6.084870, 6.084870], 1e-5);
  assert.deepEqual(estimateDifference([7, 7], [6, 6]), { value: 1, low: null, high: null });
  assert.deepEqual(estimateDifference([7], [6, 5]), { value: 1.5, low: null, high: null });
  assert.throws(() => estimateDifference([], [1]), RangeError);
  assert.throws(() => estimateDifference([1, 2], [1, NaN]), RangeError);
});

Deno.test("the interval of a share is Clopper and Pearson's", () => {
  // R 4: binom.test(8, 10) and binom.test(0, 10)
  assertEstimate(estimateShare(8, 10), [0.8, 0.4439045, 0.9747893], 1e-7);
  assertEstimate(estimateShare(0, 10), [0, 0, 0.3084971], 1e-7);
  assertEstimate(estimateShare(10, 10), [1, 1 - 0.3084971, 1], 1e-7);
  for (const [hits, trials] of [[1, 0], [-1, 3], [4, 3], [0.5, 3], [NaN, 3]]) {
    assert.throws(() => estimateShare(hits, trials), RangeError);
  }
});

Deno.test("an interval is said with its value, a value without one alone", () => {
  assert.equal(formatInterval({ value: 1, low: 0.5, high: 1.23456 }), "1.000 [0.500, 1.235]");
  assert.equal(formatInterval({ value: 0.12, low: null, high: null }, 1), "0.1");
});
