/**
 * Summary of what was found: numbers for machines, some ten lines for people.
 *
 * @module
 */
import { describeLabel, describeSample, printLabel, printSample } from "../known_samples.ts";
import { formatCount } from "../units.ts";
import type { Findings } from "./findings.ts";

/** Summary of a command, and what it prints. */
export interface Report {
  readonly summary: unknown;
  readonly lines: readonly string[];
}

/** Suspects that the terminal names. */
const NAMED = 3;

/** Counts what was found. */
export function countFindings(findings: Omit<Findings, "next">) {
  const {
    data,
    suspects,
    strongSuspects,
    agreement,
    duplicates,
    outliers,
    outlyingSuspects,
    redundant,
    keep,
  } = findings;
  const copies = duplicates.flatMap(([, ...others]) => others);
  const hasTwoLabels = (group: readonly { readonly position: number }[]) =>
    new Set(group.map(({ position }) => data.labels[position])).size > 1;
  return {
    samples: data.labels.length,
    suspects: suspects.length,
    strongSuspects: strongSuspects.length,
    agreement,
    copies: {
      groups: duplicates.length,
      groupsOfTwoLabels: duplicates.filter(hasTwoLabels).length,
      exact: copies.filter(({ kind }) => kind === "exact").length,
      near: copies.filter(({ kind }) => kind === "near").length,
    },
    outliers: outliers.length,
    outlyingSuspects,
    redundant: redundant.length,
    kept: keep.length,
  };
}

/** Says how many samples are redundant, and that nothing is wrong with them. */
export function describeRedundant(count: number): string {
  return `${
    formatCount(count)
  } redundant by the kernel of this network; how many depends on how long it was trained; no mistakes`;
}

/** Lines for people. */
export function describeFindings(findings: Findings): string[] {
  const counts = countFindings(findings);
  const { samples, suspects, strongSuspects, copies, outliers, outlyingSuspects, redundant, kept } =
    counts;
  const { data, steps: [how, agreement] } = findings;
  const name = (label: number) => printLabel(describeLabel(data, label));
  const share = (count: number) => `${formatCount(count)} of ${formatCount(samples)}`;
  return [
    how,
    agreement,
    `labels: ${share(suspects)} look wrong${
      suspects > 0 ? `, ${formatCount(strongSuspects)} of them strongly, these most of all` : ""
    }`,
    ...findings.suspects.slice(0, NAMED).map(({ position, given, suggested }) =>
      `  ${printSample(describeSample(data, position))}: labelled ${name(given)}, rather ${
        name(suggested)
      }`
    ),
    `copies: ${formatCount(copies.exact)} exact and ${formatCount(copies.near)} near ones, in ${
      formatCount(copies.groups)
    } groups, ${formatCount(copies.groupsOfTwoLabels)} of them with two labels`,
    `outliers: ${share(outliers)} resemble no class${
      outlyingSuspects > 0 ? `, and ${formatCount(outlyingSuspects)} of the suspects` : ""
    }`,
    describeRedundant(redundant),
    ...describeConfusion(findings),
    `keep.npy: ${share(kept)}, without strong suspects, copies and outliers`,
    "labels.npy: a suggestion for every sample, kept or not; labels are corrected by what you decide alone",
  ];
}

/** Lines that say what to do next. */
export function describeNext({ next: [{ text, command }] }: Findings, out: string): string[] {
  return command === undefined ? [text] : [
    `next: open ${out}/index.html, decide, and apply the decisions.csv that you saved, with lpntk called as before:`,
    `  ${command}`,
  ];
}

/** Says which class is taken for which other one most often; nothing where none is. */
function describeConfusion({ data, confusion }: Findings): string[] {
  const { classes } = data;
  const [most] = [...confusion.keys()]
    .filter((pair) => pair % (classes + 1) !== 0 && confusion[pair] > 0)
    .sort((a, b) => confusion[b] - confusion[a] || a - b);
  if (most === undefined) return [];
  const [given, suggested] = [Math.floor(most / classes), most % classes];
  const name = (label: number) => printLabel(describeLabel(data, label));
  const total = confusion.subarray(given * classes, (given + 1) * classes)
    .reduce((sum, count) => sum + count);
  return [
    `most confused: ${formatCount(confusion[most])} of ${formatCount(total)} in class ${
      name(given)
    } are taken for class ${name(suggested)}`,
  ];
}
