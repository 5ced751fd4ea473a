/** Samples that commands work on: the same in all commands, with every class among them, and with every index one in the whole split. @module */
import assert from "node:assert/strict";
import {
  encodeNpy,
  hashDataset,
  loadDataset,
  loadMetadata,
  mlp,
  openEngine,
  readNpy,
  takeSamples,
} from "../../mod.ts";
import { readCsv } from "../../engine/formats/csv.ts";
import { openTempFolder } from "../temp_folder.ts";
import { callHere, listFolder, readArray, readJson } from "./process.ts";

const CLASSES = 4;
const SIDE = 4;

/** Writes images of four classes, sorted by class as conversions of folders are, no two of them alike. */
async function writeSorted(
  path: string,
  each: number,
  { test = true } = {},
): Promise<void> {
  await Deno.mkdir(path);
  for (const [prefix, shift] of [["", 0], ...test ? [["test_", 77] as const] : []] as const) {
    const count = CLASSES * each;
    const labels = Uint8Array.from({ length: count }, (_, i) => Math.floor(i / each));
    const images = Uint8Array.from({ length: count * SIDE * SIDE }, (_, at) => {
      const [i, pixel] = [Math.floor(at / (SIDE * SIDE)), at % (SIDE * SIDE)];
      if (pixel < 2) return pixel === 0 ? i & 255 : i >> 8;
      return (pixel % CLASSES === labels[i] ? 120 : 20) + ((i + shift) * 37 + pixel * 11) % 90;
    });
    await Deno.writeFile(`${path}/${prefix}images.npy`, encodeNpy(images, [count, SIDE, SIDE]));
    await Deno.writeFile(`${path}/${prefix}labels.npy`, encodeNpy(labels, [count]));
  }
}

/** Runs a command whose `@` stands for a folder; it has to succeed, and to print only `note` on standard error. */
async function call(path: string, text: string, note = ""): Promise<string> {
  const args = text.replaceAll("@", path).split(" ");
  const { code, stdout, stderr } = await callHere(args);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: note.replaceAll("@", path) }, text);
  return stdout;
}

async function readIndices(path: string): Promise<number[]> {
  const { data } = await readNpy(path);
  assert.ok(data instanceof Int32Array, path);
  return [...data];
}

const EACH = 150;
const SIZE = 150;
const TRAINING = "--epochs 2 --batch 16 --lr 0.02";

