/** Networks small enough for full Jacobians in float64, with twins that the oracle evaluates. @module */
import { createDataset, type Dataset, normalise } from "../../../engine/data/dataset.ts";
import {
  add,
  averagePool,
  type ConvolutionOptions,
  flatten,
  gelu,
  globalAverage,
  maxPool,
  type NetworkDefinition,
  relu,
  tanh,
} from "../../../engine/network/definition.ts";
import type { Weights } from "../../../engine/network/parameters.ts";
import type { Stride } from "../../../engine/reference/convolution.ts";
import {
  computeJacobian,
  computeLogits,
  type Layer,
  lossAndGradient,
  type Weights as TwinWeights,
} from "../../../engine/reference/network.ts";
import { dotBound, UNIT_ROUNDOFF } from "../../../engine/reference/numbers.ts";
import { type Numbers, sampleAt, sizeOf } from "../../../engine/reference/tensor.ts";
import { drawNumbers } from "../gpu/open.ts";

/** A network, and its layers for the oracle. */
export interface TinyNetwork {
  readonly definition: NetworkDefinition;
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  /** Shapes of the parameters, in PyTorch's layout. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly twin: readonly Layer[];
}

/** Defines a strided convolution without bias, a padded one with bias, and a dense layer. */
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
 * Defines a pooled convolution under another, and two dense layers.
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

/** Defines a network with a packed row that is longer than what one launch reads: a layer of 17,328 parameters between two small ones. */
export function wide(classes: number): TinyNetwork {
  return {
    definition: {
      name: "wide",
      forward(layers, images) {
        const first = layers.convolution("conv1", images, { filters: 40, size: 1 });
        const second = layers.convolution("conv2", first, {
          filters: 48,
          size: 3,
          stride: 2,
          pad: 1,
        });
        return layers.dense("fc", flatten(second), layers.classes);
      },
    },
    inputShape: [9, 10, 2],
    classes,
    shapes: {
      "conv1.weight": [40, 2, 1, 1],
      "conv1.bias": [40],
      "conv2.weight": [48, 40, 3, 3],
      "conv2.bias": [48],
      "fc.weight": [classes, 48 * 5 * 5],
      "fc.bias": [classes],
    },
    twin: [
      { kind: "conv", name: "conv1", stride: 1, pad: 0 },
      { kind: "conv", name: "conv2", stride: 2, pad: 1 },
      { kind: "flatten" },
      { kind: "dense", name: "fc" },
    ],
  };
}

/** Defines a residual block with a strided shortcut, then a dense layer. */
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
        return layers.dense("fc", flatten(relu(add(long, short))), layers.classes);
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
      {
        kind: "sum",
        branches: [
          [
            { kind: "conv", name: "conv1", stride: 2, pad: 1 },
            { kind: "relu" },
            { kind: "conv", name: "conv2", stride: 1, pad: 1 },
          ],
          [{ kind: "conv", name: "shortcut.0", stride: 2, pad: 0 }],
        ],
      },
      { kind: "relu" },
      { kind: "flatten" },
      { kind: "dense", name: "fc" },
    ],
  };
}

/**
 * Defines a network of every kind of layer but the smooth activations, at odd sizes: a strided convolution, a frozen batch norm, a block with a
 * projection shortcut, a block whose shortcut passes its input on, both other poolings, and the sum of two heads, one of them without bias.
 */
