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
import { CHANNEL_BLOCK } from "../operations/convolution_launch.ts";
import type { LayerFactors } from "./factors.ts";
import { geometryOf, type LayerShape } from "./layer.ts";
import { Tensorflow } from "../operations/tensorflow.ts";

/** Random filters of one layer. */
export interface LayerFilters {
  readonly layer: LayerShape;
  /**
   * Layer whose factors the filtered ones are. For a dense layer over `[N, D]` it is such a layer; for one of several positions with `count`
   * filters it is a parameter `[count]`, whose gradient is the sum over positions of the products of what both factors' filters give there.
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

/** Bounds of one launch of filters, for each image. */
export interface FilterBounds {
  /** Most elements that filters of a convolution compute, unless a single filter has more. */
  readonly width: number;
  /** Most FLOP, unless {@linkcode CHANNEL_BLOCK} filters take more. */
  readonly flops: number;
}

/** Largest number of elements in a part of a layer's filters, 64 MiB: every device binds twice that. */
const PART_ELEMENTS = 2 ** 24;

/** Random filters of some layers on the device. Dispose it to free them, `4 (k * k * in + bias + out) count` bytes a layer. */
export class FactorSketch implements Disposable {
  readonly #layers = new Map<string, { shape: LayerShape; parts: FilterParts }>();

  /** @param bounds of one launch of filters */
  constructor(layers: readonly LayerFilters[], bounds: FilterBounds) {
    for (const filters of layers) {
      const { layer, shape } = filters;
      const parts = shape.kind === "dense"
        ? uploadDense(filters, layer as typeof shape, bounds)
        : uploadConvolution(filters, geometryOf(layer), bounds);
      this.#layers.set(layer.name, { shape, parts });
    }
  }

  /** Filters layers' factors; those of layers without filters stay as they are. Takes the given tensors over; the caller disposes the results. */
  apply(factors: readonly LayerFactors[]): LayerFactors[] {
    return [...Map.groupBy(factors, ({ layer }) => layer.name)].flatMap(([name, places]) => {
      const found = this.#layers.get(name);
      if (!found) return places;
      const { shape, parts } = found;
      const given = places.flatMap(({ input, delta }) => [input!, delta]);
      const filtered = tf.tidy((): Factors => {
        if (shape.kind !== "dense") {
          return { delta: tf.addN(places.map((own) => filterConvolution(own, parts))) };
        }
        const [{ input, delta }] = places;
        return {
          input: filterFactor(input!, parts.inputs),
          delta: filterFactor(delta, parts.deltas),
        };
      });
      const kept = [filtered.input, filtered.delta];
      tf.dispose(given.filter((factor) => !kept.includes(factor)));
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

function uploadDense(
  filters: LayerFilters,
  { inputs, outputs }: Extract<LayerShape, { kind: "dense" }>,
  { flops }: FilterBounds,
): FilterParts {
  const { layer: { bias } } = filters;
  const countTogether = (length: number) =>
    Math.min(countFitting(length), countTimely(flops, length));
  return {
    inputs: uploadParts(filters.inputs, [inputs], bias, countTogether(inputs + 1)),
    deltas: uploadParts(filters.deltas, [outputs], false, countTogether(outputs)),
  };
}

function uploadConvolution(
  { layer: { bias }, inputs, deltas }: LayerFilters,
  geometry: ConvolutionGeometry,
  { width, flops }: FilterBounds,
): FilterParts {
  const { kernel_height, kernel_width, in_channels, out_channels } = geometry;
  const area = kernel_height * kernel_width;
  const positions = geometry.out_height * geometry.out_width;
  const length = Math.max(area * in_channels + 1, out_channels);
  const together = Math.min(
    Math.floor(LOOP_STEPS / area) - 1,
    countFitting(length),
    Math.max(1, Math.floor(width / positions)),
    countTimely(flops, positions * length),
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

/** Computes how many filters of so many multiplications per image take no more FLOP: whole blocks of what an invocation computes. */
function countTimely(flops: number, multiplications: number): number {
  return CHANNEL_BLOCK * Math.max(1, Math.floor(flops / (2 * multiplications * CHANNEL_BLOCK)));
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

/** Filters both factors of a layer of several positions, and sums the products of what the filters give there, `[N, count]`. */
function filterConvolution(
  { layer, input, delta }: LayerFactors,
  { inputs, deltas }: FilterParts,
): tf.Tensor2D {
  const geometry = geometryOf(layer);
  const { in_height, in_width, in_channels, out_height, out_width, out_channels } = geometry;
  const [samples] = delta.shape;
  const images = tf.reshape(input!, [samples, in_height, in_width, in_channels]) as tf.Tensor4D;
  const gradients = tf.reshape(delta, [
    samples,
    out_height,
    out_width,
    out_channels,
  ]) as tf.Tensor4D;
  const attributes = readAttributes(geometry);
  const filter = (
    factor: tf.Tensor4D,
    { weight, bias }: FilterPart,
    attributes: ConvolutionAttributes = {},
  ) => convolve(factor, weight as tf.Tensor4D, bias, attributes);
  return join(
    inputs.map((part, i) =>
      tf.tidy(() => sumProducts(filter(images, part, attributes), filter(gradients, deltas[i])))
    ),
  );
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
