/**
 * Training by stochastic gradient descent.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { cropAndFlip } from "../data/augmentation.ts";
import { type Dataset, takeSamples } from "../data/dataset.ts";
import { drawPermutation } from "../data/random.ts";
import { NonFiniteError } from "../errors.ts";
import { interruptBy, Pace } from "../gpu/pace.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { planElementwiseLaunch } from "../operations/elementwise.ts";
import { checkFit } from "../network/fit.ts";
import { computeCrossEntropy } from "../operations/loss.ts";
import { measureAccuracy, predictLabels, toImages } from "../network/inference.ts";
import type { DeviceNetwork } from "../network/network.ts";
import type { Weights } from "../network/parameters.ts";
import { identifyTraining, type Schedule, settle, type TrainingOptions } from "./options.ts";
import { Course, type EpochMetrics } from "./state.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";

/** Results of training. */
export interface TrainingResult {
  /** Measurements of every epoch, including those before the state that was resumed. */
  readonly epochs: readonly EpochMetrics[];
  /** Number of the epoch whose weights were kept, from 1. */
  readonly bestEpoch: number;
  /** Weights of that epoch, in PyTorch's layout. */
  readonly weights: Weights;
  /** Learning difficulty: each sample's cross-entropy summed over the epochs (section 3.2), `[N]` f32, in nats. */
  readonly difficulty: Float32Array<ArrayBuffer>;
  /**
   * Forgetting events: how often each sample was predicted right in one epoch's forward pass and wrong in the next's (Toneva et al., 2019, "An
   * empirical study of example forgetting during deep neural network learning"), `[N]` f32; `Infinity` where it was never right.
   */
  readonly forgettings: Float32Array<ArrayBuffer>;
}

/**
 * Trains a network in place by SGD with momentum on the mean cross-entropy of each batch. Afterwards the network holds the last epoch's
 * weights, and the result holds those that were kept.
 *
 * The same seed gives the same weights on the same adapter.
 *
 * @throws {TypeError} if an option is unknown.
 * @throws {RangeError} if an option is out of range, a batch is too large for the device, or `resume` is the state of another training.
 * @throws {DataError} if images or labels do not fit the network.
 * @throws {NonFiniteError} if training diverges.
 */
export async function trainNetwork(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options: TrainingOptions = {},
): Promise<TrainingResult> {
  const settings = settle(options);
  const { epochs, momentum, schedule, seed, validation, test, resume, onEpoch, signal } = settings;
  const report = interruptBy(settings);
  checkFit(network, data);
  for (const set of [validation, test]) if (set !== undefined) checkFit(network, set);
  const count = data.labels.length;
  const batch = settings.batch === "full" ? count : Math.min(settings.batch, count);
  if (batch > network.batchLimit) {
    throw new RangeError(
      `Cannot train ${network.definition.name}: got batches of ${batch}, need at most ${network.batchLimit} for its largest layer on this device`,
    );
  }
  const isKept = resume !== undefined || onEpoch !== undefined;
  using course = new Course(tensorflow, network, {
    count,
    seed,
    settings: isKept ? identifyTraining(network, data, settings) : undefined,
    state: resume,
  });
  const { difficulty, forgetting, generators } = course;
  const seen = {
    losses: tensorflow.gpu.createBuffer("losses", count * 4),
    logits: tensorflow.gpu.createBuffer("logits", count * network.classes * 4),
  };
  try {
    const pace = new Pace(tensorflow.gpu);
    if (resume) report?.(course.epochs.length * count, epochs * count);
    for (let epoch = course.epochs.length + 1; epoch <= epochs; epoch++) {
      const start = performance.now();
      const learningRate = settings.learningRate * scaleLearningRate(schedule, epoch - 1, epochs);
      const order = drawPermutation(generators.order, count);
      for (let first = 0; first < count; first += batch) {
        const indices = order.subarray(first, Math.min(first + batch, count));
        const samples = settings.augment
          ? cropAndFlip(data, indices, generators.augmentation)
          : takeSamples(data, indices);
        takeStep(tensorflow, network, samples, generators.dropout, seen, first, course.velocities, {
          learning_rate: learningRate,
          momentum,
          weight_decay: settings.weightDecay,
        });
        const isLast = first + batch >= count;
        if (isLast) await tensorflow.gpu.finish();
        if (isLast || await pace.step()) {
          const done = (epoch - 1) * count + first + indices.length;
          report?.(done, epochs * count);
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
      const judge = (set?: Dataset) =>
        set ? measureAccuracy(tensorflow, network, set, { signal }) : null;
      const validationAccuracy = await judge(validation);
      const testAccuracy = await judge(test);
      course.epochs.push({
        epoch,
        learningRate,
        trainLoss,
        validationAccuracy,
        testAccuracy,
        seconds,
      });
      if (
        validationAccuracy === null
          ? epoch === epochs
          : !course.best || validationAccuracy > course.best.accuracy
      ) {
        course.best = {
          epoch,
          accuracy: validationAccuracy ?? 0,
          weights: await readFiniteWeights(network, epoch),
        };
      }
      await onEpoch?.(await course.save());
    }
  } finally {
    for (const buffer of Object.values(seen)) tensorflow.gpu.destroyBuffer(buffer);
  }
  return {
    epochs: course.epochs,
    bestEpoch: course.best!.epoch,
    weights: course.best!.weights,
    difficulty,
    forgettings: forgetting.scores,
  };
}

/** Reads the weights and refuses them if they are not finite: the last step may have made them diverge after its loss was computed. */
async function readFiniteWeights(network: DeviceNetwork, epoch: number): Promise<Weights> {
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

/** Results of an epoch's own forward passes, in the order of its samples. */
interface Seen {
  /** Cross-entropy of each sample, `[N]` f32, in nats. */
  readonly losses: GPUBuffer;
  /** Logits, `[N, classes]` f32. */
  readonly logits: GPUBuffer;
}

/** Takes one step of SGD on some samples, in place; writes their losses and logits to `seen`, from the sample at index `first` on. */
function takeStep(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
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
    const { classes } = network;
    const variables = network.parameters.map(({ variable }) => variable);
    let logits!: tf.Tensor2D;
    const { value, grads } = tf.engine().gradients(
      () => computeCrossEntropy(logits = tf.keep(network.logits(images, noise)), labels),
      variables,
      // the cotangent of the mean
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
    const commands = tensorflow.gpu.record();
    const copy = (from: GPUBuffer, to: GPUBuffer, width: number) =>
      commands.copy(from, 0, to, first * width * 4, count * width * 4);
    copy(sampleLosses, seen.losses, 1);
    copy(sampleLogits, seen.logits, classes);
    for (const { size, ...buffers } of updates) {
      const step = planElementwiseLaunch(kernels.momentum_step, size);
      commands.run(step.kernel, { count: step.count, ...rates }, buffers, step.workgroups);
    }
    commands.submit();
    logits.dispose();
  });
}

/** Computes the factor of the learning rate in an epoch, counted from 0. */
function scaleLearningRate(schedule: Schedule, epoch: number, epochs: number): number {
  if (schedule === "cosine") return (1 + Math.cos(Math.PI * epoch / epochs)) / 2;
  if (schedule === "step") return epoch < epochs / 2 ? 1 : epoch < 3 * epochs / 4 ? 0.1 : 0.01;
  return 1;
}
