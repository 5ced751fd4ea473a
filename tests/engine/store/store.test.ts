/** Stored kernels without a GPU: what is on disk, what comes back, and what happens when something goes wrong. @module */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import FileSystemStore from "@zarrita/storage/fs";
import * as zarrita from "zarrita";
import { encodeNpy, readNpy } from "../../../engine/formats/npy.ts";
import { measureChunk } from "../../../engine/formats/zarr.ts";
import { KernelStore, type Symmetry } from "../../../engine/store/store.ts";
import {
  type HeldStore,
  KernelWriter,
  type StoreSettings,
} from "../../../engine/store/store_writer.ts";
import { openTempFolder } from "../../temp_folder.ts";
import {
  computeCrc32cByBits,
  cutTiles,
  drawKernel,
  finishStore,
  killRunning,
  listChunkFiles,
  readBySpecification,
  settle,
} from "./store_fixtures.ts";

const CHUNK = 64;

/** Numbers of samples at a panel and at chunks of one or two panels, and one more or less. */
const SIZES = [1, 63, 64, 65, 127, 128, 129, 200];

/** Takes the bits, so that a NaN equals itself. */
function bitsOf(values: ArrayBufferView): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
}

function assertBits(actual: ArrayBufferView, expected: ArrayBufferView): void {
  assert.deepEqual(bitsOf(actual), bitsOf(expected));
}

/** Mirrors the missing triangle, as docs/data-and-formats.md tells users of NumPy to do. */
function mirror(matrix: Float32Array, size: number): Float32Array {
  return matrix.map((value, at) =>
    Number.isNaN(value) ? matrix[at % size * size + Math.floor(at / size)] : value
  );
}

// Files on disk, and reading them again

for (const size of SIZES) {
  for (const chunkRows of [CHUNK, 2 * CHUNK]) {
    Deno.test(`a kernel of ${size} samples in chunks of ${chunkRows} comes back bit for bit`, async () => {
      await using folder = await openTempFolder();
      const kernel = drawKernel(size);
      const blocks = Math.ceil(size / chunkRows);
      for (const symmetry of ["upper", "full"] as const) {
        const path = `${folder.path}/${symmetry}.zarr`;
        const tiles = await finishStore(path, settle(size, { symmetry, chunkRows }));
        assert.equal(tiles, blocks * (blocks + 1) / 2);

        const expected: string[] = [];
        for (let row = 0; row < blocks; row++) {
          for (let column = symmetry === "full" ? 0 : row; column < blocks; column++) {
            expected.push(`${row}/${column}`);
          }
        }
        assert.deepEqual(await listChunkFiles(path), expected.sort());
        const raw = await readBySpecification(path);
        assertBits(symmetry === "full" ? raw : mirror(raw, size), kernel);

        const store = await KernelStore.open(path);
        assert.equal(store.size, size);
        const diagonal = Float32Array.from({ length: size }, (_, i) => kernel[i * (size + 1)]);
        assertBits(await store.readDiagonal(), diagonal);
        for (let row = 0; row < size; row++) {
          assertBits(await store.readRow(row), kernel.subarray(row * size, (row + 1) * size));
        }
        const seen = new Float32Array(size * size).fill(NaN);
        const progress: [number, number][] = [];
        for await (
          const tile of store.readTiles({ onProgress: (...step) => progress.push(step) })
        ) {
          for (let i = 0; i < tile.rowCount; i++) {
            for (let j = 0; j < tile.columnCount; j++) {
              const [row, column] = [tile.firstRow + i, tile.firstColumn + j];
              assert.equal(Number.isNaN(seen[row * size + column]), true);
              seen[row * size + column] = tile.values[i * tile.stride + j];
            }
          }
          assert.equal(tile.mirrored, tile.firstRow !== tile.firstColumn);
        }
        assertBits(mirror(seen, size), kernel);
        assert.deepEqual(progress, Array.from({ length: tiles }, (_, i) => [i + 1, tiles]));
      }
    });
  }
}

