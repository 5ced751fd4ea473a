/** Stored kernels through the command line: the same results, runs that are killed, full disks, and stores of other jobs. @module */
import assert from "node:assert/strict";
import {
  encodeNpy,
  encodeSafetensors,
  hashWeights,
  KernelWriter,
  loadWeights,
  type Weights,
} from "../../mod.ts";
import { canMount, mount, openDisk } from "./disk.ts";
import { openTempFolder } from "../temp_folder.ts";
import {
  killRunning,
  listChunkFiles,
  readBySpecification,
} from "../engine/store/store_fixtures.ts";
import {
  assertRefused,
  fingerprint,
  finish,
  listFolder,
  prepareLpntk,
  readArray,
  readJson,
  runLpntk,
  succeed,
  withoutAdapter,
} from "./process.ts";

/** Number of samples, two blocks of 1,024: three tiles, or four chunks when all are stored. */
const COUNT = 1100;
const TEST_COUNT = 70;
const SIDE = 8;

/** Folder with data, weights and their kernel, with which the tests compare; made once. */
let made: Promise<string> | undefined;
Deno.test.afterAll(async () => {
  if (made) await Deno.remove(await made, { recursive: true });
});

async function make(): Promise<string> {
  const path = await Deno.makeTempDir();
  const drawBytes = (length: number) =>
    Uint8Array.from({ length }, (_, i) => (i * 7919 + (i >> 6) * 104729) >> 3);
  await Deno.mkdir(`${path}/data`);
  for (const [prefix, count] of [["", COUNT], ["test_", TEST_COUNT]] as const) {
    const labels = Int32Array.from({ length: count }, (_, i) => i * i % 3);
    const shape = [count, SIDE, SIDE];
    const images = encodeNpy(drawBytes(count * SIDE * SIDE), shape);
    await Deno.writeFile(`${path}/data/${prefix}images.npy`, images);
    await Deno.writeFile(`${path}/data/${prefix}labels.npy`, encodeNpy(labels, [count]));
  }
  const weights: Weights = new Map();
  for (
    const [name, outputs, inputs] of [["fc1", 5, SIDE * SIDE], ["fc2", 4, 5], [
      "fc3",
      3,
      4,
    ]] as const
  ) {
    const length = outputs * inputs;
    const data = Float32Array.from({ length }, (_, i) => Math.sin(i + outputs) / 4);
    weights.set(`${name}.weight`, { shape: [outputs, inputs], data });
    weights.set(`${name}.bias`, { shape: [outputs], data: data.slice(0, outputs) });
  }
  await Deno.writeFile(`${path}/mlp.safetensors`, encodeSafetensors(weights));
  await succeed(gram(path, `${path}/K.zarr`));
  return path;
}

function gram(path: string, out: string, ...others: string[]): string[] {
  const source = ["--weights", `${path}/mlp.safetensors`, "--data", `${path}/data`];
  return ["gram", "--model", "mlp", ...source, "--out", out, ...others];
}

/** Registers a test that gets this folder, and one of its own with a copy of the kernel. */
function testStore(
  name: string,
  run: (from: string, own: string) => Promise<void>,
  options: { readonly ignore?: boolean } = {},
): void {
  Deno.test({
    name,
    ...options,
    async fn() {
      const from = await (made ??= make());
      await using folder = await openTempFolder();
      await copyFolder(`${from}/K.zarr`, `${folder.path}/K.zarr`);
      await run(from, folder.path);
    },
  });
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Asserts that a call fails with exit code 1 and one line, and changes nothing in a folder. */
async function refuse(
  args: readonly string[],
  folder: string,
  ...says: readonly string[]
): Promise<void> {
  const before = await fingerprint(folder);
  const outcome = await runLpntk(args);
  assertRefused(outcome, ...says);
  assert.deepEqual(await fingerprint(folder), before);
}

/** Digests every chunk. */
async function printChunks(store: string): Promise<Record<string, string>> {
  return await fingerprint(`${store}/c`);
}

// Equal results from a store and from a network

testStore(
  "a kernel in chunks holds the numbers of one in a file, and every analysis answers the same",
  async (from, own) => {
    await succeed(gram(from, `${own}/K.npy`));
    const kernel = await readArray(`${own}/K.npy`, Float32Array, [COUNT, COUNT]);
    await succeed(gram(from, `${own}/F.zarr`, "--full"));
    assert.deepEqual(await listChunkFiles(`${own}/K.zarr`), ["0/0", "0/1", "1/1"]);
    assert.deepEqual(await listChunkFiles(`${own}/F.zarr`), ["0/0", "0/1", "1/0", "1/1"]);
    const full = await readBySpecification(`${own}/F.zarr`);
    assert.deepEqual(new Uint32Array(full.buffer), new Uint32Array(kernel.buffer));

    const labels = ["--labels", `${from}/data/labels.npy`];
    const analyses: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ["redundant", [], ["redundant.npy", "summary.json"]],
      ["redundant", ["--rule", "later"], ["redundant.npy", "summary.json"]],
      ["relate", ["--sample", "1030"], ["summary.json"]],
      ["cluster", [...labels, "--per-class"], ["centroids.npy", "assignment.npy", "summary.json"]],
      ["prune", ["--method", "head"], ["keep.npy", "summary.json"]],
    ];
    for (const [i, [command, options, files]] of analyses.entries()) {
      const prints = await Promise.all(["K.npy", "K.zarr", "F.zarr"].map(async (name) => {
        const out = `${own}/${i}-${name}`;
        await succeed([command, "--kernel", `${own}/${name}`, ...options, "--out", out]);
        const all = await fingerprint(out);
        return files.map((file) => all[file]);
      }));
      assert.ok(prints[0].every((print) => print !== undefined));
      assert.deepEqual(prints[1], prints[0], `${command} of chunks on and above the diagonal`);
      assert.deepEqual(prints[2], prints[0], `${command} of all chunks`);
    }
  },
);

