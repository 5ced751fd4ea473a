import assert from "node:assert/strict";
import fc from "fast-check";
import { readFolder } from "../../../engine/data/folder.ts";
import type { NpyData } from "../../../engine/formats/npy.ts";
import { encodeNpy } from "../../../engine/formats/npy.ts";
import { openTempFolder } from "../../temp_folder.ts";

type Arrays = Record<string, [data: NpyData, shape: number[]]>;

async function openDataFolder(arrays: Arrays, settings?: unknown) {
  const folder = await openTempFolder();
  for (const [name, [data, shape]] of Object.entries(arrays)) {
    await Deno.writeFile(`${folder.path}/${name}.npy`, encodeNpy(data, shape));
  }
  if (settings !== undefined) {
    const text = typeof settings === "string" ? settings : JSON.stringify(settings);
    await Deno.writeTextFile(`${folder.path}/dataset.json`, text);
  }
  return folder;
}

function count(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i);
}

const GREY: Arrays = {
  images: [count(12), [3, 2, 2]],
  labels: [BigInt64Array.of(0n, 2n, 1n), [3]],
};

Deno.test("a folder of grey images and int64 labels is a data set", async () => {
  await using folder = await openDataFolder(GREY);
  assert.deepEqual(await readFolder(folder.path, "train"), {
    name: folder.path,
    split: "train",
    images: count(12),
    labels: Int32Array.of(0, 2, 1),
    shape: [2, 2, 1],
    classes: 3,
    mean: [0],
    std: [1],
  });
});

Deno.test("labels of any integer type are read", async () => {
  for (const type of [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array]) {
    await using folder = await openDataFolder({ ...GREY, labels: [type.of(5, 0, 1), [3]] });
    const data = await readFolder(folder.path, "train");
    assert.deepEqual(data.labels, Int32Array.of(5, 0, 1));
    assert.equal(data.classes, 6);
  }
  await using folder = await openDataFolder({
    ...GREY,
    labels: [BigUint64Array.of(1n, 0n, 1n), [3]],
  });
  assert.deepEqual((await readFolder(folder.path, "train")).labels, Int32Array.of(1, 0, 1));
});

Deno.test("dataset.json gives classes, mean and std", async () => {
  await using folder = await openDataFolder(GREY, { classes: 10, mean: [0.5], std: [0.25] });
  const { classes, mean, std } = await readFolder(folder.path, "train");
  assert.deepEqual({ classes, mean, std }, { classes: 10, mean: [0.5], std: [0.25] });
});

Deno.test("the test split has its own files and the classes of the training split", async () => {
  await using folder = await openDataFolder({
    ...GREY,
    test_images: [count(8).reverse(), [2, 2, 2]],
    test_labels: [Uint8Array.of(1, 0), [2]],
  });
  const data = await readFolder(folder.path, "test");
  assert.deepEqual(data.labels, Int32Array.of(1, 0));
  assert.deepEqual(data.images, count(8).reverse());
  assert.equal(data.classes, 3);
});

Deno.test("a test split may be alone, and may have classes that training lacks", async () => {
  const test: Arrays = {
    test_images: [count(4), [1, 2, 2]],
    test_labels: [Uint8Array.of(6), [1]],
  };
  for (const arrays of [test, { ...GREY, ...test }]) {
    await using folder = await openDataFolder(arrays);
    assert.equal((await readFolder(folder.path, "test")).classes, 7);
  }
});

Deno.test("channels-first images are moved to channels-last, element for element", async () => {
  const sizes = fc.integer({ min: 1, max: 4 });
  await fc.assert(
    fc.asyncProperty(sizes, sizes, sizes, sizes, async (N, C, H, W) => {
      const images = count(N * C * H * W);
      await using folder = await openDataFolder({
        images: [images, [N, C, H, W]],
        labels: [new Uint8Array(N), [N]],
      }, { layout: "NCHW" });
      const data = await readFolder(folder.path, "train");
      assert.deepEqual(data.shape, [H, W, C]);
      for (let n = 0; n < N; n++) {
        for (let h = 0; h < H; h++) {
          for (let w = 0; w < W; w++) {
            for (let c = 0; c < C; c++) {
              assert.equal(
                data.images[((n * H + h) * W + w) * C + c],
                images[((n * C + c) * H + h) * W + w],
              );
            }
          }
        }
      }
    }),
    { numRuns: 20 },
  );
});

const LAYOUTS: [shape: number[], layout: string | undefined, expected: number[]][] = [
  [[1, 3, 4, 5], undefined, [4, 5, 3]],
  [[1, 1, 4, 5], undefined, [4, 5, 1]],
  [[1, 4, 5, 3], undefined, [4, 5, 3]],
  [[1, 4, 5, 1], undefined, [4, 5, 1]],
  [[1, 3, 5, 3], "NHWC", [3, 5, 3]],
  [[1, 3, 5, 1], "NCHW", [5, 1, 3]],
  [[1, 2, 4, 5], "NCHW", [4, 5, 2]],
];

