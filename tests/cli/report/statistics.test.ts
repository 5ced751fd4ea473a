import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareMeans,
  correlate,
  fitSlope,
  measureAuroc,
  measurePrecision,
  summarise,
} from "../../../cli/report/statistics.ts";

/** Error of some thirty operations on small integers, which are exact: 32 units of round-off. */
const ROUND_OFF = 2 ** -48;

/** Error that Cephes documents for its incomplete beta function with parameters up to 5 (6.9e-15), and round-off. */
const BETA_ERROR = 6.9e-15 + ROUND_OFF;

function assertClose(got: number | null, want: number, relative = ROUND_OFF) {
  assert.ok(
    got !== null && Math.abs(got - want) <= relative * Math.abs(want),
    `got ${got}, want ${want} within ${relative} of it`,
  );
}

Deno.test("the t-test of two shifted ranges gives the numbers worked out by hand", () => {
  // Means 3 and 4, both variances 2.5: t = -1 / sqrt(2.5 (1/5 + 1/5)) = -1, d = -1 / sqrt(2.5).
  const result = compareMeans([1, 2, 3, 4, 5], [2, 3, 4, 5, 6]);
  assert.equal(result.meanDifference, -1);
  assert.equal(result.degreesOfFreedom, 8);
  assertClose(result.t, -1);
  assertClose(result.effectSize, -1 / Math.sqrt(2.5));
  assertClose(result.p, 0.34659350708733416, BETA_ERROR); // scipy.stats.ttest_ind
});

Deno.test("the t-test of samples of different sizes agrees with 40-digit arithmetic", () => {
  const result = compareMeans([912, 908, 919], [924, 929, 921, 933, 926]);
  assert.equal(result.degreesOfFreedom, 6);
  assertClose(result.t, -3.7597698819498769);
  assertClose(result.p, 0.0094010694763785703, BETA_ERROR);
});

Deno.test("with 2 degrees of freedom p is 1 - |t| / sqrt(t² + 2) (the closed form)", () => {
  const values = fc.tuple(
    ...Array.from({ length: 4 }, () => fc.integer({ min: -1000, max: 1000 })),
  );
  fc.assert(fc.property(values, ([a, b, c, d]) => {
    fc.pre(a !== b || c !== d);
    const { t, p } = compareMeans([a, b], [c, d]);
    const pooledVariance = ((a - b) ** 2 + (c - d) ** 2) / 4;
    const wantT = (a + b - c - d) / 2 / Math.sqrt(pooledVariance);
    assertClose(t, wantT);
    // 1 - |t| / root, written without its cancellation at a large t.
    const root = Math.sqrt(wantT ** 2 + 2);
    // The beta function is asked at z = 2 / (t² + 2), where p moves by dz root / 2|t|: steep at a small t.
    const steepness = wantT === 0 ? 0 : root / Math.abs(wantT);
    assertClose(p, 2 / (root * (root + Math.abs(wantT))), BETA_ERROR + 2 ** -52 * steepness);
  }));
});

Deno.test("swapping the sides of the t-test flips the signs and keeps p", () => {
  const values = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 2, maxLength: 12 });
  fc.assert(fc.property(values, values, (a, b) => {
    const one = compareMeans(a, b);
    const two = compareMeans(b, a);
    assert.equal(one.p, two.p);
    assert.equal(one.degreesOfFreedom, two.degreesOfFreedom);
    assert.equal((one.t ?? 0) + (two.t ?? 0), 0);
    assert.equal((one.effectSize ?? 0) + (two.effectSize ?? 0), 0);
  }));
});

Deno.test("a side of fewer than 2 values gives no test, in fields that are null in JSON too", () => {
  const none = { t: null, degreesOfFreedom: null, p: null, meanDifference: null, effectSize: null };
  assert.deepEqual(compareMeans([], [1, 2]), none);
  assert.deepEqual(compareMeans([3], [1, 2]), { ...none, meanDifference: 1.5 });
  const result = compareMeans([3], [1]);
  assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
});

Deno.test("zero variance on both sides gives no t, p or effect size, equal means or not", () => {
  for (const level of [0.1, 0.3]) {
    assert.deepEqual(compareMeans([0.1, 0.1, 0.1], [level, level, level]), {
      t: null,
      degreesOfFreedom: 4,
      p: null,
      meanDifference: 0.1 - level,
      effectSize: null,
    });
  }
});

Deno.test("zero variance on one side alone still gives a test", () => {
  // Means 1 and 3, variances 0 and 2, pooled 1: t = -2 / sqrt(1), d = -2.
  const { t, effectSize } = compareMeans([1, 1], [2, 4]);
  assertClose(t, -2);
  assertClose(effectSize, -2);
});

