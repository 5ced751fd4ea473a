/** Pictures on the command line: import, sizes and broken files, in a process with the permissions that docs/where-it-runs.md calls enough. @module */
import assert from "node:assert/strict";
import { writeNpy } from "../../engine/formats/npy.ts";
import { hashDataset, readFolder } from "../../mod.ts";
import {
  encodePixels,
  grey,
  openPictures,
  settle,
  writeFiles,
} from "../engine/data/pictures/fixtures.ts";
import { finish, type Outcome, prepareDeno, ROOT } from "./process.ts";

/** Runs several commands in one process; it sets the cache folder itself, since Deno keeps its own there. */
async function call(folder: { path: string; cache: string }, commands: readonly string[]) {
  const script = `${folder.path}.ts`;
  await Deno.writeTextFile(
    script,
    `Deno.env.set("XDG_CACHE_HOME", ${JSON.stringify(folder.cache)});
    const { main } = await import("${ROOT}/cli/main.ts");
    const outcomes = [];
    for (const command of ${JSON.stringify(commands)}) {
      const said = { stdout: "", stderr: "" };
      const { log, error } = console;
      console.log = (text) => said.stdout += text + "\\n";
      console.error = (text) => said.stderr += text + "\\n";
      const code = await main(command.split(" "));
      Object.assign(console, { log, error });
      outcomes.push({ code, ...said });
    }
    console.log(JSON.stringify(outcomes));`,
  );
  const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
  const args = ["run", "--no-check", "--no-prompt", ...permissions, script];
  const { code, stdout, stderr } = await finish(prepareDeno(args));
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return (JSON.parse(stdout) as Outcome[]).map(({ stdout, stderr, ...rest }) => ({
    ...rest,
    stdout: stdout.replaceAll(folder.path, "PATH"),
    stderr: stderr.replaceAll(folder.path, "PATH"),
  }));
}

Deno.test("pictures come in by --data and by import alike, and broken ones are named once", async () => {
  const shades = (from: number) => [[from, from + 1, from + 2], [from + 3, from + 4, from + 5]];
  await using folder = await openPictures({
    "train/cat, big/1.png": shades(10),
    "train/cat, big/2.png": shades(20),
    "train/dog/1.png": shades(30),
    "train/dog/2.png": shades(40),
    "train/dog/3.png": encodePixels(grey(1)).slice(0, 20),
    "test/dog/1.png": shades(50),
  });
  const { path } = folder;
  const prune = "prune --method random --share 0.5";
  const sizes = `${path}_sizes`;
  await writeFiles(sizes, { "a/1.png": grey(1), "a/2.png": shades(1), "b/1.png": shades(2) });
  const [imported, again, strict, resized, arrays, pruned, prunedToo, wrong, mixed] = await call(
    folder,
    [
      `data import ${path} --out ${path}_a`,
      `data import ${path} --out ${path}_a`,
      `data import ${path} --strict --out ${path}_b`,
      `data import ${path} --size 4x6 --out ${path}_c`,
      `data import ${path}_a --size 4x6 --out ${path}_d`,
      `${prune} --data ${path} --size 9x9 --out ${path}_e`,
      `${prune} --data ${path}_a --out ${path}_f`,
      `${prune} --data ${path} --size 32 --out ${path}_g`,
      `data import ${sizes} --out ${path}_h`,
    ],
  );
  const notes = [
    "note: left out train/dog/3.png: got a PNG that is cut off, need a whole one\n",
    "note: left out 1 of 6 pictures of PATH that cannot be read\n",
  ];
  assert.deepEqual(imported, {
    code: 0,
    stdout:
      "train: images [4, 2, 3, 1], 2 classes\ntest: images [1, 2, 3, 1], 2 classes\nwrote PATH_a\n",
    stderr: notes.join(""),
  });
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /^lpntk: Cannot write PATH_a: got a folder with other files .*, need an empty or a new one\n$/,
  );
  assert.deepEqual(strict, {
    code: 1,
    stdout: "",
    stderr:
      "lpntk: Cannot read picture train/dog/3.png of PATH: got a PNG that is cut off, need a whole one\n",
  });
  await assert.rejects(Deno.stat(`${path}_b`), Deno.errors.NotFound);
  assert.match(resized.stdout, /^train: images \[4, 4, 6, 1\], 2 classes\n/);
  assert.equal(arrays.code, 2);
  assert.match(
    arrays.stderr,
    /got image size \[4,6\] for arrays, need pictures, or no image size\n$/,
  );
  for (const split of ["train", "test"] as const) {
    const { data } = await folder.read(split);
    const copy = await readFolder(`${path}_a`, split);
    assert.deepEqual({ ...copy, name: path }, data);
    assert.equal(hashDataset(copy), hashDataset(data));
  }
  assert.deepEqual([pruned.code, prunedToo.code], [0, 0]);
  assert.deepEqual(
    await Deno.readFile(`${path}_e/keep.csv`),
    await Deno.readFile(`${path}_f/keep.csv`),
  );
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /Got '32', need height and width in pixels, such as 32x32/);
  assert.deepEqual(mixed, {
    code: 1,
    stdout: "",
    stderr:
      "lpntk: Cannot use data set PATH_sizes: got pictures of 2 sizes (height x width): 2 of 2x3, 1 of 1x1, need one; imageSize: [2, 3] resizes them: --size 2x3\n",
  });
});

