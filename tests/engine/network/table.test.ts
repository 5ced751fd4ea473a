/** Samples that are numbers as they are, and rows of tables, through the engine. @module */
import assert from "node:assert/strict";
import { createDataset, type Dataset, normalise } from "../../../engine/data/dataset.ts";
import { drawDigits } from "../../../engine/data/digits.ts";
import { lenet5, mlp, resnet8 } from "../../../engine/network/models.ts";
import { kernelOf, testEngine } from "../open_engine.ts";

const DIGITS = drawDigits("train", { size: 7 });

/** The same digits, normalised beforehand. */
const FLOATS: Dataset = createDataset({
  ...DIGITS,
  images: normalise(DIGITS, DIGITS.labels.keys().toArray()),
  mean: [0],
  std: [1],
});

/** The same numbers as rows of a table. */
const TABLE: Dataset = createDataset({ ...FLOATS, shape: [1, 1, 784] });

testEngine(
  "bytes, floats and rows of a table of the same numbers have the same kernel and train alike",
  async (engine) => {
    const kernels: Float32Array[] = [];
    const losses: unknown[] = [];
    for (const data of [DIGITS, FLOATS, TABLE]) {
      using network = engine.network(mlp, { seed: 3, classes: 10 }, data.shape);
      kernels.push(await kernelOf(engine, network, data));
      const { difficulty } = await engine.train(network, data, { epochs: 2, batch: 4 });
      losses.push(difficulty);
    }
    assert.deepEqual(kernels[1], kernels[0]);
    assert.deepEqual(kernels[2], kernels[0]);
    assert.deepEqual(losses[1], losses[0]);
    assert.deepEqual(losses[2], losses[0]);
    assert.ok(
      kernels[0].every((value) => Number.isFinite(value)) &&
        kernels[0].some((value) => value !== 0),
    );
  },
);

testEngine(
  "convolutions over a table and its augmentation are refused, with what to do",
  async (engine) => {
    for (const definition of [lenet5, resnet8]) {
      assert.throws(() => engine.network(definition, { seed: 0, classes: 10 }, TABLE.shape), {
        name: "LayerError",
        message:
          "Cannot use layer 'conv1': got a table of 784 columns, need pictures for a convolution; use a network of dense layers, such as mlp",
      });
    }
    using network = engine.network(mlp, { seed: 0, classes: 10 }, TABLE.shape);
    await assert.rejects(engine.train(network, TABLE, { augment: true }), {
      name: "DataError",
      message: /^Cannot augment digits: got a table of 784 columns, need pictures/,
    });
  },
);