testStore(
  "a kernel of training against test samples is stored whole, with both in its attributes",
  async (from, own) => {
    const shape = [COUNT, TEST_COUNT];
    await succeed(gram(from, `${own}/C.npy`, "--cross"));
    const said = JSON.parse(await succeed(gram(from, `${own}/C.zarr`, "--cross", "--json")));
    assert.deepEqual([said.shape, said.tiles], [shape, { total: 2, found: 0, broken: 0 }]);
    assert.deepEqual(
      await readBySpecification(`${own}/C.zarr`),
      await readArray(`${own}/C.npy`, Float32Array, shape),
    );
    const { attributes, chunk_grid } = await readJson(`${own}/C.zarr/zarr.json`);
    assert.deepEqual(chunk_grid.configuration.chunk_shape, [1024, 128]);
    const { rows, columns, deno, created, adapter, weights, lpntk, choice, ...others } = attributes;
    const { labelsSha256, ...chosen } = choice;
    assert.deepEqual(chosen, { split: "train", size: 1100, of: 1100 });
    assert.match(labelsSha256, /^[0-9a-f]{64}$/);
    assert.deepEqual(others, {
      symmetric: "none",
      kind: "lpntk",
      model: "mlp",
      parameters: "all",
      sketch: "none",
      data: `${from}/data`,
    });
    assert.deepEqual([rows.split, rows.samples], ["train", COUNT]);
    assert.deepEqual([columns.split, columns.samples], ["test", TEST_COUNT]);
    assert.notEqual(rows.sha256, columns.sha256);
    assert.equal(weights, hashWeights(await loadWeights(`${from}/mlp.safetensors`)));
    assert.equal(deno, Deno.version.deno);
    // the width of the vectors changes no entry
    assert.equal(adapter, said.adapter.replace(/, \d+ bits\)$/, ")"));
    assert.equal(`${lpntk}\n`, await succeed(["--version"]));
    assert.ok(Math.abs(Date.now() - Date.parse(created)) < 60_000, created);
    await refuse(["relate", "--kernel", `${own}/C.zarr`, "--out", `${own}/out`], own, `"none"`);
  },
);

// Resuming

testStore(
  "a run that is killed goes on at the first missing tile, and ends with the same bytes",
  async (from, own) => {
    const out = `${own}/killed.zarr`;
    for (let kills = 0; kills < 2;) {
      const { signal } = await interruptGram(from, out, "SIGKILL");
      if (signal === "SIGKILL") kills++;
    }
    const found = await countChunks(out);
    const said = await succeed(gram(from, out));
    assert.equal(said.includes(`${found} of 3 tiles were there`), found > 0, said);
    assert.deepEqual(await printChunks(out), await printChunks(`${own}/K.zarr`));
    const [attributes, expected] = await Promise.all(
      [out, `${own}/K.zarr`].map(async (path) => (await readJson(`${path}/zarr.json`)).attributes),
    );
    assert.deepEqual({ ...attributes, created: "" }, { ...expected, created: "" });
    assert.deepEqual(await listFolder(out), ["c", "zarr.json"]);
  },
);

/** Sends a signal to a run once it has written some more tiles; a run that is done by then is started again the next time. */
async function interruptGram(
  from: string,
  out: string,
  signal: Deno.Signal,
): Promise<Deno.CommandOutput> {
  const before = await countChunks(out);
  const child = prepareLpntk(gram(from, out)).spawn();
  let isRunning = true;
  const ended = child.output().finally(() => isRunning = false);
  while (isRunning && await countChunks(out) <= before) await sleep(1);
  await sleep(10 * Math.random());
  if (isRunning) killRunning(child, signal);
  const outcome = await ended;
  if (await countChunks(out) === 3) await Deno.remove(out, { recursive: true });
  return outcome;
}

testStore(
  "a run that is told to stop, from the keyboard or by a queue, says that it can go on",
  async (from, own) => {
    const out = `${own}/interrupted.zarr`;
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      let outcome = await interruptGram(from, out, signal);
      while (outcome.code === 0) outcome = await interruptGram(from, out, signal);
      assert.equal(outcome.code, code);
      assert.equal(
        withoutAdapter(new TextDecoder().decode(outcome.stderr)),
        `lpntk: interrupted; what ${out} holds so far stays, and the same call goes on\n`,
      );
    }
  },
  { ignore: Deno.build.os === "windows" },
);

