/**
 * Layers' signals seen through random filters, so that a row holds a few numbers in place of a gradient.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../gpu/kernel_table.ts";
import { connect, type ConvolutionGeometry, convolve, LOOP_STEPS } from "./convolution.ts";
import type { LayerShape, LayerSignals } from "./network.ts";
import { Tensorflow } from "./tensorflow.ts";

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

/** What one launch computes with: `[..., count]` each. */
interface Filters {
  readonly input?: tf.Tensor;
  readonly bias?: tf.Tensor1D;
  readonly delta?: tf.Tensor;
}

/** Input and delta of a layer. */
type Sides = Pick<LayerSignals, "input" | "delta">;

/** Random filters of some layers on the device. Dispose it to free them, `4 (k * k * in + bias + out) count` bytes a layer. */
export class SignalSketch implements Disposable {
  readonly #layers = new Map<string, { shape: LayerShape; filters: readonly Filters[] }>();

  /** @param width numbers of an image that one launch of a convolution's filters may compute, or those of one filter */
  constructor(layers: readonly LayerFilters[], width: number) {
    for (const own of layers) {
      const { layer, shape } = own;
      const filters = layer.kind === "dense"
        ? [uploadFilters(own, 0, Infinity)]
        : uploadChunks(own, layer.geometry, width);
      this.#layers.set(layer.name, { shape, filters });
    }
  }

  /** Signals of what stands for the layers, which the caller disposes; the given ones pass over to it. Other layers' stay as they are. */
  apply(signals: readonly LayerSignals[]): LayerSignals[] {
    return signals.map((signal) => {
      const { layer, input, delta } = signal;
      const found = this.#layers.get(layer.name);
      if (!found) return signal;
      const { shape, filters } = found;
      const sides = tf.tidy((): Sides =>
        layer.kind === "dense"
          ? filterDense(signal, filters[0])
          : filterConvolution(signal, layer.geometry, filters)
      );
      tf.dispose([input, delta].filter((side) => side !== sides.input && side !== sides.delta));
      return { layer: shape, ...sides };
    });
  }

  /** Frees the filters; a second time does nothing. */
  dispose(): void {
    for (const { filters } of this.#layers.values()) {
      for (const { input, bias, delta } of filters) {
        for (const tensor of [input, bias, delta]) tensor?.dispose();
      }
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Columns `first` to `first + count` of a layer's filters. */
function uploadFilters(
  { layer, inputs, deltas }: LayerFilters,
  first: number,
  count: number,
): Filters {
  const [taps, outputs]: [number[], number[]] = layer.kind === "dense"
    ? [[layer.inputs], [layer.outputs]]
    : [
      [layer.geometry.kernel_height, layer.geometry.kernel_width, layer.geometry.in_channels],
      [1, 1, layer.geometry.out_channels],
    ];
  const upload = (matrix: Float32Array | undefined, shape: number[], hasBias: boolean) => {
    if (!matrix) return [];
    const lines = shape.reduce((a, b) => a * b, 1);
    const width = matrix.length / (lines + (hasBias ? 1 : 0));
    const kept = Math.min(count, width - first);
    const cut = matrix.filter((_, at) => {
      const column = at % width;
      return column >= first && column < first + kept;
    });
    return [
      tf.tensor(cut.subarray(0, lines * kept), [...shape, kept]),
      ...hasBias ? [tf.tensor1d(cut.subarray(lines * kept))] : [],
    ];
  };
  const [input, bias] = upload(inputs, taps, layer.bias);
  const [delta] = upload(deltas, outputs, false);
  return { input, bias: bias as tf.Tensor1D | undefined, delta };
}

/** A convolution's filters, as many together as fit. */
function uploadChunks(own: LayerFilters, geometry: ConvolutionGeometry, width: number): Filters[] {
  const { kernel_height, kernel_width, out_height, out_width, out_channels } = geometry;
  const count = own.deltas!.length / out_channels;
  const loops = Math.floor(LOOP_STEPS / (kernel_height * kernel_width)) - 1;
  const together = Math.min(loops, Math.max(1, Math.floor(width / (out_height * out_width))));
  return Array.from(
    { length: Math.ceil(count / together) },
    (_, i) => uploadFilters(own, i * together, together),
  );
}

function filterDense({ input, delta }: Sides, filters: Filters): Sides {
  const filter = (side: tf.Tensor, weight: tf.Tensor | undefined, bias?: tf.Tensor1D) =>
    weight ? connect(side as tf.Tensor2D, weight as tf.Tensor2D, bias) : side;
  return {
    input: filter(input, filters.input, filters.bias),
    delta: filter(delta, filters.delta),
  };
}

function filterConvolution(
  { input, delta }: Sides,
  { stride, pad }: ConvolutionGeometry,
  chunks: readonly Filters[],
): Sides {
  const sums = chunks.map((filters) =>
    tf.tidy(() => {
      const x = input as tf.Tensor4D;
      const seen = convolve(x, filters.input as tf.Tensor4D, filters.bias, { stride, pad });
      const dy = delta as tf.Tensor4D;
      const sent = convolve(dy, filters.delta as tf.Tensor4D, undefined, { stride: 1, pad: 0 });
      return sumProducts(seen, sent);
    })
  );
  return {
    input: tf.reshape(sums.length > 1 ? tf.concat(sums, 1) : sums[0], [input.shape[0], 1, 1, -1]),
    delta: tf.ones([input.shape[0], 1, 1, 1]),
  };
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
      { sample_count, places: height * width, channels },
      { left, right, sums },
      Math.ceil(sample_count * channels / 64),
    );
    return sums;
  },
});
