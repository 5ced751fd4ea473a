/**
 * Float64 twins of pooling over windows of any size, stride and padding, by PyTorch's rules.
 *
 * @module
 */
import { type Numbers, type Tensor, zeros } from "./tensor.ts";

/** Pooling: `adaptive` has `outputs` alone; `pad` is `[top, right, bottom, left]`. */
export interface Pooling {
  readonly kind: "maximum" | "mean" | "paddedMean" | "adaptive";
  readonly size?: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly pad?: readonly [number, number, number, number];
  readonly ceil?: boolean;
  readonly outputs?: readonly [number, number];
}

/** Pixels `first` to below `end` of a window along one axis, and how many a padded mean counts. */
interface Extent {
  readonly first: number;
  readonly end: number;
  readonly counted: number;
}

function listExtents(pooling: Pooling, axis: 0 | 1, length: number): Extent[] {
  if (pooling.kind === "adaptive") {
    const count = pooling.outputs![axis];
    return Array.from({ length: count }, (_, i) => {
      const first = Math.floor(i * length / count);
      const end = Math.ceil((i + 1) * length / count);
      return { first, end, counted: end - first };
    });
  }
  const { pad = [0, 0, 0, 0], ceil = false } = pooling;
  const size = pooling.size![axis];
  const stride = (pooling.stride ?? pooling.size!)[axis];
  const [before, after] = axis === 0 ? [pad[0], pad[2]] : [pad[3], pad[1]];
  const extents: Extent[] = [];
  for (let start = -before;; start += stride) {
    const isWhole = start + size <= length + after;
    if (!isWhole && !(ceil && start < length && start + size - stride < length + after)) {
      return extents;
    }
    const end = Math.min(start + size, length + after);
    const [first, last] = [Math.max(start, 0), Math.min(end, length)];
    extents.push({
      first,
      end: last,
      counted: pooling.kind === "paddedMean" ? end - start : last - first,
    });
  }
}

/** Calls `visit` for every output in their order, with the indices of its window's pixels, row by row, and its mean's divisor. */
function visitWindows(
  x: Numbers,
  pooling: Pooling,
  visit: (pixels: number[], divisor: number) => void,
): number[] {
  const [count, height, width, channels] = x.shape;
  const [rows, columns] = [listExtents(pooling, 0, height), listExtents(pooling, 1, width)];
  for (let n = 0; n < count; n++) {
    for (const row of rows) {
      for (const column of columns) {
        for (let c = 0; c < channels; c++) {
          const pixels: number[] = [];
          for (let r = row.first; r < row.end; r++) {
            for (let s = column.first; s < column.end; s++) {
              pixels.push(((n * height + r) * width + s) * channels + c);
            }
          }
          visit(pixels, row.counted * column.counted);
        }
      }
    }
  }
  return [count, rows.length, columns.length, channels];
}

/** Pools `x` `[N, H, W, C]`; the first of several equal maxima counts. */
export function poolForward(x: Numbers, pooling: Pooling): Tensor {
  const values: number[] = [];
  const shape = visitWindows(x, pooling, (pixels, divisor) => {
    const window = pixels.map((at) => x.data[at]);
    values.push(
      pooling.kind === "maximum"
        ? Math.max(...window)
        : window.reduce((sum, value) => sum + value, 0) / divisor,
    );
  });
  return { shape, data: Float64Array.from(values) };
}

/** The gradient of `sum(dy * poolForward(x, pooling))` with respect to `x`. */
export function poolGradient(x: Numbers, dy: Numbers, pooling: Pooling): Tensor {
  const dx = zeros(x.shape);
  let output = 0;
  visitWindows(x, pooling, (pixels, divisor) => {
    const delta = dy.data[output++];
    if (pooling.kind === "maximum") {
      dx.data[pixels.reduce((best, at) => x.data[at] > x.data[best] ? at : best)] += delta;
    } else {
      for (const at of pixels) dx.data[at] += delta / divisor;
    }
  });
  return dx;
}
