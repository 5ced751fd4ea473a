/**
 * Sketched rows: seeded random projections of each layer's two factors, for rows that are too long to be exact.
 *
 * The gradient of a layer's weights is `G = sum_p a_p (x) d_p` over its output positions p. Of a convolution a sketched row holds m numbers
 * `s_k = sum_p (f_k . a_p) (g_k . d_p) / sqrt(m)`, computed by convolutions: of the layer's input with m filters of the layer's own geometry,
 * of its delta with m filters of one pixel, whose products are summed; G is never formed. Filters are rows of two Hadamard matrices
 * whose columns have random signs, a subsampled Kronecker transform (R. Jin, T. G. Kolda and R. Ward, Faster Johnson-Lindenstrauss
 * transforms via Kronecker products, Information and Inference 10, 2021). The signs alone make products of sketches unbiased,
 * `E <s, s'> = <G, G'>`, whatever rows are taken. They are taken in turns, so that every row of either matrix occurs as often as any other
 * and no pair twice, which takes away most of the variance that comes from one side alone.
 *
 * In float64, on the convolutions of LeNet-5 and a narrow ResNet-18, the error over 64 to 256 numbers was 0.9 to 2.1 times `1 / sqrt(m)`;
 * with pairs of independent random filters (Khatri-Rao) it was 1.2 to 2.5, with the Kronecker product of sqrt(m) filters of either side,
 * which costs less, 2.0 to 5.5, and with m dense random matrices as large as the gradient 1.0 to 1.5 (`bench/RESULTS.md`).
 *
 * Of a dense layer, which has one position, a row holds the two sketched factors, or one of them whole where that loses less: over as many
 * numbers the error of `(a . a') (d . d')` was 0.6 to 1.5 times `1 / sqrt(m)` on the dense layers of the same two networks, that of pairs in
 * turns 1.2 to 1.6.
 *
 * @module
 */
import { createGenerator, drawPermutation, drawUniform, STREAMS } from "../data/random.ts";
import { geometryOf, type LayerShape } from "../network/layer.ts";
import { checkKeys } from "../options.ts";
import type { LayerFilters } from "../network/factor_sketch.ts";
import {
  type ConvolutionForm,
  countProducts,
  countTaps,
  layOutRow,
  type RowLayout,
  type Sketch,
} from "./layout.ts";

/** A layer, and the numbers of filters that sketch it. */
export interface SketchedLayer {
  readonly layer: LayerShape;
  /** Layer that the row's segment belongs to; the layer itself where it stays exact. */
  readonly shape: LayerShape;
  /** Number of filters of its input; undefined: it stays unfiltered. */
  readonly inputs?: number;
  /** Number of filters of its delta; undefined: it stays unfiltered. */
  readonly deltas?: number;
}

/** Least number of elements of a matrix of weights: each factor needs one. */
const LEAST = 2;

/** Plan of sketched rows: the sketch of each layer, and the rows' layout. */
export interface SketchPlan {
  readonly layers: readonly SketchedLayer[];
  readonly layout: RowLayout;
  readonly sketch: Sketch;
}

/**
 * Divides a row's elements among the layers, and plans its layout. Layers whose exact segment takes no more multiplications than an equal share
 * has elements stay exact, and leave the rest to the others; parameters that are no matrix of weights, and grouped convolutions, always do.
 *
 * @throws {RangeError} if the dimension is no integer of at least two for each matrix of weights and the numbers of whatever stays exact, or the seed is
 * out of range.
 */
export function planSketch(
  layers: readonly LayerShape[],
  request: Sketch,
  form?: ConvolutionForm,
): SketchPlan {
  checkKeys<Sketch>("sketch rows", request, { dimension: true, seed: true });
  const { dimension, seed } = request;
  const products = layers.map((layer) => countProducts(layOutRow([layer], form)));
  // of a grouped convolution each group would need filters of its own
  const isExact = layers.map((layer) => layer.kind === "parameter" || geometryOf(layer).groups > 1);
  const least = sum(products.map((count, i) => isExact[i] ? count : Math.min(count, LEAST)));
  if (!(Number.isInteger(dimension) && dimension >= least)) {
    throw new RangeError(
      `Cannot sketch rows: got ${dimension} numbers for ${layers.length} layers, need a whole number of at least ${least}`,
    );
  }
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new RangeError(
      `Cannot sketch rows: got seed ${seed}, need an integer from 0 to ${2 ** 32 - 1}`,
    );
  }
  const shares = shareOut(products, isExact, dimension);
  const sketched = layers.map((layer, i): SketchedLayer => {
    if (shares[i] === products[i]) return { layer, shape: layer };
    return layer.kind === "dense" && layer.positions === 1
      ? splitDense(layer, shares[i])
      : stackFilters(layer, shares[i]);
  });
  const { segments, length } = layOutRow(sketched.map(({ shape }) => shape), form);
  const layout = {
    segments: segments.map((segment, i) =>
      sketched[i].shape === layers[i] ? segment : { ...segment, isSketched: true }
    ),
    length,
    sketch: { dimension, seed },
  };
  return { layers: sketched, layout, sketch: layout.sketch };
}

