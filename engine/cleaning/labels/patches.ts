/**
 * A network that is made from the pictures themselves: its filters are whitened patches of them, and nothing of it is trained.
 *
 * @module
 */
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import { type Dataset, normalise } from "../../data/dataset.ts";
import { createGenerator, STREAMS } from "../../data/random.ts";
import type { NetworkDefinition } from "../../network/definition.ts";
import type { Weights } from "../../network/parameters.ts";
import { invert } from "./kernel_regression.ts";

/** Number of patches that become filters; each is used with either sign. */
const FILTERS = 256;

/** Number of patches that their covariance is estimated from. */
const PATCHES = 5000;

/** Height and width of a patch. */
const SIDE = 6;

/** Most numbers in a patch: those of many channels have a smaller side. */
const MOST_INPUTS = 256;

/** Least step between neighbouring positions of the filters. */
const LEAST_STRIDE = 2;

/** Most positions of the filters along the shorter axis of a picture; larger pictures take larger steps. */
const MOST_POSITIONS = 16;

/** Pooled positions along either axis of a picture; a few more where the axis cannot be divided so. */
const POOLED = 4;

/** Part of the mean variance of a pixel that is added to each, so that directions without variance are not blown up. */
const SHRINKAGE = 0.1;

/** Response of a filter, in its standard deviations, below which it is taken as 0. */
const THRESHOLD = 0.5;

/** A definition with its weights. */
export interface PatchNetwork {
  readonly definition: NetworkDefinition;
  readonly weights: Weights;
}

/**
 * Makes a network for the pictures of a data set (Coates & Ng, 2012, "Learning feature representations with k-means", with patches drawn at
 * random in place of means): responses of whitened patches beyond half their standard deviation, averaged over a grid of 4 x 4 regions, and a
 * dense layer of zeros.
 *
 * With the covariance S of patches p, less the mean of their own pixels, and their mean m, a filter is `A (p - m)` with `A = (S + shrinkage)^-1`:
 * the product of two whitened patches. It is scaled so that its responses have variance 1. Its sum is 0, since that of every patch is.
 */
export function createPatchNetwork(data: Dataset, seed: number): PatchNetwork {
  const [height, width, channels] = data.shape;
  const side = Math.max(
    1,
    Math.min(SIDE, height, width, Math.floor(Math.sqrt(MOST_INPUTS / channels))),
  );
  const stride = Math.max(
    LEAST_STRIDE,
    Math.ceil((Math.min(height, width) - side) / MOST_POSITIONS),
  );
  const inputs = side * side * channels;
  const patches = drawPatches(data, side, seed);
  const { mean, covariance } = measure(patches, inputs);
  const inverse = shrinkAndInvert(covariance, inputs);
  const weight = new Float32Array(2 * FILTERS * inputs);
  const bias = new Float32Array(2 * FILTERS);
  for (let filter = 0; filter < FILTERS; filter++) {
    const patch = patches.subarray(filter * inputs, (filter + 1) * inputs)
      .map((pixel, i) => pixel - mean[i]);
    const direction = multiply(inverse, patch);
    const spread = Math.sqrt(dot(direction, multiply(covariance, direction)));
    // a patch without contrast is no filter
    const scaled = direction.map((value) => spread > 0 ? value / spread : 0);
    for (const [sign, at] of [[1, filter], [-1, FILTERS + filter]]) {
      bias[at] = -sign * dot(scaled, mean) - THRESHOLD;
      for (let pixel = 0; pixel < side * side; pixel++) {
        for (let channel = 0; channel < channels; channel++) {
          // channels first, as PyTorch's filters have them
          weight[at * inputs + channel * side * side + pixel] = sign *
            scaled[pixel * channels + channel];
        }
      }
    }
  }
  const [down, across] = [height, width].map((size) => Math.floor((size - side) / stride) + 1);
  const pool = Math.max(1, Math.floor(Math.min(down, across) / POOLED));
  const pooled = Math.floor(down / pool) * Math.floor(across / pool) * 2 * FILTERS;
  return {
    definition: {
      name: "patches",
      forward(layers, images) {
        const responses = layers.relu(
          layers.convolution("patches", images, {
            filters: 2 * FILTERS,
            size: side,
            stride,
          }),
        );
        return layers.dense(
          "linear",
          layers.flatten(layers.averagePool(responses, pool)),
          layers.classes,
          { bias: false },
        );
      },
    },
    weights: new Map([
      ["patches.weight", { shape: [2 * FILTERS, channels, side, side], data: weight }],
      ["patches.bias", { shape: [2 * FILTERS], data: bias }],
      ["linear.weight", {
        shape: [data.classes, pooled],
        data: new Float32Array(data.classes * pooled),
      }],
    ]),
  };
}

/** Draws patches at random, less the mean of their own pixels, `[PATCHES, side * side * channels]` f64. */
function drawPatches(data: Dataset, side: number, seed: number): Float64Array {
  const [height, width, channels] = data.shape;
  const generator = createGenerator(seed, STREAMS.patches);
  const inputs = side * side * channels;
  const patches = new Float64Array(PATCHES * inputs);
  for (let n = 0; n < PATCHES; n++) {
    const picture = normalise(data, [uniformInt(generator, 0, data.labels.length - 1)]);
    const top = uniformInt(generator, 0, height - side);
    const left = uniformInt(generator, 0, width - side);
    const patch = patches.subarray(n * inputs, (n + 1) * inputs);
    for (let row = 0; row < side; row++) {
      const from = ((top + row) * width + left) * channels;
      patch.set(picture.subarray(from, from + side * channels), row * side * channels);
    }
    const mean = patch.reduce((sum, value) => sum + value, 0) / inputs;
    patch.forEach((value, i) => patch[i] = value - mean);
  }
  return patches;
}

/** Measures the mean `[inputs]` and covariance `[inputs, inputs]` of patches. */
function measure(patches: Float64Array, inputs: number) {
  const count = patches.length / inputs;
  const mean = new Float64Array(inputs);
  patches.forEach((value, at) => mean[at % inputs] += value / count);
  const covariance = new Float64Array(inputs * inputs);
  for (let n = 0; n < count; n++) {
    const patch = patches.subarray(n * inputs, (n + 1) * inputs);
    for (let i = 0; i < inputs; i++) {
      const deviation = (patch[i] - mean[i]) / count;
      const row = covariance.subarray(i * inputs, (i + 1) * inputs);
      for (let j = 0; j < inputs; j++) row[j] += deviation * (patch[j] - mean[j]);
    }
  }
  return { mean, covariance };
}

/** Inverts a covariance `[size, size]` after adding a part of its mean variance to each variance. */
function shrinkAndInvert(covariance: Float64Array, size: number): Float64Array {
  const inverse = covariance.slice();
  const variances = Array.from({ length: size }, (_, i) => covariance[i * size + i]);
  // pictures of one colour have no variance at all
  const mean = variances.reduce((a, b) => a + b) / size || 1;
  for (let i = 0; i < size; i++) inverse[i * size + i] += SHRINKAGE * mean;
  invert(inverse, size);
  return inverse;
}

function multiply(matrix: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length;
  return vector.map((_, i) => dot(matrix.subarray(i * size, (i + 1) * size), vector));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
