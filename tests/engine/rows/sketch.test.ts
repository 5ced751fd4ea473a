/** Sketched rows through the engine, against the exact kernel in float64. @module */
import assert from "node:assert/strict";
import { takeFirst, takeSamples } from "../../../engine/data/dataset.ts";
import type { Engine } from "../../../engine/engine.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { countProducts, type Sketch } from "../../../engine/rows/layout.ts";
import type { Residence } from "../../../engine/rows/plan.ts";
import { PackedRows } from "../../../engine/rows/rows.ts";
import { drawFilters, planSketch } from "../../../engine/rows/sketch.ts";
import { DeviceNetwork, type Network } from "../../../engine/network/network.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { contractJacobian, lpntk, signedCotangents } from "../../../engine/reference/kernels.ts";
import { gramRows } from "../../../engine/reference/gram.ts";
import { sketchGradient } from "../../../engine/reference/convolution.ts";
import { computeJacobian } from "../../../engine/reference/network.ts";
import { assertClose } from "../../../engine/reference/numbers.ts";
import { permute, sizeOf, type Tensor } from "../../../engine/reference/tensor.ts";
import { testEngine } from "../open_engine.ts";
import {
  branched,
  drawExactWeights,
  drawImages,
  drawWeights,
  residual,
  smooth,
  strided,
  type TinyNetwork,
  toNumbers,
  wide,
} from "../network/tiny_networks.ts";

const LEVELS = 7;

function build(engine: Engine, tiny: TinyNetwork): Network {
  return engine.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape);
}

/** Computes the kernel of a data set, or between two. */
async function kernelOf(
  engine: Engine,
  network: Network,
  data: ReturnType<typeof drawImages>,
  sketch?: Sketch,
  others?: typeof data,
): Promise<Float32Array> {
  using rows = await engine.project(network, data, { sketch });
  if (!others) return await computeGram(rows);
  using columns = await engine.project(network, others, { sketch });
  return await computeGram(rows, columns);
}

// Small integers, and a power of four as the number of filters: everything is exact in float32, and no tolerance is needed.
for (
  const [tiny, layer, dimension] of [
    [strided(4), "conv1", 16],
    // six positions, and at most 30 floats of an image at once: five filters at a time
    [strided(4), "conv2", 64],
    [residual(4), "shortcut.0", 4],
  ] as const
) {
  testEngine(
    `${tiny.definition.name}: ${dimension} numbers of ${layer} are those of the twin`,
    async (engine) => {
      const data = drawImages(tiny, 5, 3);
      const weights = drawExactWeights(tiny, 1);
      using network = engine.network(tiny.definition, weights, tiny.inputShape);
      const sketch = { dimension, seed: 9 };
      using rows = await engine.project(network, data, { layers: [layer], sketch });
      assert.equal(rows.length, dimension);
      assert(network instanceof DeviceNetwork);
      const shape = network.layers.find(({ name }) => name === layer)!;
      const [{ inputs, deltas }] = drawFilters(planSketch([shape], sketch));
      const jacobian = computeJacobian(tiny.twin, weights, toNumbers(data));
      const gradients = contractJacobian(jacobian, signedCotangents(data.labels, tiny.classes));
      const sketched = gradients.map((row) =>
        sketchGradient(takeParameters(tiny, layer, row), inputs!, deltas!)
      );
      const plain = { kind: "plain", offset: 0, length: dimension } as const;
      const { value } = gramRows(sketched, sketched, [plain]);
      assertClose(await computeGram(rows), value, () => 0, "kernel");
      assert.ok(value[1] !== 0, "dead");
    },
  );
}

/** Takes the gradient of a convolution's filter from a row of all parameters, `[kh, kw, in, out]`, and of its bias, if it has one, `[out]`. */
function takeParameters({ shapes }: TinyNetwork, layer: string, row: Float64Array) {
  let at = 0;
  const parts = new Map<string, Tensor>();
  for (const [name, shape] of Object.entries(shapes)) {
    parts.set(name, { shape, data: row.slice(at, at += sizeOf(shape)) });
  }
  const filter = permute(parts.get(`${layer}.weight`)!, [2, 3, 1, 0]);
  return [...filter.data, ...parts.get(`${layer}.bias`)?.data ?? []];
}

/** Number of seeds whose kernels are averaged. */
const SEEDS = 100;

// two to six floats a layer: all layers are sketched but the smallest; strides, pads, biases and layers without
for (
  const [tiny, dimension] of [
    [strided(4), 18],
    [residual(3), 24],
    [branched(4), 36],
    [smooth(3), 20],
    [wide(3), 60],
  ] as const
) {
  const { name } = tiny.definition;
  testEngine(`${name}: sketched kernels are right on average`, async (engine) => {
    const data = drawImages(tiny, 6, LEVELS);
    using network = build(engine, tiny);
    const jacobian = computeJacobian(tiny.twin, drawWeights(tiny, 1), toNumbers(data));
    const expected = lpntk(jacobian, data.labels, jacobian, data.labels).data;
    const sums = new Float64Array(expected.length);
    const squares = new Float64Array(expected.length);
    for (let seed = 0; seed < SEEDS; seed++) {
      const estimate = await kernelOf(engine, network, data, { dimension, seed });
      estimate.forEach((value, at) => {
        sums[at] += value;
        squares[at] += value * value;
      });
    }
    const means = sums.map((sum) => sum / SEEDS);
    const errors = means.map((mean, at) => Math.sqrt((squares[at] / SEEDS - mean ** 2) / SEEDS));
    assertClose(means, expected, (at) => 4 * errors[at], "mean kernel");
    // the average is precise enough: its standard error is a small part of the kernel
    assert.ok(Math.hypot(...errors) < Math.hypot(...expected) / 4);
  });
}

