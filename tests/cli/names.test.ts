/** Names of classes and files in what every command writes: no index, flag or number of a sample without a table that says which sample it is. @module */
import assert from "node:assert/strict";
import { createDataset, type Dataset, readNpy, type Split, writeFolder } from "../../mod.ts";
import { readCsv } from "../../engine/formats/csv.ts";
import { nearestSamples } from "../../engine/reference/relations.ts";
import { openTempFolder } from "../temp_folder.ts";
import { callHere, listFolder, readArray, readJson } from "./process.ts";

const SIDE = 4;
const CLASSES = [
  "<script>alert(1)</script>",
  'cat, "big"',
  "=two\nlines",
  "\u05d7\u05ea\u05d5\u05dc",
];

/** Draws pictures of four classes, in files whose names hold what people's names hold. */
function drawNamed(split: Split, count: number): Dataset {
  const labels = Array.from({ length: count }, (_, i) => i * 7 % 5 % CLASSES.length);
  return createDataset({
    name: "named",
    split,
    images: Uint8Array.from({ length: count * SIDE * SIDE }, (_, at) => {
      const [i, pixel] = [Math.floor(at / (SIDE * SIDE)), at % (SIDE * SIDE)];
      return pixel % CLASSES.length === labels[i] ? 200 - i : (at * 7919 >> 3) % 90;
    }),
    labels,
    shape: [SIDE, SIDE, 1],
    classes: CLASSES.length,
    classNames: CLASSES,
    files: labels.map((label, i) => `${split}/${label}/picture, ${i} "\u05d0".png`),
  });
}

const [TRAIN, TEST] = [drawNamed("train", 40), drawNamed("test", 12)];
const SIZE = 24;

/** Runs a command whose `@` stands for a folder, and whose `{split i}` for the file of a sample; it has to succeed. */
async function call(path: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await callHere(args.map((arg) => arg.replaceAll("@", path)));
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, args.join(" "));
  return stdout;
}

/** Reads a table's cells. */
async function readTable(path: string): Promise<Record<string, string>[]> {
  const rows = await readCsv(path, "a table", ["index", "file", "label"]);
  return rows.map(({ cells }) => ({ ...cells }) as Record<string, string>);
}

/** The cells that name a sample of the whole split. */
function nameOf({ split }: Pick<Dataset, "split">, index: number) {
  const { files, labels } = split === "train" ? TRAIN : TEST;
  return { index: `${index}`, file: files![index], label: CLASSES[labels[index]] };
}

/** Files that hold indices, and those that hold a number of each sample. */
const INDICES = /(^|\.)((test_)?samples|keep|centroids)\.npy$/;
const VALUES = /^(redundant|assignment|difficulty)\.npy$/;

/** Asserts that everything of samples in a folder has a table that names them; returns how many such files there are. */
async function checkTables(folder: string, named = true): Promise<number> {
  const names = await listFolder(folder);
  const readIndices = async (
    name: string,
  ) => [...(await readNpy(`${folder}/${name}`)).data as Int32Array];
  let checked = 0;
  for (const name of names.filter((name) => name.endsWith(".npy"))) {
    const { data, shape } = await readNpy(`${folder}/${name}`);
    // matrices of pairs have no table, but for nearest.npy
    if (shape.length === 2) continue;
    const isValues = VALUES.test(name);
    assert.ok(isValues || INDICES.test(name), `${folder}/${name} is known`);
    const table = await readTable(`${folder}/${name.replace(".npy", ".csv")}`);
    const split = name.includes("test_") ? TEST : TRAIN;
    const indices = isValues && names.includes("samples.npy")
      ? await readIndices("samples.npy")
      : isValues
      ? [...data.keys()]
      : await readIndices(name);
    assert.equal(table.length, data.length, name);
    const column = name.replace(".npy", "");
    assert.deepEqual(
      table.map(({ [column]: _, ...cells }) => cells),
      indices.map((index) =>
        named ? nameOf(split, index) : { index: `${index}`, file: "", label: "" }
      ),
      `${folder}/${name}`,
    );
    if (isValues) {
      assert.deepEqual(table.map((row) => Math.fround(Number(row[column]))), [...data].map(Number));
    }
    checked++;
  }
  return checked;
}

