// stands in until the operations are in definition.ts
import type { Activations, Layers as Now } from "../network/definition.ts";
type Unary = (x: Activations) => Activations;
type Binary = (x: Activations, y: Activations | number) => Activations;
type Window = {
  stride?: number | readonly number[];
  pad?: number | readonly number[];
  ceil?: boolean;
};
export type Layers =
  & Omit<
    Now,
    | "convolution"
    | "dense"
    | "add"
    | "maxPool"
    | "averagePool"
    | "batchNorm"
    | "globalAverage"
    | "dropout"
  >
  & {
    convolution(
      name: string,
      x: Activations,
      options: {
        filters: number;
        size: number | readonly number[];
        stride?: number | readonly number[];
        pad?: number | readonly number[];
        dilation?: number | readonly number[];
        groups?: number;
        bias?: boolean;
      },
    ): Activations;
    dense(name: string, x: Activations, units: number, options?: { bias?: boolean }): Activations;
    batchNorm(name: string, x: Activations, options?: { epsilon?: number }): Activations;
    dropout(x: Activations, share: number): Activations;
    maxPool(x: Activations, size: number | readonly number[], options?: Window): Activations;
    averagePool(
      x: Activations,
      size: number | readonly number[],
      options?: Window & { countPad?: boolean },
    ): Activations;
    globalAverage: Unary;
    relu: Unary;
    tanh: Unary;
    gelu: Unary;
    sigmoid: Unary;
    silu: Unary;
    softplus: Unary;
    hardSwish: Unary;
    hardSigmoid: Unary;
    relu6: Unary;
    erf: Unary;
    exp: Unary;
    log: Unary;
    sqrt: Unary;
    square: Unary;
    negate: Unary;
    absolute: Unary;
    reciprocal: Unary;
    leakyRelu(x: Activations, slope?: number): Activations;
    elu(x: Activations, alpha?: number): Activations;
    softmax(x: Activations, axis?: number): Activations;
    power(x: Activations, exponent: number): Activations;
    clip(x: Activations, least: number, most: number): Activations;
    normalise(x: Activations, axes: readonly number[], options?: { epsilon?: number }): Activations;
    add: Binary;
    subtract: Binary;
    multiply: Binary;
    divide: Binary;
    matmul(x: Activations, y: Activations): Activations;
    mean(x: Activations, axes: readonly number[], options?: { keep?: boolean }): Activations;
    sum(x: Activations, axes: readonly number[], options?: { keep?: boolean }): Activations;
    concat(list: readonly Activations[], axis: number): Activations;
    slice(x: Activations, axis: number, begin: number, end: number, step?: number): Activations;
    pad(x: Activations, pads: readonly (readonly [number, number])[], value?: number): Activations;
    transpose(x: Activations, axes: readonly number[]): Activations;
    reshape(x: Activations, shape: readonly number[]): Activations;
  };
