/** Load of the device: what is submitted together, as the tests on pacing see it. @module */
import assert from "node:assert/strict";
import { Commands } from "../../../engine/gpu/commands.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { LAUNCH_MS, type Rates, SUBMISSION_MS } from "../../../engine/gpu/rates.ts";

/** Lets a device reckon with other rates until it is disposed. */
export function pretendRates(gpu: Gpu, rates: Partial<Rates>): Disposable {
  const before = gpu.rates;
  gpu.rates = { ...before, ...rates };
  return { [Symbol.dispose]: () => gpu.rates = before };
}

/** Submissions that are watched. */
export interface Load extends Disposable {
  /** Estimated milliseconds of every launch, submission by submission. */
  readonly submissions: readonly (readonly number[])[];
}

/** Watches what all recordings submit until it is disposed. */
export function watchLoad(): Load {
  const { run, submit } = Commands.prototype;
  const recorded = new WeakMap<Commands, number[]>();
  const submissions: number[][] = [];
  Commands.prototype.run = function (this: Commands, ...launch: Parameters<typeof run>) {
    // may submit what was recorded before
    run.apply(this, launch);
    const launches = recorded.get(this) ?? [];
    recorded.set(this, launches);
    launches.push(launch[4] ?? 0);
  } as typeof run;
  Commands.prototype.submit = function (this: Commands) {
    const launches = recorded.get(this);
    if (launches) submissions.push(launches);
    recorded.delete(this);
    submit.apply(this);
  };
  return {
    submissions,
    [Symbol.dispose]: () => Object.assign(Commands.prototype, { run, submit }),
  };
}

/** Counts the queue's submissions until it is disposed. */
export function watchSubmissions(): Disposable & { readonly count: number } {
  const { submit } = GPUQueue.prototype;
  let count = 0;
  GPUQueue.prototype.submit = function (...call: Parameters<typeof submit>) {
    count++;
    return submit.apply(this, call);
  };
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => GPUQueue.prototype.submit = submit,
  };
}

/**
 * Asserts that no submission is too long but one launch alone, and no launch but one that cannot be cut.
 *
 * @param leastMs of a launch that cannot be cut
 */
export function assertShort({ submissions }: Load, leastMs: number): void {
  for (const launches of submissions) {
    const longest = Math.max(...launches);
    assert.ok(longest <= Math.max(LAUNCH_MS, leastMs) * (1 + 1e-9), `a launch of ${longest} ms`);
    const total = launches.reduce((sum, ms) => sum + ms, 0);
    assert.ok(total <= SUBMISSION_MS || launches.length === 1, `a submission of ${total} ms`);
  }
}
