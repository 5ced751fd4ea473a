/**
 * Layers' signals seen through random filters, so that a row holds a few numbers in place of a gradient.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { applyDense, convolve } from "../operations/convolution.ts";
import { type ConvolutionGeometry, LOOP_STEPS } from "../operations/convolution_geometry.ts";
import type { LayerShape, LayerSignals } from "./network.ts";
import { Tensorflow } from "../operations/tensorflow.ts";

/** Random filters of one layer. */
export interface LayerFilters {
  readonly layer: LayerShape;
  /**
   * What stands for the layer: for a dense one a dense one between the filtered sides, for a convolution with `count` filters one of
   * `[1, 1, count, 1]` over a single pixel, whose gradient is the sum over places of what both sides' filters see.
   */
  readonly shape: LayerShape;
  /** Filters of its input, `[k * k * in, count]` or `[in, count]` f32, the bias's line last; without them the input stays. */
  readonly inputs?: Float32Array;
  /** Filters of its delta, `[out, count]` f32; without them the delta stays. */
  readonly deltas?: Float32Array;
}

/** Filters that one launch computes with. */
interface FilterPart {
  readonly weight: tf.Tensor;
  readonly bias: tf.Tensor1D | undefined;
}

/** Filters of both sides, part by part; of a convolution either side has as many, of as many filters. */
interface FilterParts {
  readonly inputs: readonly FilterPart[];
  readonly deltas: readonly FilterPart[];
}

/** Input and delta of a layer. */
type Sides = Pick<LayerSignals, "input" | "delta">;

/** Numbers of a part of a layer's filters at most, 64 MiB: every device binds twice that. */
const PART_NUMBERS = 2 ** 24;

/** Random filters of some layers on the device. Dispose it to free them, `4 (k * k * in + bias + out) count` bytes a layer. */
export class SignalSketch implements Disposable {
  readonly #layers = new Map<string, { shape: LayerShape; parts: FilterParts }>();

  /** @param width numbers of an image that one launch of a convolution's filters may compute, or those of one filter */
  constructor(layers: readonly LayerFilters[], width: number) {
    for (const filters of layers) {
      const { layer, shape } = filters;
      const parts = layer.kind === "dense"
        ? uploadDense(filters, layer.inputs, layer.outputs)
        : uploadConvolution(filters, layer.geometry, width);
      this.#layers.set(layer.name, { shape, parts });
    }
  }

  /** Signals of what stands for the layers, which the caller disposes; the given ones pass over to it. Other layers' stay as they are. */
  apply(signals: readonly LayerSignals[]): LayerSignals[] {
    return signals.map((signal) => {
      const { layer, input, delta } = signal;
      const found = this.#layers.get(layer.name);
      if (!found) return signal;
      const { shape, parts } = found;
      const sides = tf.tidy((): Sides =>
        layer.kind === "dense"
          ? { input: filterSide(input, parts.inputs), delta: filterSide(delta, parts.deltas) }
          : filterConvolution(signal, layer.geometry, parts)
      );
      tf.dispose([input, delta].filter((side) => side !== sides.input && side !== sides.delta));
      return { layer: shape, ...sides };
    });
  }

