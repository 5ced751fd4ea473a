import assert from "node:assert/strict";
import { createTar } from "npm:nanotar@0.3.0";
import { CIFAR10, CIFAR100, readCifar, unpackCifar } from "../../../engine/data/cifar.ts";
import { loadDataset } from "../../../engine/data/named.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { gzip } from "../formats/fixtures.ts";

/** Encodes the records of a batch: record `k` has its labels, then for pixel p of channel c a value that no other position of the image has. */
function encodeRecords(labels: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(labels.flatMap((bytes, k) => [...bytes, ...drawPixels(k)]));
}

function drawPixels(k: number): number[] {
  return Array.from({ length: 3072 }, (_, i) => (i * 7 + Math.floor(i / 1024) + 13 * k) % 256);
}

async function encodeArchive(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([name, data]) => ({ name: `folder/${name}`, data }));
  return await gzip(createTar([{ name: "folder/" }, ...entries]));
}

const BATCHES = {
  "data_batch_1.bin": encodeRecords([[3], [9]]),
  "data_batch_2.bin": encodeRecords([[0]]),
  "test_batch.bin": encodeRecords([[5]]),
};

async function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array>>) {
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}

Deno.test("the batches of CIFAR-10 that are there are read in order, channels last", async () => {
  await using temp = await openTempFolder();
  await writeFiles(temp.path, BATCHES);
  const data = await readCifar(CIFAR10, temp.path, "train");
  assert.deepEqual([...data.labels], [3, 9, 0]);
  assert.deepEqual([data.name, data.classes, data.shape], ["cifar10", 10, [32, 32, 3]]);
  assert.deepEqual([data.mean, data.std], [[0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]]);
  for (const [sample, k] of [[0, 0], [1, 1], [2, 0]]) {
    const pixels = drawPixels(k);
    const image = data.images.subarray(sample * 3072, (sample + 1) * 3072);
    for (const [row, column, channel] of [[0, 0, 0], [0, 1, 2], [31, 31, 1], [17, 4, 2]]) {
      assert.equal(
        image[(row * 32 + column) * 3 + channel],
        pixels[channel * 1024 + row * 32 + column],
      );
    }
  }
  assert.deepEqual([...(await readCifar(CIFAR10, temp.path, "test")).labels], [5]);
});

Deno.test("CIFAR-100 counts its fine labels", async () => {
  await using temp = await openTempFolder();
  await writeFiles(temp.path, { "train.bin": encodeRecords([[4, 99], [19, 7]]) });
  const data = await readCifar(CIFAR100, temp.path, "train");
  assert.deepEqual([data.name, data.classes, [...data.labels]], ["cifar100", 100, [99, 7]]);
  assert.deepEqual([...data.images.subarray(0, 3)], [0, 1024, 2048].map((i) => drawPixels(0)[i]));
});

for (
  const [form, files, labels] of [
    [CIFAR10, { ...BATCHES, ...rest([3, 4, 5]) }, [3, 9, 0, 3, 4, 5]],
    [CIFAR100, { "train.bin": encodeRecords([[1, 2]]), "test.bin": encodeRecords([[3, 4]]) }, [2]],
  ] as const
) {
  Deno.test(`the archive of ${form.title} is read as it is, by folder, path or unpacked`, async () => {
    await using temp = await openTempFolder();
    await writeFiles(temp.path, { [form.archive]: await encodeArchive(files) });
    for (const place of [temp.path, `${temp.path}/${form.archive}`]) {
      assert.deepEqual([...(await readCifar(form, place, "train")).labels], labels);
      assert.deepEqual([...(await loadDataset(place, "train")).labels], labels);
    }
    await unpackCifar(form, temp.path);
    for (const [name, bytes] of Object.entries(files)) {
      assert.deepEqual(await Deno.readFile(`${temp.path}/${name}`), bytes);
    }
    await Deno.remove(`${temp.path}/${form.archive}`);
    assert.deepEqual([...(await readCifar(form, temp.path, "train")).labels], labels);
    // nothing is missing, so the archive is not asked for
    await unpackCifar(form, temp.path);
  });
}

function rest(batches: readonly number[]): Record<string, Uint8Array> {
  return Object.fromEntries(
    batches.map((batch) => [`data_batch_${batch}.bin`, encodeRecords([[batch]])]),
  );
}

const BROKEN: [what: string, files: Record<string, Uint8Array>, message: RegExp][] = [
  ["nothing", {}, /got neither data_batch_1\.bin nor cifar-10-binary\.tar\.gz in .*or fetch them$/],
  ["a gap", { ...BATCHES, ...rest([4]) }, /got data_batch_4\.bin without data_batch_3\.bin in/],
  [
    "the second batch alone",
    rest([2]),
    /got data_batch_2\.bin without data_batch_1\.bin in/,
  ],
  [
    "a truncated batch",
    { "data_batch_1.bin": BATCHES["data_batch_1.bin"].subarray(1) },
    /data_batch_1\.bin: got 6145 bytes, need a multiple of 3073, the size of a record of CIFAR-10/,
  ],
  ["an empty batch", { "data_batch_1.bin": new Uint8Array() }, /got 0 bytes, need a multiple/],
  [
    "an archive of something else",
    { [CIFAR10.archive]: await encodeArchive({ "data_batch_1.bin": BATCHES["data_batch_1.bin"] }) },
    /got no data_batch_2\.bin in it, need the archive as distributed/,
  ],
  [
    "a truncated archive",
    { [CIFAR10.archive]: (await encodeArchive(BATCHES)).subarray(0, 500) },
    /got broken gzip/,
  ],
  [
    "an archive that breaks off inside",
    {
      [CIFAR10.archive]: await gzip(
        createTar([{ name: "data_batch_1.bin", data: BATCHES["data_batch_1.bin"] }]).slice(0, 2000),
      ),
    },
    /got a broken tar archive, need the archive as distributed/,
  ],
  [
    "a label beyond the classes",
    { "data_batch_1.bin": encodeRecords([[3], [10]]) },
    /got label 10 at index 1/,
  ],
];

for (const [what, files, message] of BROKEN) {
  Deno.test(`a folder with ${what} is refused`, async () => {
    await using temp = await openTempFolder();
    await writeFiles(temp.path, files);
    await assert.rejects(readCifar(CIFAR10, temp.path, "train"), { message });
  });
}

const DATA = Deno.env.get("LPNTK_DATA");
if (!DATA) console.log("LPNTK_DATA is not set: the real CIFAR-10 is not read");

Deno.test({
  name: "the real CIFAR-10 has the mean and spread that are taken off it",
  ignore: !DATA,
  async fn() {
    const data = await loadDataset("cifar10", "train", { size: 10_000 });
    assert.deepEqual([...new Set(data.labels)].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    data.mean.forEach((mean, channel) => {
      let [sum, squares] = [0, 0];
      for (let i = channel; i < data.images.length; i += 3) {
        sum += data.images[i] / 255;
        squares += (data.images[i] / 255) ** 2;
      }
      const count = data.images.length / 3;
      const found = sum / count;
      // the mean of 10,000 images, whose means have a standard deviation of some 0.13
      assert.ok(Math.abs(found - mean) < 5 * 0.13 / 100, `mean ${found}, not ${mean}`);
      // the constant in use is the mean deviation within images, below that of all pixels
      const spread = Math.sqrt(squares / count - found * found);
      assert.ok(spread > data.std[channel] && spread < 0.3, `spread ${spread}`);
    });
  },
});
