/** Claims and tables of arms: what a t-test between them decides. @module */
import assert from "node:assert/strict";
import type { ArmResult } from "../../../cli/comparison.ts";
import {
  claimTest,
  type Pair,
  tabulateArms,
  tabulateTests,
} from "../../../cli/experiments/shared/arms.ts";

function makeArm(name: string, accuracies: readonly number[]): ArmResult {
  const runs = accuracies.map((testAccuracy, seed) => ({
    seed,
    epochs: [0.1, testAccuracy].map((accuracy, i) => ({
      epoch: i + 1,
      learningRate: 0.1,
      trainLoss: 1,
      validationAccuracy: null,
      testAccuracy: accuracy,
    })),
  }));
  return { name, samples: 100, runs };
}

/** Makes ten runs around a mean, 1 point above and below it. */
function makeTen(name: string, mean: number): ArmResult {
  return makeArm(name, Array.from({ length: 10 }, (_, i) => mean + (i % 2 ? 0.01 : -0.01)));
}

const PAIR: Pair = ["a", "b"];

function judge(a: ArmResult, b: ArmResult) {
  const verdict = (expected: "better" | "not better") =>
    claimTest([a, b], { what: "", paper: "", pair: PAIR, expected }).verdict;
  return [verdict("better"), verdict("not better")];
}

Deno.test("ten runs an arm decide between better and not better", () => {
  assert.deepEqual(judge(makeTen("a", 0.9), makeTen("b", 0.8)), ["agrees", "differs"]);
  assert.deepEqual(judge(makeTen("a", 0.8), makeTen("b", 0.9)), ["differs", "agrees"]);
  assert.deepEqual(judge(makeTen("a", 0.8), makeTen("b", 0.801)), ["differs", "agrees"]);
});

Deno.test("fewer runs decide where they differ significantly, and nothing else", () => {
  const [low, high, between] = [[0.8, 0.81, 0.82], [0.9, 0.91, 0.92], [0.79, 0.81, 0.84]];
  assert.deepEqual(judge(makeArm("a", high), makeArm("b", low)), ["agrees", "differs"]);
  assert.deepEqual(judge(makeArm("a", low), makeArm("b", high)), ["differs", "agrees"]);
  const open = ["not comparable at this size", "not comparable at this size"];
  assert.deepEqual(judge(makeArm("a", low), makeArm("b", between)), open);
  assert.deepEqual(judge(makeArm("a", [0.9]), makeArm("b", low)), open);
  assert.deepEqual(judge(makeArm("a", []), makeArm("b", low)), open);
  const claim = claimTest([makeArm("a", low), makeArm("b", between)], {
    what: "",
    paper: "",
    pair: PAIR,
    expected: "better",
  });
  assert.match(claim.rule, /3 runs an arm, which counts from 10 on/);
});

Deno.test("a claim says means, deviations, t, degrees of freedom, p and effect size", () => {
  // by hand: means 0.81 and 0.91, both deviations 0.01, so t = -0.1 / (0.01 sqrt(2/3)) = -12.25 and d = -10
  const results = [makeArm("a", [0.8, 0.81, 0.82]), makeArm("b", [0.9, 0.91, 0.92])];
  const { ours } = claimTest(results, { what: "", paper: "", pair: PAIR, expected: "better" });
  assert.match(
    ours,
    /^a 81\.00 % ± 1\.00 %, b 91\.00 % ± 1\.00 %; t\(4\) = -12\.25, p = 0\.00026, d = -10\.00$/,
  );
  const [row] = tabulateTests(results, [PAIR]).rows;
  assert.equal(row["degrees of freedom"], 4);
  assert.ok(Math.abs(Number(row["difference (points)"]) + 10) < 1e-9);
});

Deno.test("tables hold every arm and every epoch, and say nothing where there is nothing", () => {
  const [arms, epochs] = tabulateArms([makeArm("a", [0.5, 0.75]), makeArm("b", [])]);
  assert.deepEqual(arms.rows.map(({ runs }) => runs), [2, 0]);
  assert.deepEqual(arms.rows.map((row) => row["accuracy (%)"]), [62.5, null]);
  assert.deepEqual(
    epochs.rows.map((row) => [row.arm, row.seed, row.epoch, row["test accuracy (%)"]]),
    [["a", 0, 1, 10], ["a", 0, 2, 50], ["a", 1, 1, 10], ["a", 1, 2, 75]],
  );
});
