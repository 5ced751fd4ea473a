/**
 * Ranking of labels by what judges make of them.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";

/** How much each label of a data set is doubted, and the label that is best supported instead. */
export interface LabelIssues {
  /** Positions of all samples, `[N]` i32, the most suspicious label first. */
  readonly order: Int32Array<ArrayBuffer>;
  /** Probability of each class by all judges together, `[N, classes]` f64, row-major. */
  readonly probabilities: Float64Array<ArrayBuffer>;
  /** How suspicious each label is, `[N]` f64, higher for what is more suspicious. */
  readonly scores: Float64Array<ArrayBuffer>;
  /** Best supported label of each sample, `[N]` i32: the given one where that is best. */
  readonly suggested: Int32Array<ArrayBuffer>;
  /** Cross-entropy of each sample's given label under the networks that have not learnt it, `[N]` f64, in nats. */
  readonly losses: Float64Array<ArrayBuffer>;
  /**
   * Shares of the samples, 0 to 1, whose given label is the best supported: by all judges together, and by the networks alone. Judges who agree no more
   * often than one who always names the largest class have learnt nothing.
   */
  readonly agreement: { readonly pooled: number; readonly networks: number };
}

/**
 * Ranks labels by their probability, the least first, the lower position on a tie.
 *
 * @param byNetworks probabilities by the networks alone, `[N, classes]`
 */
export function rankLabels(
  probabilities: Float64Array<ArrayBuffer>,
  byNetworks: Float64Array<ArrayBuffer>,
  { labels, classes }: Pick<Dataset, "labels" | "classes">,
): Omit<LabelIssues, "losses"> {
  const nameBest = (shares: Float64Array) =>
    Int32Array.from(labels, (_, n) => {
      const row = shares.subarray(n * classes, (n + 1) * classes);
      return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
    });
  const agree = (named: Int32Array) =>
    labels.reduce((sum, label, n) => sum + Number(named[n] === label), 0) / labels.length;
  const suggested = nameBest(probabilities);
  const scores = Float64Array.from(
    labels,
    (label, n) => measureLoss(probabilities[n * classes + label]),
  );
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
  const agreement = { pooled: agree(suggested), networks: agree(nameBest(byNetworks)) };
  return { order, scores, suggested, probabilities, agreement };
}

/** Cross-entropy of a label's probability in nats, finite even where that is rounded to 0. */
export function measureLoss(probability: number): number {
  return -Math.log(Math.max(probability, Number.MIN_VALUE));
}
