import assert from "node:assert/strict";
import { encodeCsv } from "../../../cli/report/csv.ts";

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
