/**
 * A network's layers: their sizes and their parameters.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { countElements } from "../formats/shape.ts";
import { DataError, WeightsError } from "../errors.ts";
import type { ConvolutionGeometry } from "../operations/convolution_geometry.ts";
import type { ParameterMaker, Weights } from "./parameters.ts";

/** A layer with parameters. */
export interface LayerDescription {
  /** Prefix of its parameters in the `state_dict`. */
  readonly name: string;
  /** Which of the layers with parameters it is. */
  readonly kind: "dense" | "convolution";
  /** Whether it adds a bias. */
  readonly bias: boolean;
  /** Shape of what it gives for one sample, `[O]` or `[H, W, O]`. */
  readonly outputShape: readonly number[];
}

/** Sizes of a parametric layer, as packed rows need them; they differ by kind of layer. */
export type LayerShape =
  & LayerDescription
  & (
    | { readonly kind: "dense"; readonly inputs: number; readonly outputs: number }
    | { readonly kind: "convolution"; readonly geometry: ConvolutionGeometry }
  );

/** A parametric layer with its parameters. */
export interface Layer {
  readonly shape: LayerShape;
  readonly weight: tf.Variable;
  readonly bias: tf.Variable | undefined;
}

/** A frozen batch norm: its tensors by their names, and what they come to. */
export interface Norm {
  readonly tensors: Weights;
  /** `x * scale + shift`, `[C]` each. */
  readonly scale: tf.Tensor;
  readonly shift: tf.Tensor;
}

/**
 * A layer with new parameters.
 *
 * @param wanted the weight's shape, outputs last
 * @param bindingBytes the largest binding of the device
 * @param measure the layer's sizes, from the shape that the weight has; whatever is refused is refused before anything is kept
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

/** A batch norm folded as an affine map, in float64 and rounded once. */
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
      } at place ${bad}, need more than -${epsilon}`,
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
