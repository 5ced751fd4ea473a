/**
 * Summary of what was found: for machines, and in some ten lines for people.
 *
 * @module
 */
import { type Dataset, indexSample, nameClass } from "../../mod.ts";
import { formatCount } from "../units.ts";
import type { Findings } from "./findings.ts";

/** Suspects that the terminal names. */
const NAMED = 3;

/** Numbers of what was found. */
export function summariseFindings(findings: Findings) {
  const { data, labels, suspectCount, duplicates, outliers, redundant, keep, steps } = findings;
  const copies = duplicates.flatMap(([, ...others]) => others);
  return {
    samples: data.labels.length,
    classes: data.classes,
    classNames: data.classNames,
    suspects: suspectCount,
    relabelled: labels.slice(0, suspectCount)
      .filter(({ given, suggested }) => given !== suggested).length,
    copies: {
      groups: duplicates.length,
      exact: copies.filter(({ kind }) => kind === "exact").length,
      near: copies.filter(({ kind }) => kind === "near").length,
      groupsOfTwoLabels: duplicates.filter((group) => hasTwoLabels(data, group)).length,
    },
    outliers: outliers.length,
    redundant: redundant.length,
    kept: keep.length,
    steps,
  };
}

/** Whether the samples of a group have more than one label. */
function hasTwoLabels({ labels }: Dataset, group: readonly { readonly position: number }[]) {
  return new Set(group.map(({ position }) => labels[position])).size > 1;
}

/** Lines for people. */
export function describeFindings(findings: Findings): string[] {
  const { data, labels, suspectCount, steps } = findings;
  const { samples, copies, outliers, redundant, kept } = summariseFindings(findings);
  const worst = labels.slice(0, Math.min(NAMED, suspectCount));
  return [
    ...steps,
    `labels: ${formatCount(suspectCount)} of ${formatCount(samples)} look wrong${
      worst.length > 0 ? ", first of all:" : ""
    }`,
    ...worst.map(({ position, given, suggested }) =>
      `  ${nameSample(data, position)}: ${nameClass(data, given)}, rather ${
        nameClass(data, suggested)
      }`
    ),
    `copies: ${copies.exact} exact and ${copies.near} near ones, ${copies.groupsOfTwoLabels} groups with two labels`,
    `outliers: ${formatCount(outliers)}`,
    `redundant: ${formatCount(redundant)}`,
    `keep.npy keeps ${formatCount(kept)}`,
  ];
}

/** Names a sample by its file, or else by its index. */
function nameSample(data: Dataset, position: number): string {
  return data.files?.[position] ?? `#${indexSample(data, position)}`;
}