  /** Frees the filters; a second time does nothing. */
  dispose(): void {
    for (const { parts: { inputs, deltas } } of this.#layers.values()) {
      for (const { weight, bias } of [...inputs, ...deltas]) {
        weight.dispose();
        bias?.dispose();
      }
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function uploadDense(filters: LayerFilters, inputs: number, outputs: number): FilterParts {
  const { layer: { bias } } = filters;
  return {
    inputs: uploadParts(filters.inputs, [inputs], bias, countFitting(inputs + 1)),
    deltas: uploadParts(filters.deltas, [outputs], false, countFitting(outputs)),
  };
}

function uploadConvolution(
  { layer: { bias }, inputs, deltas }: LayerFilters,
  geometry: ConvolutionGeometry,
  width: number,
): FilterParts {
  const { kernel_height, kernel_width, in_channels, out_channels } = geometry;
  const area = kernel_height * kernel_width;
  const together = Math.min(
    Math.floor(LOOP_STEPS / area) - 1,
    countFitting(Math.max(area * in_channels + 1, out_channels)),
    Math.max(1, Math.floor(width / (geometry.out_height * geometry.out_width))),
  );
  return {
    inputs: uploadParts(inputs, [kernel_height, kernel_width, in_channels], bias, together),
    deltas: uploadParts(deltas, [1, 1, out_channels], false, together),
  };
}

/** Filters of so many lines that one part holds. */
function countFitting(lines: number): number {
  return Math.max(1, Math.floor(PART_NUMBERS / lines));
}

/** Columns of `[lines, count]` in parts, without filters none. */
function uploadParts(
  matrix: Float32Array | undefined,
  shape: readonly number[],
  hasBias: boolean,
  together: number,
): FilterPart[] {
  if (!matrix) return [];
  const lines = shape.reduce((a, b) => a * b, 1);
  const count = matrix.length / (lines + (hasBias ? 1 : 0));
  return Array.from({ length: Math.ceil(count / together) }, (_, part) => {
    const first = part * together;
    const width = Math.min(together, count - first);
    const own = new Float32Array(matrix.length / count * width);
    for (let line = 0; line < own.length / width; line++) {
      const from = line * count + first;
      own.set(matrix.subarray(from, from + width), line * width);
    }
    return {
      weight: tf.tensor(own.subarray(0, lines * width), [...shape, width]),
      bias: hasBias ? tf.tensor1d(own.subarray(lines * width)) : undefined,
    };
  });
}

/** What the filters see of a dense layer's side; the side itself without any. */
function filterSide(side: tf.Tensor, parts: readonly FilterPart[]): tf.Tensor {
  if (parts.length === 0) return side;
  return join(
    parts.map(({ weight, bias }) => applyDense(side as tf.Tensor2D, weight as tf.Tensor2D, bias)),
  );
}

function filterConvolution(
  { input, delta }: Sides,
  { stride, pad }: ConvolutionGeometry,
  { inputs, deltas }: FilterParts,
): Sides {
  const filter = (side: tf.Tensor, { weight, bias }: FilterPart, stride: number, pad: number) =>
    convolve(side as tf.Tensor4D, weight as tf.Tensor4D, bias, { stride, pad });
  const sums = join(
    inputs.map((part, i) =>
      tf.tidy(() => sumProducts(filter(input, part, stride, pad), filter(delta, deltas[i], 1, 0)))
    ),
  );
  const [samples, count] = sums.shape;
  return {
    input: tf.reshape(sums, [samples, 1, 1, count]),
    delta: tf.ones([samples, 1, 1, 1]),
  };
}

/** `[N, count]` of all parts side by side. */
function join(parts: tf.Tensor2D[]): tf.Tensor2D {
  return parts.length > 1 ? tf.concat(parts, 1) : parts[0];
}

const SUM_PRODUCTS = "LpntkSumProducts";

/** `[N, H, W, C]` twice to the sums over the places of an image of their products, `[N, C]`. */
function sumProducts(left: tf.Tensor4D, right: tf.Tensor4D): tf.Tensor2D {
  return tf.engine().runKernel(SUM_PRODUCTS, { left, right });
}

tf.registerKernel({
  kernelName: SUM_PRODUCTS,
  backendName: "webgpu",
  kernelFunc: ({ inputs }) => {
    const tensorflow = Tensorflow.current;
    const { left, right } = inputs as Record<"left" | "right", tf.TensorInfo>;
    const [sample_count, height, width, channels] = left.shape;
    const sums = tensorflow.allocate([sample_count, channels]);
    tensorflow.launch(
      kernels.sum_products,
      { sample_count, positions: height * width, channels },
      { left, right, sums },
      Math.ceil(sample_count * channels / 64),
    );
    return sums;
  },
});
