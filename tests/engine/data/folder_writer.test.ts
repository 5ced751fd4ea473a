import assert from "node:assert/strict";
import fc from "fast-check";
import { createDataset, type Dataset, takeSamples } from "../../../engine/data/dataset.ts";
import { hashDataset } from "../../../engine/data/digest.ts";
import { readFolder } from "../../../engine/data/folder.ts";
import { readNpy } from "../../../engine/formats/npy.ts";
import { writeFolder } from "../../../engine/data/folder_writer.ts";
import { openTempFolder } from "../../temp_folder.ts";

/** Data set of `size` samples with odd values in everything that is stored. */
function settle(size: number, shape: Dataset["shape"], split: Dataset["split"] = "train"): Dataset {
  const [height, width, channels] = shape;
  const numbers = (value: number) => Array.from({ length: channels }, (_, c) => value / (c + 3));
  return createDataset({
    name: "odd",
    split,
    images: Uint8Array.from({ length: size * height * width * channels }, (_, i) => i * 31 % 256),
    labels: Array.from({ length: size }, (_, n) => n * 7 % 3),
    shape,
    classes: 3,
    mean: numbers(0.1),
    std: numbers(1 / 3),
  });
}

const NAMES = ["=frog", 'a,"b"', "\u{1f438}"];

/** What a folder keeps of a data set. */
function strip({ name: _name, indices: _indices, ...kept }: Dataset) {
  return kept;
}

Deno.test("what is written is read again to the last bit, with names and files", async () => {
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 6 }),
  );
  const files = fc.string({
    unit: fc.constantFrom(..."'=-@\t\r\n\", ./aé\u{1f600}"),
    minLength: 1,
  });
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.array(files, { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (shape, files, isNamed) => {
        await using temp = await openTempFolder();
        const path = `${temp.path}/new`;
        const train: Dataset = {
          ...settle(files.length, shape),
          ...isNamed && { classNames: NAMES, files },
        };
        const test: Dataset = { ...settle(2, shape, "test"), ...isNamed && { classNames: NAMES } };
        await writeFolder(path, { train, test });
        const [first, second] = [await readFolder(path, "train"), await readFolder(path, "test")];
        assert.deepEqual(strip(first), strip(train));
        assert.deepEqual(strip(second), strip(test));
        assert.equal(hashDataset(first), hashDataset(train));
      },
    ),
    { numRuns: 12 },
  );
});

Deno.test("floats and rows of a table are written and read again to the last bit", async () => {
  for (
    const [shape, stored] of [[[2, 3, 2], [3, 2, 3, 2]], [[1, 1, 5], [3, 5]], [[1, 1, 1], [
      3,
      1,
      1,
    ]]] as const
  ) {
    await using temp = await openTempFolder();
    const bytes = settle(3, shape);
    const images = Float32Array.from(bytes.images, (value) => (value - 99) / 7e20);
    const train = createDataset({ ...bytes, images });
    await writeFolder(`${temp.path}/new`, { train });
    assert.deepEqual(strip(await readFolder(`${temp.path}/new`, "train")), strip(train));
    assert.deepEqual((await readNpy(`${temp.path}/new/images.npy`)).shape, stored);
    // a number of its own for every column only where they differ
    const { mean } = JSON.parse(await Deno.readTextFile(`${temp.path}/new/dataset.json`));
    assert.equal(mean.length, shape[2]);
    const same = { ...train, mean: train.mean.map(() => 2) };
    await writeFolder(`${temp.path}/same`, { train: same });
    const settings = JSON.parse(await Deno.readTextFile(`${temp.path}/same/dataset.json`));
    assert.deepEqual(settings.mean, [2]);
    assert.deepEqual((await readFolder(`${temp.path}/same`, "train")).mean, same.mean);
  }
});

Deno.test("a subset is written as a data set of its own, with the files of its samples", async () => {
  await using temp = await openTempFolder();
  const whole: Dataset = { ...settle(3, [1, 2, 1]), files: ["a", "b", "c"] };
  await writeFolder(`${temp.path}/new`, { train: takeSamples(whole, [2, 0]) });
  const read = await readFolder(`${temp.path}/new`, "train");
  assert.deepEqual(read.files, ["c", "a"]);
  assert.equal(read.indices, undefined);
  const list = await Deno.readTextFile(`${temp.path}/new/files.csv`);
  assert.equal(list, "index,file,label\n0,c,2\n1,a,0\n");
});

Deno.test("NumPy and Python's json read what is written", async () => {
  await using temp = await openTempFolder();
  const train: Dataset = { ...settle(2, [2, 1, 3]), classNames: NAMES };
  await writeFolder(`${temp.path}/new`, { train });
  const script =
    "import json,numpy as n,os,sys\nos.chdir(sys.argv[1])\ni,l=n.load('images.npy'),n.load('labels.npy')\n" +
    "print(json.dumps([i.tolist(),str(i.dtype),l.tolist(),str(l.dtype),json.load(open('dataset.json'))]))";
  const { stdout } = await new Deno.Command("/usr/bin/python3", {
    args: ["-c", script, `${temp.path}/new`],
  }).output();
  const [images, imageType, labels, labelType, settings] = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  assert.deepEqual(images.flat(3), [...train.images]);
  assert.deepEqual(images[0].length, 2);
  assert.deepEqual([imageType, labelType], ["uint8", "int32"]);
  assert.deepEqual(labels, [...train.labels]);
  assert.deepEqual(settings, { classes: NAMES, mean: train.mean, std: train.std, layout: "NHWC" });
});

