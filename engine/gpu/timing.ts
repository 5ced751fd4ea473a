/**
 * Timing of a computation: repeated within a measurement, measured several times, and summarised by median and spread.
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
  /** Number of computations in a measurement, which is their mean. */
  readonly repetitions: number;
}

/** Effort spent on timing a computation. */
export interface Effort {
  /** Number of measurements. */
  readonly rounds: number;
  /** Shortest duration of a measurement, in milliseconds: a wait for the device costs some 12 ms in Deno, whatever was computed. */
  readonly measurementMs: number;
  /** Total time after which a computation is not measured again, in milliseconds. */
  readonly budgetMs: number;
}

/** Time of some repetitions. */
export interface Elapsed {
  /** Milliseconds that are reported, by the device's clock where there is one. */
  readonly ms: number;
  /** Milliseconds by the host's clock, which determine the number of repetitions. */
  readonly hostMs: number;
}

/** Function that runs a computation `repetitions` times and returns the time. */
export type Run = (repetitions: number) => Promise<Elapsed>;

/** Timing of one computation in progress; several may take turns. */
export class Measurement {
  /** Milliseconds of one computation, by measurement. */
  readonly #times: number[] = [];
  #usedMs = 0;

  private constructor(
    private readonly run: Run,
    private readonly effort: Effort,
    private readonly repetitions: number,
  ) {}

  /** Finds the number of repetitions that fill a measurement. The first repetition warms up, and is ignored if the budget allows another. */
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
    // a run that uses up the budget is the one measurement
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

/** Summarises the measurements of a computation in milliseconds, each the mean of `repetitions` repetitions. */
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
