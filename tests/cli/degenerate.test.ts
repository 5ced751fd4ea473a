/**
 * Degenerate data through every command, in one process: one class, one or two samples, images of zeros or all alike.
 *
 * @module
 */
import assert from "node:assert/strict";
import { encodeNpy, encodeSafetensors, loadWeights, readNpy } from "../../mod.ts";
import { lpntk } from "../../engine/reference/kernels.ts";
import { computeJacobian, type Jacobian, type Layer } from "../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../engine/reference/numbers.ts";
import {
  farthestPointClustersPerClass,
  nearestSamples,
  redundant,
  relatePairs,
  type RelationCounts,
} from "../../engine/reference/relations.ts";
import { openTempFolder } from "../temp_folder.ts";
import { callHere, type Outcome, readArray, readJson, ROOT } from "./process.ts";

const SIDE = 2;
const HIDDEN = 3;

interface Case {
  readonly name: string;
  readonly labels: readonly number[];
  readonly classes: number;
  /** Pixel values, integers from 0 to 3. */
  readonly pixel: (i: number) => number;
  readonly bias: boolean;
  /** Note on standard error, about the training and about the test samples. */
  readonly note?: string;
}

const mixed = (i: number) => (i * 7 + (i >> 2)) % 4;

const CASES: readonly Case[] = [
  { name: "one class", labels: [0, 0, 0, 0, 0], classes: 1, pixel: mixed, bias: true },
  { name: "two samples of two classes", labels: [1, 0], classes: 2, pixel: mixed, bias: true },
  {
    name: "one sample, not of the first class",
    labels: [1],
    classes: 2,
    pixel: mixed,
    bias: true,
    note: "class 0 has no sample",
  },
  {
    name: "images of nothing, a kernel of zeros",
    labels: [0, 1, 1, 0, 1],
    classes: 2,
    pixel: () => 0,
    bias: false,
  },
  {
    name: "one image under two labels",
    labels: [0, 1, 1, 0, 1],
    classes: 2,
    pixel: (i) => i % 4,
    bias: true,
  },
];

const TWIN: readonly Layer[] = [
  { kind: "flatten" },
  { kind: "dense", name: "hidden" },
  { kind: "relu" },
  { kind: "dense", name: "out" },
];

/** Draws integer weights, so that only the scaled sign vectors are rounded. */
function drawWeights({ classes, bias }: Case) {
  const tensor = (...shape: number[]) => ({
    shape,
    data: Float32Array.from(
      { length: shape.reduce((a, b) => a * b) },
      (_, i) => (i * 5 + shape.length) % 4 - 1,
    ),
  });
  return new Map(
    Object.entries({
      "hidden.weight": tensor(HIDDEN, SIDE * SIDE),
      ...bias && { "hidden.bias": tensor(HIDDEN) },
      "out.weight": tensor(classes, HIDDEN),
      ...bias && { "out.bias": tensor(classes) },
    }),
  );
}

/** Writes the network, its weights and the data, whose test samples are the training samples again. */
async function writeInputs(path: string, item: Case): Promise<Float32Array> {
  const { labels, classes, pixel, bias } = item;
  await Deno.mkdir(`${path}/data`);
  const pixels = Uint8Array.from({ length: labels.length * SIDE * SIDE }, (_, i) => pixel(i));
  for (const prefix of ["", "test_"]) {
    const images = encodeNpy(pixels, [labels.length, SIDE, SIDE]);
    await Deno.writeFile(`${path}/data/${prefix}images.npy`, images);
    const array = encodeNpy(Int32Array.from(labels), [labels.length]);
    await Deno.writeFile(`${path}/data/${prefix}labels.npy`, array);
  }
  // this standard deviation leaves the pixels as they are
  const settings = { classes, mean: [0], std: [1 / 255] };
  await Deno.writeTextFile(`${path}/data/dataset.json`, JSON.stringify(settings));
  const options = bias ? "" : ", { bias: false }";
  await Deno.writeTextFile(
    `${path}/net.ts`,
    `import { flatten, relu } from "file://${ROOT}/mod.ts";
    export default {
      name: "net",
      forward: (layers, images) =>
        layers.dense("out", relu(layers.dense("hidden", flatten(images), ${HIDDEN}${options})), layers.classes${options}),
    };`,
  );
  await Deno.writeFile(`${path}/w.safetensors`, encodeSafetensors(drawWeights(item)));
  return Float32Array.from(pixels);
}