for (const [rows, columns] of [[1, 200], [65, 64], [130, 63]]) {
  Deno.test(`a kernel of ${rows} x ${columns} samples is stored whole, and is no kernel to analyse`, async () => {
    await using folder = await openTempFolder();
    const path = `${folder.path}/K.zarr`;
    await finishStore(path, settle(rows, { columns, symmetry: "none", chunkRows: 128 }));
    assertBits(await readBySpecification(path), drawKernel(rows, columns));
    await assert.rejects(KernelStore.open(path), {
      name: "DataError",
      message: `Cannot use ${path} as a kernel: got symmetric "none" of shape [${rows}, ` +
        `${columns}], need "upper" or "full" [N, N]`,
    });
  });
}

Deno.test("a held folder keeps other writers off until its own writer lets it go", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const held = await KernelWriter.hold(path);
  assert.equal(held.subject, path);
  await assert.rejects(KernelWriter.open(path, settle(3)), { name: "FileError" });
  (await KernelWriter.open(held, settle(3))).dispose();
  (await KernelWriter.open(path, settle(3))).dispose();
  const lookalike: HeldStore = { subject: path, release() {}, [Symbol.dispose]() {} };
  await assert.rejects(KernelWriter.open(lookalike, settle(3)), {
    name: "TypeError",
    message: /^Cannot write .*K\.zarr: got \{"subject":.*, need what KernelWriter\.hold gives$/,
  });
});

Deno.test("attributes say what a kernel is", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const job = { kind: "pntk", rows: { sha256: "ab", samples: 3 } };
  await finishStore(path, settle(3, { job, notes: { created: "today" } }));
  const { shape, chunk_grid, attributes } = JSON.parse(
    await Deno.readTextFile(`${path}/zarr.json`),
  );
  assert.deepEqual(shape, [3, 3]);
  assert.deepEqual(chunk_grid.configuration.chunk_shape, [64, 64]);
  assert.deepEqual(attributes, { symmetric: "upper", ...job, created: "today" });
});

for (const symmetry of ["upper", "full"] as const) {
  Deno.test(`zarrita reads a store of symmetry ${symmetry}`, async () => {
    await using folder = await openTempFolder();
    const [path, size] = [`${folder.path}/K.zarr`, 130];
    await finishStore(path, settle(size, { symmetry }));
    const store = new FileSystemStore(path);
    const array = await zarrita.open.v3(store, { kind: "array" }) as zarrita.Array<"float32">;
    assert.deepEqual([array.dtype, array.shape, array.chunks], ["float32", [130, 130], [64, 64]]);
    assert.deepEqual(array.attrs, { symmetric: symmetry, kind: "lpntk", rows: { samples: 130 } });
    const { data } = await zarrita.get(array);
    const kernel = drawKernel(size);
    assertBits(symmetry === "full" ? data : mirror(data as Float32Array, size), kernel);
  });
}

const PYTHON = `
import sys, json
path, size = sys.argv[1], int(sys.argv[2])
import numpy as np
try:
    import zarr
    K, reader = np.asarray(zarr.open_array(path, mode="r")[:]), "zarr"
except ImportError:
    try:
        import tensorstore
        spec = {"driver": "zarr3", "kvstore": "file://" + path}
        K, reader = np.asarray(tensorstore.open(spec).result().read().result()), "tensorstore"
    except ImportError:
        meta, reader = json.load(open(path + "/zarr.json")), "numpy"
        edge = meta["chunk_grid"]["configuration"]["chunk_shape"][0]
        blocks = -(-size // edge)
        K = np.full((blocks * edge, blocks * edge), np.nan, "<f4")
        for i in range(blocks):
            for j in range(i, blocks):
                chunk = np.fromfile(f"{path}/c/{i}/{j}", "<f4", edge * edge).reshape(edge, edge)
                K[i*edge:(i+1)*edge, j*edge:(j+1)*edge] = chunk
        K = K[:size, :size]
K = np.where(np.isnan(K), K.T, K)
print(reader, file=sys.stderr)
sys.stdout.buffer.write(np.ascontiguousarray(K, "<f4").tobytes())
`;

const python = await findPython();
if (!python) console.log("There is no python3 with numpy: no store is read from Python");

