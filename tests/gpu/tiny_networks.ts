/** Networks small enough for full Jacobians in float64, with twins that the oracle evaluates. @module */
import * as tf from "@tensorflow/tfjs-core";
import { createDataset, type Dataset, normalise } from "../../engine/data/dataset.ts";
import {
  type ConvolutionOptions,
  flatten,
  maxPool,
  type NetworkDefinition,
  relu,
} from "../../engine/network/definition.ts";
import type { Weights } from "../../engine/network/parameters.ts";
import {
  computeJacobian,
  computeLogits,
  type Jacobian,
  type Layer,
  lossAndGradient,
  type Weights as TwinWeights,
} from "../oracle/network.ts";
import { dotBound, UNIT_ROUNDOFF } from "../oracle/numbers.ts";
import { type Numbers, sampleAt, sizeOf, zeros } from "../oracle/tensor.ts";
import { drawNumbers } from "./open.ts";

/** A network and how the oracle sees it. */
export interface TinyNetwork {
  readonly definition: NetworkDefinition;
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  /** Its parameters, in PyTorch's layout. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly twin: readonly Layer[];
  /** The twin's weights, where they are others than the network's. */
  readonly widen?: (weights: TwinWeights) => TwinWeights;
  /** Whether a place of one of the twin's parameters is one of the network's; all are when left out. */
  readonly isOwn?: (name: string, place: readonly number[]) => boolean;
}

/** A strided convolution without bias, a padded one with, and a dense layer. */
export function strided(classes: number): TinyNetwork {
  return {
    definition: {
      name: "strided",
      forward(layers, images) {
        const first = layers.convolution("conv1", images, {
          filters: 3,
          size: 3,
          stride: 2,
          bias: false,
        });
        const second = layers.convolution("conv2", relu(first), { filters: 5, size: 3, pad: 1 });
        return layers.dense("fc", flatten(relu(second)), layers.classes);
      },
    },
    inputShape: [7, 6, 2],
    classes,
    shapes: {
      "conv1.weight": [3, 2, 3, 3],
      "conv2.weight": [5, 3, 3, 3],
      "conv2.bias": [5],
      "fc.weight": [classes, 5 * 3 * 2],
      "fc.bias": [classes],
    },
    twin: [
      { kind: "conv", name: "conv1", stride: 2, pad: 0 },
      { kind: "relu" },
      { kind: "conv", name: "conv2", stride: 1, pad: 1 },
      { kind: "relu" },
      { kind: "flatten" },
      { kind: "dense", name: "fc" },
    ],
  };
}

/**
 * A pooled convolution under another, and two dense layers.
 *
 * The first convolution sees one pixel, so that the absolute network pools the brightest of a window, and bounds whatever is pooled.
 */
export function pooled(classes: number): TinyNetwork {
  return {
    definition: {
      name: "pooled",
      forward(layers, images) {
        const first = maxPool(
          relu(layers.convolution("conv1", images, { filters: 3, size: 1 })),
          2,
        );
        const second = relu(layers.convolution("conv2", first, { filters: 2, size: 3, pad: 1 }));
        const third = relu(layers.dense("fc1", flatten(second), 4));
        return layers.dense("fc2", third, layers.classes);
      },
    },
    inputShape: [7, 6, 1],
    classes,
    shapes: {
      "conv1.weight": [3, 1, 1, 1],
      "conv1.bias": [3],
      "conv2.weight": [2, 3, 3, 3],
      "conv2.bias": [2],
      "fc1.weight": [4, 2 * 3 * 3],
      "fc1.bias": [4],
      "fc2.weight": [classes, 4],
      "fc2.bias": [classes],
    },
    twin: [
      { kind: "conv", name: "conv1", stride: 1, pad: 0 },
      { kind: "relu" },
      { kind: "maxPool" },
      { kind: "conv", name: "conv2", stride: 1, pad: 1 },
      { kind: "relu" },
      { kind: "flatten" },
      { kind: "dense", name: "fc1" },
      { kind: "relu" },
      { kind: "dense", name: "fc2" },
    ],
  };
}

/**
 * A residual block with a strided shortcut, then a dense layer, for images that are not negative.
 *
 * The oracle knows no branches, so its twin carries the image along in two more channels of the first convolution, which relu lets pass,
 * and the second convolution holds the shortcut's weights at the centres of those channels. Parameters of the twin that the block does
 * not have are left out of its Jacobian.
 */
