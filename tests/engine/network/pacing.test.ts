/** Passes on a slow device: fewer images together, and submissions that are short, the same to the last bit. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { type Dataset, takeFirst } from "../../../engine/data/dataset.ts";
import { drawDigits } from "../../../engine/data/digits.ts";
import type { CallOptions } from "../../../engine/gpu/pace.ts";
import { LAUNCH_MS, SUBMISSION_MS } from "../../../engine/gpu/rates.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import type { NetworkDefinition } from "../../../engine/network/definition.ts";
import { lenet5, resnet8Narrow } from "../../../engine/network/models.ts";
import { DeviceNetwork } from "../../../engine/network/network.ts";
import { convolve } from "../../../engine/operations/convolution.ts";
import { Tensorflow } from "../../../engine/operations/tensorflow.ts";
import { assertShort, pretendRates, watchLoad } from "../gpu/load.ts";
import { testEngine } from "../open_engine.ts";

const DATA = drawDigits("train", { size: 150 });

/** FLOP of LeNet-5's layers for one image: two for each output position, output channel and number that it sums. */
const LAYERS = [
  2 * 28 * 28 * 6 * 25,
  2 * 10 * 10 * 16 * 150,
  2 * 120 * 400,
  2 * 84 * 120,
  2 * 10 * 84,
];
const LARGEST = LAYERS[1];

/** Watches how many images every pass takes, and the FLOP of our launches from flush to flush, until it is disposed. */
function watchPasses() {
  const { computeFactors, logits } = DeviceNetwork.prototype;
  const { launch, flush } = Tensorflow.prototype;
  const passes: number[] = [];
  const flushed: number[][] = [[]];
  Object.assign(DeviceNetwork.prototype, {
    computeFactors(this: DeviceNetwork, ...call: Parameters<typeof computeFactors>) {
      passes.push(call[0].shape[0]);
      return computeFactors.apply(this, call);
    },
    logits(this: DeviceNetwork, ...call: Parameters<typeof logits>) {
      passes.push(call[0].shape[0]);
      return logits.apply(this, call);
    },
  });
  Object.assign(Tensorflow.prototype, {
    launch(this: Tensorflow, ...call: Parameters<typeof launch>) {
      launch.apply(this, call);
      flushed.at(-1)!.push(call[4] ?? 0);
    },
    flush(this: Tensorflow) {
      flushed.push([]);
      flush.apply(this);
    },
  });
  return {
    passes,
    flushed,
    [Symbol.dispose]() {
      Object.assign(DeviceNetwork.prototype, { computeFactors, logits });
      Object.assign(Tensorflow.prototype, { launch, flush });
    },
  };
}

testEngine(
  "a slow device passes fewer images at once, in short submissions, with the same result",
  async (engine, gpu) => {
    using network = engine.network(lenet5, { seed: 1, classes: 10 });
    const compute = async () => {
      using rows = await engine.project(network, DATA);
      return [await computeGram(rows), await engine.logits(network, DATA)];
    };
    const whole = await compute();
    // the largest layer of so many images is one launch
    for (const images of [70, 20]) {
      const convolutions = images * LARGEST / LAUNCH_MS;
      using _ = pretendRates(gpu, { convolutions, reads: Infinity });
      using watch = watchPasses();
      assert.ok(isDeepStrictEqual(await compute(), whole), `${images} images`);
      // whole panels, or a panel in equal parts, in a projection; as many as there may be in inference
      const batch = images === 70 ? 64 : 16;
      assert.deepEqual(watch.passes.slice(0, 3), [batch, batch, Math.min(batch, 150 - 2 * batch)]);
      assert.equal(Math.max(...watch.passes), images);
      for (const launches of watch.flushed) {
        const times = launches.map((flops) => flops / convolutions);
        assert.ok(times.every((ms) => ms <= LAUNCH_MS * (1 + 1e-9)), `${times}`);
        assert.ok(times.reduce((sum, ms) => sum + ms, 0) <= SUBMISSION_MS, `${times}`);
      }
      // forward twice, and back to what the first layer gives
      const flops = watch.flushed.flat().reduce((sum, flops) => sum + flops, 0);
      const [first, ...others] = LAYERS;
      assert.equal(flops, 150 * (2 * first + 3 * others.reduce((sum, flops) => sum + flops, 0)));
    }
  },
);

