/**
 * Contenders: the ways to compute the same result that a case compares.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Commands } from "../engine/gpu/commands.ts";
import type { Gpu } from "../engine/gpu/device.ts";
import type { Tensorflow } from "../engine/operations/tensorflow.ts";

/** One way to compute a case's result. */
export interface Contender {
  /**
   * Computes everything `repetitions` times; it may return before the device is done.
   *
   * @returns the milliseconds that it took, where a contender in a process of its own counts them itself
   */
  run(repetitions: number): void | Promise<void | number>;
  /** Computes everything once, and returns the elements in the order that all contenders of the case share. */
  read(): Promise<ArrayLike<number>>;
}

/** The contenders of a case: ours, and its peers by name. */
export type Contenders<Name extends string> = Readonly<Record<Name, Contender>>;

/** A contender that records launches of kernels; repetitions are one submission. */
export function recordLaunches(
  gpu: Gpu,
  record: (commands: Commands) => void,
  read: () => Promise<ArrayLike<number>>,
): Contender {
  const run = (repetitions: number) => {
    const commands = gpu.record();
    for (let i = 0; i < repetitions; i++) record(commands);
    commands.submit();
  };
  return {
    run,
    read: () => {
      run(1);
      return read();
    },
  };
}

/** A contender that computes a tensor. */
export function computeTensor(tensorflow: Tensorflow, compute: () => tf.Tensor): Contender {
  return {
    run: (repetitions) => {
      for (let i = 0; i < repetitions; i++) {
        tf.tidy(() => {
          compute();
          // flushed here, since tidy would pass the memory on before the computation is submitted
          tensorflow.flush();
        });
      }
    },
    read: async () => {
      const tensor = tf.tidy(compute);
      try {
        return await tensorflow.read(tensor);
      } finally {
        tensor.dispose();
      }
    },
  };
}

/** Flags at TensorFlow.js's defaults, where the engine has set others for itself. */
const STOCK_FLAGS = { WEBGPU_MATMUL_PROGRAM_TYPE: -1, WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE: 15 };

/** Runs a contender under TensorFlow.js's default flags. */
export function useStockFlags({ run, read }: Contender): Contender {
  return {
    run: (repetitions) => withStockFlags(() => run(repetitions)),
    read: () => withStockFlags(read),
  };
}

async function withStockFlags<T>(job: () => T | Promise<T>): Promise<T> {
  const names = Object.keys(STOCK_FLAGS) as (keyof typeof STOCK_FLAGS)[];
  const before = names.map((name) => tf.env().getNumber(name));
  for (const name of names) tf.env().set(name, STOCK_FLAGS[name]);
  try {
    return await job();
  } finally {
    names.forEach((name, i) => tf.env().set(name, before[i]));
  }
}
