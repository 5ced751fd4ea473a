/**
 * Decisions of a person on samples, and the data set that follows from them.
 *
 * @module
 */
import { type Dataset, FileError, nameClass, takeSamples } from "../../mod.ts";
import { type CsvRow, readCsv } from "../../engine/formats/csv.ts";
import { describeName, findNearest } from "../../engine/options.ts";

/** What may be decided of a sample. */
const CHOICES = ["keep", "relabel", "remove"] as const;

/** Columns of a file of decisions, in any order; others are passed over. */
const COLUMNS = ["index", "file", "decision", "label"] as const;

type Row = CsvRow<typeof COLUMNS[number]>;

/** A decision on one sample. */
export interface Decision {
  /** Index of the sample in the training split. */
  readonly index: number;
  readonly decision: typeof CHOICES[number];
  /** Label that the sample gets; that which it has, unless it is relabelled. */
  readonly label: number;
}

/**
 * Reads `decisions.csv`. For samples to keep or to remove, the column `label` holds the label that they have; where samples have
 * files, it may be empty. The files, or those labels, tell decisions of another data set.
 *
 * @param data the whole training split
 * @throws {FileError} if the file is no table of decisions, or one of them fits no sample of the data set; the message names the line.
 */
export async function readDecisions(path: string, data: Dataset): Promise<Decision[]> {
  const rows = await readCsv(path, "decisions as the page of lpntk clean saves them", COLUMNS);
  const classes = new Map(
    Array.from({ length: data.classes }, (_, label) => [nameClass(data, label), label]),
  );
  const lines = new Map<number, number>();
  return rows.map((row) => {
    const fail: Fail = (got, need) =>
      new FileError(path, `Cannot apply ${path}: got ${got} in line ${row.line}, need ${need}`);
    const index = findSample(row, data, fail);
    const before = lines.get(index);
    if (before !== undefined) {
      throw fail(`sample ${index} again, after line ${before}`, "one decision for each sample");
    }
    lines.set(index, row.line);
    const decision = CHOICES.find((choice) => choice === row.cells.decision);
    if (decision === undefined) {
      throw fail(describeCell(row, "decision"), suggest(row.cells.decision, CHOICES));
    }
    return { index, decision, label: findLabel(row, data, { index, decision, classes }, fail) };
  });
}

/** Makes the error of a row. */
type Fail = (got: string, need: string) => FileError;

/** Finds the sample of a row by its index, and checks that it is the row's file. */
function findSample(row: Row, data: Dataset, fail: Fail): number {
  const { index: text, file } = row.cells;
  const count = data.labels.length;
  const index = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(index < count)) {
    throw fail(
      describeCell(row, "index"),
      `an integer from 0 to ${count - 1}, the training samples of ${data.name}`,
    );
  }
  const own = data.files?.[index] ?? "";
  if (file === own) return index;
  throw fail(
    `${describeCell(row, "file")} for sample ${index}`,
    `${own === "" ? "none" : describeName(own)}; take the decisions on ${data.name}`,
  );
}

/** Finds the label that a sample gets. */
function findLabel(
  row: Row,
  data: Dataset,
  { index, decision, classes }: Omit<Decision, "label"> & { classes: ReadonlyMap<string, number> },
  fail: Fail,
): number {
  const { label: name } = row.cells;
  const label = classes.get(name);
  if (decision === "relabel") {
    if (label !== undefined) return label;
    throw fail(
      `${describeCell(row, "label")} for sample ${index}`,
      `a class of ${data.name}, ${suggest(name, [...classes.keys()])}`,
    );
  }
  const given = data.labels[index];
  // a file of its own ties a decision to its sample; without one, the given label has to
  if (label === given || (name === "" && data.files !== undefined)) return given;
  throw fail(
    `decision ${decision} with ${describeCell(row, "label")} for sample ${index}`,
    `the label that it has, ${
      describeName(nameClass(data, given))
    }; take the decisions on ${data.name}`,
  );
}

function describeCell({ cells }: Row, column: typeof COLUMNS[number]): string {
  return cells[column] === "" ? `no ${column}` : `${column} ${describeName(cells[column])}`;
}

/** Most names that an error lists. */
const LISTED = 12;

/** Lists what is known, and what was probably meant. */
function suggest(name: string, known: readonly string[]): string {
  const listed = known.slice(0, LISTED).map(describeName).join(", ");
  const others = known.length > LISTED ? ` or another of ${known.length}` : "";
  const nearest = name === "" ? undefined : findNearest(name, known);
  return `${listed}${others}${
    nearest === undefined ? "" : `; did you mean ${describeName(nearest)}?`
  }`;
}

/** What became of a sample that a decision changed. */
export interface Change {
  readonly index: number;
  readonly change: "relabelled" | "removed";
  readonly given: number;
  /** Label in the new data set; of a removed sample the one that it had. */
  readonly label: number;
}

/** A data set after the decisions, and what they changed of it. */
export interface Decided {
  readonly data: Dataset;
  /** Changes by index. */
  readonly changes: readonly Change[];
}

/**
 * Applies decisions to a training split. Samples without one stay as they are.
 *
 * @param path file that the decisions are from
 * @throws {FileError} if no sample is left.
 */
export function applyDecisions(
  data: Dataset,
  decisions: readonly Decision[],
  path: string,
): Decided {
  const labels = data.labels.slice();
  const removed = new Set<number>();
  const changes = decisions.flatMap(({ index, decision, label }): Change[] => {
    const given = data.labels[index];
    if (decision === "remove") {
      removed.add(index);
      return [{ index, change: "removed", given, label }];
    }
    labels[index] = label;
    return label === given ? [] : [{ index, change: "relabelled", given, label }];
  });
  if (removed.size === labels.length) {
    throw new FileError(
      path,
      `Cannot apply ${path}: got decisions that remove all ${removed.size} samples of ${data.name}, need at least one left`,
    );
  }
  const left = Int32Array.from(labels.keys().filter((index) => !removed.has(index)));
  return {
    data: takeSamples({ ...data, labels }, left),
    changes: changes.sort((a, b) => a.index - b.index),
  };
}
