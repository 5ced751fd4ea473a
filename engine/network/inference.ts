/**
 * Forward passes over whole data sets: logits, features, accuracy.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { type Dataset, indexSample, normalise } from "../data/dataset.ts";
import { NonFiniteError } from "../errors.ts";
import { type CallOptions, interruptWith, type OnProgress } from "../gpu/pace.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { checkFit } from "./fit.ts";
import type { DeviceNetwork } from "./network.ts";

/** Largest number of images in one forward pass. */
const BATCH = 512;

/** Measures the share of samples whose largest logit is their label's, 0 to 1. */
export async function measureAccuracy(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options?: CallOptions,
): Promise<number> {
  const logits = await computeLogits(tensorflow, network, data, options);
  const predicted = predictLabels(logits, network.classes);
  const right = predicted.filter((label, n) => label === data.labels[n]);
  return right.length / data.labels.length;
}

/** Predicts labels `[N]` from logits `[N, classes]`: the class of each sample's largest logit, the lower on a tie. */
export function predictLabels(logits: Float32Array, classes: number): Int32Array {
  return new Int32Array(logits.length / classes).map((_, n) => {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
}

/**
 * Computes logits before softmax, `[N, classes]` f32, row-major.
 *
 * @throws {NonFiniteError} if one of them is not finite; the message names the sample.
 */
export async function computeLogits(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options: CallOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  const report = interruptWith("compute logits", options);
  const pass = (images: tf.Tensor4D) => network.logits(images);
  return await passAll(tensorflow, network, data, "logit", pass, report);
}

/**
 * Computes the penultimate layer's features, the inputs of the last layer with parameters, `[N, D]` f32, row-major.
 *
 * @throws {NonFiniteError} if one of them is not finite; the message names the sample.
 */
export async function computeFeatures(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options: CallOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  const report = interruptWith("compute features", options);
  const pass = (images: tf.Tensor4D) => network.features(images);
  return await passAll(tensorflow, network, data, "feature", pass, report);
}

/** Runs forward passes over all samples and returns their outputs, `[N, D]` f32; `what` names an output in errors. */
async function passAll(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  what: string,
  pass: (images: tf.Tensor4D) => tf.Tensor2D,
  onProgress?: OnProgress,
): Promise<Float32Array<ArrayBuffer>> {
  checkFit(network, data);
  const count = data.labels.length;
  const batch = Math.min(BATCH, network.batchLimit, network.timelyBatch);
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
    onProgress?.(first + samples, count);
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

/** Makes a tensor of some samples' normalised images, `[B, H, W, C]` f32. */
export function toImages(data: Dataset, indices: ArrayLike<number>): tf.Tensor4D {
  return tf.tensor4d(normalise(data, indices), [indices.length, ...data.shape]);
}
