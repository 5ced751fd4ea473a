/** The number of labels that look wrong, on odds worked out by hand. @module */
import assert from "node:assert/strict";
import { countIssues, STRONG_ODDS, SUBSTANTIAL_ODDS } from "../../../mod.ts";

Deno.test("labels count from the odds on that the suggested class has over theirs", () => {
  const probabilities = Float64Array.of(
    ...[0.5, 0.25, 0.25], // as suggested
    ...[0.125, 0.5, 0.375], // 4 times
    ...[0.0625, 0.625, 0.3125], // exactly 10 times
    ...[0.25, 0.75, 0], // 3 times
    ...[0, 1, 0], // infinitely often
    ...[0.5, 0.5, 0], // a tie, the given class first
  );
  const issues = { probabilities, suggested: Int32Array.of(0, 1, 1, 1, 1, 0) };
  const data = { labels: new Int32Array(6), classes: 3 };
  assert.equal(countIssues(issues, data, SUBSTANTIAL_ODDS), 3);
  assert.equal(countIssues(issues, data, STRONG_ODDS), 2);
  assert.equal(countIssues(issues, data, 1), 4);
});
