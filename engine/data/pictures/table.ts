/**
 * Pictures with a table of their labels: a folder with pictures and a CSV of `file,label` and, if need be, `split`.
 *
 * @module
 */
import { normalize } from "node:path/posix";
import { FileError } from "../../errors.ts";
import { decodeCsvHeader, readCsv } from "../../formats/csv.ts";
import { InputFile } from "../../files/file.ts";
import { describeName } from "../../options.ts";
import { compareCodePoints } from "../code_points.ts";
import type { Split } from "../dataset.ts";
import {
  describeFiles,
  isPictureName,
  listFolder,
  listNames,
  type PictureFile,
  type PictureListing,
  walk,
} from "./listing.ts";
import { holdsRecord } from "./results.ts";

const KIND = "a table of pictures with the columns file, label and, if need be, split";

const COLUMNS = ["file", "label"] as const;

/** Bytes in which the first line of a table has to end. */
const HEADER_BYTES = 2 ** 14;

/** Splits that a table may name; `val`, or `validation`, is the test split where there is no `test`. */
const SPLITS = ["train", "test", "val"] as const;

/** A picture as a table has it. */
interface TableRow {
  readonly line: number;
  /** Path from the folder on, without `.` or `..`. */
  readonly file: string;
  readonly label: string;
  readonly split: typeof SPLITS[number];
}

/** CSV files of a folder. */
interface FolderTables {
  /** The one that gives labels. */
  readonly table?: string;
  /** Names of those that a run of lpntk wrote. */
  readonly results: readonly string[];
  /** The others, each with its columns in words. */
  readonly others: readonly string[];
}

/**
 * Finds the CSV files of a folder. The table has the columns `file` and `label`, and no `index`, which results of lpntk have; these are told by that
 * column where the record of a run is beside them.
 *
 * @throws {FileError} when there are several tables
 */
export async function findTables(path: string): Promise<FolderTables> {
  const [tables, results, others]: string[][] = [[], [], []];
  for (const name of (await listFolder(path)).files) {
    if (!/\.csv$/i.test(name)) continue;
    const columns = await readHeader(`${path}/${name}`);
    const isIndexed = columns?.includes("index") ?? false;
    if (!isIndexed && COLUMNS.every((column) => columns?.includes(column))) tables.push(name);
    else if (isIndexed && await holdsRecord(path)) results.push(name);
    else others.push(`${describeName(name)}, ${describeColumns(columns)}`);
  }
  if (tables.length <= 1) return { table: tables[0], results, others };
  throw new FileError(
    path,
    `Cannot read ${path}: got ${tables.length} tables of file and label, ${
      listNames(tables)
    }, need one, with a column split`,
  );
}

