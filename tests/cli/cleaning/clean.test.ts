/** `lpntk clean`: planted faults are found, tables agree with each other and with the kernel, and the same call gives the same bytes. @module */
import assert from "node:assert/strict";
import { readCsv } from "../../../engine/formats/csv.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { fingerprint, listFolder, readArray, readJson, runLpntk, succeed } from "../process.ts";
import { CLASSES, plantFaults, writePlanted } from "./planted.ts";

const planted = plantFaults();
const COUNT = planted.train.labels.length;

/** Reads a table of these columns and no others. */
async function readTable<const Name extends string>(path: string, names: readonly Name[]) {
  const text = await Deno.readTextFile(path);
  assert.equal(text.split("\n")[0], names.join(","));
  return (await readCsv(path, "a table", names)).map(({ cells }) => cells);
}

const readLabels = (out: string) =>
  readTable(`${out}/labels.csv`, [
    "rank",
    "index",
    "file",
    "given",
    "suggested",
    "score",
    "loss",
    "own_class_similarity",
    "witnesses_for",
    "witnesses_against",
  ]);

const readDuplicates = (out: string) =>
  readTable(`${out}/duplicates.csv`, [
    "group",
    "index",
    "file",
    "label",
    "kind",
    "similarity",
    "keep",
  ]);

Deno.test("clean finds planted faults, and says so in tables that agree", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await writePlanted(`${path}/data`, planted);
  const args = ["clean", "--data", `${path}/data`, "--model", "mlp"];
  const said = await succeed([...args, "--out", `${path}/out`]);
  const out = `${path}/out`;
  assert.deepEqual(await listFolder(out), [
    "classes.csv",
    "duplicates.csv",
    "index.html",
    "keep.csv",
    "keep.npy",
    "labels.csv",
    "labels.npy",
    "outliers.csv",
    "redundant.csv",
    "run.json",
    "summary.json",
    "suspects.csv",
    "suspects.npy",
  ]);

  const labels = await readLabels(out);
  const { train, truth, wrong, copies } = planted;
  assert.deepEqual(labels.map(({ rank }) => Number(rank)), labels.map((_, rank) => rank + 1));
  assert.deepEqual(
    labels.map(({ index }) => Number(index)).toSorted((a, b) => a - b),
    [...train.labels.keys()],
  );
  const scores = labels.map(({ score }) => Number(score));
  assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
  const suggested = await readArray(`${out}/labels.npy`, Int32Array, [COUNT]);
  for (const row of labels) {
    const index = Number(row.index);
    assert.equal(row.file, train.files![index]);
    assert.equal(row.given, CLASSES[train.labels[index]]);
    assert.equal(row.suggested, CLASSES[suggested[index]]);
    const witnesses = (cell: string) => cell.split(" ").map(Number);
    const [speakFor, speakAgainst] = [row.witnesses_for, row.witnesses_against].map(witnesses);
    assert.ok(speakFor.every((other) => train.labels[other] === suggested[index]));
    assert.ok([...speakFor, ...speakAgainst].every((other) => other !== index));
  }

  // the planted ones stand first, with their true classes
  const first = labels.slice(0, wrong.size).map(({ index }) => Number(index));
  assert.ok(first.filter((index) => wrong.has(index)).length >= wrong.size - 1, `${first}`);
  assert.ok(
    [...wrong].filter((index) => suggested[index] === truth[index]).length >= wrong.size - 1,
  );

  const duplicates = await readDuplicates(out);
  const groups = Map.groupBy(duplicates, ({ group }) => group);
  for (const pair of copies) {
    const found = [...groups.values()].find((rows) => rows.some((row) => +row.index === pair[0]));
    assert.deepEqual(found?.map(({ index }) => Number(index)), pair);
    assert.deepEqual(found?.map(({ kind }) => kind), ["kept", "exact"]);
    assert.deepEqual(found?.map(({ keep }) => keep), ["1", "0"]);
  }

  const outliers = (await readTable(`${out}/outliers.csv`, [
    "rank",
    "index",
    "file",
    "label",
    "score",
    "nearest_class",
    "similarity",
  ])).map(({ index }) => Number(index));
  const summary = await readJson(`${out}/summary.json`);
  const suspectTable = await readTable(`${out}/suspects.csv`, [
    "index",
    "file",
    "label",
    "suggested",
    "evidence",
  ]);
  const suspects = suspectTable.map(({ index }) => Number(index));
  const stored = await readArray(`${out}/suspects.npy`, Int32Array, [summary.suspects]);
  assert.deepEqual([...stored], suspects);
  const ranks = suspects.map((index) => labels.findIndex((row) => Number(row.index) === index));
  assert.deepEqual(ranks, ranks.toSorted((a, b) => a - b));
  assert.ok(ranks.every((rank) => labels[rank].given !== labels[rank].suggested));
  const strong = suspectTable.filter(({ evidence }) => evidence === "strong")
    .map(({ index }) => Number(index));
  assert.equal(strong.length, summary.strongSuspects);
  const agreed = labels.filter(({ given, suggested }) => given === suggested).length;
  assert.equal(summary.agreement.pooled, agreed / COUNT);
  assert.ok(summary.agreement.isBeaten);
  const percents = [summary.agreement.pooled, summary.agreement.networks]
    .map((share) => Math.round(100 * share));
  const sentence = `The judges agree with ${percents[0]} % of the labels, the networks alone with ${
    percents[1]
  } %.`;
  assert.ok(said.includes(`\n${sentence}\n`), said);
  assert.ok((await Deno.readTextFile(`${out}/index.html`)).includes(sentence));
  const dropped = new Set([
    ...strong,
    ...outliers,
    ...duplicates.filter(({ keep }) => keep === "0").map(({ index }) => Number(index)),
  ]);
  assert.deepEqual(outliers.filter((index) => suspects.includes(index)), []);
  const outlying = summary.outlyingSuspects;
  const kept = outlying > 0
    ? [...await readArray(`${out}/keep.npy`, Int32Array, [summary.kept])]
    : [...train.labels.keys()].filter((index) => !dropped.has(index));
  assert.ok(kept.every((index) => !dropped.has(index)));
  assert.ok(kept.length >= COUNT - dropped.size - outlying);
  assert.deepEqual([...await readArray(`${out}/keep.npy`, Int32Array, [kept.length])], kept);
  const keepTable = await readTable(`${out}/keep.csv`, ["index", "file", "label"]);
  assert.deepEqual(keepTable.map(({ index }) => Number(index)), kept);

  const classes = await readTable(`${out}/classes.csv`, [
    "class",
    "other",
    "similarity",
    "taken_for",
  ]);
  const others = classes.filter(({ class: given, other }) => given !== other);
  const most = Math.max(...others.map(({ taken_for }) => Number(taken_for)));
  const confused = new RegExp(`\nmost confused: ${most} of \\d+ in class .* are taken for class `);
  assert.equal(confused.test(said), most > 0, said);
  for (const { class: given, other, taken_for } of classes) {
    const count = labels.filter((row) => row.given === given && row.suggested === other).length;
    assert.equal(Number(taken_for), count);
  }

  assert.match(said, new RegExp(`labels: ${suspects.length} of ${COUNT} look wrong`));
  assert.match(said, /\nlabels\.npy: a suggestion for every sample, kept or not; /);
  assert.match(said, /\n {2}lpntk clean --apply decisions\.csv --data \S+ --out \S+_cleaned\n/);
  assert.ok(said.trim().split("\n").length <= 15, said);

  await succeed([...args, "--out", `${path}/again`]);
  // the page and the terminal name the folder of results
  const prints = await Promise.all([out, `${path}/again`].map((folder) => fingerprint(folder)));
  for (const print of prints) delete print["index.html"];
  assert.deepEqual(prints[1], prints[0]);
});

