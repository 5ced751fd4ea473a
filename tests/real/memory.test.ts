/** The promise of a budget: the process, which on a CPU adapter is the device too, never holds more. @module */
import assert from "node:assert/strict";
import { createGenerator, drawUniform, STREAMS } from "../../engine/data/random.ts";
import { encodeSafetensors, loadWeights, writeNpy } from "../../mod.ts";
import { measureCost } from "../../bench/process_cost.ts";
import { openTempFolder } from "../temp_folder.ts";
import { canMount, openDisk } from "../cli/disk.ts";
import {
  fingerprint,
  finish,
  listFolder,
  prepareLpntk,
  readJson,
  succeed,
} from "../cli/process.ts";

/** Number of samples, whose rows take 181 MiB with 3,393 floats each under LeNet-5. Even half of the rows take more than the budget leaves. */
const SAMPLES = 14_000;
const SIDE = 28;

const MEBIBYTE = 2 ** 20;

/** Budget so small that the rows go to a file. */
const BUDGET = 688 * MEBIBYTE;

/** Measures the peak memory of a call, in bytes. */
async function measurePeak(call: string): Promise<number> {
  return (await measureCost(prepareLpntk(call.split(" "), { timeoutMs: 300_000 }))).peakBytes;
}

/** Writes a data set and weights, and returns the call of a command on it. */
async function prepare(path: string, samples: number, command: string): Promise<string> {
  const pixels = drawUniform(createGenerator(1, STREAMS.trials), samples * SIDE * SIDE, 127);
  const images = Uint8Array.from(pixels, (value) => value + 128);
  const labels = Uint8Array.from({ length: samples }, (_, n) => n % 10);
  for (const prefix of ["", "test_"]) {
    const count = prefix ? 10 : samples;
    const size = count * SIDE * SIDE;
    await writeNpy(`${path}/${prefix}images.npy`, images.subarray(0, size), [count, SIDE, SIDE]);
    await writeNpy(`${path}/${prefix}labels.npy`, labels.subarray(0, count), [count]);
  }
  await succeed(
    `train --model lenet5 --data ${path} --train-size 64 --epochs 1 --out ${path}/a`.split(" "),
  );
  // saved without metadata about the samples that they were trained on, which are few of these
  const weights = await loadWeights(`${path}/a/weights.safetensors`);
  await Deno.writeFile(`${path}/weights.safetensors`, encodeSafetensors(weights));
  return `${command} --model lenet5 --weights ${path}/weights.safetensors --data ${path} --out ${path}`;
}

Deno.test("--memory bounds what the process holds, and changes no answer", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const call = await prepare(path, SAMPLES, "cluster --ratio 0.001");
  const free = await measurePeak(`${call}/free`);
  const bound = await measurePeak(`${call}/bound --memory ${BUDGET}`);
  const mebibytes = [free, bound].map((bytes) => Math.round(bytes / MEBIBYTE));
  assert.ok(bound > 0 && bound <= BUDGET, `held ${mebibytes[1]} MiB`);
  // on a GPU the rows are in its own memory
  const adapter = await navigator.gpu.requestAdapter();
  if (/llvmpipe/.test(adapter!.info.description)) {
    assert.ok(free > bound + 64 * MEBIBYTE, `held ${mebibytes.join(" and ")} MiB`);
  }
  const { summary } = await readJson(`${path}/bound/summary.json`);
  assert.deepEqual(summary, (await readJson(`${path}/free/summary.json`)).summary);
  const answers = await Promise.all(
    ["free", "bound"].map((name) => fingerprint(`${path}/${name}`)),
  );
  for (const name of ["centroids.npy", "assignment.npy"]) {
    assert.equal(answers[0][name], answers[1][name]);
  }
});

Deno.test(
  "rows for which neither memory nor the disk has room are computed anew, and change no answer",
  {
    ignore: !canMount,
  },
  async () => {
    await using folder = await openTempFolder();
    // clustering would hold the kernel of such rows, and is refused
    const call = await prepare(folder.path, SAMPLES / 2, "redundant");
    await succeed(`${call}/free`.split(" "));
    await using disk = (await openDisk("20m"))!;
    const outcome = await finish(
      prepareLpntk(`${call}/bound --memory ${BUDGET}`.split(" "), {
        env: { TMPDIR: disk.path },
        timeoutMs: 300_000,
      }),
    );
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.deepEqual(await listFolder(disk.path), []);
    const [free, bound] = await Promise.all(
      ["free", "bound"].map((name) => fingerprint(`${folder.path}/${name}`)),
    );
    assert.equal(free["redundant.npy"], bound["redundant.npy"]);
  },
);
