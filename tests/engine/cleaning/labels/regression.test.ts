/** Regression under new networks: against kernels written anew in float64, and left-out samples predicted one by one. @module */
import assert from "node:assert/strict";
import { predictLeftOut } from "../../../../engine/cleaning/labels/kernel_regression.ts";
import { createPatchNetwork } from "../../../../engine/cleaning/labels/patches.ts";
import { regressClasses } from "../../../../engine/cleaning/labels/regression.ts";
import { mirror } from "../../../../engine/data/augmentation.ts";
import { createDataset, type Dataset, takeSamples } from "../../../../engine/data/dataset.ts";
import { drawDigits } from "../../../../engine/data/digits.ts";
import { computeGram } from "../../../../engine/kernel/gram.ts";
import type { NetworkDefinition } from "../../../../engine/network/definition.ts";
import { lenet5, resnet8Narrow } from "../../../../engine/network/models.ts";
import type { Engine } from "../../../../engine/engine.ts";
import { testEngine } from "../../open_engine.ts";

const grey = drawDigits("train", { size: 17 });
// each channel another part of the digit, so that mirroring matters
const coloured = createDataset({
  ...takeSamples(grey, [...Array(17).keys()]),
  shape: [14, 14, 4],
  mean: [0.1],
  std: [0.3],
});

/** Joins the features of every sample, `[N][D]`, with those of its mirror image where there are any. */
async function listFeatures(engine: Engine, data: Dataset, isMirrored: boolean) {
  const { definition, weights } = createPatchNetwork(data, 0);
  using network = engine.network(definition, weights, data.shape);
  const own = await engine.features(network, data);
  const others = isMirrored ? await engine.features(network, mirror(data)) : undefined;
  const width = own.length / data.labels.length;
  return Array.from(
    data.labels,
    (_, n) =>
      Array.from({ length: width }, (_, d) => own[n * width + d] + (others?.[n * width + d] ?? 0)),
  );
}

function close(points: readonly number[][]): Float64Array {
  const squares = points.flatMap((a) =>
    points.map((b) => a.reduce((sum, value, d) => sum + (value - b[d]) ** 2, 0))
  );
  const median = squares.toSorted((a, b) => a - b)[squares.length >> 1];
  return Float64Array.from(squares, (square) => Math.exp(-square / median));
}

/** Sum of cosines over some new networks, pictures and mirror images: by one kernel of all of them. */
async function average(
  engine: Engine,
  data: Dataset,
  { definition, count: networks, isMirrored }: {
    definition: NetworkDefinition;
    count: number;
    isMirrored: boolean;
  },
): Promise<Float64Array> {
  const count = data.labels.length;
  const sum = new Float64Array(count * count);
  const twice = isMirrored
    ? { ...takeSamples(data, [...data.labels.keys(), ...data.labels.keys()]) }
    : data;
  if (isMirrored) (twice.images as Uint8Array).set(mirror(data).images, data.images.length);
  for (let seed = 0; seed < networks; seed++) {
    const source = { seed, classes: data.classes };
    using network = engine.network(definition, source, data.shape);
    using rows = await engine.project(network, twice, { kind: "pntk", normalise: true });
    const total = twice.labels.length;
    (await computeGram(rows)).forEach((cosine, at) =>
      sum[(Math.floor(at / total) % count) * count + at % total % count] += cosine
    );
  }
  return sum;
}

function compare(actual: Float64Array, expected: Float64Array, most: number): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, at) =>
    assert.ok(Math.abs(value - expected[at]) < most, `${at}: ${value}, not ${expected[at]}`)
  );
}

for (
  const [name, data, isMirrored] of [["grey", grey, false], ["coloured", coloured, true]] as const
) {
  testEngine(
    `${name} samples are predicted from the others' patches and new networks`,
    async (engine) => {
      const [patches, networks, residual] = await regressClasses(engine, data, { seed: 0 });
      assert.deepEqual([patches, networks].map(({ kernel }) => kernel), ["patches", "lenet5"]);
      const byPatches = close(await listFeatures(engine, data, isMirrored));
      // a float32 product of some thousand features is off by 1e-6 of the squared distance, which the ridge of 0.3 divides
      compare(patches.scores, predictLeftOut(byPatches, data.labels, 10, 0.3), 1e-4);
      const group = { definition: lenet5, count: 4, isMirrored };
      const byNetworks = await average(engine, data, group);
      compare(networks.scores, predictLeftOut(byNetworks, data.labels, 10, 0.1), 1e-4);
      assert.equal(residual?.kernel, isMirrored ? "resnet8_narrow" : undefined);
      if (!isMirrored) return;
      const one = { definition: resnet8Narrow, count: 1, isMirrored };
      const byOne = await average(engine, data, one);
      compare(residual.scores, predictLeftOut(byOne, data.labels, 10, 0.1), 1e-4);
    },
  );
}

testEngine("rows of a table are compared by their normalised columns", async (engine) => {
  const values = Float32Array.from(
    { length: 40 * 3 },
    (_, at) => Math.sin(at * at) * 10 ** (at % 3),
  );
  const table = createDataset({
    name: "table",
    split: "train",
    images: values,
    labels: Array.from({ length: 40 }, (_, n) => n % 2),
    shape: [1, 1, 3],
    classes: 2,
    mean: [0, 0, 0],
    std: [1, 10, 100],
  });
  const [patches] = await regressClasses(engine, table, { seed: 0 });
  const points = Array.from(
    { length: 40 },
    (_, n) => [0, 1, 2].map((column) => values[n * 3 + column] / 10 ** column),
  );
  compare(patches.scores, predictLeftOut(close(points), table.labels, 2, 0.3), 1e-4);
});
