/**
 * Layers without parameters of the float64 networks: pooling and flattening, with their vector-Jacobian products.
 *
 * @module
 */
import { permute, sizeOf, type Tensor, zeros } from "./tensor.ts";

/** A layer with its weights: its forward pass and its vector-Jacobian product. */
export interface Step {
  /** Names and shapes of its parameters; empty for a layer without any. */
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  forward(x: Tensor): Tensor;
  /** Computes from the output gradient `dy` the input gradient `dx` and one gradient for each of `parameters`, in their layout. */
  backward(x: Tensor, dy: Tensor): { dx: Tensor; gradients: Float64Array[] };
}

export const maxPool: Step = {
  parameters: [],
  forward(x) {
    const largest = largestPixels(x);
    return {
      shape: pooledShapeOf(x.shape),
      data: Float64Array.from(largest, (index) => x.data[index]),
    };
  },
  backward(x, dy) {
    const dx = zeros(x.shape);
    largestPixels(x).forEach((index, position) => dx.data[index] += dy.data[position]);
    return { dx, gradients: [] };
  },
};

function pooledShapeOf([count, height, width, channels]: readonly number[]): number[] {
  return [count, Math.floor(height / 2), Math.floor(width / 2), channels];
}

export const averagePool: Step = {
  parameters: [],
  forward(x) {
    const y = zeros(pooledShapeOf(x.shape));
    visitWindows(x, (pixel, position) => y.data[position] += x.data[pixel] / 4);
    return y;
  },
  backward(x, dy) {
    const dx = zeros(x.shape);
    visitWindows(x, (pixel, position) => dx.data[pixel] += dy.data[position] / 4);
    return { dx, gradients: [] };
  },
};

/** Calls `visit` for every pixel of a 2x2 window of `x` `[1, H, W, C]`, with the indices of the pixel and of its window. */
function visitWindows({ shape }: Tensor, visit: (pixel: number, position: number) => void): void {
  const [, height, width, channels] = shape;
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  for (let row = 0; row < 2 * rows; row++) {
    for (let column = 0; column < 2 * columns; column++) {
      for (let c = 0; c < channels; c++) {
        const position = Math.floor(row / 2) * columns + Math.floor(column / 2);
        visit((row * width + column) * channels + c, position * channels + c);
      }
    }
  }
}

export const globalAverage: Step = {
  parameters: [],
  forward({ shape: [count, height, width, channels], data }) {
    const y = zeros([count, channels]);
    data.forEach((value, i) => y.data[i % channels] += value / (height * width));
    return y;
  },
  backward({ shape }, dy) {
    const [, height, width, channels] = shape;
    const dx = zeros(shape);
    return {
      dx: { shape, data: dx.data.map((_, i) => dy.data[i % channels] / (height * width)) },
      gradients: [],
    };
  },
};

/** Finds the index in `x` `[1, H, W, C]` of the largest pixel of each 2x2 window, the first of several. */
function largestPixels(x: Tensor): number[] {
  const [, , width, channels] = x.shape;
  const pooledShape = pooledShapeOf(x.shape);
  const [, rows, columns] = pooledShape;
  const largest: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let channel = 0; channel < channels; channel++) {
        const first = (2 * row * width + 2 * column) * channels + channel;
        const below = first + width * channels;
        largest.push(
          [first, first + channels, below, below + channels].reduce((best, index) =>
            x.data[index] > x.data[best] ? index : best
          ),
        );
      }
    }
  }
  return largest;
}

export const flatten: Step = {
  parameters: [],
  forward(x) {
    const { data } = permute(x, [0, 3, 1, 2]);
    return { shape: [1, sizeOf(x.shape)], data };
  },
  backward(x, dy) {
    const [count, height, width, channels] = x.shape;
    const { data } = dy;
    return {
      dx: permute({ shape: [count, channels, height, width], data }, [0, 2, 3, 1]),
      gradients: [],
    };
  },
};