Deno.test("splits that differ are refused, and nothing is written", async () => {
  await using temp = await openTempFolder();
  const train = settle(2, [2, 2, 1]);
  const tests: [Partial<Dataset>, string][] = [
    [{ classes: 4 }, "classes 3 to train on and 4"],
    [{ classNames: NAMES }, 'classNames nothing to train on and ["=frog","a,\\"b\\"","🐸"]'],
    [{ std: [2] }, "std [0.1111111111111111] to train on and [2]"],
    [{ shape: [4, 1, 1] }, "shape [2,2,1] to train on and [4,1,1]"],
  ];
  for (const [parts, state] of tests) {
    await assert.rejects(writeFolder(`${temp.path}/new`, { train, test: { ...train, ...parts } }), {
      name: "DataError",
      message:
        `Cannot write data sets odd and odd into one folder: got ${state} to test on, need the same`,
    });
    await assert.rejects(Deno.stat(`${temp.path}/new`), Deno.errors.NotFound);
  }
});

Deno.test("a folder with anything in it is refused and left alone, an empty one is filled, what a kill left is cleared", async () => {
  await using temp = await openTempFolder();
  const train = settle(2, [2, 2, 1]);
  for (const name of ["images.npy", "notes.txt"]) {
    await Deno.writeTextFile(`${temp.path}/${name}`, "mine");
    await assert.rejects(writeFolder(temp.path, { train }), {
      name: "FileError",
      message:
        `Cannot write ${temp.path}: got a folder with other files (${name}), need an empty or a new one`,
    });
    assert.equal(await Deno.readTextFile(`${temp.path}/${name}`), "mine");
    await Deno.remove(`${temp.path}/${name}`);
  }
  await Deno.mkdir(`${temp.path}/.partial`);
  await Deno.writeTextFile(`${temp.path}/.partial/mine.txt`, "mine");
  await assert.rejects(writeFolder(temp.path, { train }), /got a folder with mine.txt, which/);
  await Deno.rename(`${temp.path}/.partial/mine.txt`, `${temp.path}/.partial/labels.npy`);
  await writeFolder(temp.path, { train });
  const names = Array.from(Deno.readDirSync(temp.path), ({ name }) => name).sort();
  assert.deepEqual(names, ["dataset.json", "images.npy", "labels.npy"]);
});

Deno.test("a disk that fails while the files appear leaves none of them", async () => {
  await using temp = await openTempFolder();
  const { rename } = Deno;
  using _disk = {
    [Symbol.dispose]: () => {
      Deno.rename = rename;
    },
  };
  Deno.rename = (from, to) => {
    const isLast = String(to) === `${temp.path}/images.npy`;
    return isLast ? Promise.reject(Object.assign(new Error(), { code: "EIO" })) : rename(from, to);
  };
  await assert.rejects(writeFolder(temp.path, { train: settle(2, [2, 2, 1]) }), {
    name: "FileError",
    message: `Cannot write ${temp.path}: got a failure of the disk, need a sound one`,
  });
  assert.deepEqual([...Deno.readDirSync(temp.path)], []);
});

Deno.test("what cannot be written whole leaves nothing", async () => {
  await using temp = await openTempFolder();
  const train = settle(2, [2, 2, 1]);
  const broken: Dataset = { ...train, images: train.images.subarray(1) };
  await assert.rejects(writeFolder(`${temp.path}/new`, { train: broken }));
  assert.deepEqual([...Deno.readDirSync(temp.path)], []);
});

const BAD_LISTS: [list: string, state: string][] = [
  ["index,file\n0,a\n", "1 files for 2 samples"],
  ["index,file\n1,a\n0,b\n", "index 1 in line 2"],
  ["index,file,label\n0,a,0\n1,b,2\n", "label 2 in line 3 and 1 in the labels"],
];

for (const [list, state] of BAD_LISTS) {
  Deno.test(`a list of files is refused with ${state}`, async () => {
    await using temp = await openTempFolder();
    await writeFolder(`${temp.path}/new`, { train: settle(2, [2, 2, 1]) });
    await Deno.writeTextFile(`${temp.path}/new/files.csv`, list);
    await assert.rejects(readFolder(`${temp.path}/new`, "train"), (error: Error) => {
      assert.equal(error.name, "FileError");
      assert.ok(
        error.message.startsWith(`Cannot read ${temp.path}/new/files.csv: got ${state}, need`),
        error.message,
      );
      return true;
    });
  });
}
