/**
 * Networks that PyTorch exports, against its float64 kernels over every parameter: attention with the samples at every axis, windows, shuffled
 * channels, shared weights, and norms that are not trained yet.
 *
 * Without PyTorch on the machine these tests are left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { createDataset } from "../../engine/data/dataset.ts";
import { readNpy } from "../../engine/formats/npy.ts";
import { loadOnnx } from "../../engine/onnx/load.ts";
import { kernelOf, testEngine } from "../engine/open_engine.ts";
import { openTempFolder } from "../temp_folder.ts";
import { findPython, runPython } from "./python.ts";

const SCRIPT = fileURLToPath(new URL("onnx_networks.py", import.meta.url));

/** Largest error by the kernel's largest magnitude. */
const TOLERANCE = 1e-5;

/** Names of the networks, and those of parameters that a `state_dict` names otherwise than layers are. */
const NETWORKS: Readonly<Record<string, (names: string[]) => string[]>> = {
  one_projection: (names) => names,
  encoder: (names) =>
    names.map((name) => name.replace(/in_proj_(weight|bias)$/, "in_proj_weight.$1")),
  shuffle: (names) => names,
  windows: (names) => names,
  shared: (names) => names,
  tied: (names) => names,
  untrained_norms: (names) => names,
};

const python = await findPython();
if (!python) console.log("Python has no PyTorch here: no ONNX file is compared with its kernels");
else {
  const temp = await openTempFolder();
  const { success, complaint } = await runPython(python, SCRIPT, temp.path);
  assert.ok(success, complaint);
  Deno.test.afterAll(async () => await temp[Symbol.asyncDispose]());
  for (const [name, rename] of Object.entries(NETWORKS)) {
    testEngine(`${name}: kernels are PyTorch's over every parameter`, async (engine) => {
      const at = (file: string) => `${temp.path}/${name}/${file}`;
      const { definition, weights, inputShape, classes } = loadOnnx(
        await Deno.readFile(at("model.onnx")),
        at("model.onnx"),
      );
      const named = [...weights.keys()].filter((tensor) => !tensor.includes("running"));
      const wanted: string[] = JSON.parse(await Deno.readTextFile(at("names.json")));
      assert.deepEqual(named.sort(), rename(wanted).sort());
      const data = createDataset({
        name,
        split: "train",
        images: (await readNpy(at("images.npy"))).data as Float32Array,
        labels: Uint8Array.from((await readNpy(at("labels.npy"))).data, Number),
        shape: inputShape,
        classes,
      });
      using network = engine.network(definition, weights, inputShape);
      const got = await kernelOf(engine, network, data);
      const want = (await readNpy(at("lpntk.npy"))).data as Float64Array;
      assert.equal(got.length, want.length);
      const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const error = want.reduce((most, value, i) => {
        const off = Math.abs(value - got[i]) / largest;
        return off <= most ? most : off;
      }, 0);
      assert.ok(error < TOLERANCE, `error ${error}`);
    });
  }
}
