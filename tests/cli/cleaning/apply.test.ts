/** `lpntk clean --apply`: what was decided becomes a data set, and nothing else. @module */
import assert from "node:assert/strict";
import { encodeNpy, loadDataset, readFolder } from "../../../mod.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { assertRefused, fingerprint, listFolder, readJson, runLpntk, succeed } from "../process.ts";
import { CLASSES, plantFaults, writePlanted } from "./planted.ts";

const planted = plantFaults({ count: 12, copies: 1, testCount: 6 });

/** Decisions on samples 3 (a file that a spreadsheet would compute), 5, 7, 12 and 0, as a person might have sorted them. */
const DECISIONS = [
  "decision,label,note,index,file",
  'relabel,"se""ven, <7>",sure,5,train/5.png',
  `keep,${CLASSES[planted.train.labels[0]]},,0,train/0.png`,
  "remove,,,12,train/12.png",
  `relabel,'=one,,3,"'=3,.png"`,
  `remove,"${
    CLASSES[planted.train.labels[7]].replaceAll('"', '""').replace(/^=/, "'=")
  }",,7,train/7.png`,
].join("\n");

Deno.test("decisions are applied, everything else stays as it is", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await writePlanted(`${path}/data`, planted);
  await Deno.writeTextFile(`${path}/decisions.csv`, DECISIONS);
  const args = ["clean", "--apply", `${path}/decisions.csv`, "--data", `${path}/data`];
  const before = await fingerprint(`${path}/data`);
  const said = await succeed([...args, "--out", `${path}/cleaned`]);
  assert.deepEqual(await fingerprint(`${path}/data`), before);

  const { train, test } = planted;
  const left = [...train.labels.keys()].filter((index) => ![7, 12].includes(index));
  const decided = new Map([[5, 2], [3, 1]]);
  const cleaned = await readFolder(`${path}/cleaned`, "train");
  assert.deepEqual(
    [...cleaned.labels],
    left.map((index) => decided.get(index) ?? train.labels[index]),
  );
  assert.deepEqual(cleaned.files, left.map((index) => train.files![index]));
  assert.deepEqual(cleaned.classNames, CLASSES);
  const size = 28 * 28;
  left.forEach((index, n) =>
    assert.deepEqual(
      cleaned.images.subarray(n * size, (n + 1) * size),
      train.images.subarray(index * size, (index + 1) * size),
    )
  );
  const { name: _, ...copied } = await readFolder(`${path}/cleaned`, "test");
  const { name: __, ...own } = test;
  assert.deepEqual(copied, own);

  const changed = [3, 5, 7, 12].filter((index) => decided.get(index) !== train.labels[index]);
  const changes = await Deno.readTextFile(`${path}/cleaned/changes.csv`);
  assert.equal(changes.split("\n")[0], "index,file,change,given,label");
  assert.deepEqual(
    changes.trim().split("\n").slice(1).map((line) => Number(line.split(",")[0])),
    changed,
  );
  assert.match(changes, /\n12,train\/12.png,removed,[^\n]*,\n$/);
  const summary = await readJson(`${path}/cleaned/summary.json`);
  assert.equal(summary.removed, 2);
  assert.equal(summary.relabelled, changed.length - 2);
  assert.equal(summary.left, left.length);
  assert.match(said, new RegExp(`5 decisions on 13 samples: .* 2 removed, ${left.length} left`));

  assert.match(
    said,
    /\nyour files stay as they are; \S+\/cleaned\/changes\.csv names those to move /,
  );
  assert.match(said, /\n {2}lpntk train --model lenet5 --data \S+\/cleaned --out \S+_trained\n/);

  // it is a data set like any other
  assert.equal((await loadDataset(`${path}/cleaned`, "train")).labels.length, left.length);
  const first = await fingerprint(`${path}/cleaned`);
  await succeed([...args, "--out", `${path}/cleaned`]);
  assert.deepEqual(await fingerprint(`${path}/cleaned`), first);
});

