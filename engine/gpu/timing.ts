/**
 * Timing: repetitions that fill a measurement, measurements until there are enough, and their median and spread.
 *
 * @module
 */

/** Milliseconds of one computation, over several measurements. */
export interface Timing {
  /** Median of the measurements. */
  readonly median: number;
  /** Shortest measurement. */
  readonly min: number;
  /** Longest measurement. */
  readonly max: number;
  /** Number of measurements. */
  readonly measurements: number;
  /** Computations that each measurement is the mean of. */
  readonly repetitions: number;
}

/** Effort of a measurement. */
export interface Effort {
  /** Measurements. */
  readonly rounds: number;
  /** Least length of a measurement: a wait for the device costs some 12 ms in Deno, whatever was computed. */
  readonly measurementMs: number;
  /** Time after which a computation is not measured again. */
  readonly budgetMs: number;
}

/** Time of some repetitions. */
export interface Elapsed {
  /** Milliseconds that count. */
  readonly ms: number;
  /** Milliseconds by the host's clock, which decide how many repetitions fill a measurement. */
  readonly hostMs: number;
}

/** Computes everything so many times. */
export type Run = (repetitions: number) => Promise<Elapsed>;

/** One computation being timed; several may take turns. */
export class Measurement {
  /** Milliseconds of one computation. */
  readonly #times: number[] = [];
  #usedMs = 0;

  private constructor(
    private readonly run: Run,
    private readonly effort: Effort,
    private readonly repetitions: number,
  ) {}

  /** Finds how many repetitions fill a measurement. The first one warms up, and decides nothing if another has the time. */
  static async begin(run: Run, effort: Effort): Promise<Measurement> {
    const { measurementMs, budgetMs } = effort;
    let repetitions = 1;
    let elapsed = await run(repetitions);
    if (elapsed.hostMs < budgetMs) elapsed = await run(repetitions);
    while (elapsed.hostMs < measurementMs) {
      repetitions = Math.ceil(repetitions * Math.min(8, 1.2 * measurementMs / elapsed.hostMs));
      elapsed = await run(repetitions);
    }
    const measurement = new Measurement(run, effort, repetitions);
    // a measurement that uses up the budget by itself counts, and is not repeated
    if (elapsed.hostMs >= budgetMs) measurement.#count(elapsed);
    return measurement;
  }

  /** Measures once more, unless the budget is used up. */
  async measure(): Promise<void> {
    if (this.#usedMs < this.effort.budgetMs) this.#count(await this.run(this.repetitions));
  }

  /** Summarises the measurements. */
  summarise(): Timing {
    return summariseTimes(this.#times, this.repetitions);
  }

  #count({ ms, hostMs }: Elapsed): void {
    this.#times.push(ms / this.repetitions);
    this.#usedMs += hostMs;
  }
}

/** Summarises milliseconds of one computation, each the mean of some repetitions. */
export function summariseTimes(times: readonly number[], repetitions: number): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    min: sorted[0],
    max: sorted.at(-1)!,
    measurements: sorted.length,
    repetitions,
  };
}