for (const [shape, layout, expected] of LAYOUTS) {
  Deno.test(`images [${shape}] are [${expected}] with layout ${layout ?? "inferred"}`, async () => {
    const images = count(shape.reduce((product, size) => product * size));
    await using folder = await openDataFolder(
      { images: [images, shape], labels: [Uint8Array.of(0), [1]] },
      layout && { layout },
    );
    assert.deepEqual((await readFolder(folder.path, "train")).shape, expected);
  });
}

Deno.test("an ambiguous layout is an error that says what to write", async () => {
  for (const shape of [[1, 3, 5, 3], [1, 2, 5, 4]]) {
    const images = count(shape.reduce((product, size) => product * size));
    await using folder = await openDataFolder({ images: [images, shape], labels: GREY.labels });
    await assert.rejects(readFolder(folder.path, "train"), {
      name: "FileError",
      message:
        `Cannot tell the layout of ${folder.path}/images.npy: got shape [${shape.join(", ")}], ` +
        'need "layout": "NCHW" or "NHWC" in dataset.json',
    });
  }
});

const KEYS = "classes, mean, std, layout";
const BAD_SETTINGS: [settings: unknown, state: string][] = [
  ["{", "got broken JSON, need an object"],
  ["[]", `got [], need an object with keys ${KEYS}`],
  [{ means: [0] }, `got key "means", need one of ${KEYS}`],
  [{ classes: 2.5 }, 'got 2.5 for "classes", need an integer of at least 1, or a list of names'],
  [{ classes: "10" }, 'got "10" for "classes", need an integer of at least 1, or a list of names'],
  [{ mean: 0.5 }, 'got 0.5 for "mean", need a list of numbers, one per channel'],
  [{ mean: [0.5, "x"] }, 'got [0.5,"x"] for "mean", need a list of numbers, one per channel'],
  [{ std: [0] }, 'got [0] for "std", need a list of numbers above 0, one per channel'],
  [{ layout: "CHW" }, 'got "CHW" for "layout", need "NCHW" or "NHWC"'],
];

for (const [settings, state] of BAD_SETTINGS) {
  Deno.test(`dataset.json is refused when it holds ${JSON.stringify(settings)}`, async () => {
    await using folder = await openDataFolder(GREY, settings);
    const path = `${folder.path}/dataset.json`;
    await assert.rejects(readFolder(folder.path, "train"), {
      name: "FileError",
      path,
      message: `Cannot read ${path}: ${state}`,
    });
  });
}

const BAD_ARRAYS: [what: string, arrays: Arrays, name: string, state: string][] = [
  [
    "missing images",
    { labels: GREY.labels },
    "images.npy",
    "got no such file, need a NumPy .npy file",
  ],
  [
    "missing labels",
    { images: GREY.images },
    "labels.npy",
    "got no such file, need a NumPy .npy file",
  ],
  [
    "float images",
    { ...GREY, images: [new Float32Array(12), [3, 2, 2]] },
    "images.npy",
    "got images of dtype <f4, need |u1 (uint8); of numbers from 0 to 1 save (images * 255).round().astype('uint8')",
  ],
  [
    "flat images",
    { ...GREY, images: [count(12), [3, 4]] },
    "images.npy",
    "got images of shape [3, 4], need [N, H, W], [N, C, H, W] or [N, H, W, C]",
  ],
  [
    "float labels",
    { ...GREY, labels: [new Float64Array(3), [3]] },
    "labels.npy",
    "got labels of dtype <f8, need integers; save labels.astype('int64') instead",
  ],
  [
    "one-hot labels",
    { ...GREY, labels: [new Uint8Array(6), [3, 2]] },
    "labels.npy",
    "got labels of shape [3, 2], need [N]",
  ],
];

for (const [what, arrays, name, state] of BAD_ARRAYS) {
  Deno.test(`a folder with ${what} is refused`, async () => {
    await using folder = await openDataFolder(arrays);
    const path = `${folder.path}/${name}`;
    await assert.rejects(readFolder(folder.path, "train"), {
      name: "FileError",
      path,
      message: `Cannot read ${path}: ${state}`,
    });
  });
}

Deno.test("labels that do not fit the classes are a DataError", async () => {
  await using folder = await openDataFolder(GREY, { classes: 2 });
  await assert.rejects(readFolder(folder.path, "train"), {
    name: "DataError",
    message: `Cannot use data set ${folder.path}: got label 2 at index 1, need an integer in 0..1`,
  });
});
