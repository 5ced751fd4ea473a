/** Decoded pictures that are kept between calls. @module */
import assert from "node:assert/strict";
import { grey, openPictures, settle, writeFiles } from "./fixtures.ts";

const FILES = { "train/a/1.png": grey(1), "train/b/1.png": grey(2), "test/a/1.png": grey(3) };

const TIME = new Date(1_600_000_000_000);

/** Sets the first pixel of a kept training split, so that it tells what was kept from what is decoded. */
async function markEntry(cache: string): Promise<void> {
  const [entry] = listEntries(cache);
  const bytes = await Deno.readFile(`${entry}/data/images.npy`);
  bytes[bytes.length - 2] = 7;
  await Deno.writeFile(`${entry}/data/images.npy`, bytes);
}

/** A folder of pictures that were decoded and kept; the entry in the cache folder has 7 as its first pixel, the first picture 1. */
async function openKept() {
  const folder = await openPictures(FILES);
  const file = `${folder.path}/train/a/1.png`;
  await Deno.utime(file, TIME, TIME);
  await settle();
  const { data } = await folder.read();
  assert.equal(data.images[0], 1);
  await markEntry(folder.cache);
  const first = async () => (await folder.read()).data.images[0];
  return Object.assign(folder, { file, first });
}

/** Lists the entries of a cache folder. */
function listEntries(path: string): string[] {
  return Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`);
}

/** Measures the files in a folder and in those below, in bytes. */
function measure(path: string): number {
  const { isDirectory, size } = Deno.statSync(path);
  if (!isDirectory) return size;
  return listEntries(path).reduce((sum, entry) => sum + measure(entry), 0);
}

Deno.test("what was decoded is read again without the pictures, of both splits", async () => {
  await using folder = await openKept();
  const { data } = await folder.read();
  assert.deepEqual([...data.images], [7, 2]);
  assert.equal(data.name, folder.path);
  assert.deepEqual(data.files, ["train/a/1.png", "train/b/1.png"]);
  assert.deepEqual([...(await folder.read("test")).data.images], [3]);
  assert.equal(listEntries(folder.cache).length, 1);
});

Deno.test("another time, size, name, file or image size is decoded anew", async () => {
  const changes: Record<string, (file: string, root: string) => Promise<void>> = {
    time: (file) => Deno.utime(file, TIME, new Date(TIME.getTime() + 1000)),
    size: async (file) => {
      await Deno.writeFile(file, new Uint8Array([...await Deno.readFile(file), 0]));
      await Deno.utime(file, TIME, TIME);
    },
    name: (file, root) => Deno.rename(file, `${root}/train/a/2.png`),
    file: (_, root) => writeFiles(root, { "train/b/9.png": grey(4) }),
    class: async (_, root) => {
      await Deno.rename(`${root}/train/a`, `${root}/train/c`);
      await Deno.rename(`${root}/train/b`, `${root}/train/a`);
      await Deno.rename(`${root}/train/c`, `${root}/train/b`);
      await Deno.rename(`${root}/test/a`, `${root}/test/b`);
    },
  };
  await Promise.all(
    Object.entries(changes).map(async ([name, change]) => {
      await using folder = await openKept();
      await change(folder.file, folder.path);
      await settle();
      const { images } = (await folder.read()).data;
      assert.ok(!images.includes(7), name);
    }),
  );
  await using folder = await openKept();
  assert.deepEqual([...(await folder.read("train", { imageSize: [1, 1] })).data.images], [1, 2]);
  assert.equal(await folder.first(), 7);
});

Deno.test("a picture of the same size and time in the place of another is decoded anew", async () => {
  const changes: Record<string, (file: string, other: string) => Promise<void>> = {
    // as mv
    exchanged: async (file, other) => {
      await Deno.rename(file, `${file}.aside`);
      await Deno.rename(other, file);
      await Deno.rename(`${file}.aside`, other);
    },
    // as cp -p and rsync -t --inplace
    overwritten: async (file, other) => {
      await Deno.writeFile(file, await Deno.readFile(other));
      await Deno.utime(file, TIME, TIME);
    },
    // as rsync -t
    replaced: async (file, other) => {
      await Deno.copyFile(other, `${file}.new`);
      await Deno.utime(`${file}.new`, TIME, TIME);
      await Deno.rename(`${file}.new`, file);
    },
  };
  const check = async (name: string, isSettled: boolean) => {
    await using folder = await openPictures(FILES);
    const [file, other] = ["a", "b"].map((label) => `${folder.path}/train/${label}/1.png`);
    for (const path of [file, other]) await Deno.utime(path, TIME, TIME);
    assert.equal((await Deno.stat(file)).size, (await Deno.stat(other)).size);
    if (isSettled) await settle();
    await folder.read();
    await changes[name](file, other);
    if (isSettled) await settle();
    assert.equal((await folder.read()).data.images[0], 2, name);
  };
  await Promise.all(
    Object.keys(changes).flatMap((name) => [check(name, true), check(name, false)]),
  );
});

Deno.test("a broken or foreign entry is decoded anew, and made whole", async () => {
  const damages: ((entry: string) => Promise<void>)[] = [
    (entry) => Deno.remove(`${entry}/findings.json`),
    (entry) => Deno.writeTextFile(`${entry}/findings.json`, "{}"),
    (entry) => Deno.writeTextFile(`${entry}/findings.json`, "["),
    (entry) => Deno.truncate(`${entry}/data/images.npy`, 100),
    (entry) => Deno.remove(`${entry}/data`, { recursive: true }),
    (entry) => Deno.truncate(`${entry}/data/files.csv`, 12),
    (entry) => Deno.truncate(`${entry}/data/labels.npy`),
    async (entry) => {
      await Deno.remove(entry, { recursive: true });
      await Deno.writeTextFile(entry, "no folder");
    },
  ];
  await Promise.all(damages.map(async (damage) => {
    await using folder = await openKept();
    const [entry] = listEntries(folder.cache);
    await damage(entry);
    assert.equal(await folder.first(), 1, String(damage));
    await markEntry(folder.cache);
    assert.equal(await folder.first(), 7, String(damage));
    assert.deepEqual(listEntries(folder.cache), [entry]);
  }));
});

Deno.test("several readers at once agree", async () => {
  await using folder = await openPictures(FILES);
  await settle();
  const read = await Promise.all(Array.from({ length: 6 }, () => folder.read()));
  for (const { data, notes } of read) {
    assert.deepEqual([[...data.images], notes], [[1, 2], []]);
  }
  assert.equal(listEntries(folder.cache).length, 1);
});

Deno.test("entries that were used longest ago make room, and what is too large is not kept", async () => {
  await using folder = await openPictures(FILES);
  await settle();
  const read = (side: number, mostBytes: number) =>
    folder.read("train", { imageSize: [side, side] }, mostBytes);
  await read(1, 1e6);
  const [first] = listEntries(folder.cache);
  await Deno.utime(first, TIME, TIME);
  await read(2, 1e6);
  assert.equal(listEntries(folder.cache).length, 2);
  await read(1, 1e6);
  // room for two entries, but not for a third
  await read(3, measure(folder.cache) + 100);
  assert.ok(listEntries(folder.cache).includes(first));
  assert.equal(listEntries(folder.cache).length, 2);
  const { data, notes } = await read(40, 3000);
  assert.equal(data.images.length, 2 * 40 * 40);
  assert.match(
    notes[0],
    /^the decoded pictures of PATH cannot be kept in the cache folder: got 4800 bytes, need at most 3000;/,
  );
  assert.equal(listEntries(folder.cache).length, 2);
});

Deno.test("a cache folder that cannot be written costs a note alone", async () => {
  await using folder = await openPictures(FILES);
  await settle();
  await Deno.writeTextFile(folder.cache, "a file");
  const { data, notes } = await folder.read();
  assert.deepEqual([...data.images], [1, 2]);
  assert.equal(notes.length, 1);
  assert.match(
    notes[0],
    /cannot be kept in the cache folder: .*got a file where a folder has to be/,
  );
  // the same text again, so that it can be said once
  assert.deepEqual((await folder.read()).notes, notes);
});

Deno.test("both splits are decoded once where they cannot be kept, until a file changes", async () => {
  await using folder = await openPictures(FILES);
  await Deno.writeTextFile(folder.cache, "a file");
  await settle();
  const read = async (split: "train" | "test") => {
    let progress = 0;
    const onProgress = () => void progress++;
    const { data } = await folder.read(split, { onProgress, onNote: () => {} });
    return { images: [...data.images], name: data.name, isDecoded: progress > 0 };
  };
  const name = folder.path;
  const first = { images: [1, 2], name, isDecoded: true };
  assert.deepEqual(await read("train"), first);
  assert.deepEqual(await read("test"), { images: [3], name, isDecoded: false });
  assert.deepEqual(await read("train"), first);
  await writeFiles(folder.path, { "test/a/1.png": grey(9) });
  await settle();
  assert.deepEqual(await read("test"), { images: [9], name, isDecoded: true });
  assert.deepEqual(await read("train"), { ...first, isDecoded: false });
});
