/**
 * Files that are broken, or made to do harm: a reader returns what a simple reader of the same bytes returns, or one of the project's errors in one
 * line, soon, and with no more memory than the file justifies. If a case fails, fast-check prints the path that repeats it.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createTar } from "npm:nanotar@0.3.0";
import { loadIndices, loadKernel } from "../../../cli/arrays.ts";
import { encodeConfig, readConfig } from "../../../cli/experiments/config.ts";
import { EXPERIMENTS } from "../../../cli/experiments/list.ts";
import { CIFAR10, readCifar } from "../../../engine/data/cifar.ts";
import { readFolder } from "../../../engine/data/folder.ts";
import { readNpz } from "../../../engine/data/npz.ts";
import { readParquet } from "../../../engine/data/parquet.ts";
import { SNAPPY, ZSTD } from "../data/parquet_fixtures.ts";
import { pretend } from "../gpu/environment.ts";
import { readIdx } from "../../../engine/formats/idx.ts";
import { readJson } from "../../../engine/formats/json.ts";
import { readLabels } from "../../../engine/data/labels.ts";
import { encodeNpy, readNpy } from "../../../engine/formats/npy.ts";
import {
  encodeSafetensors,
  loadMetadata,
  loadWeights,
} from "../../../engine/formats/safetensors.ts";
import { KernelStore } from "../../../engine/store/store.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { encodeIdx, gzip } from "./fixtures.ts";
import { mutations } from "./mutations.ts";
import {
  readCifarSimply,
  readIdxSimply,
  readNpySimply,
  readSafetensorsSimply,
  readTarSimply,
  readZipSimply,
} from "./simple_readers.ts";
import { drawKernel, finishStore, readBySpecification, settle } from "../store/store_fixtures.ts";

/** Errors that say what is wrong with a file. */
const NAMED = ["FileError", "StoredKernelError", "DataError", "NonFiniteError", "UsageError"];

/** Longest time for a file of some hundred bytes, in milliseconds: far more than any reader takes, far less than forever. */
const PATIENCE_MS = 5000;

/** Seed of the changes: the same files in every run, so that a failure is the fault of a change of the code; another seed tries others. */
const SEED = 15;

/** Asserts that an error is one line of the project's form, in which nothing moves a cursor. */
function assertLine(error: unknown): void {
  const { name, message } = error as Error;
  assert.ok(NAMED.includes(name), (error as Error).stack ?? String(error));
  assert.match(message, /^Cannot [^\p{Cc}\p{Zl}\p{Zp}]{1,1500}$/u);
  assert.match(message, /: /);
}

interface Trial {
  /** Name of the file that is changed, in a folder of its own. */
  readonly file: string;
  readonly originals: readonly Uint8Array[];
  /** Writes what belongs beside the file. */
  readonly prepare?: (folder: string) => Promise<unknown>;
  /** Reads the file, into a form that can be compared. */
  readonly read: (path: string, folder: string) => Promise<unknown>;
  /** Reads the bytes as the specification says; throws if they are broken. */
  readonly expect: (bytes: Uint8Array, folder: string) => unknown;
  readonly runs?: number;
}

async function attempt({ file, originals, prepare, read, expect, runs = 400 }: Trial) {
  await using temp = await openTempFolder();
  const folder = temp.path;
  const path = `${folder}/${file}`;
  await prepare?.(folder);
  for (const original of originals) {
    await Deno.writeFile(path, original);
    assert.deepEqual(await read(path, folder), await expect(original, folder), "as it was");
  }
  const files = fc.tuple(fc.constantFrom(...originals), mutations)
    .map(([original, mutate]) => mutate(original));
  await fc.assert(
    fc.asyncProperty(files, async (bytes) => {
      await Deno.writeFile(path, bytes);
      const start = performance.now();
      let value: unknown;
      try {
        value = await read(path, folder);
      } catch (error) {
        return assertLine(error);
      } finally {
        assert.ok(performance.now() - start < PATIENCE_MS, "too long");
      }
      assert.deepEqual(value, await expect(bytes, folder));
    }),
    // fails at once: the path repeats the case, and a smaller one tells no more
    { seed: SEED, numRuns: runs, endOnFailure: true },
  );
}

