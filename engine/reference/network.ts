/**
 * Float64 twins of networks: logits, Jacobians and loss gradients, one sample at a time.
 *
 * Weights have the names and layouts of PyTorch's `state_dict` (`conv1.weight` `[out, in, kh, kw]`, `fc1.weight` `[out, in]`, a bias where the
 * file has one); gradients have the same layouts. Activations are NHWC.
 *
 * @module
 */

import {
  geluForward,
  geluGradient,
  reluForward,
  reluGradient,
  tanhForward,
  tanhGradient,
} from "./pointwise.ts";
import { averagePool, flatten, globalAverage, maxPool, type Step } from "./steps.ts";
import type { Stride } from "./convolution.ts";
import { bindConv, bindDense, bindNorm, bindParameter, type Weights } from "./layers.ts";
import { type Numbers, sampleAt, type Tensor, zeros } from "./tensor.ts";

/** A layer of a network. */
export type Layer =
  | { readonly kind: "conv"; readonly name: string } & Stride
  | { readonly kind: "dense"; readonly name: string }
  | { readonly kind: "relu" }
  | { readonly kind: "tanh" }
  /** `x Phi(x)`, by the error function. */
  | { readonly kind: "gelu" }
  /** Maximum over 2x2 windows of stride 2; an odd last row or column is dropped; a tie goes to the window's first pixel, row by row. */
  | { readonly kind: "maxPool" }
  /** Mean over the same windows. */
  | { readonly kind: "averagePool" }
  /** Mean over all pixels, to `[N, C]`. */
  | { readonly kind: "globalAverage" }
  /** Batch norm by its running statistics, which are no parameters. */
  | { readonly kind: "batchNorm"; readonly name: string; readonly epsilon: number }
  /** Addition of a parameter of the input's shape, `[H, W, C]`. */
  | { readonly kind: "parameter"; readonly name: string }
  /** Sum of branches of the same input; an empty branch is the identity. */
  | { readonly kind: "sum"; readonly branches: readonly (readonly Layer[])[] }
  /** A step without parameters that the caller writes. */
  | { readonly kind: "step"; readonly step: Step }
  /** Flattening to `[N, C*H*W]` in the order channel, row, column, as PyTorch flattens NCHW. */
  | { readonly kind: "flatten" };

export type { Weights };

/** Gradients `[N][C][P]` of each sample's logits with respect to all parameters, in `state_dict` order and layout. */
export type Jacobian = readonly (readonly Float64Array[])[];

/** MLP of 784-128-64-10 units with relu: `fc1 fc2 fc3`. */
export const mlp: readonly Layer[] = [
  { kind: "flatten" },
  { kind: "dense", name: "fc1" },
  { kind: "relu" },
  { kind: "dense", name: "fc2" },
  { kind: "relu" },
  { kind: "dense", name: "fc3" },
];

/** LeNet-5 for 28x28x1 images, with relu and max pooling: `conv1 conv2 fc1 fc2 fc3`, 61,706 parameters. */
export const lenet5: readonly Layer[] = [
  { kind: "conv", name: "conv1", stride: 1, pad: 2 },
  { kind: "relu" },
  { kind: "maxPool" },
  { kind: "conv", name: "conv2", stride: 1, pad: 0 },
  { kind: "relu" },
  { kind: "maxPool" },
  { kind: "flatten" },
  { kind: "dense", name: "fc1" },
  { kind: "relu" },
  { kind: "dense", name: "fc2" },
  { kind: "relu" },
  { kind: "dense", name: "fc3" },
];

/**
 * Logits `z(x)`: `images` `[N, H, W, C]` to `[N, classes]`.
 *
 * @throws {RangeError} if a parameter is missing or the shapes do not fit together.
 */
export function computeLogits(
  network: readonly Layer[],
  weights: Weights,
  images: Numbers,
): Tensor {
  const steps = bindNetwork(network, weights);
  const logits = forEachSample(images, (image) => logitsOf(runForward(steps, image)));
  return { shape: [logits.length, logits[0].length], data: concatenate(logits) };
}

/**
 * The Jacobian `dz(x)/dw` of `images` `[N, H, W, C]` by reverse mode, one sample and one logit at a time.
 *
 * It takes `8 N C P` bytes: 5 MB a sample of LeNet-5.
 *
 * @throws {RangeError} if a parameter is missing or the shapes do not fit together.
 */
export function computeJacobian(
  network: readonly Layer[],
  weights: Weights,
  images: Numbers,
): Jacobian {
  const steps = bindNetwork(network, weights);
  return forEachSample(images, (image) => {
    const activations = runForward(steps, image);
    return Array.from(logitsOf(activations), (_, c) => {
      const cotangent = zeros(activations[steps.length].shape);
      cotangent.data[c] = 1;
      return concatenate(runBackward(steps, activations, cotangent).gradients);
    });
  });
}

