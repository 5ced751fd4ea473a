/**
 * Confident learning, a peer of our own ranking of labels, written from its paper: Northcutt, Jiang and Chuang (2021), "Confident learning:
 * Estimating uncertainty in dataset labels", sections 3.1 and 3.2.
 *
 * @module
 */

/** What confident learning says of each sample. */
export interface ConfidentLearning {
  /** Whether the sample is among those counted off the diagonal of the confident joint and pruned by noise rate, `[N]`. */
  readonly pruned: boolean[];
  /** Scores `[N]`, higher for what is more suspicious: pruned samples first, within both groups by least normalised margin. */
  readonly scores: Float64Array;
  /** The confident joint, `[classes, classes]`: samples given one label, in rows, and confidently of another, in columns. */
  readonly joint: Int32Array;
}

/**
 * Ranks labels by out-of-fold probabilities. The threshold of a class is the mean probability of it over the samples given it; a sample counts for
 * the most likely of the classes whose threshold it reaches. Of each pair of labels as many samples as the calibrated joint says are pruned, those
 * of largest margin (prune by noise rate).
 *
 * @param probabilities `[N, classes]`, row-major
 */
export function learnConfidently(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): ConfidentLearning {
  const count = labels.length;
  const at = (n: number, c: number) => probabilities[n * classes + c];
  const members = new Float64Array(classes);
  const thresholds = new Float64Array(classes);
  for (let n = 0; n < count; n++) {
    members[labels[n]]++;
    thresholds[labels[n]] += at(n, labels[n]);
  }
  thresholds.forEach((sum, c) => thresholds[c] = members[c] > 0 ? sum / members[c] : Infinity);
  const joint = new Int32Array(classes * classes);
  for (let n = 0; n < count; n++) {
    let best = -1;
    for (let c = 0; c < classes; c++) {
      if (at(n, c) >= thresholds[c] && (best < 0 || at(n, c) > at(n, best))) best = c;
    }
    if (best >= 0) joint[labels[n] * classes + best]++;
  }
  const pruned = Array<boolean>(count).fill(false);
  for (let given = 0; given < classes; given++) {
    const row = joint.subarray(given * classes, (given + 1) * classes);
    const total = row.reduce((a, b) => a + b, 0);
    const own = [...Array(count).keys()].filter((n) => labels[n] === given);
    for (let other = 0; other < classes && total > 0; other++) {
      if (other === given) continue;
      // calibrated, so that each row of the joint sums to the number of samples given its label
      const wrong = Math.round(row[other] / total * members[given]);
      const margin = (n: number) => at(n, other) - at(n, given);
      own.toSorted((a, b) => margin(b) - margin(a)).slice(0, wrong)
        .forEach((n) => pruned[n] = true);
    }
  }
  const scores = new Float64Array(count).map((_, n) => {
    let best = -Infinity;
    for (let c = 0; c < classes; c++) if (c !== labels[n]) best = Math.max(best, at(n, c));
    return best - at(n, labels[n]) + (pruned[n] ? 2 : 0);
  });
  return { pruned, scores, joint };
}
