/** Files that are no files, that lie about their sizes, or that unpack to more than they say: refused at once, for little memory. @module */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, deflateRawSync } from "node:zlib";
import { loadKernel } from "../../../cli/arrays.ts";
import { readConfig } from "../../../cli/experiments/config.ts";
import { EXPERIMENTS } from "../../../cli/experiments/list.ts";
import { CIFAR10, readCifar } from "../../../engine/data/cifar.ts";
import { allocate, readText } from "../../../engine/files/file.ts";
import { readFolder } from "../../../engine/data/folder.ts";
import { readIdx } from "../../../engine/formats/idx.ts";
import { decodeJson, readJson } from "../../../engine/formats/json.ts";
import { readLabels } from "../../../engine/data/labels.ts";
import { encodeNpy, readNpy } from "../../../engine/formats/npy.ts";
import {
  encodeSafetensors,
  loadMetadata,
  loadWeights,
} from "../../../engine/formats/safetensors.ts";
import { decodeTar } from "../../../engine/formats/tar.ts";
import { encodeZarr } from "../../../engine/formats/zarr.ts";
import { KernelStore } from "../../../engine/store/store.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { encodeIdx } from "./fixtures.ts";

const [MIB, TIB] = [2 ** 20, 2 ** 40];

/** Readers of files, each with the path that it reads. */
const READERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a.npy": readNpy,
  "labels.npy": readLabels,
  "a.safetensors": loadWeights,
  "b.safetensors": loadMetadata,
  "a.idx": readIdx,
  "a.json": (path) => readJson(path, "a file of values"),
  "a.toml": (path) => readText(path, "settings as TOML", 2 ** 16),
  "K.npy": loadKernel,
  "images.npy": (path) => readFolder(path.replace(/\/[^/]*$/, ""), "train"),
  "zarr.json": (path) => KernelStore.open(path.replace(/\/[^/]*$/, "")),
  "test_batch.bin": (path) => readCifar(CIFAR10, path.replace(/\/[^/]*$/, ""), "test"),
  [CIFAR10.archive]: (path) => readCifar(CIFAR10, path, "test"),
};

/** Measures the resident memory that some work adds, in bytes. */
async function measureGrowth(work: () => Promise<unknown>): Promise<number> {
  const before = Deno.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss), 1);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, Deno.memoryUsage().rss) - before;
}

Deno.test("pipes, devices, sockets and folders are refused by name, whatever reads them", async () => {
  await using temp = await openTempFolder();
  const pipe = `${temp.path}/pipe`;
  await new Deno.Command("mkfifo", { args: [pipe] }).output();
  using _listener = Deno.listen({ transport: "unix", path: `${temp.path}/socket` });
  const strangers = {
    "a pipe": pipe,
    "a socket": `${temp.path}/socket`,
    "a device": "/dev/zero",
    "a folder": temp.path,
  };
  for (const [name, read] of Object.entries(READERS)) {
    for (const [kind, target] of Object.entries(strangers)) {
      const folder = await Deno.makeTempDir({ dir: temp.path });
      await Deno.symlink(target, `${folder}/${name}`);
      await assert.rejects(read(`${folder}/${name}`), (error: Error) => {
        assert.equal(error.name, "FileError", `${name}, ${kind}`);
        assert.ok(error.message.includes(`got ${kind}, need `), `${name}: ${error.message}`);
        return true;
      });
    }
  }
});

Deno.test("what a header does not account for is not read, were it a tebibyte", async () => {
  await using temp = await openTempFolder();
  const beginnings: Readonly<Record<string, Uint8Array>> = {
    "a.npy": encodeNpy(Float32Array.of(1, 2), [2]),
    "labels.npy": encodeNpy(Int32Array.of(1, 2), [2]),
    "a.safetensors": encodeSafetensors(new Map()),
    "b.safetensors": encodeSafetensors(new Map()),
    "a.idx": encodeIdx([1, 2], [3, 4]),
    "a.json": new Uint8Array(),
    "a.toml": new Uint8Array(),
    "test_batch.bin": new Uint8Array(),
  };
  const growth = await measureGrowth(async () => {
    for (const [name, bytes] of Object.entries(beginnings)) {
      const path = `${temp.path}/${name}`;
      await Deno.writeFile(path, bytes);
      await Deno.truncate(path, TIB + 1);
      // the refusal comes from sizes alone, not from a failed allocation
      const message = /^Cannot read (?!.*memory holds).*: got /;
      await assert.rejects(READERS[name](path), { name: "FileError", message }, name);
    }
  });
  assert.ok(growth < 64 * MIB, `${growth} bytes`);
});

Deno.test("more than memory holds is refused in a line", () => {
  assert.throws(() => allocate("a.npy", 2 ** 52), {
    name: "FileError",
    message: "Cannot read a.npy: got 4503599627370496 bytes, need no more than memory holds",
  });
});

/** Packs a beginning and then so many zeros by gzip; its end, which no reader reaches, is missing. */
function packZeros(start: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
  const options = { finishFlush: constants.Z_FULL_FLUSH, level: 9 };
  const piece = deflateRawSync(new Uint8Array(16 * MIB), options);
  const parts = Array.from({ length: sizeBytes / (16 * MIB) }, () => piece);
  return Uint8Array.from(Buffer.concat([header, deflateRawSync(start, options), ...parts]));
}

