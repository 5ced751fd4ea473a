/**
 * Number of labels that are probably wrong.
 *
 * @module
 */
import type { LabelIssues } from "./label_issues.ts";

/**
 * Estimates how many labels are wrong, as confident learning does (Northcutt et al., 2021, "Confident Learning: Estimating Uncertainty in Dataset
 * Labels"), by margins in place of probabilities: a sample's margin for a class is how much more that class is supported than any other.
 *
 * A sample counts as of its given class if its margin for it is at least the mean over the samples with that label, and as of the suggested class if its
 * margin for that one is at least the mean over those with that label. In each class the share of the latter among all that count is taken for the share of
 * wrong labels. Judges that know little have small margins throughout, and so the estimate does not grow with their mistakes as the number of suggestions
 * does.
 *
 * @param issues whose scores are margins: support for the best other class minus that for the given one
 * @param labels given labels, `[N]`, each in `0 .. classes - 1`
 * @returns a number of samples, 0 to N: the first of `issues.order` are those to look at
 */
export function estimateIssueCount(
  { scores, suggested }: Pick<LabelIssues, "scores" | "suggested">,
  labels: ArrayLike<number>,
  classes: number,
): number {
  const samples = new Float64Array(classes);
  const means = new Float64Array(classes);
  for (let n = 0; n < labels.length; n++) {
    samples[labels[n]]++;
    means[labels[n]] -= (scores[n] + means[labels[n]]) / samples[labels[n]];
  }
  const right = new Float64Array(classes);
  const wrong = new Float64Array(classes);
  for (let n = 0; n < labels.length; n++) {
    const isKept = suggested[n] === labels[n];
    const margin = isKept ? -scores[n] : scores[n];
    if (margin >= means[suggested[n]]) (isKept ? right : wrong)[labels[n]]++;
  }
  const estimate = samples.reduce(
    (sum, count, label) => sum + count * (wrong[label] / (wrong[label] + right[label] || 1)),
    0,
  );
  return Math.round(estimate);
}
