/**
 * Forgetting events during training.
 *
 * @module
 */

/** State of a counter, `[N]` f32 each; flags are 0 or 1. */
export interface ForgettingCounts {
  /** Number of forgetting events so far. */
  readonly events: Float32Array<ArrayBuffer>;
  /** Flag: the last prediction was right. */
  readonly right: Float32Array<ArrayBuffer>;
  /** Flag: some prediction was right. */
  readonly everRight: Float32Array<ArrayBuffer>;
}

/**
 * Counts how often each sample was predicted right in one epoch and wrong in the next (Toneva et al., 2019, "An empirical study of example
 * forgetting during deep neural network learning", section 3).
 */
export class ForgettingCounter {
  readonly #counts: ForgettingCounts;

  /** @param counts counts of another counter to continue from; they are taken over, not copied */
  constructor(
    count: number,
    counts: ForgettingCounts = {
      events: new Float32Array(count),
      right: new Float32Array(count),
      everRight: new Float32Array(count),
    },
  ) {
    this.#counts = counts;
  }

  /** Counts the next prediction of a sample, right or wrong. */
  add(sample: number, isRight: boolean): void {
    const { events, right, everRight } = this.#counts;
    if (right[sample] && !isRight) events[sample]++;
    right[sample] = Number(isRight);
    if (isRight) everRight[sample] = 1;
  }

  /** A copy of the counts so far. */
  get counts(): ForgettingCounts {
    const { events, right, everRight } = this.#counts;
    return { events: events.slice(), right: right.slice(), everRight: everRight.slice() };
  }

  /** Forgetting events of each sample, `[N]` f32; `Infinity` where it was never right, as the paper counts those. */
  get scores(): Float32Array<ArrayBuffer> {
    const { events, everRight } = this.#counts;
    return events.map((count, sample) => everRight[sample] ? count : Infinity);
  }
}
