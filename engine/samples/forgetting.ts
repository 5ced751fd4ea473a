/**
 * Forgetting events, and their prediction from the kernel (section 3.3 and algorithm 2 of the paper).
 *
 * @module
 */
import { findNonFinite } from "../data/finite_check.ts";
import { findBadLabel } from "../data/label_check.ts";

/** A step of SGD on the cross-entropy of a batch, without momentum or weight decay, and the samples that are watched. */
export interface BatchStep {
  /** Logits of the N watched samples before the step, `[N, C]`, row-major. */
  readonly logits: ArrayLike<number>;
  /** Logits of the batch's B samples before the step, `[B, C]`, row-major. */
  readonly batchLogits: ArrayLike<number>;
  /** Labels of the batch, `[B]`, each in 0..C-1. */
  readonly batchLabels: ArrayLike<number>;
  /** Number of classes C. */
  readonly classes: number;
  /** Learning rate for the loss summed over the batch; if a step averages the loss, this is its learning rate divided by B. */
  readonly learningRate: number;
}

/**
 * Predicts logits after a step of SGD by the NTK, to first order: `z(x) + eta sum_u K(x, x_u) (p(x_u) - q(x_u))` with the one-hot label `p`
 * (equation 1 without its `A`, appendix D.3).
 *
 * Costs `N B C^2` multiplications in float64.
 *
 * @param kernel the eNTK `[N, B, C, C]` between the watched samples and the batch, before the step; or a scalar kernel `[N, B]` such as
 * lpNTK, which stands for `kappa I_C` as theorem 1 has it
 * @returns `[N, C]` f64, row-major
 * @throws {RangeError} if the sizes do not fit one another, or a label is out of range.
 */
export function predictLogitsAfterStep(kernel: ArrayLike<number>, step: BatchStep): Float64Array {
  const { logits, batchLogits, batchLabels, classes, learningRate } = step;
  const blockSize = checkKernel(kernel, step);
  const errors = computeSoftmax(batchLogits, classes).map((q) => -q);
  const batch = batchLabels.length;
  for (let u = 0; u < batch; u++) errors[u * classes + batchLabels[u]] += 1;
  const predicted = Float64Array.from(logits);
  for (let at = 0; at < predicted.length; at++) {
    const [n, i] = [Math.floor(at / classes), at % classes];
    let change = 0;
    for (let u = 0; u < batch; u++) {
      const block = (n * batch + u) * blockSize;
      if (blockSize === 1) change += kernel[block] * errors[u * classes + i];
      else {
        for (let j = 0; j < classes; j++) {
          change += kernel[block + i * classes + j] * errors[u * classes + j];
        }
      }
    }
    predicted[at] += learningRate * change;
  }
  return predicted;
}

/**
 * Predicts softmax probabilities after a step of SGD by the NTK, with the softmax linearised as in the paper:
 * `q(x) + eta A(x) sum_u K(x, x_u) (p(x_u) - q(x_u))` with `A = diag(q) - q q^T` (equations 1 and 6). The linearised softmax underestimates a
 * step that is large for it; the exact softmax of what `predictLogitsAfterStep` returns does not.
 *
 * @param kernel kernel as `predictLogitsAfterStep` takes it, at the same cost
 * @returns `[N, C]` f64, row-major; a row sums to 1, and a large step may leave [0, 1]
 * @throws {RangeError} if the sizes do not fit one another, or a label is out of range.
 */
export function predictProbabilitiesAfterStep(
  kernel: ArrayLike<number>,
  step: BatchStep,
): Float64Array {
  const { logits, classes } = step;
  const change = predictLogitsAfterStep(kernel, step).map((z, at) => z - logits[at]);
  const probabilities = computeSoftmax(logits, classes);
  for (let at = 0; at < change.length; at += classes) {
    const q = probabilities.slice(at, at + classes);
    const mean = q.reduce((sum, p, i) => sum + p * change[at + i], 0);
    q.forEach((p, i) => probabilities[at + i] += p * (change[at + i] - mean));
  }
  return probabilities;
}

/**
 * Flags forgotten samples: those that were predicted right before and are predicted wrong after (Toneva et al., 2018). The first of equal
 * scores is the prediction.
 *
 * @param before logits or probabilities before, `[N, C]`, row-major
 * @param after the same after
 * @param labels labels `[N]`, each in `0 .. C - 1`
 * @returns `[N]`, 1 where forgotten
 * @throws {RangeError} if the numbers of scores and labels do not fit, a label is out of range, or a score is not finite.
 */
export function findForgotten(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  labels: ArrayLike<number>,
): Uint8Array<ArrayBuffer> {
  const classes = before.length / labels.length;
  if (!(Number.isInteger(classes) && classes >= 1 && after.length === before.length)) {
    throw new RangeError(
      `Cannot find forgotten samples: got ${before.length} scores before and ${after.length} after for ${labels.length} labels, need as many for each`,
    );
  }
  const bad = findBadLabel(labels, classes);
  if (bad >= 0) {
    throw new RangeError(
      `Cannot find forgotten samples: got label ${
        labels[bad]
      } for sample ${bad}, need an integer from 0 to ${classes - 1}`,
    );
  }
  for (const scores of [before, after]) {
    const broken = findNonFinite(scores);
    if (broken < 0) continue;
    throw new RangeError(
      `Cannot find forgotten samples: got score ${scores[broken]} of sample ${
        Math.floor(broken / classes)
      }, need finite numbers`,
    );
  }
  const isRight = (scores: ArrayLike<number>, n: number) => {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (scores[n * classes + c] > scores[n * classes + best]) best = c;
    }
    return best === labels[n];
  };
  return Uint8Array.from(labels, (_, n) => Number(isRight(before, n) && !isRight(after, n)));
}

/** Computes the softmax of every row, `[N, C]` f64. */
function computeSoftmax(logits: ArrayLike<number>, classes: number): Float64Array {
  const rows = Float64Array.from(logits);
  for (let at = 0; at < rows.length; at += classes) {
    const row = rows.subarray(at, at + classes);
    const largest = row.reduce((a, b) => Math.max(a, b));
    row.forEach((z, i) => row[i] = Math.exp(z - largest));
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((e, i) => row[i] = e / sum);
  }
  return rows;
}

/** Refuses a step whose sizes do not fit, and returns the number of the kernel's entries for one pair of samples. */
function checkKernel(
  kernel: ArrayLike<number>,
  { logits, batchLogits, batchLabels, classes }: BatchStep,
): number {
  const [count, batch] = [logits.length / classes, batchLabels.length];
  if (!Number.isInteger(count) || batchLogits.length !== batch * classes) {
    throw new RangeError(
      `Cannot predict a step: got ${logits.length} logits and ${batchLogits.length} of the batch, need ${classes} a sample, ` +
        `${batch} x ${classes} of the batch`,
    );
  }
  const bad = findBadLabel(batchLabels, classes);
  if (bad >= 0) {
    throw new RangeError(
      `Cannot predict a step: got label ${
        batchLabels[bad]
      } for sample ${bad} of the batch, need an integer from 0 to ${classes - 1}`,
    );
  }
  const pairs = count * batch;
  if (kernel.length === pairs * classes * classes) return classes * classes;
  if (kernel.length === pairs) return 1;
  throw new RangeError(
    `Cannot predict a step: got a kernel of ${kernel.length} numbers, need ${pairs} or ${
      pairs * classes * classes
    } for ${count} samples and a batch of ${batch}`,
  );
}
