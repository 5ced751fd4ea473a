/**
 * Tables as CSV (RFC 4180): written with lines that end in a line feed, read with any line ends.
 *
 * A text that a spreadsheet would compute is written with an apostrophe before it, and read without it, so that names of files come back as they
 * were.
 *
 * @module
 */
import { type CsvError, parse } from "npm:csv-parse@7.0.3/sync";
import { FileError } from "../errors.ts";
import { readBytes } from "../files/file.ts";
import { describeName } from "../options.ts";

/** Value of a cell; `null` is an empty one. */
export type Cell = string | number | boolean | null;

/** Row of a table that was read. */
export interface CsvRow<Needed extends string> {
  /** Line of the file in which the row ends, from 1 on, for errors. */
  readonly line: number;
  /** Texts by the names of the columns. */
  readonly cells: Readonly<Record<Needed, string> & Partial<Record<string, string>>>;
}

/** Bytes of the largest CSV file that is read: two million names of files, whose texts fit JavaScript's heap. */
const MOST_BYTES = 2 ** 28;

/**
 * Encodes rows under the names of their columns.
 *
 * @param names keys of a row in the columns' order; by default those of the first row
 * @throws {RangeError} if there are neither names nor a row.
 */
export function encodeCsv(
  rows: readonly Readonly<Record<string, Cell>>[],
  names?: readonly string[],
): string {
  const columns = names ?? Object.keys(rows[0] ?? {});
  if (columns.length === 0) {
    throw new RangeError("Cannot encode a table: got no row, need at least 1");
  }
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  return lines.map((line) => `${line.map(quote).join(",")}\n`).join("");
}

/** A text that a spreadsheet takes for a formula, or one that reading would take for such a text with its apostrophe. */
const FORMULA = /^'*[=+\-@\t\r]/;

/**
 * Quotes a cell. A text that a spreadsheet would compute gets an apostrophe before it, as OWASP advises against "CSV injection"; numbers are
 * unchanged.
 */
function quote(cell: Cell): string {
  const isFormula = typeof cell === "string" && FORMULA.test(cell);
  const text = cell === null ? "" : isFormula ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Reads a CSV file in UTF-8, with a header of distinct names and as many cells in every row. Empty lines are skipped.
 *
 * @param kind what the file should be, for the error: "the decisions as the page saves them"
 * @param needed names of columns that have to be there; others may be
 * @throws {FileError} when the file is missing, larger than 256 MiB, no UTF-8 or no such table; the message names the line
 */
export async function readCsv<const Needed extends string>(
  path: string,
  kind: string,
  needed: readonly Needed[],
): Promise<CsvRow<Needed>[]> {
  return decodeCsv(await readBytes(path, kind, MOST_BYTES), path, kind, needed);
}

/**
 * Decodes the bytes of a CSV file as {@linkcode readCsv} does.
 *
 * @param path names the file in errors
 */
export function decodeCsv<const Needed extends string>(
  bytes: Uint8Array,
  path: string,
  kind: string,
  needed: readonly Needed[],
): CsvRow<Needed>[] {
  const fail = (state: string, cause?: unknown) =>
    new FileError(path, `Cannot read ${path}: got ${state}, need ${kind}`, { cause });
  const [header, ...rows] = parseRecords(bytes, fail);
  if (header === undefined) throw fail("an empty file");
  const names = nameColumns(header);
  const columns = names.map(describeName).join(", ");
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw fail(`no column ${missing} in its first line, but ${columns} (separated by commas)`);
  }
  if (new Set(names).size < names.length) {
    throw fail(`a column twice in its first line, ${columns}`);
  }
  return rows.map(({ record, info: { lines } }) => ({
    line: lines,
    cells: Object.fromEntries(
      record.map((text, column) => [names[column], unquote(text)]),
    ) as CsvRow<Needed>["cells"],
  }));
}

/**
 * Decodes the names of the columns, in the bytes of a CSV file's first line.
 *
 * @throws {FileError} when the line is no UTF-8 or no such line
 */
export function decodeCsvHeader(bytes: Uint8Array, path: string, kind: string): string[] {
  const fail = (state: string, cause?: unknown) =>
    new FileError(path, `Cannot read ${path}: got ${state}, need ${kind}`, { cause });
  return parseRecords(bytes, fail).flatMap(nameColumns);
}

function nameColumns({ record }: CsvRecord): string[] {
  return record.map(unquote);
}

/** Takes the apostrophe away that {@linkcode encodeCsv} puts before a text. */
function unquote(text: string): string {
  return FORMULA.test(text) && text.startsWith("'") ? text.slice(1) : text;
}

interface CsvRecord {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

function parseRecords(
  bytes: Uint8Array,
  fail: (state: string, cause: unknown) => FileError,
): CsvRecord[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw fail("a text that is no UTF-8", cause);
  }
  try {
    return parse(text, {
      info: true,
      skip_empty_lines: true,
      record_delimiter: ["\r\n", "\n", "\r"],
    }) as unknown as CsvRecord[];
  } catch (cause) {
    throw fail(describeError(cause as CsvError), cause);
  }
}

/** Describes why the parser refuses a text, without what its message quotes of it. */
function describeError(error: CsvError): string {
  const { code, lines } = error as CsvError & { readonly lines?: number };
  const states: Partial<Record<typeof code, string>> = {
    CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: "another number of cells than in the first line",
    CSV_QUOTE_NOT_CLOSED: "a quotation mark that is not closed",
    INVALID_OPENING_QUOTE: "a quotation mark within a cell that does not begin with one",
    CSV_INVALID_CLOSING_QUOTE: "a text after a cell's closing quotation mark",
  };
  return `${states[code] ?? "a broken table"} in line ${lines}`;
}
