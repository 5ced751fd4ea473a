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
} from "../operations/convolution_geometry.ts";
import type { ParameterMaker, Weights } from "./parameters.ts";

/** A layer with parameters. */
export interface LayerDescription {
  /** Prefix of its parameters in the `state_dict`. */
  readonly name: string;
  /** Operation that the layer computes. */
  readonly kind: "dense" | "convolution";
  /** Whether the layer adds a bias. */
  readonly bias: boolean;
  /** Shape of the layer's output for one sample, `[O]` or `[H, W, O]`. */
  readonly outputShape: readonly number[];
}

/** A layer with its sizes, which packed rows are laid out by; which sizes depends on its kind. */
export type LayerShape =
  & LayerDescription
  & (
    | { readonly kind: "dense"; readonly inputs: number; readonly outputs: number }
    | { readonly kind: "convolution"; readonly geometry: ConvolutionGeometry }
  );

/** Counts the FLOP of a layer for one sample; as many as either of its gradients takes. */
export function countLayerFlops(layer: LayerShape): number {
  return layer.kind === "dense"
    ? 2 * layer.inputs * layer.outputs
    : countConvolutionFlops(layer.geometry);
}

/** A layer with its parameters, in TensorFlow.js's layout. */
export interface Layer {
  readonly shape: LayerShape;
  readonly weight: tf.Variable;
  readonly bias: tf.Variable | undefined;
}

/** A frozen batch norm: its tensors by name, and the affine map `x * scale + shift` that they amount to. */
export interface Norm {
  readonly tensors: Weights;
  /** Factor of each channel, `[C]` f32. */
  readonly scale: tf.Tensor;
  /** Summand of each channel, `[C]` f32. */
  readonly shift: tf.Tensor;
}

/**
 * Makes a layer whose parameters are drawn or loaded by the maker.
 *
 * @param wanted shape of the weight in TensorFlow.js's layout, outputs last
 * @param bindingBytes size of the device's largest binding
 * @param measure computes the layer's sizes from the shape that its weight has; it may throw, since no variable has been made yet
 * @throws {DataError} if the device cannot bind the layer's output for one sample.
 */
export function makeLayer(
  maker: ParameterMaker,
  name: string,
  wanted: readonly number[],
  { hasBias, bindingBytes }: { readonly hasBias: boolean; readonly bindingBytes: number },
  measure: (weight: readonly number[]) => LayerShape,
): Layer {
  const fanIn = countElements(wanted.slice(0, -1));
  const weight = maker.make(`${name}.weight`, wanted, fanIn);
  const shape = measure(weight.shape);
  const count = countElements(shape.outputShape);
  if (4 * count > bindingBytes) {
    throw new DataError(
      `Cannot hold what layer '${name}' gives for one sample, [${
        shape.outputShape.join(", ")
      }]: got ${count} numbers, need at most ${Math.floor(bindingBytes / 4)} on this device`,
    );
  }
  const bias = hasBias ? maker.make(`${name}.bias`, weight.shape.slice(-1), fanIn) : undefined;
  return { shape, weight: tf.variable(weight), bias: bias && tf.variable(bias) };
}

/**
 * Makes a frozen batch norm, folded into an affine map in float64 and rounded once.
 *
 * @throws {WeightsError} if a variance and epsilon do not add up to more than 0.
 */
export function makeNorm(
  maker: ParameterMaker,
  name: string,
  channels: number,
  epsilon: number,
): Norm {
  const make = (part: string, initial: number) =>
    [`${name}.${part}`, maker.makeFrozen(`${name}.${part}`, channels, initial)] as const;
  const tensors = [
    make("weight", 1),
    make("bias", 0),
    make("running_mean", 0),
    make("running_var", 1),
  ] as const;
  const [weight, bias, mean, variance] = tensors.map(([, { data }]) => data);
  const bad = variance.findIndex((value) => !(value + epsilon > 0));
  if (bad >= 0) {
    throw new WeightsError(
      [`${name}.running_var`],
      `Cannot use batch norm '${name}': got running_var ${
        variance[bad]
      } at index ${bad}, need more than -${epsilon}`,
    );
  }
  const factor = (c: number) => weight[c] / Math.sqrt(variance[c] + epsilon);
  const fold = (of: (c: number) => number) =>
    tf.keep(tf.tensor1d(Float32Array.from({ length: channels }, (_, c) => of(c))));
  return {
    tensors: new Map(tensors),
    scale: fold(factor),
    shift: fold((c) => bias[c] - mean[c] * factor(c)),
  };
}
