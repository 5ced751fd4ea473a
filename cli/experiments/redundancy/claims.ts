/**
 * Claims of `redundancy` with their rules, and notes for the reader.
 *
 * @module
 */
import type { RedundancyRule } from "../../../mod.ts";
import type { ArmResult } from "../../comparison.ts";
import { formatPercent } from "../../report/statistics.ts";
import type { Claim } from "../experiment.ts";
import { claimTest, DEGREES_NOTE } from "../shared/arms.ts";
import { findReported, type Kernel } from "../shared/paper.ts";
import { type Kept, nameKept, nameRandom, WHOLE } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** The paper's t-tests of the whole set against what is left. */
const PAPER_TESTS = {
  lpntk: { mnist: "t(19) = 0.293, p = 0.774", cifar10: "t(19) = 1.562, p = 0.153" },
  pntk: { mnist: "t(19) = 13.718, p << 0.01", cifar10: "t(19) = 26.252, p << 0.01" },
};

/** Claims about both kernels. */
export function claimRedundancy({ data }: Settings, results: readonly ArmResult[]): Claim[] {
  const reported = (kernel: Kernel) => findReported(PAPER_TESTS[kernel], data);
  return [
    claimTest(results, {
      what: "samples that are redundant under lpNTK are not needed",
      paper: `the whole set is not significantly better: ${reported("lpntk")}`,
      pair: [WHOLE, nameKept("lpntk")],
      expected: "not better",
    }),
    claimTest(results, {
      what: "samples that are redundant under pNTK are needed",
      paper: `the whole set is significantly better: ${reported("pntk")}`,
      pair: [WHOLE, nameKept("pntk")],
      expected: "better",
    }),
    claimTest(results, {
      what: "what lpNTK leaves is better to learn from than as many samples at random",
      paper: "not compared; follows if the removed ones are redundant and others are not",
      pair: [nameKept("lpntk"), nameRandom("lpntk")],
      expected: "better",
    }),
  ];
}

/** Notes for the reader. */
export function noteRedundancy({ trainSize, rule }: Settings, { lpntk }: Kept): string[] {
  const share = (rule: RedundancyRule) => formatPercent(1 - lpntk[rule].length / trainSize);
  return [
    `Redundant under lpNTK are ${share("any")} by the text's rule 'any' and ${
      share("later")
    } by the authors' rule 'later'; this run trains on what '${rule}' leaves.`,
    DEGREES_NOTE,
    "Every arm trains for the same number of epochs, as in the paper: smaller sets take fewer steps.",
    "Random subsets are drawn anew for each seed; the redundant samples are those of one kernel.",
  ];
}
