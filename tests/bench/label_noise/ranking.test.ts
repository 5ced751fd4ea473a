/** The bench of wrong labels: quality of rankings and confident learning by hand, cells as they are described. @module */
import assert from "node:assert/strict";
import {
  CELLS,
  CHOOSING_SEEDS,
  drawCell,
  JUDGING_SEEDS,
} from "../../../bench/label_noise/cells.ts";
import { measureQuality } from "../../../bench/label_noise/quality.ts";
import { METHODS } from "../../../bench/label_noise/methods.ts";
import {
  compareMethods,
  decide,
  DEFAULT,
  type Result,
} from "../../../bench/label_noise/verdicts.ts";
import { learnConfidently } from "../../../bench/peers/confident_learning.ts";

Deno.test("average precision, precision and recall of a ranking by hand", () => {
  // wrong labels at ranks 1, 3 and 20 of 20
  const isWrong = Array.from({ length: 20 }, (_, n) => n === 0 || n === 2 || n === 19);
  const quality = measureQuality(isWrong.map((_, n) => -n), isWrong);
  assert.deepEqual(quality, {
    averagePrecision: (1 / 1 + 2 / 3 + 3 / 20) / 3,
    precision5: 1,
    recall5: 1 / 3,
    precision10: 1 / 2,
    recall10: 1 / 3,
  });
});

Deno.test("a ranking without a mistake has average precision 1, one of equal scores keeps the order", () => {
  const isWrong = [false, true, false, true];
  assert.equal(measureQuality([0, 3, 1, 2], isWrong).averagePrecision, 1);
  assert.equal(measureQuality([0, 0, 0, 0], isWrong).averagePrecision, 1 / 2);
});

Deno.test("confident learning by hand", () => {
  // class 0: probabilities of itself .9, .8, .1, mean .6; class 1: .7, .5, .6, mean .6
  const probabilities = [.9, .1, .8, .2, .1, .9, .3, .7, .5, .5, .4, .6];
  const { joint, pruned, scores } = learnConfidently(probabilities, [0, 0, 0, 1, 1, 1], 2);
  // the third is confidently of class 1; the fifth reaches no threshold
  assert.deepEqual([...joint], [2, 1, 0, 2]);
  assert.deepEqual(pruned, [false, false, true, false, false, false]);
  const margins = [.1 - .9, .2 - .8, .9 - .1 + 2, .3 - .7, 0, .4 - .6];
  scores.forEach((score, n) => assert.ok(Math.abs(score - margins[n]) < 1e-15));
});

Deno.test("calibration counts samples that reach no threshold", () => {
  // of class 0, one of two counted is off the diagonal, so that two of its four are pruned
  const probabilities = [.9, .1, .2, .8, .45, .55, .5, .5, .1, .9, .2, .8];
  const { joint, pruned } = learnConfidently(probabilities, [0, 0, 0, 0, 1, 1], 2);
  // thresholds: (.9 + .2 + .45 + .5) / 4 = .5125 and (.9 + .8) / 2 = .85: the second sample's .8 is below it
  assert.deepEqual([...joint], [1, 0, 0, 1]);
  assert.deepEqual(pruned, Array(6).fill(false));
  const surer = learnConfidently(probabilities.with(3, .9), [0, 0, 0, 0, 1, 1], 2);
  assert.deepEqual([...surer.joint], [1, 1, 0, 1]);
  assert.deepEqual(surer.pruned, [false, true, true, false, false, false]);
});

Deno.test("cells have the wrong labels that they say, and judging seeds samples of their own", async () => {
  assert.equal(CELLS.length, 24);
  for (const noise of ["symmetric", "pairwise"] as const) {
    const cell = { data: "digits", noise, share: 0.1, size: 100 } as const;
    const { data, truth } = await drawCell(cell, CHOOSING_SEEDS[0]);
    const wrong = [...truth.keys()].filter((n) => data.labels[n] !== truth[n]);
    assert.equal(wrong.length, 10);
    if (noise === "pairwise") {
      assert.ok(wrong.every((n) => data.labels[n] === (truth[n] + 1) % 10));
    } else assert.ok(wrong.some((n) => data.labels[n] !== (truth[n] + 1) % 10));
    assert.equal((await drawCell(cell, JUDGING_SEEDS[0])).data.split, "test");
  }
});

Deno.test("verdicts by hand: Student's t of differences, and undecided where the interval holds 0", () => {
  // mean 2, standard deviation 1, t of 2 degrees 4.3027
  const { mean, margin, says } = decide([1, 2, 3]);
  assert.equal(mean, 2);
  assert.ok(Math.abs(margin - 4.302652729911275 / Math.sqrt(3)) < 1e-9, `${margin}`);
  assert.equal(says, "undecided");
  assert.equal(decide([10, 11, 12]).says, "better");
  assert.equal(decide([-10, -11, -12]).says, "worse");
  assert.deepEqual(decide([1]), { mean: 1, margin: Infinity, says: "undecided" });
});

Deno.test("methods are compared pair by pair, averaged within each cell first", () => {
  const other = Object.keys(METHODS)[0];
  const result = (
    method: string,
    cell: string,
    seed: number,
    averagePrecision: number,
  ): Result => ({
    ...{ method, cell, stage: "half", seed, averagePrecision },
    ...{ precision5: 0, recall5: 0, precision10: 0, recall10: 0 },
  });
  const results = [
    ...[[0, 0.5], [1, 0.7]].map(([seed, value]) => result(DEFAULT, "a", seed, value)),
    ...[[0, 0.4], [1, 0.4]].map(([seed, value]) => result(other, "a", seed, value)),
    result(DEFAULT, "b", 0, 0.9),
    result(other, "b", 0, 0.5),
    result(DEFAULT, "c", 0, 0.9),
  ];
  const { mean } = compareMethods(results, other)!;
  assert.ok(Math.abs(mean - (0.2 + 0.4) / 2) < 1e-15, `${mean}`);
  assert.equal(compareMethods(results, other, "right"), undefined);
});
