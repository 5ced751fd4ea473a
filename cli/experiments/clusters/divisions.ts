/**
 * How many of the easy and of the hard samples a clustering has in its head.
 *
 * @module
 */
import type { Dataset } from "../../../mod.ts";
import { countShare } from "../../../engine/share.ts";
import { estimateShare } from "../../report/intervals.ts";
import { type Estimate, summarise } from "../../report/statistics.ts";
import type { Clustering } from "./measure.ts";

/** What a clustering says about easy and hard samples. */
export interface Division extends Clustering {
  readonly name: string;
  /** The head's share of all samples. */
  readonly all: number;
  readonly easiest: Part;
  readonly hardest: Part;
}

/** The easiest or hardest samples. */
export interface Part {
  /** Their share in the head, with its 95% interval (Clopper and Pearson). */
  readonly inHead: Estimate;
  /** That share, were they drawn at random from each class, as many as they are of it. */
  readonly expected: number;
}

/** What {@linkcode Part.inHead} has for an interval, in words. */
export const INTERVAL = "95% interval (Clopper and Pearson)";

/**
 * Looks up the easiest and the hardest samples in a clustering.
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

/** Clusters beside the head, by whether they hold more than one sample. */
export function countSizes({ sizes, headCount }: Clustering) {
  const several = sizes.filter((size) => size > 1).length;
  return {
    // a head of one sample is among the singletons
    "beside the head of several": Math.max(0, several - headCount),
    "of one sample": sizes.length - several,
  };
}
