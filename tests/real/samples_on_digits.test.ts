/** The experiments clusters, noise and control on the embedded digits: their reports, recomputed from what they keep. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../temp_folder.ts";
import { flipLabels, loadDataset } from "../../mod.ts";
import { checkPage } from "../cli/report/browser.ts";
import { fingerprint, readJson, runLpntk, succeed } from "../cli/process.ts";

const SMALL = `data = "digits"\nmodel = "mlp"\nbatch = 16\nlearningRate = 0.05\nseeds = 2\n`;
const NOISE =
  `${SMALL}trainSize = 300\ntestSize = 100\ncheckpoints = [3, 5]\nneighbours = 5\nsuspects = 3\n`;
const CLUSTERS = `${SMALL}trainSize = 200\nvalidationSize = 50\nepochs = 3\n`;
const CONTROL =
  `data = "digits"\nclasses = [3, 8]\npoolSize = 120\nbaseSize = 20\nadded = 5\ntargets = 3\nseeds = 2\nepochs = 10\n`;

/** Runs an experiment with a configuration, into a folder of its name beside it. */
async function call(path: string, experiment: string, config: string, out = experiment) {
  await Deno.writeTextFile(`${path}/${out}.toml`, config);
  const file = `${path}/${out}.toml`;
  return ["experiment", experiment, "--config", file, "--out", `${path}/${out}`];
}

async function run(path: string, experiment: string, config: string): Promise<string> {
  await succeed(await call(path, experiment, config));
  return `${path}/${experiment}`;
}

