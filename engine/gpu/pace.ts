/**
 * Progress of a long job, and its waits for the device: often enough to show progress, seldom enough to cost little time.
 *
 * @module
 */
import { checkKeys, describeValue, type OptionNames } from "../options.ts";
import type { Gpu } from "./device.ts";

/** Callback that reports the progress of a long job; `done` grows to `total`, and may be fractional where it counts tiles. */
export type OnProgress = (done: number, total: number) => void;

/** Options of every long call: a callback for its progress, and a signal that ends it early. */
export interface CallOptions {
  /** Callback that is called after some steps. */
  readonly onProgress?: OnProgress;
  /** Signal that ends the call at its next wait: the call rejects with the signal's reason, and frees its memory on the device. */
  readonly signal?: AbortSignal;
}

export const CALL_OPTIONS: OptionNames<CallOptions> = { onProgress: true, signal: true };

/**
 * Makes a progress callback that ends the job by throwing the signal's reason once it is aborted. A job reports its progress after each wait,
 * and a signal can be aborted during waits alone.
 *
 * @throws {TypeError} if the signal is no AbortSignal, or the callback no function.
 * @throws The signal's reason if it is aborted already.
 */
export function interruptBy({ onProgress, signal }: CallOptions): OnProgress | undefined {
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(
      `Cannot begin: got onProgress ${describeValue(onProgress)}, need a function`,
    );
  }
  if (onProgress === undefined && signal === undefined) return undefined;
  if (!(signal === undefined || signal instanceof AbortSignal)) {
    throw new TypeError(`Cannot begin: got signal ${describeValue(signal)}, need an AbortSignal`);
  }
  signal?.throwIfAborted();
  let last = "";
  return (done, total) => {
    signal?.throwIfAborted();
    // each state is reported once, including the end
    const state = `${done} of ${total}`;
    if (state !== last) onProgress?.(done, total);
    last = state;
    signal?.throwIfAborted();
  };
}

/** Checks the options of a call that has no others, and makes its progress callback as {@linkcode interruptBy} does. */
export function interruptWith(action: string, options: CallOptions): OnProgress | undefined {
  checkKeys(action, options, CALL_OPTIONS);
  return interruptBy(options);
}

/** Intended time between waits, in milliseconds; a wait itself costs some 12 ms in Deno, whatever was computed. */
const INTERVAL_MS = 250;

/** Counter of submissions that waits for the device after some of them. */
export class Pace {
  #interval = 1;
  #steps = 0;
  #since = performance.now();
  /** Completion of the work that had been submitted when the last wait ended. */
  #earlier: Promise<void> = Promise.resolve();

  constructor(private readonly gpu: Gpu) {}

  /**
   * Counts a submitted step, and waits for the device when it is time. A wait is for the work submitted up to the previous wait, so that the
   * device is not idle meanwhile.
   *
   * @returns whether there was a wait
   * @throws {DeviceError} if the device has failed.
   */
  async step(): Promise<boolean> {
    if (++this.#steps < this.#interval) return false;
    await this.#earlier;
    this.#earlier = this.gpu.finish();
    // the next wait throws its error, or the caller's read at the end
    this.#earlier.catch(() => {});
    const now = performance.now();
    const stepMs = (now - this.#since) / this.#steps;
    // the interval grows at most eightfold: the first steps may be the slowest
    this.#interval = Math.max(1, Math.min(8 * this.#interval, Math.floor(INTERVAL_MS / stepMs)));
    this.#steps = 0;
    this.#since = now;
    return true;
  }
}
