/** Training LeNet-5. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { takeFirst } from "../../engine/data/dataset.ts";
import { loadDataset } from "../../engine/data/named.ts";
import { lenet5 } from "../../engine/network/models.ts";
import { toImages } from "../../engine/network/inference.ts";
import { type Bench, group } from "../case.ts";
import { type Contender, type Contenders, useStockFlags } from "../contender.ts";
import { measure } from "../measure.ts";
import { startPytorch, writeSamples } from "../peers/pytorch.ts";
import type { Result } from "../report.ts";
import { StockLenet5 } from "../stock_lenet5.ts";

const BATCH = 128;
/** Number of images: so many that the beginning and end of an epoch count as little as with MNIST's 60,000. */
const IMAGES = 30 * BATCH;
const QUICK_IMAGES = 4 * BATCH;
const RATES = { learningRate: 0.01, momentum: 0.9 };

/** Largest difference of the losses that passes: as for logits beside PyTorch's in the tests. */
const LOSS_ERROR = 1e-4;

/**
 * Times an epoch of training beside the same network of TensorFlow.js's own operations, which is handed its images on the device, and beside PyTorch.
 *
 * The first losses are compared. The weights cannot be: on lavapipe TensorFlow.js's filter gradient of 128 such images is wrong, since
 * its loops are longer than the driver lets them run.
 */
export async function* benchTrain(bench: Bench): AsyncGenerator<Result> {
  const { engine, tensorflow } = bench;
  const count = bench.quick ? QUICK_IMAGES : IMAGES;
  const data = await loadDataset("digits", "train", { size: count });
  using network = engine.network(lenet5, { seed: 0, classes: data.classes });
  const weights = await network.weights();
  using stock = new StockLenet5(weights, RATES.learningRate, RATES.momentum);
  const batches = Array.from({ length: count / BATCH }, (_, i) => {
    const indices = Int32Array.from({ length: BATCH }, (_, n) => i * BATCH + n);
    const labels = indices.map((index) => data.labels[index]);
    const targets = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, "int32"), data.classes));
    return { images: toImages(data, indices), targets: targets as tf.Tensor2D };
  });
  const ours: Contender = {
    run: async (epochs) => {
      await engine.train(network, data, { epochs, batch: BATCH, ...RATES });
    },
    read: async () => {
      using fresh = engine.network(lenet5, weights);
      const { difficulty } = await engine.train(fresh, takeFirst(data, BATCH), { epochs: 1 });
      return difficulty;
    },
  };
  const tfjs: Contender = {
    run: (epochs) => {
      for (let epoch = 0; epoch < epochs; epoch++) {
        for (const { images, targets } of batches) tf.tidy(() => stock.step(images, targets));
      }
      tensorflow.flush();
    },
    read: async () => {
      const losses = tf.tidy(() => stock.losses(batches[0].images, batches[0].targets));
      const values = await tensorflow.read(losses);
      losses.dispose();
      return values;
    },
  };
  const computed = `LeNet-5, an epoch of ${group(count)} images in batches of ${BATCH}`;
  await using folder = await writeSamples(weights, data);
  const rates = [RATES.learningRate, RATES.momentum].map(String);
  const args = [folder.path, String(BATCH), ...rates];
  await using pytorch = await startPytorch(bench, "train_torch.py", args);
  const { ours: own, ...peers } = await measure(
    bench,
    computed,
    { ours, tfjs: useStockFlags(tfjs), ...pytorch && { pytorch } } as Contenders<
      "ours" | "tfjs" | "pytorch"
    >,
    () => LOSS_ERROR,
  );
  tf.dispose(batches.map(({ images, targets }) => [images, targets]));
  const work = { speed: "images_per_s", count, formula: "steps, images and all" } as const;
  yield { case: "train", computed, work, ours: own, peers };
}
