/**
 * Training by stochastic gradient descent.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { cropAndFlip } from "../data/augmentation.ts";
import { type Dataset, indexSample, normalise, takeSamples } from "../data/dataset.ts";
import { createGenerator, drawPermutation, STREAMS } from "../data/random.ts";
import { NonFiniteError } from "../errors.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { layElementwise } from "./elementwise.ts";
import { checkFit } from "./fit.ts";
import { ForgettingCounter } from "./forgetting.ts";
import { computeCrossEntropy } from "./loss.ts";
import type { Network } from "./network.ts";
import type { Weights } from "./parameters.ts";
import { type Schedule, settle, type TrainingOptions } from "./training_options.ts";
import type { Tensorflow } from "./tensorflow.ts";

/** One epoch. */
export interface EpochMetrics {
  /** From 1. */
  readonly epoch: number;
  readonly learningRate: number;
  /** Mean cross-entropy over the epoch's own forward passes, in nats. */
  readonly trainLoss: number;
  /** Share of right answers, 0 to 1; null without a validation set. */
  readonly validationAccuracy: number | null;
  /** Share of right answers, 0 to 1; null without a test set. */
  readonly testAccuracy: number | null;
  /** Of the training steps, without the judging. */
  readonly seconds: number;
}

/** What training found. */
export interface TrainingResult {
  readonly epochs: readonly EpochMetrics[];
  /** Epoch whose weights were kept. */
  readonly bestEpoch: number;
  readonly weights: Weights;
  /** Learning difficulty: each sample's cross-entropy summed over the epochs (section 3.2), `[N]` f32, in nats. */
  readonly difficulty: Float32Array<ArrayBuffer>;
  /**
   * How often each sample went from right to wrong between the forward passes of one epoch and the next (Toneva et al., 2019, "An empirical
   * study of example forgetting during deep neural network learning"), `[N]` f32; `Infinity` where it was never right.
   */
  readonly forgettings: Float32Array<ArrayBuffer>;
}

/** Steps between waits for the device: they keep the host from running far ahead, and cost 12 ms in Deno. */
const STEPS_PER_WAIT = 32;

/** Images of one forward pass at most when judging. */
const JUDGE_BATCH = 512;

/**
 * Trains a network in place; afterwards it holds the last epoch's weights, and the result those that were kept.
 *
 * The same seed gives the same weights on the same adapter.
 *
 * @throws {DataError} if images or labels do not fit the network, `RangeError` if an option is out of range or a batch too large
 * for the device, `NonFiniteError` if it diverges.
 */
