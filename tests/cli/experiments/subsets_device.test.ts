/** Arms of an experiment on a device: what is trained, kept and left out. @module */
import assert from "node:assert/strict";
import { debias } from "../../../cli/experiments/debias/debias.ts";
import type { Run } from "../../../cli/experiments/experiment.ts";
import {
  loadSubsetData,
  type SubsetSettings,
  trainKernelNetwork,
  trainSubsetArms,
} from "../../../cli/experiments/shared/subsets.ts";
import { poison } from "../../../cli/experiments/poison/poison.ts";
import { redundancy } from "../../../cli/experiments/redundancy/redundancy.ts";
import { drawDigits } from "../../../engine/data/digits.ts";
import { loadDataset } from "../../../engine/data/named.ts";
import { type Dataset, takeSamples } from "../../../engine/data/dataset.ts";
import { drawStratified } from "../../../engine/data/stratified.ts";
import type { Engine } from "../../../engine/engine.ts";
import { mlp } from "../../../engine/network/models.ts";
import type { Network } from "../../../engine/network/network.ts";
import type { TrainingOptions } from "../../../engine/training/options.ts";
import { keepRandom } from "../../../engine/samples/pruning.ts";
import { testEngine } from "../../engine/open_engine.ts";

const SMALL = {
  data: "digits",
  model: "mlp",
  trainSize: 200,
  validationSize: 100,
  testSize: 100,
  kernelEpochs: 8,
  seeds: 2,
  epochs: 4,
  batch: 16,
};

const SETTINGS = redundancy.settings.parse(SMALL);

/** Opens a run that keeps its steps in memory, as JSON. */
function openRun<Settings extends SubsetSettings>(engine: Engine, settings: Settings) {
  const excluded: { part: string; reason: string }[] = [];
  const steps = new Map<string, string>();
  const run: Run<Settings> = {
    settings,
    engine,
    definition: mlp,
    data: (split, sizes) => {
      const size = sizes && Object.values(sizes).reduce((sum, part) => sum + part, 0);
      return loadDataset("digits", split, { size });
    },
    keepIndices: () => Promise.resolve(),
    async step(name, work) {
      assert.match(name, /^[\w.-]+$/);
      assert.ok(!steps.has(name), name);
      steps.set(name, JSON.stringify(await work(() => {})));
      return JSON.parse(steps.get(name)!);
    },
    weights: (_, work) => work(() => {}),
    exclude: (part, reason) => excluded.push({ part, reason }),
  };
  return { run, steps, excluded };
}

testEngine(
  "training and validation samples are different ones, drawn by the sample seed alone",
  async (engine) => {
    const whole = drawDigits("train");
    const load = (change: Partial<typeof SETTINGS>) =>
      loadSubsetData(openRun(engine, { ...SETTINGS, ...change }).run);
    const { train, validation, test } = await load({});
    for (const [part, size] of [[train, 200], [validation, 100]] as const) {
      assert.equal(part.labels.length, size);
      for (let label = 0; label < 10; label++) {
        const own = part.labels.filter((other) => other === label).length;
        assert.ok(Math.abs(own - size / 10) <= 1, `${own} of class ${label}`);
      }
      assert.deepEqual(part.images, takeSamples(whole, part.indices!).images);
    }
    assert.equal(new Set([...train.indices!, ...validation.indices!]).size, 300);
    assert.equal(test.split, "test");
    assert.deepEqual((await load({ seed: 3 })).train.indices, train.indices);
    assert.notDeepEqual((await load({ sampleSeed: 3 })).train.indices, train.indices);
  },
);

testEngine(
  "the kernel's weights are those that do best on the validation samples",
  async (engine) => {
    const { run } = openRun(engine, SETTINGS);
    const { train, validation, test } = await loadSubsetData(run);
    const weights = await trainKernelNetwork(run, { train, validation, test });
    const { kernelEpochs: epochs, batch, learningRate, momentum, seed } = SETTINGS;
    using network = engine.network(mlp, { seed, classes: 10 }, train.shape);
    const options = { epochs, batch, learningRate, momentum, seed, validation };
    const result = await engine.train(network, train, options);
    assert.deepEqual(weights, result.weights);
    const accuracies = result.epochs.map(({ validationAccuracy }) => validationAccuracy!);
    using kept = engine.network(mlp, weights, train.shape);
    assert.equal(await engine.accuracy(kept, validation), Math.max(...accuracies));
  },
);

const ARMS = [
  { name: "whole" },
  { name: "a part, drawn", keep: (seed: number) => keepRandom(200, 60, seed) },
];

testEngine("every arm is trained with every seed, on samples of that seed", async (engine) => {
  const { run, steps, excluded } = openRun(engine, SETTINGS);
  const data = await loadSubsetData(run);
  const results = await trainSubsetArms(run, data, ARMS);
  assert.deepEqual(excluded, []);
  assert.deepEqual(results.map(({ name, samples }) => [name, samples]), [["whole", 200], [
    "a part, drawn",
    60,
  ]]);
  assert.equal(steps.size, 4);
  for (const { runs } of results) {
    assert.deepEqual(runs.map(({ seed }) => seed), [0, 1]);
    for (const { epochs } of runs) assert.equal(epochs.length, SETTINGS.epochs);
  }
  // one of the arms is trained by hand
  const { epochs, batch, learningRate, momentum } = SETTINGS;
  using network = engine.network(mlp, { seed: 1, classes: 10 }, data.train.shape);
  const part = takeSamples(data.train, keepRandom(200, 60, 1));
  const options = { epochs, batch, learningRate, momentum, seed: 1, test: data.test };
  const expected = await engine.train(network, part, options);
  assert.deepEqual(
    results[1].runs[1].epochs.map(({ trainLoss, testAccuracy }) => [trainLoss, testAccuracy]),
    expected.epochs.map(({ trainLoss, testAccuracy }) => [trainLoss, testAccuracy]),
  );
});