testEngine("no pass is repeated for the slices of long rows", async (engine, gpu) => {
  const filters = 64;
  const long: NetworkDefinition = {
    name: "long",
    forward(layers, images) {
      let x = layers.maxPool(images, 4);
      for (let i = 0; i < 4; i++) {
        x = layers.relu(layers.convolution(`conv${i}`, x, { filters, size: 3, pad: 1 }));
      }
      return layers.dense("fc", layers.globalAverage(x), layers.classes);
    },
  };
  using network = engine.network(long, { seed: 1, classes: 10 });
  const data = takeFirst(DATA, 70);
  const { rows: { sliceCount } } = await engine.estimate(network, { count: 70 });
  assert.ok(sliceCount > 1, "rows in one piece");
  const compute = async () => {
    using rows = await engine.project(network, data);
    return await computeGram(rows);
  };
  const whole = await compute();
  const flops = 2 * 7 * 7 * filters * 9 * filters;
  using _ = pretendRates(gpu, { convolutions: 20 * flops / LAUNCH_MS });
  using watch = watchPasses();
  assert.ok(isDeepStrictEqual(await compute(), whole));
  assert.deepEqual(watch.passes, [16, 16, 16, 16, 6]);
});

testEngine(
  "rows of a network whose packing takes several submissions are those of its own pass",
  async (engine, gpu) => {
    const filters = 4;
    const deep: NetworkDefinition = {
      name: "deep",
      forward(layers, images) {
        let x = images;
        for (let i = 0; i < 9; i++) {
          x = layers.relu(layers.convolution(`conv${i}`, x, { filters, size: 3, pad: 1 }));
        }
        return layers.dense("fc", layers.flatten(layers.maxPool(x, 7)), layers.classes);
      },
    };
    using network = engine.network(deep, { seed: 1, classes: 10 });
    const others = drawDigits("test", { size: DATA.labels.length });
    const compute = async (data: Dataset) => {
      using rows = await engine.project(network, data);
      return await computeGram(rows);
    };
    const whole = await compute(DATA);
    const flops = 2 * 28 * 28 * filters * 9 * filters;
    // the layers of 64 images take a launch each
    using _ = pretendRates(gpu, { convolutions: 64 * flops / LAUNCH_MS });
    // memory that is used again then holds the factors of other samples
    await compute(others);
    using load = watchLoad();
    assert.ok(isDeepStrictEqual(await compute(DATA), whole));
    const packings = load.submissions.filter((launches) => launches.length > 1);
    assert.ok(packings.length > Math.ceil(DATA.labels.length / 64), `${packings.length}`);
    assertShort(load, LAUNCH_MS);
  },
);

testEngine("filters of a sketch are cut, and the same", async (engine, gpu) => {
  const sketch = { dimension: 2000, seed: 1 };
  using network = engine.network(lenet5, { seed: 1, classes: 10 });
  const compute = async () => {
    using rows = await engine.project(network, takeFirst(DATA, 40), { sketch });
    return await computeGram(rows);
  };
  const whole = await compute();
  const convolutions = 20 * LARGEST / LAUNCH_MS;
  using _ = pretendRates(gpu, { convolutions, reads: Infinity });
  using watch = watchPasses();
  assert.ok(isDeepStrictEqual(await compute(), whole));
  const times = watch.flushed.flat().map((flops) => flops / convolutions);
  assert.ok(times.every((ms) => ms <= LAUNCH_MS * (1 + 1e-9)), `${Math.max(...times)}`);
});

