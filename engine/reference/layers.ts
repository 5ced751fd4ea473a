/**
 * Layers with parameters of the float64 networks, with their vector-Jacobian products.
 *
 * @module
 */
import {
  biasGradient,
  convFilterGradient,
  convForward,
  convInputGradient,
  type Stride,
} from "./convolution.ts";
import type { Step } from "./steps.ts";
import { type Numbers, permute, type Tensor, zeros } from "./tensor.ts";

/** Parameters by their names in PyTorch's `state_dict`. */
export type Weights = ReadonlyMap<string, Numbers>;

/** Reads a layer's weight and, where it has one, its bias; `parameters` has their names and shapes. */
function readParameters(name: string, weights: Weights) {
  const weight = weights.get(`${name}.weight`);
  const bias = weights.get(`${name}.bias`);
  if (weight === undefined) {
    throw new RangeError(
      `Cannot run layer ${name}: got weights without ${name}.weight, need its tensor`,
    );
  }
  const parameters = [{ name: `${name}.weight`, shape: weight.shape }];
  if (bias !== undefined) parameters.push({ name: `${name}.bias`, shape: bias.shape });
  return { weight, bias, parameters };
}

export function bindConv(
  { name, stride, pad, dilation, groups }: { name: string } & Stride,
  weights: Weights,
): Step {
  const place = { stride, pad, dilation, groups };
  const { weight, bias, parameters } = readParameters(name, weights);
  const w = permute(weight, [2, 3, 1, 0]); // OIHW to HWIO
  return {
    parameters,
    forward: (x) => convForward({ x, w, b: bias, ...place }),
    backward(x, dy) {
      const dw = convFilterGradient({ x, dy, filterShape: w.shape, ...place });
      const dwTorch = permute(dw, [3, 2, 0, 1]).data; // HWIO to OIHW
      return {
        dx: convInputGradient({ dy, w, inputShape: x.shape, ...place }),
        gradients: bias === undefined ? [dwTorch] : [dwTorch, biasGradient(dy).data],
      };
    },
  };
}

/** A dense layer `y = W x + b`, for `W` `[out, in]`. */
export function bindDense(name: string, weights: Weights): Step {
  const { weight, bias, parameters } = readParameters(name, weights);
  const [outputs, inputs] = weight.shape;
  const w = Float64Array.from(weight.data);
  return {
    parameters,
    forward(x) {
      if (x.data.length !== inputs) {
        throw new RangeError(
          `Cannot run layer ${name}: got ${x.data.length} inputs, need ${inputs}`,
        );
      }
      const y = zeros([1, outputs]);
      for (let o = 0; o < outputs; o++) {
        if (bias !== undefined) y.data[o] = bias.data[o];
        for (let i = 0; i < inputs; i++) y.data[o] += w[o * inputs + i] * x.data[i];
      }
      return y;
    },
    backward(x, dy) {
      const dx = zeros(x.shape);
      const dw = new Float64Array(outputs * inputs);
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) {
          dx.data[i] += dy.data[o] * w[o * inputs + i];
          dw[o * inputs + i] = dy.data[o] * x.data[i];
        }
      }
      return { dx, gradients: bias === undefined ? [dw] : [dw, biasGradient(dy).data] };
    },
  };
}

export function bindNorm(
  { name, epsilon }: { name: string; epsilon: number },
  weights: Weights,
): Step {
  const [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
    (part) => Array.from(weights.get(`${name}.${part}`)!.data),
  );
  const factors = weight.map((value, c) => value / Math.sqrt(variance[c] + epsilon));
  const map = (values: Tensor, f: (value: number, c: number) => number): Tensor => ({
    shape: values.shape,
    data: values.data.map((value, i) => f(value, i % factors.length)),
  });
  const sumUp = (values: Tensor, f: (value: number, i: number, c: number) => number) => {
    const sums = new Float64Array(factors.length);
    values.data.forEach((value, i) => {
      const c = i % factors.length;
      sums[c] += f(value, i, c);
    });
    return sums;
  };
  return {
    parameters: ["weight", "bias"].map((part) => ({
      name: `${name}.${part}`,
      shape: [factors.length],
    })),
    forward: (x) => map(x, (value, c) => (value - mean[c]) * factors[c] + bias[c]),
    backward: (x, dy) => ({
      dx: map(dy, (value, c) => value * factors[c]),
      gradients: [
        sumUp(
          dy,
          (value, i, c) => value * (x.data[i] - mean[c]) / Math.sqrt(variance[c] + epsilon),
        ),
        sumUp(dy, (value) => value),
      ],
    }),
  };
}

export function bindParameter(name: string, weights: Weights): Step {
  const { shape, data } = weights.get(name)!;
  return {
    parameters: [{ name, shape }],
    forward: (x) => ({ shape: x.shape, data: x.data.map((value, i) => value + data[i]) }),
    backward: (_, dy) => ({ dx: dy, gradients: [dy.data] }),
  };
}
