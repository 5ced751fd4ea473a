/**
 * Scores of samples from one forward pass.
 *
 * @module
 */
import { findNonFinite } from "../data/finite_check.ts";
import { findBadLabel } from "../data/label_check.ts";

/** Scores of each sample from one forward pass. */
export interface Scores {
  /** Cross-entropy `-log q_y`, `[N]` f64, in nats. */
  readonly loss: Float64Array<ArrayBuffer>;
  /** Norm of the prediction error, `|q - onehot(y)|_2` (EL2N), `[N]` f64, from 0 to sqrt(2). */
  readonly el2n: Float64Array<ArrayBuffer>;
}

/**
 * Scores samples by their logits, with `q = softmax(z)`, in float64.
 *
 * @param logits logits `[N, C]` f32, row-major
 * @param labels labels `[N]`, each in `0 .. C - 1`
 * @throws {RangeError} if the numbers of logits and labels do not fit, a label is out of range, or a logit is not finite.
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

/** Computes prediction errors `softmax(z) - onehot(y)`, the gradients of each sample's cross-entropy for its logits, `[N, C]` f32. */
export function computePredictionErrors(
  logits: Float32Array,
  labels: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  const classes = logits.length / labels.length;
  const errors = new Float32Array(logits.length);
  for (let n = 0; n < labels.length; n++) {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    // computed in float64 and then rounded: in float32 the subtraction would cancel a small error
    errors.set(predict(row, labels[n]).error, n * classes);
  }
  return errors;
}

/** Computes one sample's cross-entropy and `softmax(z) - onehot(y)` in float64, without cancellation where the prediction is all but certain. */
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