Deno.test("import without --out keeps pictures in the cache folder, and says where; of arrays it is refused", async () => {
  const files = { "train/a/1.png": grey(1), "train/b/1.png": grey(2), "test/a/1.png": grey(3) };
  await using folder = await openPictures(files);
  const { path, cache } = folder;
  await settle();
  const [kept, again, written, arrays] = await call(folder, [
    `data import ${path}`,
    `data import ${path}`,
    `data import ${path} --out ${path}_a`,
    `data import ${path}_a`,
  ]);
  const [entry] = Array.from(Deno.readDirSync(`${cache}/lpntk/pictures`), ({ name }) => name);
  const lines = "train: images [2, 1, 1, 1], 2 classes\ntest: images [1, 1, 1, 1], 2 classes\n";
  const place = `${cache}/lpntk/pictures/${entry}`;
  assert.deepEqual(kept, {
    code: 0,
    stdout: `${lines}kept in the cache folder (${place})\n`,
    stderr: "",
  });
  assert.deepEqual(again, kept);
  assert.equal(written.code, 0);
  const bytes = (folder: string) => Deno.readFileSync(`${folder}/images.npy`);
  assert.deepEqual(bytes(`${place}/data`), bytes(`${path}_a`));
  assert.equal(arrays.code, 2);
  assert.match(
    arrays.stderr,
    /Cannot import PATH_a without --out: got no decoded pictures that the cache folder keeps, need --out FOLDER/,
  );
});

Deno.test("one class is refused at import, of folders and of arrays alike", async () => {
  await using folder = await openPictures({ "a/1.png": grey(1), "a/2.png": grey(2) });
  const { path } = folder;
  await Deno.mkdir(`${path}_a`);
  await writeNpy(`${path}_a/images.npy`, Uint8Array.of(5, 6), [2, 1, 1]);
  await writeNpy(`${path}_a/labels.npy`, Int32Array.of(0, 0), [2]);
  const [folders, arrays] = await call(folder, [
    `data import ${path} --out ${path}_b`,
    `data import ${path}_a --out ${path}_b`,
  ]);
  assert.deepEqual([folders.code, arrays.code], [1, 1]);
  assert.match(folders.stderr, /got one class folder, a, need at least 2/);
  assert.equal(
    arrays.stderr,
    "lpntk: Cannot use data set PATH_a: got one class, need at least 2\n",
  );
  await assert.rejects(Deno.stat(`${path}_b`), Deno.errors.NotFound);
});
