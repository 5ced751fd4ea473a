/**
 * Claims of `debias` with their rules, and notes for the reader.
 *
 * @module
 */
import type { ArmResult } from "../../comparison.ts";
import { formatPercent } from "../../report/statistics.ts";
import type { Claim } from "../experiment.ts";
import { claimTest, DEGREES_NOTE } from "../shared/arms.ts";
import { findReported, PAPER_NETWORKS } from "../shared/paper.ts";
import { SUBSET_BASES } from "../shared/subsets.ts";
import { claimNumber, listDifferences } from "../shared/verdict.ts";
import type { Settings } from "./settings.ts";

/** The paper's t-test of the whole set against the pruned one. */
const PAPER_TESTS = { mnist: "t(19) = -3.205, p = 0.005", cifar10: "t(19) = -3.996, p = 0.003" };

/**
 * Claims about the pruned set.
 *
 * @param size samples that pruning keeps
 */
export function claimDebias(
  settings: Settings,
  results: readonly ArmResult[],
  size: number,
): Claim[] {
  return [
    claimTest(results, {
      what: "the pruned set is better to learn from than the whole",
      paper: `significantly better: ${findReported(PAPER_TESTS, settings.data)}`,
      pair: ["lpNTK", "whole"],
      expected: "better",
    }),
    claimTest(results, {
      what: "lpNTK's choice is better to learn from than as many samples at random",
      paper: "not compared",
      pair: ["lpNTK", "random"],
      expected: "better",
    }),
    claimRemoved(settings, size),
  ];
}

function claimRemoved(settings: Settings, size: number): Claim {
  const network = findReported(PAPER_NETWORKS, settings.data);
  const { trainSize } = findReported(SUBSET_BASES, settings.data).paper;
  const removed = (settings.trainSize - size) / settings.trainSize;
  return claimNumber({
    what: "share of the training set that is removed",
    paper: 0.2,
    ours: { value: removed, tolerance: 0.05, reason: "the paper says roughly" },
    differences: listDifferences(settings, { ...network, trainSize }),
  });
}

/** Notes for the reader; `rest` samples are not redundant, `head` of them in head clusters. */
export function noteDebias(settings: Settings, rest: number, head: number): string[] {
  const { trainSize, rule, perClass, scoreSeeds, scoreEpochs } = settings;
  return [
    `${formatPercent(1 - rest / trainSize)} of the samples are redundant by rule '${rule}'; the ${
      perClass ? "largest clusters of the classes" : "largest cluster"
    } of the rest hold ${formatPercent(head / rest)}.`,
    `EL2N and GraNd are averaged over ${scoreSeeds} networks after ${scoreEpochs} epochs, forgetting events over as many networks' whole training; samples that were never right count as forgotten most. K-center greedy covers the penultimate layer's features of the kernel's network.`,
    "EL2N, GraNd and forgetting events keep the samples that score highest, ties drawn at random; every arm but the whole has as many samples as lpNTK's.",
    DEGREES_NOTE,
  ];
}
