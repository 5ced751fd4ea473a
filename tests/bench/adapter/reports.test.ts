/** The reports that the project keeps: they are read by this version, and their pages are theirs. @module */
import assert from "node:assert/strict";
import { formatPage } from "../../../bench/adapter/page.ts";
import { readReport } from "../../../bench/adapter/report.ts";
import { ROOT } from "../../cli/process.ts";

const FOLDER = `${ROOT}/bench/reports`;

Deno.test("every report that is kept is of this version of the format, and its page says what it says", async () => {
  const names = (await Array.fromAsync(Deno.readDir(FOLDER), ({ name }) => name)).sort();
  const stems = [...new Set(names.map((name) => name.replace(/\.(json|md)$/, "")))];
  assert.deepEqual(names, stems.flatMap((stem) => [`${stem}.json`, `${stem}.md`]));
  for (const stem of stems) {
    const report = await readReport(`${FOLDER}/${stem}.json`);
    assert.equal(await Deno.readTextFile(`${FOLDER}/${stem}.md`), formatPage(report), stem);
  }
});
