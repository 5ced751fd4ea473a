import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCsv, encodeCsv } from "../../../engine/formats/csv.ts";

Deno.test("a table is its header and a line a row, with quotes where they are needed", () => {
  const rows = [
    { "a,b": 'x "y"', n: 0.1, yes: true, none: null },
    { "a,b": "two\nlines", n: -1e-7, yes: false, none: 3 },
  ];
  assert.equal(
    encodeCsv(rows),
    '"a,b",n,yes,none\n"x ""y""",0.1,true,\n"two\nlines",-1e-7,false,3\n',
  );
  assert.throws(() => encodeCsv([]), { name: "RangeError", message: /got no row/ });
});

Deno.test("a text that a spreadsheet would compute is kept from it, and a number stays one", () => {
  const texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", ""];
  const rows = [...texts, -1, 1e-7, null, true].map((cell) => ({ "=key": cell }));
  assert.deepEqual(encodeCsv(rows).split("\n"), [
    "'=key",
    "'=1+1",
    "'+1",
    "'-1",
    "'@SUM(A1)",
    "'\t=1",
    '"\'\r=1"',
    "a=1",
    "",
    "-1",
    "1e-7",
    "",
    "true",
    "",
  ]);
});

function decode(text: string | Uint8Array, ...needed: string[]) {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return decodeCsv(bytes, "a.csv", "a table", needed);
}

Deno.test("what is written is read again, whatever the texts", () => {
  const texts = fc.string({ unit: fc.constantFrom(..."'=+-@\t\r\n\", ;a1é\u{1f600}") });
  const row = fc.record({ file: texts, "'-x": texts }, { noNullPrototype: true });
  const rows = fc.array(row, { minLength: 1 });
  fc.assert(fc.property(rows, (rows) => {
    const read = decode(encodeCsv(rows), "file");
    assert.deepEqual(read.map(({ cells }) => cells), rows);
  }));
});

Deno.test("Python's csv module reads the same cells, but for the apostrophe", async () => {
  const rows = [{ file: 'a,"b"\r\nc', label: "é" }, { file: "-x.png", label: "'" }];
  const script =
    "import csv,json,sys;print(json.dumps(list(csv.DictReader(open(0,newline='',encoding='utf-8')))))";
  const python = new Deno.Command("/usr/bin/python3", {
    args: ["-c", script],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = python.stdin.getWriter();
  await writer.write(new TextEncoder().encode(encodeCsv(rows)));
  await writer.close();
  const { stdout } = await python.output();
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), [rows[0], {
    file: "'-x.png",
    label: "'",
  }]);
});

Deno.test("any line ends and a byte-order mark are read, empty lines are skipped, lines are counted", () => {
  const rows = decode(
    '\ufefffile,label\r\na.png,1\n"b\n.png",2\r\n\r\nc.png,-3\r',
    "file",
    "label",
  );
  assert.deepEqual(rows, [
    { line: 2, cells: { file: "a.png", label: "1" } },
    { line: 4, cells: { file: "b\n.png", label: "2" } },
    { line: 6, cells: { file: "c.png", label: "-3" } },
  ]);
});

const BAD_TABLES: [text: string | Uint8Array, state: string][] = [
  ["", "an empty file"],
  ["a;b\n1;2\n", "no column a in its first line, but a;b (separated by commas)"],
  ["a,a\n1,2\n", "a column twice in its first line, a, a"],
  ["a,b\n1,2\n3\n", "another number of cells than in the first line in line 3"],
  ['a,b\n"1,2\n', "a quotation mark that is not closed in line 2"],
  ['a,b\n1"x,2\n', "a quotation mark within a cell that does not begin with one in line 2"],
  ['a,b\n"1"x,2\n', "a text after a cell's closing quotation mark in line 2"],
  [Uint8Array.of(97, 10, 0xff), "a text that is no UTF-8"],
];

for (const [text, state] of BAD_TABLES) {
  Deno.test(`a table is refused for ${state}`, () => {
    assert.throws(() => decode(text, "a"), {
      name: "FileError",
      message: `Cannot read a.csv: got ${state}, need a table`,
    });
  });
}
