/** Data sets of pictures: their pixels, labels, classes, files and notes. @module */
import assert from "node:assert/strict";
import { holdsPictures } from "../../../../engine/data/pictures/pictures.ts";
import { hasSplit, loadDataset } from "../../../../engine/data/named.ts";
import { encodePixels, grey, openPictures } from "./fixtures.ts";

Deno.test("class folders give classes and files in code point order, and grey pixels as they are", async () => {
  // U+10000 stands before U+FF21 in UTF-16, and after it by code points
  await using folder = await openPictures({
    "b/2.png": [[1, 2], [3, 4], [5, 6]],
    "b/10.png": [[7, 8], [9, 10], [11, 12]],
    "\u{ff21}/x.png": [[13, 14], [15, 16], [17, 18]],
    "\u{10000}/x.png": [[19, 20], [21, 22], [23, 24]],
    "B/x.png": [[25, 26], [27, 28], [29, 30]],
  });
  const { data, notes } = await folder.read();
  assert.deepEqual(data, {
    name: folder.path,
    split: "train",
    images: Uint8Array.of(
      ...[25, 26, 27, 28, 29, 30, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 13, 14],
      ...[15, 16, 17, 18, 19, 20, 21, 22, 23, 24],
    ),
    labels: Int32Array.of(0, 1, 1, 2, 3),
    shape: [3, 2, 1],
    classes: 4,
    classNames: ["B", "b", "\u{ff21}", "\u{10000}"],
    files: ["B/x.png", "b/10.png", "b/2.png", "\u{ff21}/x.png", "\u{10000}/x.png"],
    mean: [0],
    std: [1],
  });
  assert.deepEqual(notes, []);
  assert.equal(await holdsPictures(folder.path, "test"), false);
});

Deno.test("one coloured picture in either split makes all of them coloured", async () => {
  for (const coloured of ["train/a/1.png", "train/b/3.png", "test/b/4.png"]) {
    const files = { "train/a/1.png": 1, "train/a/2.png": 2, "train/b/3.png": 3, "test/b/4.png": 4 };
    await using folder = await openPictures(
      Object.fromEntries(
        Object.entries(files).map((
          [name, value],
        ) => [name, name === coloured ? [[[50, 60, 70]]] : grey(value)]),
      ),
    );
    const spread = (name: keyof typeof files) =>
      name === coloured ? [50, 60, 70] : Array(3).fill(files[name]);
    const { data } = await folder.read();
    assert.deepEqual(data.shape, [1, 1, 3]);
    assert.deepEqual(
      [...data.images],
      (["train/a/1.png", "train/a/2.png", "train/b/3.png"] as const).flatMap(spread),
    );
    assert.deepEqual([...(await folder.read("test")).data.images], spread("test/b/4.png"));
  }
});

Deno.test("transparent pixels are flattened on white, and 16 bits cut to 8, with a note", async () => {
  await using folder = await openPictures({
    "a/1.png": [[[100, 0], [100, 255], [100, 51]]],
    "b/1.png": [[[9, 255], [8, 255], [7, 255]]],
  });
  const { data, notes } = await folder.read();
  // 100 / 5 + 255 * 4 / 5
  assert.deepEqual([...data.images], [255, 100, 224, 9, 8, 7]);
  assert.deepEqual(notes, ["flattened 1 of 2 pictures of PATH on white: they are transparent"]);
});

Deno.test("pictures of several sizes are counted, or resized", async () => {
  await using folder = await openPictures({
    "a/1.png": [[1, 2]],
    "a/2.png": [[10], [30]],
    "a/3.png": [[3, 4]],
    "b/1.png": [[5, 6]],
  });
  await assert.rejects(folder.read(), {
    name: "PictureSizesError",
    imageSize: [1, 2],
    message:
      `Cannot use data set ${folder.path}: got pictures of 2 sizes (height x width): 3 of 1x2, 1 of 2x1, need one; ` +
      "imageSize: [1, 2] resizes them",
  });
  const { data } = await folder.read("train", { imageSize: [1, 2] });
  assert.deepEqual([[...data.images], data.shape], [[1, 2, 20, 20, 3, 4, 5, 6], [1, 2, 1]]);
  for (const imageSize of [[0, 2], [1.5, 2], [2], "2x2"]) {
    await assert.rejects(folder.read("train", { imageSize: imageSize as never }), RangeError);
  }
});

