/**
 * Progress bars on standard error.
 *
 * @module
 */
// @ts-types="npm:@types/cli-progress@3.11.6"
import { Presets, SingleBar } from "npm:cli-progress@3.12.0";
import type { OnProgress } from "../mod.ts";

/** A bar appears only when a job takes longer. */
const DELAY_MS = 1000;

/**
 * Runs a job with a progress bar that shows rate and time left. There is none when standard error is no terminal, or the job ends within
 * a second.
 *
 * @param label of the job, for example `training`
 * @param unit of what is counted, for example `images`
 */
export async function withProgress<T>(
  label: string,
  unit: string,
  job: (onProgress: OnProgress) => Promise<T>,
): Promise<T> {
  if (!Deno.stderr.isTerminal()) return await job(() => {});
  const format = `${label} {bar} {percentage}% | {value}/{total} ${unit} | {rate} ${unit}/s | ` +
    "{left} left";
  const bar = new SingleBar({ format, hideCursor: true, clearOnComplete: true }, Presets.rect);
  const start = performance.now();
  let shown = false;
  try {
    return await job((done, total) => {
      const elapsed = performance.now() - start;
      const state = {
        rate: formatRate(done / elapsed * 1000),
        left: formatTime((total - done) * elapsed / done),
      };
      if (shown) bar.update(done, state);
      else if (elapsed > DELAY_MS && done < total) {
        bar.start(total, done, state);
        shown = true;
      }
    });
  } finally {
    if (shown) bar.stop();
  }
}

/** Three digits of a rate, without an exponent. */
function formatRate(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3);
}

/** Minutes and seconds. */
function formatTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
