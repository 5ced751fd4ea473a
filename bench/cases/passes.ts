/** The small kernels of forward and backward passes and of training steps, beside the same of TensorFlow.js. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { relu } from "../../engine/operations/activation.ts";
import { maxPool } from "../../engine/operations/pooling.ts";
import { planElementwiseLaunch } from "../../engine/operations/elementwise.ts";
import { toActivations, toTensor } from "../../engine/operations/features.ts";
import { computeCrossEntropy } from "../../engine/operations/loss.ts";
import { type Bench, drawIntegers, group, readFloats, Scratch } from "../case.ts";
import { computeTensor, recordLaunches, useStockFlags } from "../contender.ts";
import { measure } from "../measure.ts";
import type { Result, Work } from "../report.ts";

/** Shape of LeNet-5's first layer, over as many images as one pass of a projection holds. */
const SHAPE: [number, number, number, number] = [256, 28, 28, 6];
const NUMBERS = SHAPE.reduce((product, size) => product * size);
const POOLED: [number, number, number, number] = [256, 14, 14, 6];
const CLASSES = 10;

/** Number of parameters of a step. */
const PARAMETERS = 2 ** 20;
const RATES = { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25 };

/** Times `relu`, `max_pool` and `cross_entropy` with their gradients, and `momentum_step`. */
export async function* benchPasses(bench: Bench): AsyncGenerator<Result> {
  yield await benchRelu(bench);
  yield await benchMaxPool(bench);
  yield await benchCrossEntropy(bench);
  yield await benchMomentumStep(bench);
}

/** Counts the bytes of f32 elements that are read and written. */
function countBytes(numbers: number): Work {
  return { speed: "gb_per_s", count: 4 * numbers, formula: "bytes read and written" };
}

async function benchRelu({ tensorflow, ...bench }: Bench): Promise<Result> {
  const x = tf.tensor4d(drawIntegers(1, NUMBERS), SHAPE);
  const dy = tf.tensor4d(drawIntegers(2, NUMBERS), SHAPE);
  const computed = `relu and its gradient, ${SHAPE.join("x")}`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: computeTensor(tensorflow, () => tf.grad((x) => toTensor(relu(toActivations(x))))(x, dy)),
    tfjs: useStockFlags(computeTensor(tensorflow, () => tf.grad((x) => tf.relu(x))(x, dy))),
  });
  tf.dispose([x, dy]);
  return { case: "passes", computed, work: countBytes(5 * NUMBERS), ours, peers };
}

async function benchMaxPool({ tensorflow, ...bench }: Bench): Promise<Result> {
  // all values differ, since TensorFlow.js gives a tie to another pixel
  const values = Float32Array.from({ length: NUMBERS }, (_, i) => i * 7919 % NUMBERS);
  const x = tf.tensor4d(values, SHAPE);
  const dy = tf.tensor4d(drawIntegers(2, POOLED.reduce((product, size) => product * size)), POOLED);
  const pool = (x: tf.Tensor) => toTensor(maxPool(toActivations(x), 2));
  const stock = (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, 2, 2, "valid");
  const computed = `2x2 maxima and their gradient, ${SHAPE.join("x")}`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: computeTensor(tensorflow, () => tf.grad(pool)(x, dy)),
    tfjs: useStockFlags(computeTensor(tensorflow, () => tf.grad(stock)(x, dy))),
  });
  tf.dispose([x, dy]);
  return { case: "passes", computed, work: countBytes(3.5 * NUMBERS), ours, peers };
}

async function benchCrossEntropy({ tensorflow, ...bench }: Bench): Promise<Result> {
  const [count] = SHAPE;
  const logits = tf.tensor2d(drawIntegers(1, count * CLASSES), [count, CLASSES]);
  const classes = Float32Array.from({ length: count }, (_, n) => n % CLASSES);
  const labels = tf.tensor1d(classes);
  const targets = tf.oneHot(tf.tensor1d(Int32Array.from(classes), "int32"), CLASSES);
  const stock = (z: tf.Tensor) => tf.neg(tf.sum(tf.mul(tf.logSoftmax(z as tf.Tensor2D), targets)));
  const own = (z: tf.Tensor) => computeCrossEntropy(z as tf.Tensor2D, labels);
  const computed = `cross-entropy and its gradient, ${count}x${CLASSES}`;
  const { ours, ...peers } = await measure(
    bench,
    computed,
    {
      ours: computeTensor(tensorflow, () => tf.grad(own)(logits, tf.ones([count]))),
      tfjs: useStockFlags(computeTensor(tensorflow, () => tf.grad(stock)(logits))),
    },
    // the exponentials are of single precision
    () => 1e-5,
  );
  tf.dispose([logits, labels, targets]);
  return { case: "passes", computed, work: countBytes(3 * count * CLASSES), ours, peers };
}

async function benchMomentumStep({ gpu, tensorflow, ...bench }: Bench): Promise<Result> {
  using scratch = new Scratch(gpu);
  const [w, v, g] = [1, 2, 3].map((seed) => drawIntegers(seed, PARAMETERS));
  const weights = scratch.upload("weights", w);
  const buffers = {
    weights,
    velocities: scratch.upload("velocities", v),
    gradients: scratch.upload("gradients", g),
  };
  const tensors = [w, v, g].map((values) => tf.tensor1d(values));
  const { learning_rate, momentum, weight_decay } = RATES;
  const step = () => {
    const [w, v, g] = tensors;
    const decayed = tf.add(g, tf.mul(w, weight_decay));
    return tf.sub(w, tf.mul(tf.add(tf.mul(v, momentum), decayed), learning_rate));
  };
  const { kernel, count, workgroups } = planElementwiseLaunch(kernels.momentum_step, PARAMETERS);
  const computed = `a step of SGD with momentum, ${group(PARAMETERS)} parameters`;
  const { ours, ...peers } = await measure({ ...bench, gpu }, computed, {
    ours: recordLaunches(
      gpu,
      (commands) => commands.run(kernel, { count, ...RATES }, buffers, workgroups),
      () => readFloats(gpu, weights),
    ),
    tfjs: useStockFlags(computeTensor(tensorflow, step)),
  });
  tf.dispose(tensors);
  return { case: "passes", computed, work: countBytes(5 * PARAMETERS), ours, peers };
}
