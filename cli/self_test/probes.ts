/**
 * The samples and the networks of the self-test, and what the float64 twins say of them.
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
  takeSamples,
  tanh,
  type Weights,
} from "../../mod.ts";
import { contractJacobian, signedCotangents } from "../../engine/reference/kernels.ts";
import { computeJacobian, computeLogits, type Layer } from "../../engine/reference/network.ts";
import type { Numbers } from "../../engine/reference/tensor.ts";

/** Samples of the self-test: two panels of rows, the second ragged. */
export const SAMPLES = 70;
/** Of these the last are samples once more, every other one but for one pixel: a small error of a similarity says otherwise who is redundant. */
const TWINS = 25;
export const CLASSES = 10;

/** A network and how the float64 twins see it. */
export interface Probe {
  readonly definition: NetworkDefinition;
  readonly twin: readonly Layer[];
}

/** What most networks are made of. */
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

/** The layer that is sketched, and as many numbers as its sketch takes to lose nothing: of 5 x 3 x 3 inputs and a bias, and 6 outputs. */
export const SKETCHED = "conv2";
export const SKETCH = { dimension: 64 * 8, seed: 1 };

/** The smooth activations over few pixels, without biases, which would hide what they make of small numbers. */
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

/** Digits, the last of them others once more. */
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

/** What float64 says of a network. */
export interface Evaluation {
  /** `[N, C]`. */
  readonly logits: Float64Array;
  /** Signed projections, `[N][P]`. */
  readonly phi: Float64Array[];
  /** Where a layer's parameters begin and end in them. */
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
