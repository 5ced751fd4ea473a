/**
 * Random filters of the two factors of layers' gradients, so that a row holds a few numbers in place of a gradient (`engine/rows/sketch.ts`).
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { applyDense, convolve } from "../operations/convolution.ts";
import {
  type ConvolutionAttributes,
  type ConvolutionGeometry,
  LOOP_STEPS,
  readAttributes,
} from "../operations/convolution_geometry.ts";
import type { LayerFactors, LayerShape } from "./network.ts";
import { Tensorflow } from "../operations/tensorflow.ts";

/** Random filters of one layer. */
export interface LayerFilters {
  readonly layer: LayerShape;
  /**
   * Layer whose factors the filtered ones are. For a dense layer it is a dense layer; for a convolution with `count` filters it is a
   * convolution `[1, 1, count, 1]` over a single pixel, whose gradient is the sum over output positions of the products of what both factors'
   * filters give there.
   */
  readonly shape: LayerShape;
  /** Filters of the input, `[k * k * in, count]` or `[in, count]` f32, and one more row at the end for a bias; none: it stays unfiltered. */
  readonly inputs?: Float32Array;
  /** Filters of the delta, `[out, count]` f32; none: it stays unfiltered. */
  readonly deltas?: Float32Array;
}

/** Filters that one launch computes with. */
interface FilterPart {
  readonly weight: tf.Tensor;
  readonly bias: tf.Tensor1D | undefined;
}

/** Filters of both factors, part by part; those of a convolution's factors are divided alike. */
interface FilterParts {
  readonly inputs: readonly FilterPart[];
  readonly deltas: readonly FilterPart[];
}

/** Input and delta of a layer. */
type Factors = Pick<LayerFactors, "input" | "delta">;

/** Largest number of elements in a part of a layer's filters, 64 MiB: every device binds twice that. */
const PART_ELEMENTS = 2 ** 24;

/** Random filters of some layers on the device. Dispose it to free them, `4 (k * k * in + bias + out) count` bytes a layer. */
export class FactorSketch implements Disposable {
  readonly #layers = new Map<string, { shape: LayerShape; parts: FilterParts }>();

  /** @param width most elements per image that one launch of a convolution's filters computes, unless a single filter has more */
  constructor(layers: readonly LayerFilters[], width: number) {
    for (const filters of layers) {
      const { layer, shape } = filters;
      const parts = layer.kind === "dense"
        ? uploadDense(filters, layer.inputs, layer.outputs)
        : uploadConvolution(filters, layer.geometry, width);
      this.#layers.set(layer.name, { shape, parts });
    }
  }

  /** Filters layers' factors; those of layers without filters stay as they are. Takes the given tensors over; the caller disposes the results. */
  apply(factors: readonly LayerFactors[]): LayerFactors[] {
    return factors.map((own) => {
      const { layer, input, delta } = own;
      const found = this.#layers.get(layer.name);
      if (!found) return own;
      const { shape, parts } = found;
      const filtered = tf.tidy((): Factors =>
        layer.kind === "dense"
          ? { input: filterFactor(input, parts.inputs), delta: filterFactor(delta, parts.deltas) }
          : filterConvolution(own, layer.geometry, parts)
      );
      const kept = [filtered.input, filtered.delta];
      tf.dispose([input, delta].filter((factor) => !kept.includes(factor)));
      return { layer: shape, ...filtered };
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

/** Computes how many filters of `length` elements one part holds. */
function countFitting(length: number): number {
  return Math.max(1, Math.floor(PART_ELEMENTS / length));
}

/**
 * Uploads filters, the columns of a matrix, in parts of at most `together` filters; without a matrix there are no parts.
 *
 * @param shape sizes of one filter without the bias
 */
function uploadParts(
  matrix: Float32Array | undefined,
  shape: readonly number[],
  hasBias: boolean,
  together: number,
): FilterPart[] {
  if (!matrix) return [];
  const length = shape.reduce((a, b) => a * b, 1);
  const count = matrix.length / (length + (hasBias ? 1 : 0));
  return Array.from({ length: Math.ceil(count / together) }, (_, part) => {
    const first = part * together;
    const width = Math.min(together, count - first);
    const own = new Float32Array(matrix.length / count * width);
    for (let k = 0; k < own.length / width; k++) {
      const from = k * count + first;
      own.set(matrix.subarray(from, from + width), k * width);
    }
    return {
      weight: tf.tensor(own.subarray(0, length * width), [...shape, width]),
      bias: hasBias ? tf.tensor1d(own.subarray(length * width)) : undefined,
    };
  });
}

/** Filters a factor of a dense layer, `[N, length]` to `[N, count]`; without filters it stays as it is. */
function filterFactor(factor: tf.Tensor, parts: readonly FilterPart[]): tf.Tensor {
  if (parts.length === 0) return factor;
  return join(
    parts.map(({ weight, bias }) => applyDense(factor as tf.Tensor2D, weight as tf.Tensor2D, bias)),
  );
}

function filterConvolution(
  { input, delta }: Factors,
  geometry: ConvolutionGeometry,
  { inputs, deltas }: FilterParts,
): Factors {
  const attributes = readAttributes(geometry);
  const filter = (
    factor: tf.Tensor,
    { weight, bias }: FilterPart,
    attributes: ConvolutionAttributes = {},
  ) => convolve(factor as tf.Tensor4D, weight as tf.Tensor4D, bias, attributes);
  const sums = join(
    inputs.map((part, i) =>
      tf.tidy(() => sumProducts(filter(input, part, attributes), filter(delta, deltas[i])))
    ),
  );
  const [samples, count] = sums.shape;
  return {
    input: tf.reshape(sums, [samples, 1, 1, count]),
    delta: tf.ones([samples, 1, 1, 1]),
  };
}

/** Joins the parts' results side by side, `[N, count]`. */
function join(parts: tf.Tensor2D[]): tf.Tensor2D {
  return parts.length > 1 ? tf.concat(parts, 1) : parts[0];
}

const SUM_PRODUCTS = "LpntkSumProducts";

/** Multiplies two tensors `[N, H, W, C]` element by element, and sums the products over the positions of an image, `[N, C]`. */
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
