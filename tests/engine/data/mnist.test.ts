import assert from "node:assert/strict";
import { readMnist } from "../../../engine/data/mnist.ts";
import { hasSplit, loadDataset } from "../../../engine/data/named.ts";
import { pretend } from "../gpu/environment.ts";
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

/** Writes a training split of one image with this label. */
async function writeSplit(folder: string, label: number): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/train-images-idx3-ubyte`, encodeIdx([1, 2, 1], [7, 8]));
  const labels = await gzip(encodeIdx([1], [label]));
  await Deno.writeFile(`${folder}/train-labels-idx1-ubyte.gz`, labels);
}

Deno.test("torchvision's folders are read by their own path, the one above and the root, each with its mean", async () => {
  await using temp = await openTempFolder();
  await writeSplit(`${temp.path}/a/MNIST/raw`, 3);
  await writeSplit(`${temp.path}/b/FashionMNIST/raw`, 4);
  await writeSplit(`${temp.path}/c`, 5);
  const found = { a: [3, 0.1307, 0.3081], b: [4, 0.286, 0.353], c: [5, 0.1307, 0.3081] };
  const places = {
    a: ["a", "a/MNIST", "a/MNIST/raw", "a/MNIST/raw/"],
    b: ["b", "b/FashionMNIST", "b/FashionMNIST/raw", "b/FashionMNIST/raw/../raw"],
    c: ["c"],
  };
  for (const [folder, expected] of Object.entries(found)) {
    for (const place of places[folder as keyof typeof places]) {
      const path = `${temp.path}/${place}`;
      const { name, labels, mean, std } = await loadDataset(path, "train");
      assert.deepEqual([name, labels[0], mean[0], std[0]], [path, ...expected]);
      assert.deepEqual([await hasSplit(path, "train"), await hasSplit(path, "test")], [
        true,
        false,
      ]);
    }
  }
});

Deno.test("a folder with both of torchvision's is refused by name, and LPNTK_DATA may be its root", async () => {
  await using temp = await openTempFolder();
  await writeSplit(`${temp.path}/MNIST/raw`, 3);
  await writeSplit(`${temp.path}/FashionMNIST/raw`, 4);
  await assert.rejects(loadDataset(temp.path, "train"), {
    name: "FileError",
    message:
      `Cannot read ${temp.path}: got IDX files in ${temp.path}/MNIST/raw and in ${temp.path}/FashionMNIST/raw, need one of them as the path`,
  });
  using _environment = pretend({ LPNTK_DATA: temp.path });
  assert.equal((await loadDataset("mnist", "train")).labels[0], 3);
  assert.equal((await loadDataset("fashion-mnist", "train")).labels[0], 4);
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
