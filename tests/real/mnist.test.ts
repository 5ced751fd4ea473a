/**
 * Real MNIST through the command line, from images to a comparison.
 *
 * LPNTK_DATA names the folder that holds `mnist/`; without it the test is left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readArray, readJson, succeed } from "../cli/process.ts";

const ignore = !Deno.env.get("LPNTK_DATA");
if (ignore) console.log("LPNTK_DATA is not set: nothing is trained on real MNIST");

const SAMPLES = 2000;
const TRAINING_MS = 20 * 60_000;

Deno.test({
  name:
    "LeNet-5 learns real MNIST, and its kernel of 2,000 samples is analysed, pruned and compared",
  ignore,
  async fn(t) {
    const out = await Deno.makeTempDir();
    const weights = `${out}/trained/weights.safetensors`;
    const source = ["--model", "lenet5", "--weights", weights, "--data", "mnist"];
    const subset = ["--train-size", `${SAMPLES}`];
    const run = (name: string, ...args: string[]) =>
      succeed([...args, "--out", `${out}/${name}`], { timeoutMs: TRAINING_MS });

    await t.step("at least 96.5% after one epoch of 60,000, 97.5% after three", async () => {
      await run("trained", "train", "--model", "lenet5", "--data", "mnist", "--epochs", "3");
      const { epochs } = await readJson(`${out}/trained/metrics.json`);
      assert.ok(epochs[0].testAccuracy >= 0.965, `${epochs[0].testAccuracy} after one epoch`);
      assert.ok(epochs[2].testAccuracy >= 0.975, `${epochs[2].testAccuracy} after three`);
      const difficulty = await readArray(`${out}/trained/difficulty.npy`, Float32Array, [60_000]);
      const mean = difficulty.reduce((sum, d) => sum + d, 0) / 60_000;
      const losses = epochs.reduce((sum: number, e: { trainLoss: number }) => sum + e.trainLoss, 0);
      assert.ok(Math.abs(mean - losses) < 1e-3, `${mean} a sample, ${losses} over the epochs`);
    });

    await t.step("the kernel says the same as the analyses of the network", async () => {
      await run("K.npy", "gram", ...source, ...subset);
      const kernel = await readArray(`${out}/K.npy`, Float32Array, [SAMPLES, SAMPLES]);
      await run("redundant", "redundant", ...source, ...subset);
      await run("clusters", "cluster", ...source, ...subset, "--per-class");
      await run("stored", "redundant", "--kernel", `${out}/K.npy`);
      const flags = await readArray(`${out}/redundant/redundant.npy`, Uint8Array, [SAMPLES]);
      assert.deepEqual(
        await readArray(`${out}/stored/redundant.npy`, Uint8Array, [SAMPLES]),
        flags,
      );
      const expected = flags.map((_, i) => {
        const row = kernel.subarray(i * SAMPLES, (i + 1) * SAMPLES);
        return Number(row.some((similarity, j) => j !== i && similarity > row[i]));
      });
      assert.deepEqual(flags, expected);
    });

    await t.step("most samples are in their class's largest cluster (section 3.4)", async () => {
      const { samples, headShare, heads } = await readJson(`${out}/clusters/summary.json`);
      assert.equal(samples, SAMPLES);
      assert.equal(heads.length, 10);
      assert.ok(headShare > 0.5, `${headShare}`);
    });

    await t.step("pruned and whole are compared on equal seeds", async () => {
      await run("kept", "prune", "--method", "redundant", "--kernel", `${out}/K.npy`);
      const arms = ["--arm", "full", "--arm", `pruned=${out}/kept/keep.npy`];
      const training = ["--epochs", "2", "--batch", "32", "--lr", "0.02", "--test-size", "1000"];
      await run(
        "compared",
        "compare",
        "--data",
        "mnist",
        ...subset,
        ...arms,
        "--seeds",
        "2",
        ...training,
      );
      const { arms: [full, pruned] } = await readJson(`${out}/compared/summary.json`);
      const { kept } = await readJson(`${out}/kept/summary.json`);
      assert.deepEqual([full.samples, pruned.samples], [SAMPLES, kept]);
      assert.equal(pruned.test.degreesOfFreedom, 2);
      assert.ok(full.meanAccuracy > 0.5, `${full.meanAccuracy}`);
    });
    await Deno.remove(out, { recursive: true });
  },
});