Deno.test("gzip is unpacked as far as the header within it says", async () => {
  await using temp = await openTempFolder();
  const path = `${temp.path}/train-images-idx3-ubyte.gz`;
  await Deno.writeFile(path, packZeros(encodeIdx([2, 28, 28], []), 256 * MIB));
  const growth = await measureGrowth(() =>
    assert.rejects(readIdx(path), {
      name: "FileError",
      message: `Cannot read ${path}: got gzip of more than 1584 bytes, need no more`,
    })
  );
  assert.ok(growth < 96 * MIB, `${growth} bytes`);
});

Deno.test("a header within gzip that says more than gzip can hold takes no memory", async () => {
  await using temp = await openTempFolder();
  const path = `${temp.path}/a`;
  await Deno.writeFile(path, packZeros(encodeIdx([2 ** 31 - 1, 2 ** 31 - 1], []), 16 * MIB));
  await assert.rejects(readIdx(path), { name: "FileError", message: /broken gzip/ });
});

/** Encodes the header of a tar archive. */
function encodeTarHeader(name: string, size: string): Uint8Array {
  const header = new Uint8Array(512);
  const put = (at: number, text: string) => header.set(new TextEncoder().encode(text), at);
  put(0, name);
  put(124, size);
  put(148, " ".repeat(8));
  put(156, "0");
  put(148, `${header.reduce((sum, byte) => sum + byte, 0).toString(8)}\0`.padEnd(8));
  return header;
}

Deno.test("an archive is unpacked no further than the data set is large", async () => {
  await using temp = await openTempFolder();
  const path = `${temp.path}/${CIFAR10.archive}`;
  const size = `${(256 * MIB).toString(8).padStart(11, "0")}\0`;
  await Deno.writeFile(path, packZeros(encodeTarHeader("c/test_batch.bin", size), 256 * MIB));
  const growth = await measureGrowth(() =>
    assert.rejects(readCifar(CIFAR10, path, "test"), {
      name: "FileError",
      message: /more than 1854/,
    })
  );
  assert.ok(growth < 600 * MIB, `${growth} bytes`);
});

Deno.test("sizes in an archive that lead back, nowhere or beyond its end are refused", () => {
  for (const size of ["-7777777777", "0000000001a\0", "           \0", "77777777777\0"]) {
    const archive = new Uint8Array(2048);
    archive.set(encodeTarHeader("a", size));
    const error = new Error("refused");
    assert.throws(() => decodeTar(archive, () => error), error, size);
  }
});

Deno.test("a store of ten million samples without a chunk is unfinished, and not listed", async () => {
  await using temp = await openTempFolder();
  for (const size of [1e7, 1e15]) {
    await Deno.writeFile(
      `${temp.path}/zarr.json`,
      encodeZarr({
        shape: [size, size],
        chunkShape: [64, 64],
        attributes: { symmetric: "upper" },
      }),
    );
    const blocks = Math.ceil(size / 64);
    await assert.rejects(KernelStore.open(temp.path), {
      name: "StoredKernelError",
      message:
        `Cannot use ${temp.path} as a kernel: got 0 of ${blocks * (blocks + 1) / 2} tiles, need ` +
        "all of them; store it again by the same options to finish it",
    });
  }
});

Deno.test("JSON that is nested without end is refused before it is parsed, brackets in texts are none", () => {
  const decode = (text: string) => decodeJson(new TextEncoder().encode(text), "a.json", "a list");
  assert.deepEqual(decode(`["${"[".repeat(99)}\\"[[", [[]]]`), [`${"[".repeat(99)}"[[`, [[]]]);
  assert.deepEqual(
    decode(`${"[".repeat(64)}${"]".repeat(64)}`),
    JSON.parse(`${"[".repeat(64)}${"]".repeat(64)}`),
  );
  assert.throws(() => decode(`${"[".repeat(65)}${"]".repeat(65)}`), {
    name: "FileError",
    message: "Cannot read a.json: got JSON nested deeper than 64 brackets, need a list",
  });
  assert.throws(() => decodeJson(new Uint8Array(2 ** 26 + 1), "a.json", "a list"), {
    name: "FileError",
    message: "Cannot read a.json: got 67108865 bytes of JSON, more than 67108864, need a list",
  });
});

Deno.test("the line of a mistake is found in a long configuration, too", () => {
  const text = `${"\n".repeat(60_000)}epoks = 1\n`;
  const start = performance.now();
  assert.throws(() => readConfig(EXPERIMENTS[0], "default", { path: "c.toml", text }), {
    name: "UsageError",
    message: /^Cannot use c\.toml, line 60001: got an unknown key epoks, need /,
  });
  assert.ok(performance.now() - start < 10_000);
});

Deno.test("names that would move a cursor, and headers with more in them, are refused", async () => {
  await using temp = await openTempFolder();
  const tensor = { shape: [1], data: Float32Array.of(1) };
  const weights = `${temp.path}/a.safetensors`;
  await Deno.writeFile(weights, encodeSafetensors(new Map([["a\u001b[2J", tensor]])));
  await assert.rejects(loadWeights(weights), {
    name: "FileError",
    message: /tensor "a\\u001b\[2J",/,
  });
  const array = encodeNpy(Float32Array.of(1), [1]);
  array.set([0x78, 0x7d], array.lastIndexOf(0x0a) - 2);
  await Deno.writeFile(`${temp.path}/a.npy`, array);
  await assert.rejects(readNpy(`${temp.path}/a.npy`), { name: "FileError", message: /a header/ });
});
