import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { encode } from "npm:fast-png@8.0.0";
import { parquetWriteBuffer } from "npm:hyparquet-writer@0.17.0";
import { createDataset, type Dataset, takeSamples } from "../../../engine/data/dataset.ts";
import { writeFolder } from "../../../engine/data/folder_writer.ts";
import { hasSplit, loadDataset } from "../../../engine/data/named.ts";
import { readParquet } from "../../../engine/data/parquet.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { pretend } from "../gpu/environment.ts";
import { SNAPPY, ZSTD } from "./parquet_fixtures.ts";
import { settle } from "./pictures/fixtures.ts";

type WriteOptions = Parameters<typeof parquetWriteBuffer>[0];
type Schema = NonNullable<WriteOptions["schema"]>;

const PICTURE: Schema = [
  { name: "image", repetition_type: "OPTIONAL", num_children: 2 },
  { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
  { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
];
const INTEGER: Schema[number] = { name: "label", type: "INT64", repetition_type: "OPTIONAL" };

/** Metadata as Hugging Face's libraries write them. */
function describeFeatures(features: Record<string, unknown>) {
  return [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }];
}

function featuresOf(names: readonly string[]) {
  return describeFeatures({ image: { _type: "Image" }, label: { names, _type: "ClassLabel" } });
}

/** Writes pictures and labels as Hugging Face stores them. */
async function write(
  path: string,
  pictures: readonly unknown[],
  labels: readonly unknown[],
  options: Partial<Omit<WriteOptions, "columnData">> = {},
): Promise<void> {
  const { schema = [...PICTURE, INTEGER], ...rest } = options;
  const columnData: WriteOptions["columnData"] = [
    { name: "image", data: [...pictures] },
    { name: "label", data: [...labels] },
  ];
  const root = { name: "root", num_children: 2 };
  const buffer = parquetWriteBuffer({ columnData, schema: [root, ...schema], ...rest });
  await Deno.writeFile(path, new Uint8Array(buffer));
}

/** Reads without the user's cache folder. */
async function read(
  path: string,
  split: "train" | "test" = "train",
  options = {},
): Promise<Dataset> {
  await using cache = await openTempFolder();
  using _environment = pretend({ XDG_CACHE_HOME: cache.path });
  return await loadDataset(path, split, options);
}

function toPng({ images, shape: [height, width, channels] }: Dataset, n: number): Uint8Array {
  const size = height * width * channels;
  const data = Uint8Array.from(images.subarray(n * size, (n + 1) * size));
  return encode({ height, width, channels, depth: 8, data });
}

for (const [codec, bytes] of Object.entries({ SNAPPY, ZSTD })) {
  Deno.test(`what Apache Arrow writes with ${codec} is read, with names of classes and files`, async () => {
    await using temp = await openTempFolder();
    const path = `${temp.path}/a.parquet`;
    await Deno.writeFile(path, bytes);
    const data = await read(path);
    assert.deepEqual(data, {
      name: path,
      split: "train",
      images: Uint8Array.from({ length: 30 }, (_, i) => 67 * Math.floor(i / 6) + 31 * (i % 6)),
      labels: Int32Array.of(2, 0, 1, 2, 0),
      shape: [2, 3, 1],
      classes: 3,
      classNames: ["cat", "frog", "ship"],
      files: ["e.png", "d.png", "c.png", "b.png", "a.png"],
      mean: [0],
      std: [1],
    });
    using _environment = pretend({ XDG_CACHE_HOME: temp.path });
    assert.deepEqual(await loadDataset(path, "train"), data, "decoded");
    assert.deepEqual(await loadDataset(path, "train"), data, "from the cache folder");
    assert.equal(await hasSplit(path, "test"), false);
  });
}

Deno.test("tables that are not compressed, or by gzip and Brotli, are read", async () => {
  await using temp = await openTempFolder();
  const path = `${temp.path}/a.parquet`;
  const compressors = { GZIP: gzipSync, BROTLI: brotliCompressSync };
  for (const codec of ["UNCOMPRESSED", "GZIP", "BROTLI"] as const) {
    const pictures = PNGS.map((bytes) => ({ bytes, path: null }));
    await write(path, pictures, [0n, 1n, 0n], { codec, compressors });
    const { name: _, ...data } = await read(path);
    const { name: __, ...expected } = SAMPLES;
    assert.deepEqual(data, expected, codec);
  }
});

Deno.test("the same data through folders of pictures and of arrays, an .npz and Parquet is the same data set", async () => {
  await using temp = await openTempFolder();
  const classNames = ["B", "a", "\ufb01sh", "\u{1f438}"];
  for (const channels of [1, 3]) {
    const root = `${temp.path}/${channels}`;
    const make = (split: "train" | "test", count: number): Dataset =>
      createDataset({
        name: "d",
        split,
        images: Uint8Array.from({ length: count * 20 * channels }, (_, i) => i * 37 + count * 11),
        labels: Array.from({ length: count }, (_, n) => Math.floor(n * 4 / count)),
        shape: [4, 5, channels],
        classes: 4,
        classNames,
      });
    const splits = { train: make("train", 11), test: make("test", 6) };
    await writeFolder(`${root}/arrays`, splits);
    for (const folder of ["parquet/data", "texts"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    }
    for (const [split, data] of Object.entries(splits)) {
      const pictures = Array.from(data.labels, (_, n) => ({ bytes: toPng(data, n), path: null }));
      const names = Array.from(data.labels, (label) => classNames[label]);
      // two parts of the training split
      for (const [part, of] of split === "train" ? [[0, 2], [1, 2]] : [[0, 1]]) {
        const [start, end] = of === 1 ? [0, 6] : part === 0 ? [0, 7] : [7, 11];
        const file = `${root}/parquet/data/${split}-0000${part}-of-0000${of}.parquet`;
        const labels = Array.from(data.labels.subarray(start, end), BigInt);
        await write(file, pictures.slice(start, end), labels, {
          kvMetadata: featuresOf(classNames),
          rowGroupSize: 3,
        });
      }
      const schema: Schema = [
        { name: "image", type: "BYTE_ARRAY", repetition_type: "REQUIRED" },
        { name: "label", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      ];
      await write(`${root}/texts/${split}.parquet`, pictures.map(({ bytes }) => bytes), names, {
        schema,
      });
      for (const [n, { bytes }] of pictures.entries()) {
        await Deno.mkdir(`${root}/pictures/${split}/${names[n]}`, { recursive: true });
        await Deno.writeFile(`${root}/pictures/${split}/${names[n]}/${100 + n}.png`, bytes);
      }
    }
    await archive(root);
    for (const [split, expected] of Object.entries(splits) as ["train" | "test", Dataset][]) {
      for (const place of ["arrays", "pictures", "parquet", "texts", "a.npz"]) {
        const { name, files, ...data } = await read(`${root}/${place}`, split);
        const { name: _, ...rest } = expected;
        assert.deepEqual(data, rest, `${place} ${split}`);
        assert.equal(name, `${root}/${place}`);
        assert.equal(files?.length, place === "pictures" ? expected.labels.length : undefined);
      }
    }
  }
});

/** Writes the arrays of a folder as `a.npz` by NumPy, with labels that are texts. */
async function archive(root: string): Promise<void> {
  const script = `
import json, numpy as n, os, sys
os.chdir(sys.argv[1])
a = {name: n.load(f'arrays/{name}.npy') for name in ['images', 'labels', 'test_images', 'test_labels']}
names = n.array(json.load(open('arrays/dataset.json'))['classes'])
n.savez_compressed('a.npz', x_train=a['images'], y_train=names[a['labels']], x_test=a['test_images'], y_test=names[a['test_labels']])
`;
  const { success, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: ["-c", script, root],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

const SAMPLES = createDataset({
  name: "s",
  split: "train",
  images: Uint8Array.from({ length: 24 }, (_, i) => i * 10),
  labels: [0, 1, 0],
  shape: [2, 4, 1],
  classes: 2,
});
const PNGS = [0, 1, 2].map((n) => toPng(SAMPLES, n));

Deno.test("pictures without bytes and broken ones are noted and left out, or end a strict reading", async () => {
  await using temp = await openTempFolder();
  const path = `${temp.path}/a.parquet`;
  const pictures = [
    { bytes: PNGS[0], path: "x.png" },
    { bytes: null, path: "y.png" },
    { bytes: PNGS[1], path: "z.png" },
    { bytes: PNGS[2].subarray(0, 20), path: "cut.png" },
  ];
  await write(path, pictures, [0n, 1n, 1n, 0n]);
  const notes: string[] = [];
  const data = await read(path, "train", { onNote: (note: string) => notes.push(note) });
  assert.deepEqual(data.images, takeSamples(SAMPLES, [0, 1]).images);
  assert.deepEqual([[...data.labels], data.files], [[0, 1], ["x.png", "z.png"]]);
  assert.deepEqual(notes, [
    "left out y.png: got no bytes, need those of a picture in the table",
    "left out cut.png: got a PNG that is cut off, need a whole one",
    `left out 2 of 4 pictures of ${path} that cannot be read`,
  ]);
  await assert.rejects(read(path, "train", { strict: true }), {
    message:
      `Cannot read picture y.png of ${path}: got no bytes, need those of a picture in the table`,
  });
});

Deno.test("pictures whose paths are missing or come twice have no files, and are resized like any", async () => {
  await using temp = await openTempFolder();
  const path = `${temp.path}/a.parquet`;
  for (const paths of [["a", "a", "b"], ["a", null, "b"], ["", "c", "b"]]) {
    await write(path, PNGS.map((bytes, n) => ({ bytes, path: paths[n] })), [0n, 1n, 0n]);
    const { name: _, files, ...data } = await read(path);
    const { name: __, ...expected } = SAMPLES;
    assert.deepEqual(data, expected);
    assert.equal(files, undefined);
  }
  assert.deepEqual((await read(path, "train", { imageSize: [1, 2] })).shape, [1, 2, 1]);
});

Deno.test("validation is tested on where there is no test", async () => {
  await using temp = await openTempFolder();
  const pictures = PNGS.map((bytes) => ({ bytes, path: null }));
  await write(`${temp.path}/train.parquet`, pictures, [0n, 1n, 0n]);
  await write(`${temp.path}/validation-00000-of-00001.parquet`, pictures.slice(1), [3n, 0n]);
  assert.deepEqual([...(await read(temp.path, "test")).labels], [3, 0]);
  assert.equal((await read(temp.path, "train")).classes, 4);
  await write(`${temp.path}/test-00000-of-00001-9b6bdf1a2c3d4e5f.parquet`, pictures.slice(2), [2n]);
  assert.deepEqual([...(await read(temp.path, "test")).labels], [2]);
});

const text = (name: string): Schema[number] => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "OPTIONAL",
});
const bytes: Schema[number] = { name: "image", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" };

const REFUSED: [
  what: string,
  schema: Schema,
  images: unknown[],
  labels: unknown[],
  state: string,
][] = [
  [
    "no picture",
    [{ ...INTEGER, name: "image" }, INTEGER],
    [1n],
    [1n],
    "got no column of pictures (bytes, or bytes and path) among image (integer), label (integer), need one",
  ],
  [
    "two of pictures",
    [bytes, { ...bytes, name: "label" }],
    [PNGS[0]],
    [PNGS[0]],
    "got columns image, label of pictures (bytes, or bytes and path) among image (bytes), label (bytes), need one",
  ],
  ["no label", [bytes, { name: "label", type: "DOUBLE", repetition_type: "OPTIONAL" }], [PNGS[0]], [
    0.5,
  ], "got no column of labels (integers or texts) among image (bytes), label (other), need one"],
  [
    "a label that is missing",
    [bytes, INTEGER],
    PNGS.slice(1),
    [1n, null],
    "got no label in row 1 of column label, need a class for every picture",
  ],
  [
    "a label of no class",
    [bytes, INTEGER],
    PNGS.slice(1),
    [1n, -1n],
    "got label -1n in row 1 of column label, need a class for every picture",
  ],
  [
    "an empty text",
    [bytes, text("label")],
    PNGS.slice(1),
    ["a", ""],
    'got label "" in row 1 of column label, need a class for every picture',
  ],
];

for (const [what, schema, images, labels, state] of REFUSED) {
  Deno.test(`a table with ${what} is refused`, async () => {
    await using temp = await openTempFolder();
    const path = `${temp.path}/a.parquet`;
    await write(path, images, labels, { schema });
    await assert.rejects(read(path), {
      name: "FileError",
      message: `Cannot read ${path}: ${state}`,
    });
  });
}

Deno.test("tables that are not read are named", async () => {
  await using temp = await openTempFolder();
  const pictures = PNGS.map((bytes) => ({ bytes, path: null }));
  const names = ["train", "test", "validation", "train_2", "unlabeled-00000-of-00001"];
  for (const name of names) await write(`${temp.path}/${name}.parquet`, pictures, [0n, 1n, 0n]);
  const notes: string[] = [];
  const data = await read(temp.path, "train", { onNote: (note: string) => notes.push(note) });
  assert.equal(data.labels.length, 3);
  assert.deepEqual(notes, [
    `left out of ${temp.path}, since it has another split to test on: validation.parquet`,
    `left out of ${temp.path}, since it is named for no split: train_2.parquet, unlabeled-00000-of-00001.parquet`,
  ]);
});

Deno.test("parts whose labels are of two kinds are refused", async () => {
  await using temp = await openTempFolder();
  const pictures = PNGS.map((bytes) => ({ bytes, path: null }));
  const part = (n: number) => `${temp.path}/train-0000${n}-of-00002.parquet`;
  await write(part(0), pictures, [0n, 1n, 0n]);
  await write(part(1), pictures, ["a", "b", "a"], { schema: [...PICTURE, text("label")] });
  await assert.rejects(read(temp.path), {
    name: "FileError",
    message: `Cannot read ${part(1)}: got other columns or names of classes than in ${
      part(0)
    }, need the same`,
  });
});

Deno.test("missing parts, files that are no Parquet and a label beyond the names are refused in one line", async () => {
  await using temp = await openTempFolder();
  const pictures = PNGS.map((bytes) => ({ bytes, path: null }));
  const part = `${temp.path}/train-00001-of-00003.parquet`;
  await write(part, pictures, [0n, 1n, 0n]);
  await assert.rejects(read(temp.path), {
    message:
      `Cannot read ${temp.path}: got train-00001-of-00003.parquet of train, need each of its 3 parts once`,
  });
  const path = `${temp.path}/a.parquet`;
  await write(path, pictures, [0n, 2n, 0n], { kvMetadata: featuresOf(["x", "y"]) });
  await assert.rejects(read(path), {
    name: "DataError",
    message: `Cannot use data set ${path}: got label 2 at index 1, need an integer in 0..1`,
  });
  const whole = await Deno.readFile(path);
  const broken = (state: string) =>
    `Cannot read ${path}: got a Parquet file that is broken or not supported (${state}), need a whole Parquet file`;
  for (
    const [content, state] of [
      [whole.subarray(0, -9), "parquet file invalid (footer != PAR1)"],
      [new TextEncoder().encode("no table at all"), "parquet file invalid (footer != PAR1)"],
    ] as const
  ) {
    await Deno.writeFile(path, content);
    await assert.rejects(readParquet(path, "train"), { name: "FileError", message: broken(state) });
  }
});

Deno.test("a file that is moved over another of its size and time is decoded, not taken from the cache folder", async () => {
  await using temp = await openTempFolder();
  using _environment = pretend({ XDG_CACHE_HOME: temp.path });
  const [path, other] = [`${temp.path}/a.parquet`, `${temp.path}/b.parquet`];
  const pictures = PNGS.map((bytes) => ({ bytes, path: null }));
  await write(path, pictures, [0n, 1n, 0n], { codec: "UNCOMPRESSED" });
  await write(other, pictures, [1n, 0n, 1n], { codec: "UNCOMPRESSED" });
  const time = new Date(1_600_000_000_000);
  for (const file of [path, other]) await Deno.utime(file, time, time);
  assert.equal((await Deno.stat(path)).size, (await Deno.stat(other)).size);
  await settle();
  assert.deepEqual([...(await loadDataset(path, "train")).labels], [0, 1, 0]);
  await Deno.rename(other, path);
  await settle();
  assert.deepEqual([...(await loadDataset(path, "train")).labels], [1, 0, 1]);
});
