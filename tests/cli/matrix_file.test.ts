/** A kernel in one file, with the files beside it: written together or not at all, and no other files touched. @module */
import assert from "node:assert/strict";
import { MatrixFile } from "../../cli/matrix_file.ts";
import type { SampleChoice } from "../../cli/samples.ts";
import { openTempFolder } from "../temp_folder.ts";
import { canMount } from "./disk.ts";
import { fingerprint } from "./process.ts";

const CHOICE = { split: "train", size: 2, of: 4, sampleSeed: 0 } as SampleChoice;

/** Writes a matrix of two samples, all of whose entries are `value`. */
function fill(path: string, value: number, force = false): Promise<void> {
  return MatrixFile.fill(path, force, async (file) => {
    const side = { choice: CHOICE, samples: { indices: Int32Array.of(value, value + 1) } };
    await file.write(new Float32Array(4).fill(value), [2, 2], side, undefined);
  });
}

Deno.test("a matrix is written over with what lies beside it, and only by force", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.npy`;
  await fill(path, 1);
  const before = await fingerprint(folder.path);
  assert.deepEqual(Object.keys(before).sort(), [
    "K.npy",
    "K.samples.csv",
    "K.samples.json",
    "K.samples.npy",
  ]);
  await assert.rejects(fill(path, 2), { message: /got .*K\.npy already, .* --force/ });
  assert.deepEqual(await fingerprint(folder.path), before);
  await fill(path, 2, true);
  const after = await fingerprint(folder.path);
  assert.notEqual(after["K.npy"], before["K.npy"]);
  assert.notEqual(after["K.samples.npy"], before["K.samples.npy"]);
  assert.notEqual(after["K.samples.csv"], before["K.samples.csv"]);
});

Deno.test("force takes no link, no folder, and no file beside a matrix that is not there", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/mine.npy`, "mine");
  await Deno.symlink("mine.npy", `${path}/link.npy`);
  await Deno.mkdir(`${path}/folder.npy`);
  await Deno.writeTextFile(`${path}/new.test_samples.npy`, "mine");
  const before = Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
  for (const name of ["link", "folder", "new"]) {
    await assert.rejects(fill(`${path}/${name}.npy`, 1, true), {
      name: "FileError",
      message: /already, need a new name; choose another --out, or move it away$/,
    });
  }
  assert.equal(await Deno.readTextFile(`${path}/mine.npy`), "mine");
  assert.equal(await Deno.readTextFile(`${path}/new.test_samples.npy`), "mine");
  assert.deepEqual(Array.from(Deno.readDirSync(path), ({ name }) => name).sort(), before);
});

Deno.test("a name that is too long for what lies beside is refused before the work", async () => {
  await using folder = await openTempFolder();
  let worked = false;
  const job = () => Promise.resolve(void (worked = true));
  await assert.rejects(MatrixFile.fill(`${folder.path}/${"b".repeat(232)}.npy`, false, job), {
    name: "FileError",
    message: /got a name that is too long/,
  });
  assert.equal(worked, false);
});

Deno.test({
  name: "a matrix that cannot be replaced keeps what lies beside it",
  ignore: !canMount,
  async fn() {
    await using folder = await openTempFolder();
    const [path, source] = [`${folder.path}/K.npy`, `${folder.path}/source`];
    await fill(path, 1);
    await Deno.copyFile(path, source);
    const mount = new Deno.Command("mount", { args: ["--bind", source, path] });
    assert.equal((await mount.output()).code, 0);
    const samples = await Deno.readFile(`${folder.path}/K.samples.npy`);
    try {
      await assert.rejects(fill(path, 2, true), { message: /K\.npy: got it in use/ });
      assert.deepEqual(await Deno.readFile(`${folder.path}/K.samples.npy`), samples);
    } finally {
      await new Deno.Command("umount", { args: [path] }).output();
    }
    // the computed results wait until the name is free
    await assert.rejects(fill(path, 3), { message: /already/ });
    assert.notDeepEqual(await Deno.readFile(`${folder.path}/K.samples.npy`), samples);
  },
});
