/** Notes about data that is no mistake in itself. @module */
import assert from "node:assert/strict";
import { noteEmptyClasses } from "../../cli/notes.ts";
import { createDataset, type Split } from "../../mod.ts";

/** Returns the note on standard error about a data set with these labels. */
function noteOf(labels: readonly number[], classes: number, name: string, split: Split = "train") {
  const data = createDataset({
    name,
    split,
    images: new Uint8Array(labels.length),
    labels,
    shape: [1, 1, 1],
    classes,
    mean: [0],
    std: [1],
  });
  let said = "";
  const { error } = console;
  console.error = (text) => said += `${text}\n`;
  try {
    noteEmptyClasses(data);
  } finally {
    console.error = error;
  }
  return said;
}

Deno.test("classes without a sample are named, once for each split, and counted beyond eight", () => {
  assert.equal(noteOf([0, 1, 1, 2], 3, "all"), "");
  assert.equal(noteOf([0, 2, 2], 3, "middle"), "lpntk: class 1 has no sample in middle (train)\n");
  assert.equal(noteOf([0, 2, 2], 3, "middle"), "");
  assert.equal(
    noteOf([0, 2, 2], 3, "middle", "test"),
    "lpntk: class 1 has no sample in middle (test)\n",
  );
  assert.equal(
    noteOf([1, 2, 3], 4, "shifted"),
    "lpntk: class 0 has no sample in shifted (train); where labels count from 1, subtract 1\n",
  );
  assert.equal(
    noteOf([0, 11, ...Array<number>(10).fill(0)], 12, "many"),
    "lpntk: classes 1, 2, 3, 4, 5, 6, 7, 8 and 2 more have no sample in many (train)\n",
  );
  // three samples cannot cover four classes; these cover all but the first
  assert.equal(noteOf([0, 2, 3], 4, "few"), "");
  assert.match(noteOf([1, 2, 3], 4, "few from 1"), /class 0 has no sample/);
  assert.equal(noteOf([2 ** 31 - 1], 2 ** 31, "one"), "");
});
