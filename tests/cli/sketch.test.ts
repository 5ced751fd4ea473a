/** Sketched kernels through the command line: every result reports its error, from a network as from a store. @module */
import assert from "node:assert/strict";
import { encodeSafetensors, type Weights } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { assertRefused, readArray, readJson, runLpntk, succeed } from "./process.ts";

/** Number of samples, so few that the error is measured on all pairs. */
const COUNT = 20;

/** Length of a sketched row, less than the perceptron's 785 + 12 + 13 + 8 + 9 + 10. */
const DIMENSION = 100;

function drawWeights(): Weights {
  const weights: Weights = new Map();
  const sizes = [["fc1", 12, 784], ["fc2", 8, 12], ["fc3", 10, 8]] as const;
  for (const [name, outputs, inputs] of sizes) {
    const data = Float32Array.from(
      { length: outputs * inputs },
      (_, i) => Math.sin(7 * i + outputs) / Math.sqrt(inputs),
    );
    weights.set(`${name}.weight`, { shape: [outputs, inputs], data });
    weights.set(`${name}.bias`, { shape: [outputs], data: data.slice(0, outputs) });
  }
  return weights;
}

/** Computes the error from both kernels. */
function judge(exact: Float32Array, estimate: Float32Array) {
  let [pairs, sum, squares] = [0, 0, 0];
  for (let i = 0; i < COUNT; i++) {
    for (let j = i; j < COUNT; j++) {
      const at = i * COUNT + j;
      const scale = Math.sqrt(exact[i * (COUNT + 1)] * exact[j * (COUNT + 1)]);
      const error = (estimate[at] - exact[at]) / scale;
      pairs++;
      sum += error;
      squares += error * error;
    }
  }
  const [error, bias] = [Math.sqrt(squares / pairs), sum / pairs];
  return { dimension: DIMENSION, seed: 0, exactLength: 837, pairs, error, bias };
}

Deno.test("whatever comes from a sketched kernel says how far off it is", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const call = (text: string) => succeed(text.replaceAll("@", path).split(" "));
  await Deno.writeFile(`${path}/w.safetensors`, encodeSafetensors(drawWeights()));
  const network = "--model mlp --weights @/w.safetensors --data digits";
  const source = `${network} --train-size ${COUNT}`;
  const sketched = `${source} --sketch ${DIMENSION}`;
  const shape = [COUNT, COUNT];

  await call(`gram ${source} --out @/exact.npy`);
  const text = await call(`gram ${sketched} --out @/estimate.npy`);
  const exact = await readArray(`${path}/exact.npy`, Float32Array, shape);
  const estimate = await readArray(`${path}/estimate.npy`, Float32Array, shape);
  const expected = judge(exact, estimate);
  assert.ok(expected.error > 0.01 && expected.error < 0.5, `${expected.error}`);
  const line = `estimated from 100 random projections of 837 floats a sample: off by ${
    (100 * expected.error).toPrecision(2)
  }% of sqrt(k(x,x) k(x',x')), root mean square over 210 pairs computed exactly; mean error ${
    (100 * expected.bias).toPrecision(2)
  }%\n`;
  assert.ok(text.includes(line), text);

  await call(`gram ${sketched} --out @/K.zarr`);
  const { attributes } = await readJson(`${path}/K.zarr/zarr.json`);
  assert.equal(attributes.sketch, "100 numbers, seed 0");
  assert.deepEqual(attributes.sketch_error, expected);
  const analyses = [
    "redundant",
    "relate",
    "cluster",
    "prune --method redundant",
    "prune --method head",
  ];
  for (const [i, analysis] of analyses.entries()) {
    for (const from of [sketched, "--kernel @/K.zarr"]) {
      const out = `out${i}${from.startsWith("--kernel") ? "stored" : ""}`;
      assert.ok((await call(`${analysis} ${from} --out @/${out}`)).includes(line), analysis);
      assert.deepEqual((await readJson(`${path}/${out}/summary.json`)).sketch, expected);
    }
  }
  // an exact kernel has no error to report
  const plain = JSON.parse(await call(`redundant --kernel @/exact.npy --out @/plain --json`));
  assert.equal("sketch" in plain, false);
});

Deno.test("between two sets of samples the error bar is of pairs between them", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const call = async (text: string) =>
    JSON.parse(await succeed([...text.replaceAll("@", path).split(" "), "--json"]));
  await Deno.writeFile(`${path}/w.safetensors`, encodeSafetensors(drawWeights()));
  const source =
    `--model mlp --weights @/w.safetensors --data digits --train-size 15 --sketch ${DIMENSION}`;
  const cross = await call(`gram ${source} --cross --test-size 12 --out @/G.npy`);
  assert.deepEqual([cross.sketch.dimension, cross.sketch.pairs], [DIMENSION, 15 * 12]);
  const tests = await readArray(`${path}/G.test_samples.npy`, Int32Array, [12]);
  const neighbours = await call(`neighbours ${source} --test ${tests[3]} --out @/neighbours`);
  assert.deepEqual([neighbours.sketch.dimension, neighbours.sketch.pairs], [DIMENSION, 15]);
  const similarity = await readArray(`${path}/neighbours/similarity.npy`, Float32Array, [1, 15]);
  const kernel = await readArray(`${path}/G.npy`, Float32Array, [15, 12]);
  assert.deepEqual(similarity, kernel.filter((_, at) => at % 12 === 3));
});

Deno.test("run says how far off its kernel is", async () => {
  await using folder = await openTempFolder();
  const call =
    `run --data digits --train-size 60 --test-size 20 --seeds 1 --epochs 1 --sketch ${DIMENSION} --out ${folder.path}/out`;
  const text = await succeed(call.split(" "));
  const { sketch } = await readJson(`${folder.path}/out/summary.json`);
  assert.equal(sketch.pairs, 32 * 33 / 2);
  assert.ok(text.includes(`off by ${(100 * sketch.error).toPrecision(2)}% of`), text);
});

Deno.test("a store of another sketch is another job", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.writeFile(`${path}/w.safetensors`, encodeSafetensors(drawWeights()));
  const gram = (more: string) =>
    `gram --model mlp --weights @/w.safetensors --data digits --train-size 9${more}`.replaceAll(
      "@",
      path,
    ).split(" ");
  const refuse = async (more: string, ...says: string[]) =>
    assertRefused(await runLpntk(gram(more)), ...says);
  await succeed(gram(" --out @/exact.zarr"));
  await refuse(" --sketch 90 --out @/exact.zarr", "sketch", '"none"', '"90 numbers, seed 0"');
  await succeed(gram(" --sketch 90 --out @/K.zarr"));
  await refuse(" --out @/K.zarr", "sketch", '"90 numbers, seed 0"', '"none"');
  await refuse(" --sketch 91 --out @/K.zarr", '"90 numbers, seed 0"', '"91 numbers, seed 0"');
  const again = JSON.parse(await succeed(gram(" --sketch 90 --out @/K.zarr --json")));
  assert.deepEqual([again.tiles.found, again.sketch.dimension], [1, 90]);

  const file = `${path}/K.zarr/zarr.json`;
  const array = await readJson(file);
  array.attributes.sketch_error.error = "small";
  await Deno.writeTextFile(file, JSON.stringify(array));
  const outcome = await runLpntk(["relate", "--kernel", `${path}/K.zarr`, "--out", `${path}/out`]);
  assertRefused(outcome, "K.zarr", "sketch_error", "as lpntk gram writes it");
});