/** Runs a command in this process; `@` stands for the folder. */
function call(path: string, command: string): Promise<Outcome> {
  return callHere(command.replaceAll("@", path).split(" "));
}

/** Runs a command as {@linkcode call} does; it must succeed and print nothing on standard error. */
async function succeed(path: string, command: string, stderr = ""): Promise<string> {
  const outcome = await call(path, command);
  assert.deepEqual([outcome.code, outcome.stderr], [0, stderr], `${command}: ${outcome.stderr}`);
  assert.doesNotMatch(outcome.stdout, /NaN|Infinity|undefined/, command);
  return outcome.stdout;
}

/** Asserts that no text of a result holds a number that is not finite. */
async function checkTexts(path: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    const file = `${path}/${name}`;
    if (isDirectory) await checkTexts(file);
    else if (/\.(json|svg|csv|html)$/.test(name) && name !== "zarr.json") {
      // a page's program may use these words
      const text = (await Deno.readTextFile(file)).replace(
        /<script type="module">.*?<\/script>/gs,
        "",
      );
      const [bad] = /.{0,40}(NaN|Infinity|undefined).{0,40}/.exec(text) ?? [];
      assert.equal(bad, undefined, file);
    }
  }
}

const SOURCE = "--model @/net.ts --weights @/w.safetensors --data @/data";
const TRAINING = "--model @/net.ts --data @/data --epochs 2 --lr 0.01";

