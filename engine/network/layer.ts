/**
 * A network's layers: their sizes and their parameters.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { countElements } from "../formats/shape.ts";
import { DataError, WeightsError } from "../errors.ts";
import {
  type ConvolutionGeometry,
  countConvolutionFlops,
  inferConvolutionGeometry,
} from "../operations/convolution_geometry.ts";
import type { ParameterMaker, Weights } from "./parameters.ts";

/** A layer with parameters. */
export interface LayerDescription {
  /** Prefix of its parameters in the `state_dict`; of a parameter by itself, its name there. */
  readonly name: string;
  /** What the layer computes; `parameter` is a tensor of parameters that is no matrix of weights, such as a norm's weight or a class token. */
  readonly kind: "dense" | "convolution" | "parameter";
  /** Whether the layer adds a bias. */
  readonly bias: boolean;
  /** Shape of the layer's output for one sample where it is used first, such as `[O]` or `[H, W, O]`. */
  readonly outputShape: readonly number[];
  /** Number of times that a forward pass uses the layer: more than 1 where weights are shared. */
  readonly places: number;
}

/**
 * Parameters that a gradient is taken with respect to: `all`, as PyTorch's `model.parameters()` lists them, or `weights`, the weights and biases of
 * convolutions and dense layers, without norms' and without other parameters by themselves.
 */
export type ParameterChoice = "all" | "weights";

export const PARAMETER_CHOICES: readonly ParameterChoice[] = ["all", "weights"];

/** A layer with its sizes, which packed rows are laid out by; which sizes depends on its kind. */
export type LayerShape =
  & LayerDescription
  & (
    | {
      readonly kind: "dense";
      readonly inputs: number;
      readonly outputs: number;
      /** Number of vectors of a sample that the layer is applied to, at all places together: 1 for `[N, D]`, T for tokens `[N, T, D]`. */
      readonly positions: number;
    }
    | {
      readonly kind: "convolution";
      /** Sizes where it is used first. */
      readonly geometry: ConvolutionGeometry;
    }
    | { readonly kind: "parameter" }
  );

/** Returns the sizes of a matrix of weights as a convolution: a dense layer is one over an image one pixel high, whose columns are the positions. */
export function geometryOf(layer: LayerShape): ConvolutionGeometry {
  if (layer.kind === "convolution") return layer.geometry;
  if (layer.kind === "parameter") {
    throw new TypeError(`Cannot convolve: '${layer.name}' is no matrix`);
  }
  const { positions, inputs, outputs } = layer;
  return inferConvolutionGeometry([1, 1, positions, inputs], [1, 1, inputs, outputs], {
    stride: 1,
    pad: 0,
  });
}

/** Counts the FLOP of a layer for one sample at one place; as many as either of its gradients takes. */
export function countLayerFlops(layer: LayerShape): number {
  if (layer.kind === "convolution") return countConvolutionFlops(layer.geometry);
  if (layer.kind === "dense") return 2 * layer.positions * layer.inputs * layer.outputs;
  return countElements(layer.outputShape);
}

/** Variables of a layer, in TensorFlow.js's layout. */
export interface Layer {
  readonly weight: tf.Variable;
  readonly bias: tf.Variable | undefined;
}

/** What a pass asks for a layer by. */
export interface LayerRequest {
  readonly name: string;
  readonly kind: LayerDescription["kind"];
  /** Shape of the weight in TensorFlow.js's layout, outputs last; loaded weights determine the number of outputs, but for a `parameter`. */
  readonly wanted: readonly number[];
  readonly hasBias: boolean;
  /** Value of every element of a new `parameter`, or all values. */
  readonly initial?: number | Float32Array;
  /** Description of the call, which has to be the same in every pass. */
  readonly call: string;
  /** Checks what the weight does not decide, before it is made. */
  prepare?(): void;
  /** Computes the layer's sizes at this place from the shape that its weight has; it may throw, since no variable has been made yet. */
  measure(weight: readonly number[]): LayerShape;
}

/** A frozen batch norm's statistics: its tensors by name, and the affine map `x * scale + shift` that they amount to. */
export interface Statistics {
  readonly tensors: Weights;
  /** Factor of each channel, `[C]` f32. */
  readonly scale: tf.Tensor;
  /** Summand of each channel, `[C]` f32. */
  readonly shift: tf.Tensor;
}

/**
 * Makes a layer whose parameters are drawn or loaded by the maker.
 *
 * @param bindingBytes size of the device's largest binding
 * @throws {DataError} if the device cannot bind the layer's output for one sample.
 */
export function makeLayer(
  maker: ParameterMaker,
  { name, kind, wanted, hasBias, initial = 0, prepare, measure }: LayerRequest,
  bindingBytes: number,
): { readonly layer: Layer; readonly shape: LayerShape } {
  prepare?.();
  const fanIn = countElements(wanted.slice(0, -1));
  const weight = kind === "parameter"
    ? maker.makePlain(name, wanted, initial)
    : maker.make(`${name}.weight`, wanted, fanIn);
  const shape = measure(weight.shape);
  checkOutput(shape, bindingBytes);
  const bias = hasBias ? maker.make(`${name}.bias`, weight.shape.slice(-1), fanIn) : undefined;
  return { layer: { weight: tf.variable(weight), bias: bias && tf.variable(bias) }, shape };
}

/** @throws {DataError} if the device cannot bind the layer's output for one sample. */
export function checkOutput({ name, outputShape }: LayerShape, bindingBytes: number): void {
  const count = countElements(outputShape);
  if (4 * count <= bindingBytes) return;
  throw new DataError(
    `Cannot hold what layer '${name}' gives for one sample, [${
      outputShape.join(", ")
    }]: got ${count} numbers, need at most ${Math.floor(bindingBytes / 4)} on this device`,
  );
}

/**
 * Makes a batch norm's frozen statistics, folded into an affine map in float64 and rounded once.
 *
 * @throws {WeightsError} if a variance and epsilon do not add up to more than 0.
 */
export function makeStatistics(
  maker: ParameterMaker,
  name: string,
  channels: number,
  epsilon: number,
): Statistics {
  const make = (part: string, initial: number) =>
    [`${name}.${part}`, maker.makeFrozen(`${name}.${part}`, channels, initial)] as const;
  const tensors = [make("running_mean", 0), make("running_var", 1)] as const;
  const [mean, variance] = tensors.map(([, { data }]) => data);
  const bad = variance.findIndex((value) => !(value + epsilon > 0));
  if (bad >= 0) {
    throw new WeightsError(
      [`${name}.running_var`],
      `Cannot use batch norm '${name}': got running_var ${
        variance[bad]
      } at index ${bad}, need more than -${epsilon}`,
    );
  }
  const factor = (c: number) => 1 / Math.sqrt(variance[c] + epsilon);
  const fold = (of: (c: number) => number) =>
    tf.keep(tf.tensor1d(Float32Array.from({ length: channels }, (_, c) => of(c))));
  return {
    tensors: new Map(tensors),
    scale: fold(factor),
    shift: fold((c) => -mean[c] * factor(c)),
  };
}