Deno.test("a summary holds the mean and the sample standard deviation", () => {
  // Squares about the mean of 5: 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32, over 7.
  const { mean, standardDeviation } = summarise([2, 4, 4, 4, 5, 5, 7, 9]);
  assertClose(mean, 5);
  assertClose(standardDeviation, Math.sqrt(32 / 7));
});

Deno.test("a summary of too few values says null", () => {
  assert.deepEqual(summarise([]), { mean: null, standardDeviation: null });
  assert.deepEqual(summarise([4]), { mean: 4, standardDeviation: null });
});

Deno.test("NaN and infinity among the values are refused, with their place", () => {
  for (const broken of [NaN, Infinity, -Infinity]) {
    const message = `Cannot summarise values: got ${broken} at index 1, need finite numbers`;
    assert.throws(() => summarise([1, broken]), new RangeError(message));
    assert.throws(() => compareMeans([1, 2], [1, broken, 3]), new RangeError(message));
  }
});

Deno.test("Pearson's rho and its interval are those that another library gives", () => {
  // @stdlib/stats-pcorrtest 0.2.3
  const estimate = correlate([1, 2, 3, 4, 5, 9], [2, 1, 4, 3, 5, 2])!;
  assertClose(estimate.value, 0.1441153384245784);
  // its normal quantile is good to some 1e-9
  assertClose(estimate.low, -0.7558488314465656, 1e-8);
  assertClose(estimate.high, 0.8556062541955003, 1e-8);
});

Deno.test("rho is 1 for a rising line, -1 for a falling one, and nothing for a constant", () => {
  const x = [0.1, 0.2, 0.3, 0.7, 0.9];
  assert.deepEqual(correlate(x, x), { value: 1, low: 1, high: 1 });
  assertClose(correlate(x, x.map((value) => 3 - 2 * value))!.value, -1);
  assert.equal(correlate(x, x.map(() => 4)), null);
  assert.deepEqual(correlate([1, 2, 3], [1, 3, 2]), { value: 0.5, low: null, high: null });
});

Deno.test("a slope and its interval are those worked out by hand", () => {
  // x̄ = 3, Sxx = 10, Sxy = 19.9, SSR = 0.107: se = sqrt(0.107 / 3 / 10), t(0.975, 3) = 3.18244630528371
  const slope = fitSlope([1, 2, 3, 4, 5], [2.1, 3.9, 6.2, 7.8, 10.1])!;
  const reach = 3.18244630528371 * Math.sqrt(0.107 / 30);
  assertClose(slope.value, 1.99, 1e-13);
  assertClose(slope.low, 1.99 - reach, 1e-8);
  assertClose(slope.high, 1.99 + reach, 1e-8);
});

Deno.test("a power law's slope on logarithms is its power, and a vertical line has none", () => {
  const widths = [32, 64, 128, 256, 512];
  const slope = fitSlope(
    widths.map(Math.log),
    widths.map((width) => Math.log(7 / Math.sqrt(width))),
  )!;
  assert.ok(Math.abs(slope.value + 0.5) < 1e-12, `${slope.value}`);
  assert.equal(fitSlope([2, 2, 2], [1, 2, 3]), null);
});

Deno.test("AUROC counts the pairs that are in order, half of those that are level", () => {
  const scored = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), {
    maxLength: 30,
  });
  fc.assert(fc.property(scored, (pairs) => {
    const [high, low] = [true, false].map((wanted) =>
      pairs.filter(([, positive]) => positive === wanted).map(([score]) => score)
    );
    const total = high.flatMap((a) => low.map((b): number => a > b ? 1 : a === b ? 0.5 : 0))
      .reduce((sum, value) => sum + value, 0);
    const auroc = measureAuroc(
      pairs.map(([score]) => score),
      pairs.map(([, positive]) => positive),
    );
    if (high.length * low.length === 0) assert.equal(auroc, null);
    else assert.equal(auroc, total / (high.length * low.length));
  }));
});

Deno.test("precision at k is the share of positives among the best k, shared out among level scores", () => {
  const scores = [5, 4, 4, 4, 1];
  const positives = [true, false, true, true, false];
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((k) => measurePrecision(scores, positives, k)),
    [1, (1 + 2 / 3) / 2, (1 + 4 / 3) / 3, 3 / 4, 3 / 5],
  );
  assert.throws(() => measurePrecision(scores, positives, 6), /got k 6, need an integer in 1..5$/);
});

Deno.test("statistics of pairs refuse numbers that are not finite, and halves of pairs", () => {
  for (const statistic of [correlate, fitSlope]) {
    assert.throws(() => statistic([1, NaN], [1, 2]), /got NaN at index 1, need finite numbers$/);
    assert.throws(() => statistic([1, 2], [1]), /got 2 and 1 values, need as many of both/);
  }
  assert.throws(() => measureAuroc([1], []), /got 1 scores and 0 positives/);
  assert.throws(() => measureAuroc([Infinity], [true]), /got Infinity at index 0/);
});
