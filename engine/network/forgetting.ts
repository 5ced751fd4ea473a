/**
 * Forgetting events of training.
 *
 * @module
 */

/**
 * Counts how often each sample was right in one epoch and wrong in the next (Toneva et al., 2019, "An empirical study of example forgetting
 * during deep neural network learning", section 3).
 */
export class ForgettingCounter {
  readonly #events: Float32Array<ArrayBuffer>;
  readonly #isRight: Uint8Array;
  readonly #wasEverRight: Uint8Array;

  constructor(count: number) {
    this.#events = new Float32Array(count);
    this.#isRight = new Uint8Array(count);
    this.#wasEverRight = new Uint8Array(count);
  }

  /** Tells how the network answered a sample when it met it next. */
  add(sample: number, isRight: boolean): void {
    if (this.#isRight[sample] && !isRight) this.#events[sample]++;
    this.#isRight[sample] = Number(isRight);
    if (isRight) this.#wasEverRight[sample] = 1;
  }

  /** Events of each sample, `[N]`; `Infinity` where it was never right, as the paper counts those. */
  get scores(): Float32Array<ArrayBuffer> {
    return this.#events.map((events, sample) => this.#wasEverRight[sample] ? events : Infinity);
  }
}
