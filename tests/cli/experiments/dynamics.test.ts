/** The experiments extreme and difficulty at a tiny size, on the digits that come with the program. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../../temp_folder.ts";
import { checkPage } from "../report/browser.ts";
import { readJson, runLpntk, succeed } from "../process.ts";

/** Opens a folder for runs of one experiment. */
async function openRuns(experiment: string) {
  const folder = await openTempFolder();
  const out = `${folder.path}/run`;
  const prepare = async (config: string) => {
    await Deno.writeTextFile(`${folder.path}/c.toml`, `data = "digits"\n${config}`);
    return ["experiment", experiment, "--config", `${folder.path}/c.toml`, "--out", out];
  };
  return { ...folder, out, prepare };
}

type Losses = readonly (readonly [number, number])[];

Deno.test("extreme: what a pair does follows from what the other case's pair did", async () => {
  await using folder = await openRuns("extreme");
  await succeed(await folder.prepare("images = 3\nrounds = 4\nseed = 5"));
  await checkPage(folder.out, 1);
  const { pairs, difficulties } = await readJson(`${folder.out}/metrics.json`);
  for (const image of [0, 1, 2]) {
    const [same, different] = ["same label", "different labels"].map((name) => pairs[name][image]);
    assert.deepEqual([same.relation, different.relation], ["interchangeable", "contradictory"]);
    // the second row is the first with its sign changed
    assert.ok(Math.abs(same.cosine - 1) < 1e-5, `${same.cosine}`);
    assert.equal(different.cosine, -same.cosine);
    const [[first, second], [otherFirst, otherSecond]] = [same.losses[0], different.losses[0]];
    assert.equal(otherFirst, first, "both cases begin with the same sample and network");
    // after the same first update, the probability of one class is what the other lacks; losses are float32
    const total = Math.exp(-second) + Math.exp(-otherSecond);
    assert.ok(Math.abs(total - 1) < 1e-5, `${total}`);
    assert.ok(second < first && otherSecond > second);
    const sum = (losses: Losses, sample: number) =>
      losses.reduce((all, turn) => all + turn[sample], 0);
    assert.deepEqual(difficulties.same[image], [0, 1].map((sample) => sum(same.losses, sample)));
    assert.deepEqual(
      difficulties.different[image],
      [0, 1].map((sample) => sum(different.losses, sample)),
    );
  }
});

/** Reads the columns of a CSV file without quotes. */
async function readColumns(path: string): Promise<Record<string, number[]>> {
  const [head, ...rows] = (await Deno.readTextFile(path)).trimEnd().split("\n")
    .map((line) => line.split(","));
  return Object.fromEntries(head.map((name, i) => [name, rows.map((row) => Number(row[i]))]));
}

/** Computes Pearson's rho by its definition. */
function computeRho(x: readonly number[], y: readonly number[]): number {
  const center = (values: readonly number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const [a, b] = [center(x), center(y)];
  const dot = (p: readonly number[], q: readonly number[]) =>
    p.reduce((sum, value, i) => sum + value * q[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const DIFFICULTY = "classes = 3\nsamplesPerClass = 8\nepochs = 5\nlearningRate = 0.02\n";

Deno.test("difficulty: rho is that of the difficulties in the table, for each size that was asked for", async () => {
  await using folder = await openRuns("difficulty");
  const { out, prepare } = folder;
  await succeed(await prepare(`${DIFFICULTY}subsetSizes = [2, 12, 1]`));
  await checkPage(out, 2);
  const columns = await readColumns(`${out}/difficulty_by_sample.csv`);
  assert.deepEqual(columns.class, [0, 1, 2].flatMap((label) => Array(8).fill(label)));
  const { rho } = await readJson(`${out}/metrics.json`);
  assert.deepEqual(rho.map(({ size }: { size: number }) => size), [12, 2, 1]);
  const withoutClass = (values: readonly number[]) =>
    values.map((value, i) => {
      const own = values.filter((_, j) => columns.class[j] === columns.class[i]);
      return value - own.reduce((sum, other) => sum + other, 0) / own.length;
    });
  for (const { size, value, low, high, withinClasses } of rho) {
    const own = columns[`subsets of ${size} (nats)`];
    assert.ok(own.every((difficulty) => difficulty > 0));
    const expected = computeRho(columns["whole set (nats)"], own);
    assert.ok(Math.abs(value - expected) < 1e-12, `${size}: ${value}, ${expected}`);
    assert.ok(low < value && value < high);
    const within = computeRho(withoutClass(columns["whole set (nats)"]), withoutClass(own));
    assert.ok(Math.abs(withinClasses.value - within) < 1e-12, `${size}: ${within}`);
  }
});

Deno.test("difficulty: sizes that cannot be are told with their line, before any work", async () => {
  await using folder = await openRuns("difficulty");
  const mistakes: readonly (readonly [string, RegExp])[] = [
    [
      `${DIFFICULTY}subsetSizes = [1, 5]`,
      /line 6: got subsetSizes = \[1,5\], need sizes below 24 that divide it: 5 does not$/,
    ],
    [
      `${DIFFICULTY}subsetSizes = [24]`,
      /line 6: got subsetSizes = \[24\], need sizes below 24 that divide it: 24 does not$/,
    ],
    ["classes = 11", /line 2: got classes = 11, need at most 10, those of digits$/],
    [
      "classes = 2\nsamplesPerClass = 1000000",
      /line 3: got samplesPerClass = 1000000, need at most \d+, the samples of class 0 in digits$/,
    ],
  ];
  for (const [config, says] of mistakes) {
    const { code, stderr } = await runLpntk(await folder.prepare(config));
    assert.equal(code, 2, stderr);
    assert.match(stderr.trim(), says);
    assert.equal(await Deno.stat(folder.out).catch(() => undefined), undefined);
  }
});
