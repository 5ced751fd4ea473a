/**
 * Progress on standard error: bars on a terminal, elsewhere a line a minute.
 *
 * @module
 */
// @ts-types="npm:@types/cli-progress@3.11.6"
import { Presets, SingleBar } from "npm:cli-progress@3.12.0";
import type { OnProgress } from "../mod.ts";
import { formatCount, formatSeconds } from "./units.ts";
import { say } from "./print.ts";

/** Time after which a bar appears: shorter jobs show none. */
const DELAY_MS = 1000;

/** Time from line to line where there is no terminal. */
const LINE_MS = 60_000;

/** Output and clock of progress: those of the process, or a test's. */
export interface Display {
  readonly isTerminal: boolean;
  /** Time in milliseconds since any moment. */
  readonly now: () => number;
  readonly print: (line: string) => void;
  /** Calls `callback` again and again until the function that it returns is called. */
  readonly repeat: (callback: () => void, everyMs: number) => () => void;
}

const DISPLAY: Display = {
  isTerminal: Deno.stderr.isTerminal(),
  now: () => performance.now(),
  print: (line) => say(line),
  repeat(callback, everyMs) {
    const timer = setInterval(callback, everyMs);
    return () => clearInterval(timer);
  },
};

let isQuiet = false;

/** Sets whether progress is hidden from now on. */
export function setQuiet(quiet: boolean): void {
  isQuiet = quiet;
}

/**
 * Runs a job and shows how far it has come, at which rate, and the time left: by a bar where standard error is a terminal and the job takes
 * more than a second, elsewhere by a line a minute.
 *
 * @param label of the job, for example `training`
 * @param unit of what is counted, for example `images`
 */
export async function withProgress<T>(
  label: string,
  unit: string,
  job: (onProgress: OnProgress) => Promise<T>,
  display = DISPLAY,
): Promise<T> {
  if (isQuiet) return await job(() => {});
  const run = display.isTerminal ? runWithBar : runWithLines;
  return await run(label, unit, job, display);
}

async function runWithBar<T>(
  label: string,
  unit: string,
  job: (onProgress: OnProgress) => Promise<T>,
  { now }: Display,
): Promise<T> {
  const format = `${label} {bar} {percentage}% | {done}/{total} ${unit} | {rate} ${unit}/s | ` +
    "{left} left";
  const bar = new SingleBar({ format, hideCursor: true, clearOnComplete: true }, Presets.rect);
  const meter = new Meter(now);
  let shown = false;
  try {
    return await job((done, total) => {
      meter.report(done, total);
      const { rate, left } = meter;
      // a part of a unit moves the bar alone
      const whole = Math.floor(done);
      const state = { done: whole, rate: formatRate(rate), left: formatClock(left) };
      if (shown) bar.update(done, state);
      else if (meter.elapsedMs > DELAY_MS && done < total) {
        bar.start(total, done, state);
        shown = true;
      }
    });
  } finally {
    if (shown) bar.stop();
  }
}

async function runWithLines<T>(
  label: string,
  unit: string,
  job: (onProgress: OnProgress) => Promise<T>,
  { now, print, repeat }: Display,
): Promise<T> {
  const meter = new Meter(now);
  const stop = repeat(() => {
    const { done, total, rate, left } = meter;
    if (total === 0) return;
    const pace = rate > 0
      ? `, ${formatRate(rate)} ${unit}/s, ${formatSeconds(Math.round(left))} left`
      : "";
    print(`${label}: ${formatCount(Math.floor(done))} of ${formatCount(total)} ${unit}${pace}`);
  }, LINE_MS);
  try {
    return await job((done, total) => meter.report(done, total));
  } finally {
    stop();
  }
}

/** Progress of a job, and its rate. */
class Meter {
  done = 0;
  /** Units of the whole job; 0 until the job has reported them. */
  total = 0;
  readonly #start: number;
  /** Point from which the rate is counted. */
  #since: { readonly done: number; readonly at: number };

  constructor(private readonly now: () => number) {
    this.#start = now();
    this.#since = { done: 0, at: this.#start };
  }

  report(done: number, total: number): void {
    this.done = done;
    this.total = total;
    // units that are reported at once were done in an earlier process
    if (this.elapsedMs <= DELAY_MS) this.#since = { done, at: this.now() };
  }

  get elapsedMs(): number {
    return this.now() - this.#start;
  }

  /** Units per second. */
  get rate(): number {
    const { done, at } = this.#since;
    return this.done > done ? (this.done - done) / (this.now() - at) * 1000 : 0;
  }

  /** Time left, in seconds. */
  get left(): number {
    return (this.total - this.done) / this.rate;
  }
}

/** Formats a rate with at least three digits, without an exponent. */
function formatRate(rate: number): string {
  return rate >= 100 ? formatCount(rate) : rate.toPrecision(3);
}

/** Formats seconds as minutes and seconds, `1:05`. */
function formatClock(left: number): string {
  if (!Number.isFinite(left)) return "?";
  const seconds = Math.ceil(left);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
