/** `lpntk neighbours`: its list is the kernel's own row, sorted. @module */
import assert from "node:assert/strict";
import { encodeNpy, loadDataset } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { listFolder, readArray, readJson, runLpntk, succeed } from "./process.ts";

const COUNT = 90;
const TEST_COUNT = 40;
const SIDE = 6;

/** Writes images of three classes: with so few classes, samples of other classes hurt. */
async function writeData(path: string): Promise<void> {
  await Deno.mkdir(path);
  for (const [prefix, count] of [["", COUNT], ["test_", TEST_COUNT]] as const) {
    const length = count * SIDE * SIDE;
    const images = Uint8Array.from({ length }, (_, i) => (i * 7919 + (i >> 6) * 104729) >> 3);
    const labels = Uint8Array.from({ length: count }, (_, i) => i * i % 5 % 3);
    await Deno.writeFile(`${path}/${prefix}images.npy`, encodeNpy(images, [count, SIDE, SIDE]));
    await Deno.writeFile(`${path}/${prefix}labels.npy`, encodeNpy(labels, [count]));
  }
}

interface Neighbour {
  readonly sample: number;
  readonly label: number;
  readonly similarity: number;
}

Deno.test("neighbours are a test sample's row of the kernel, from both its ends", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const call = (...args: string[]) => succeed(args);
  await writeData(`${path}/data`);
  const data = ["--data", `${path}/data`];
  const training = ["--epochs", "1", "--lr", "0.001"];
  await call("train", "--model", "mlp", ...data, ...training, "--out", `${path}/trained`);
  const source = ["--model", "mlp", "--weights", `${path}/trained/weights.safetensors`, ...data];
  await call("gram", ...source, "--cross", "--out", `${path}/G.npy`);
  await call(
    "gram",
    ...source,
    "--split",
    "test",
    "--test-size",
    `${TEST_COUNT}`,
    "--out",
    `${path}/T.npy`,
  );
  const cross = await readArray(`${path}/G.npy`, Float32Array, [COUNT, TEST_COUNT]);
  const own = await readArray(`${path}/T.npy`, Float32Array, [TEST_COUNT, TEST_COUNT]);
  const { labels } = await loadDataset(`${path}/data`, "train");
  const test = await loadDataset(`${path}/data`, "test");

  for (const sample of [0, 23]) {
    const out = `out${sample}`;
    const says = await call(
      "neighbours",
      ...source,
      "--test",
      `${sample}`,
      "--top",
      "7",
      "--out",
      `${path}/${out}`,
    );
    assert.deepEqual(
      await listFolder(`${path}/${out}`),
      [
        "index.html",
        "neighbours.csv",
        "neighbours.svg",
        "run.json",
        "similarity.npy",
        "summary.json",
      ],
    );
    const column = Array.from({ length: COUNT }, (_, i) => cross[i * TEST_COUNT + sample]);
    assert.deepEqual(
      [...await readArray(`${path}/${out}/similarity.npy`, Float32Array, [1, COUNT])],
      column,
    );
    const summary = await readJson(`${path}/${out}/summary.json`);
    assert.equal(summary.test.label, test.labels[sample]);
    assert.equal(summary.test.selfSimilarity, own[sample * TEST_COUNT + sample]);
    const sorted = [...column.keys()].sort((a, b) => column[b] - column[a] || a - b);
    const describe = (samples: number[]): Neighbour[] =>
      samples.map((i) => ({ sample: i, label: labels[i], similarity: column[i] }));
    const negative = sorted.filter((i) => column[i] < 0).reverse().slice(0, 7);
    assert.ok(negative.length > 0, "none hurts it, so that the list cannot be wrong");
    assert.deepEqual(summary.helps, describe(sorted.slice(0, 7)));
    assert.deepEqual(summary.hurts, describe(negative));
    const share = (100 * column[sorted[0]] / summary.test.selfSimilarity).toFixed(1);
    const line = `#${sorted[0]}, label ${labels[sorted[0]]}: +${share}%`;
    assert.ok(says.includes(line), `${line} in ${says}`);
    const sheet = await Deno.readTextFile(`${path}/${out}/neighbours.svg`);
    assert.equal(sheet.match(/<image /g)!.length, 1 + 7 + negative.length);
  }

  const { code, stderr } = await runLpntk(
    ["neighbours", ...source, "--test", "40", "--out", `${path}/none`],
  );
  assert.equal(code, 2);
  assert.match(stderr, /Cannot take sample 40 of .*\/data \(test\): it holds 40/);
});
