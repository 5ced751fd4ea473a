/** Names of samples: how they are found by them, and how tables carry them. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeSamples, findPosition, roundToFloat32 } from "../../cli/known_samples.ts";
import { decodeCsv } from "../../engine/formats/csv.ts";

const ACTION = "list the partners";

Deno.test("a sample is found by its index in the whole split, or the nearest ones are named", () => {
  const indices = Int32Array.of(3, 5, 9);
  const find = (text: string) => findPosition(text, { indices }, ACTION);
  assert.deepEqual(["3", "5", "9", "009"].map(find), [0, 1, 2, 2]);
  assert.equal(findPosition("7", {}, ACTION), 7);
  for (const [index, near] of [["0", "3"], ["4", "3 or 5"], ["7", "5 or 9"], ["100", "9"]]) {
    assert.throws(() => find(index), {
      name: "UsageError",
      message:
        `Cannot list the partners of sample ${index}: got a sample that is not among the 3 chosen ones, need one of them, such as ${near}`,
    });
  }
  for (const text of ["-1", "1.5", "1e3", "cat.png", " 3"]) {
    assert.throws(() => find(text), {
      name: "UsageError",
      message:
        `Cannot list the partners of sample ${text}: got no index, need one, as these samples are no files`,
    });
  }
});

Deno.test("a sample is found by its file, as tables have it or by its path, and digits are an index unless a file has that name", () => {
  const allFiles = ["test/cat/a.png", "test/cat/b, 2.png", "7", "test/dog/a.png", "x/=1.png"];
  const folder = "some/where";
  const indices = Int32Array.of(1, 2, 3);
  const find = (text: string) => findPosition(text, { indices, allFiles, folder }, ACTION);
  assert.deepEqual(["test/cat/b, 2.png", "7", "test/dog/a.png", "3"].map(find), [0, 1, 2, 2]);
  assert.equal(find("some/where/test/dog/a.png"), 2);
  assert.equal(find(`${Deno.cwd()}/some/where/test/dog/a.png`), 2);
  assert.equal(find("./some/other/../where/test/dog/a.png"), 2);
  assert.throws(() => find("test/cat/a.png"), {
    name: "UsageError",
    message:
      "Cannot list the partners of sample test/cat/a.png: got a sample that is not among the 3 chosen ones, need one of them, such as 1",
  });
  const need = "got no index, need one, or one of the 5 files of some/where";
  for (
    const [text, end] of [
      ["test/cat/B.png", "; did you mean test/cat/a.png?"],
      ["test/dgo/a.png", "; did you mean test/dog/a.png?"],
      ["b, 2.png", "; did you mean test/cat/b, 2.png?"],
      ["completely different", ", such as test/cat/a.png"],
    ]
  ) {
    assert.throws(() => find(text), {
      name: "UsageError",
      message: `Cannot list the partners of sample ${text}: ${need}${end}`,
    });
  }
  assert.throws(() => find("two\nlines\u202e"), { message: /sample "two\\nlines\\u202e": got/ });
});

Deno.test("a table names every sample, and comes back as it was, whatever people call their files and classes", () => {
  const name = fc.string({ unit: "binary-ascii", minLength: 1 });
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 2 }), name, (classNames, file) => {
      const samples = {
        indices: Int32Array.of(4, 70_000),
        labels: [1, 0],
        classNames,
        files: ["plain.png", file],
      };
      const text = encodeSamples(samples, [1, 0], { name: "redundant", values: [1, 0] });
      const rows = decodeCsv(new TextEncoder().encode(text), "t.csv", "a table", ["index"]);
      assert.deepEqual(
        rows.map(({ cells }) => ({ ...cells })),
        [
          { index: "70000", file, label: classNames[0], redundant: "1" },
          { index: "4", file: "plain.png", label: classNames[1], redundant: "0" },
        ],
      );
    }),
    {
      examples: [
        [["<script>alert(1)</script>", 'a "b", c'], "=1+1.png"],
        [["two\nlines", "\u05d0\u05d1"], "'quoted.png"],
        [["-1", "x".repeat(1000)], "\r\n"],
      ],
    },
  );
});

Deno.test("what is not known of samples is an empty cell, and no sample leaves the header", () => {
  assert.equal(encodeSamples({}, [2]), "index,file,label\n2,,\n");
  assert.equal(encodeSamples({ labels: [5, 6] }, [1]), "index,file,label\n1,,6\n");
  const column = { name: "cluster", values: [] };
  assert.equal(encodeSamples({}, [], column), "index,file,label,cluster\n");
});

Deno.test("a float32 in a table reads as the same float32", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const rounded = roundToFloat32(value);
      // -0 may read as 0
      assert.ok(Math.fround(rounded) === value, `${rounded} for ${value}`);
      const digits = `${Math.abs(rounded)}`.replace(/e.*|\./g, "").replace(/^0+|0+$/g, "");
      assert.ok(digits.length <= 9, digits);
    }),
  );
});