async function countChunks(store: string): Promise<number> {
  const names = await listChunkFiles(store).catch(() => []);
  return names.filter((name) => !name.endsWith(".partial")).length;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

testStore(
  "an unfinished store is refused by the analyses, and a whole one computes nothing again",
  async (from, own) => {
    const relate = ["relate", "--kernel", `${own}/K.zarr`, "--out", `${own}/out`];
    await Deno.remove(`${own}/K.zarr/c/0/1`);
    await refuse(relate, own, `${own}/K.zarr`, "got 2 of 3 tiles", "finish it: lpntk gram\n");
    assert.match(await succeed(gram(from, `${own}/K.zarr`)), /^2 of 3 tiles were there$/m);
    const before = await fingerprint(own);
    // with a slash, as a shell completes the name of a folder
    assert.match(await succeed(gram(from, `${own}/K.zarr/`)), /^3 of 3 tiles were there$/m);
    assert.deepEqual(await fingerprint(own), before);
    await succeed(relate);
  },
);

testStore("a store of another job is refused with the field that differs", async (from, own) => {
  const out = `${own}/K.zarr`;
  await refuse(gram(from, out, "--kind", "pntk"), own, `kind "lpntk", now "pntk"`);
  await refuse(gram(from, out, "--train-size", "1050"), own, "rows.samples 1100, now 1050");
  await refuse(gram(from, out, "--full"), own, `symmetric "upper", now "full"`);
  const text = await Deno.readTextFile(`${out}/zarr.json`);
  await Deno.writeTextFile(
    `${out}/zarr.json`,
    text.replace(/"adapter": ".*"/, `"adapter": "slow"`),
  );
  await refuse(gram(from, out), own, `adapter "slow", now "`);
});

testStore("a second process on one store is told so", async (from, own) => {
  const { attributes, shape } = await readJson(`${own}/K.zarr/zarr.json`);
  const { symmetric: symmetry, ...job } = attributes;
  using _writer = await KernelWriter.open(`${own}/K.zarr`, {
    shape,
    symmetry,
    chunkRows: 1024,
    job,
  });
  const before = await fingerprint(own);
  const outcome = await finish(prepareLpntk(gram(from, `${own}/K.zarr`)));
  assertRefused(outcome, `${own}/K.zarr`, `got process ${Deno.pid} on `);
  assert.deepEqual(await fingerprint(own), before);
});

testStore("a corrupt chunk is named, and --repair computes it again", async (from, own) => {
  const chunk = `${own}/K.zarr/c/0/1`;
  const clean = await printChunks(`${own}/K.zarr`);
  const bytes = await Deno.readFile(chunk);
  bytes[4_000_000] ^= 1;
  await Deno.writeFile(chunk, bytes);
  for (const command of ["redundant", "relate", "cluster"]) {
    const call = [command, "--kernel", `${own}/K.zarr`, "--out", `${own}/out`];
    await refuse(call, own, chunk, "checksum", "again with repair: lpntk gram --repair\n");
  }
  const said = await succeed(gram(from, `${own}/K.zarr`, "--repair"));
  assert.match(said, /^2 of 3 tiles were there\nbroken tiles that were computed again: 1$/m);
  assert.deepEqual(await printChunks(`${own}/K.zarr`), clean);
});

// Disks

testStore(
  "a full disk ends a run with one line, and the run goes on when there is room",
  async (from, own) => {
    await using disk = (await openDisk("10m"))!; // two of three chunks
    const out = `${disk.path}/K.zarr`;
    const outcome = await finish(prepareLpntk(gram(from, out)));
    assertRefused(outcome, "Cannot write", out, "no space left", "the same call goes on");
    assert.deepEqual((await listChunkFiles(out)).length, 2);
    assert.ok(await mount("mount", "-o", "remount,size=20m", disk.path));
    assert.match(await succeed(gram(from, out)), /^2 of 3 tiles were there$/m);
    assert.deepEqual(await printChunks(out), await printChunks(`${own}/K.zarr`));
  },
  { ignore: !canMount },
);

testStore("a disk without room for the first chunk keeps nothing", async (from) => {
  await using disk = (await openDisk("1m"))!;
  const outcome = await finish(prepareLpntk(gram(from, `${disk.path}/K.zarr`)));
  assertRefused(outcome, "Cannot write", `${disk.path}/K.zarr`, "no space left");
  assert.deepEqual(await listFolder(disk.path), []);
}, { ignore: !canMount });

testStore("a store on a read-only disk is analysed, and not written", async (from, own) => {
  await using disk = (await openDisk("20m"))!;
  const store = `${disk.path}/K.zarr`;
  await copyFolder(`${own}/K.zarr`, store);
  assert.ok(await mount("mount", "-o", "remount,ro", disk.path));
  await succeed(["relate", "--kernel", store, "--out", `${own}/out`]);
  await refuse(gram(from, store), disk.path, "Cannot write", store, "got a read-only file system");
  const other = `${disk.path}/other.zarr`;
  await refuse(gram(from, other), disk.path, "Cannot write", other, "got a read-only file system");
}, { ignore: !canMount });
