/** The random filters of sketched rows: arithmetic without a device. @module */
import assert from "node:assert/strict";
import { drawFilters, planSketch } from "../../../engine/rows/sketch.ts";
import { inferConvolutionGeometry } from "../../../engine/operations/convolution_geometry.ts";
import type { LayerShape } from "../../../engine/network/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";

const dense = (name: string, inputs: number, outputs: number, bias = true): LayerShape => ({
  kind: "dense",
  name,
  bias,
  inputs,
  outputs,
  positions: 1,
  outputShape: [outputs],
  places: 1,
});

function convolution(name: string, channels: number, filters: number, bias = true): LayerShape {
  const shape = [3, 3, channels, filters];
  const geometry = inferConvolutionGeometry([1, 8, 8, channels], shape, { stride: 1, pad: 1 });
  return { kind: "convolution", name, bias, geometry, outputShape: [8, 8, filters], places: 1 };
}

/** Layers with exact segments of 280, 1,160, 2,320, 405, 74 and 15 floats. */
const LAYERS = [
  convolution("conv1", 3, 10),
  convolution("conv2", 16, 8),
  convolution("conv3", 16, 16),
  dense("fc1", 400, 4),
  dense("fc2", 63, 10),
  dense("fc3", 10, 4),
];

/** Lists the length of each layer's segment. */
function measure(layers: readonly LayerShape[], dimension: number): number[] {
  const { segments, length } = planSketch(layers, { dimension, seed: 0 }).layout;
  const ends = [...segments.slice(1).map(({ offset }) => offset), length];
  return segments.map(({ offset }, i) => ends[i] - offset);
}

Deno.test("short layers stay exact, and leave what they do not need to the others", () => {
  assert.deepEqual(measure(LAYERS, 12), [2, 2, 2, 2, 2, 2]);
  assert.deepEqual(measure(LAYERS, 61), [10, 10, 11, 10, 10, 10]);
  // fc3 takes 15 of 216, fc2 74 of 257, conv1 280 of 302, and 931 are left for three
  assert.deepEqual(measure(LAYERS, 1300), [280, 310, 311, 310, 74, 15]);
  const exact = [280, 1160, 2320, 405, 74, 15];
  assert.deepEqual(measure(LAYERS, 4254), exact);
  assert.deepEqual(measure(LAYERS, 10_000), exact);
});

Deno.test("a grouped convolution stays exact, and leaves what is left to the others", () => {
  const shape = [3, 3, 1, 16];
  const geometry = inferConvolutionGeometry([1, 8, 8, 16], shape, { pad: 1, groups: 16 });
  const outputShape = [8, 8, 16];
  const depthwise: LayerShape = {
    kind: "convolution",
    places: 1,
    name: "dw",
    bias: true,
    geometry,
    outputShape,
  };
  assert.deepEqual(measure([depthwise, convolution("conv", 16, 16)], 320), [160, 160]);
  assert.deepEqual(measure([depthwise, convolution("conv", 16, 16)], 318), [160, 158]);
  assert.throws(() => measure([depthwise, convolution("conv", 16, 16)], 161), {
    name: "RangeError",
    message: /got 161 numbers for 2 layers, need a whole number of at least 162/,
  });
});

Deno.test("a dense layer gives its numbers to the side where they say more", () => {
  const { layers } = planSketch([dense("fc", 400, 4)], { dimension: 100, seed: 0 });
  assert.deepEqual(layers, [{
    layer: dense("fc", 400, 4),
    shape: { ...dense("fc", 96, 4, false) },
    inputs: 96,
  }]);
  const [{ inputs, deltas }] =
    planSketch([dense("fc", 400, 400)], { dimension: 100, seed: 0 }).layers;
  assert.deepEqual([inputs, deltas], [50, 50]);
});

Deno.test("a sketch that cannot be is refused", () => {
  for (const dimension of [0, 11, -1, 4.5, NaN, Infinity]) {
    assert.throws(
      () => planSketch(LAYERS, { dimension, seed: 0 }),
      new RangeError(
        `Cannot sketch rows: got ${dimension} numbers for 6 layers, need a whole number of at least 12`,
      ),
    );
  }
  for (const seed of [-1, 0.5, NaN, 2 ** 32]) {
    assert.throws(() => planSketch(LAYERS, { dimension: 100, seed }), {
      name: "RangeError",
      message: /got seed/,
    });
  }
});