/** Loss of a batch and its gradient. */
export interface LossAndGradient {
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** Its gradient by the parameters' names. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/**
 * The mean cross-entropy `-log softmax(z(x))_y` of a batch, and its gradient with respect to all parameters.
 *
 * `images` `[N, H, W, C]`, `labels` `[N]`.
 *
 * @throws {RangeError} if a parameter is missing or the shapes do not fit together.
 */
export function lossAndGradient(
  network: readonly Layer[],
  weights: Weights,
  images: Numbers,
  labels: ArrayLike<number>,
): LossAndGradient {
  const steps = bindNetwork(network, weights);
  const parameters = steps.flatMap((step) => step.parameters);
  const totals = parameters.map(({ shape }) => zeros(shape));
  const losses = forEachSample(images, (image, n) => {
    const activations = runForward(steps, image);
    const { loss, gradient } = crossEntropy(logitsOf(activations), labels[n]);
    const cotangent = { shape: activations[steps.length].shape, data: gradient };
    runBackward(steps, activations, cotangent).gradients.forEach((parameterGradient, k) =>
      parameterGradient.forEach((value, i) => totals[k].data[i] += value / images.shape[0])
    );
    return loss;
  });
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    gradients: new Map(parameters.map(({ name }, k) => [name, totals[k]])),
  };
}

/** One sample's cross-entropy, and its gradient `softmax(z) - onehot(y)` with respect to the logits. */
function crossEntropy(
  logits: Float64Array,
  label: number,
): { loss: number; gradient: Float64Array } {
  // Shifting by the largest logit keeps the exponentials finite and changes nothing else.
  const largest = Math.max(...logits);
  const total = logits.reduce((sum, z) => sum + Math.exp(z - largest), 0);
  return {
    loss: Math.log(total) - (logits[label] - largest),
    gradient: logits.map((z, c) => Math.exp(z - largest) / total - (c === label ? 1 : 0)),
  };
}

function forEachSample<Result>(
  images: Numbers,
  compute: (image: Tensor, n: number) => Result,
): Result[] {
  return Array.from({ length: images.shape[0] }, (_, n) => compute(sampleAt(images, n), n));
}

/** The last of a sample's activations: its logits. */
function logitsOf(activations: readonly Tensor[]): Float64Array {
  return activations[activations.length - 1].data;
}

function concatenate(parts: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function bindNetwork(network: readonly Layer[], weights: Weights): Step[] {
  return network.map((layer) => bindLayer(layer, weights));
}

function bindLayer(layer: Layer, weights: Weights): Step {
  switch (layer.kind) {
    case "conv":
      return bindConv(layer, weights);
    case "dense":
      return bindDense(layer.name, weights);
    case "relu":
      return bindPointwise(reluForward, (x, dy) => reluGradient(reluForward(x), dy));
    case "tanh":
      return bindPointwise(tanhForward, tanhGradient);
    case "gelu":
      return bindPointwise(geluForward, geluGradient);
    case "maxPool":
      return maxPool;
    case "averagePool":
      return averagePool;
    case "globalAverage":
      return globalAverage;
    case "batchNorm":
      return bindNorm(layer, weights);
    case "parameter":
      return bindParameter(layer.name, weights);
    case "sum":
      return bindSum(layer.branches, weights);
    case "step":
      return layer.step;
    case "flatten":
      return flatten;
  }
}

/** Runs the network forward; returns the input and then every layer's output. */
function runForward(steps: readonly Step[], image: Tensor): Tensor[] {
  const activations = [image];
  for (const step of steps) activations.push(step.forward(activations[activations.length - 1]));
  return activations;
}

/** The gradient of `cotangent · logits` over the input and over every parameter, in the order of the network. */
function runBackward(
  steps: readonly Step[],
  activations: readonly Tensor[],
  cotangent: Tensor,
): { dx: Tensor; gradients: Float64Array[] } {
  const gradients: Float64Array[][] = [];
  let dy = cotangent;
  for (let k = steps.length - 1; k >= 0; k--) {
    const step = steps[k].backward(activations[k], dy);
    gradients.unshift(step.gradients);
    dy = step.dx;
  }
  return { dx: dy, gradients: gradients.flat() };
}

function bindPointwise(
  forward: (x: Numbers) => Tensor,
  gradient: (x: Numbers, dy: Numbers) => Tensor,
): Step {
  return {
    parameters: [],
    forward,
    backward: (x, dy) => ({ dx: gradient(x, dy), gradients: [] }),
  };
}

function bindSum(branches: readonly (readonly Layer[])[], weights: Weights): Step {
  const bound = branches.map((branch) => bindNetwork(branch, weights));
  return {
    parameters: bound.flatMap((steps) => steps.flatMap(({ parameters }) => parameters)),
    forward: (x) =>
      addTensors(bound.map((steps) => {
        const activations = runForward(steps, x);
        return activations[steps.length];
      })),
    backward(x, dy) {
      const ends = bound.map((steps) => runBackward(steps, runForward(steps, x), dy));
      return {
        dx: addTensors(ends.map(({ dx }) => dx)),
        gradients: ends.flatMap(({ gradients }) => gradients),
      };
    },
  };
}

function addTensors(tensors: readonly Tensor[]): Tensor {
  const sum = zeros(tensors[0].shape);
  for (const { shape, data } of tensors) {
    if (shape.join() !== sum.shape.join()) {
      throw new RangeError(`Cannot add branches: got [${shape}], need [${sum.shape}]`);
    }
    data.forEach((value, i) => sum.data[i] += value);
  }
  return sum;
}