Deno.test({
  name: "Python reads a store, and mirrors it in one line",
  ignore: !python,
  async fn() {
    await using folder = await openTempFolder();
    const [path, size] = [`${folder.path}/K.zarr`, 130];
    await finishStore(path, settle(size));
    const args = ["-c", PYTHON, path, `${size}`];
    const { code, stdout, stderr } = await new Deno.Command(python!, { args }).output();
    const said = new TextDecoder().decode(stderr);
    assert.equal(code, 0, said);
    assert.match(said, /^(zarr|tensorstore|numpy)$/m);
    assertBits(new Float32Array(stdout.slice().buffer), drawKernel(size));
  },
});

/** Finds `$LPNTK_PYTHON`, or else python3, if it has NumPy. */
async function findPython(): Promise<string | undefined> {
  const name = Deno.env.get("LPNTK_PYTHON") ?? "python3";
  const command = new Deno.Command(name, { args: ["-c", "import numpy"], stderr: "null" });
  const hasNumpy = await command.output().then(({ success }) => success, () => false);
  return hasNumpy ? name : undefined;
}

// Resuming

Deno.test("a store goes on with the tiles that are missing, and says so until it is whole", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const settings = settle(200); // 4 blocks, 10 tiles
  {
    using writer = await KernelWriter.open(path, settings);
    assert.deepEqual([writer.tileCount, writer.missingCount, writer.brokenCount], [10, 10, 0]);
    const tiles = [...cutTiles(writer)];
    for (const i of [0, 3, 7]) await writer.writeTile(tiles[i]);
    assert.equal(writer.missingCount, 7);
  }
  await assert.rejects(KernelStore.open(path), {
    name: "StoredKernelError",
    needsRepair: false,
    message: `Cannot use ${path} as a kernel: got 3 of 10 tiles, need all of them; ` +
      "store it again by the same options to finish it",
  });
  assert.equal(await finishStore(path, settings), 7);
  assert.equal(await finishStore(path, settings), 0);
  assertBits(mirror(await readBySpecification(path), 200), drawKernel(200));
});

Deno.test("a tile of a full store counts only when both its chunks are there", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const settings = settle(130, { symmetry: "full" });
  await finishStore(path, settings);
  await Deno.remove(`${path}/c/2/0`);
  await assert.rejects(KernelStore.open(path), { message: /got 5 of 6 tiles/ });
  assert.equal(await finishStore(path, settings), 1);
  assertBits(await readBySpecification(path), drawKernel(130));
});

const JOB = { kind: "lpntk", model: "mlp", weights: "ab", rows: { split: "train", sha256: "cd" } };

for (
  const [field, stored, needed, change] of [
    ["kind", '"lpntk"', '"pntk"', { job: { ...JOB, kind: "pntk" } }],
    ["model", '"mlp"', '"lenet5"', { job: { ...JOB, model: "lenet5" } }],
    ["weights", '"ab"', '"ac"', { job: { ...JOB, weights: "ac" } }],
    ["rows.split", '"train"', '"test"', { job: { ...JOB, rows: { ...JOB.rows, split: "test" } } }],
    ["rows.sha256", '"cd"', '"ce"', { job: { ...JOB, rows: { ...JOB.rows, sha256: "ce" } } }],
    ["deno", "unset", '"2.9.6"', { job: { ...JOB, deno: "2.9.6" } }],
    ["symmetric", '"upper"', '"full"', { symmetry: "full" }],
    ["shape", "[70,70]", "[71,71]", { shape: [71, 71] }],
    ["chunk", "[64,64]", "[128,128]", { chunkRows: 128 }],
  ] as [string, string, string, Partial<StoreSettings>][]
) {
  Deno.test(`a store of another job is refused: ${field}`, async () => {
    await using folder = await openTempFolder();
    const path = `${folder.path}/K.zarr`;
    const settings = settle(70, { job: JOB });
    await finishStore(path, settings);
    const before = await Deno.readTextFile(`${path}/zarr.json`);
    await assert.rejects(KernelWriter.open(path, { ...settings, ...change }, { repair: true }), {
      name: "FileError",
      path,
      message:
        `Cannot go on with ${path}: got a kernel of other settings (${field} ${stored}, now ` +
        `${needed}), need the same; choose another folder or remove it`,
    });
    assert.equal(await Deno.readTextFile(`${path}/zarr.json`), before);
    // the store is not locked afterwards
    assert.equal(await finishStore(path, { ...settings, notes: { created: "later" } }), 0);
  });
}