testEngine("rows that are computed anew are ended after a pass", async (engine, gpu) => {
  using network = engine.network(lenet5, { seed: 1, classes: 10 });
  const project = (options: CallOptions) =>
    engine.project(network, DATA, { ...options, residence: "recomputed", tileRows: 64 });
  // four passes for a panel
  using _ = pretendRates(gpu, { convolutions: 20 * LARGEST / LAUNCH_MS });
  using rows = await project({});
  const whole = await computeGram(rows);
  const reason = new Error("no longer wanted");
  for (
    const job of [project, (options: CallOptions) => computeGram(rows, rows, options)]
  ) {
    using watch = watchPasses();
    const stop = new AbortController();
    const onProgress = () => stop.abort(reason);
    await assert.rejects(job({ signal: stop.signal, onProgress }), reason);
    assert.deepEqual(watch.passes, [16]);
  }
  assert.ok(isDeepStrictEqual(await computeGram(rows), whole));
});

testEngine("the buffer of a tensor holds its values for what is submitted next", async (_, gpu) => {
  const [ones, twos] = [tf.ones([5]), tf.fill([5], 2)];
  const sum = tf.add(ones, twos);
  const numbers = new Float32Array(await gpu.read(Tensorflow.current.bufferOf(sum), 4 * 5));
  assert.deepEqual([...numbers], [3, 3, 3, 3, 3]);
  tf.dispose([ones, twos, sum]);
});

testEngine("launches of TensorFlow.js's own count by what they read and write", (_, gpu) => {
  // an addition reads and writes 12 bytes a number, 60 ms each
  using __ = pretendRates(gpu, { reads: 12 * 1000 / 60 });
  const numbers = tf.ones([1000]);
  Tensorflow.current.flush();
  using watch = watchPasses();
  tf.tidy(() => {
    let sum: tf.Tensor = numbers;
    for (let i = 0; i < 10; i++) sum = tf.add(sum, numbers);
  });
  // before the fourth, the seventh and the tenth
  assert.equal(watch.flushed.length, 1 + 3);
  numbers.dispose();
  return Promise.resolve();
});

testEngine("copies of operands to textures count", (_, gpu) => {
  const images = tf.ones<tf.Rank.R4>([2, 8, 8, 5]);
  const filter = tf.ones<tf.Rank.R4>([3, 3, 5, 7]);
  const numbers = images.size + filter.size + 2 * 6 * 6 * 7;
  const { operandStorage } = gpu;
  const [plain, copied] = (["buffer", "texture"] as const).map((storage) => {
    gpu.operandStorage = storage;
    // a convolution reads and writes its tensors in some 60 ms; copies of its images alone take 52 more, so that no two fit a submission
    using __ = pretendRates(gpu, { reads: 4 * numbers / 60, convolutions: Infinity });
    Tensorflow.current.flush();
    using watch = watchPasses();
    tf.tidy(() => {
      for (let i = 0; i < 12; i++) convolve(images, filter, undefined, { stride: 1, pad: 0 });
    });
    return watch.flushed.length - 1;
  });
  gpu.operandStorage = operandStorage;
  tf.dispose([images, filter]);
  assert.ok(plain < 11 && copied >= 11, `${plain} and ${copied}`);
  return Promise.resolve();
});

testEngine("passes of LeNet-5 and resnet8_narrow are whole at 10 GFLOP/s", (engine, gpu) => {
  // Mesa's CPU driver reaches 15 to 22 on two cores
  using _ = pretendRates(gpu, { convolutions: 10e6 });
  using lenet = engine.network(lenet5, { seed: 1, classes: 10 });
  using resnet = engine.network(resnet8Narrow, { seed: 1, classes: 10 }, [32, 32, 3]);
  for (const network of [lenet, resnet]) {
    assert(network instanceof DeviceNetwork);
    assert.ok(network.timelyBatch >= 256, `${network.definition.name}: ${network.timelyBatch}`);
  }
  return Promise.resolve();
});
