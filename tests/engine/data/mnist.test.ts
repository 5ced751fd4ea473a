import assert from "node:assert/strict";
import { readMnist } from "../../../engine/data/mnist.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { encodeIdx, gzip } from "../formats/fixtures.ts";

const DATA = Deno.env.get("LPNTK_DATA");
if (!DATA) console.log("LPNTK_DATA is not set: the tests on the real MNIST do not run");

Deno.test("MNIST is read from plain and gzip files with its usual mean and std", async () => {
  await using folder = await openTempFolder();
  const images = encodeIdx([2, 1, 3], [0, 1, 2, 3, 4, 255]);
  await Deno.writeFile(`${folder.path}/t10k-images-idx3-ubyte`, images);
  await Deno.writeFile(
    `${folder.path}/t10k-labels-idx1-ubyte.gz`,
    await gzip(encodeIdx([2], [9, 0])),
  );
  const { images: pixels, ...rest } = await readMnist(folder.path, "test");
  assert.deepEqual(new Uint8Array(pixels), Uint8Array.of(0, 1, 2, 3, 4, 255));
  assert.deepEqual(rest, {
    name: "mnist",
    split: "test",
    labels: Int32Array.of(9, 0),
    shape: [1, 3, 1],
    classes: 10,
    mean: [0.1307],
    std: [0.3081],
  });
});

Deno.test("missing MNIST files are a FileError that says how to get them", async () => {
  await using folder = await openTempFolder();
  await assert.rejects(readMnist(folder.path, "train"), {
    name: "MissingDatasetError",
    path: folder.path,
    dataset: "mnist",
    message: `Cannot read MNIST: got no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in ` +
      `${folder.path}, need the four IDX files; point LPNTK_DATA at the folder that holds mnist/, ` +
      "or fetch them",
  });
});

Deno.test("labels in place of images are refused", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/train-images-idx3-ubyte`;
  await Deno.writeFile(path, encodeIdx([2], [9, 0]));
  await assert.rejects(readMnist(folder.path, "train"), {
    name: "FileError",
    path,
    message: `Cannot read ${path}: got shape [2], need 3 dimensions`,
  });
});

Deno.test("images and labels of different files are a DataError", async () => {
  await using folder = await openTempFolder();
  await Deno.writeFile(`${folder.path}/train-images-idx3-ubyte`, encodeIdx([2, 1, 1], [0, 1]));
  await Deno.writeFile(`${folder.path}/train-labels-idx1-ubyte`, encodeIdx([3], [0, 1, 2]));
  await assert.rejects(readMnist(folder.path, "train"), { name: "DataError" });
});

Deno.test({
  name: "the real MNIST has its known counts, first labels, mean and standard deviation",
  ignore: !DATA,
  fn: async () => {
    const train = await readMnist(`${DATA}/mnist`, "train");
    const test = await readMnist(`${DATA}/mnist`, "test");
    assert.deepEqual([train.labels.length, test.labels.length], [60_000, 10_000]);
    assert.deepEqual(train.shape, [28, 28, 1]);
    assert.deepEqual([...train.labels.subarray(0, 10)], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert.deepEqual([...test.labels.subarray(0, 10)], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    let [sum, squares] = [0, 0];
    for (const pixel of train.images) {
      sum += pixel;
      squares += pixel * pixel;
    }
    const mean = sum / train.images.length;
    const std = Math.sqrt(squares / train.images.length - mean * mean);
    assert.equal((mean / 255).toFixed(4), train.mean[0].toFixed(4));
    assert.equal((std / 255).toFixed(4), train.std[0].toFixed(4));
  },
});