Deno.test("a kernel of a part of a data set tells which samples it is of, and is gone on with for no others", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const rows = Int32Array.of(2, 3, 7);
  const settings = settle(3, { indices: { rows } });
  // nothing stays of a store that nothing was written into
  (await KernelWriter.open(path, settings)).dispose();
  await assert.rejects(Deno.stat(path), { name: "NotFound" });

  await finishStore(path, settings);
  const { indices, attributes } = await KernelStore.open(path);
  assert.deepEqual(indices, rows);
  const sha256 = createHash("sha256").update(new Uint8Array(rows.buffer)).digest("hex");
  assert.deepEqual(attributes.indices, { rows: sha256 });
  // the pictures of other samples may be the same
  for (
    const others of [{ rows: Int32Array.of(2, 3, 8) }, { rows, columns: rows }, undefined]
  ) {
    await assert.rejects(KernelWriter.open(path, { ...settings, indices: others }), {
      name: "FileError",
      message: /Cannot go on with .*: got a kernel of other settings \(indices\.(rows|columns) /,
    });
  }
  await Deno.writeFile(`${path}/samples.npy`, encodeNpy(Int32Array.of(0, 1, 2), [3]));
  await assert.rejects(KernelStore.open(path), {
    name: "StoredKernelError",
    path: `${path}/samples.npy`,
    message: /got other samples .* remove that file/,
  });
  await Deno.remove(`${path}/samples.npy`);
  await assert.rejects(KernelStore.open(path), { name: "FileError", path: `${path}/samples.npy` });
  assert.equal(await finishStore(path, settings), 0);
  assert.deepEqual((await KernelStore.open(path)).indices, rows);

  const cross = `${folder.path}/C.zarr`;
  const columns = Int32Array.of(0, 4);
  await finishStore(cross, settle(3, { columns: 2, symmetry: "none", indices: { columns } }));
  const { data } = await readNpy(`${cross}/test_samples.npy`);
  assert.deepEqual(data, columns);
  await finishStore(`${folder.path}/W.zarr`, settle(3));
  assert.equal((await KernelStore.open(`${folder.path}/W.zarr`)).indices, undefined);
});

// Other processes, and processes that end early

Deno.test("a second writer is told of the first, whose lock ends with it", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  {
    using writer = await KernelWriter.open(path, settle(3));
    await assert.rejects(KernelWriter.open(path, settle(3)), {
      name: "FileError",
      path,
      message: RegExp(
        `^Cannot write ${path}: got process ${Deno.pid} on ${Deno.hostname()}, begun .*, at work on ` +
          "it, need it free; wait for that process to end$",
      ),
    });
    assert.equal(writer.missingCount, 1);
    for (const tile of cutTiles(writer)) await writer.writeTile(tile);
  }
  assert.equal(await finishStore(path, settle(3)), 0);
});

Deno.test("what a killed process left half written is removed", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  await finishStore(path, settle(130));
  const clean = await readChunks(path);
  await Deno.writeTextFile(`${path}/zarr.json.12345678.partial`, "{");
  await Deno.writeTextFile(`${path}/c/0/1.12345678.partial`, "half");
  assert.equal(await finishStore(path, settle(130)), 0);
  assert.deepEqual(await readChunks(path), clean);
  assert.deepEqual(await listNames(path), ["c", "zarr.json"]);
});

