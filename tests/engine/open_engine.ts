/** One engine a file for the tests that run networks, and kernels by one call. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Dataset } from "../../engine/data/dataset.ts";
import { Engine } from "../../engine/engine.ts";
import type { Gpu } from "../../engine/gpu/device.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import type { ConvolutionForm } from "../../engine/rows/layout.ts";
import type { Seeds } from "../../engine/rows/projector.ts";
import { openTunedGpu } from "../../engine/tuning/open.ts";
import type { Network } from "../../engine/network/network.ts";
import { Tensorflow } from "../../engine/operations/tensorflow.ts";

let opened: Promise<{ gpu: Gpu; engine: Engine }> | undefined;

Deno.test.afterAll(async () => (await opened)?.engine.dispose());

/** An engine whose device can be asked what is alive; `openEngine` keeps it to itself. */
async function openEngine() {
  const gpu = await openTunedGpu();
  gpu.record(); // the first recording makes the parameter buffer, which stays
  return { gpu, engine: new Engine(gpu, await Tensorflow.bind(gpu)) };
}

/** Registers a test on the file's engine; it fails when a buffer or a tensor is left alive, or the device reports an error. */
export function testEngine(name: string, run: (engine: Engine) => Promise<void>): void {
  Deno.test(name, async () => {
    const { gpu, engine } = await (opened ??= openEngine());
    const before = { buffers: gpu.liveBuffers, tensors: tf.memory().numTensors };
    await run(engine);
    await gpu.finish();
    const after = { buffers: gpu.liveBuffers, tensors: tf.memory().numTensors };
    assert.deepEqual(after, before, "alive after the test");
  });
}

/** What a kernel is of. */
export interface KernelOptions {
  readonly seeds?: Seeds;
  readonly others?: Dataset;
  readonly layers?: readonly string[];
  readonly convolutions?: ConvolutionForm;
}

/** The kernel of one data set with itself, or with another, `[N, N']` f32. */
export async function kernelOf(
  engine: Engine,
  network: Network,
  data: Dataset,
  { others, ...options }: KernelOptions = {},
): Promise<Float32Array> {
  using rows = await engine.project(network, data, options);
  if (!others) return await computeGram(rows);
  using columns = await engine.project(network, others, options);
  return await computeGram(rows, columns);
}

/** The eNTK of one data set with itself, or with another, `[N, N', C, C]` f32. */
export async function entkOf(
  engine: Engine,
  network: Network,
  data: Dataset,
  others?: Dataset,
  layers?: readonly string[],
): Promise<Float32Array> {
  using rows = await engine.project(network, data, { seeds: "entk", layers });
  if (!others) return await computeEntk(rows);
  using columns = await engine.project(network, others, { seeds: "entk", layers });
  return await computeEntk(rows, columns);
}