Deno.test("broken pictures are named and left out, or end the reading", async () => {
  const whole = encodePixels(grey(1));
  const cut = whole.slice(0, -9);
  await using folder = await openPictures({
    ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((i) => [`a/${i}.png`, cut])),
    "a/7.png": whole,
    "b/1.jpg": grey(2),
    "b/notes.txt": "no picture",
  });
  const { data, notes } = await folder.read();
  assert.deepEqual(data.files, ["a/7.png", "b/1.jpg"]);
  assert.deepEqual(notes, [
    ...[1, 2, 3, 4, 5].map((i) =>
      `left out a/${i}.png: got a PNG that is cut off, need a whole one`
    ),
    "left out 7 of 9 pictures of PATH that cannot be read",
  ]);
  // the second time from the cache
  assert.deepEqual((await folder.read()).notes, notes);
  const refused = {
    name: "FileError",
    message:
      `Cannot read picture a/1.png of ${folder.path}: got a PNG that is cut off, need a whole one`,
  };
  await assert.rejects(folder.read("train", { strict: true }), refused);
  // nobody would hear of it
  await assert.rejects(folder.read("train", { onNote: undefined }), refused);
});

Deno.test("what is no regular file is left out by name, and rubbish without a word", async () => {
  await using folder = await openPictures({
    "a/1.png": grey(1),
    "b/1.png": grey(2),
    "b/.DS_Store": "x",
    "b/._1.png": "x",
    "b/Thumbs.db": "x",
    ".ipynb_checkpoints/1.png": grey(3),
    "b/.git/1.png": grey(4),
    "README.txt": "x",
  });
  await Deno.symlink("nowhere", `${folder.path}/b/link.png`);
  await Deno.symlink("../a/1.png", `${folder.path}/b/sound.png`);
  const made = await new Deno.Command("mkfifo", { args: [`${folder.path}/b/pipe.png`] }).output();
  assert.equal(made.code, 0);
  const { data, notes } = await folder.read();
  assert.deepEqual(data.files, ["a/1.png", "b/1.png", "b/sound.png"]);
  assert.deepEqual([...data.images], [1, 2, 1]);
  assert.deepEqual(notes, [
    "left out of PATH, since it is in no class folder: README.txt",
    "left out b/link.png: got a link that leads nowhere, need a picture",
    "left out b/pipe.png: got no regular file, need one",
    "left out 2 of 5 pictures of PATH that cannot be read",
  ]);
});

Deno.test("names with commas, quotes, line ends and formulas go through the cache, and one that is no UTF-8 is named", async () => {
  const files = ['a,"b"/x\ny.png', "c/=1+1.png", "c/'d.png", "d/ e .png"];
  await using folder = await openPictures(
    Object.fromEntries(files.map((name, i) => [name, grey(i)])),
  );
  // Deno takes no bytes for a name
  const made = await new Deno.Command("sh", {
    args: ["-c", `printf x > "$(printf 'd/z\\377.png')"`],
    cwd: folder.path,
  }).output();
  assert.equal(made.code, 0);
  for (const _ of ["decoded", "from the cache"]) {
    const { data, notes } = await folder.read();
    assert.deepEqual(data.files, [files[0], files[2], files[1], files[3]]);
    assert.deepEqual(data.classNames, ['a,"b"', "c", "d"]);
    assert.match(
      notes[0],
      /^left out d\/z\ufffd\.png: got a name that is not UTF-8, need a picture$/,
    );
  }
});

Deno.test("progress counts the pictures, and a signal ends the reading", async () => {
  await using folder = await openPictures({ "a/1.png": grey(1), "b/1.png": grey(2) });
  const seen: [number, number][] = [];
  const controller = new AbortController();
  await assert.rejects(
    folder.read("train", {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error("enough")),
    }),
    { message: "enough" },
  );
  await folder.read("train", { onProgress: (done, total) => seen.push([done, total]) });
  assert.deepEqual(seen, [[1, 2], [2, 2]]);
});

Deno.test("a folder has the splits of its pictures, and arrays have no size to choose", async () => {
  await using folder = await openPictures({
    "train/a/1.png": grey(1),
    "train/b/1.png": grey(2),
    "val/b/1.png": grey(3),
  });
  const { path } = folder;
  assert.deepEqual([await hasSplit(path, "train"), await hasSplit(path, "test")], [true, true]);
  assert.equal(await hasSplit(`${path}/train`, "test"), false);
  await assert.rejects(loadDataset("digits", "train", { imageSize: [8, 8] }), {
    name: "RangeError",
    message:
      "Cannot resize data set digits: got image size [8,8] for arrays, need pictures, or no image size",
  });
});
