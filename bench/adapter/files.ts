/**
 * The two files of a report, `NAME.json` and `NAME.md`.
 *
 * @module
 */
import { FileError } from "../../engine/errors.ts";
import { exists, explainWrite, readText, writeWhole } from "../../engine/files/file.ts";
import { readJson } from "../../engine/formats/json.ts";
import { formatMinutes, formatPage, PAGE_MARK } from "./page.ts";
import { KIND, namesFormat, type Report } from "./report.ts";

/** A page of more bytes is none of ours. */
const MOST_PAGE_BYTES = 2 ** 24;

/**
 * Chooses the name under which a report is written while it is measured: its own, or `NAME.new` where an earlier report would be lost.
 *
 * @throws {FileError} which names a file that no report of ours is, or an earlier report where nothing is forced.
 */
export async function chooseDraft(name: string, force: boolean): Promise<string> {
  if (!await hasReport(name, force)) return name;
  const draft = `${name}.new`;
  await hasReport(draft, force);
  return draft;
}

/** Refuses a baseline that the new report would be written over. */
export async function refuseOwnBaseline(name: string, baseline: string): Promise<void> {
  const find = (path: string) => Deno.realPath(path).catch(() => undefined);
  const place = await find(baseline);
  for (const path of [`${name}.json`, `${name}.new.json`]) {
    if (place === undefined || place !== await find(path)) continue;
    throw new RangeError(
      `Cannot compare reports: got ${baseline} as the baseline and the place of the new one, need two places; choose another --report`,
    );
  }
}

/**
 * Gives a report that has ended its own name, in the place of an earlier one.
 *
 * @throws {Error} if it has measured nothing; it stays where it is then.
 */
export async function settleReport(
  { name, draft }: { readonly name: string; readonly draft: string },
  { measurements, minutes }: Report,
): Promise<void> {
  if (measurements.length === 0) {
    throw new Error(
      `Cannot report on this adapter: got no measurement within ${
        formatMinutes(minutes)
      }, need one at least; give it more --minutes; ${draft}.json says why`,
    );
  }
  if (draft === name) return;
  for (const ending of ["json", "md"]) {
    await Deno.rename(`${draft}.${ending}`, `${name}.${ending}`).catch((cause) => {
      throw explainWrite(`${name}.${ending}`, cause);
    });
  }
}

/** Whether there is an earlier report; anything else is refused, and so is one where nothing is forced. */
async function hasReport(name: string, force: boolean): Promise<boolean> {
  let isThere = false;
  for (const [path, isOurs] of [[`${name}.json`, isReport], [`${name}.md`, isPage]] as const) {
    if (!await exists(path)) continue;
    const fail = (state: string, mend: string) =>
      new FileError(
        path,
        `Cannot write ${path}: got ${state}, need a new name; choose another --report${mend}`,
      );
    if (!await isOurs(path)) {
      throw fail("a file that lpntk bench --report did not write", " or move it away");
    }
    if (!force) throw fail("a report already", ", or --force to write over it");
    isThere = true;
  }
  return isThere;
}

/**
 * Writes both files, each of them whole.
 *
 * @throws {FileError} if one cannot be written.
 */
export async function writeReport(name: string, report: Report): Promise<void> {
  const encoder = new TextEncoder();
  await writeWhole(`${name}.json`, encoder.encode(`${JSON.stringify(report, null, 2)}\n`));
  await writeWhole(`${name}.md`, encoder.encode(formatPage(report)));
}

/** Whether a file is a report; what cannot be read is none. */
async function isReport(path: string): Promise<boolean> {
  return namesFormat(await readJson(path, KIND).catch(() => undefined));
}

async function isPage(path: string): Promise<boolean> {
  const text = await readText(path, "a page", MOST_PAGE_BYTES).catch(() => "");
  return text.startsWith(PAGE_MARK);
}