/** Reads the names of a table's columns; undefined where the first line is none of a CSV file. */
async function readHeader(path: string): Promise<string[] | undefined> {
  using file = await InputFile.open(path, KIND);
  const bytes = await file.read(0, Math.min(file.sizeBytes, HEADER_BYTES));
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  try {
    return decodeCsvHeader(bytes.subarray(0, end < 0 ? bytes.length : end), path, KIND);
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}

/** Describes columns that are not those of a table, and what may be wrong with them. */
function describeColumns(columns: readonly string[] | undefined): string {
  if (!columns) return "whose first line cannot be read as names of columns in UTF-8";
  if (columns.length === 0) return "which begins without names of columns";
  const text = columns.join();
  const isMeant = (fold: (column: string) => string) =>
    COLUMNS.every((name) => columns.map(fold).includes(name)) &&
    !COLUMNS.every((name) => columns.includes(name));
  const faults = [
    columns.length === 1 && text.includes(";") && "a semicolon is no comma",
    columns.length === 1 && text.includes("\t") && "a tab is no comma",
    isMeant((column) => column.trim().toLowerCase()) && text !== text.toLowerCase() &&
    "capitals count",
    isMeant((column) => column.trim().toLowerCase()) &&
    columns.some((column) => column !== column.trim()) && "blanks count",
    columns.includes("index") && "index marks results of lpntk",
  ].filter((fault) => fault !== false);
  const listed = `whose columns are ${listNames(columns)}`;
  return faults.length > 0 ? `${listed} (${faults.join(", ")})` : listed;
}

/** Returns whether a table has pictures to test on. */
export async function tableHasTest(path: string, table: string): Promise<boolean> {
  return (await readTable(path, table)).some(({ split }) => split !== "train");
}

/**
 * Lists the pictures of a table. Columns of other names are not read.
 *
 * @throws {FileError} when the table is broken, names files that are not there, are outside its folder or are there twice, splits that are none,
 * one class alone, or a class that the training split does not have
 */
export async function listTable(path: string, table: string): Promise<PictureListing> {
  const rows = await readTable(path, table);
  const fail = (got: string, need: string) => refuse(`${path}/${table}`, got, need);
  refuseTwice(rows, fail);
  const hasTest = rows.some(({ split }) => split === "test");
  const used = rows.filter(({ split }) => !(hasTest && split === "val"));
  const isTrain = ({ split }: TableRow) => split === "train";
  const classNames = [...new Set(used.filter(isTrain).map(({ label }) => label))]
    .sort(compareCodePoints);
  if (classNames.length < 2) {
    const got = classNames.length === 0 ? "no class" : `one class, ${describeName(classNames[0])},`;
    throw fail(`${got} to train on`, "at least 2");
  }
  const labels = new Map(classNames.map((name, label) => [name, label]));
  const stranger = used.find(({ label }) => !labels.has(label));
  if (stranger) {
    throw fail(
      `label ${describeName(stranger.label)} in line ${stranger.line}, to test on alone`,
      "every class in the training split too",
    );
  }
  const files = used
    .map(({ file, label, split }) => ({
      file,
      label: labels.get(label)!,
      split: split === "train" ? "train" : "test" as Split,
    }))
    .sort((a, b) =>
      Number(a.split === "test") - Number(b.split === "test") || compareCodePoints(a.file, b.file)
    );
  const described = await describeFiles(path, files);
  refuseMissing(described, rows, fail);
  return { classNames, files: described, notes: await noteUnread(path, table, rows, used.length) };
}

async function readTable(path: string, table: string): Promise<TableRow[]> {
  const at = `${path}/${table}`;
  const rows = await readCsv(at, KIND, COLUMNS);
  return rows.map(({ line, cells: { file, label, split = "train" } }) => {
    const fail = (got: string, need: string) => refuse(at, `${got} in line ${line}`, need);
    if (label === "") throw fail("no label", "one");
    const found = SPLITS.find((known) => known === (split === "validation" ? "val" : split));
    if (!found) throw fail(`split ${describeName(split)}`, `${SPLITS.join(", ")} or validation`);
    const whole = normalize(file);
    if (file === "" || file.startsWith("/") || whole === "." || /^\.\.(\/|$)/.test(whole)) {
      throw fail(`file ${describeName(file)}`, "a path from the table's folder on, within it");
    }
    return { line, file: whole, label, split: found };
  });
}

/** Makes the error of a table; what it got and needs are put together with others here alone. */
function refuse(path: string, got: string, need: string): FileError {
  return new FileError(path, `Cannot read ${path}: got ${got}, need ${need}`);
}

type Fail = (got: string, need: string) => FileError;

function refuseTwice(rows: readonly TableRow[], fail: Fail): void {
  const first = new Map<string, TableRow>();
  for (const row of rows) {
    const earlier = first.get(row.file);
    if (earlier) {
      const labels = earlier.label === row.label
        ? ""
        : ` with labels ${describeName(earlier.label)} and ${describeName(row.label)}`;
      throw fail(
        `file ${describeName(row.file)} twice${labels}, in lines ${earlier.line} and ${row.line}`,
        "every file once",
      );
    }
    first.set(row.file, row);
  }
}

function refuseMissing(
  files: readonly PictureFile[],
  rows: readonly TableRow[],
  fail: Fail,
): void {
  const missing = files.filter(({ isMissing }) => isMissing);
  if (missing.length === 0) return;
  const [{ file }] = missing;
  const { line } = rows.find((row) => row.file === file)!;
  throw fail(
    `${missing.length} of ${files.length} files that are not there, ${
      describeName(file)
    } in line ${line} the first`,
    "every file of the table, by its path from the table's folder on",
  );
}

async function noteUnread(
  path: string,
  table: string,
  rows: readonly TableRow[],
  used: number,
): Promise<string[]> {
  const named = new Set(rows.map(({ file }) => file));
  const others: string[] = [];
  for await (const file of walk(path)) {
    if (!named.has(file) && isPictureName(file)) others.push(file);
  }
  const notes: string[] = [];
  if (used < rows.length) {
    notes.push(`left out of ${path}, since ${table} has a split test: all of split val`);
  }
  if (others.length > 0) {
    notes.push(`left out of ${path}, since ${table} does not list them: ${listNames(others)}`);
  }
  return notes;
}