testEngine("runs that diverge or stay at chance are left out, and said to be", async (engine) => {
  for (
    const [learningRate, reason] of [[1e30, /got loss|got NaN/], [1e-30, /at chance/]] as const
  ) {
    const { run, excluded } = openRun(engine, { ...SETTINGS, learningRate });
    const results = await trainSubsetArms(run, await loadSubsetData(run), ARMS);
    assert.deepEqual(results.map(({ runs }) => runs), [[], []]);
    assert.deepEqual(
      excluded.map(({ part }) => part),
      ["whole, seed 0", "a part, drawn, seed 0", "whole, seed 1", "a part, drawn, seed 1"],
    );
    for (const one of excluded) assert.match(one.reason, reason);
  }
});

testEngine("an experiment of which no run is left is told all the same", async (engine) => {
  const settings = poison.settings.parse({ ...SMALL, epochs: 1, shares: [0.01] });
  const { run, excluded } = openRun(engine, settings);
  const { tables, figures, claims } = await poison.run(run);
  assert.equal(excluded.length, 4);
  assert.deepEqual(figures, []);
  assert.ok(tables.every(({ rows }) => rows.length > 0));
  assert.deepEqual(claims.map(({ verdict }) => verdict), ["not comparable at this size"]);
});

/** Wraps the engine and records the training sets that it is given, each as indices among the 200 digits that are drawn. */
function watchTraining(engine: Engine) {
  const whole = drawStratified(drawDigits("train"), 200);
  const keyOf = ({ images }: Dataset, n: number) =>
    Uint8Array.from(images.subarray(n * 784, (n + 1) * 784)).toBase64();
  const indices = new Map(Array.from(whole.labels, (_, n) => [keyOf(whole, n), n]));
  const trained: number[][] = [];
  const watched = {
    network: engine.network.bind(engine),
    project: engine.project.bind(engine),
    logits: engine.logits.bind(engine),
    features: engine.features.bind(engine),
    gradientNorms: engine.gradientNorms.bind(engine),
    train(network: Network, data: Dataset, options?: TrainingOptions) {
      trained.push(Array.from(data.labels, (_, n) => indices.get(keyOf(data, n))!));
      return engine.train(network, data, options);
    },
  };
  return { engine: watched as unknown as Engine, trained };
}

testEngine("poison trains on samples of the head, and on samples of everything", async (engine) => {
  const settings = poison.settings.parse({ ...SMALL, epochs: 1, shares: [0.2], ratio: 0.3 });
  const watched = watchTraining(engine);
  const { run, steps } = openRun(watched.engine, settings);
  await poison.run(run);
  const head = new Set<number>(JSON.parse(steps.get("head")!));
  assert.ok(head.size < 190, `${head.size}`);
  const [, ...arms] = watched.trained; // the first is the kernel's network
  assert.deepEqual(arms.map(({ length }) => length), [40, 40, 40, 40]);
  for (const i of [0, 2]) assert.ok(arms[i].every((sample) => head.has(sample)));
  for (const i of [1, 3]) assert.ok(arms[i].some((sample) => !head.has(sample)));
  assert.notDeepEqual(arms[0], arms[2]);
  assert.notDeepEqual(arms[1], arms[3]);
});

testEngine(
  "debias trains on what lpNTK leaves, and on what each score puts first",
  async (engine) => {
    const settings = debias.settings.parse({ ...SMALL, seeds: 1, scoreSeeds: 2, share: 0.3 });
    const watched = watchTraining(engine);
    const { run, steps } = openRun(watched.engine, settings);
    await debias.run(run);
    const read = (step: string) => JSON.parse(steps.get(step)!);
    const [whole, lpntk, random, el2n, grand, forgotten, centers] = watched.trained.slice(-7);
    assert.deepEqual(whole, [...Array(200).keys()]);
    const size = lpntk.length;
    for (const arm of [random, el2n, grand, forgotten, centers]) {
      assert.equal(
        new Set(arm).size,
        size,
      );
    }
    const { rest } = read("clusters");
    assert.ok(size < rest.length && lpntk.every((sample) => rest.includes(sample)));
    assert.deepEqual(centers, read("centers"));
    const sum = (pick: (seed: number) => (number | null)[]) =>
      pick(0).map((value, n) => (value ?? Infinity) + (pick(1)[n] ?? Infinity));
    for (
      const [arm, scores] of [
        [el2n, sum((seed) => read(`scores_seed_${seed}`).el2n)],
        [grand, sum((seed) => read(`scores_seed_${seed}`).grand)],
        [forgotten, sum((seed) => read(`forgettings_seed_${seed}`))],
      ] as const
    ) {
      const least = Math.min(...arm.map((sample) => scores[sample]));
      assert.ok(scores.every((score, n) => arm.includes(n) || score <= least));
      assert.ok(new Set(scores).size > 1 && arm.some((sample) => scores[sample] > least));
    }
  },
);
