/**
 * The quick settings of the experiments forgetting and theorem1 on real MNIST, and what must hold at that size.
 *
 * LPNTK_DATA names the folder that holds `mnist/`; without it the tests are left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ignore, runQuick } from "./quick.ts";

interface Scores {
  precision: number;
  recall: number;
  f1: number;
}

Deno.test({
  name:
    "forgetting on MNIST: the eNTK's change of the logits finds it; equation 1 understates it; lpNTK does not do",
  ignore,
  async fn() {
    const { metrics: { events, outcomes, excluded } } = await runQuick("forgetting");
    assert.deepEqual(excluded, []);
    assert.ok(events >= 100, `${events} events`);
    const find = (predictor: string): Scores =>
      outcomes.find((outcome: { predictor: string }) => outcome.predictor === predictor).all;
    const logits = find("eNTK, logits");
    assert.ok(logits.f1 >= 0.9, `F1 ${logits.f1}`);
    // a linear softmax moves a confident prediction too little: its predicted events are right, but it misses a third and more
    const equation1 = find("eNTK, probabilities");
    assert.ok(equation1.precision >= 0.9, `precision ${equation1.precision} by equation 1`);
    assert.ok(equation1.recall < logits.recall - 0.2, `recall ${equation1.recall} by equation 1`);
    const scalar = find("lpNTK, logits");
    assert.ok(scalar.f1 < equation1.f1, `F1 ${scalar.f1} with lpNTK`);
  },
});

Deno.test({
  name:
    "theorem1 on MNIST: the slope -1/2 for pairs of one label, the floor 4 / K for two, and equation 4 as written fails",
  ignore,
  async fn() {
    const { metrics: { slopes, floors } } = await runQuick("theorem1");
    const find = (measure: string, pairs: string, kernel = "lpntk") =>
      slopes.find((slope: Record<string, unknown>) =>
        slope.growth === "all" && slope.measure === measure && slope.pairs === pairs &&
        slope.kernel === kernel
      ).slope;
    for (
      const [kernel, pairs] of [["lpntk", "one label"], ["pntk", "one label"], [
        "pntk",
        "two labels",
      ]]
    ) {
      const { low, high } = find("relative", pairs, kernel);
      assert.ok(low <= -0.5 && high >= -0.5, `${kernel}, ${pairs}: slope in [${low}, ${high}]`);
    }
    const floor = floors.find(({ growth }: { growth: string }) => growth === "all");
    assert.ok(floor.low <= 0.4 && floor.high >= 0.4, `floor in [${floor.low}, ${floor.high}]`);
    // if all layers grow, the factor 1/sqrt(w) does not make the distance fall: it is level for one label, and grows as sqrt(w) for two
    const level = find("equation 4", "one label");
    assert.ok(level.low > -0.5, `slope in [${level.low}, ${level.high}]`);
    const rising = find("equation 4", "two labels");
    assert.ok(rising.low > 0, `slope in [${rising.low}, ${rising.high}]`);
  },
});
