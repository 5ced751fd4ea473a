/** The number of labels that are probably wrong, on probabilities worked out by hand. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { estimateIssueCount } from "../../../mod.ts";

/** Makes judgements of two classes from rows of the given label and the probability of class 0. */
function judge(rows: readonly (readonly [given: number, first: number])[]) {
  return [
    { probabilities: Float64Array.from(rows.flatMap(([, first]) => [first, 1 - first])) },
    { labels: Int32Array.from(rows, ([given]) => given), classes: 2 },
  ] as const;
}

Deno.test("samples that are sure of another class count beside those sure of theirs", () => {
  const [issues, data] = judge([
    // of class 0 the mean is (1 + 0.875 + 0.75 + 0.375) / 4 = 0.75
    [0, 1],
    [0, 0.875],
    [0, 0.75], // exactly the mean counts
    [0, 0.375], // 0.625 for class 1 is its mean
    // of class 1 the mean is (1 + 0.75 + 0.25 + 0.5) / 4 = 0.625
    [1, 0],
    [1, 0.25],
    [1, 0.75], // counts for class 0
    [1, 0.5], // counts for none
  ]);
  // 1 of the 4 samples of class 0 that count, 1 of 3 of class 1, of 4 samples each
  assert.equal(estimateIssueCount(issues, data), Math.round(4 / 4 + 4 / 3));
});

Deno.test("an estimate is spread over the samples that say nothing", () => {
  // the mean is 0.5 of class 0; one sample of eight counts for either class, the rest for none: half of all are wrong
  const unsure = Array.from({ length: 6 }, () => [0, 0.484375] as const);
  const [issues, data] = judge([[0, 1], [0, 0.09375], ...unsure, [1, 0.25]]);
  assert.equal(estimateIssueCount(issues, data), 4);
});

Deno.test("no label is wrong where every given one is sure, nor in a class without samples", () => {
  const probabilities = Float64Array.of(0.9, 0, 0.1, 0.9, 0, 0.1, 0, 0, 1);
  const data = { labels: Int32Array.of(0, 0, 2), classes: 3 };
  assert.equal(estimateIssueCount({ probabilities }, data), 0);
});

Deno.test("an estimate is a number of the samples", () => {
  const row = fc.tuple(fc.nat(1), fc.integer({ min: 0, max: 64 }).map((n) => n / 64));
  fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
    const count = estimateIssueCount(...judge(rows));
    assert.ok(Number.isInteger(count) && count >= 0 && count <= rows.length);
  }));
});
