/** Tools of the tests that run networks: one engine a file, and kernels by one call. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Dataset } from "../../engine/data/dataset.ts";
import { bindEngine, type Engine } from "../../engine/engine.ts";
import type { Gpu } from "../../engine/gpu/device.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import type { ConvolutionForm } from "../../engine/rows/layout.ts";
import type { KernelKind } from "../../engine/rows/rows.ts";
import { openTunedGpu } from "../../engine/tuning/open.ts";
import type { Network, ParameterChoice } from "../../engine/network/network.ts";

let opened: Promise<{ gpu: Gpu; engine: Engine }> | undefined;

Deno.test.afterAll(async () => (await opened)?.engine.dispose());

/** Bindings that every device has, so that rows are cut alike wherever the tests run. */
const LOWERED = { limits: { maxStorageBufferBindingSize: 128 * 2 ** 20 } };

/** Opens an engine whose device can be asked which buffers are alive; the library's `openEngine` keeps the device to itself. */
async function openEngine() {
  const gpu = await openTunedGpu(LOWERED);
  gpu.record(); // the first recording makes the parameter buffer, which stays
  return { gpu, engine: await bindEngine(gpu) };
}

/** Registers a test on the file's engine; it fails when a buffer or a tensor is left alive, or the device reports an error. */
export function testEngine(name: string, run: (engine: Engine, gpu: Gpu) => Promise<void>): void {
  Deno.test(name, async () => {
    const { gpu, engine } = await (opened ??= openEngine());
    const before = { buffers: gpu.liveBuffers, tensors: tf.memory().numTensors };
    await run(engine, gpu);
    await gpu.finish();
    const after = { buffers: gpu.liveBuffers, tensors: tf.memory().numTensors };
    assert.deepEqual(after, before, "alive after the test");
  });
}

/** Options of a kernel. */
export interface KernelOptions {
  readonly kind?: KernelKind;
  readonly others?: Dataset;
  readonly layers?: readonly string[];
  readonly parameters?: ParameterChoice;
  readonly convolutions?: ConvolutionForm;
}

/** Computes the kernel of one data set with itself, or with another, `[N, N']` f32. */
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

/** Computes the eNTK of one data set with itself, or with another, `[N, N', C, C]` f32. */
export async function entkOf(
  engine: Engine,
  network: Network,
  data: Dataset,
  others?: Dataset,
  layers?: readonly string[],
): Promise<Float32Array> {
  using rows = await engine.project(network, data, { kind: "entk", layers });
  if (!others) return await computeEntk(rows);
  using columns = await engine.project(network, others, { kind: "entk", layers });
  return await computeEntk(rows, columns);
}