Deno.test("kill -9 at any moment leaves whole chunks alone, and a run that goes on ends with the same bytes", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const [size, chunkRows] = [1900, 640]; // 3 blocks, 6 tiles of 1.6 MB
  const settings = settle(size, { chunkRows });
  await finishStore(`${folder.path}/clean.zarr`, settings);
  const clean = await printChunks(`${folder.path}/clean.zarr`);

  let interrupted = 0;
  for (let run = 0; interrupted < 8 && run < 50; run++) {
    const before = countFiles(path);
    const child = startChild(path, size, chunkRows);
    let isRunning = true;
    const ended = child.status.then(({ signal }) => {
      isRunning = false;
      if (signal === "SIGKILL") interrupted++;
    });
    // every other time, kills just when a file appears, which is while it is written
    for (let look = 0; isRunning && countFiles(path) <= before; look++) {
      if (look % 100 === 0) await sleep(0);
    }
    if (run % 2 === 1) await sleep(60 * Math.random());
    if (isRunning) killRunning(child, "SIGKILL");
    await ended;
    // every file with a chunk's name is the whole chunk
    const chunks = await printChunks(path);
    for (const [name, print] of Object.entries(chunks)) {
      if (!name.endsWith(".partial")) assert.equal(print, clean[name], name);
    }
    if (Object.keys(clean).every((name) => name in chunks)) {
      await Deno.remove(path, { recursive: true });
    }
  }
  assert.equal(interrupted, 8);
  await finishStore(path, settings); // the lock of the killed went with them
  assert.deepEqual(await printChunks(path), clean);
  assert.deepEqual(await listNames(path), ["c", "zarr.json"]);
});

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Reads the bytes of every file among the chunks. */
async function readChunks(path: string): Promise<Map<string, Uint8Array>> {
  const names = await listChunkFiles(path);
  const read = async (name: string) =>
    [name, await Deno.readFile(`${path}/c/${name}`)] as [string, Uint8Array];
  return new Map(await Promise.all(names.map(read)));
}

/** Digests every file among the chunks. */
async function printChunks(path: string): Promise<Record<string, string>> {
  const chunks = await readChunks(path);
  const print = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  return Object.fromEntries(chunks.entries().map(([name, bytes]) => [name, print(bytes)]));
}

/** Counts the files among the chunks, whole or not; synchronous, so that no write can end meanwhile. */
function countFiles(path: string): number {
  try {
    const rows = [...Deno.readDirSync(`${path}/c`)];
    return rows.reduce(
      (sum, { name }) => sum + [...Deno.readDirSync(`${path}/c/${name}`)].length,
      0,
    );
  } catch {
    return 0; // not even a folder yet
  }
}

async function listNames(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

function startChild(path: string, size: number, chunkRows: number): Deno.ChildProcess {
  const program = fileURLToPath(new URL("store_child.ts", import.meta.url));
  const args = ["run", "-A", "--quiet", "--no-check", program, path, `${size}`, `${chunkRows}`];
  return new Deno.Command(Deno.execPath(), { args }).spawn();
}

// Corruption

/** Damages of a chunk, with the message about each. */
const DAMAGES: readonly [string, (bytes: Uint8Array) => Uint8Array, RegExp][] = [
  ["a flipped bit", (bytes) => bytes.with(77, bytes[77] ^ 4), /checksum [0-9a-f]{8}, need/],
  ["a lost end", (bytes) => bytes.subarray(0, 1000), /got 1000 bytes, need 16388/],
  ["an empty file", () => new Uint8Array(0), /got 0 bytes/],
];

for (const [what, damage, says] of DAMAGES) {
  for (const [symmetry, chunk] of [["upper", "0/1"], ["upper", "1/1"], ["full", "1/0"]] as const) {
    Deno.test(`${what} in chunk ${chunk} of a store of symmetry ${symmetry} is found, and repaired alone`, async () => {
      await using folder = await openTempFolder();
      const path = `${folder.path}/K.zarr`;
      const settings = settle(130, { symmetry });
      await finishStore(path, settings);
      const clean = await readChunks(path);
      const file = `${path}/c/${chunk}`;
      await Deno.writeFile(file, damage(clean.get(chunk)!));
      await assert.rejects(readEverything(path), (error: Error & { path: string }) => {
        assert.equal(error.name, "StoredKernelError");
        assert.equal(error.path, file);
        assert.match(error.message, says);
        assert.match(error.message, /^Cannot read .*; store the kernel again with repair$/);
        return true;
      });
      const modified = await readTimes(path);
      {
        using writer = await KernelWriter.open(path, settings, { repair: true });
        assert.deepEqual([writer.missingCount, writer.brokenCount], [1, 1]);
        for (const tile of cutTiles(writer)) await writer.writeTile(tile);
      }
      assert.deepEqual(await readChunks(path), clean);
      const own = chunk === "1/1" || symmetry === "upper" ? [chunk] : ["0/1", "1/0"];
      const after = await readTimes(path);
      assert.deepEqual([...after.keys()].filter((n) => after.get(n) !== modified.get(n)), own);
    });
  }
}

/** Reads everything that an analysis may ask for. */
async function readEverything(path: string): Promise<void> {
  const store = await KernelStore.open(path);
  for (let row = 0; row < store.size; row++) await store.readRow(row);
}

/** Reads the inode of each chunk, which changes when it is written. */
async function readTimes(path: string): Promise<Map<string, number>> {
  const names = await listChunkFiles(path);
  const read = async (name: string) =>
    [name, (await Deno.stat(`${path}/c/${name}`)).ino!] as [string, number];
  return new Map(await Promise.all(names.map(read)));
}

Deno.test("a chunk of the wrong size is not taken for one that is there", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  await finishStore(path, settle(130));
  await Deno.truncate(`${path}/c/0/2`, 5);
  await assert.rejects(KernelWriter.open(path, settle(130)), {
    name: "StoredKernelError",
    needsRepair: true,
    message: /c\/0\/2: got 5 bytes/,
  });
});

