/**
 * Shares of the easy and of the hard samples in a clustering's head.
 *
 * @module
 */
import type { Dataset } from "../../../mod.ts";
import { countShare } from "../../../engine/share.ts";
import { estimateShare } from "../../report/intervals.ts";
import { type Estimate, summarise } from "../../report/statistics.ts";
import type { Clustering } from "./measure.ts";

/** A clustering, with the shares of easy and hard samples in its head. */
export interface Division extends Clustering {
  readonly name: string;
  /** Share of all samples that are in the head. */
  readonly all: number;
  readonly easiest: Part;
  readonly hardest: Part;
}

/** The easiest or hardest samples. */
export interface Part {
  /** Share of them that are in the head, with its 95% interval (Clopper and Pearson). */
  readonly inHead: Estimate;
  /** Expected share if as many samples of each class were drawn at random. */
  readonly expected: number;
}

/** Kind of the interval of {@linkcode Part.inHead}, in words. */
export const INTERVAL = "95% interval (Clopper and Pearson)";

/**
 * Counts how many of the easiest and of the hardest samples are in a clustering's head.
 *
 * @param difficulty `[N]`
 * @param share of the samples that is called the easiest, and the hardest
 */
export function divide(
  clustering: Clustering,
  difficulty: readonly number[],
  { labels }: Dataset,
  share: number,
): Division {
  const { isHead, kernel, scope } = clustering;
  const count = labels.length;
  const size = Math.max(1, countShare(share, count, "nearest"));
  const order = [...difficulty.keys()].sort((a, b) => difficulty[a] - difficulty[b] || a - b);
  const countHead = (samples: readonly number[]) =>
    samples.filter((sample) => isHead[sample]).length;
  const shareOf = (samples: readonly number[]) => countHead(samples) / samples.length;
  const byLabel = Map.groupBy(order, (sample) => labels[sample]);
  const describe = (samples: readonly number[]): Part => ({
    inHead: estimateShare(countHead(samples), samples.length),
    expected: summarise(samples.map((sample) => shareOf(byLabel.get(labels[sample])!))).mean!,
  });
  return {
    ...clustering,
    name: `${kernel} kernel, ${scope}`,
    all: shareOf(order),
    easiest: describe(order.slice(0, size)),
    hardest: describe(order.slice(-size)),
  };
}

/** Counts the clusters beside the head that hold several samples, and those that hold one. */
export function countSizes({ sizes, headCount }: Clustering) {
  const several = sizes.filter((size) => size > 1).length;
  return {
    // a head of one sample is among the singletons
    "beside the head of several": Math.max(0, several - headCount),
    "of one sample": sizes.length - several,
  };
}