Deno.test("from training to a comparison, on a part of a class-sorted set, all speak of the same samples by their indices in the whole", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await writeSorted(`${path}/data`, EACH);
  const whole = await loadDataset(`${path}/data`, "train");
  const part = `--data @/data --train-size ${SIZE}`;
  const network = `--model mlp --weights @/trained/weights.safetensors ${part}`;
  const line = `samples: 150 of 600, class by class (sample seed 0)\n`;

  const said = await call(path, `train --model mlp ${part} ${TRAINING} --seed 5 --out @/trained`);
  assert.ok(said.startsWith(line), said);
  const samples = await readIndices(`${path}/trained/samples.npy`);
  assert.equal(samples.length, SIZE);
  const counts = Array<number>(CLASSES).fill(0);
  for (const index of samples) counts[whole.labels[index]]++;
  assert.deepEqual(counts, [38, 38, 37, 37]);
  const { choices } = await readJson(`${path}/trained/metrics.json`);
  const { labelsSha256 } = choices.train;
  const choice = { split: "train", size: SIZE, of: 600, sampleSeed: 0, labelsSha256 };
  assert.deepEqual(choices, {
    train: choice,
    test: { split: "test", size: 600, of: 600, labelsSha256: choices.test.labelsSha256 },
  });
  const metadata = await loadMetadata(`${path}/trained/weights.safetensors`);
  assert.equal(metadata.get("samples_sha256"), hashDataset(takeSamples(whole, samples)));
  assert.deepEqual(JSON.parse(metadata.get("samples")!), choice);

  await call(path, `gram ${network} --out @/K.npy`);
  await call(path, `gram ${network} --out @/K.zarr`);
  const kernel = await readArray(`${path}/K.npy`, Float32Array, [SIZE, SIZE]);
  const at = (i: number, j: number) => kernel[i * SIZE + j];
  const redundant = samples.map((_, i) => samples.some((_, j) => at(i, j) > at(i, i)));
  const kept = samples.filter((_, i) => !redundant[i]);
  assert.ok(kept.length > 0 && kept.length < SIZE, `${kept.length}`);
  // a sample of a later class, whose index is beyond the kernel's size
  const chosen = samples[120];
  assert.ok(chosen > SIZE);
  const sources: readonly (readonly [string, string])[] = [
    ["network", network],
    ["matrix", "--kernel @/K.npy"],
    ["store", "--kernel @/K.zarr"],
  ];
  let centroids: number[] | undefined;
  for (const [name, source] of sources) {
    const out = (command: string) => `${path}/${name}-${command}`;
    const run = async (command: string, options = "") => {
      const text = await call(path, `${command} ${source}${options} --out ${out(command)}`);
      assert.ok(text.startsWith(line), text);
      assert.deepEqual(await readIndices(`${out(command)}/samples.npy`), samples);
      const summary = await readJson(`${out(command)}/summary.json`);
      // a matrix alone cannot tell how its samples were chosen
      assert.deepEqual(summary.choice, choice);
      return summary;
    };
    await run("redundant");
    assert.deepEqual(
      [...await readArray(`${out("redundant")}/redundant.npy`, Uint8Array, [SIZE])],
      redundant.map(Number),
    );
    await run("prune", " --method redundant");
    assert.deepEqual(await readIndices(`${out("prune")}/keep.npy`), kept);

    const { sample } = await run("relate", ` --sample ${chosen}`);
    assert.equal(sample.index, chosen);
    for (const partner of [...sample.interchangeable, ...sample.contradictory]) {
      assert.equal(partner.similarity, at(120, samples.indexOf(partner.sample)));
    }
    assert.ok(sample.interchangeable.length > 0);

    await run("nearest", " --k 3");
    const nearest = await readArray(`${out("nearest")}/nearest.npy`, Int32Array, [SIZE, 3]);
    const values = await readArray(`${out("nearest")}/similarity.npy`, Float32Array, [SIZE, 3]);
    nearest.forEach((index, place) =>
      assert.equal(values[place], at(Math.floor(place / 3), samples.indexOf(index)))
    );

    const labels = name === "network" ? "" : " --labels @/data/labels.npy";
    const { heads } = await run("cluster", ` --per-class --ratio 0.1${labels}`);
    const found = await readIndices(`${out("cluster")}/centroids.npy`);
    assert.deepEqual(found, centroids ??= found);
    const clustered = await readArray(`${out("cluster")}/assignment.npy`, Int32Array, [SIZE]);
    found.forEach((index, cluster) => assert.equal(clustered[samples.indexOf(index)], cluster));
    // each cluster is of one class, by the labels of the whole split
    clustered.forEach((cluster, i) =>
      assert.equal(whole.labels[samples[i]], whole.labels[found[cluster]])
    );
    for (const { cluster, centroid } of heads) assert.equal(centroid, found[cluster]);
  }
  // labels of the part alone serve as well
  const own = Uint8Array.from(samples, (index) => whole.labels[index]);
  await Deno.writeFile(`${path}/own.npy`, encodeNpy(own, [SIZE]));
  await call(path, "cluster --kernel @/K.npy --labels @/own.npy --per-class --out @/own");
  assert.deepEqual(await readIndices(`${path}/own/centroids.npy`), centroids);

  const near = `${path}/near`;
  await call(path, `neighbours ${network} --test 301 --top 5 --out ${near}`);
  assert.deepEqual(await readIndices(`${near}/samples.npy`), samples);
  const similarity = await readArray(`${near}/similarity.npy`, Float32Array, [1, SIZE]);
  const summary = await readJson(`${near}/summary.json`);
  assert.equal(summary.test.label, 2);
  for (const { sample, label, similarity: value } of [...summary.helps, ...summary.hurts]) {
    assert.equal(value, similarity[samples.indexOf(sample)]);
    assert.equal(label, whole.labels[sample]);
  }

  const arms = "--arm full --arm kept=@/matrix-prune/keep.npy --seeds 1";
  await call(path, `compare --model mlp ${part} ${TRAINING} ${arms} --out @/compared`);
  assert.deepEqual(await readIndices(`${path}/compared/samples.npy`), samples);
  const rows = (await Deno.readTextFile(`${path}/compared/accuracy.csv`)).trim().split(/\r?\n/)
    .map((row) => row.split(","));
  const column = rows[0].indexOf("trainLoss");
  using engine = await openEngine();
  using narrow = engine.network(mlp, { seed: 0, classes: CLASSES - 1 }, whole.shape);
  await assert.rejects(engine.project(narrow, takeSamples(whole, [0, 460, 5])), {
    name: "DataError",
    message: /got label 3 at sample 460, need labels from 0, below the network's 3 classes/,
  });
  for (const [name, indices] of [["full", samples], ["kept", kept]] as const) {
    using fresh = engine.network(mlp, { seed: 0, classes: CLASSES }, whole.shape);
    const { epochs } = await engine.train(fresh, takeSamples(whole, indices), {
      epochs: 2,
      batch: 16,
      learningRate: 0.02,
      momentum: 0.9,
      seed: 0,
    });
    assert.deepEqual(
      rows.filter(([arm]) => arm === name).map((row) => Number(row[column])),
      epochs.map(({ trainLoss }) => trainLoss),
      `training on the pictures of ${name}`,
    );
  }
});