for (const value of [NaN, Infinity]) {
  Deno.test(`a ${value} is neither stored nor read, and its place is named`, async () => {
    await using folder = await openTempFolder();
    const path = `${folder.path}/K.zarr`;
    using writer = await KernelWriter.open(path, settle(130));
    const tiles = [...cutTiles(writer)];
    for (const tile of tiles) {
      if (tile.firstRow !== 64 || tile.firstColumn !== 128) await writer.writeTile(tile);
      else {
        const spoilt = { ...tile, values: tile.values.slice() };
        spoilt.values[2 * tile.stride + 1] = value;
        const message = `Cannot use kernel ${path}: got ${value} at [66, 129], need finite numbers`;
        await assert.rejects(writer.writeTile(spoilt), { name: "NonFiniteError", message });
        assert.ok(writer.lacks(64, 128));
        await writer.writeTile(tile);
      }
    }
    // another program's chunk, with the right checksum
    const bytes = await Deno.readFile(`${path}/c/1/2`);
    const view = new DataView(bytes.buffer);
    view.setFloat32((2 * 64 + 1) * 4, value, true);
    const end = measureChunk([64, 64]) - 4;
    view.setUint32(end, computeCrc32cByBits(bytes.subarray(0, end)), true);
    await Deno.writeFile(`${path}/c/1/2`, bytes);
    const store = await KernelStore.open(path);
    await assert.rejects(Array.fromAsync(store.readTiles()), { message: /at \[66, 129\]/ });
    await assert.rejects(store.readRow(129), { message: /at \[66, 129\]/ });
  });
}

/** Changes one element of a chunk, and its checksum with it. */
async function overwrite(path: string, at: number, value: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  const view = new DataView(bytes.buffer);
  view.setFloat32(at * 4, value, true);
  const end = bytes.length - 4;
  view.setUint32(end, computeCrc32cByBits(bytes.subarray(0, end)), true);
  await Deno.writeFile(path, bytes);
}

Deno.test("a kernel that is not symmetric, or negative on its diagonal, is refused where that is read", async () => {
  await using folder = await openTempFolder();
  const cases = [
    ["upper", "0/0", 3 * CHUNK + 5, /at \[[35], [35]\] but .* at \[[35], [35]\], need a symmetric/],
    ["full", "1/0", 3 * CHUNK + 5, /at \[(5|67), (5|67)\] but .* at \[.*\], need a symmetric/],
    ["full", "0/1", 3 * CHUNK + 5, /at \[(3|69), (3|69)\] but .* at \[.*\], need a symmetric/],
    ["upper", "1/1", 3 * CHUNK + 3, /got -0.5 at \[67, 67\], need a diagonal of at least 0/],
  ] as const;
  for (const [i, [symmetry, chunk, at, says]] of cases.entries()) {
    const path = `${folder.path}/${i}.zarr`;
    await finishStore(path, settle(100, { symmetry }));
    await overwrite(`${path}/c/${chunk}`, at, -0.5);
    const refused = { name: "DataError", message: says };
    const tiles = await KernelStore.open(path);
    await assert.rejects(() => Array.fromAsync(tiles.readTiles()), refused);
    await assert.rejects(async () => {
      const rows = await KernelStore.open(path);
      for (let row = 0; row < 100; row++) await rows.readRow(row);
    }, refused);
  }
});

