/**
 * Measurement of every case: validate, then time.
 *
 * @module
 */
import type { Gpu } from "../engine/gpu/device.ts";
import {
  type Effort as OneEffort,
  type Elapsed,
  Measurement,
  type Timing,
} from "../engine/gpu/timing.ts";
import { assertClose } from "../engine/reference/numbers.ts";
import type { Contender, Contenders } from "./contender.ts";

/** What can be timed. */
export type Timed = Pick<Contender, "run">;

/** What is waited for. */
export type Waiting = Pick<Gpu, "finish">;

/** Effort of the measurements of each contender. */
export interface Effort extends OneEffort {
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
  const entries: (readonly [name: string, Measurement])[] = [];
  for (const [name, contender] of Object.entries<Contender>(contenders)) {
    const run = (repetitions: number) => time(gpu, contender, repetitions);
    entries.push([name, await Measurement.begin(run, effort)]);
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (const [, measurement] of entries) await measurement.measure();
  }
  const timings = entries.map(([name, measurement]) => [name, measurement.summarise()]);
  return Object.fromEntries(timings) as Record<Name, Timing>;
}

/** Times so many repetitions, the wait for the device included. */
export async function time(gpu: Waiting, contender: Timed, repetitions: number): Promise<Elapsed> {
  const start = performance.now();
  const counted = await contender.run(repetitions);
  if (counted === undefined) await gpu.finish();
  const ms = counted ?? performance.now() - start;
  return { ms, hostMs: ms };
}
