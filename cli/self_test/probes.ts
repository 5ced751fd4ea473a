/**
 * Samples and networks of the self-test, and what the float64 twins compute for them.
 *
 * @module
 */
import {
  type Dataset,
  drawDigits,
  flatten,
  gelu,
  maxPool,
  type NetworkDefinition,
  relu,
  silu,
  takeSamples,
  tanh,
  type Weights,
} from "../../mod.ts";
import { contractJacobian, signedCotangents } from "../../engine/reference/kernels.ts";
import { computeJacobian, computeLogits, type Layer } from "../../engine/reference/network.ts";
import { pointwiseForward, pointwiseGradient } from "../../engine/reference/pointwise.ts";
import { poolForward, poolGradient } from "../../engine/reference/pooling.ts";
import type { Numbers } from "../../engine/reference/tensor.ts";

/** Samples of the self-test: two panels of rows, the second ragged. */
export const SAMPLES = 70;
/**
 * Number of samples at the end that repeat earlier ones, every other one with a pixel changed: a small error of a similarity then changes which
 * samples are redundant.
 */
const TWINS = 25;
export const CLASSES = 10;

/** A network, and its layers for the float64 twins. */
export interface Probe {
  readonly definition: NetworkDefinition;
  readonly twin: readonly Layer[];
}

/** Network of what most networks are made of: convolutions, maximum pooling, relu and a dense layer. */
export const CONVOLUTIONS: Probe = {
  definition: {
    name: "probe",
    forward(layers, images) {
      const first = layers.convolution("conv1", images, { filters: 5, size: 3, stride: 2, pad: 1 });
      const pooled = maxPool(relu(first), 2);
      const second = layers.convolution("conv2", pooled, { filters: 6, size: 3, stride: 2 });
      return layers.dense("fc", flatten(relu(second)), layers.classes);
    },
  },
  twin: [
    { kind: "conv", name: "conv1", stride: 2, pad: 1 },
    { kind: "relu" },
    { kind: "maxPool" },
    { kind: "conv", name: "conv2", stride: 2, pad: 0 },
    { kind: "relu" },
    { kind: "flatten" },
    { kind: "dense", name: "fc" },
  ],
};

/** Layer that is sketched: 5 x 3 x 3 inputs and a bias, and 6 outputs. Its sketch below is long enough to lose nothing. */
export const SKETCHED = "conv2";
export const SKETCH = { dimension: 64 * 8, seed: 1 };

/** Network of smooth activations over few pixels, without biases, which would hide errors at small inputs. */
export const SMOOTH: Probe = {
  definition: {
    name: "smooth",
    forward(layers, images) {
      const bias = { bias: false };
      const pixels = flatten(maxPool(maxPool(images, 2), 2));
      const first = tanh(layers.dense("fc1", pixels, 8, bias));
      return layers.dense("fc3", gelu(layers.dense("fc2", first, 8, bias)), layers.classes, bias);
    },
  },
  twin: [
    { kind: "maxPool" },
    { kind: "maxPool" },
    { kind: "flatten" },
    { kind: "dense", name: "fc1" },
    { kind: "tanh" },
    { kind: "dense", name: "fc2" },
    { kind: "gelu" },
    { kind: "dense", name: "fc3" },
  ],
};

const OVERLAPPING = { kind: "maximum", size: [3, 3], stride: [2, 2], pad: [1, 1, 1, 1] } as const;

/** Network of silu and of pooling over windows that overlap. */
export const POOLED: Probe = {
  definition: {
    name: "pooled",
    forward(layers, images) {
      const first = layers.convolution("conv1", images, { filters: 3, size: 3, stride: 2, pad: 1 });
      const pooled = maxPool(silu(first), 3, { stride: 2, pad: 1 });
      return layers.dense("fc", flatten(pooled), layers.classes);
    },
  },
  twin: [
    { kind: "conv", name: "conv1", stride: 2, pad: 1 },
    {
      kind: "step",
      step: {
        parameters: [],
        forward: (x) => pointwiseForward("silu", x),
        backward: (x, dy) => ({ dx: pointwiseGradient("silu", x, dy), gradients: [] }),
      },
    },
    {
      kind: "step",
      step: {
        parameters: [],
        forward: (x) => poolForward(x, OVERLAPPING),
        backward: (x, dy) => ({ dx: poolGradient(x, dy, OVERLAPPING), gradients: [] }),
      },
    },
    { kind: "flatten" },
    { kind: "dense", name: "fc" },
  ],
};

/** Draws digits, the last of which repeat the first. */
export function drawSamples(): Dataset {
  const data = drawDigits("train", { size: SAMPLES - TWINS });
  const order = Array.from({ length: SAMPLES }, (_, n) => n % (SAMPLES - TWINS));
  const drawn = takeSamples(data, order);
  const images = Uint8Array.from(drawn.images);
  const size = images.length / SAMPLES;
  for (let n = SAMPLES - TWINS; n < SAMPLES; n += 2) images[Math.floor((n + 0.5) * size)] ^= 1;
  return { ...drawn, images };
}

export function toNumbers(data: Dataset): Numbers {
  const { images, mean: [mean], std: [std] } = data;
  return {
    shape: [data.labels.length, ...data.shape],
    data: Float64Array.from(images, (pixel) => (pixel / 255 - mean) / std),
  };
}

/** Results of a network in float64. */
export interface Evaluation {
  /** `[N, C]`. */
  readonly logits: Float64Array;
  /** Signed projections, `[N][P]`. */
  readonly phi: Float64Array[];
  /** Range of each layer's parameters in a projection, by the layer's name. */
  readonly offsets: ReadonlyMap<string, readonly [from: number, to: number]>;
}

export function evaluate({ twin }: Probe, weights: Weights, data: Dataset): Evaluation {
  const images = toNumbers(data);
  const offsets = new Map<string, [number, number]>();
  let at = 0;
  for (const [name, { data: { length } }] of weights) {
    const layer = name.replace(/\.\w+$/, "");
    offsets.set(layer, [offsets.get(layer)?.[0] ?? at, at += length]);
  }
  const jacobian = computeJacobian(twin, weights, images);
  return {
    logits: computeLogits(twin, weights, images).data,
    phi: contractJacobian(jacobian, signedCotangents(data.labels, CLASSES)),
    offsets,
  };
}

/** The Gram matrix of rows, `[N, N]`. */
export function multiply(rows: readonly Float64Array[]): Float64Array {
  return Float64Array.from(
    rows.flatMap((a) => rows.map((b) => a.reduce((sum, v, k) => sum + v * b[k], 0))),
  );
}