Deno.test("decisions that fit no sample are refused, and nothing is written", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await writePlanted(`${path}/data`, planted);
  const head = "index,file,decision,label";
  const own = (index: number) => CLASSES[planted.train.labels[index]];
  const other = CLASSES[(planted.train.labels[2] + 1) % 3];
  const quote = (text: string) => `"${text.replaceAll('"', '""').replace(/^=/, "'=")}"`;
  const cases: readonly (readonly [rows: string, ...says: string[]])[] = [
    [`${head}\n13,train/13.png,keep,`, "index 13 in line 2", "0 to 12"],
    [`${head}\n-1,train/1.png,keep,`, "index -1 in line 2"],
    [`${head}\n1.0,train/1.png,keep,`, "index 1.0 in line 2"],
    [`${head}\n2,train/1.png,keep,`, "file train/1.png for sample 2", "need train/2.png"],
    [`${head}\n2,,keep,`, "no file for sample 2"],
    [`${head}\n2,train/2.png,Remove,`, "decision Remove", "did you mean remove?"],
    [`${head}\n2,train/2.png,,`, "no decision in line 2, need keep, relabel, remove"],
    [`${head}\n2,train/2.png,relabel,zero`, "label zero", "did you mean zéro?"],
    [`${head}\n2,train/2.png,relabel,`, "no label for sample 2", "need a class"],
    [`${head}\n2,train/2.png,relabel,1`, "label 1"],
    [`${head}\n2,train/2.png,keep,${quote(other)}`, "decision keep with label", own(2)],
    [
      `${head}\n2,train/2.png,keep,\n4,train/4.png,keep,\n2,train/2.png,remove,`,
      "sample 2 again, after line 2 in line 4",
    ],
    ["index,file,label\n2,train/2.png,", "no column decision"],
    ["", "an empty file"],
    [`${head}\n2,train/2.png,keep`, "another number of cells"],
  ];
  for (const [text, ...says] of cases) {
    await Deno.writeTextFile(`${path}/decisions.csv`, text);
    const args = ["--apply", `${path}/decisions.csv`, "--data", `${path}/data`];
    const outcome = await runLpntk(["clean", ...args, "--out", `${path}/cleaned`]);
    assertRefused(outcome, "decisions.csv", ...says);
    assert.deepEqual(await listFolder(path), ["data", "decisions.csv"], text);
  }
});

Deno.test("a data set of which every sample is removed is refused", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  await writePlanted(`${path}/data`, planted);
  const rows = planted.train.files!.map((file, index) =>
    `${index},"${file.replace(/^=/, "'=")}",remove,`
  );
  await Deno.writeTextFile(
    `${path}/decisions.csv`,
    ["index,file,decision,label", ...rows].join("\n"),
  );
  const args = ["--apply", `${path}/decisions.csv`, "--data", `${path}/data`];
  const { code, stderr } = await runLpntk(["clean", ...args, "--out", `${path}/cleaned`]);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^lpntk: Cannot apply .*decisions.csv: got decisions that remove all 13 samples of .*\n$/,
  );
  assert.deepEqual(await listFolder(path), ["data", "decisions.csv"]);
});

Deno.test("where samples have no files, decisions of another data set are told by its labels", async () => {
  await using temp = await openTempFolder();
  const { path } = temp;
  const labels = Int32Array.of(0, 1, 2, 1, 0, 2);
  await Deno.mkdir(`${path}/data`);
  await Deno.writeFile(
    `${path}/data/images.npy`,
    encodeNpy(new Uint8Array(6 * 9), [6, 3, 3]),
  );
  await Deno.writeFile(`${path}/data/labels.npy`, encodeNpy(labels, [6]));
  const apply = async (...rows: string[]) => {
    const text = ["index,file,decision,label", ...rows].join("\n");
    await Deno.writeTextFile(`${path}/decisions.csv`, text);
    const args = ["--apply", `${path}/decisions.csv`, "--data", `${path}/data`];
    return await runLpntk(["clean", ...args, "--out", `${path}/cleaned`]);
  };
  for (const [row, got] of [["3,,remove,2", "label 2"], ["3,,keep,", "no label"]]) {
    const outcome = await apply("0,,remove,0", row);
    assertRefused(outcome, `with ${got} for sample 3 in line 3`, "need the label that it has, 1");
    assert.deepEqual(await listFolder(path), ["data", "decisions.csv"]);
  }
  assert.equal((await apply("0,,remove,0", "3,,keep,1", "4,,relabel,2")).code, 0);
  const cleaned = await readFolder(`${path}/cleaned`, "train");
  assert.deepEqual([...cleaned.labels], [1, 2, 1, 2, 2]);
});
