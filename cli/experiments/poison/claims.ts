/**
 * Claims of `poison` with their rules, and notes for the reader.
 *
 * @module
 */
import type { ArmResult } from "../../comparison.ts";
import { formatPercent } from "../../report/statistics.ts";
import type { Claim } from "../experiment.ts";
import { claimTest } from "../shared/arms.ts";
import { describeHead, formatShare, nameArms } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** Claims, one for each share. */
export function claimPoison({ shares }: Settings, results: readonly ArmResult[]): Claim[] {
  return shares.map((share) =>
    claimTest(results, {
      what: `${formatShare(share)}% from the head teach more than as many from everything`,
      paper: "higher test accuracy from the largest cluster, at 1% and at 5%",
      pair: nameArms(share),
      expected: "better",
    })
  );
}

/** Notes for the reader; `counts` are the head's samples by class. */
export function notePoison(settings: Settings, counts: readonly number[]): string[] {
  const { trainSize, perClass } = settings;
  const head = counts.reduce((sum, count) => sum + count, 0);
  const present = counts.filter((count) => count > 0).length;
  return [
    `${head} samples, ${formatPercent(head / trainSize)}, are in ${describeHead(settings)}${
      perClass ? "" : `; ${present} of ${counts.length} classes have some there`
    }.`,
    "The appendix calls samples poisoning that lower test accuracy by being in the training set; no label is changed.",
    "Both kinds of subsets are drawn anew for each seed.",
  ];
}