Deno.test("a set of forty without test images is trained, run, compared and analysed, with a fifth held out", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await writeSorted(`${path}/data`, 10, { test: false });
  const held =
    "test samples: 8 of 40 training samples, held out as the set has no test images, class by class (sample seed 0)\n";
  const data = "--model mlp --data @/data";
  const said = await call(path, `run ${data} --epochs 1 --seeds 2 --out @/run`);
  assert.ok(said.includes(`samples: 32 of 40, class by class (sample seed 0)\n${held}`), said);
  const [samples, test] = [
    await readIndices(`${path}/run/samples.npy`),
    await readIndices(`${path}/run/test_samples.npy`),
  ];
  assert.deepEqual([...samples, ...test].sort((a, b) => a - b), [...Array(40).keys()]);
  const { choices, testSamples } = await readJson(`${path}/run/summary.json`);
  assert.equal(testSamples, 8);
  const { labelsSha256, ...choice } = choices.train;
  assert.deepEqual(choice, { split: "train", size: 32, of: 40, sampleSeed: 0 });
  assert.match(labelsSha256, /^[0-9a-f]{64}$/);
  assert.deepEqual(choices.test, { ...choices.train, size: 8, heldOut: true });
  for (const file of ["keep", "centroids"]) {
    const indices = await readIndices(`${path}/run/${file}.npy`);
    assert.ok(indices.length > 0 && indices.every((index) => samples.includes(index)), file);
  }
  assert.ok((await readIndices(`${path}/run/keep.npy`)).at(-1)! >= 32, "of the part");

  assert.ok((await call(path, `train ${data} --epochs 1 --out @/trained`)).includes(held));
  const source = `${data} --weights @/trained/weights.safetensors`;
  await call(path, `gram ${source} --cross --out @/G.npy`);
  assert.deepEqual(await readIndices(`${path}/G.samples.npy`), samples);
  assert.deepEqual(await readIndices(`${path}/G.test_samples.npy`), test);
  await call(path, `neighbours ${source} --test ${test[3]} --out @/near`);
  await call(path, `redundant ${source} --train-size 32 --out @/redundant`);
  await call(path, `redundant ${source} --split test --out @/tests`);
  assert.deepEqual(await readIndices(`${path}/tests/samples.npy`), test);
  await call(path, `clean ${source} --train-size 32 --out @/clean`);
  assert.deepEqual(await readIndices(`${path}/clean/samples.npy`), samples);
  assert.deepEqual((await readJson(`${path}/clean/summary.json`)).choice, choices.train);
  const left = await readIndices(`${path}/clean/keep.npy`);
  assert.ok(left.length > 0 && left.every((index) => samples.includes(index)));
  const judged = (await readCsv(`${path}/clean/labels.csv`, "labels", ["index", "given"]))
    .map(({ cells }) => [Number(cells.index), Number(cells.given)]);
  assert.deepEqual(judged.map(([index]) => index).sort((a, b) => a - b), samples);
  // the set has ten samples of each class, one class after another
  for (const [index, given] of judged) assert.equal(given, Math.floor(index / 10));
  const arms = "--arm full --arm kept=@/run/keep.npy --seeds 1";
  await call(path, `compare ${data} --epochs 1 ${arms} --out @/compared`);
  assert.deepEqual(await readIndices(`${path}/compared/test_samples.npy`), test);
  // an analysis without a size takes all samples, which are not those of the training
  const note =
    "note: @/trained/weights.safetensors was trained on other samples (@/data: 32 of 40, sample seed 0) than these\n";
  await call(path, `redundant ${source} --out @/all`, note);
  assert.deepEqual(await listFolder(`${path}/all`), [
    "redundant.csv",
    "redundant.npy",
    "run.json",
    "summary.json",
  ]);

  const outcome = await callHere(
    `neighbours ${source} --test ${samples[0]} --out @/none`.replaceAll("@", path).split(" "),
  );
  assert.equal(outcome.code, 2);
  const says = `Cannot find the neighbours of sample ${samples[0]}: got a sample that is not among`;
  assert.ok(outcome.stderr.includes(says), outcome.stderr);
});