Deno.test("every command names the samples in its tables, lines and summaries, and takes them by their files", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await writeFolder(`${path}/data`, { train: TRAIN, test: TEST });
  const part = ["--data", "@/data", "--train-size", `${SIZE}`];
  const training = ["--epochs", "1", "--lr", "0.001", "--batch", "8"];
  await call(path, "train", "--model", "mlp", ...part, ...training, "--out", "@/train");
  assert.equal(await checkTables(`${path}/train`), 2);
  const samples = [...await readArray(`${path}/train/samples.npy`, Int32Array, [SIZE])];
  const network = ["--model", "mlp", "--weights", "@/train/weights.safetensors", ...part];
  await call(path, "gram", ...network, "--cross", "--test-size", "9", "--out", "@/gram/G.npy");
  await call(path, "gram", ...network, "--out", "@/gram/K.npy");
  assert.equal(await checkTables(`${path}/gram`), 3);
  await call(path, "gram", ...network, "--out", "@/K.zarr");
  assert.equal(await checkTables(`${path}/K.zarr`), 1);

  const kernel = await readArray(`${path}/gram/K.npy`, Float32Array, [SIZE, SIZE]);
  const nearest = nearestSamples(kernel, SIZE, 3);
  const sources = {
    network,
    matrix: ["--kernel", "@/gram/K.npy"],
    store: ["--kernel", "@/K.zarr"],
  };
  for (const [name, source] of Object.entries(sources)) {
    const isNamed = name === "network";
    const out = (command: string) => ["--out", `@/${name}/${command}`];
    const analyse = (command: string, ...args: string[]) =>
      call(path, command, ...source, ...args, ...out(command));
    const check = (command: string) => checkTables(`${path}/${name}/${command}`, isNamed);
    await analyse("redundant");
    assert.equal(await check("redundant"), 2);
    await analyse("prune", "--method", "redundant");
    assert.equal(await check("prune"), 2);
    await analyse("cluster", "--ratio", "0.2");
    assert.equal(await check("cluster"), 3);
    await analyse("nearest", "--k", "3");
    assert.equal(await check("nearest"), 1);
    const table = await readTable(`${path}/${name}/nearest/nearest.csv`);
    const naming = (index: number) =>
      isNamed ? nameOf(TRAIN, index) : { index: `${index}`, file: "", label: "" };
    assert.deepEqual(
      table.map(({ similarity, cosine, ...cells }) => ({
        ...cells,
        similarity: Math.fround(Number(similarity)),
        cosine: Math.fround(Number(cosine)),
      })),
      nearest.flatMap((near, i) =>
        near.map((j, rank) => {
          const other = naming(samples[j]);
          const value = kernel[i * SIZE + j];
          return {
            ...naming(samples[i]),
            rank: `${rank + 1}`,
            nearest_index: other.index,
            nearest_file: other.file,
            nearest_label: other.label,
            similarity: value,
            cosine: Math.fround(value / Math.sqrt(kernel[i * SIZE + i] * kernel[j * SIZE + j])),
          };
        })
      ),
    );
    assert.deepEqual(
      [...await readArray(`${path}/${name}/nearest/nearest.npy`, Int32Array, [SIZE, 3])],
      nearest.flat().map((j) => samples[j]),
    );
    const chosen = isNamed ? TRAIN.files![samples[5]] : `${samples[5]}`;
    const said = await analyse("relate", "--sample", chosen, "--threshold", "0.5");
    assert.ok(
      said.includes(isNamed ? `with #${samples[5]} ${chosen}:` : `with #${samples[5]}:`),
      said,
    );
    const { sample } = await readJson(`${path}/${name}/relate/summary.json`);
    assert.deepEqual(
      [sample.index, sample.file, sample.class],
      isNamed
        ? [samples[5], chosen, CLASSES[TRAIN.labels[samples[5]]]]
        : [samples[5], undefined, undefined],
    );
  }

  const [near, far] = [TEST.files![7], `${path}/data/${TEST.files![3]}`];
  const said = await call(
    path,
    "neighbours",
    ...network,
    ...["--test", near, "--test", far, "--test", "11", "--top", "4", "--out", "@/neighbours"],
  );
  assert.deepEqual(
    (await listFolder(`${path}/neighbours`)).filter((name) => /svg|html/.test(name)),
    ["index.html", "neighbours-11.svg", "neighbours-3.svg", "neighbours-7.svg"],
  );
  assert.equal(await checkTables(`${path}/neighbours`), 1);
  const { tests } = await readJson(`${path}/neighbours/summary.json`);
  const rows = [];
  const similarity = await readArray(`${path}/neighbours/similarity.npy`, Float32Array, [3, SIZE]);
  for (const [t, { test, helps, hurts }] of tests.entries()) {
    const { index, file, label } = nameOf(TEST, [7, 3, 11][t]);
    assert.deepEqual([`${test.sample}`, test.file, test.class], [index, file, label]);
    assert.equal(test.predictedClass, CLASSES[test.predicted]);
    for (const [effect, list] of Object.entries({ helps, hurts })) {
      for (const [rank, other] of (list as typeof helps).entries()) {
        const named = nameOf(TRAIN, other.sample);
        assert.deepEqual([other.file, other.class], [named.file, named.label]);
        assert.equal(other.similarity, similarity[t * SIZE + samples.indexOf(other.sample)]);
        const cells = { test_index: index, test_file: file, test_label: label, effect, ...named };
        rows.push({ ...cells, rank: `${rank + 1}` });
      }
    }
  }
  const table = await readTable(`${path}/neighbours/neighbours.csv`);
  assert.ok(rows.length > 12, "some help and some hurt");
  assert.deepEqual(table.map(({ similarity: _, share: __, ...cells }) => cells), rows);
  // names are told as they are where a terminal shows them so, and as JSON where it would obey them
  assert.ok(said.includes(`test sample #7 ${near}: label `), said);
  assert.ok(!said.includes("two\nlines"), said);

  await call(
    path,
    "compare",
    "--model",
    "mlp",
    ...part,
    ...training,
    "--arm",
    "full",
    "--seeds",
    "1",
    "--out",
    "@/compare",
  );
  assert.equal(await checkTables(`${path}/compare`), 1);
  await call(path, "run", ...part, ...training, "--seeds", "2", "--out", "@/run");
  assert.equal(await checkTables(`${path}/run`), 6);
  const sheet = await Deno.readTextFile(`${path}/run/samples.svg`);
  assert.ok(sheet.includes("&#60;script&#62;") && !sheet.includes("<script>"), "names are escaped");

  for (
    const [text, says] of [
      ["test/9/nothing", `need one, or one of the 12 files of ${path}/data`],
      [TEST.files![7].replace("picture", "pictore"), `did you mean ${TEST.files![7]}?`],
    ]
  ) {
    const outcome = await callHere(
      ["neighbours", ...network, "--test", text, "--out", `${path}/none`].map((arg) =>
        arg.replaceAll("@", path)
      ),
    );
    assert.equal(outcome.code, 2);
    assert.ok(outcome.stderr.includes(says), outcome.stderr);
  }
  const twice = await callHere(
    ["neighbours", ...network, "--test", "3", "--test", TEST.files![3], "--out", `${path}/none`]
      .map((arg) => arg.replaceAll("@", path)),
  );
  assert.equal(twice.code, 2);
  assert.match(
    twice.stderr,
    /got --test 3 and --test test.*, which are one sample, need each once/,
  );
});