Deno.test("with weights of one's own, tables are those of this network's kernel", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await writePlanted(`${path}/data`, planted);
  const data = ["--data", `${path}/data`];
  await succeed(["train", "--model", "mlp", ...data, "--epochs", "2", "--out", `${path}/t`]);
  const source = ["--model", "mlp", "--weights", `${path}/t/weights.safetensors`, ...data];
  await succeed(["gram", ...source, "--out", `${path}/K.npy`]);
  const kernel = await readArray(`${path}/K.npy`, Float32Array, [COUNT, COUNT]);
  const at = (i: number, j: number) => kernel[i * COUNT + j];
  const said = await succeed(["clean", ...source, "--out", `${path}/out`]);
  assert.match(said, /learnt by heart/);

  const { labels } = planted.train;
  const others = (index: number) => [...labels.keys()].filter((other) => other !== index);
  for (const row of await readLabels(`${path}/out`)) {
    const index = Number(row.index);
    const cosine = (other: number) =>
      at(index, other) / Math.sqrt(at(index, index) * at(other, other));
    const own = others(index).filter((other) => labels[other] === labels[index]);
    const mean = own.reduce((sum, other) => sum + cosine(other), 0) / own.length;
    // cosines of float32 rows; both sides round each of their factors
    assert.ok(Math.abs(Number(row.own_class_similarity) - mean) <= 1e-5, `${index}`);
    const least = Number(row.witnesses_against.split(" ")[0]);
    const lowest = Math.min(...others(index).map(cosine));
    assert.ok(cosine(least) <= lowest + 1e-5, `${index}`);
    assert.ok(Math.abs(Number(row.score) - Number(row.loss)) <= 1e-9 * Number(row.loss) + 1e-12);
  }
  const redundant = await readTable(`${path}/out/redundant.csv`, [
    "rank",
    "index",
    "file",
    "label",
    "ratio",
    "partner_index",
    "partner_file",
    "partner_label",
  ]);
  const largest = (index: number) => Math.max(...others(index).map((other) => at(index, other)));
  const flagged = [...labels.keys()].filter((index) => largest(index) > at(index, index));
  assert.deepEqual(redundant.map(({ index }) => +index).toSorted((a, b) => a - b), flagged);
  for (const row of redundant) {
    const [index, partner] = [Number(row.index), Number(row.partner_index)];
    assert.equal(at(index, partner), largest(index));
    assert.equal(row.partner_file, planted.train.files![partner]);
    assert.equal(Number(row.ratio), largest(index) / at(index, index));
  }
});