export function branched(classes: number): TinyNetwork {
  return {
    definition: {
      name: "branched",
      forward(layers, images) {
        const stem = layers.convolution("stem", images, {
          filters: 3,
          size: 3,
          stride: 2,
          pad: 1,
          bias: false,
        });
        const x = relu(layers.batchNorm("norm", stem, { epsilon: EXACT_EPSILON }));
        const narrow = layers.convolution("block1.conv", x, {
          filters: 4,
          size: 3,
          stride: 2,
          pad: 1,
          bias: false,
        });
        const projected = layers.convolution("block1.shortcut", x, {
          filters: 4,
          size: 1,
          stride: 2,
        });
        const y = relu(add(narrow, projected));
        const z = add(y, layers.convolution("block2.conv", y, { filters: 4, size: 3, pad: 1 }));
        const near = layers.dense("head1", flatten(maxPool(averagePool(x, 2), 2)), layers.classes);
        const far = layers.dense("head2", globalAverage(z), layers.classes, { bias: false });
        return add(near, far);
      },
    },
    // 4 x 7 after the stem, 2 x 4 in the blocks, so that the average is exact, 2 x 3 and 1 x 1 after the poolings
    inputShape: [7, 13, 2],
    classes,
    shapes: {
      "stem.weight": [3, 2, 3, 3],
      "block1.conv.weight": [4, 3, 3, 3],
      "block1.shortcut.weight": [4, 3, 1, 1],
      "block1.shortcut.bias": [4],
      "block2.conv.weight": [4, 4, 3, 3],
      "block2.conv.bias": [4],
      "head1.weight": [classes, 3],
      "head1.bias": [classes],
      "head2.weight": [classes, 4],
      "norm.weight": [3],
      "norm.bias": [3],
      "norm.running_mean": [3],
      "norm.running_var": [3],
    },
    twin: [
      { kind: "conv", name: "stem", stride: 2, pad: 1 },
      { kind: "batchNorm", name: "norm", epsilon: EXACT_EPSILON },
      { kind: "relu" },
      {
        kind: "sum",
        branches: [
          [
            { kind: "averagePool" },
            { kind: "maxPool" },
            { kind: "flatten" },
            { kind: "dense", name: "head1" },
          ],
          [
            {
              kind: "sum",
              branches: [
                [{ kind: "conv", name: "block1.conv", stride: 2, pad: 1 }],
                [{ kind: "conv", name: "block1.shortcut", stride: 2, pad: 0 }],
              ],
            },
            { kind: "relu" },
            {
              kind: "sum",
              branches: [[], [{ kind: "conv", name: "block2.conv", stride: 1, pad: 1 }]],
            },
            { kind: "globalAverage" },
            { kind: "dense", name: "head2" },
          ],
        ],
      },
    ],
  };
}

/**
 * Defines a network of convolutions with everything apart: axes and sides, dilation, depthwise, groups, and one with so few output positions that
 * rows hold its factors.
 */
export function grouped(classes: number): TinyNetwork {
  const stem: Stride = { stride: [2, 1], pad: [1, 0, 2, 1], dilation: [1, 2] };
  const depthwise: Stride = { stride: 2, pad: 1, groups: 4 };
  const halves: Stride = { stride: 1, pad: [0, 1], groups: 2 };
  const last: Stride = { stride: [2, 1], pad: [0, 1], dilation: [1, 2] };
  return {
    definition: {
      name: "grouped",
      forward(layers, images) {
        const first = layers.convolution("stem", images, { filters: 4, size: [3, 2], ...stem });
        const second = layers.convolution("depthwise", relu(first), {
          filters: 4,
          size: 3,
          bias: false,
          ...depthwise,
        });
        const third = layers.convolution("halves", second, { filters: 6, size: [1, 3], ...halves });
        const fourth = layers.convolution("last", relu(third), { filters: 8, size: 3, ...last });
        return layers.dense("fc", flatten(fourth), layers.classes);
      },
    },
    // 5 x 7 after the stem, 3 x 4 after the depthwise convolution, 1 x 2 at the end
    inputShape: [9, 8, 2],
    classes,
    shapes: {
      "stem.weight": [4, 2, 3, 2],
      "stem.bias": [4],
      "depthwise.weight": [4, 1, 3, 3],
      "halves.weight": [6, 2, 1, 3],
      "halves.bias": [6],
      "last.weight": [8, 6, 3, 3],
      "last.bias": [8],
      "fc.weight": [classes, 16],
      "fc.bias": [classes],
    },
    twin: [
      { kind: "conv", name: "stem", ...stem },
      { kind: "relu" },
      { kind: "conv", name: "depthwise", ...depthwise },
      { kind: "conv", name: "halves", ...halves },
      { kind: "relu" },
      { kind: "conv", name: "last", ...last },
      { kind: "flatten" },
      { kind: "dense", name: "fc" },
    ],
  };
}

