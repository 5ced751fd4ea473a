/** Pooled judges: by hand, and as properties of the largest likelihood. @module */
import assert from "node:assert/strict";
import { poolJudges } from "../../../../engine/cleaning/labels/pooling.ts";
import { createGenerator, drawUniform, STREAMS } from "../../../../engine/data/random.ts";

const COUNT = 90;
const CLASSES = 3;
const LABELS = Array.from({ length: COUNT }, (_, n) => (n * n + n) % 7 % CLASSES);

/** Scores that favour the label by some bonus, with noise. */
function drawJudge(seed: number, bonus: number): number[] {
  const noise = drawUniform(createGenerator(seed, STREAMS.trials), COUNT * CLASSES, 1);
  return Array.from(
    noise,
    (value, at) => value + (LABELS[Math.floor(at / CLASSES)] === at % CLASSES ? bonus : 0),
  );
}

/** Penalised log-likelihood, written anew. */
function measure(judges: readonly number[][], weights: readonly number[]): number {
  let sum = -weights.reduce((total, weight) => total + weight ** 2, 0) / 2;
  LABELS.forEach((label, n) => {
    const scores = Array.from(
      { length: CLASSES },
      (_, c) =>
        weights.reduce((total, weight, j) => total + weight * judges[j][n * CLASSES + c], 0),
    );
    sum += scores[label] - Math.log(scores.reduce((total, z) => total + Math.exp(z), 0));
  });
  return sum;
}

Deno.test("no other weights from 0 on have a larger likelihood, and the probabilities are those of the weights", () => {
  const judges = [drawJudge(1, 0.8), drawJudge(2, 0.2), drawJudge(3, 0), drawJudge(5, -0.4)];
  const { weights, probabilities } = poolJudges(judges, LABELS, CLASSES);
  const best = measure(judges, weights);
  weights.forEach((_, j) => {
    for (const step of [1e-3, -1e-3]) {
      if (weights[j] + step < 0) continue;
      const moved = measure(judges, weights.with(j, weights[j] + step));
      assert.ok(moved < best, `weight ${j} ${step > 0 ? "larger" : "smaller"}: ${moved - best}`);
    }
  });
  assert.ok(weights[0] > weights[1] && weights[1] > weights[2], weights.join());
  assert.equal(weights[3], 0, "the weight of a judge who contradicts the labels");
  for (let n = 0; n < COUNT; n++) {
    const powers = Array.from(
      { length: CLASSES },
      (_, c) =>
        Math.exp(weights.reduce((sum, weight, j) => sum + weight * judges[j][n * CLASSES + c], 0)),
    );
    const total = powers.reduce((a, b) => a + b);
    powers.forEach((power, c) => {
      const actual = probabilities[n * CLASSES + c];
      assert.ok(Math.abs(actual - power / total) < 1e-12, `sample ${n}: ${actual}`);
    });
  }
});

Deno.test("a number that is added to all scores of a sample changes nothing", () => {
  const judge = drawJudge(4, 0.8);
  const moved = judge.map((score, at) => score + 1000 * (Math.floor(at / CLASSES) % 4));
  const [plain] = poolJudges([judge], LABELS, CLASSES).weights;
  const [shifted] = poolJudges([moved], LABELS, CLASSES).weights;
  assert.ok(Math.abs(shifted - plain) < 1e-9, `${plain} and ${shifted}`);
});

Deno.test("judges who are never wrong, or say nothing, keep their weights finite", () => {
  const sure = LABELS.flatMap((label) => [0, 1, 2].map((c) => c === label ? 0 : -700));
  const { weights, probabilities } = poolJudges([sure, sure.map(() => 1)], LABELS, CLASSES);
  assert.ok(weights.every(Number.isFinite) && probabilities.every(Number.isFinite));
  assert.equal(weights[1], 0);
  LABELS.forEach((label, n) => assert.ok(probabilities[n * CLASSES + label] > 0.99));
});

Deno.test("a judge who knows only how many others have each label tells no label", () => {
  const labels = LABELS.map((_, n) => n % CLASSES);
  const each = COUNT / CLASSES;
  const others = labels.flatMap((own) => [0, 1, 2].map((c) => each - Number(own === c)));
  const { weights, probabilities } = poolJudges([others], labels, CLASSES);
  assert.deepEqual(weights, [0]);
  probabilities.forEach((share) => assert.equal(share, 1 / CLASSES));
});
