/** Memory of passes whose widest tensors are no layer's outputs. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { NetworkDefinition } from "../../../engine/network/definition.ts";
import { DeviceNetwork } from "../../../engine/network/network.ts";
import { planPass } from "../../../engine/rows/job.ts";
import { testEngine } from "../open_engine.ts";

/** Attention over the pixels: its matrix has as many rows and columns as an image has pixels, and its layers' outputs are short. */
const attention: NetworkDefinition = {
  name: "attention",
  forward(layers, images) {
    const [, height, width] = images.shape;
    const tokens = layers.dense("embed", layers.reshape(images, [height * width, 1]), 2);
    const scores = layers.matmul(tokens, layers.transpose(tokens, [2, 1]));
    const mixed = layers.matmul(layers.softmax(scores), tokens);
    return layers.dense("head", layers.mean(mixed, [1]) as never, layers.classes);
  },
};

testEngine("a pass takes as many samples as its widest tensor leaves room for", async (engine) => {
  const side = 34;
  using network = engine.network(attention, { seed: 1, classes: 3 }, [side, side, 1]);
  assert(network instanceof DeviceNetwork);
  const { maxStorageBufferBindingSize: bytes } = engine.limits;
  assert.equal(network.tensorSizes.largest, side ** 4);
  assert.equal(network.batchLimit, Math.floor(bytes / (4 * side ** 4)));
  const binding = { bytes: 4 * 5 * side ** 4, lines: 1, panels: 1 };
  const { layers, tensorSizes: tensors } = network;
  assert.equal(planPass({ layers, tensors, longest: 0, binding }).batch, 4);
  await Promise.resolve();
});

testEngine("a pass takes no more memory than its plan says", async (engine) => {
  const side = 16;
  using network = engine.network(attention, { seed: 1, classes: 3 }, [side, side, 1]);
  assert(network instanceof DeviceNetwork);
  const { layers, tensorSizes: tensors } = network;
  const samples = 8;
  const binding = { bytes: engine.limits.maxStorageBufferBindingSize, lines: 1, panels: 1 };
  const plan = planPass({ layers, tensors, longest: 0, binding, most: samples });
  const allocated = () => {
    const { numBytesAllocatedInGPU } = tf.memory() as tf.MemoryInfo & {
      numBytesAllocatedInGPU: number;
    };
    return numBytesAllocatedInGPU;
  };
  const before = allocated();
  const images = tf.zeros<tf.Rank.R4>([samples, side, side, 1]);
  const cotangents = tf.ones<tf.Rank.R2>([samples, 3]);
  const factors = network.computeFactors(images, cotangents, layers);
  const took = allocated() - before;
  tf.dispose([images, cotangents, ...factors.flatMap(({ input, delta }) => [input!, delta])]);
  assert.ok(took <= plan.bytes, `${took} of ${plan.bytes} bytes`);
  const { bytes } = planPass({ layers, longest: 0, binding, most: samples });
  assert.ok(took > 4 * bytes, "layers alone tell little");
  await Promise.resolve();
});

testEngine("what an operation gives for one sample has to be bindable", async (engine) => {
  const tokens = Math.floor(Math.sqrt(engine.limits.maxStorageBufferBindingSize / 4)) + 1;
  assert.throws(() => engine.network(attention, { seed: 1, classes: 3 }, [1, tokens, 1]), {
    name: "DataError",
    message: RegExp(
      `^Cannot run attention over one sample: got a tensor \\[1, ${tokens}, ${tokens}\\] of ${
        tokens ** 2
      } numbers, need at most \\d+ on this device; a smaller image or layer has fewer$`,
    ),
  });
  await Promise.resolve();
});
