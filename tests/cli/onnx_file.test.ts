/** ONNX files as `--model` and `--weights` take them. @module */
import assert from "node:assert/strict";
import { encodeSafetensors, loadOnnx, loadWeights } from "../../mod.ts";
import { draw, encodeOnnx, type NodeParts } from "../engine/onnx/onnx_writer.ts";
import { openTempFolder } from "../temp_folder.ts";
import { assertRefused, callHere, readArray } from "./process.ts";

/** A convolution with a batch norm, and a dense layer with dropout before it, over the drawn digits. */
const BYTES = encodeOnnx({
  input: ["n", 1, 28, 28],
  nodes: [
    ["Conv", ["x", "conv.weight"], "a", { strides: [4, 4] }],
    ["BatchNormalization", [
      "a",
      "norm.weight",
      "norm.bias",
      "norm.running_mean",
      "norm.running_var",
    ], "b"],
    ["Relu", ["b"], "c"],
    ["Mul", ["c", "gain"], "scaled"],
    ["Flatten", ["scaled"], "d"],
    ["Dropout", ["d"], "e"],
    ["Gemm", ["e", "fc.weight", "fc.bias"], "f", { transB: 1 }],
    ["Softmax", ["f"], "y"],
  ],
  tensors: {
    "conv.weight": draw([3, 1, 5, 5]),
    "norm.weight": draw([3], 2),
    "norm.bias": draw([3], 3),
    "norm.running_mean": draw([3], 4),
    "norm.running_var": { shape: [3], data: [0.5, 1, 2] },
    gain: draw([1, 3, 1, 1], 7),
    "fc.weight": draw([10, 108], 5),
    "fc.bias": draw([10], 6),
  },
});

const DATA = ["--data", "digits", "--train-size", "15"];

/** Opens a folder with the network, and its path. */
async function openNetwork() {
  const temp = await openTempFolder();
  const file = `${temp.path}/net.onnx`;
  await Deno.writeFile(file, BYTES);
  return { temp, path: temp.path, file };
}

async function run(...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await callHere(args);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /ends with Softmax, which is taken off/);
  return stdout;
}

Deno.test("a kernel by the weights inside is that by the same weights beside it", async () => {
  const { temp, path, file } = await openNetwork();
  await using _ = temp;
  const beside = `${path}/net.safetensors`;
  await Deno.writeFile(beside, encodeSafetensors(loadOnnx(BYTES).weights));
  await run("gram", "--model", file, ...DATA, "--out", `${path}/inside.npy`);
  await run("gram", "--model", file, "--weights", beside, ...DATA, "--out", `${path}/beside.npy`);
  const [inside, other] = await Promise.all(
    ["inside", "beside"].map((name) => readArray(`${path}/${name}.npy`, Float32Array, [15, 15])),
  );
  assert.deepEqual(inside, other);
});

Deno.test("plan knows the shape of an ONNX file's images and its classes", async () => {
  const { temp, file } = await openNetwork();
  await using _ = temp;
  const { shape, layout } = JSON.parse(
    await run("plan", "--model", file, "--samples", "64", "--json"),
  );
  assert.deepEqual(shape, [28, 28, 1]);
  const { layer, inputs, outputs } = layout.segments.at(-1);
  assert.deepEqual({ layer, inputs, outputs }, { layer: "fc", inputs: 109, outputs: 10 });
});

Deno.test("train takes the architecture, and says that the running statistics stay", async () => {
  const { temp, path, file } = await openNetwork();
  await using _ = temp;
  const out = `${path}/trained`;
  const { code, stderr } = await callHere([
    ...["train", "--model", file, ...DATA, "--test-size", "9", "--epochs", "1", "--out", out],
    ...["--lr", "1e-9", "--weight-decay", "0"],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /batch norms were trained with the running statistics that they began with/);
  const weights = await loadWeights(`${out}/weights.safetensors`);
  assert.deepEqual(weights.get("norm.running_var")!.data, Float32Array.of(1, 1, 1));
  // what is no layer's begins with the file's values, and steps of this rate do not change them in float32
  assert.deepEqual(weights.get("gain")!.data, loadOnnx(BYTES).weights.get("gain")!.data);
  assert.deepEqual(weights.get("norm.weight")!.data, Float32Array.of(1, 1, 1));
  assert.deepEqual([...weights.keys()].sort(), [...loadOnnx(BYTES).weights.keys()].sort());
  await run(
    ...["gram", "--model", file, "--weights", `${out}/weights.safetensors`, ...DATA],
    ...["--out", `${path}/K.npy`],
  );
});

Deno.test("trained weights have the names of the module's state_dict, and are read back", async () => {
  await using temp = await openTempFolder();
  const file = `${temp.path}/net.onnx`;
  const tensors = {
    "att.in_proj_weight": draw([9, 784]),
    "att.in_proj_bias": draw([9], 2),
    "onnx::MatMul_12": draw([9, 10], 3),
    "fc.bias": draw([10], 4),
  };
  const nodes: NodeParts[] = [
    ["Flatten", ["x"], "a"],
    ["Gemm", ["a", "att.in_proj_weight", "att.in_proj_bias"], "b", { transB: 1 }],
    ["MatMul", ["b", "onnx::MatMul_12"], "c"],
    ["Add", ["fc.bias", "c"], "y"],
  ];
  await Deno.writeFile(file, encodeOnnx({ input: ["n", 1, 28, 28], nodes, tensors }));
  const out = `${temp.path}/trained`;
  const trained = await callHere([
    ...["train", "--model", file, ...DATA, "--test-size", "9", "--epochs", "1", "--out", out],
  ]);
  assert.equal(trained.code, 0, trained.stderr);
  const weights = await loadWeights(`${out}/weights.safetensors`);
  assert.deepEqual(
    [...weights.keys()].sort(),
    ["att.in_proj_bias", "att.in_proj_weight", "fc.bias", "fc.weight"],
  );
  const kernel = await callHere([
    ...["gram", "--model", file, "--weights", `${out}/weights.safetensors`, ...DATA],
    ...["--out", `${temp.path}/K.npy`],
  ]);
  assert.equal(kernel.code, 0, kernel.stderr);
});

Deno.test("images of another shape, and a file that is cut, are one line", async () => {
  const { temp, path, file } = await openNetwork();
  await using _ = temp;
  const plan = (model: string, ...more: string[]) =>
    callHere(["plan", "--model", model, "--samples", "5", ...more]);
  const other = await plan(file, "--shape", "32x32x3");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /got a network of an ONNX file.*need \[28, 28, 1\]\n$/);
  await Deno.writeFile(`${path}/cut.onnx`, BYTES.subarray(0, 500));
  assertRefused(await plan(`${path}/cut.onnx`), "truncated");
  assertRefused(await plan(`${path}/none.onnx`), "no such file", "need an .onnx file");
});