/** Defines a network with tanh and gelu, over a convolution whose stride leaves a remainder. */
export function smooth(classes: number): TinyNetwork {
  return {
    definition: {
      name: "smooth",
      forward(layers, images) {
        const first = tanh(
          layers.convolution("conv1", images, { filters: 3, size: 3, stride: 3, pad: 1 }),
        );
        const second = gelu(layers.dense("fc1", flatten(first), 5, { bias: false }));
        return layers.dense("fc2", second, layers.classes);
      },
    },
    inputShape: [8, 7, 2],
    classes,
    shapes: {
      "conv1.weight": [3, 2, 3, 3],
      "conv1.bias": [3],
      "fc1.weight": [5, 3 * 3 * 3],
      "fc2.weight": [classes, 5],
      "fc2.bias": [classes],
    },
    twin: [
      { kind: "conv", name: "conv1", stride: 3, pad: 1 },
      { kind: "tanh" },
      { kind: "flatten" },
      { kind: "dense", name: "fc1" },
      { kind: "gelu" },
      { kind: "dense", name: "fc2" },
    ],
  };
}

/** Epsilon that makes 1 of a variance of 1/4. */
const EXACT_EPSILON = 0.75;

/** Draws parameters of 1/2 and -1/2: with small integer pixels and four classes, all that follows is exact in f32. */
export function drawExactWeights({ shapes }: TinyNetwork, seed: number): Weights {
  return makeWeights(
    shapes,
    (size, i) => drawNumbers(seed + i, size).map((value) => value < 0 ? -0.5 : 0.5),
  );
}

/** Draws parameters of about the size that PyTorch draws. */
export function drawWeights({ shapes }: TinyNetwork, seed: number): Weights {
  return makeWeights(shapes, (size, i) => drawNumbers(seed + i, size).map((value) => value / 2));
}

function makeWeights(
  shapes: TinyNetwork["shapes"],
  draw: (size: number, i: number) => Float32Array,
): Weights {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => {
      const data = draw(sizeOf(shape), i);
      return [name, {
        shape: [...shape],
        data: name.endsWith("running_var") ? data.map((value) => value * value) : data,
      }];
    }),
  );
}

/** Draws images of at most `levels` grey values, which networks see as the integers 0, 1, ...; no two pixels near one another are alike. */
export function drawImages(
  { inputShape, classes }: Pick<TinyNetwork, "inputShape" | "classes">,
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

/** Converts a data set's images to what networks see, `[N, H, W, C]`. */
export function toNumbers(data: Dataset): Numbers {
  const indices = data.labels.map((_, n) => n);
  return { shape: [indices.length, ...data.shape], data: normalise(data, indices) };
}

/** Takes the absolute value of every element. */
export function absolute({ shape, data }: Numbers): Numbers {
  return { shape, data: Float64Array.from(data, Math.abs) };
}

/** Makes the weights of the absolute network: its activations and gradients bound the sums of absolute products of the true one. */
export function absoluteWeights(weights: TwinWeights): TwinWeights {
  return new Map(
    [...weights].map(([name, tensor]) => {
      const { shape, data } = absolute(tensor);
      // means are subtracted
      const sign = name.endsWith("running_mean") ? -1 : 1;
      return [name, { shape, data: Float64Array.from(data, (value) => sign * value) }];
    }),
  );
}

/** Bounds the rounding steps between the weights and a logit: a sum over the inputs of an output position and its bias in each layer. */
export function countForwardSteps({ shapes }: TinyNetwork): number {
  return Object.values(shapes).reduce((steps, [, ...inputs]) => steps + sizeOf(inputs) + 2, 0);
}

/**
 * Bounds the rounding steps between the weights and a derivative of a logit: sums run over the inputs of a position, over the outputs that a position
 * goes into (of at most 9 taps) or over the positions of an image, once in each layer.
 */
export function countSteps({ shapes, inputShape }: TinyNetwork): number {
  return Object.values(shapes).reduce(
    (steps, [outputs, ...inputs]) => steps + sizeOf(inputs) + 9 * outputs + sizeOf(inputShape) + 4,
    0,
  );
}

/**
 * Computes the gradient of a network's mean loss over all parameters one after another, each sample's loss, and the largest error of float32 in them.
 */
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
  const jacobian = computeJacobian(network.twin, weights, images);
  const largeJacobian = computeJacobian(network.twin, large, largeImages);
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

/** Concatenates the elements of all tensors. */
export function concatenate(tensors: ReadonlyMap<string, { data: ArrayLike<number> }>): number[] {
  return [...tensors.values()].flatMap(({ data }) => Array.from(data));
}
