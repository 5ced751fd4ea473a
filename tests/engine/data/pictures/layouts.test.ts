/** Layouts of folders of pictures: those that are read, and those that are refused. @module */
import assert from "node:assert/strict";
import { holdsPictures } from "../../../../engine/data/pictures/pictures.ts";
import { type Content, grey, openPictures } from "./fixtures.ts";

/** Lists what was read of both splits: each file with the name of its class. */
async function list(files: Record<string, Content>) {
  await using folder = await openPictures(files);
  const { data, notes } = await folder.read();
  const name = (
    data: { files?: readonly string[]; labels: Int32Array; classNames?: readonly string[] },
  ) => data.files!.map((file, i) => `${file} ${data.classNames![data.labels[i]]}`);
  const test = await holdsPictures(folder.path, "test")
    ? name((await folder.read("test")).data)
    : undefined;
  return { train: name(data), test, classNames: data.classNames, notes };
}

async function refuse(files: Record<string, Content>, message: RegExp): Promise<void> {
  await using folder = await openPictures(files);
  await assert.rejects(folder.read(), (error: Error) => {
    assert.equal(error.name, "FileError");
    assert.match(error.message.replaceAll(folder.path, "PATH"), message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

/** Record of a run, as lpntk writes it. */
const RECORD = '{"command":"clean","options":{"data":"x"},"files":["labels.csv"],"inputs":{}}';

const SPLIT = { "train/a/1.png": grey(1), "train/b/1.png": grey(2) };

Deno.test("test is read beside train, or else val; with both val is named", async () => {
  for (const split of ["test", "val"]) {
    const { train, test, notes } = await list({ ...SPLIT, [`${split}/b/9.png`]: grey(3) });
    assert.deepEqual(train, ["train/a/1.png a", "train/b/1.png b"]);
    assert.deepEqual([test, notes], [[`${split}/b/9.png b`], []]);
  }
  const both = { ...SPLIT, "test/a/1.png": grey(3), "val/a/2.png": grey(4) };
  const { test, notes } = await list(both);
  assert.deepEqual(test, ["test/a/1.png a"]);
  assert.deepEqual(notes, ["left out of PATH, since there is a folder test: val"]);
  assert.equal((await list(SPLIT)).test, undefined);
});

Deno.test("folders within a class belong to it, and an empty class keeps its label", async () => {
  await using folder = await openPictures({
    "a/x/1.png": grey(1),
    "a/y/z/2.png": grey(2),
    "c/1.png": grey(3),
  });
  await Deno.mkdir(`${folder.path}/b`);
  const { data } = await folder.read();
  assert.deepEqual(data.files, ["a/x/1.png", "a/y/z/2.png", "c/1.png"]);
  assert.deepEqual([[...data.labels], data.classNames], [[0, 0, 2], ["a", "b", "c"]]);
});

Deno.test("classes may be called train and test where others are beside", async () => {
  const { classNames, test } = await list({ "train/1.png": grey(1), "bus/1.png": grey(2) });
  assert.deepEqual([classNames, test], [["bus", "train"], undefined]);
});

Deno.test("layouts that are none are refused, each in a line", async () => {
  await refuse({ "1.png": grey(1) }, /^Cannot read PATH: got pictures without class folders, need/);
  await refuse(
    { "1.png": grey(1), "labels.csv": "name,label\n1.png,a\n" },
    /got pictures with labels.csv, whose columns are name, label, need a folder/,
  );
  await refuse({ "a/1.png": grey(1) }, /got one class folder, a, need at least 2$/);
  await refuse(
    { "all/a/1.png": grey(1), "all/b/1.png": grey(1) },
    /got one class folder, all, need at least 2; if its folders are the classes, give PATH\/all$/,
  );
  await refuse(
    { "train/1.png": grey(1), "test/2.png": grey(2) },
    /got pictures without class folders in train and test, need/,
  );
  await refuse(
    { "test/a/1.png": grey(1), "test/b/1.png": grey(2) },
    /got class folders in test alone/,
  );
  await refuse({ ...SPLIT, "c/1.png": grey(3) }, /got pictures in c beside train, need/);
  await refuse(
    { ...SPLIT, "test/c/1.png": grey(3) },
    /got class c in test alone, need every class of it in train too/,
  );
  await refuse(
    { "a/1.gif": "GIF89a", "b/1.gif": "GIF89a" },
    /a\/1.gif of PATH: got a GIF, need a PNG/,
  );
});

Deno.test("a link to a folder is followed, but not in a circle", async () => {
  await using folder = await openPictures({ "a/1.png": grey(1), "b/1.png": grey(2) });
  const { path } = folder;
  await Deno.symlink(`${path}/a`, `${path}/c`);
  const { data } = await folder.read();
  assert.deepEqual(data.classNames, ["a", "b", "c"]);
  assert.deepEqual([...data.images], [1, 2, 1]);
  await Deno.symlink("..", `${path}/b/up`);
  await assert.rejects(folder.read(), { message: /got a link to a folder that it is in/ });
});

const PICTURES = { "1.png": grey(1), "2.png": grey(2), "deep/3.png": grey(3) };

Deno.test("a table gives labels and splits, whatever the order of its rows and columns", async () => {
  const { train, test, classNames, notes } = await list({
    ...PICTURES,
    '=x,"y".png': grey(4),
    "left/1.png": grey(5),
    "t.csv":
      'label,split,file,id\ncat,train,"=x,""y"".png",7\r\n"dog, big",train,2.png,8\ncat,test,./deep//3.png,9\ncat,train,1.png,10\n',
  });
  assert.deepEqual(train, ["1.png cat", "2.png dog, big", '=x,"y".png cat']);
  assert.deepEqual(test, ["deep/3.png cat"]);
  assert.deepEqual(classNames, ["cat", "dog, big"]);
  assert.deepEqual(notes, ["left out of PATH, since t.csv does not list them: left/1.png"]);
});

Deno.test("a table without split is all to train on, and val is tested on where there is no test", async () => {
  const rows = ["1.png,a", "2.png,b", "deep/3.png,a"];
  const plain = await list({ ...PICTURES, "t.csv": ["file,label", ...rows].join("\n") });
  assert.deepEqual([plain.train.length, plain.test], [3, undefined]);
  const split = (names: string[]) =>
    list({
      ...PICTURES,
      "4.png": grey(4),
      "t.csv": ["file,label,split", ...[...rows, "4.png,b"].map((row, i) => `${row},${names[i]}`)]
        .join("\n"),
    });
  for (const name of ["val", "validation"]) {
    const { test } = await split(["train", "train", name, "val"]);
    assert.deepEqual(test, ["4.png b", "deep/3.png a"]);
  }
  const { test, notes } = await split(["train", "train", "val", "test"]);
  assert.deepEqual(test, ["4.png b"]);
  assert.deepEqual(notes, ["left out of PATH, since t.csv has a split test: all of split val"]);
});

Deno.test("results of lpntk beside class folders are neither a class nor a table", async () => {
  const { train, classNames, notes } = await list({
    "a/1.png": grey(1),
    "b/1.png": grey(2),
    "begun/.lock": '{"process":1,"started":"2030-01-01","id":"x"}',
    "done/run.json": RECORD,
    "done/figure.png": grey(3),
    "a/done/run.json": RECORD,
    "run.json": RECORD,
    "decisions.csv": "index,file,decision,label\n0,a/1.png,relabel,b\n",
  });
  assert.deepEqual([train, classNames], [["a/1.png a", "b/1.png b"], ["a", "b"]]);
  assert.deepEqual(notes, [
    "left out of PATH, since it is in no class folder: run.json",
    "left out of PATH, since a run of lpntk wrote it: begun, done, a/done, decisions.csv",
  ]);
});

Deno.test("a class folder with a run.json or .lock of another tool stays a class", async () => {
  for (const text of ["{}", "no JSON", '{"command":1,"options":{}}', '{"process":"x","id":"x"}']) {
    const { train, classNames, notes } = await list({
      "a/.lock": text,
      "a/1.png": grey(1),
      "b/1.png": grey(2),
      "b/run.json": text,
    });
    assert.deepEqual([train, classNames], [["a/1.png a", "b/1.png b"], ["a", "b"]]);
    assert.match(notes[0], /^left out b\/run.json: got .*, need a PNG/);
  }
  await refuse(
    { "a/1.png": grey(1), "b/1.png": grey(2), "b/run.json": RECORD },
    /got one class folder, a, need at least 2; results of lpntk are no classes: b$/,
  );
});

Deno.test("a CSV that gives no labels is refused beside folders of pictures, and its columns are named", async () => {
  const shards = { "p1/1.png": grey(1), "p2/2.png": grey(2) };
  const columns = {
    "index,file,label": "index, file, label (index marks results of lpntk)",
    "filename;label": "filename;label (a semicolon is no comma)",
    "file\tlabel": String.raw`"file\tlabel" (a tab is no comma)`,
    "File,Label": "File, Label (capitals count)",
    "file, label": "file,  label (blanks count)",
    "id,class": "id, class",
  };
  for (const [header, found] of Object.entries(columns)) {
    const quoted = found.replace(/[()\\]/g, String.raw`\$&`);
    const message = RegExp(
      `^Cannot read PATH: got folders of pictures beside t.csv, whose columns are ${quoted}, need the columns file and label`,
    );
    for (const files of [shards, SPLIT]) {
      await refuse({ ...files, "t.csv": `${header}\n` }, message);
    }
    await refuse(
      { "1.png": grey(1), "t.csv": `${header}\n` },
      RegExp(`^Cannot read PATH: got pictures with t.csv, whose columns are ${quoted}, need`),
    );
  }
  await refuse({ ...shards, "t.csv": "" }, /beside t.csv, which begins without names of columns,/);
  await refuse(
    { ...shards, "t.csv": Uint8Array.of(255, 254, 10) },
    /beside t.csv, whose first line cannot be read/,
  );
  // a run.json of another tool says nothing
  await refuse(
    { ...shards, "t.csv": "index,file,label\n", "run.json": "{}" },
    /beside t.csv, whose columns are index, file, label/,
  );
});

Deno.test("tables that are wrong are refused, each in a line that names the line at fault", async () => {
  const wrong = (table: string, message: RegExp) =>
    refuse({ ...PICTURES, "t.csv": table }, message);
  const at = "^Cannot read PATH/t.csv: got ";
  await wrong(
    "file,label\n1.png,a\n8.png,b\n9.png,b\n",
    RegExp(`${at}2 of 3 files that are not there, 8.png in line 3 the first, need`),
  );
  await wrong(
    "file,label\n1.png,a\n2.png,b\n./1.png,b\n",
    RegExp(`${at}file 1.png twice with labels a and b, in lines 2 and 4`),
  );
  await wrong(
    "file,label\n1.png,a\n2.png,b\n1.png,a\n",
    RegExp(`${at}file 1.png twice, in lines 2 and 4`),
  );
  await wrong(
    "file,label,split\n1.png,a,train\n2.png,b,dev\n",
    RegExp(`${at}split dev in line 3, need train, test, val or validation$`),
  );
  await wrong("file,label\n1.png,a\n2.png,\n", RegExp(`${at}no label in line 3, need one$`));
  await wrong(
    "file,label\n1.png,a\n2.png,a\n",
    RegExp(`${at}one class, a, to train on, need at least 2$`),
  );
  await wrong(
    "file,label,split\n1.png,a,test\n",
    RegExp(`${at}no class to train on, need at least 2$`),
  );
  await wrong(
    "file,label,split\n1.png,a,train\n2.png,b,train\ndeep/3.png,c,test\n",
    RegExp(`${at}label c in line 4, to test on alone, need every class`),
  );
  for (const file of ["../1.png", "/1.png", "", ".", "deep/../../x.png"]) {
    await wrong(
      `file,label\n1.png,a\n${file},b\n`,
      RegExp(`${at}file .* in line 3, need a path from`),
    );
  }
  await wrong('file,label\n"1.png,a\n', RegExp(`${at}a quotation mark that is not closed`));
  await refuse(
    { ...PICTURES, "t.csv": "file,label\n1.png,a\n", "u.csv": "label,file\nb,2.png\n" },
    /got 2 tables of file and label, t.csv, u.csv, need one, with a column split$/,
  );
});