const numbers = Float32Array.from({ length: 12 }, (_, i) => i / 3 - 1);
const ARRAYS = [
  encodeNpy(numbers, [3, 4]),
  encodeNpy(BigInt64Array.of(3n, 0n, 2n), [3]),
  encodeNpy(Uint8Array.from({ length: 24 }, (_, i) => i), [2, 3, 4]),
];

Deno.test("arrays of NumPy", () =>
  attempt({
    file: "a.npy",
    originals: ARRAYS,
    read: async (path) => {
      const { dtype, shape, data } = await readNpy(path);
      return { dtype, shape, data: [...data] };
    },
    expect: readNpySimply,
    runs: 1200,
  }));

/** Archive of one image and one label of 2 x 2, as `numpy.savez_compressed` of NumPy 2.4 writes it. */
const NPZ = Uint8Array.fromBase64(
  "UEsDBBQAAAAIAAAAIQCNePYNTAAAAIQAAAAKABQAaW1hZ2VzLm5weQEAEACEAAAAAAAAAEwAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXlNqqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkahjoKRkCkqaNQq0Ae4GJkYv4FAFBLAwQUAAAACAAAACEAe7KmwEUAAACBAAAACgAUAGxhYmVscy5ucHkBABAAgQAAAAAAAABFAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GoY6mjoKtQoUAC5GAFBLAQIUAxQAAAAIAAAAIQCNePYNTAAAAIQAAAAKAAAAAAAAAAAAAACAAQAAAABpbWFnZXMubnB5UEsBAhQDFAAAAAgAAAAhAHuypsBFAAAAgQAAAAoAAAAAAAAAAAAAAIABiAAAAGxhYmVscy5ucHlQSwUGAAAAAAIAAgBwAAAACQEAAAAA",
);

Deno.test("archives of NumPy", () =>
  attempt({
    file: "a.npz",
    originals: [NPZ],
    read: async (path) => {
      const { images, labels, shape } = await readNpz(path, "train");
      return { images: [...images], labels: [...labels], shape: [...shape] };
    },
    expect: (bytes) => {
      const members = readZipSimply(bytes);
      const [images, labels] = ["images.npy", "labels.npy"].map((name) =>
        readNpySimply(members.get(name)!)
      );
      const shape = images.shape.length === 3
        ? [...images.shape.slice(1), 1]
        : images.shape.slice(1);
      return { images: images.data.map(Number), labels: labels.data.map(Number), shape };
    },
    runs: 300,
  }));

/** Reads a Parquet file of pictures without the user's cache folder. */
async function readTable(path: string, folder: string) {
  await Deno.remove(`${folder}/cache`, { recursive: true }).catch(() => {});
  using _environment = pretend({ XDG_CACHE_HOME: `${folder}/cache` });
  const { images, labels, classes, shape } = await readParquet(path, "train", { onNote: () => {} });
  const size = shape[0] * shape[1] * shape[2];
  return Array.from(labels, (label, n) => {
    assert.ok(label >= 0 && label < classes);
    return [...images.subarray(n * size, (n + 1) * size)].join();
  });
}

Deno.test("Parquet of pictures, by Snappy and Zstandard: none but the pictures that were written", async () => {
  // pages have no checksum of their own, but each picture has
  const original = Array.from(
    { length: 5 },
    (_, n) => Array.from({ length: 6 }, (_, i) => 67 * n + 31 * i & 255).join(),
  );
  await attempt({
    file: "a.parquet",
    originals: [SNAPPY, ZSTD],
    read: async (path, folder) => {
      const pictures = await readTable(path, folder);
      return pictures.filter((picture) => !original.includes(picture));
    },
    expect: () => [],
    runs: 200,
  });
});

