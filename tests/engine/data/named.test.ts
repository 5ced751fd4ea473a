import assert from "node:assert/strict";
import { chooseCacheFolder } from "../../../engine/cache_folder.ts";
import { encodeNpy } from "../../../engine/formats/npy.ts";
import { hasSplit, loadDataset } from "../../../engine/data/named.ts";
import { UnknownDatasetError } from "../../../engine/errors.ts";
import { createTar } from "npm:nanotar@0.3.0";
import { openTempFolder } from "../../temp_folder.ts";
import { encodeIdx, gzip } from "../formats/fixtures.ts";
import { grey, writeFiles } from "./pictures/fixtures.ts";

async function writeMnist(folder: string, label: number): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/train-images-idx3-ubyte`, encodeIdx([1, 1, 1], [7]));
  await Deno.writeFile(`${folder}/train-labels-idx1-ubyte`, encodeIdx([1], [label]));
}

/**
 * Loads a data set in a process of its own, since the environment is one for all tests; returns a label or the error. The process sets its variables
 * itself: Deno keeps its own cache in XDG_CACHE_HOME.
 */
async function loadWith(env: Record<string, string>, data: string): Promise<string> {
  const script = `
    import { loadDataset } from "${new URL("../../../engine/data/named.ts", import.meta.url)}";
    Deno.env.delete("LPNTK_DATA");
    for (const [name, value] of Object.entries(${JSON.stringify(env)})) Deno.env.set(name, value);
    try { console.log((await loadDataset("${data}", "train")).labels[0]); }
    catch (error) { console.log(error.message); }`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", script],
    cwd: new URL("../../../", import.meta.url),
    stderr: "inherit",
  });
  const { stdout } = await process.output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("digits are drawn by name", async () => {
  const data = await loadDataset("digits", "test");
  assert.deepEqual([data.name, data.split, data.labels.length], ["digits", "test", 1_000]);
});

Deno.test("a folder with arrays of NumPy is a data set", async () => {
  await using folder = await openTempFolder();
  await Deno.writeFile(`${folder.path}/images.npy`, encodeNpy(Uint8Array.of(1, 2), [2, 1, 1]));
  await Deno.writeFile(`${folder.path}/labels.npy`, encodeNpy(Uint8Array.of(0, 3), [2]));
  const data = await loadDataset(folder.path, "train");
  assert.deepEqual([data.name, data.classes, [...data.labels]], [folder.path, 4, [0, 3]]);
});

/** Writes four classes of 60 images each, one after the other, each image with a first byte of its own. */
async function writeSorted(path: string): Promise<void> {
  const labels = Uint8Array.from({ length: 240 }, (_, i) => Math.floor(i / 60));
  const images = Uint8Array.from({ length: 480 }, (_, i) => i % 2 === 0 ? i >> 1 : 7);
  await Deno.writeFile(`${path}/images.npy`, encodeNpy(images, [240, 1, 2]));
  await Deno.writeFile(`${path}/labels.npy`, encodeNpy(labels, [240]));
}

Deno.test("a size keeps samples of every class, by the sample seed, and tells their indices", async () => {
  await using folder = await openTempFolder();
  await writeSorted(folder.path);
  const load = (options?: Parameters<typeof loadDataset>[2]) =>
    loadDataset(folder.path, "train", options);
  const whole = await load();
  assert.equal(whole.indices, undefined);
  const part = await load({ size: 22 });
  assert.deepEqual([0, 1, 2, 3].map((c) => part.labels.filter((l) => l === c).length), [
    6,
    6,
    5,
    5,
  ]);
  part.indices!.forEach((index, place) => {
    assert.equal(part.labels[place], whole.labels[index]);
    assert.equal(part.images[2 * place], index);
  });
  assert.deepEqual((await load({ size: 22, sampleSeed: 0 })).indices, part.indices);
  assert.notDeepEqual((await load({ size: 22, sampleSeed: 1 })).indices, part.indices);
  const first = await load({ size: 22, first: true });
  assert.deepEqual([...first.indices!], [...Array(22).keys()]);
  await assert.rejects(load({ size: 241 }), {
    name: "RangeError",
    message:
      `Cannot take 241 samples of ${folder.path} (train): it holds 240, need an integer in 1..240`,
  });
});

Deno.test("a folder without test images has no test split, and one whose test images are missing has a broken one", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await writeSorted(path);
  assert.deepEqual([await hasSplit(path, "train"), await hasSplit(path, "test")], [true, false]);
  await Deno.copyFile(`${path}/labels.npy`, `${path}/test_labels.npy`);
  assert.equal(await hasSplit(path, "test"), true);
  await assert.rejects(loadDataset(path, "test"), { path: `${path}/test_images.npy` });

  await writeMnist(`${path}/idx`, 3);
  assert.deepEqual(
    [await hasSplit(`${path}/idx`, "train"), await hasSplit(`${path}/idx`, "test")],
    [true, false],
  );
  assert.equal(await hasSplit("digits", "test"), true);
  assert.equal(await hasSplit("mnist", "test"), true);
  await assert.rejects(hasSplit("mnits", "test"), { name: "UnknownDatasetError" });
  await assert.rejects(hasSplit(`${path}/none`, "test"), { name: "FileError" });
});

Deno.test("a folder with the IDX files of MNIST is a data set", async () => {
  await using folder = await openTempFolder();
  await writeMnist(folder.path, 3);
  const data = await loadDataset(folder.path, "train");
  assert.deepEqual([data.name, data.classes, [...data.labels]], [folder.path, 10, [3]]);
});

Deno.test("a folder with neither is a FileError that lists what was looked for", async () => {
  await using folder = await openTempFolder();
  await assert.rejects(loadDataset(folder.path, "test"), {
    name: "FileError",
    path: folder.path,
    message:
      `Cannot load data set ${folder.path}: got none of images.npy, train-images-idx3-ubyte, ` +
      "train-images-idx3-ubyte.gz, data_batch_1.bin, cifar-10-binary.tar.gz, train.bin, " +
      "cifar-100-binary.tar.gz in it, need arrays of NumPy, the IDX files of MNIST, the binary " +
      "batches of CIFAR, an .npz or .parquet file, train-*.parquet, a folder of PNG or JPEG for " +
      "each class, or such pictures and a CSV of file and label",
  });
});

Deno.test("labels without images are named where nothing else is found, and hide no pictures", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await writeSorted(path);
  await Deno.remove(`${path}/images.npy`);
  await assert.rejects(loadDataset(path, "train"), {
    name: "FileError",
    message: RegExp(`^Cannot load data set ${path}: got labels.npy, but none of images.npy, train`),
  });
  await writeFiles(path, { "a/1.png": grey(1), "b/1.png": grey(2) });
  const notes: string[] = [];
  const { files } = await loadDataset(path, "train", { onNote: (note) => notes.push(note) });
  assert.deepEqual(files, ["a/1.png", "b/1.png"]);
  assert.match(notes[0], /since it is in no class folder: .*labels.npy/);
});

Deno.test("a path that is no folder is a FileError", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/missing`;
  await assert.rejects(loadDataset(path, "train"), {
    name: "FileError",
    path,
    message: `Cannot load data set ${path}: got no such folder, need one`,
  });
  await Deno.writeTextFile(path, "");
  await assert.rejects(loadDataset(path, "train"), { name: "FileError", path });
});