Deno.test("what tells of a matrix's samples is never another matrix's", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await writeSorted(`${path}/data`, 10);
  const data = "--model mlp --data @/data";
  await call(path, `train ${data} --epochs 1 --out @/trained`);
  const gram = `gram ${data} --weights @/trained/weights.safetensors`;
  const refuse = async (text: string, code: number, ...says: string[]) => {
    const before = await listFolder(path);
    const outcome = await callHere(text.replaceAll("@", path).split(" "));
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, /^lpntk: [^\n]+\n$/);
    for (const part of says) {
      assert.ok(outcome.stderr.includes(part.replaceAll("@", path)), outcome.stderr);
    }
    assert.deepEqual(await listFolder(path), before);
  };
  await call(path, `${gram} --train-size 12 --out @/K.npy`);
  const samples = await readIndices(`${path}/K.samples.npy`);
  for (const other of ["", " --train-size 12", " --train-size 12 --sample-seed 1"]) {
    await refuse(`${gram}${other} --out @/K.npy`, 1, "got @/K.npy already", "or --force");
  }
  await Deno.writeTextFile(`${path}/N.samples.npy`, "of another matrix");
  await refuse(`${gram} --out @/N.npy`, 1, "got @/N.samples.npy already");
  await call(path, `${gram} --train-size 12 --out @/O.npy`);
  await call(path, `${gram} --force --out @/O.npy`);
  assert.ok(!(await listFolder(path)).includes("O.samples.npy"));
  await readArray(`${path}/O.npy`, Float32Array, [40, 40]);
  assert.deepEqual(await readIndices(`${path}/K.samples.npy`), samples);
  await readArray(`${path}/K.npy`, Float32Array, [12, 12]);
  // nothing stays where the matrix cannot be written
  await Deno.mkdir(`${path}/L.npy`);
  await refuse(`${gram} --train-size 12 --out @/L.npy`, 1, "Cannot write");

  await call(
    path,
    `${gram} --train-size 12 --first --out @/F.npy`,
    "lpntk: classes 2, 3 have no sample in @/data (train)\n",
  );
  assert.deepEqual(await readIndices(`${path}/F.samples.npy`), [...Array(12).keys()]);
  await call(path, `${gram} --out @/W.npy`);
  assert.ok(!(await listFolder(path)).includes("W.samples.npy"));

  await refuse(
    "relate --kernel @/K.npy --sample-seed 1 --out @/out",
    2,
    "--kernel",
    "--sample-seed",
  );
  await refuse("relate --kernel @/K.npy --first --out @/out", 2, "--kernel", "--first");
  await refuse("relate --kernel @/K.npy --kind pntk --out @/out", 2, "--kernel", "--kind");
  await refuse(`${gram} --first --sample-seed 1 --out @/M.npy`, 2, "--first", "--sample-seed");
  const absent = [...Array(40).keys()].find((index) => !samples.includes(index))!;
  await refuse(`relate --kernel @/K.npy --sample ${absent} --out @/out`, 2, `sample ${absent}`);
  for (const wrong of [[0, 1], [...samples].reverse(), samples.map((i) => i - samples[0] - 1)]) {
    const bytes = encodeNpy(Int32Array.from(wrong), [wrong.length]);
    await Deno.writeFile(`${path}/K.samples.npy`, bytes);
    const need = wrong.length === 12 ? "need int32 [N], indices" : "got 2 indices, need 12";
    await refuse("relate --kernel @/K.npy --out @/out", 1, "K.samples.npy", need);
  }
  await Deno.remove(`${path}/K.samples.npy`);
  await refuse("relate --kernel @/K.npy --out @/out", 1, "got none of @/K.samples.npy");

  // kernels of the test split, whole or a part, in either form, never become training samples or get their labels
  const arm = "compare --model mlp --data @/data --seeds 1 --epochs 1 --out @/out --arm a=@/kept";
  await Deno.writeFile(
    `${path}/others.npy`,
    encodeNpy(Int32Array.from({ length: 40 }, (_, i) => i % 4), [40]),
  );
  for (const [i, out] of ["T.npy", "T.zarr", "P.npy", "P.zarr"].entries()) {
    await call(path, `${gram} --split test${i > 1 ? " --test-size 20" : ""} --out @/${out}`);
    await call(path, `prune --kernel @/${out} --method random --out @/kept${i}`);
    await refuse(`${arm}${i}/keep.npy`, 2, "got samples of the test split");
    const labels = "--labels @/others.npy";
    await refuse(`cluster --kernel @/${out} ${labels} --per-class --out @/out`, 1, "as labels");
  }
  // a mask is of the samples beside it
  await call(
    path,
    `redundant ${data} --weights @/trained/weights.safetensors --train-size 12 --sample-seed 3 --out @/flags`,
  );
  const { data: flags } = await readNpy(`${path}/flags/redundant.npy`);
  const bytes = encodeNpy(Uint8Array.from([...flags].map((flag) => flag ? 0 : 1)), [12]);
  // NumPy's booleans are bytes with another dtype
  const header = String.fromCharCode(...bytes).replace("|u1", "|b1");
  await Deno.writeFile(`${path}/flags/keep.npy`, Uint8Array.from(header, (c) => c.charCodeAt(0)));
  await refuse(
    `${arm.replace("a=@/kept", "a=@/flags/keep.npy")} --train-size 12`,
    2,
    "it was chosen from --train-size 12 --sample-seed 3",
  );
});
