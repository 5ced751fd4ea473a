/** The labels that look wrong, on odds worked out by hand. @module */
import assert from "node:assert/strict";
import { listIssues, STRONG_ODDS, SUBSTANTIAL_ODDS } from "../../../../mod.ts";
import { rankLabels } from "../../../../engine/cleaning/labels/label_ranking.ts";

Deno.test("labels are listed from the odds on that the suggested class has over theirs", () => {
  const probabilities = Float64Array.of(
    ...[0.5, 0.25, 0.25], // as suggested
    ...[0.125, 0.5, 0.375], // 4 times
    ...[0.0625, 0.625, 0.3125], // exactly 10 times
    ...[0.25, 0.75, 0], // 3 times
    ...[0, 1, 0], // infinitely often
    ...[0.5, 0.5, 0], // a tie, the given class first
  );
  const data = { labels: new Int32Array(6), classes: 3 };
  const issues = rankLabels(probabilities, probabilities, data);
  assert.deepEqual([...listIssues(issues, data, SUBSTANTIAL_ODDS)], [4, 2, 1]);
  assert.deepEqual([...listIssues(issues, data, STRONG_ODDS)], [4, 2]);
  assert.deepEqual([...listIssues(issues, data, 1)], [4, 2, 1, 3]);
});

Deno.test("a label that is suggested is not listed, however improbable, nor is the only one of its class", () => {
  const probabilities = Float64Array.of(
    ...[0.3, 0.25, 0.25, 0.2], // the best of a bad lot
    ...[0.35, 0.6, 0.05, 0], // less than twice
    ...[0.9, 0, 0.1, 0],
    ...[0.98, 0, 0, 0.02], // alone in its class
    ...[0, 0, 1, 0],
  );
  const data = { labels: Int32Array.of(0, 0, 2, 3, 2), classes: 4 };
  const issues = rankLabels(probabilities, probabilities, data);
  assert.deepEqual([...issues.order], [3, 2, 0, 1, 4]);
  assert.deepEqual([...listIssues(issues, data, 1.5)], [2, 1]);
});

Deno.test("odds that are none, and issues of other samples, are refused", () => {
  const data = { labels: Int32Array.of(0, 0), classes: 2 };
  const probabilities = Float64Array.of(0.9, 0.1, 0.1, 0.9);
  const issues = rankLabels(probabilities, probabilities, data);
  for (const odds of [NaN, 0.5, "10" as unknown as number]) {
    assert.throws(() => listIssues(issues, data, odds), {
      name: "RangeError",
      message: /^Cannot list issues: got odds [^\n]+, need a number of at least 1$/,
    });
  }
  const others = { ...data, labels: Int32Array.of(0, 0, 1) };
  assert.throws(() => listIssues(issues, others, 2), {
    name: "RangeError",
    message: /^Cannot list issues: got those of 2 samples for 3, need those of the same samples$/,
  });
});
