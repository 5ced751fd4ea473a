/**
 * Forgetting events of training.
 *
 * @module
 */

/** What a counter knows of each sample, `[N]` f32 each; flags are 0 and 1. */
export interface ForgettingCounts {
  readonly events: Float32Array<ArrayBuffer>;
  /** When the network met it last. */
  readonly right: Float32Array<ArrayBuffer>;
  readonly everRight: Float32Array<ArrayBuffer>;
}

/**
 * Counts how often each sample was right in one epoch and wrong in the next (Toneva et al., 2019, "An empirical study of example forgetting
 * during deep neural network learning", section 3).
 */
export class ForgettingCounter {
  readonly #counts: ForgettingCounts;

  /** @param counts where another counter ended; it takes them over */
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

  /** Tells how the network answered a sample when it met it next. */
  add(sample: number, isRight: boolean): void {
    const { events, right, everRight } = this.#counts;
    if (right[sample] && !isRight) events[sample]++;
    right[sample] = Number(isRight);
    if (isRight) everRight[sample] = 1;
  }

  /** A copy of what is known so far. */
  get counts(): ForgettingCounts {
    const { events, right, everRight } = this.#counts;
    return { events: events.slice(), right: right.slice(), everRight: everRight.slice() };
  }

  /** Events of each sample, `[N]`; `Infinity` where it was never right, as the paper counts those. */
  get scores(): Float32Array<ArrayBuffer> {
    const { events, everRight } = this.#counts;
    return events.map((count, sample) => everRight[sample] ? count : Infinity);
  }
}