Deno.test("an unknown name is a RangeError that names a known one within two letters", async () => {
  const need =
    "got an unknown name, need digits, mnist, fashion-mnist, cifar10, cifar100 or a folder";
  const hints = {
    mnsit: "; did you mean mnist?",
    minst: "; did you mean mnist?",
    MNist: "; did you mean mnist?",
    digit: "; did you mean digits?",
    fingits: "; did you mean digits?",
    mnxyz: "",
    cifar: "; did you mean cifar10?",
    "cifar-100": "; did you mean cifar100?",
    "fashion_mnist": "; did you mean fashion-mnist?",
    imagenet: "",
    toString: "",
  };
  for (const [name, hint] of Object.entries(hints)) {
    await assert.rejects(loadDataset(name, "train"), (error) => {
      assert.ok(error instanceof RangeError && error instanceof UnknownDatasetError);
      assert.equal(error.message, `Cannot load data set ${name}: ${need}${hint}`);
      assert.deepEqual([error.dataset, `got an unknown name, need ${error.need}`], [
        name,
        `${need}${hint}`,
      ]);
      return true;
    });
  }
});

Deno.test("MNIST is looked for in LPNTK_DATA first, then in the cache folder", async () => {
  await using folder = await openTempFolder();
  const home = `${folder.path}/home`;
  const caches: Record<string, string> = { XDG_CACHE_HOME: home, HOME: home, LOCALAPPDATA: home };
  const env = { ...caches, LPNTK_DATA: `${folder.path}/data` };
  const missing = await loadWith(env, "mnist");
  assert.ok(missing.includes(`in ${env.LPNTK_DATA}/mnist, need the four IDX files`), missing);
  const cache = chooseCacheFolder(Deno.build.os, (name) => caches[name]);
  await writeMnist(`${cache}/mnist`, 1);
  assert.equal(await loadWith(env, "mnist"), "1");
  await writeMnist(`${folder.path}/data/mnist`, 2);
  assert.equal(await loadWith(env, "mnist"), "2");
  assert.equal(await loadWith(caches, "mnist"), "1");
});

Deno.test("every data set with a name is found in its own folder, CIFAR's archives as they are", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const env = { LPNTK_DATA: path, HOME: path, XDG_CACHE_HOME: path, LOCALAPPDATA: path };
  const record = (...labels: number[]) => Uint8Array.from([...labels, ...new Uint8Array(3072)]);
  await writeMnist(`${path}/mnist`, 1);
  await writeMnist(`${path}/fashion-mnist`, 2);
  await Deno.mkdir(`${path}/cifar-10-batches-bin`);
  await Deno.writeFile(`${path}/cifar-10-batches-bin/data_batch_1.bin`, record(3));
  const tar = createTar([{ name: "cifar-100-binary/train.bin", data: record(9, 44) }]);
  await Deno.writeFile(`${path}/cifar-100-binary.tar.gz`, await gzip(tar));
  const found = ["mnist", "fashion-mnist", "cifar10", "cifar100"].map((name) =>
    loadWith(env, name)
  );
  assert.deepEqual(await Promise.all(found), ["1", "2", "3", "44"]);
});

Deno.test("the cache folder follows the custom of the operating system", () => {
  const choose = (os: typeof Deno.build.os, env: Record<string, string>) =>
    chooseCacheFolder(os, (name) => env[name]);
  assert.equal(choose("linux", { HOME: "/h", XDG_CACHE_HOME: "/x" }), "/x/lpntk");
  assert.equal(choose("linux", { HOME: "/h", XDG_CACHE_HOME: "" }), "/h/.cache/lpntk");
  assert.equal(choose("darwin", { HOME: "/h" }), "/h/Library/Caches/lpntk");
  assert.equal(choose("windows", { LOCALAPPDATA: "C:\\l" }), "C:\\l\\lpntk");
  assert.throws(() => choose("linux", {}), {
    message:
      "Cannot find the cache folder: got no HOME in the environment, need it, or the data in " +
      "LPNTK_DATA",
  });
});