/** Draws the filters of the layers that are not exact; they depend on the seed and on the layer's name and sizes alone. */
export function drawFilters({ layers, sketch: { seed } }: SketchPlan): LayerFilters[] {
  return layers.filter(({ layer, shape }) => layer !== shape).map((own) => {
    const { layer, shape } = own;
    const generator = createGenerator(seed, STREAMS.sketch, hashName(layer.name));
    const [inputs, outputs] = measureSides(layer);
    const signs = [inputs, outputs].map((length) => drawUniform(generator, length, 1));
    const orders = [inputs, outputs].map((length) => drawPermutation(generator, padSide(length)));
    if (shape.kind === "parameter") {
      const count = own.deltas!;
      const [first, second] = pairRows(orders[0], orders[1], count);
      return {
        layer,
        shape,
        inputs: fillHadamard(signs[0], first, 1),
        deltas: fillHadamard(signs[1], second, 1 / Math.sqrt(count)),
      };
    }
    const [inputFilters, deltaFilters] = [own.inputs, own.deltas].map((count, side) =>
      count === undefined
        ? undefined
        : fillHadamard(signs[side], orders[side].subarray(0, count), 1 / Math.sqrt(count))
    );
    return { layer, shape, inputs: inputFilters, deltas: deltaFilters };
  });
}

/** Divides a dimension into equal shares, except that a layer gets no more than it needs, an exact one all of it, and leaves the rest to the others. */
function shareOut(
  needs: readonly number[],
  isExact: readonly boolean[],
  dimension: number,
): number[] {
  const shares = needs.map((need, i) => isExact[i] ? need : 0);
  const order = [...needs.keys()].filter((i) => !isExact[i]).sort((a, b) => needs[a] - needs[b]);
  let left = dimension - sum(shares);
  order.forEach((layer, done) => {
    shares[layer] = Math.min(needs[layer], Math.floor(left / (order.length - done)));
    left -= shares[layer];
  });
  return shares;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** Divides a dense layer's share between its factors, for the least variance of the product of two samples whose factors are alike. */
function splitDense(layer: LayerShape & { kind: "dense" }, share: number): SketchedLayer {
  const [inputs, outputs] = measureSides(layer);
  const spread = (outputFilters: number) =>
    measureVariance(inputs, share - outputFilters) + measureVariance(outputs, outputFilters);
  let deltas = 1;
  for (let tried = 2; tried <= Math.min(outputs, share - 1); tried++) {
    if (spread(tried) < spread(deltas)) deltas = tried;
  }
  const inputFilters = Math.min(inputs, share - deltas);
  const isWhole = [inputFilters === inputs, deltas === outputs];
  return {
    layer,
    shape: {
      ...layer,
      ...!isWhole[0] && { inputs: inputFilters, bias: false },
      outputs: deltas,
      outputShape: [deltas],
    },
    ...!isWhole[0] && { inputs: inputFilters },
    ...!isWhole[1] && { deltas },
  };
}

/** Computes half the relative variance of a vector's squared length, estimated from rows of a Hadamard matrix drawn without replacement. */
function measureVariance(length: number, filters: number): number {
  if (filters >= length) return 0;
  const rows = padSide(length);
  return (rows - filters) / (rows - 1) / filters;
}

/** Sketches a layer of several positions: what the row holds of it is a number for each filter. */
function stackFilters(layer: LayerShape, count: number): SketchedLayer {
  const { name } = layer;
  return {
    layer,
    shape: { kind: "parameter", name, bias: false, outputShape: [count], places: 1 },
    inputs: count,
    deltas: count,
  };
}

/** Returns the lengths of the two factors, including the one for a bias. */
function measureSides(layer: LayerShape): [inputs: number, outputs: number] {
  const geometry = geometryOf(layer);
  return [countTaps(geometry) + (layer.bias ? 1 : 0), geometry.out_channels];
}

/** Returns the number of rows of the smallest Hadamard matrix with at least `length` columns. */
function padSide(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}

/**
 * Pairs rows of two Hadamard matrices in turns: the rows of either occur equally often, up to one, and none of the first `|first| |second|`
 * pairs occurs twice. Both numbers of rows are powers of two, so that the shorter list begins anew where the longer one does, and is rotated
 * by one index each time.
 */
function pairRows(first: Int32Array, second: Int32Array, count: number): [Int32Array, Int32Array] {
  const longer = Math.max(first.length, second.length);
  const take = (list: Int32Array, turns: boolean) =>
    Int32Array.from({ length: count }, (_, k) => {
      const turn = turns ? Math.floor(k / longer) : 0;
      return list[(k + turn) % list.length];
    });
  return [take(first, first.length > second.length), take(second, first.length <= second.length)];
}

/**
 * Computes filters `[length, rows]` f32, whose columns are rows of a Hadamard matrix with random signs: element i of the column of a row is
 * `scale * sign(signs[i]) * (-1)^|row & i|`, where |.| counts the bits that are set.
 */
function fillHadamard(signs: Float32Array, rows: Int32Array, scale: number): Float32Array {
  const matrix = new Float32Array(signs.length * rows.length);
  for (let i = 0; i < signs.length; i++) {
    const own = signs[i] < 0 ? -scale : scale;
    for (let k = 0; k < rows.length; k++) {
      matrix[i * rows.length + k] = hasOddBits(rows[k] & i) ? -own : own;
    }
  }
  return matrix;
}

function hasOddBits(value: number): boolean {
  let bits = value;
  for (let width = 16; width >= 1; width /= 2) bits ^= bits >>> width;
  return (bits & 1) === 1;
}

/** Hashes a layer's name to its substream of random numbers: FNV-1a over the name's UTF-16 units. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return hash;
}
