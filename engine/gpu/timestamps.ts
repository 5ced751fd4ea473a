/**
 * Timestamps of the device at the beginning and the end of every compute pass.
 *
 * @module
 */
import type { PassClock } from "./commands.ts";
import type { Gpu } from "./device.ts";

/** Number of timestamps in the query set, the most that WebGPU allows. */
const CAPACITY = 4096;

const TIMESTAMP_BYTES = 8;

/** Query set for the timestamps of up to 2,048 passes. */
export class Timestamps implements PassClock, Disposable {
  readonly #set: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  #passes = 0;

  /** @param gpu device with the feature `timestamp-query` */
  constructor(private readonly gpu: Gpu) {
    this.#set = gpu.device.createQuerySet({
      label: "timestamps",
      type: "timestamp",
      count: CAPACITY,
    });
    this.#resolved = gpu.device.createBuffer({
      label: "timestamps",
      size: CAPACITY * TIMESTAMP_BYTES,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** Returns the two timestamp queries of the next pass, or undefined once all are taken. */
  next(): GPUComputePassTimestampWrites | undefined {
    const first = 2 * this.#passes++;
    if (first + 2 > CAPACITY) return undefined;
    return {
      querySet: this.#set,
      beginningOfPassWriteIndex: first,
      endOfPassWriteIndex: first + 1,
    };
  }

  /**
   * Sums the durations of all passes since the last call, in milliseconds if timestamps count nanoseconds.
   *
   * @returns the sum, or undefined if there were no passes, or more than the query set holds
   */
  async read(): Promise<number | undefined> {
    const passes = this.#passes;
    this.#passes = 0;
    if (passes === 0 || 2 * passes > CAPACITY) return undefined;
    const encoder = this.gpu.device.createCommandEncoder({ label: "timestamps" });
    encoder.resolveQuerySet(this.#set, 0, 2 * passes, this.#resolved, 0);
    this.gpu.device.queue.submit([encoder.finish()]);
    const bytes = await this.gpu.read(this.#resolved, 2 * passes * TIMESTAMP_BYTES);
    const times = new BigUint64Array(bytes);
    let nanoseconds = 0n;
    for (let i = 0; i < times.length; i += 2) nanoseconds += times[i + 1] - times[i];
    return Number(nanoseconds) / 1e6;
  }

  [Symbol.dispose](): void {
    this.#set.destroy();
    this.#resolved.destroy();
  }
}
