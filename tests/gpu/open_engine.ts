/** One engine a file for the tests that run networks, and kernels by one call. @module */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { type Dataset, takeSamples } from "../../engine/data/dataset.ts";
import { Engine } from "../../engine/engine.ts";
import { Gpu } from "../../engine/gpu/device.ts";
import { chooseStaged } from "../../engine/kernel/staged_operands.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import type { Seeds } from "../../engine/kernel/projection.ts";
import type { Network } from "../../engine/network/network.ts";
import { Tensorflow } from "../../engine/network/tensorflow.ts";

let opened: Promise<{ gpu: Gpu; engine: Engine }> | undefined;

Deno.test.afterAll(async () => (await opened)?.engine.dispose());

/** An engine whose device can be asked what is alive; `openEngine` keeps it to itself. */
async function openEngine() {
  const gpu = await Gpu.open();
  await chooseStaged(gpu);
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

/** The kernel of one data set with itself, or with another, `[N, N']` f32. */
export async function kernelOf(
  engine: Engine,
  network: Network,
  data: Dataset,
  { seeds, others }: { seeds?: Seeds; others?: Dataset } = {},
): Promise<Float32Array> {
  using rows = await engine.project(network, data, { seeds });
  if (!others) return await computeGram(rows);
  using columns = await engine.project(network, others, { seeds });
  return await computeGram(rows, columns);
}

/** The eNTK of a data set with itself, `[N, N, C, C]` f32: every sample once for each class, with one-hot seeds. */
export async function entkOf(
  engine: Engine,
  network: Network,
  data: Dataset,
): Promise<Float32Array> {
  const { classes } = network;
  const rows = data.labels.length * classes;
  const places = Array.from({ length: rows }, (_, i) => Math.floor(i / classes));
  const seeds = new Float32Array(rows * classes);
  for (let i = 0; i < rows; i++) seeds[i * classes + i % classes] = 1;
  const matrix = await kernelOf(engine, network, takeSamples(data, places), { seeds });
  const entk = new Float32Array(rows * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < rows; column++) {
      const pair = places[row] * data.labels.length + places[column];
      const at = (pair * classes + row % classes) * classes + column % classes;
      entk[at] = matrix[row * rows + column];
    }
  }
  return entk;
}
