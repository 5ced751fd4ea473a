/**
 * Tables of what was found: CSV files and NumPy arrays. Indices are those in the whole split, classes have their names.
 *
 * @module
 */
import { type Dataset, indexSample, nameClass } from "../../mod.ts";
import { type Cell, encodeCsv } from "../../engine/formats/csv.ts";
import type { OutputFolder } from "../output.ts";
import { toIndices, writeIndices } from "../samples.ts";
import type { Findings, Witness } from "./findings.ts";

/** Writes every table of `clean`. */
export async function writeTables(folder: OutputFolder, findings: Findings): Promise<void> {
  for (const [name, tabulate] of Object.entries(TABLES)) {
    await folder.writeText(name, tabulate(findings));
  }
  const { data, labels, keep } = findings;
  const suggested = new Int32Array(labels.length);
  for (const { position, suggested: label } of labels) suggested[position] = label;
  await folder.writeNpy("labels.npy", suggested, [suggested.length]);
  await folder.writeNpy("keep.npy", toIndices(keep, data.indices), [keep.length]);
  await writeIndices(folder, data.indices);
}

/** Makers of the CSV files by their names. */
const TABLES: Readonly<Record<string, (findings: Findings) => string>> = {
  "labels.csv": ({ data, labels }) =>
    encodeCsv(labels.map((suspect, rank) => ({
      rank: rank + 1,
      ...identify(data, suspect.position),
      given: nameClass(data, suspect.given),
      suggested: nameClass(data, suspect.suggested),
      score: suspect.score,
      loss: suspect.loss,
      own_class_similarity: toCell(suspect.ownClassSimilarity),
      witnesses_for: listWitnesses(data, suspect.witnessesFor),
      witnesses_against: listWitnesses(data, suspect.witnessesAgainst),
    }))),
  "duplicates.csv": ({ data, duplicates, keep }) => {
    const kept = new Set(keep);
    const rows = duplicates.flatMap((copies, group) =>
      copies.map(({ position, kind, similarity }) => ({
        group: group + 1,
        ...identify(data, position),
        label: nameClass(data, data.labels[position]),
        kind,
        similarity,
        keep: Number(kept.has(position)),
      }))
    );
    return encodeCsv(rows, [
      "group",
      "index",
      "file",
      "label",
      "kind",
      "similarity",
      "keep",
    ]);
  },
  "outliers.csv": ({ data, outliers }) => {
    const rows = outliers.map(({ position, nearestClass, similarity, score }, rank) => ({
      rank: rank + 1,
      ...identify(data, position),
      label: nameClass(data, data.labels[position]),
      score,
      nearest_class: nameClass(data, nearestClass),
      similarity,
    }));
    return encodeCsv(rows, [
      "rank",
      "index",
      "file",
      "label",
      "score",
      "nearest_class",
      "similarity",
    ]);
  },
  "redundant.csv": ({ data, redundant }) => {
    const rows = redundant.map(({ position, partner, ratio }, rank) => ({
      rank: rank + 1,
      ...identify(data, position),
      label: nameClass(data, data.labels[position]),
      ratio,
      partner_index: indexSample(data, partner),
      partner_file: data.files?.[partner] ?? null,
      partner_label: nameClass(data, data.labels[partner]),
    }));
    return encodeCsv(rows, [
      "rank",
      "index",
      "file",
      "label",
      "ratio",
      "partner_index",
      "partner_file",
      "partner_label",
    ]);
  },
  "classes.csv": ({ data, classSimilarity, confusion }) => {
    const { classes } = data;
    return encodeCsv(Array.from({ length: classes * classes }, (_, i) => ({
      class: nameClass(data, Math.floor(i / classes)),
      other: nameClass(data, i % classes),
      similarity: toCell(classSimilarity[i]),
      suggested: confusion[i],
    })));
  },
};

/** Names a sample: its index, and its file where samples are files. */
function identify(data: Dataset, position: number): { index: number; file: Cell } {
  return { index: indexSample(data, position), file: data.files?.[position] ?? null };
}

/** Lists the indices of witnesses, separated by spaces. */
function listWitnesses(data: Dataset, witnesses: readonly Witness[]): string {
  return witnesses.map(({ position }) => indexSample(data, position)).join(" ");
}

/** An empty cell for what is not defined. */
function toCell(value: number): Cell {
  return Number.isNaN(value) ? null : value;
}
