/**
 * Tables of what was found: CSV files and NumPy arrays. Indices are those in the whole split, classes have their names.
 *
 * @module
 */
import { type Dataset, indexSample } from "../../mod.ts";
import { encodeCsv } from "../../engine/formats/csv.ts";
import { identifySample, nameLabel, toIndices } from "../known_samples.ts";
import type { OutputFolder } from "../output.ts";
import type { Findings, Witness } from "./findings.ts";

/** Writes every table of `clean`. */
export async function writeTables(folder: OutputFolder, findings: Findings): Promise<void> {
  const { data, labels, keep } = findings;
  const suggested = new Int32Array(labels.length);
  for (const { position, suggested: label } of labels) suggested[position] = label;
  await folder.writeTabled("labels.npy", suggested, tabulateLabels(findings));
  const suspects = toIndices(findings.suspects.map(({ position }) => position), data);
  await folder.writeTabled("suspects.npy", suspects, tabulateSuspects(findings));
  await folder.writeIndices("keep.npy", keep, data);
  await folder.writeSamples(data);
  await folder.writeText("duplicates.csv", tabulateDuplicates(findings));
  await folder.writeText("outliers.csv", tabulateOutliers(findings));
  await folder.writeText("redundant.csv", tabulateRedundant(findings));
  await folder.writeText("classes.csv", tabulateClasses(findings));
}

function tabulateLabels({ data, labels }: Findings): string {
  return encodeCsv(labels.map((suspect, rank) => {
    const { index, file, label: given } = identifySample(data, suspect.position);
    return {
      rank: rank + 1,
      index,
      file,
      given,
      suggested: nameLabel(data, suspect.suggested),
      score: suspect.score,
      loss: suspect.loss,
      own_class_similarity: toCell(suspect.ownClassSimilarity),
      witnesses_for: listWitnesses(data, suspect.witnessesFor),
      witnesses_against: listWitnesses(data, suspect.witnessesAgainst),
    };
  }));
}

/** Tabulates the suspects alone, which need not be the first of all labels. */
function tabulateSuspects({ data, suspects, strongSuspects }: Findings): string {
  const strong = new Set(strongSuspects);
  const rows = suspects.map((suspect) => ({
    ...identifySample(data, suspect.position),
    suggested: nameLabel(data, suspect.suggested),
    evidence: strong.has(suspect) ? "strong" : "substantial",
  }));
  return encodeCsv(rows, ["index", "file", "label", "suggested", "evidence"]);
}

function tabulateDuplicates({ data, duplicates, keep }: Findings): string {
  const kept = new Set(keep);
  const rows = duplicates.flatMap((copies, group) =>
    copies.map(({ position, kind, similarity }) => ({
      group: group + 1,
      ...identifySample(data, position),
      kind,
      similarity,
      keep: Number(kept.has(position)),
    }))
  );
  return encodeCsv(rows, ["group", "index", "file", "label", "kind", "similarity", "keep"]);
}

function tabulateOutliers({ data, outliers }: Findings): string {
  const rows = outliers.map(({ position, nearestClass, similarity, score }, rank) => ({
    rank: rank + 1,
    ...identifySample(data, position),
    score,
    nearest_class: nameLabel(data, nearestClass),
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
}

function tabulateRedundant({ data, redundant }: Findings): string {
  const rows = redundant.map(({ position, partner, ratio }, rank) => {
    const other = identifySample(data, partner);
    return {
      rank: rank + 1,
      ...identifySample(data, position),
      ratio,
      partner_index: other.index,
      partner_file: other.file,
      partner_label: other.label,
    };
  });
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
}

/** Tabulates every ordered pair of classes. */
function tabulateClasses({ data, classSimilarity, confusion }: Findings): string {
  const { classes } = data;
  return encodeCsv(Array.from({ length: classes * classes }, (_, pair) => ({
    class: nameLabel(data, Math.floor(pair / classes)),
    other: nameLabel(data, pair % classes),
    similarity: toCell(classSimilarity[pair]),
    taken_for: confusion[pair],
  })));
}

/** Lists the indices of witnesses, separated by spaces. */
function listWitnesses(data: Dataset, witnesses: readonly Witness[]): string {
  return witnesses.map(({ position }) => indexSample(data, position)).join(" ");
}

/** An empty cell for what is not defined. */
function toCell(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
