/**
 * Claims of `clusters` with their rules, and notes for the reader.
 *
 * @module
 */
import { formatInterval } from "../../report/intervals.ts";
import type { Claim } from "../experiment.ts";
import { findReported } from "../shared/paper.ts";
import { claimDirection, claimNumber, claimSide, listDifferences } from "../shared/verdict.ts";
import { countSizes, type Division, INTERVAL, type Part } from "./divisions.ts";
import { PAPER_SETTINGS, type Settings } from "./settings.ts";

/** Share of the 10% easiest samples that the paper finds in the head. */
const PAPER_SHARE = { mnist: 0.72, cifar10: 0.8 };

/** Claims about every clustering. */
export function claimClusters(settings: Settings, divisions: readonly Division[]): Claim[] {
  const differences = listDifferences(settings, findReported(PAPER_SETTINGS, settings.data));
  return divisions.flatMap((division) => [
    claimMost(division),
    claimFew(division, differences),
    claimEasiest(division, settings.share),
    claimHardest(division, settings.share),
    ...division.kernel === "plain" && division.scope === "per class"
      ? [claimShare(division, settings.data, differences)]
      : [],
  ]);
}

function percent(share: number): string {
  return `${Math.round(1000 * share) / 10}%`;
}

function claimMost({ name, all }: Division): Claim {
  return claimDirection({
    what: `${name}: most samples are in the head`,
    paper: "most of the samples",
    ours: percent(all),
    need: "more than half of all samples are",
    holds: all > 0.5,
  });
}

function claimFew(division: Division, differences: readonly string[]): Claim {
  const { "beside the head of several": several, "of one sample": single } = countSizes(division);
  return claimDirection({
    what: `${division.name}: a few further clusters hold several samples, the rest one`,
    paper: "a further 5 to 20 hold more than one sample",
    ours: `${several} of several, ${single} of one, ${division.sizes.length} together`,
    need: "5 to 20 further clusters hold more than one sample",
    holds: several >= 5 && several <= 20,
    unable: differences.length > 0 ? differences.join(", ") : undefined,
  });
}

function claimEasiest({ name, all, easiest }: Division, share: number): Claim {
  return claimSide({
    what: `${name}: the ${percent(share)} easiest are in the head more often than others`,
    ...compare(easiest, all),
    side: "above",
  });
}

function claimHardest({ name, all, hardest }: Division, share: number): Claim {
  return claimSide({
    what: `${name}: the ${percent(share)} hardest are in the head less often than others`,
    ...compare(hardest, all),
    side: "below",
  });
}

/** Compares a part's share in the head with that of all samples. */
function compare({ inHead, expected }: Part, all: number) {
  return {
    paper: "samples in the largest clusters are easier to learn",
    ours: `${formatInterval(inHead)} of them, ${all.toFixed(3)} of all samples (${
      expected.toFixed(3)
    } expected by their classes)`,
    estimate: inHead,
    interval: INTERVAL,
    bound: all,
    boundName: "the head's share of all samples",
  };
}

function claimShare(
  { name, easiest: { inHead: { value, low, high } } }: Division,
  data: string,
  differences: readonly string[],
): Claim {
  return claimNumber({
    what: `${name}: share of the easiest in the head`,
    paper: findReported(PAPER_SHARE, data),
    ours: { value, low: low!, high: high!, interval: INTERVAL },
    differences,
  });
}

/** Notes for the reader; difficulty is an average over `networks`. */
export function noteClusters({ epochs, validationSize }: Settings, networks: number): string[] {
  return [
    `Difficulty is each sample's cross-entropy summed over ${epochs} epochs, averaged over ${networks} networks; the kernel is that of the network that does best on ${validationSize} validation samples, at its best epoch.`,
    "Per class, the head is the union of each class's largest cluster; globally it is the largest cluster of all. The paper does not say which it means; the authors' code clusters each class by itself.",
    "A share of easy samples in the head says nothing by itself: the head's share of all samples, which the paper leaves out, is what a random choice would give.",
    "Under the cosine kernel every self-similarity is 1 up to rounding, so that rounding chooses the first centroid.",
  ];
}
