/**
 * Scores of samples from one forward pass.
 *
 * @module
 */
import { findNonFinite } from "../data/finite_check.ts";
import { findBadLabel } from "../data/label_check.ts";

/** What one forward pass says of each sample. */
export interface Scores {
  /** Cross-entropy `-log q_y`, `[N]` f64, in nats. */
  readonly loss: Float64Array<ArrayBuffer>;
  /** Error norm `|q - onehot(y)|_2` (EL2N), `[N]` f64, from 0 to sqrt(2). */
  readonly el2n: Float64Array<ArrayBuffer>;
}

/**
 * Scores samples by their logits, with `q` the softmax, in float64.
 *
 * @param logits `[N, C]` f32, row-major
 * @param labels `[N]`, each in `0 .. C - 1`
 * @throws {RangeError} if there is no whole number of logits for each label, or no logit of a label, or a logit is not finite.
 */
export function scoreLogits(logits: Float32Array, labels: ArrayLike<number>): Scores {
  const count = labels.length;
  const classes = logits.length / count;
  if (!Number.isInteger(classes) || classes < 1) {
    throw new RangeError(
      `Cannot score samples: got ${logits.length} logits for ${count} labels, need as many for each`,
    );
  }
  const bad = findBadLabel(labels, classes);
  if (bad >= 0) {
    throw new RangeError(
      `Cannot score samples: got label ${
        labels[bad]
      } for sample ${bad}, need an integer from 0 to ${classes - 1}`,
    );
  }
  const broken = findNonFinite(logits);
  if (broken >= 0) {
    throw new RangeError(
      `Cannot score samples: got logit ${logits[broken]} of sample ${
        Math.floor(broken / classes)
      }, need finite numbers`,
    );
  }
  const loss = new Float64Array(count);
  const el2n = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const label = labels[n];
    const row = logits.subarray(n * classes, (n + 1) * classes);
    const { loss: nats, error } = predict(row, label);
    loss[n] = nats;
    el2n[n] = Math.hypot(...error);
  }
  return { loss, el2n };
}

/** How far each prediction is from its label, `softmax(z) - onehot(y)`: the gradient of its cross-entropy for the logits, `[N, C]` f32. */
export function computePredictionErrors(
  logits: Float32Array,
  labels: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  const classes = logits.length / labels.length;
  const errors = new Float32Array(logits.length);
  for (let n = 0; n < labels.length; n++) {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    // rounded after the subtraction, which would leave nothing of a small error
    errors.set(predict(row, labels[n]).error, n * classes);
  }
  return errors;
}

/** One sample's cross-entropy and `softmax(z) - onehot(y)`, in float64; of a prediction that is all but certain both keep their digits. */
function predict(logits: Float32Array, label: number) {
  const row = Float64Array.from(logits);
  const top = row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  // exponents of at most 0 cannot overflow
  const powers = row.map((logit) => Math.exp(logit - row[top]));
  const sumBut = (left: number) =>
    powers.reduce((sum, power, c) => c === left ? sum : sum + power, 0);
  const others = sumBut(label);
  const total = others + powers[label];
  return {
    loss: Math.log1p(sumBut(top)) + (row[top] - row[label]),
    error: powers.map((power, c) => (c === label ? -others : power) / total),
  };
}