export async function trainNetwork(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  options: TrainingOptions = {},
): Promise<TrainingResult> {
  const settings = settle(options);
  const { epochs, momentum, schedule, seed, validation, test } = settings;
  checkFit(network, data);
  for (const set of [validation, test]) if (set !== undefined) checkFit(network, set);
  const count = data.labels.length;
  const batch = settings.batch === "full" ? count : Math.min(settings.batch, count);
  if (batch > network.batchLimit) {
    throw new RangeError(
      `Cannot train ${network.definition.name}: got batches of ${batch}, need at most ${network.batchLimit} for its largest layer on this device`,
    );
  }
  const generator = createGenerator(seed, STREAMS.order);
  const augmentation = settings.augment ? createGenerator(seed, STREAMS.augmentation) : undefined;
  const noise = createGenerator(seed, STREAMS.dropout);
  const difficulty = new Float32Array(count);
  const forgetting = new ForgettingCounter(count);
  const metrics: EpochMetrics[] = [];
  let best: { epoch: number; accuracy: number; weights: Weights } | undefined;
  const seen = {
    losses: tensorflow.gpu.createBuffer("losses", count * 4),
    logits: tensorflow.gpu.createBuffer("logits", count * network.classes * 4),
  };
  const velocities = network.variables.map(({ name, size }) =>
    tensorflow.gpu.createBuffer(`velocity of ${name}`, size * 4)
  );
  try {
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const start = performance.now();
      const learningRate = settings.learningRate * scaleLearningRate(schedule, epoch - 1, epochs);
      const order = drawPermutation(generator, count);
      for (let first = 0, step = 1; first < count; first += batch, step++) {
        const indices = order.subarray(first, Math.min(first + batch, count));
        const samples = augmentation
          ? cropAndFlip(data, indices, augmentation)
          : takeSamples(data, indices);
        takeStep(tensorflow, network, samples, noise, seen, first, velocities, {
          learning_rate: learningRate,
          momentum,
          weight_decay: settings.weightDecay,
        });
        if (step % STEPS_PER_WAIT === 0 || first + batch >= count) {
          await tensorflow.gpu.finish();
          const done = (epoch - 1) * count + first + indices.length;
          options.onProgress?.(done, epochs * count);
        }
      }
      const epochLosses = new Float32Array(await tensorflow.gpu.read(seen.losses));
      const epochLogits = new Float32Array(await tensorflow.gpu.read(seen.logits));
      const seconds = (performance.now() - start) / 1000;
      const trainLoss = epochLosses.reduce((sum, loss) => sum + loss, 0) / count;
      if (!Number.isFinite(trainLoss)) {
        throw new NonFiniteError(
          `Cannot train ${network.definition.name}: got loss ${trainLoss} in epoch ${epoch}; lower the learning rate, ${learningRate} now`,
        );
      }
      const predicted = predictLabels(epochLogits, network.classes);
      order.forEach((sample, i) => {
        difficulty[sample] += epochLosses[i];
        forgetting.add(sample, predicted[i] === data.labels[sample]);
      });
      const judge = (set?: Dataset) => set ? measureAccuracy(tensorflow, network, set) : null;
      const validationAccuracy = await judge(validation);
      const testAccuracy = await judge(test);
      metrics.push({
        epoch,
        learningRate,
        trainLoss,
        validationAccuracy,
        testAccuracy,
        seconds,
      });
      if (
        validationAccuracy === null ? epoch === epochs : !best || validationAccuracy > best.accuracy
      ) {
        best = {
          epoch,
          accuracy: validationAccuracy ?? 0,
          weights: await readFiniteWeights(network, epoch),
        };
      }
    }
  } finally {
    for (const buffer of [seen.losses, seen.logits, ...velocities]) {
      tensorflow.gpu.destroyBuffer(buffer);
    }
  }
  return {
    epochs: metrics,
    bestEpoch: best!.epoch,
    weights: best!.weights,
    difficulty,
    forgettings: forgetting.scores,
  };
}

/** Share of samples whose largest logit is their label's, 0 to 1. */
export async function measureAccuracy(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
): Promise<number> {
  const logits = await computeLogits(tensorflow, network, data);
  const predicted = predictLabels(logits, network.classes);
  const right = predicted.filter((label, n) => label === data.labels[n]);
  return right.length / data.labels.length;
}