for (const item of CASES) {
  Deno.test(`every command has an answer for ${item.name}`, async () => {
    await using folder = await openTempFolder();
    const { path } = folder;
    const { labels, classes } = item;
    const count = labels.length;
    const pixels = await writeInputs(path, item);
    const run = (command: string, stderr?: string) => succeed(path, command, stderr);
    const note = (split: string) => `lpntk: ${item.note} in ${path}/data (${split})`;
    const hint = "; where labels count from 1, subtract 1\n";
    // each note is printed once
    const notes = item.note ? ["train", "test"].map((split) => note(split) + hint).join("") : "";

    await run(`train ${TRAINING} --out @/trained`, notes);
    const trained = await loadWeights(`${path}/trained/weights.safetensors`);
    assert.deepEqual(trained.get("out.weight")!.shape, [classes, HIDDEN]);
    const { epochs } = await readJson(`${path}/trained/metrics.json`);
    if (classes === 1) {
      assert.deepEqual([epochs[1].trainLoss, epochs[1].testAccuracy], [0, 1]);
    }

    await run(`gram ${SOURCE} --out @/K.npy`);
    const kappa = await readArray(`${path}/K.npy`, Float32Array, [count, count]);
    const images = { shape: [count, SIDE, SIDE, 1], data: pixels };
    const jacobian = computeJacobian(TWIN, drawWeights(item), images);
    const sizes = jacobian.map((logits) => logits.map((gradient) => gradient.map(Math.abs)));
    const magnitude = sumProducts(sizes, classes);
    // elements of a row, and the scaling of the sign vectors on both sides
    const length = jacobian[0][0].length + 8;
    assertClose(
      kappa,
      lpntk(jacobian, labels, jacobian, labels).data,
      (at) => dotBound(length, magnitude[at]),
      "kernel",
    );
    if (!item.bias) assert.ok(kappa.every((value) => value === 0));

    const kernel = "--kernel @/K.npy";
    for (const [i, source] of [SOURCE, kernel].entries()) {
      await run(`redundant ${source} --out @/redundant${i}`);
      const flags = await readArray(`${path}/redundant${i}/redundant.npy`, Uint8Array, [count]);
      assert.deepEqual(flags, redundant(kappa, count));
      await run(`relate ${source} --sample 0 --out @/relate${i}`);
      const related: RelationCounts = await readJson(`${path}/relate${i}/summary.json`);
      const { counts } = relatePairs(kappa, count, { threshold: 0.5, tolerance: 0.1 });
      for (const [name, pairs] of Object.entries(counts)) {
        assert.equal(related[name as keyof RelationCounts], pairs, name);
      }
      const of = source === kernel ? `${kernel} --labels @/data/labels.npy` : source;
      await run(`cluster ${of} --per-class --ratio 0.5 --out @/cluster${i}`);
      const { centroids, assignment } = farthestPointClustersPerClass(kappa, labels, 0.5);
      assert.deepEqual(
        await readArray(`${path}/cluster${i}/centroids.npy`, Int32Array, [centroids.length]),
        centroids,
      );
      assert.deepEqual(
        await readArray(`${path}/cluster${i}/assignment.npy`, Int32Array, [count]),
        assignment,
      );
    }
    await run(`prune ${kernel} --method head --ratio 0.1 --share 0.5 --out @/pruned`);
    const { kept } = await readJson(`${path}/pruned/summary.json`);
    assert.equal(kept, count - Math.floor(count / 2));

    for (const [i, source] of [SOURCE, kernel].entries()) {
      if (count === 1) {
        const { code, stderr } = await call(path, `nearest ${source} --out @/nearest`);
        const line = "lpntk: Cannot find nearest samples: got one sample, need at least 2\n";
        assert.deepEqual([code, stderr], [2, line]);
        continue;
      }
      await run(`nearest ${source} --out @/nearest${i}`);
      const nearest = await readArray(
        `${path}/nearest${i}/nearest.npy`,
        Int32Array,
        [count, count - 1],
      );
      assert.deepEqual([...nearest], nearestSamples(kappa, count, count - 1).flat());
    }

    const cleaned = await call(path, `clean ${SOURCE} --out @/clean`);
    const isOneClass = new Set(labels).size === 1;
    if (isOneClass) {
      assert.equal(cleaned.code, 1);
      assert.match(
        cleaned.stderr,
        /^lpntk: [^\n]+: got samples of one class, need at least 2 [^\n]+\n$/,
      );
    } else if (kappa.every((value) => value === 0)) {
      assert.equal(cleaned.code, 1);
      assert.match(
        cleaned.stderr,
        /: got a signed projection of zeros for sample 0, need one that/,
      );
    } else {
      assert.equal(cleaned.code, 0, cleaned.stderr);
      const table = await Deno.readTextFile(`${path}/clean/labels.csv`);
      assert.equal(table.trim().split("\n").length, 1 + count);
      const { data: left } = await readNpy(`${path}/clean/keep.npy`);
      assert.ok(left.every((index: number | bigint) => index >= 0 && index < count));
    }
    // 5 samples are the fewest that networks of its own judge
    const judged = await call(path, "clean --data @/data --out @/judged");
    assert.equal(judged.code, isOneClass ? 1 : count < 5 ? 2 : 0, judged.stderr);

    const says = await run(`neighbours ${SOURCE} --test 0 --out @/neighbours`);
    const row = await readArray(`${path}/neighbours/similarity.npy`, Float32Array, [1, count]);
    assert.deepEqual(row, kappa.subarray(0, count));
    const { helps, hurts } = await readJson(`${path}/neighbours/summary.json`);
    assert.equal(helps.length, row.filter((value) => value > 0).length);
    assert.equal(hurts.length, row.filter((value) => value < 0).length);
    assert.equal(says.includes(`none of ${count} training samples helps it`), helps.length === 0);

    const arms = "--arm full --arm kept=@/pruned/keep.npy --seeds 2";
    await run(`compare ${TRAINING} ${arms} --out @/compare`);
    await run(`run ${TRAINING} --train-size ${count} --seeds 2 --out @/run`);
    for (const command of ["compare", "run"]) {
      for (const arm of (await readJson(`${path}/${command}/summary.json`)).arms) {
        assert.ok(arm.meanAccuracy >= 0 && arm.meanAccuracy <= 1, JSON.stringify(arm));
        if (classes === 1) assert.deepEqual([arm.meanAccuracy, arm.standardDeviation], [1, 0]);
        // two runs that are alike have no t
        if (arm.test) assert.equal(arm.test.t === null, arm.test.p === null);
      }
    }
    const plan = `plan --model @/net.ts --samples ${count} --shape ${SIDE}x${SIDE}x1`;
    await run(`${plan} --classes ${classes} --per-class`);
    await checkTexts(path);
  });
}

/** Computes `1/C sum_ij eNTK_ij` of absolute values, `[N, N]`. */
function sumProducts(sizes: Jacobian, classes: number): number[] {
  const rows = sizes.map((logits) => logits.reduce((a, b) => a.map((value, p) => value + b[p])));
  return rows.flatMap((a) =>
    rows.map((b) => a.reduce((sum, value, p) => sum + value * b[p], 0) / classes)
  );
}

