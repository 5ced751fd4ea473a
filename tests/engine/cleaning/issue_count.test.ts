/** The number of labels that are probably wrong, on margins worked out by hand. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { estimateIssueCount } from "../../../mod.ts";

/** Makes issues from rows of given label, suggested label, and margin for the suggested one. */
function judge(rows: readonly (readonly [given: number, suggested: number, margin: number])[]) {
  return {
    labels: rows.map(([given]) => given),
    suggested: Int32Array.from(rows, ([, suggested]) => suggested),
    scores: Float64Array.from(
      rows,
      ([given, suggested, margin]) => given === suggested ? -margin : margin,
    ),
  };
}

Deno.test("sure suggestions count beside sure labels, class by class", () => {
  // mean margins: class 0 (0.9 + 0.7 + 0.5 - 0.5) / 4 = 0.4, class 1 (0.8 + 0.6 - 0.2 - 0.4) / 4 = 0.2
  const rows = [
    [0, 0, 0.9],
    [0, 0, 0.7],
    [0, 0, 0.5],
    [0, 1, 0.5], // at least 0.2: wrong
    [1, 1, 0.8],
    [1, 1, 0.6],
    [1, 0, 0.2], // below 0.4: says nothing
    [1, 0, 0.4], // exactly 0.4 on paper
  ] as const;
  const { labels, ...issues } = judge(rows);
  // class 0: 1 of 4 is wrong, of 4 samples; class 1: 1 of 3, of 4 samples
  assert.equal(estimateIssueCount(issues, labels, 2), Math.round(4 / 4 + 4 / 3));
});

Deno.test("no label is wrong where every given one is best, nor in an empty class", () => {
  const { labels, ...issues } = judge([[0, 0, 0.3], [0, 0, 0], [2, 2, 1]]);
  assert.equal(estimateIssueCount(issues, labels, 4), 0);
});

Deno.test("the estimate is a number of the samples", () => {
  const row = fc.tuple(fc.nat(3), fc.nat(3), fc.integer({ min: 0, max: 64 }).map((n) => n / 64));
  fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
    const count = (all: typeof rows) => {
      const { labels, ...issues } = judge(all);
      return estimateIssueCount(issues, labels, 4);
    };
    assert.ok(count(rows) >= 0 && count(rows) <= rows.length);
  }));
});
