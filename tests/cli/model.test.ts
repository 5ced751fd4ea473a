/** A network of one's own, from a file, in every command that takes one. @module */
import assert from "node:assert/strict";
import { decodeSafetensors, writeNpy } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { finish, prepareLpntk, readArray, readJson, runLpntk, succeed } from "./process.ts";

const SOURCE = `
import { add, averagePool, flatten, type NetworkDefinition, relu } from "lpntk";

const mine: NetworkDefinition = {
  name: "mine",
  forward(layers, images) {
    const first = layers.convolution("first", images, { filters: 4, size: 3, stride: 2, pad: 1 });
    const second = layers.convolution("second", relu(first), { filters: 4, size: 1, bias: false });
    return layers.dense("last", flatten(averagePool(relu(add(first, second)), 3)), layers.classes);
  },
};
export default mine;
`;

const SHAPES = {
  "first.weight": [4, 1, 3, 3],
  "first.bias": [4],
  "second.weight": [4, 4, 1, 1],
  "last.weight": [10, 4 * 4 * 4],
  "last.bias": [10],
};

Deno.test("every command takes a network from a file", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await Deno.writeTextFile(`${path}/mine.ts`, SOURCE);
  const data = ["--data", "digits", "--train-size", "60"];
  const call = (...args: string[]) => succeed(args, { cwd: path });
  const training = ["--test-size", "30", "--epochs", "1", "--batch", "16"];

  await call("train", "--model", "./mine.ts", ...data, ...training, "--out", "trained");
  const weights = decodeSafetensors(
    await Deno.readFile(`${path}/trained/weights.safetensors`),
    "weights",
  );
  assert.deepEqual(
    Object.fromEntries([...weights].map(([name, { shape }]) => [name, shape])),
    SHAPES,
  );

  const source = ["--model", "mine.ts", "--weights", "trained/weights.safetensors", ...data];
  await call("gram", ...source, "--out", "K.npy");
  await call("gram", ...source, "--out", "K.zarr");
  const kernel = await readArray(`${path}/K.npy`, Float32Array, [60, 60]);
  const { attributes } = await readJson(`${path}/K.zarr/zarr.json`);
  assert.match(JSON.stringify(attributes), /"model":"mine\.ts, SHA-256 [0-9a-f]{64}"/);
  const here = (command: string, ...args: string[]) =>
    succeed([command, ...args, "--out", `${path}/${command}`]);
  const file = ["--model", `${path}/mine.ts`, ...data];
  const trained = [...file, "--weights", `${path}/trained/weights.safetensors`];
  await here("redundant", ...trained);
  assert.deepEqual(
    [...await readArray(`${path}/redundant/redundant.npy`, Uint8Array, [60])],
    Array.from({ length: 60 }, (_, i) => {
      const row = kernel.subarray(60 * i, 60 * i + 60);
      return Number(row.some((similarity) => similarity > row[i]));
    }),
  );
  await here("relate", ...trained);
  await here("cluster", ...trained);
  await here("neighbours", ...trained, "--test", "3");
  await here("prune", ...trained, "--method", "redundant");
  const arms = ["--arm", "full", "--seeds", "1"];
  await here("compare", ...file, ...training, ...arms);
  await call("run", "--model", "./mine.ts", ...data, ...training, "--seeds", "2", "--out", "run");
  assert.equal((await readJson(`${path}/run/summary.json`)).model, "./mine.ts");
  const plan = await succeed(["plan", "--model", `${path}/mine.ts`, "--samples", "60"]);
  assert.match(plan, /first +40, contracted\n +second +16, contracted\n +last +65 \+ 10, factored/);

  // a store of another network is not resumed, though the weights fit
  await Deno.writeTextFile(`${path}/mine.ts`, SOURCE.replace("relu(first)", "first"));
  const { code, stderr } = await finish(
    prepareLpntk(["gram", ...source, "--out", "K.zarr"], { cwd: path }),
  );
  assert.equal(code, 1);
  assert.match(stderr, /model/);
});

/** Writes a folder with `images.npy` and `labels.npy` for both splits. */
async function writeImages(path: string, shape: readonly number[], labels: readonly number[]) {
  await Deno.mkdir(path);
  const pixels = Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i * 37 % 251);
  for (const prefix of ["", "test_"]) {
    await writeNpy(`${path}/${prefix}images.npy`, pixels, shape);
    await writeNpy(`${path}/${prefix}labels.npy`, Uint8Array.from(labels), [labels.length]);
  }
}

Deno.test("awkward images are named, or right: gray ones for colours, huge ones, single pixels, a class of one", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const labels = [0, 0, 0, 0, 0, 1];
  await writeImages(`${path}/gray`, [6, 32, 32], labels);
  await writeImages(`${path}/colour`, [6, 32, 32, 3], labels);
  await writeImages(`${path}/pixel`, [6, 1, 1], labels);
  await writeImages(`${path}/huge`, [2, 2048, 2048], [0, 1]);
  const train = (
    model: string,
    data: string,
    out: string,
  ) => [
    "train",
    "--model",
    model,
    "--data",
    `${path}/${data}`,
    "--epochs",
    "1",
    "--batch",
    "2",
    "--out",
    `${path}/${out}`,
  ];
  await succeed(train("resnet8", "colour", "coloured"));
  const source = ["--model", "resnet8", "--weights", `${path}/coloured/weights.safetensors`];
  const refused: [string[], RegExp][] = [
    [
      ["gram", ...source, "--data", `${path}/gray`, "--out", `${path}/K.npy`],
      /misshapen 'conv1.weight' \[16, 3, 3, 3\] for \[outputs, 1, 3, 3\]/,
    ],
    [
      train("lenet5", "pixel", "a"),
      /Cannot use layer 'conv1': got a table of 1 columns, need pictures for a convolution/,
    ],
    [train("mlp", "huge", "b"), /Cannot hold fc1.weight \[4194304, 128\]: got 536870912 numbers/],
    [train("resnet8", "huge", "c"), /Cannot use layer 'conv1': got x of 2048 x 2048 pixels/],
  ];
  for (const [call, message] of refused) {
    const { code, stdout, stderr } = await runLpntk(call);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
  await succeed(train("mlp", "pixel", "d"));
  await succeed([
    "cluster",
    ...source,
    "--data",
    `${path}/colour`,
    "--per-class",
    "--ratio",
    "0.5",
    "--out",
    `${path}/e`,
  ]);
  const assignment = await readArray(`${path}/e/assignment.npy`, Int32Array, [6]);
  assert.equal(assignment[5], 2, "the class of one is a cluster by itself");
  assert.ok(!assignment.subarray(0, 5).includes(2));
});