Deno.test("labels and samples to keep", async () => {
  const originals = [
    encodeNpy(Int32Array.of(0, 3, 1), [3]),
    encodeNpy(BigInt64Array.of(2n, 0n), [2]),
    encodeNpy(Uint8Array.of(1, 4, 3), [3]),
  ];
  await attempt({
    file: "labels.npy",
    originals,
    read: async (path) => [...await readLabels(path)],
    expect: (bytes) => readNpySimply(bytes).data.map(Number),
  });
  await attempt({
    file: "keep.npy",
    originals,
    read: async (path) => [...await loadIndices(path, 5)],
    expect: (bytes) => {
      const { dtype, data } = readNpySimply(bytes);
      return dtype === "|b1" ? data.flatMap((flag, i) => flag ? [i] : []) : data.map(Number);
    },
  });
});

Deno.test("weights", () =>
  attempt({
    file: "w.safetensors",
    originals: [
      encodeSafetensors(
        new Map([
          ["fc1.weight", { shape: [2, 3], data: numbers.slice(0, 6) }],
          ["fc1.bias", { shape: [2], data: numbers.slice(6, 8) }],
          ["scale", { shape: [], data: numbers.slice(8, 9) }],
        ]),
        { format: "pt", data: "digits" },
      ),
    ],
    read: async (path) => {
      await loadMetadata(path);
      return Object.fromEntries(
        [...await loadWeights(path)].map(([name, { shape, data }]) => [
          name,
          { shape, data: [...data] },
        ]),
      );
    },
    expect: readSafetensorsSimply,
    runs: 1200,
  }));

Deno.test("IDX files, plain and gzip", async () => {
  const idx = encodeIdx([2, 2, 3], Array.from({ length: 12 }, (_, i) => 20 * i));
  await attempt({
    file: "a",
    originals: [idx, await gzip(idx)],
    read: async (path) => {
      const { shape, data } = await readIdx(path);
      return { shape, data: [...data] };
    },
    expect: readIdxSimply,
    runs: 800,
  });
});

const batch = Uint8Array.from({ length: 2 * 3073 }, (_, i) => i % 3073 === 0 ? 7 : i * 31 % 256);

async function readImages(place: string) {
  const { labels, images } = await readCifar(CIFAR10, place, "test");
  return { labels: [...labels], images: [...images] };
}

Deno.test("batches of CIFAR", () =>
  attempt({
    file: "test_batch.bin",
    originals: [batch],
    read: (_, folder) => readImages(folder),
    expect: readCifarSimply,
    runs: 150,
  }));

Deno.test("archives of CIFAR, in gzip that is right and in gzip that is not", async () => {
  const tar = createTar([{ name: "c/" }, { name: "c/test_batch.bin", data: batch }]);
  const expect = (bytes: Uint8Array) => readCifarSimply(readTarSimply(bytes, "test_batch.bin"));
  const read = (path: string) => readImages(path);
  const file = CIFAR10.archive;
  await attempt({ file, originals: [await gzip(tar)], read, expect, runs: 150 });
  // the content may be anything if the gzip around it is right
  let packed = new Uint8Array();
  await attempt({
    file: "c.tar",
    originals: [tar],
    read: async (path, folder) => {
      packed = Uint8Array.from(await gzip(await Deno.readFile(path)));
      await Deno.writeFile(`${folder}/${file}`, packed);
      return await readImages(`${folder}/${file}`);
    },
    expect: () => expect(packed),
    runs: 150,
  });
});

const KERNEL = settle(67, { job: { kind: "lpntk" } });

/** Reads all that a store holds, as a whole matrix. */
async function readStore(folder: string): Promise<Float32Array> {
  const store = await KernelStore.open(folder);
  const matrix = new Float32Array(store.size ** 2);
  for await (const tile of store.readTiles()) {
    for (let i = 0; i < tile.rowCount; i++) {
      for (let j = 0; j < tile.columnCount; j++) {
        const value = tile.values[i * tile.stride + j];
        matrix[(tile.firstRow + i) * store.size + tile.firstColumn + j] = value;
        if (tile.mirrored) matrix[(tile.firstColumn + j) * store.size + tile.firstRow + i] = value;
      }
    }
  }
  return matrix;
}

