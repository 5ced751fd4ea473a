/**
 * Float64 twin of the Gram kernels: products of packed rows.
 *
 * @module
 */

/** A segment of a packed row, which holds one layer's gradient. */
export type Segment =
  /** The layer's contracted gradient itself: `length` elements from `offset` on. */
  | { readonly kind: "plain"; readonly offset: number; readonly length: number }
  /**
   * The layer's gradient as factors, the sum over positions of `a ⊗ δ`: for each of `positions`, one after another from `offset` on, the
   * `inputs` elements of `a` (the 1 of a bias counted), then the `outputs` elements of `δ`.
   */
  | {
    readonly kind: "factored";
    readonly offset: number;
    readonly positions: number;
    readonly inputs: number;
    readonly outputs: number;
  };

/** A Gram matrix, and the magnitudes to which its rounding errors are proportional. */
export interface Gram {
  /** The matrix, `[N, M]`. */
  readonly value: Float64Array;
  /** The same sums over the absolute values of all products, `[N, M]`. */
  readonly magnitude: Float64Array;
}

/**
 * The Gram matrix of packed rows: the sum over segments of `r · r'` (plain) or, summed over all pairs of positions, `(a · a')(δ · δ')`
 * (factored).
 *
 * `rowsA` are N rows and `rowsB` M rows, both laid out as `segments`; returns `[N, M]` arrays.
 */
export function gramRows(
  rowsA: readonly ArrayLike<number>[],
  rowsB: readonly ArrayLike<number>[],
  segments: readonly Segment[],
): Gram {
  const value = new Float64Array(rowsA.length * rowsB.length);
  const magnitude = new Float64Array(rowsA.length * rowsB.length);
  rowsA.forEach((a, n) =>
    rowsB.forEach((b, m) => {
      for (const segment of segments) {
        const product = multiplySegment(a, b, segment);
        value[n * rowsB.length + m] += product.value;
        magnitude[n * rowsB.length + m] += product.magnitude;
      }
    })
  );
  return { value, magnitude };
}

/** A dot product and the same sum over absolute products. */
interface Product {
  readonly value: number;
  readonly magnitude: number;
}

function multiplySegment(a: ArrayLike<number>, b: ArrayLike<number>, segment: Segment): Product {
  if (segment.kind === "plain") return multiplyRange(a, b, segment.offset, segment.length);
  const { offset, positions, inputs, outputs } = segment;
  let value = 0;
  let magnitude = 0;
  for (let p = 0; p < positions; p++) {
    for (let q = 0; q < positions; q++) {
      const [first, second] = [p, q].map((position) => offset + position * (inputs + outputs));
      const seen = multiplyRange(a, b, first, inputs, second);
      const deltas = multiplyRange(a, b, first + inputs, outputs, second + inputs);
      value += seen.value * deltas.value;
      magnitude += seen.magnitude * deltas.magnitude;
    }
  }
  return { value, magnitude };
}

function multiplyRange(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  offset: number,
  length: number,
  other = offset,
): Product {
  let value = 0;
  let magnitude = 0;
  for (let k = 0; k < length; k++) {
    const product = a[offset + k] * b[other + k];
    value += product;
    magnitude += Math.abs(product);
  }
  return { value, magnitude };
}
