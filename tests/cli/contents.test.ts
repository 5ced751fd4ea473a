/** The same call on other contents under the same names: refused like other settings, and nothing changes. @module */
import assert from "node:assert/strict";
import { encodeNpy, encodeSafetensors, loadWeights, type Weights } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { finishStore, settle } from "../engine/store/store_fixtures.ts";
import { assertRefused, callHere, fingerprint, readJson } from "./process.ts";

/** Runs a call, changes its inputs, and asserts that the call is refused until they are changed back. */
async function see(call: string, out: string, change: () => Promise<void>, names: string) {
  const args = [...call.split(" "), "--out", out];
  const first = await callHere(args);
  assert.equal(first.code, 0, first.stderr);
  assert.equal((await callHere(args)).code, 0);
  const before = await fingerprint(out);
  await change();
  const outcome = await callHere(args);
  assertRefused(
    { ...outcome, stderr: outcome.stderr.replace(/^note: .*\n/gm, "") },
    `Cannot go on with ${out}: got results computed from other contents of ${names}, need the same`,
  );
  assert.deepEqual(await fingerprint(out), before);
}

Deno.test("a stored kernel, its labels and its samples, in a file and in chunks", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const write = (name: string, data: Float32Array | Int32Array, shape: number[]) =>
    Deno.writeFile(`${path}/${name}`, encodeNpy(data, shape));
  const kernel = Float32Array.of(1, 0.5, 0.5, 1);
  await write("K.npy", kernel, [2, 2]);
  await write("labels.npy", Int32Array.of(0, 1), [2]);
  const cluster = `cluster --kernel ${path}/K.npy --labels ${path}/labels.npy`;
  await see(cluster, `${path}/a`, () => write("labels.npy", Int32Array.of(1, 1), [2]), "labels");
  await see(cluster, `${path}/b`, () => write("K.npy", kernel.with(0, 2), [2, 2]), "kernel");
  await finishStore(`${path}/K.zarr`, settle(70));
  const relate = `relate --kernel ${path}/K.zarr`;
  await see(relate, `${path}/c`, async () => {
    await Deno.remove(`${path}/K.zarr`, { recursive: true });
    await finishStore(`${path}/K.zarr`, settle(71));
  }, "kernel");
});

Deno.test("weights and data of a network's kernel, and the data of a training", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.mkdir(`${path}/data`);
  const draw = (seed: number) => Uint8Array.from({ length: 12 * 16 }, (_, i) => i * i * seed);
  const writeImages = (seed: number) =>
    Deno.writeFile(`${path}/data/images.npy`, encodeNpy(draw(seed), [12, 4, 4]));
  await writeImages(7);
  const labels = encodeNpy(Int32Array.from({ length: 12 }, (_, i) => i % 3), [12]);
  await Deno.writeFile(`${path}/data/labels.npy`, labels);
  const train = `train --model mlp --data ${path}/data --epochs 1 --test-size 3`;
  await see(train, `${path}/w`, () => writeImages(5), "samples, test");
  const file = `${path}/w/weights.safetensors`;
  const source = `--model mlp --weights ${file} --data ${path}/data`;
  const change = (layer: string) => async () => {
    const weights: Weights = new Map(await loadWeights(file));
    const { data, shape } = weights.get(`${layer}.bias`)!;
    weights.set(`${layer}.bias`, { shape, data: data.with(0, 0.5) });
    await Deno.writeFile(file, encodeSafetensors(weights));
  };
  await see(`redundant ${source}`, `${path}/r`, change("fc1"), "weights");
  await see(`neighbours ${source} --test 2`, `${path}/n`, change("fc2"), "weights");
  await see(
    `prune --method random --data ${path}/data`,
    `${path}/p`,
    () => writeImages(3),
    "samples",
  );
  assert.match((await readJson(`${path}/r/run.json`)).inputs.weights, /^[0-9a-f]{64}$/);
});