/** Reads a store by the specification, and completes the half that a symmetric one leaves out. */
async function readStoreSimply(folder: string): Promise<Float32Array> {
  const matrix = await readBySpecification(folder);
  const size = Math.sqrt(matrix.length);
  return matrix.map((value, at) =>
    Number.isNaN(value) ? matrix[at % size * size + Math.floor(at / size)] : value
  );
}

for (const [file, runs] of [["zarr.json", 500], ["c/0/1", 150], ["c/1/1", 150]] as const) {
  Deno.test(`${file} of a stored kernel`, async () => {
    await using temp = await openTempFolder();
    await finishStore(`${temp.path}/K.zarr`, KERNEL);
    const original = await Deno.readFile(`${temp.path}/K.zarr/${file}`);
    assert.deepEqual(await readStore(`${temp.path}/K.zarr`), drawKernel(67));
    await attempt({
      file,
      originals: [original],
      prepare: (folder) => finishStore(folder, KERNEL),
      read: (_, folder) => readStore(folder),
      expect: (_, folder) => readStoreSimply(folder),
      runs,
    });
  });
}

Deno.test("JSON, and the settings of a folder of arrays", async () => {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  await attempt({
    file: "a.json",
    originals: [text({ epochs: [1, 2.5, null], name: 'a "quoted" \\ text', nested: [[{}]] })],
    read: (path) => readJson(path, "a file of values"),
    expect: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
  });
  await attempt({
    file: "dataset.json",
    originals: [text({ classes: 4, mean: [0.5], std: [0.25], layout: "NCHW" })],
    prepare: async (folder) => {
      await Deno.writeFile(`${folder}/images.npy`, ARRAYS[2]);
      await Deno.writeFile(`${folder}/labels.npy`, encodeNpy(Int32Array.of(1, 3), [2]));
    },
    read: async (_, folder) => {
      const { classes, mean, std } = await readFolder(folder, "train");
      return { classes, mean, std };
    },
    expect: (bytes) => {
      const { classes = 4, mean = [0], std = [1] } = JSON.parse(new TextDecoder().decode(bytes));
      return { classes, mean: mean.slice(0, 1), std: std.slice(0, 1) };
    },
  });
});

Deno.test("what lies beside a kernel in one file", () => {
  const kernel = Float64Array.of(2, 1, 1, 2);
  const choice = { split: "train", size: 2, of: 9, sampleSeed: 3 };
  return attempt({
    file: "K.samples.json",
    originals: [new TextEncoder().encode(JSON.stringify({ choice }))],
    prepare: async (folder) => {
      await Deno.writeFile(`${folder}/K.npy`, encodeNpy(kernel, [2, 2]));
      await Deno.writeFile(`${folder}/K.samples.npy`, encodeNpy(Int32Array.of(4, 7), [2]));
    },
    read: async (_, folder) => {
      const { choice, indices } = await loadKernel(`${folder}/K.npy`);
      return { split: choice?.split, size: choice?.size, of: choice?.of, indices: [...indices!] };
    },
    expect: (bytes) => {
      const { split, size, of } = JSON.parse(new TextDecoder().decode(bytes)).choice;
      return { split, size, of, indices: [4, 7] };
    },
  });
});

Deno.test("settings of experiments: what is read, written and read again is the same", async () => {
  const experiment = EXPERIMENTS[0];
  const toml = encodeConfig(experiment.name, experiment.settings.parse({}));
  const settle = (text: string) =>
    readConfig(experiment, "default", { path: "c.toml", text }).settings;
  await attempt({
    file: "c.toml",
    originals: [new TextEncoder().encode(toml)],
    read: async (path) => settle(await Deno.readTextFile(path)),
    expect: (bytes) =>
      settle(encodeConfig(experiment.name, settle(new TextDecoder().decode(bytes)))),
  });
});