testEngine(
  "a sketch that costs no less than exact rows is exact to the last bit",
  async (engine) => {
    for (const tiny of [strided(4), branched(4)]) {
      const data = drawImages(tiny, 5, LEVELS);
      using network = build(engine, tiny);
      using exact = await engine.project(network, data);
      assert(exact instanceof PackedRows);
      const products = countProducts(exact.layout);
      for (const dimension of [products, 10 * products]) {
        const kernel = await kernelOf(engine, network, data, { dimension, seed: 3 });
        assert.deepEqual(kernel, await computeGram(exact));
      }
      const shorter = await kernelOf(engine, network, data, { dimension: products - 1, seed: 3 });
      assert.notDeepEqual(shorter, await computeGram(exact));
    }
  },
);

testEngine(
  "a seed gives the same bits, in whatever batch or place the rows are",
  async (engine) => {
    const tiny = wide(3);
    const data = drawImages(tiny, 300, LEVELS);
    using network = build(engine, tiny);
    // a sketch with more filters of a convolution than are computed at once
    const sketch = { dimension: 500, seed: 5 };
    const kernel = await kernelOf(engine, network, data, sketch);
    assert.deepEqual(await kernelOf(engine, network, data, sketch), kernel);
    for (const residence of ["file", "recomputed"] satisfies Residence[]) {
      using rows = await engine.project(network, data, { sketch, residence, tileRows: 128 });
      assert.equal(rows.residence, residence);
      assert.deepEqual(await computeGram(rows), kernel, residence);
    }
    const first = takeFirst(data, 3);
    const part = await kernelOf(engine, network, first, sketch);
    const expected = [0, 1, 2].flatMap((row) => [...kernel.subarray(300 * row, 300 * row + 3)]);
    assert.deepEqual([...part], expected);
    const cross = await kernelOf(engine, network, first, sketch, data);
    assert.deepEqual(cross, kernel.subarray(0, 900));
    assert.notDeepEqual(await kernelOf(engine, network, first, { ...sketch, seed: 6 }), part);
  },
);

testEngine("rows of different sketches are not multiplied", async (engine) => {
  const tiny = strided(4);
  const data = drawImages(tiny, 3, LEVELS);
  using network = build(engine, tiny);
  using rows = await engine.project(network, data, { sketch: { dimension: 20, seed: 1 } });
  const others = [
    [{ dimension: 20, seed: 2 }, "a sketch of 20 numbers with seed 2"],
    [{ dimension: 21, seed: 1 }, "a sketch of 21 numbers with seed 1"],
    [undefined, "exact rows"],
  ] as const;
  for (const [sketch, name] of others) {
    using columns = await engine.project(network, data, { sketch });
    await assert.rejects(
      computeGram(rows, columns),
      new RangeError(
        `Cannot multiply rows: got a sketch of 20 numbers with seed 1 and ${name}, need the same sketch on both sides, or none`,
      ),
    );
  }
  assert.equal((await findRedundant(rows)).length, 3);
});

testEngine("the error bar is what a comparison of both kernels gives", async (engine) => {
  const tiny = residual(3);
  const data = drawImages(tiny, 9, LEVELS);
  const [train, test] = [takeFirst(data, 5), takeSamples(data, [5, 6, 7, 8])];
  using network = build(engine, tiny);
  const sketch = { dimension: 40, seed: 2 };
  const [exact, estimate] = [
    await kernelOf(engine, network, data),
    await kernelOf(engine, network, data, sketch),
  ];
  const judge = (pairs: readonly (readonly [number, number])[]) => {
    const errors = pairs.map(([i, j]) =>
      (estimate[9 * i + j] - exact[9 * i + j]) / Math.sqrt(exact[10 * i] * exact[10 * j])
    );
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / pairs.length;
    return {
      ...sketch,
      exactLength: 54 + 112 + 8 + 40,
      pairs: pairs.length,
      error: Math.sqrt(mean(errors.map((value) => value * value))),
      bias: mean(errors),
    };
  };
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const own = range(0, 9).flatMap((i) => range(i, 9).map((j) => [i, j] as const));
  assert.deepEqual(await engine.measureSketch(network, data, { sketch }), judge(own));
  const cross = range(0, 5).flatMap((i) => range(5, 9).map((j) => [i, j] as const));
  assert.deepEqual(
    await engine.measureSketch(network, train, { sketch, others: test }),
    judge(cross),
  );
  assert.ok(judge(own).error > 0.05);
});

testEngine(
  "the error bar is of 32 samples where there are more, and zero of exact rows",
  async (engine) => {
    const tiny = strided(4);
    const data = drawImages(tiny, 40, LEVELS);
    using network = build(engine, tiny);
    const small = await engine.measureSketch(network, data, { sketch: { dimension: 20, seed: 0 } });
    assert.equal(small.pairs, 32 * 33 / 2);
    assert.ok(small.error > 0.05);
    const whole = await engine.measureSketch(network, data, {
      sketch: { dimension: 999, seed: 0 },
    });
    assert.deepEqual([whole.error, whole.bias], [0, 0]);
  },
);
