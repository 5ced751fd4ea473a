/** The experiments forgetting and theorem1 at a tiny size, on the digits that come with the program. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../../temp_folder.ts";
import { listFolder, readJson, runLpntk, succeed } from "../process.ts";

/** Runs an experiment with settings in a folder of its own. */
async function run(path: string, name: string, settings: Record<string, unknown>, out: string) {
  const lines = Object.entries(settings).map(([key, value]) =>
    `${key} = ${JSON.stringify(value)}\n`
  );
  await Deno.writeTextFile(`${path}/${out}.toml`, lines.join(""));
  return ["experiment", name, "--config", `${path}/${out}.toml`, "--out", `${path}/${out}`];
}

async function complete(
  path: string,
  name: string,
  settings: Record<string, unknown>,
  out: string,
) {
  const text = await succeed(await run(path, name, settings, out));
  const metrics = await readJson(`${path}/${out}/metrics.json`);
  const claims = await readJson(`${path}/${out}/claims.json`);
  return { text, metrics, claims };
}

const FORGETTING = {
  data: "digits",
  model: "mlp",
  trainSize: 96,
  epochsBefore: 2,
  learningRateBefore: 0.125,
  batches: 2,
  batchSize: 16,
  iterations: 3,
  batchBefore: 16,
};

interface Tally {
  samples: number;
  happened: number;
  predicted: number;
  both: number;
}

Deno.test("forgetting: scores are those of the counted events, and a summed loss takes the steps of a mean at batchSize times the rate", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  // powers of two, so that the products of rates and sizes are exact
  const rate = 2 ** -7;
  const sum = { ...FORGETTING, loss: "sum", learningRate: rate };
  const mean = { ...FORGETTING, loss: "mean", learningRate: 16 * rate };
  const { metrics, claims, text } = await complete(path, "forgetting", sum, "sum");

  const iterations = await Promise.all(
    [1, 2, 3].map((i) => readJson(`${path}/sum/steps/iteration-${i}.json`)),
  );
  assert.equal(metrics.outcomes.length, 4);
  for (const { predictor, all, happened, predicted, batches } of metrics.outcomes) {
    const tallies: Tally[][] = iterations.map((iteration) => iteration.tallies[predictor]);
    assert.deepEqual(tallies.map((own) => own.length), [2, 2, 2]);
    const total = (key: keyof Tally, own: Tally[]) =>
      own.reduce((sum, tally) => sum + tally[key], 0);
    const expect = (own: Tally[]) => {
      const [h, p, b] = (["happened", "predicted", "both"] as const).map((key) => total(key, own));
      return {
        precision: p ? b / p : null,
        recall: h ? b / h : null,
        f1: h + p ? 2 * b / (h + p) : null,
      };
    };
    assert.deepEqual(all, expect(tallies.flat()), predictor);
    assert.deepEqual(batches, [0, 1].map((b) => expect(tallies.map((own) => own[b]))), predictor);
    assert.deepEqual([happened, predicted], [
      total("happened", tallies.flat()),
      total("predicted", tallies.flat()),
    ]);
    assert.equal(happened, metrics.events);
    assert.equal(total("samples", tallies.flat()), 2 * 16 * 3);
  }
  assert.ok(metrics.events > 0, "nothing was forgotten, and nothing is compared");
  assert.deepEqual(metrics.excluded, []);
  for (const { verdict, rule } of claims) {
    assert.equal(verdict, "not comparable at this size");
    assert.match(rule, new RegExp(`${metrics.events} events, need 500`));
  }
  assert.match(text, /Momentum and weight decay are off/);
  assert.match(text, /The batch's loss is the sum of/);

  await complete(path, "forgetting", mean, "mean");
  for (const [i, iteration] of iterations.entries()) {
    assert.deepEqual(await readJson(`${path}/mean/steps/iteration-${i + 1}.json`), iteration);
  }
});

Deno.test("forgetting: a network at chance is left out, and nothing is claimed of it", async () => {
  await using folder = await openTempFolder();
  const settings = { ...FORGETTING, epochsBefore: 1, learningRateBefore: 1e-9, iterations: 1 };
  const { metrics, claims, text } = await complete(folder.path, "forgetting", settings, "a");
  const [{ part, reason }] = metrics.excluded;
  assert.equal(part, "the network");
  assert.match(reason, /^accuracy 0\.\d+ before the first iteration, chance is 0\.1$/);
  assert.match(text, /left out: the network: accuracy/);
  for (const { verdict } of claims) assert.equal(verdict, "not comparable at this size");
});

const THEOREM = { data: "digits", trainSize: 100, widths: [16, 32, 64], fitFrom: 16, networks: 3 };

Deno.test("theorem1: slopes and distances of every kernel, pair and growth", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const { metrics, claims } = await complete(path, "theorem1", THEOREM, "a");
  assert.equal(metrics.slopes.length, 16);
  assert.equal(metrics.sightings.length, 2 * 3 * 3);
  assert.equal(claims.length, 10);
  for (const { growth, width, distances } of metrics.sightings) {
    for (const kernel of ["lpntk", "pntk"]) {
      for (const pairs of ["one label", "two labels"]) {
        const { absolute, relative, relativeSquare } = distances[kernel][pairs];
        assert.ok(absolute > 0 && relative > 0, `${growth} ${width} ${kernel} ${pairs}`);
        // both are means over pairs
        assert.ok(relativeSquare >= relative ** 2);
      }
    }
  }
  // at the smallest width both growths are the same network
  const [all, last] = ["all", "last"].map((growth) =>
    metrics.sightings.filter((s: { growth: string; width: number }) =>
      s.growth === growth && s.width === 16
    ).map((s: { distances: unknown }) => s.distances)
  );
  assert.deepEqual(all, last);
  assert.equal(
    (await Deno.readTextFile(`${path}/a/distances.csv`)).trimEnd().split("\n").length,
    1 + 16 * 3,
  );
});

Deno.test("settings that do not go together stop an experiment at their line, before any work", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const mistakes = [
    [
      "forgetting",
      { ...FORGETTING, batches: 7 },
      /line 6: got batches = 7, need at most 6 of that size$/,
    ],
    ["forgetting", { ...FORGETTING, loss: "average" }, /line 10: got loss = "average", need /],
    [
      "theorem1",
      { ...THEOREM, fitFrom: 32 },
      /line 4: got fitFrom = 32, need at most 16, so that three widths are fitted$/,
    ],
    [
      "theorem1",
      { ...THEOREM, widths: [16, 16, 32] },
      /line 3: got widths = \[16,16,32\], need three different ones$/,
    ],
    [
      "theorem1",
      { ...THEOREM, perClass: 90 },
      /line 6: got perClass = 90, need at most \d+, the samples of class 0 in digits$/,
    ],
  ] as const;
  for (const [name, settings, says] of mistakes) {
    const { code, stderr } = await runLpntk(await run(path, name, settings, "a"));
    assert.equal(code, 2, stderr);
    assert.match(stderr.trim(), says);
    assert.deepEqual(await listFolder(path), ["a.toml"]);
  }
});
