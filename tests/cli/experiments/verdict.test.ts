/** The rules of verdicts. @module */
import assert from "node:assert/strict";
import {
  claimDirection,
  claimNumber,
  claimSide,
  listDifferences,
} from "../../../cli/experiments/shared/verdict.ts";

const direction = { what: "w", paper: "falls", ours: "fell", need: "it falls" };

Deno.test("a direction agrees where it was seen and differs where it was not, at any size", () => {
  assert.deepEqual(claimDirection({ ...direction, holds: true }), {
    what: "w",
    paper: "falls",
    ours: "fell",
    verdict: "agrees",
    rule: "a direction, comparable at any size: agrees if it falls",
  });
  assert.equal(claimDirection({ ...direction, holds: false }).verdict, "differs");
});

Deno.test("a direction that the run cannot tell is not judged, and the reason is given", () => {
  for (const holds of [true, false]) {
    const claim = claimDirection({ ...direction, holds, unable: "12 events, need 500" });
    assert.equal(claim.verdict, "not comparable at this size");
    assert.match(claim.rule, /here: 12 events, need 500$/);
  }
});

const interval = { low: 0.4, high: 0.6, interval: "95% interval" };

Deno.test("a number at the paper's setting agrees within our interval, its ends among it", () => {
  for (
    const [paper, verdict] of [[0.4, "agrees"], [0.6, "agrees"], [0.39, "differs"], [
      0.61,
      "differs",
    ]] as const
  ) {
    const claim = claimNumber({
      what: "w",
      paper,
      ours: { value: 0.5, ...interval },
      differences: [],
    });
    assert.equal(claim.verdict, verdict, `${paper}`);
    assert.equal(claim.ours, "0.500 [0.400, 0.600]");
    assert.match(claim.rule, /agrees if the paper's value lies within our 95% interval$/);
  }
});

Deno.test("a number agrees within a stated tolerance, and never where it is NaN", () => {
  const judge = (paper: number, value: number) =>
    claimNumber({
      what: "w",
      paper,
      ours: { value, tolerance: 0.1, reason: "two digits in a plot" },
      differences: [],
    });
  const claims = [judge(0.42, 0.5), judge(0.38, 0.5), judge(0.42, NaN)];
  assert.deepEqual(claims.map(({ verdict }) => verdict), ["agrees", "differs", "differs"]);
  assert.deepEqual(claims.map(({ ours }) => ours), ["0.500", "0.500", "none"]);
});

Deno.test("a number at other sizes is not judged, however near it is", () => {
  const differences = listDifferences({ samples: 400, sizes: [1, 5], seed: 3 }, {
    samples: 2000,
    sizes: [1, 5],
  });
  assert.deepEqual(differences, ["samples 400 instead of 2000"]);
  const claim = claimNumber({
    what: "w",
    paper: 0.5,
    ours: { value: 0.5, ...interval },
    differences,
  });
  assert.equal(claim.verdict, "not comparable at this size");
  assert.match(claim.rule, /here: samples 400 instead of 2000$/);
});

Deno.test("a side is judged by the interval's ends, and not where the bound lies within or there is no interval", () => {
  const judge = (low: number | null, high: number | null, side: "above" | "below") => {
    const { verdict, rule } = claimSide({
      what: "w",
      paper: "p",
      ours: "o",
      estimate: { value: 0, low, high },
      interval: "95% interval over seeds",
      side,
      bound: 1,
      boundName: "chance",
    });
    assert.match(rule, new RegExp(`the 95% interval over seeds lies ${side} chance, differs if`));
    return verdict;
  };
  const unable = "not comparable at this size";
  const cases = [[1.1, 2, "agrees", "differs"], [0, 0.9, "differs", "agrees"]] as const;
  for (const [low, high, above, below] of cases) {
    assert.deepEqual([judge(low, high, "above"), judge(low, high, "below")], [above, below]);
  }
  for (const [low, high] of [[0.9, 1.1], [1, 2], [0, 1], [null, null]]) {
    assert.deepEqual([judge(low, high, "above"), judge(low, high, "below")], [unable, unable]);
  }
});
