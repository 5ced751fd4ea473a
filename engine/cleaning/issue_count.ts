/**
 * Number of labels that are probably wrong.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { LabelIssues } from "./label_ranking.ts";

/**
 * Estimates how many labels are wrong, by the calibrated confident joint of confident learning (Northcutt et al., 2021, "Confident Learning: Estimating
 * Uncertainty in Dataset Labels", equations 1 to 3).
 *
 * A sample counts for a class if the class's probability is at least the mean that samples of this label have for it; for the most probable one if there
 * are several such classes, for none if there is no such class. In each label the share of the samples that count for another class, among those that
 * count, is taken for its share of wrong labels.
 *
 * @param issues whose probabilities are of judges that have not learnt the labels
 * @returns a number of samples, 0 to N: the first of `issues.order` are those to look at
 */
export function estimateIssueCount(
  { probabilities }: Pick<LabelIssues, "probabilities">,
  { labels, classes }: Pick<Dataset, "labels" | "classes">,
): number {
  const samples = new Float64Array(classes);
  const means = new Float64Array(classes);
  labels.forEach((label, n) => {
    samples[label]++;
    means[label] += (probabilities[n * classes + label] - means[label]) / samples[label];
  });
  const right = new Float64Array(classes);
  const wrong = new Float64Array(classes);
  labels.forEach((label, n) => {
    const row = probabilities.subarray(n * classes, (n + 1) * classes);
    let found = -1;
    row.forEach((share, other) => {
      const counts = samples[other] > 0 && share >= means[other];
      if (counts && (found < 0 || share > row[found])) found = other;
    });
    if (found >= 0) (found === label ? right : wrong)[label]++;
  });
  const estimate = samples.reduce(
    (sum, count, label) => sum + count * (wrong[label] / (wrong[label] + right[label] || 1)),
    0,
  );
  return Math.round(estimate);
}