Deno.test("cleaning is verified on samples that have no say in it, and leaves the tables as they are", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await writePlanted(`${path}/data`, planted, { withTest: false });
  await writePlanted(`${path}/split`, planted);
  const train = ["train", "--model", "mlp", "--data", `${path}/split`, "--epochs", "1"];
  await succeed([...train, "--out", `${path}/t`]);
  const network = ["--model", "mlp", "--weights", `${path}/t/weights.safetensors`];
  const clean = async (data: string, out: string, ...more: string[]) => {
    const { code, stdout, stderr } = await runLpntk(
      ["clean", ...network, "--data", `${path}/${data}`, "--out", `${path}/${out}`, ...more],
    );
    assert.equal(code, 0, stderr);
    return { stdout, summary: await readJson(`${path}/${out}/summary.json`) };
  };
  const plain = await clean("data", "plain");
  const held = await clean("data", "held", "--verify");
  for (const table of ["labels.csv", "duplicates.csv", "keep.csv", "redundant.csv"]) {
    assert.equal(
      await Deno.readTextFile(`${path}/held/${table}`),
      await Deno.readTextFile(`${path}/plain/${table}`),
    );
  }
  assert.equal(plain.summary.verification, undefined);
  const heldOut = await readArray(
    `${path}/held/test_samples.npy`,
    Int32Array,
    [Math.floor(COUNT / 5)],
  );
  const suspects = await readArray(
    `${path}/held/suspects.npy`,
    Int32Array,
    [held.summary.suspects],
  );
  const own = suspects.filter((index) => heldOut.includes(index));
  assert.equal(held.summary.verification.suspectsInTest, own.length);
  assert.match(held.stdout, new RegExp(`look wrong themselves: ${own.length}\n`));

  const split = await clean("split", "split_out", "--verify");
  for (
    const [{ summary, stdout }, given] of [[held, COUNT - heldOut.length], [split, COUNT]] as const
  ) {
    const { arms, againstGiven, againstRandom, seeds, isBeaten } = summary.verification;
    assert.deepEqual(arms.map(({ name }: { name: string }) => name), [
      "cleaned",
      "given",
      "random",
    ]);
    const sizes = arms.map(({ samples }: { samples: number }) => samples);
    assert.equal(sizes[1], given);
    assert.equal(sizes[0], sizes[2]);
    assert.ok(sizes[0] < given);
    for (const [n, { verdict, accuracy }] of [againstGiven, againstRandom].entries()) {
      const { t, p } = arms[n + 1].test;
      assert.ok(
        Math.abs(accuracy.value - (arms[0].meanAccuracy - arms[n + 1].meanAccuracy)) < 1e-12,
      );
      const decided = isBeaten && t !== null && p < 0.05;
      assert.equal(verdict, !decided ? "undecided" : t > 0 ? "helped" : "hurt");
    }
    assert.equal(arms[0].accuracies.length, seeds);
    const said: Record<string, string> = { helped: "cleaning helped", hurt: "cleaning hurt" };
    const out = summary === held.summary ? "held" : "split_out";
    const page = await Deno.readTextFile(`${path}/${out}/index.html`);
    for (
      const [{ verdict }, others] of [
        [againstGiven, "the data as given"],
        [againstRandom, "as many removed at random"],
      ] as const
    ) {
      const line = `${said[verdict] ?? "undecided"} against ${others}: `;
      assert.ok(stdout.includes(`\n${line}`), stdout);
      assert.ok(page.includes(`<li>${line}`), line);
    }
    assert.equal(stdout.includes("barely beat naming the largest class"), !isBeaten);
    assert.ok(page.includes(`${(100 * arms[0].meanAccuracy).toFixed(2)} ±`));
  }
  assert.equal(split.summary.verification.arms[0].samples, split.summary.kept);
  assert.equal(split.summary.verification.suspectsInTest, undefined);
});
