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
    "images of 16-bit integers",
    { ...GREY, images: [new Uint16Array(12), [3, 2, 2]] },
    "images.npy",
    "got images of dtype <u2, need |u1 (uint8) from 0 to 255, or floats that are taken as they are; save images.astype('uint8') or images.astype('float32')",
  ],
  [
    "float64 images beyond float32",
    { ...GREY, images: [Float64Array.from({ length: 12 }, (_, i) => -(10 ** (4 * i))), [3, 2, 2]] },
    "images.npy",
    "got -1e+40 at element 10, need numbers within float32; scale them",
  ],
  [
    "float images of 5 axes",
    { ...GREY, images: [new Float32Array(12), [3, 2, 2, 1, 1]] },
    "images.npy",
    "got images of shape [3, 2, 2, 1, 1], need [N, H, W], [N, C, H, W] or [N, H, W, C], or [N, D] for a table",
  ],
  [
    "flat images",
    { ...GREY, images: [count(12), [3, 4]] },
    "images.npy",
    "got images of shape [3, 4], need [N, H, W], [N, C, H, W] or [N, H, W, C]; reshape pictures, and save a table as images.astype('float32')",
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
    "got labels of shape [3, 2], need [N] or [N, 1]",
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

/** Writes folders with NumPy: `save(folder, name, array)`, and `settle(folder, settings)` for `dataset.json`. */
async function writeByNumPy(path: string, script: string): Promise<void> {
  const tools = `
import json, os, sys, numpy as n
os.chdir(sys.argv[1])
def save(folder, name, array):
    os.makedirs(folder, exist_ok=True)
    n.save(f'{folder}/{name}.npy', array, allow_pickle=True)
def settle(folder, settings):
    json.dump(settings, open(f'{folder}/dataset.json', 'w'))
`;
  const { success, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: ["-c", tools + script, path],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

Deno.test("NumPy's floats of 16, 32 and 64 bits are taken as they are, tables and both layouts too", async () => {
  await using temp = await openTempFolder();
  await writeByNumPy(
    temp.path,
    `
x = n.arange(48).reshape(2, 3, 4, 2) * 0.3 - 5
for t in ['f2', 'f4', 'f8']:
    save(t, 'images', x.astype(t)); save(t, 'labels', n.array([1, 0])); settle(t, {'layout': 'NHWC', 'mean': [1, 2], 'std': [3]})
save('first', 'images', n.asfortranarray(x.transpose(0, 3, 1, 2))); save('first', 'labels', n.array([[1], [0]])); settle('first', {'layout': 'NCHW'})
save('table', 'images', x.reshape(6, 8)); save('table', 'labels', n.arange(6))
`,
  );
  const value = (i: number) => i * 0.3 - 5;
  for (
    const [type, round] of [["f2", Math.f16round], ["f4", Math.fround], [
      "f8",
      Math.fround,
    ]] as const
  ) {
    const { images, shape, mean, std } = await readFolder(`${temp.path}/${type}`, "train");
    assert.deepEqual(images, Float32Array.from({ length: 48 }, (_, i) => round(value(i))), type);
    assert.deepEqual({ shape, mean, std }, { shape: [3, 4, 2], mean: [1, 2], std: [3, 3] });
  }
  const first = await readFolder(`${temp.path}/first`, "train");
  assert.deepEqual(first.images, Float32Array.from({ length: 48 }, (_, i) => value(i)));
  assert.deepEqual([first.shape, first.mean, first.std], [[3, 4, 2], [0, 0], [1, 1]]);
  const table = await readFolder(`${temp.path}/table`, "train");
  assert.deepEqual(table.images, first.images);
  assert.deepEqual([table.shape, table.labels.length], [[1, 1, 8], 6]);
});

Deno.test("NumPy's labels that are texts become classes in code point order, of both splits together", async () => {
  await using temp = await openTempFolder();
  await writeByNumPy(
    temp.path,
    `
names = ['\u{1f438}', '\ufb01sh', 'b', 'B', 'b']
for folder, labels in [('U', n.array(names)), ('S', n.array([name.encode() for name in names])), ('named', n.array(names))]:
    save(folder, 'images', n.zeros((5, 2, 2), 'u1')); save(folder, 'labels', labels)
    save(folder, 'test_images', n.zeros((2, 2, 2), 'u1')); save(folder, 'test_labels', labels.astype(labels.dtype)[:2][::-1])
save('U', 'test_labels', n.array(['a', 'b']))
settle('named', {'classes': ['b', '\ufb01sh', '\u{1f438}', 'none', 'B']})
save('object', 'images', n.zeros((1, 2, 2), 'u1')); save('object', 'labels', n.array(['a'], dtype=object))
`,
  );
  const read = async (folder: string, split: "train" | "test") => {
    const { labels, classNames, classes } = await readFolder(`${temp.path}/${folder}`, split);
    return { labels: [...labels], classNames, classes };
  };
  // as Python's sorted() has them; UTF-16 would put the frog before the fish
  const five = ["B", "a", "b", "\ufb01sh", "\u{1f438}"];
  assert.deepEqual(await read("U", "train"), {
    labels: [4, 3, 2, 0, 2],
    classNames: five,
    classes: 5,
  });
  assert.deepEqual(await read("U", "test"), { labels: [1, 2], classNames: five, classes: 5 });
  const four = ["B", "b", "\ufb01sh", "\u{1f438}"];
  assert.deepEqual(await read("S", "train"), {
    labels: [3, 2, 1, 0, 1],
    classNames: four,
    classes: 4,
  });
  assert.deepEqual(await read("S", "test"), { labels: [2, 3], classNames: four, classes: 4 });
  const named = ["b", "\ufb01sh", "\u{1f438}", "none", "B"];
  assert.deepEqual(await read("named", "train"), {
    labels: [2, 1, 0, 4, 0],
    classNames: named,
    classes: 5,
  });
  await assert.rejects(read("object", "train"), {
    message:
      `Cannot read ${temp.path}/object/labels.npy: got Python objects, need numbers or texts; save array.astype('<f4') instead, or array.astype(str)`,
  });
});

const BAD_NAMES: [settings: unknown, labels: [NpyData, number[]], state: string][] = [
  [
    { classes: ["a", "a"] },
    [Uint8Array.of(0, 1, 0), [3]],
    'got class name "a" twice, need another for each class',
  ],
  [
    { classes: ["a", "b"] },
    [Uint8Array.of(0, 2, 0), [3]],
    "got label 2 at index 1, need an integer in 0..1",
  ],
];

for (const [settings, labels, state] of BAD_NAMES) {
  Deno.test(`names of classes are refused: ${state}`, async () => {
    await using folder = await openDataFolder({ ...GREY, labels }, settings);
    await assert.rejects(readFolder(folder.path, "train"), {
      name: "DataError",
      message: `Cannot use data set ${folder.path}: ${state}`,
    });
  });
}

/** Encodes texts as NumPy's `<U` of a length, from the specification. */
function encodeTexts(texts: readonly string[], length: number): Uint8Array {
  const points = texts.flatMap((text) => {
    const letters = Array.from(text, (letter) => letter.codePointAt(0)!);
    return [...letters, ...Array.from({ length: length - letters.length }, () => 0)];
  });
  const bytes = encodeNpy(Int32Array.from(points), [points.length]);
  const header = `{'descr': '<U${length}', 'fortran_order': False, 'shape': (${texts.length},), }`;
  bytes.set(new TextEncoder().encode(header.padEnd(117)), 10);
  return bytes;
}

const BAD_TEXTS: [what: string, bytes: Uint8Array, settings: unknown, message: string][] = [
  ["a name that is not in the list", encodeTexts(["cat", "dog", "cat"], 3), {
    classes: ["cat", "frog"],
  }, "Cannot use data set FOLDER: got label dog at index 1, need one of the classes cat, frog"],
  [
    "another number of classes",
    encodeTexts(["cat", "dog", "cat"], 3),
    { classes: 3 },
    'Cannot use data set FOLDER: got 2 names among the labels for 3 classes, need "classes" in dataset.json to be the list of names',
  ],
  [
    "an empty text",
    encodeTexts(["cat", "", "cat"], 3),
    {},
    "Cannot read FOLDER/labels.npy: got an empty text at index 1, need names of classes",
  ],
  [
    "half of a pair",
    encodeTexts(["cat", "\ud800", "cat"], 3),
    {},
    "Cannot read FOLDER/labels.npy: got a broken text at index 1, need Unicode",
  ],
  [
    "too few texts",
    encodeTexts(["cat", "dog", "cat"], 3).subarray(0, -4),
    {},
    "Cannot read FOLDER/labels.npy: got 32 bytes of data, need 36 for <U3 of shape [3]",
  ],
];

for (const [what, bytes, settings, message] of BAD_TEXTS) {
  Deno.test(`labels that are texts are refused for ${what}`, async () => {
    await using folder = await openDataFolder(GREY, settings);
    await Deno.writeFile(`${folder.path}/labels.npy`, bytes);
    await assert.rejects(readFolder(folder.path, "train"), {
      message: message.replace("FOLDER", folder.path),
    });
  });
}

Deno.test("texts for one split and integers for the other are refused", async () => {
  await using folder = await openDataFolder({ ...GREY, test_labels: [Uint8Array.of(1), [1]] });
  await Deno.writeFile(`${folder.path}/labels.npy`, encodeTexts(["a", "b", "a"], 2));
  await assert.rejects(
    readFolder(folder.path, "train"),
    /got labels that are texts for one split and integers for the other/,
  );
});
