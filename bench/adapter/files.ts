/**
 * The two files of a report, `NAME.json` and `NAME.md`.
 *
 * @module
 */
import { FileError } from "../../engine/errors.ts";
import { exists, readText, writeWhole } from "../../engine/files/file.ts";
import { readJson } from "../../engine/formats/json.ts";
import { formatPage, PAGE_MARK } from "./page.ts";
import { KIND, namesFormat, type Report } from "./report.ts";

/** A page of more bytes is none of ours. */
const MOST_PAGE_BYTES = 2 ** 24;

/**
 * Refuses to write over anything but an earlier report, and over one without `force`.
 *
 * @throws {FileError} which names the file.
 */
export async function refuseFiles(name: string, force: boolean): Promise<void> {
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
  }
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
