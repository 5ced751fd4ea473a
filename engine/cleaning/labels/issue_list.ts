/**
 * Labels that look wrong.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import { checkNumber } from "../../options.ts";
import type { LabelIssues } from "./label_ranking.ts";

/** Odds from which on evidence is substantial (Jeffreys, 1961, "Theory of Probability", appendix B): a label with such odds against it is a suspect. */
export const SUBSTANTIAL_ODDS: number = Math.sqrt(10);

/** Odds from which on evidence is strong, by the same scale: a sample with such odds against its label is better left out. */
export const STRONG_ODDS = 10;

/**
 * Lists the samples for which the suggested class is at least so many times as probable as the given one. Probabilities that were pooled by the
 * likelihood of the labels are calibrated, so that judges who know little have little to say against a label: of 700 pictures of CIFAR-10 with 34
 * wrong labels, judges who agreed with 62 % of the labels had substantial evidence against 94, of which 22 were wrong, and strong evidence against 24,
 * of which 15 were.
 *
 * The only sample of a class is never among them: judges that leave it out have not seen its class, and say nothing against it by naming another.
 *
 * @param odds at least 1
 * @returns positions in the order of `issues.order`, the most suspicious label first; not always the first of it, since a label of little
 * probability may be the most probable one still
 * @throws {RangeError} if the odds are below 1, or the issues are of another number of samples.
 */
export function listIssues(
  { order, probabilities, suggested }: Pick<
    LabelIssues,
    "order" | "probabilities" | "suggested"
  >,
  { labels, classes }: Pick<Dataset, "labels" | "classes">,
  odds: number,
): Int32Array<ArrayBuffer> {
  const isOdds = (value: number) => value >= 1;
  checkNumber("list issues", "odds", odds, isOdds, "a number of at least 1");
  if (order.length !== labels.length) {
    throw new RangeError(
      `Cannot list issues: got those of ${order.length} samples for ${labels.length}, need those of the same samples`,
    );
  }
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]++;
  return order.filter((n) => {
    const share = (label: number) => probabilities[n * classes + label];
    return counts[labels[n]] > 1 && suggested[n] !== labels[n] &&
      share(suggested[n]) >= odds * share(labels[n]);
  });
}