Deno.test("rounding of another program is no asymmetry", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  await finishStore(path, settle(100, { symmetry: "full" }));
  const store = await KernelStore.open(path);
  const [, value] = await store.readRow(67);
  await overwrite(`${path}/c/1/0`, 3 * CHUNK + 1, value + 1e-5);
  await Array.fromAsync((await KernelStore.open(path)).readTiles());
});

Deno.test("only a tile that is exactly one chunk is stored", async () => {
  await using folder = await openTempFolder();
  using writer = await KernelWriter.open(`${folder.path}/K.zarr`, settle(130));
  const [tile] = cutTiles(writer);
  for (
    const change of [
      { firstRow: 1 },
      { firstColumn: 32 },
      { rowCount: 63 },
      { columnCount: 130 },
    ]
  ) await assert.rejects(writer.writeTile({ ...tile, ...change }), RangeError);
  assert.equal(writer.missingCount, 6);
});

// Paths that cannot hold a store

Deno.test("chunks of no whole number of panels are refused", async () => {
  await using folder = await openTempFolder();
  for (const chunkRows of [0, 63, 100, NaN]) {
    const path = `${folder.path}/K.zarr`;
    await assert.rejects(KernelWriter.open(path, settle(3, { chunkRows })), RangeError);
  }
  assert.deepEqual(await listNames(folder.path), []);
});

Deno.test("a store that nothing was written to leaves nothing behind", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const writer = await KernelWriter.open(path, settle(3));
  writer.dispose();
  writer.dispose();
  assert.deepEqual(await listNames(folder.path), []);
  // a folder that existed stays, empty
  await Deno.mkdir(path);
  (await KernelWriter.open(path, settle(3))).dispose();
  assert.deepEqual(await listNames(path), []);
});

Deno.test("a folder of something else, a file, or a place below one is refused and left alone", async () => {
  await using folder = await openTempFolder();
  await Deno.writeTextFile(`${folder.path}/file`, "mine");
  for (
    const [path, says] of [["", /folder with other files/], ["/file", /got a file/], [
      "/file/K.zarr",
      /Cannot write .*K\.zarr/,
    ]] as const
  ) {
    await assert.rejects(KernelWriter.open(folder.path + path, settle(3)), {
      name: "FileError",
      message: says,
    });
  }
  assert.deepEqual(await listNames(folder.path), ["file"]);
  await Deno.mkdir(`${folder.path}/v2`);
  await Deno.writeTextFile(`${folder.path}/v2/zarr.json`, `{ "zarr_format": 2 }`);
  await assert.rejects(KernelStore.open(`${folder.path}/v2`), { message: /got 2 zarr_format/ });
  await assert.rejects(KernelStore.open(`${folder.path}/none`), { message: /got no such file/ });
});

Deno.test("a row of a kernel larger than what is kept in memory comes from a part of the file", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  const kernel = drawKernel(200);
  await finishStore(path, settle(200, { symmetry: "full" satisfies Symmetry }));
  const store = await KernelStore.open(path, { cacheBytes: 2 * CHUNK * CHUNK * 4 });
  for (const row of [0, 199, 0, 70, 199, 64, 128]) {
    assertBits(await store.readRow(row), kernel.subarray(row * 200, (row + 1) * 200));
  }
});

Deno.test("no more chunks are kept in memory than there is room for, the last ones read", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  await finishStore(path, settle(130)); // row 0 lies in chunks 0/0, 0/1 and 0/2
  const stores = await Promise.all(
    [3, 2, 1].map((chunks) => KernelStore.open(path, { cacheBytes: chunks * CHUNK * CHUNK * 4 })),
  );
  for (const store of stores) await store.readRow(0);
  await Deno.remove(`${path}/c/0/0`);
  const [all, two, one] = stores;
  await all.readRow(0);
  await assert.rejects(two.readRow(0), Deno.errors.NotFound);
  await assert.rejects(one.readRow(0), Deno.errors.NotFound);
});
