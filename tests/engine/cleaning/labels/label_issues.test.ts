/** Labels that look wrong: planted ones are found, whatever the order of the samples, and the same seed gives the same bits. @module */
import assert from "node:assert/strict";
import { chooseNetwork } from "../../../../engine/cleaning/labels/choose_network.ts";
import { findLabelIssues } from "../../../../engine/cleaning/labels/label_issues.ts";
import { rankLabels } from "../../../../engine/cleaning/labels/label_ranking.ts";
import { createDataset, takeSamples } from "../../../../engine/data/dataset.ts";
import { drawDigits } from "../../../../engine/data/digits.ts";
import { flipLabels } from "../../../../engine/data/label_noise.ts";
import { mlp } from "../../../../engine/network/models.ts";
import { testEngine } from "../../open_engine.ts";

const { labels: truth, ...digits } = drawDigits("train", { size: 200, seed: 4 });
const { data, flipped } = flipLabels({ ...digits, labels: truth }, 0.05, 1);
const training = { epochs: 3, batch: 32, learningRate: 0.05 };

/** Mean of the precision at each planted label. */
function measurePrecision(order: ArrayLike<number>, planted: ReadonlySet<number>): number {
  let found = 0;
  let sum = 0;
  Array.from(order).forEach((sample, rank) => {
    if (planted.has(sample)) sum += ++found / (rank + 1);
  });
  return sum / planted.size;
}

testEngine(
  "planted labels come first, with the right class; sorted by class too; the same bits each time",
  async (engine) => {
    const issues = await findLabelIssues(engine, mlp, data, { training, folds: 2 });
    const precision = measurePrecision(issues.order, new Set(flipped));
    assert.ok(precision > 0.9, `average precision ${precision}`);
    const right = flipped.filter((sample) => issues.suggested[sample] === truth[sample]);
    assert.ok(right.length >= 9, `${right.length} of ${flipped.length} suggestions`);
    assert.deepEqual([...issues.order].sort((a, b) => a - b), [...data.labels.keys()]);
    issues.order.forEach((sample, rank) => {
      assert.ok(rank === 0 || issues.scores[sample] <= issues.scores[issues.order[rank - 1]]);
    });
    assert.ok(issues.losses.every((loss) => loss > 0 && Number.isFinite(loss)));
    const agreed = issues.suggested.filter((label, n) => label === data.labels[n]).length;
    assert.equal(issues.agreement.pooled, agreed / data.labels.length);
    // a label more probable than 1 / 2 is the networks' best, one less probable than 1 / classes is not
    const countBelow = (loss: number) => issues.losses.filter((own) => own < loss).length;
    const byNetworks = issues.agreement.networks * data.labels.length;
    assert.ok(byNetworks >= countBelow(Math.log(2)), `${byNetworks}`);
    assert.ok(byNetworks <= countBelow(Math.log(data.classes)), `${byNetworks}`);
    const again = await findLabelIssues(engine, mlp, data, { training, folds: 2 });
    assert.deepEqual(again, issues);
    const other = { training: { ...training, epochs: 1 }, folds: 2 };
    assert.notDeepEqual((await findLabelIssues(engine, mlp, data, other)).scores, issues.scores);
    const byClass = [...data.labels.keys()].sort((a, b) => data.labels[a] - data.labels[b]);
    const sorted = await findLabelIssues(engine, mlp, takeSamples(data, byClass), {
      training,
      folds: 2,
    });
    const planted = new Set(byClass.keys().filter((n) => flipped.includes(byClass[n])));
    const ofSorted = measurePrecision(sorted.order, planted);
    assert.ok(ofSorted > 0.9, `average precision ${ofSorted}`);
  },
);

Deno.test("judges agree with the labels that they hold to be the most likely", () => {
  const pooled = Float64Array.of(0.75, 0.25, 0.25, 0.75, 0.5, 0.5, 0.125, 0.875);
  const byNetworks = Float64Array.of(0.25, 0.75, 0.25, 0.75, 0.25, 0.75, 0.75, 0.25);
  const data = { labels: Int32Array.of(0, 1, 0, 1), classes: 2 };
  assert.deepEqual(rankLabels(pooled, byNetworks, data).agreement, { pooled: 1, networks: 0.25 });
});

testEngine("folds and options that do not fit are refused", async (engine) => {
  const few = takeSamples(data, [0, 1, 2]);
  const find = (folds: number) => findLabelIssues(engine, mlp, few, { folds });
  const message = /Cannot find label issues of digits: got folds .*, need an integer from 2 to 3/;
  await assert.rejects(find(4), { name: "RangeError", message });
  await assert.rejects(find(1), { name: "RangeError", message });
  await assert.rejects(findLabelIssues(engine, mlp, few), { name: "RangeError", message });
  const { signal } = new AbortController();
  const ignored = { seed: 1, signal, onEpoch() {}, validation: few, test: few, resume: {} };
  for (const [name, value] of Object.entries(ignored)) {
    await assert.rejects(
      findLabelIssues(engine, mlp, few, { folds: 2, training: { [name]: value } }),
      { name: "TypeError", message: new RegExp(`unknown option ${name} = .*, need none: `) },
    );
  }
});

Deno.test("the network is LeNet-5 where a pixel is left of pictures, and few samples have more epochs", () => {
  const choose = (count: number, shape: readonly [number, number, number]) =>
    chooseNetwork(createDataset({
      name: "some",
      split: "train",
      images: new Uint8Array(count * shape[0] * shape[1] * shape[2]),
      labels: new Int32Array(count),
      shape,
      classes: 2,
    }));
  assert.equal(choose(1, [12, 40, 1]).definition.name, "lenet5");
  assert.equal(choose(1, [11, 40, 1]).definition.name, "mlp");
  assert.equal(choose(1, [1, 1, 5]).definition.name, "mlp");
  assert.deepEqual(
    [1, 2500, 6000, 60_000].map((count) => choose(count, [1, 1, 1]).training.epochs),
    [12, 12, 5, 3],
  );
  assert.equal(
    choose(6000, [32, 32, 3]).reason,
    "Network lenet5, trained for 5 epochs, for 6000 samples of 32 x 32 x 3.",
  );
});
