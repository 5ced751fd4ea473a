/**
 * Measuring at the largest size that the time and the memory allow.
 *
 * @module
 */
import { Measurement, summariseTimes, type Timing } from "../../engine/gpu/timing.ts";
import { time, type Timed, type Waiting } from "../measure.ts";
import {
  formatShape,
  type Measurement as Measured,
  nameSize,
  type Omission,
  type Unit,
  UNITS,
} from "./report.ts";

/** A computation at one size; disposed when it has been timed. */
export type Trial = Timed & Disposable;

/** One thing to measure. */
export interface Item {
  /** What is computed, without its size. */
  readonly name: string;
  readonly unit: Unit;
  /** Work of a computation of a size, in units a millisecond; of times, how many of their unit a millisecond is. */
  readonly work: (size: number) => number;
  /** Sizes to try, ascending; the last is the one that is meant. */
  readonly sizes: readonly number[];
  /** The power of its size with which a computation's time grows. */
  readonly growth: number;
  /** Whether every size is a result, and not the largest alone. */
  readonly isCurve?: boolean;
  readonly shape: (size: number) => Measured["shape"];
  /** What host and device hold of it. */
  readonly bytes: (size: number) => number;
  /** What else keeps it from a size, if anything does. */
  readonly obstacle?: (size: number) => string | undefined;
  readonly open: (size: number) => Trial | Promise<Trial>;
}

/** What bounds a measurement. */
export interface Bounds {
  /** Milliseconds on the clock of `now` after which no larger size and no third round is begun. */
  readonly deadline: number;
  /** When the stage ends: an item whose first computation ends after it is left at that. */
  readonly end: number;
  readonly now: () => number;
  /** Bytes that may be held. */
  readonly room: number;
  /** Length of a measurement at least, in milliseconds. */
  readonly measurementMs: number;
  /** The size at which a report to compare with has it, above which nothing is tried. */
  readonly most?: number;
  /** Whether the least size is measured whatever the time. */
  readonly isSure?: boolean;
}

/** A finding without its stage. */
export type Found =
  | { readonly measurement: Omit<Measured, "stage"> }
  | { readonly omission: Omit<Omission, "stage"> };

/** Measurements of an item at most, and those that a larger size has to leave time for. */
const ROUNDS = { most: 5, least: 3 };

/** Length of a probe at least. */
const PROBE_MS = 40;

/**
 * Climbs from size to size, by the time that the last one took and the item's growth, and measures the largest that fits.
 *
 * Whatever keeps it from the size that is meant is found too, as an omission.
 */
export async function* climb(gpu: Waiting, item: Item, bounds: Bounds): AsyncGenerator<Found> {
  const { name, growth, isCurve = false, shape } = item;
  const { most = Infinity, isSure = false } = bounds;
  const sizes = item.sizes.filter((size, i) => i === 0 || size <= most);
  const meant = nameSize(name, shape(sizes.at(-1)!));
  const { deadline, end } = isSure ? { deadline: Infinity, end: Infinity } : bounds;
  const reason = findObstacle(item, sizes[0], 0, { ...bounds, deadline });
  if (reason !== undefined) {
    yield { omission: { name: meant, kind: "left out", reason } };
    return;
  }
  let firstMs: number | undefined;
  for (const [i, size] of sizes.entries()) {
    using trial = await item.open(size);
    if (firstMs === undefined) {
      firstMs = (await time(gpu, trial, 1)).ms;
      if (bounds.now() > end) {
        const reason = `its first computation took ${showSeconds(firstMs)}, and no time was left`;
        yield { omission: { name: meant, kind: "left out", reason } };
        return;
      }
    }
    const { median: ms, repetitions } = await probe(gpu, trial);
    const measure = async (rounds: number) => {
      const timing = await timeRounds(
        gpu,
        trial,
        { ms, elapsed: ms * repetitions, rounds },
        bounds,
      );
      return { measurement: describe(item, size, timing, firstMs!) };
    };
    const next = sizes.at(i + 1);
    if (next === undefined) yield await measure(ROUNDS.most);
    else if (isCurve) yield await measure(ROUNDS.least);
    if (next === undefined) return;
    const obstacle = findObstacle(item, next, ms * (next / size) ** growth, bounds);
    if (obstacle === undefined) continue;
    if (!isCurve) yield await measure(ROUNDS.most);
    const reason = `${obstacle}; measured up to ${formatShape(shape(size))}`;
    yield { omission: { name: meant, kind: "smaller", reason } };
    return;
  }
}

/** One measurement of so many repetitions that a wait for the device counts little. */
async function probe(gpu: Waiting, trial: Trial): Promise<Timing> {
  const run = (repetitions: number) => time(gpu, trial, repetitions);
  // without a budget what fills it counts, and nothing is run once more
  const effort = { rounds: 1, measurementMs: PROBE_MS, budgetMs: 0 };
  return (await Measurement.begin(run, effort)).summarise();
}

/** Some rounds, but no more than there is time for; two at least, so that there is a spread. A probe as long as a round is one. */
async function timeRounds(
  gpu: Waiting,
  trial: Trial,
  { ms, elapsed, rounds }: { ms: number; elapsed: number; rounds: number },
  { deadline, now, measurementMs }: Bounds,
): Promise<Timing> {
  const repetitions = Math.max(1, Math.ceil(measurementMs / ms));
  const times = elapsed >= measurementMs ? [ms] : [];
  while (times.length < rounds && (times.length < 2 || now() + repetitions * ms < deadline)) {
    times.push((await time(gpu, trial, repetitions)).ms / repetitions);
  }
  return summariseTimes(times, repetitions);
}

/** Milliseconds of work that waits for the device itself. */
export async function clock(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Why a size may not be tried, if it may not. */
function findObstacle(
  { bytes, obstacle }: Item,
  size: number,
  expectedMs: number,
  { deadline, now, room }: Bounds,
): string | undefined {
  const own = obstacle?.(size);
  if (own !== undefined) return own;
  const leftMs = deadline - now();
  if (leftMs <= 0) return "no time was left for it";
  if (bytes(size) > room) {
    return `it holds ${showBytes(bytes(size))}, and ${showBytes(room)} were free`;
  }
  if (ROUNDS.least * expectedMs > leftMs) {
    return `once was expected to take ${showSeconds(expectedMs)}, and ${
      showSeconds(leftMs)
    } were left for it`;
  }
}

function describe(
  { name, unit, work, shape }: Item,
  size: number,
  { median, min, max, measurements }: Timing,
  firstMs: number,
): Omit<Measured, "stage"> {
  const toUnit = (ms: number) =>
    Number((UNITS[unit].isRate ? work(size) / ms : work(size) * ms).toPrecision(4));
  const [least, most] = [toUnit(min), toUnit(max)].sort((a, b) => a - b);
  return {
    name,
    shape: shape(size),
    unit,
    median: toUnit(median),
    least,
    most,
    rounds: measurements,
    firstMs: Number(firstMs.toPrecision(4)),
  };
}

function showBytes(bytes: number): string {
  return `${(bytes / 1e9).toPrecision(2)} GB`;
}

function showSeconds(ms: number): string {
  return `${(ms / 1000).toPrecision(2)} s`;
}
