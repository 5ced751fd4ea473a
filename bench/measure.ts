/**
 * Measurement of every case: validate, then time.
 *
 * @module
 */
import type { Gpu } from "../engine/gpu/device.ts";
import { assertClose } from "../engine/reference/numbers.ts";
import type { Contender, Contenders } from "./contender.ts";

/** Milliseconds of one computation, over several measurements. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly measurements: number;
  /** Computations that each measurement is the mean of. */
  readonly repetitions: number;
}

/** Effort of a measurement. */
export interface Effort {
  /** Measurements of each contender. */
  readonly rounds: number;
  /** Least length of a measurement: the wait for the device costs some 12 ms in Deno, whatever was computed. */
  readonly measurementMs: number;
  /** Time after which a contender is not measured again. */
  readonly budgetMs: number;
  /** Longest expected time of one computation: a slower peer is left out. */
  readonly patienceMs: number;
}

/** Device and effort of measurements. */
export interface Stopwatch {
  /** Device that is waited for. */
  readonly gpu: Gpu;
  readonly effort: Effort;
}

/** Full effort, with the wait below 5 % of a measurement. */
export const FULL: Effort = { rounds: 5, measurementMs: 250, budgetMs: 3000, patienceMs: 60_000 };

/** Quick effort, with the wait below 15 % of a measurement. */
export const QUICK: Effort = { rounds: 3, measurementMs: 80, budgetMs: 400, patienceMs: 5000 };

/**
 * Compares the contenders' results, then times them.
 *
 * @param bound largest difference of element i from the first contender's. Default: none, since most cases compute on integers, where float32 is
 * exact
 * @throws {Error} if an element differs by more; the message names the worst.
 */
export async function measure<Name extends string>(
  stopwatch: Stopwatch,
  computed: string,
  contenders: Contenders<Name>,
  bound?: (i: number) => number,
): Promise<Record<Name, Timing>> {
  await validate(computed, contenders, bound);
  return await timeInTurns(stopwatch, contenders);
}

/** Compares the contenders' results: the first half of {@linkcode measure}. */
export async function validate(
  computed: string,
  contenders: Contenders<string>,
  bound: (i: number) => number = () => 0,
): Promise<void> {
  const [[first, reference], ...others] = Object.entries(contenders);
  const expected = await reference.read();
  for (const [other, contender] of others) {
    assertClose(await contender.read(), expected, bound, `${computed}: ${other} beside ${first}`);
  }
}

/**
 * Times the contenders: the second half of {@linkcode measure}. They take turns, so that a disturbance of the machine affects all alike. A time ends
 * when the device is done.
 */
export async function timeInTurns<Name extends string>(
  { gpu, effort }: Stopwatch,
  contenders: Contenders<Name>,
): Promise<Record<Name, Timing>> {
  const entries: Entry[] = [];
  for (const [name, contender] of Object.entries<Contender>(contenders)) {
    entries.push(await enter(gpu, effort, name, contender));
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (const { contender, repetitions, times } of entries) {
      const usedMs = times.reduce((sum, ms) => sum + ms * repetitions, 0);
      if (usedMs >= effort.budgetMs) continue;
      times.push(await time(gpu, contender, repetitions) / repetitions);
    }
  }
  const timings = entries.map((entry) => [entry.name, summarise(entry)]);
  return Object.fromEntries(timings) as Record<Name, Timing>;
}

/** A contender being timed. */
interface Entry {
  readonly name: string;
  readonly contender: Contender;
  readonly repetitions: number;
  /** Milliseconds of one computation. */
  readonly times: number[];
}

/** Finds how many repetitions fill a measurement, which also warms up. */
async function enter(
  gpu: Gpu,
  { measurementMs, budgetMs }: Effort,
  name: string,
  contender: Contender,
): Promise<Entry> {
  let repetitions = 1;
  let elapsed = await time(gpu, contender, repetitions);
  while (elapsed < measurementMs) {
    repetitions = Math.ceil(repetitions * Math.min(8, 1.2 * measurementMs / elapsed));
    elapsed = await time(gpu, contender, repetitions);
  }
  // a measurement that uses up the budget by itself counts, and is not repeated
  return {
    name,
    contender,
    repetitions,
    times: elapsed >= budgetMs ? [elapsed / repetitions] : [],
  };
}

async function time(gpu: Gpu, contender: Contender, repetitions: number): Promise<number> {
  const start = performance.now();
  const counted = await contender.run(repetitions);
  if (counted !== undefined) return counted;
  await gpu.finish();
  return performance.now() - start;
}

function summarise({ times, repetitions }: Entry): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    min: sorted[0],
    max: sorted.at(-1)!,
    measurements: times.length,
    repetitions,
  };
}