/** Computes `sum_k f_k[i] g_k[p] f_k[j] g_k[q]` for all weights (i, p) and (j, q): the identity matrix, if nothing were lost. */
function multiplyFilters(layer: LayerShape, dimension: number, seed: number): Float64Array {
  const [{ inputs, deltas }] = drawFilters(planSketch([layer], { dimension, seed }));
  const [heights, widths] = [inputs!.length / dimension, deltas!.length / dimension];
  const size = heights * widths;
  const products = new Float64Array(size * size);
  for (let k = 0; k < dimension; k++) {
    const weights = Float64Array.from({ length: size }, (_, at) => {
      const [i, p] = [Math.floor(at / widths), at % widths];
      return inputs![i * dimension + k] * deltas![p * dimension + k];
    });
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) products[a * size + b] += weights[a] * weights[b];
    }
  }
  return products;
}

/** A layer of 9 x 3 weights: its sides have 16 and 4 rows to draw from, 64 pairs. */
const SMALL = convolution("small", 1, 3, false);

Deno.test("the weights of every filter are +-1 and +-1 / sqrt(m), so that each weight counts once", () => {
  const size = 27;
  const products = multiplyFilters(SMALL, 20, 7);
  for (let a = 0; a < size; a++) {
    assertClose([products[a * size + a]], [1], () => dotBound(22, 1), `weight ${a}`);
  }
});

Deno.test("over many seeds nothing is left of products of different weights", () => {
  const [size, draws, dimension] = [27, 400, 13];
  const [sums, squares] = [new Float64Array(size * size), new Float64Array(size * size)];
  for (let seed = 0; seed < draws; seed++) {
    multiplyFilters(SMALL, dimension, seed).forEach((value, at) => {
      sums[at] += value;
      squares[at] += value * value;
    });
  }
  const means = sums.map((sum) => sum / draws);
  const unit = means.map((_, at) => Math.floor(at / size) === at % size ? 1 : 0);
  // five standard errors of the mean, and the rounding error where there is no variance
  const bound = (at: number) =>
    5 * Math.sqrt(Math.max(0, squares[at] / draws - means[at] ** 2) / draws) + dotBound(15, 1);
  assertClose(means, unit, bound, "mean product");
});

Deno.test("signs keep the variance of an input that is itself a row of the matrix to what it is of any", () => {
  const [length, filters, draws] = [64, 16, 400];
  const layer = dense("fc", length, 1, false);
  let [sum, squares] = [0, 0];
  for (let seed = 0; seed < draws; seed++) {
    const [{ inputs }] = drawFilters(planSketch([layer], { dimension: filters + 1, seed }));
    let estimate = 0;
    for (let k = 0; k < filters; k++) {
      let seen = 0;
      for (let i = 0; i < length; i++) seen += inputs![i * filters + k];
      estimate += seen * seen / length;
    }
    sum += estimate;
    squares += estimate * estimate;
  }
  const mean = sum / draws;
  const variance = squares / draws - mean * mean;
  // variance for a squared length of 1: twice the pairs of different elements, over rows without replacement
  const expected = 2 * (1 - 1 / length) * (length - filters) / (length - 1) / filters;
  assertClose([mean], [1], () => 5 * Math.sqrt(expected / draws), "mean");
  // within five standard deviations of a variance over 400 draws, each a tenth of it
  assertClose([variance], [expected], () => expected / 2, "variance");
});

Deno.test("rows of either side are drawn in turns, and no pair twice", () => {
  const layer = convolution("layer", 7, 60, false);
  const { layers, layout, sketch } = planSketch([layer], { dimension: 640, seed: 3 });
  assert.equal(layout.length, 640);
  const [{ inputs, deltas }] = drawFilters({ layers, layout, sketch });
  const columns = (matrix: Float32Array, count: number) =>
    Array.from(
      { length: count },
      (_, k) => matrix.filter((_, at) => at % count === k).map(Math.sign).join(),
    );
  const count = (keys: string[]) =>
    [...Map.groupBy(keys, (key) => key).values()].map((k) => k.length);
  const [first, second] = [columns(inputs!, 640), columns(deltas!, 640)];
  assert.deepEqual(count(first), new Array(64).fill(10));
  assert.deepEqual(count(second), new Array(64).fill(10));
  assert.equal(new Set(first.map((key, k) => `${key} ${second[k]}`)).size, 640);
});

Deno.test("filters depend on the seed, the layer's name and nothing else", () => {
  const draw = (layers: readonly LayerShape[], dimension: number, seed: number) =>
    drawFilters(planSketch(layers, { dimension, seed }))[0];
  const alone = draw([LAYERS[1]], 211, 5);
  assert.deepEqual(draw(LAYERS.slice(1), 722, 5), alone);
  const others = [draw([LAYERS[1]], 211, 6), draw([{ ...LAYERS[1], name: "conv5" }], 211, 5)];
  for (const { inputs, deltas } of others) {
    assert.notDeepEqual(inputs, alone.inputs);
    assert.notDeepEqual(deltas, alone.deltas);
  }
});