/** Runs an experiment on the case's data, with further settings. */
async function experiment(path: string, name: string, settings: string): Promise<Outcome> {
  await Deno.writeTextFile(`${path}/${name}.toml`, `data = "${path}/data"\n${settings}`);
  return await call(path, `experiment ${name} --config @/${name}.toml --out @/${name}`);
}

const SETTINGS = (path: string) => `model = "${path}/net.ts"\nlearningRate = 0.05\n`;

Deno.test("experiments that need two classes say so of one, and others conclude", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const [one] = CASES;
  await writeInputs(path, { ...one, labels: Array.from({ length: 16 }, () => 0) });
  const at = (name: string) => `lpntk: Cannot use ${path}/${name}.toml, line 1: got data = `;
  for (
    const [name, settings, need] of [
      ["noise", "trainSize = 16\ntestSize = 16\nneighbours = 2\nsuspects = 2", "another class"],
      ["theorem1", "trainSize = 16\nperClass = 2", "images of at least two classes"],
    ]
  ) {
    const { code, stderr } = await experiment(path, name, settings);
    assert.equal(code, 2, stderr);
    assert.ok(stderr.startsWith(at(name)) && stderr.includes(`need ${need}`), stderr);
    assert.match(stderr, /^[^\n]+\n$/);
  }
  const forgetting = await experiment(
    path,
    "forgetting",
    `${
      SETTINGS(path)
    }trainSize = 16\nepochsBefore = 1\nbatches = 2\nbatchSize = 4\niterations = 2\n`,
  );
  assert.equal(forgetting.code, 0, forgetting.stderr);
  const { events } = await readJson(`${path}/forgetting/metrics.json`);
  assert.ok(events === undefined || events === 0);
  assert.match(forgetting.stdout, /left out: the network: accuracy 1.000 .*, chance is 1/);
  await checkTexts(path);
});

Deno.test("experiments on images of nothing leave out what learnt nothing", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const labels = Array.from({ length: 24 }, (_, i) => i % 2);
  await writeInputs(path, { ...CASES[3], labels });
  const sizes = "trainSize = 16\nvalidationSize = 8\nseeds = 2\nbatch = 8\nepochs = 1\n";
  const clusters = await experiment(path, "clusters", `${SETTINGS(path)}${sizes}`);
  assert.deepEqual(
    [clusters.code, clusters.stderr],
    [
      1,
      "lpntk: Cannot cluster: got no network that learnt anything, need one; lower learningRate or raise epochs\n",
    ],
  );
  const poison = await experiment(
    path,
    "poison",
    `${SETTINGS(path)}${sizes}testSize = 20\nkernelEpochs = 1\nshares = [0.25]\n`,
  );
  assert.equal(poison.code, 0, poison.stderr);
  const verdicts = (await readJson(`${path}/poison/claims.json`)).map((
    { verdict }: { verdict: string },
  ) => verdict);
  assert.deepEqual(verdicts, verdicts.map(() => "not comparable at this size"));
  await checkTexts(path);
});

Deno.test("labels from 1 to K are refused where K outputs show it, on a part too", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  // the largest label is not among these samples
  const item = { ...CASES[4], labels: [1, 1, 1], classes: 3 };
  await writeInputs(path, item);
  const weights = encodeSafetensors(drawWeights({ ...item, classes: 2 }));
  await Deno.writeFile(`${path}/w.safetensors`, weights);
  for (const command of ["gram", "redundant", "cluster"]) {
    const out = command === "gram" ? "@/K.npy" : `@/${command}`;
    const { code, stderr } = await call(path, `${command} ${SOURCE} --out ${out}`);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `lpntk: Cannot pass ${path}/data through net: got labels below 3 and no sample of class 0, ` +
        "need labels from 0 to 1 for the network's 2 classes; where they count from 1, subtract 1\n",
    );
  }
  // with a sample of class 0 the labels are not shifted, but exceed the classes
  const labels = encodeNpy(Int32Array.of(0, 1, 1), [3]);
  await Deno.writeFile(`${path}/data/labels.npy`, labels);
  const { code, stderr } = await call(path, `gram ${SOURCE} --out @/K.npy`);
  assert.equal(code, 1);
  assert.match(stderr, /got a data set of 3 classes, need at most the network's 2/);
});
