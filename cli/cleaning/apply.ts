/**
 * A data set with decisions applied, in a folder of its own.
 *
 * @module
 */
import { chooseNetwork, type Dataset, hashDataset, hasSplit, nameClass } from "../../mod.ts";
import { encodeCsv } from "../../engine/formats/csv.ts";
import { type DataSetOptions, readData } from "../data_set.ts";
import { noteEmptyClasses } from "../notes.ts";
import { hashFile, type OutputFolder } from "../output.ts";
import { formatCount } from "../units.ts";
import { applyDecisions, type Change, readDecisions } from "./decisions.ts";
import { writeCommand } from "./next_steps.ts";
import type { Report } from "./summary.ts";

/** Columns of `changes.csv`. */
const COLUMNS = ["index", "file", "change", "given", "label"];

/**
 * Writes the data set that follows from decisions, its test split as it is, and `changes.csv`.
 *
 * @param path file of the decisions
 * @throws {FileError} if the decisions do not fit the data set.
 */
export async function applyToFolder(
  folder: OutputFolder,
  path: string,
  source: DataSetOptions,
): Promise<Report> {
  const { data: name } = source;
  const given = await readData(source, "train");
  const decisions = await readDecisions(path, given);
  const test = await hasSplit(name, "test") ? await readData(source, "test") : undefined;
  folder.declare({
    samples: hashDataset(given),
    test: test && hashDataset(test),
    decisions: await hashFile(path),
  });
  const { data, changes } = applyDecisions(given, decisions, path);
  noteEmptyClasses(data);
  await folder.writeDataset({ train: data, test });
  await folder.writeText("changes.csv", tabulate(given, changes));
  const count = (change: Change["change"]) =>
    changes.filter((other) => other.change === change).length;
  const summary = {
    data: name,
    samples: given.labels.length,
    decisions: decisions.length,
    relabelled: count("relabelled"),
    removed: count("removed"),
    left: data.labels.length,
    testSamples: test?.labels.length,
  };
  await folder.writeJson("summary.json", summary);
  const { relabelled, removed, left } = summary;
  const { path: out } = folder;
  const model = chooseNetwork(data).definition.name;
  const train = ["--model", model, "--data", out, "--out", `${out}_trained`];
  return {
    summary,
    lines: [
      `${formatCount(summary.decisions)} decisions on ${formatCount(summary.samples)} samples: ${
        formatCount(relabelled)
      } relabelled, ${formatCount(removed)} removed, ${formatCount(left)} left`,
      ...given.files && changes.length > 0
        ? [`your files stay as they are; ${out}/changes.csv names those to move or to delete`]
        : [],
      "next: train on it, with lpntk called as before:",
      `  ${writeCommand("train", train)}`,
    ],
  };
}

function tabulate(data: Dataset, changes: readonly Change[]): string {
  const rows = changes.map(({ index, change, given, label }) => ({
    index,
    file: data.files?.[index] ?? null,
    change,
    given: nameClass(data, given),
    label: change === "removed" ? null : nameClass(data, label),
  }));
  return encodeCsv(rows, COLUMNS);
}
