/** Budgets that are too small: the command line names one that is enough. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../temp_folder.ts";
import { callHere } from "./process.ts";

/** Runs a command in this process. */
async function call(...args: string[]): Promise<{ code: number; complaint: string }> {
  const { code, stderr } = await callHere(args);
  return { code, complaint: stderr.trim() };
}

Deno.test("a budget that an error names is enough, whatever is computed", async (t) => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const data = ["--model", "mlp", "--data", "digits"];
  const trained = await call(
    "train",
    ...data,
    ..."--train-size 400 --epochs 1 --out".split(" "),
    `${path}/a`,
  );
  assert.deepEqual(trained, { code: 0, complaint: "" });
  const given = [...data, "--weights", `${path}/a/weights.safetensors`];
  const sized = [...given, "--train-size", "400"];
  const commands: Readonly<Record<string, readonly string[]>> = {
    plan: ["plan", "--model", "lenet5", "--samples", "60000"],
    "plan of two sides": ["plan", "--model", "lenet5", "--samples", "60000", "--others", "10000"],
    gram: ["gram", ...sized, "--out", `${path}/K.npy`],
    "gram of two sides": [
      "gram",
      ...sized,
      "--cross",
      "--test-size",
      "300",
      "--out",
      `${path}/T.npy`,
    ],
    "gram of a sketch": ["gram", ...sized, "--sketch", "64", "--out", `${path}/S.npy`],
    "gram of two sides in chunks": [
      "gram",
      ...sized,
      "--cross",
      "--test-size",
      "300",
      "--out",
      `${path}/T.zarr`,
    ],
    cluster: ["cluster", ...sized, "--out", `${path}/cluster`],
    nearest: ["nearest", ...sized, "--out", `${path}/nearest`],
    clean: ["clean", ...sized, "--out", `${path}/clean`],
    neighbours: ["neighbours", ...sized, "--test", "7", "--out", `${path}/neighbours`],
  };
  const readNeed = ({ code, complaint }: { code: number; complaint: string }) => {
    assert.equal(code, 2, complaint);
    const [, need] = complaint.match(
      /^lpntk: Cannot (?:plan|cluster) [^\n]*: got a memory budget of [\d,]+ [KM]iB, need (?:at least )?([\d,]+ MiB)(?:, (?:of which the matrix takes|since these rows' kernel of) [^\n]+)?; raise --memory$/,
    ) ?? assert.fail(complaint);
    return need;
  };
  for (const [name, args] of Object.entries(commands)) {
    await t.step(name, async () => {
      let need = readNeed(await call(...args, "--memory", "1KiB"));
      let done = await call(...args, "--memory", need);
      // rows are planned before it is known that a kernel is held beside them
      if (name === "cluster" && done.code !== 0) {
        need = readNeed(done);
        done = await call(...args, "--memory", need);
      }
      assert.deepEqual(done, { code: 0, complaint: "" });
    });
  }
});