export function residual(classes: number): TinyNetwork {
  const [channels, inner, outer] = [2, 3, 4];
  const first: ConvolutionOptions = { filters: inner, size: 3, stride: 2, pad: 1, bias: false };
  return {
    definition: {
      name: "residual",
      forward(layers, images) {
        const block = relu(layers.convolution("conv1", images, first));
        const long = layers.convolution("conv2", block, { filters: outer, size: 3, pad: 1 });
        const short = layers.convolution("shortcut.0", images, {
          filters: outer,
          size: 1,
          stride: 2,
          bias: false,
        });
        return layers.dense("fc", flatten(relu(tf.add(long, short))), layers.classes);
      },
    },
    inputShape: [5, 6, channels],
    classes,
    shapes: {
      "conv1.weight": [inner, channels, 3, 3],
      "conv2.weight": [outer, inner, 3, 3],
      "conv2.bias": [outer],
      "shortcut.0.weight": [outer, channels, 1, 1],
      "fc.weight": [classes, outer * 3 * 3],
      "fc.bias": [classes],
    },
    twin: [
      { kind: "conv", name: "conv1", stride: 2, pad: 1 },
      { kind: "relu" },
      { kind: "conv", name: "conv2", stride: 1, pad: 1 },
      { kind: "relu" },
      { kind: "flatten" },
      { kind: "dense", name: "fc" },
    ],
    widen(weights) {
      const conv1 = zeros([inner + channels, channels, 3, 3]);
      conv1.data.set(Array.from(weights.get("conv1.weight")!.data));
      const conv2 = zeros([outer, inner + channels, 3, 3]);
      const centre = 4;
      for (let c = 0; c < channels; c++) {
        conv1.data[((inner + c) * channels + c) * 9 + centre] = 1;
      }
      const long = Array.from(weights.get("conv2.weight")!.data);
      const short = weights.get("shortcut.0.weight")!.data;
      for (let o = 0; o < outer; o++) {
        const at = o * (inner + channels) * 9;
        conv2.data.set(long.slice(o * inner * 9, (o + 1) * inner * 9), at);
        for (let c = 0; c < channels; c++) {
          conv2.data[at + (inner + c) * 9 + centre] = short[o * channels + c];
        }
      }
      return new Map([...weights, ["conv1.weight", conv1], ["conv2.weight", conv2]]);
    },
    isOwn(name, [output, input, row, column]) {
      if (name === "conv1.weight") return output < inner;
      return name !== "conv2.weight" || input < inner || (row === 1 && column === 1);
    },
  };
}

/** Parameters of 1/2 and -1/2: with small whole pixels and four classes all that follows is exact in f32. */
export function drawExactWeights({ shapes }: TinyNetwork, seed: number): Weights {
  return makeWeights(
    shapes,
    (size, i) => drawNumbers(seed + i, size).map((value) => value < 0 ? -0.5 : 0.5),
  );
}

/** Parameters of about the size that PyTorch draws. */
export function drawWeights({ shapes }: TinyNetwork, seed: number): Weights {
  return makeWeights(shapes, (size, i) => drawNumbers(seed + i, size).map((value) => value / 2));
}

function makeWeights(
  shapes: TinyNetwork["shapes"],
  draw: (size: number, i: number) => Float32Array,
): Weights {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      { shape: [...shape], data: draw(sizeOf(shape), i) },
    ]),
  );
}

/** Images of `levels` grey values at most, which networks see as the whole numbers 0, 1, ...; no two pixels near one another are alike. */
export function drawImages(
  { inputShape, classes }: TinyNetwork,
  count: number,
  levels: number,
): Dataset {
  const [height, width, channels] = inputShape;
  const size = height * width * channels;
  const images = Uint8Array.from({ length: count * size }, (_, i) => {
    const n = Math.floor(i / size);
    return ((i % size) * (2 * n + 5) + 3 * n) % levels;
  });
  return createDataset({
    name: "tiny",
    split: "train",
    images,
    labels: Array.from({ length: count }, (_, n) => (n * n + n) % classes),
    shape: inputShape,
    classes,
    mean: [0],
    std: [1 / 255],
  });
}

/** A data set's images as networks see them, `[N, H, W, C]`. */
export function toNumbers(data: Dataset): Numbers {
  const indices = data.labels.map((_, n) => n);
  return { shape: [indices.length, ...data.shape], data: normalise(data, indices) };
}

/** What the oracle evaluates in place of a network with these weights. */
export function twinWeights(network: TinyNetwork, weights: TwinWeights): TwinWeights {
  return network.widen?.(weights) ?? weights;
}