/** The label of each sample's largest logit, the lower on a tie, `[N]`, from logits `[N, classes]`. */
function predictLabels(logits: Float32Array, classes: number): Int32Array {
  return new Int32Array(logits.length / classes).map((_, n) => {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
}

/**
 * Logits before softmax, `[N, classes]` f32, row-major.
 *
 * @throws {NonFiniteError} if one of them is not finite; the message names the sample.
 */
export async function computeLogits(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
): Promise<Float32Array<ArrayBuffer>> {
  return await passAll(tensorflow, network, data, "logit", (images) => network.logits(images));
}

/**
 * What goes into the last parametric layer: the penultimate layer's features, `[N, D]` f32, row-major.
 *
 * @throws {NonFiniteError} if one of them is not finite; the message names the sample.
 */
export async function computeFeatures(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
): Promise<Float32Array<ArrayBuffer>> {
  return await passAll(tensorflow, network, data, "feature", (images) => network.features(images));
}

/** What a forward pass gives for every sample, `[N, D]` f32; `what` names one of its numbers. */
async function passAll(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  what: string,
  pass: (images: tf.Tensor4D) => tf.Tensor2D,
): Promise<Float32Array<ArrayBuffer>> {
  checkFit(network, data);
  const count = data.labels.length;
  const batch = Math.min(JUDGE_BATCH, network.batchLimit);
  if (batch < 1) {
    throw new RangeError(
      `Cannot run ${network.definition.name}: got a layer whose output for one image is beyond the device's largest binding, need a smaller image or layer`,
    );
  }
  let all = new Float32Array();
  let width = 0;
  for (let first = 0; first < count; first += batch) {
    const samples = Math.min(batch, count - first);
    const indices = Int32Array.from({ length: samples }, (_, i) => first + i);
    const output = tf.tidy(() => pass(toImages(data, indices)));
    if (first === 0) {
      width = output.shape[1];
      all = new Float32Array(count * width);
    }
    all.set(await tensorflow.read(output), first * width);
    output.dispose();
  }
  const bad = all.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new NonFiniteError(
      `Cannot judge ${network.definition.name}: got ${what} ${all[bad]} for sample ${
        indexSample(data, Math.floor(bad / width))
      }, need finite numbers; if training led here, lower the learning rate`,
    );
  }
  return all;
}

/** Normalised images of some samples, `[B, H, W, C]`. */
export function toImages(data: Dataset, indices: ArrayLike<number>): tf.Tensor4D {
  return tf.tensor4d(normalise(data, indices), [indices.length, ...data.shape]);
}

/** The weights, which the last step may have blown up after its loss was taken. */
async function readFiniteWeights(network: Network, epoch: number): Promise<Weights> {
  const weights = await network.weights();
  for (const [name, { data }] of weights) {
    const bad = data.find((value) => !Number.isFinite(value));
    if (bad !== undefined) {
      throw new NonFiniteError(
        `Cannot train ${network.definition.name}: got ${bad} in ${name} after epoch ${epoch}; lower the learning rate`,
      );
    }
  }
  return weights;
}

/** What an epoch's own forward passes gave, in the order of its samples. */
interface Seen {
  /** `[N]`. */
  readonly losses: GPUBuffer;
  /** `[N, classes]`. */
  readonly logits: GPUBuffer;
}

/** One step of SGD on some samples, in place; their losses and logits go to `seen`, from `first` on. */
function takeStep(
  tensorflow: Tensorflow,
  network: Network,
  samples: Dataset,
  noise: RandomGenerator,
  seen: Seen,
  first: number,
  velocities: readonly GPUBuffer[],
  rates: Readonly<Record<"learning_rate" | "momentum" | "weight_decay", number>>,
): void {
  tf.tidy(() => {
    const count = samples.labels.length;
    const images = toImages(samples, samples.labels.map((_, i) => i));
    const labels = tf.tensor1d(Float32Array.from(samples.labels));
    const { variables, classes } = network;
    let logits!: tf.Tensor2D;
    const { value, grads } = tf.engine().gradients(
      () => computeCrossEntropy(logits = tf.keep(network.logits(images, noise)), labels),
      variables,
      // of the mean
      tf.fill([count], 1 / count),
      true,
    );
    const [sampleLosses, sampleLogits] = [value, logits].map((t) => tensorflow.bufferOf(t));
    // a layer that the logits do not depend on has no gradient
    const updates = variables.flatMap((variable, i) =>
      grads[i]
        ? {
          gradients: tensorflow.bufferOf(grads[i]),
          weights: tensorflow.bufferOf(variable),
          velocities: velocities[i],
          size: variable.size,
        }
        : []
    );
    tensorflow.flush();
    const commands = tensorflow.gpu.record();
    const copy = (from: GPUBuffer, to: GPUBuffer, width: number) =>
      commands.copy(from, 0, to, first * width * 4, count * width * 4);
    copy(sampleLosses, seen.losses, 1);
    copy(sampleLogits, seen.logits, classes);
    for (const { size, ...buffers } of updates) {
      const step = layElementwise(kernels.momentum_step, size);
      commands.run(step.kernel, { count: step.count, ...rates }, buffers, step.workgroups);
    }
    commands.submit();
    logits.dispose();
  });
}

/** Factor of the learning rate in an epoch, counted from 0. */
function scaleLearningRate(schedule: Schedule, epoch: number, epochs: number): number {
  if (schedule === "cosine") return (1 + Math.cos(Math.PI * epoch / epochs)) / 2;
  if (schedule === "step") return epoch < epochs / 2 ? 1 : epoch < 3 * epochs / 4 ? 0.1 : 0.01;
  return 1;
}
