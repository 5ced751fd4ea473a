/**
 * Checkpoints of PyTorch: the line that the error about them prints converts them, without the package `safetensors`.
 *
 * Without PyTorch on the machine this test is left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { loadWeights } from "../../engine/formats/safetensors.ts";
import { openTempFolder } from "../temp_folder.ts";
import { findPython, runPython } from "./python.ts";

const SCRIPT = fileURLToPath(new URL("checkpoints.py", import.meta.url));
const NAMES = ["whole", "epoch", "model", "module", "holder", "other", "odd"];
const INTEGERS = ["norm.num_batches_tracked", "steps", "bytes", "mask"];

const python = await findPython();
if (!python) console.log("Python has no PyTorch here: no checkpoint is converted");

Deno.test({
  name: "the line that an error about a checkpoint prints converts it, whatever it holds",
  ignore: !python,
  async fn() {
    await using temp = await openTempFolder();
    // the paths have characters that mean something to a shell
    const folder = `${temp.path}/it's "here" $HOME`;
    await Deno.mkdir(folder);
    const { success, complaint } = await runPython(python!, SCRIPT, folder);
    assert.ok(success, complaint);
    await Promise.all(NAMES.map(async (name) => {
      const path = `${folder}/${name}.pt`;
      const { message } = await loadWeights(path).then(() => assert.fail(), (error) => error);
      const [, line] = /; this converts it: python3 (-c .*)$/.exec(message)!;
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", `${python} ${line}`],
        stderr: "piped",
      }).output();
      assert.equal(code, 0, `${name}: ${new TextDecoder().decode(stderr)}`);
      const weights = await loadWeights(`${folder}/${name}.safetensors`);
      const expected = JSON.parse(await Deno.readTextFile(`${folder}/${name}.json`));
      assert.deepEqual([...weights.keys()].sort(), Object.keys(expected).sort(), name);
      for (const [key, { shape, data, dtype }] of weights) {
        const [wantedShape, numbers] = expected[key];
        assert.deepEqual(shape, wantedShape, `${name} ${key}`);
        assert.deepEqual(data, Float32Array.from(numbers), `${name} ${key}`);
        assert.equal(dtype, INTEGERS.includes(key) ? "I64" : undefined, `${name} ${key}`);
      }
    }));
  },
});