/** The Jacobian of a network's own parameters, `[N][C][P]`. */
export function computeOwnJacobian(
  network: TinyNetwork,
  weights: TwinWeights,
  images: Numbers,
): Jacobian {
  const widened = twinWeights(network, weights);
  const jacobian = computeJacobian(network.twin, widened, images);
  const { isOwn } = network;
  if (!isOwn) return jacobian;
  const names = network.twin.flatMap((layer) => "name" in layer ? [layer.name] : []);
  const kept = names.flatMap((name) => [`${name}.weight`, `${name}.bias`]).flatMap((name) => {
    const { shape } = widened.get(name) ?? { shape: [0] };
    return Array.from({ length: sizeOf(shape) }, (_, at) => isOwn(name, locate(at, shape)));
  });
  return jacobian.map((logits) => logits.map((gradient) => gradient.filter((_, p) => kept[p])));
}

/** Every number without its sign. */
export function absolute({ shape, data }: Numbers): Numbers {
  return { shape, data: Float64Array.from(data, Math.abs) };
}

/** The weights of the absolute network: its activations and gradients bound the sums of absolute products of the true one. */
export function absoluteWeights(weights: TwinWeights): TwinWeights {
  return new Map([...weights].map(([name, tensor]) => [name, absolute(tensor)]));
}

/** A bound on the rounding steps between the weights and a logit: a sum over the inputs of a place and its bias in each layer. */
export function countForwardSteps({ shapes }: TinyNetwork): number {
  return Object.values(shapes).reduce((steps, [, ...inputs]) => steps + sizeOf(inputs) + 2, 0);
}

/**
 * A bound on the rounding steps between the weights and a derivative of a logit: sums run over the inputs of a place, over the
 * outputs that a place goes into (of at most 9 taps) or over the places of an image, once in each layer.
 */
export function countSteps({ shapes, inputShape }: TinyNetwork): number {
  return Object.values(shapes).reduce(
    (steps, [outputs, ...inputs]) => steps + sizeOf(inputs) + 9 * outputs + sizeOf(inputShape) + 4,
    0,
  );
}

/** The gradient of a network's mean loss over all parameters one after another, each sample's loss, and how far float32 may be from them. */
export function differentiateLoss(network: TinyNetwork, weights: Weights, data: Dataset) {
  const images = toNumbers(data);
  const { gradients } = lossAndGradient(network.twin, weights, images, data.labels);
  const losses = Array.from(
    data.labels,
    (label, n) => lossAndGradient(network.twin, weights, sampleAt(images, n), [label]).loss,
  );
  const [large, largeImages] = [absoluteWeights(weights), absolute(images)];
  const logits = computeLogits(network.twin, weights, images).data;
  const largestLogit = Math.max(...computeLogits(network.twin, large, largeImages).data);
  const logitError = dotBound(countForwardSteps(network), largestLogit);
  // WGSL: exp is off by up to 3 + 2 |x| units in the last place, of 2 round-offs each, and log by 2^-21
  const range = Math.max(...logits) - Math.min(...logits);
  const softmaxError = 2 * (3 + 2 * range) * 2 * UNIT_ROUNDOFF + 2 ** -21 + 8 * UNIT_ROUNDOFF;

  // the gradient is the mean over samples of softmax - one-hot times the Jacobian; either factor has its error
  const jacobian = computeOwnJacobian(network, weights, images);
  const largeJacobian = computeOwnJacobian(network, large, largeImages);
  const count = data.labels.length;
  const seedError = logitError / 2 + softmaxError;
  const error = new Float64Array(jacobian[0][0].length);
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < network.classes; c++) {
      const own = logits.subarray(n * network.classes, (n + 1) * network.classes);
      const softmax = Math.exp(own[c]) / own.reduce((sum, z) => sum + Math.exp(z), 0);
      const seed = Math.abs(softmax - (c === data.labels[n] ? 1 : 0)) + seedError;
      for (let p = 0; p < error.length; p++) {
        error[p] += seedError * Math.abs(jacobian[n][c][p]) / count;
        error[p] += dotBound(countSteps(network) + count, seed * largeJacobian[n][c][p]) / count;
      }
    }
  }
  return {
    gradient: concatenate(gradients),
    error,
    losses,
    lossError: 2 * logitError + softmaxError,
  };
}

/** The numbers of all tensors, one after another. */
export function concatenate(tensors: ReadonlyMap<string, { data: ArrayLike<number> }>): number[] {
  return [...tensors.values()].flatMap(({ data }) => Array.from(data));
}

function locate(at: number, shape: readonly number[]): number[] {
  let rest = at;
  return shape.toReversed().map((size) => {
    const index = rest % size;
    rest = Math.floor(rest / size);
    return index;
  }).reverse();
}
