/** What `lpntk clean` refuses: one line each, and nothing is written. @module */
import assert from "node:assert/strict";
import { type Dataset, takeSamples, writeFolder } from "../../../mod.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { listFolder, runLpntk, succeed } from "../process.ts";
import { plantFaults } from "./planted.ts";

const { train } = plantFaults({ count: 30, copies: 0, testCount: 3 });

/** Writes the samples at these positions as a data set. */
async function write(path: string, positions: readonly number[], change: Partial<Dataset> = {}) {
  const { indices: _, ...part } = takeSamples(train, positions);
  await writeFolder(path, { train: { ...part, ...change } });
}

Deno.test("clean refuses what it cannot judge", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const ofClass = (label: number) =>
    [...train.labels.keys()].filter((position) => train.labels[position] === label);
  const all = [...train.labels.keys()];
  await write(`${path}/all`, all);
  await write(`${path}/one_class`, ofClass(1));
  await write(`${path}/four`, [...ofClass(0).slice(0, 2), ...ofClass(2).slice(0, 2)]);
  await write(`${path}/more`, all, {
    labels: Int32Array.from(all, (n) => n % 5),
    classes: 5,
    classNames: ["a", "b", "c", "d", "e"],
  });
  await write(`${path}/small`, all, {
    images: new Uint8Array(all.length * 49),
    shape: [7, 7, 1],
  });
  await succeed(
    `train --model mlp --data ${path}/all --epochs 1 --out ${path}/trained`.split(" "),
  );
  const weights = `--model mlp --weights ${path}/trained/weights.safetensors`;
  const before = await listFolder(path);
  const cases: readonly (readonly [args: string, code: number, ...says: RegExp[]])[] = [
    ["--data one_class", 1, /got samples of one class, need at least 2 classes/],
    ["--data four", 2, /got 4 samples, need at least 5/],
    ["--data all --weights w.safetensors", 2, /got --weights without --model/],
    ["--data all --apply d.csv --verify", 2, /--apply .* cannot be used with option '--verify'/],
    ["--data all --apply d.csv --seed 1", 2, /--apply .* cannot be used with option '--seed/],
    ["--data all --apply nothing.csv", 1, /nothing\.csv/],
    [`--data more ${weights}`, 1, /label 3 at sample 3, need labels from 0, below the network's 3/],
    [`--data small ${weights}`, 1, /fc1/],
    ["--data nowhere/", 1, /no such folder/],
  ];
  for (const [args, code, ...says] of cases) {
    const call = `clean ${args.replace("--data ", `--data ${path}/`)} --out ${path}/out`;
    const outcome = await runLpntk(call.split(" "));
    assert.equal(outcome.code, code, `${args}: ${outcome.stderr}`);
    // that weights have learnt other samples is a note of its own
    const error = outcome.stderr.replace(/^note: [^\n]+\n/, "");
    assert.match(error, /^lpntk: [^\n]+\n$/, args);
    for (const pattern of says) assert.match(error, pattern);
    assert.deepEqual(await listFolder(path), before, args);
  }
});
