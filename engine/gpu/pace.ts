/**
 * Progress of a long job, and waiting for the device in it: often enough to show something, seldom enough not to be felt.
 *
 * @module
 */
import { checkKeys, describeValue, type OptionNames } from "../options.ts";
import type { Gpu } from "./device.ts";

/** Says how far a long job has come; `done` grows to `total`, and may be a fraction where it counts tiles. */
export type OnProgress = (done: number, total: number) => void;

/** What every long call takes: who hears how far it has come, and who ends it before it is done. */
export interface CallOptions {
  /** Called after some steps. */
  readonly onProgress?: OnProgress;
  /** Ends the call where it waits next: it rejects with the signal's reason, and what it held on the device is freed. */
  readonly signal?: AbortSignal;
}

export const CALL_OPTIONS: OptionNames<CallOptions> = { onProgress: true, signal: true };

/**
 * A progress callback that ends the job by throwing the signal's reason once there is one. A job says how far it has come after each wait,
 * and at no other moment can a signal have come.
 *
 * @throws {TypeError} if the signal is none, or the callback no function; the signal's reason if it is aborted already.
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
    // each state is reported once, the end too
    const state = `${done} of ${total}`;
    if (state !== last) onProgress?.(done, total);
    last = state;
    signal?.throwIfAborted();
  };
}

/** {@linkcode interruptBy} for a call that has no other options. */
export function interruptWith(action: string, options: CallOptions): OnProgress | undefined {
  checkKeys(action, options, CALL_OPTIONS);
  return interruptBy(options);
}

/** Time between waits that is aimed at; a wait itself costs some 12 ms in Deno, whatever was computed. */
const INTERVAL_MS = 250;

/** Counts submissions, and waits for the device after some of them. */
export class Pace {
  #interval = 1;
  #steps = 0;
  #since = performance.now();
  /** For what had been submitted when the last wait ended. */
  #earlier: Promise<void> = Promise.resolve();

  constructor(private readonly gpu: Gpu) {}

  /**
   * Say that a step has been submitted. A wait is for what was submitted up to the wait before, so that the device has work meanwhile.
   *
   * @returns whether the device has been waited for
   * @throws {DeviceError} if the device has failed.
   */
  async step(): Promise<boolean> {
    if (++this.#steps < this.#interval) return false;
    await this.#earlier;
    this.#earlier = this.gpu.finish();
    // thrown by the next wait, or by whatever the caller reads in the end
    this.#earlier.catch(() => {});
    const now = performance.now();
    const stepMs = (now - this.#since) / this.#steps;
    // at most eight times as far: the first steps may be the slowest
    this.#interval = Math.max(1, Math.min(8 * this.#interval, Math.floor(INTERVAL_MS / stepMs)));
    this.#steps = 0;
    this.#since = now;
    return true;
  }
}
