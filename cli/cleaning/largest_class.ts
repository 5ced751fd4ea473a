/**
 * Comparison with one who has learnt nothing, and always names the largest class.
 *
 * @module
 */
import type { Dataset } from "../../mod.ts";
import { estimateShare } from "../report/intervals.ts";

/** How often one who always names the largest class is right, and whether others are right more often. */
export interface LargestClass {
  /** Share of the samples that are of the largest class, 0 to 1. */
  readonly largestClass: number;
  /** Whether chance makes those who always name that class right as often as the others in fewer than 1 of 40 cases: a one-sided bound by Clopper and Pearson. */
  readonly isBeaten: boolean;
}

/**
 * Compares a share of right answers with that of always naming the largest class.
 *
 * @param share right answers of all samples, 0 to 1
 */
export function compareWithLargestClass(
  share: number,
  { labels, classes }: Pick<Dataset, "labels" | "classes">,
): LargestClass {
  const sizes = new Int32Array(classes);
  for (const label of labels) sizes[label]++;
  const count = labels.length;
  const largestClass = Math.max(...sizes) / count;
  const { low } = estimateShare(Math.round(share * count), count);
  return { largestClass, isBeaten: low! > largestClass };
}

/** Writes a share as whole percents. */
export function writePercents(share: number): string {
  return `${Math.round(100 * share)} %`;
}
