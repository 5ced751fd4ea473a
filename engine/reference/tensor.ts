/**
 * Arrays with a shape, the types of the float64 twins. The twins import nothing from outside their folder, so that they cannot share a mistake
 * with the code that they check.
 *
 * @module
 */

/** An array with a shape, row-major: the inputs of float64 twins, for which float32 arrays are exact. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** A float64 array with a shape, row-major: the results of float64 twins. */
export interface Tensor extends Numbers {
  readonly data: Float64Array;
}

/** The number of elements of a shape; 1 for the empty shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[]): Tensor {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

/**
 * Sample `n` of a batch, as a batch of one: `[N, ...]` to `[1, ...]`, copied.
 *
 * @throws {RangeError} if there is no sample `n`.
 */
export function sampleAt(batch: Numbers, n: number): Tensor {
  const [count, ...rest] = batch.shape;
  if (!(n >= 0 && n < count)) {
    throw new RangeError(`Cannot take sample ${n}: got a batch of ${count}, need more than ${n}`);
  }
  const size = sizeOf(rest);
  const data = Float64Array.from({ length: size }, (_, i) => batch.data[n * size + i]);
  return { shape: [1, ...rest], data };
}

/**
 * Permutes axes, as PyTorch's `permute`: axis `k` of the result is axis `axes[k]` of the source. The result is a copy.
 *
 * @throws {RangeError} if `axes` does not name every axis once.
 */
export function permute(source: Numbers, axes: readonly number[]): Tensor {
  if (source.shape.some((_, axis) => !axes.includes(axis)) || axes.length !== source.shape.length) {
    throw new RangeError(
      `Cannot permute [${source.shape}]: got axes [${axes}], need every axis once`,
    );
  }
  const strides = source.shape.map((_, axis) => sizeOf(source.shape.slice(axis + 1)));
  const result = zeros(axes.map((axis) => source.shape[axis]));
  for (let index = 0; index < result.data.length; index++) {
    let rest = index;
    let from = 0;
    for (let k = axes.length - 1; k >= 0; k--) {
      from += (rest % result.shape[k]) * strides[axes[k]];
      rest = Math.floor(rest / result.shape[k]);
    }
    result.data[index] = source.data[from];
  }
  return result;
}

/** Stacks rows of equal length into one tensor `[rows, length]`. */
export function stackRows(rows: readonly number[][]): Tensor {
  return { shape: [rows.length, rows[0]?.length ?? 0], data: Float64Array.from(rows.flat()) };
}