/** Reads the records of a CSV file whose cells hold no quotes and no line breaks. */
async function readCsv(path: string): Promise<Record<string, string>[]> {
  const [keys, ...rows] = (await Deno.readTextFile(path)).trimEnd().split(/\r?\n/).map((line) =>
    Array.from(`,${line}`.matchAll(/,(?:"([^"]*)"|([^,]*))/g), ([, quoted, bare]) => quoted ?? bare)
  );
  return rows.map((cells) => Object.fromEntries(keys.map((key, i) => [key, cells[i]])));
}

/** Counts the share of pairs of a positive and a negative in the right order, with half for a tie. */
function countAuroc(scores: number[], isPositive: (i: number) => boolean): number {
  const all = [...scores.keys()];
  const [positives, negatives] = [all.filter(isPositive), all.filter((i) => !isPositive(i))];
  const right = positives.flatMap((p) =>
    negatives.map((n) => scores[p] > scores[n] ? 1 : scores[p] === scores[n] ? 0.5 : 0)
  );
  return right.reduce<number>((sum, value) => sum + value, 0) / right.length;
}

Deno.test("noise ranks what it says it ranks, and a run that lost steps ends as it did", async () => {
  await using folder = await openTempFolder();
  const out = await run(folder.path, "noise", NOISE);
  await checkPage(out, 3);
  const table = await readCsv(`${out}/rankings.csv`);
  const clean = await loadDataset("digits", "train", { size: 300 });
  assert.equal(table.length, 2 * 10);
  for (const epochs of [3, 5]) {
    const kept = await Promise.all(
      [0, 1].map((seed) => readJson(`${out}/steps/scores-${seed}-${epochs}.json`)),
    );
    const flips = [0, 1].map((seed) => {
      const { data, flipped } = flipLabels(clean, 0.1, seed);
      return { labels: data.labels, flipped: new Set(flipped) };
    });
    const truth = clean.labels;
    const rows = table.filter((row) => row.epochs === `${epochs}`);
    Object.values(kept[0].scores).forEach((_, s) => {
      const aurocs = kept.map(({ scores }, seed) =>
        countAuroc(Object.values<number[]>(scores)[s], (i) => flips[seed].flipped.has(i))
      );
      const mean = (aurocs[0] + aurocs[1]) / 2;
      assert.ok(Math.abs(Number(rows[s].AUROC) - mean) < 1e-12, `${rows[s].score}: ${mean}`);
    });
    const suggestions = await readCsv(`${out}/suggestions.csv`);
    for (const [by, name] of [["candidate", "the kernel"], ["logits", "the logits"]] as const) {
      const shares = kept.map(({ suggested }, seed) => {
        const { labels, flipped } = flips[seed];
        labels.forEach((label, i) => assert.notEqual(suggested[by][i], label));
        return [...flipped].filter((i) => suggested[by][i] === truth[i]).length / flipped.size;
      });
      const row = suggestions.find((row) =>
        row.epochs === `${epochs}` && row["suggested by"] === name
      );
      assert.ok(Math.abs(Number(row!["share right"]) - (shares[0] + shares[1]) / 2) < 1e-12);
    }
  }
  // the loss is summed over both stretches of training
  const first = await readJson(`${out}/steps/training-1-3.json`);
  const second = await readJson(`${out}/steps/training-1-5.json`);
  assert.equal(second.epochs.length, 2);
  const { scores } = await readJson(`${out}/steps/scores-1-5.json`);
  scores.summedLoss.forEach((sum: number, i: number) =>
    assert.equal(sum, first.difficulty[i] + second.difficulty[i])
  );
  const suspects = await readJson(`${out}/steps/suspects.json`);
  assert.equal(suspects.length, 3);
  for (const { against, for: alike, suggested } of suspects) {
    assert.ok(Math.max(...against.map((w: { cosine: number }) => w.cosine)) < alike[0].cosine);
    assert.ok(suggested >= 0 && suggested < 10);
  }

  const whole = await fingerprint(out);
  for (
    const lost of ["weights-0-3.safetensors", "scores-0-3.json", "weights-1-5.safetensors"]
  ) {
    await Deno.remove(`${out}/steps/${lost}`);
  }
  await run(folder.path, "noise", NOISE);
  assert.deepEqual(await fingerprint(out), whole);
});

Deno.test("clusters counts the easy and the hard in the head", async () => {
  await using folder = await openTempFolder();
  const out = await run(folder.path, "clusters", CLUSTERS);
  await checkPage(out, 2);
  const trainings = await Promise.all(
    [0, 1].map((seed) => readJson(`${out}/steps/training-${seed}.json`)),
  );
  const difficulty = trainings[0].difficulty.map((d: number, i: number) =>
    (d + trainings[1].difficulty[i]) / 2
  );
  const order = [...Array(200).keys()].sort((a, b) => difficulty[a] - difficulty[b]);
  const table = await readCsv(`${out}/clusterings.csv`);
  assert.deepEqual(table.map(({ kernel, scope }) => `${kernel} ${scope}`), [
    "plain per class",
    "plain global",
    "cosine per class",
    "cosine global",
  ]);
  for (const row of table) {
    const name = `clusters-${row.kernel}-${row.scope.replace(" ", "_")}`;
    const { isHead, sizes, headCount } = await readJson(`${out}/steps/${name}.json`);
    assert.equal(sizes.reduce((a: number, b: number) => a + b, 0), 200);
    assert.equal(headCount, row.scope === "global" ? 1 : 10);
    const share = (samples: number[]) => samples.filter((i) => isHead[i]).length / samples.length;
    assert.equal(Number(row["all in head"]), share(order));
    assert.equal(Number(row["easiest in head"]), share(order.slice(0, 20)));
    assert.equal(Number(row["hardest in head"]), share(order.slice(-20)));
    const several = sizes.filter((size: number) => size > 1).length;
    assert.equal(Number(row["of one sample"]), sizes.length - several);
  }
  const global = await readJson(`${out}/steps/clusters-plain-global.json`);
  assert.equal(global.isHead.filter(Boolean).length, global.sizes[0]);
});

Deno.test("control adds what it says, never a target or the base, and takes the ratios of means", async () => {
  await using folder = await openTempFolder();
  const out = await run(folder.path, "control", CONTROL);
  await checkPage(out, 2);
  const steps = [...Deno.readDirSync(`${out}/steps`)].filter(({ name }) =>
    name.startsWith("target-")
  );
  assert.equal(steps.length, 3);
  const targets = await Promise.all(steps.map(({ name }) => readJson(`${out}/steps/${name}`)));
  const chosen = targets.map(({ target }) => target);
  const names = ["interchangeable", "random", "unrelated", "contradictory"];
  for (const { arms } of targets) {
    assert.deepEqual(Object.keys(arms), names);
    for (const arm of names) {
      assert.equal(new Set(arms[arm].samples).size, 5);
      assert.ok(!arms[arm].samples.some((sample: number) => chosen.includes(sample)), arm);
      assert.equal(arms[arm].difficulty.length, 2);
    }
    const { interchangeable, random, contradictory } = arms;
    assert.ok(interchangeable.relation > random.relation, "interchangeable");
    assert.ok(contradictory.relation < Math.min(random.relation, 0), "contradictory");
  }
  const { ratios } = await readJson(`${out}/metrics.json`);
  for (const arm of names) {
    const logs = targets.map(({ arms }) => {
      const mean = (name: string) => (arms[name].difficulty[0] + arms[name].difficulty[1]) / 2;
      return Math.log(mean(arm) / mean("random"));
    });
    const ratio = Math.exp(logs.reduce((a, b) => a + b) / 3);
    assert.ok(Math.abs(ratios[arm].value - ratio) < 1e-12, `${arm}: ${ratio}`);
  }
});

Deno.test("settings that do not go together are told before any work", async () => {
  await using folder = await openTempFolder();
  const mistakes = [
    [
      "noise",
      `${NOISE.replace("[3, 5]", "[5, 5]")}`,
      /line 8: got checkpoints = \[5,5\], need in /,
    ],
    ["noise", `${NOISE.replace("neighbours = 5", "neighbours = 300")}`, /need below trainSize/],
    ["noise", `${NOISE}share = 0.001\n`, /share = 0.001, need large enough to flip a label/],
    ["control", CONTROL.replace("[3, 8]", "[3, 3]"), /need different labels below 10/],
    ["control", CONTROL.replace("[3, 8]", "[3, 10]"), /need different labels below 10/],
    ["control", CONTROL.replace("= 120", "= 27"), /poolSize = 27, need at least 28/],
    ["control", CONTROL.replace("= 120", "= 100000"), /poolSize = 100000, need at most \d+/],
    ["clusters", CLUSTERS.replace("= 200", "= 100000"), /need at most \d+/],
  ] as const;
  for (const [experiment, config, says] of mistakes) {
    const { code, stderr } = await runLpntk(
      await call(folder.path, experiment, config, "refused"),
    );
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
    assert.equal(await Deno.stat(`${folder.path}/refused`).catch(() => undefined), undefined);
  }
});

Deno.test("networks that diverge or learn nothing are excluded, and a run without any other says so", async () => {
  await using folder = await openTempFolder();
  for (const [out, rate] of [["diverged", "1e20"], ["idle", "1e-9"]]) {
    const config = CLUSTERS.replace("learningRate = 0.05", `learningRate = ${rate}`);
    const args = await call(folder.path, "clusters", config, out);
    const { code, stderr } = await runLpntk(args);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      "lpntk: Cannot cluster: got no network that learnt anything, need one; lower learningRate or raise epochs\n",
    );
    const { failure } = await readJson(`${folder.path}/${out}/steps/training-0.json`);
    assert.equal(failure === null, out === "idle");
  }
});
