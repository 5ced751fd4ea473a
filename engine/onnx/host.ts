/**
 * Small tensors of a graph that are computed on the host while it is planned: shapes, indices and constants. The number of samples is
 * {@linkcode SAMPLES} in them.
 *
 * @module
 */
import { countElements } from "../formats/shape.ts";
import { ViewError } from "./view.ts";

/** A tensor on the host, row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  /** Whether the elements are floating-point numbers, which a division does not round. */
  readonly isFloat: boolean;
}

/** Most elements of a tensor that is computed on the host. */
const MOST_ELEMENTS = 2 ** 20;

/**
 * Makes a tensor.
 *
 * @throws {ViewError} if it is too large: shapes and indices are not.
 */
export function makeHost(
  shape: readonly number[],
  at: (index: number) => number,
  isFloat: boolean,
): HostTensor {
  const length = countElements(shape);
  if (length > MOST_ELEMENTS) {
    throw new ViewError(
      "an array with one entry for each sample, or of more than a million numbers",
    );
  }
  return { shape, data: Array.from({ length }, (_, i) => at(i)), isFloat };
}

/** The one number that all elements are; undefined where they differ, or there is none. */
export function findUniform({ data }: HostTensor): number | undefined {
  return data.every((value) => value === data[0]) ? data[0] : undefined;
}

/** Steps from one element to the next along each axis, row-major. */
function strideOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => countElements(shape.slice(axis + 1)));
}

/**
 * Makes a tensor whose element at a place is that of another tensor at the place that `from` gives.
 *
 * @param from maps a place in the result to one in the tensor
 */
function pick(
  { data, shape: own, isFloat }: HostTensor,
  shape: readonly number[],
  from: (place: number[]) => number[],
): HostTensor {
  const [strides, ownStrides] = [strideOf(shape), strideOf(own)];
  return makeHost(shape, (index) => {
    const place = shape.map((size, axis) => Math.floor(index / strides[axis]) % size);
    return data[from(place).reduce((sum, at, axis) => sum + at * ownStrides[axis], 0)];
  }, isFloat);
}

/** Shape that shapes broadcast to, as NumPy's. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[shape.length - rank + i] ?? 1);
    const wide = sizes.filter((size) => size !== 1);
    if (new Set(wide).size > 1) throw new ViewError(`sizes ${wide.join(" and ")} at one axis`);
    return wide[0] ?? 1;
  });
}

/** Repeats a tensor along axes of size 1, to a shape that both broadcast to. */
export function expandHost(tensor: HostTensor, wanted: readonly number[]): HostTensor {
  const shape = broadcastShapes(tensor.shape, wanted);
  const offset = shape.length - tensor.shape.length;
  return pick(
    tensor,
    shape,
    (place) => tensor.shape.map((size, axis) => size === 1 ? 0 : place[axis + offset]),
  );
}

/** Applies a function of numbers to tensors that are broadcast. */
export function mapHost(
  tensors: readonly HostTensor[],
  apply: (...values: number[]) => number,
  isFloat = tensors.some((tensor) => tensor.isFloat),
): HostTensor {
  const shape = broadcastShapes(...tensors.map(({ shape }) => shape));
  const all = tensors.map((tensor) => expandHost(tensor, shape));
  return makeHost(shape, (i) => apply(...all.map(({ data }) => data[i])), isFloat);
}

/** Orders axes anew: axis `i` of the result is axis `axes[i]`. */
export function transposeHost(tensor: HostTensor, axes: readonly number[]): HostTensor {
  return pick(
    tensor,
    axes.map((axis) => tensor.shape[axis]),
    (place) => tensor.shape.map((_, axis) => place[axes.indexOf(axis)]),
  );
}

/** Takes elements at some indices along an axis; a scalar index takes the axis out. */
export function gatherHost(tensor: HostTensor, indices: HostTensor, axis: number): HostTensor {
  const size = tensor.shape[axis];
  const rank = indices.shape.length;
  const strides = strideOf(indices.shape);
  const shape = [...tensor.shape.slice(0, axis), ...indices.shape, ...tensor.shape.slice(axis + 1)];
  return pick(tensor, shape, (place) => {
    const at = strides.reduce((sum, stride, i) => sum + stride * place[axis + i], 0);
    const index = indices.data[at];
    return [
      ...place.slice(0, axis),
      index < 0 ? index + size : index,
      ...place.slice(axis + rank),
    ];
  });
}

/** Joins tensors along an axis. */
export function concatHost(tensors: readonly HostTensor[], axis: number): HostTensor {
  const [{ shape }] = tensors;
  const total = tensors.reduce((sum, { shape }) => sum + shape[axis], 0);
  const inner = countElements(shape.slice(axis + 1));
  const outer = countElements(shape.slice(0, axis));
  const data: number[] = [];
  for (let i = 0; i < outer; i++) {
    for (const tensor of tensors) {
      const length = tensor.shape[axis] * inner;
      data.push(...tensor.data.slice(i * length, (i + 1) * length));
    }
  }
  return {
    shape: [...shape.slice(0, axis), total, ...shape.slice(axis + 1)],
    data,
    isFloat: tensors.some(({ isFloat }) => isFloat),
  };
}

/** Reduces axes to one element each by a function of their elements; all axes where none are named. */
export function reduceHost(
  tensor: HostTensor,
  axes: readonly number[],
  keep: boolean,
  reduce: (values: readonly number[]) => number,
): HostTensor {
  const kept = tensor.shape.map((size, axis) => axes.includes(axis) ? 1 : size);
  const strides = strideOf(tensor.shape);
  const keptStrides = strideOf(kept);
  const lists = Array.from({ length: countElements(kept) }, (): number[] => []);
  tensor.data.forEach((value, index) => {
    const at = kept.reduce(
      (sum, size, axis) =>
        sum + (Math.floor(index / strides[axis]) % tensor.shape[axis] % size) * keptStrides[axis],
      0,
    );
    lists[at].push(value);
  });
  const shape = keep ? kept : tensor.shape.filter((_, axis) => !axes.includes(axis));
  return { shape, data: lists.map(reduce), isFloat: tensor.isFloat };
}

/** Part of an axis: indices from `begin` to before `end` in steps, which may be negative. */
export interface Range {
  readonly begin: number;
  readonly end: number;
  readonly step: number;
}

/** Reads what ONNX's `Slice` says of an axis of this size: negative positions count from the end, and those beyond it are the end. */
export function clampRange({ begin, end, step }: Range, size: number): Range {
  const fromEnd = (at: number) => at < 0 ? at + size : at;
  const clamp = (at: number) =>
    step > 0
      ? Math.min(Math.max(fromEnd(at), 0), size)
      : Math.min(Math.max(fromEnd(at), -1), size - 1);
  return { begin: clamp(begin), end: clamp(end), step };
}

/** Takes a part of an axis. */
export function sliceHost(tensor: HostTensor, axis: number, range: Range): HostTensor {
  const { begin, end, step } = clampRange(range, tensor.shape[axis]);
  const length = Math.max(0, Math.ceil((end - begin) / step));
  const shape = tensor.shape.map((size, i) => i === axis ? length : size);
  return pick(
    tensor,
    shape,
    (place) => place.map((at, i) => i === axis ? begin + at * step : at),
  );
}
