/** The eNTK from rows of several blocks, what it refuses, and a step predicted from it. @module */
import assert from "node:assert/strict";
import { takeSamples } from "../../../engine/data/dataset.ts";
import { NonFiniteError } from "../../../engine/errors.ts";
import { computeEntk } from "../../../engine/kernel/entk.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import type { ProjectOptions } from "../../../engine/engine.ts";
import { PackedRows } from "../../../engine/rows/rows.ts";
import { computeClassSimilarity } from "../../../engine/samples/class_similarity.ts";
import { predictLogitsAfterStep } from "../../../engine/samples/forgetting.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { findNearest } from "../../../engine/samples/nearest.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { storeGram } from "../../../engine/store/store_writer.ts";
import { predictionErrors, sumInfluenceByGradient } from "../../../engine/reference/forgetting.ts";
import { entk } from "../../../engine/reference/kernels.ts";
import { computeJacobian } from "../../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { entkOf, testEngine } from "../open_engine.ts";
import {
  absolute,
  absoluteWeights,
  countSteps,
  drawExactWeights,
  drawImages,
  drawWeights,
  strided,
  toNumbers,
} from "../network/tiny_networks.ts";

const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

testEngine(
  "an eNTK of several tiles, samples across their edges, is exactly its twin",
  async (engine) => {
    // all is exact in float32 with four classes; 35 samples are 140 rows
    const network = strided(4);
    const weights = drawExactWeights(network, 1);
    const data = drawImages(network, 58, 7);
    const [train, test] = [takeSamples(data, range(0, 35)), takeSamples(data, range(35, 23))];
    using built = engine.network(network.definition, weights, network.inputShape);
    const [own, other] = [train, test].map((set) =>
      computeJacobian(network.twin, weights, toNumbers(set))
    );
    const project = (set: typeof train, tileRows?: number) =>
      engine.project(built, set, { kind: "entk", tileRows });
    using rows = await project(train, 64);
    assert(rows instanceof PackedRows);
    assert.equal(rows.blocks.length, 3);
    using columns = await project(test, 64);
    const exactly = () => 0;
    assertClose(await computeEntk(rows), entk(own, own).data, exactly, "with itself");
    assertClose(await computeEntk(rows, columns), entk(own, other).data, exactly, "with others");
    using whole = await project(train);
    assert.deepEqual(await computeEntk(whole), await computeEntk(rows));
  },
);

testEngine(
  "an eNTK is bit for bit its own transpose, also of odd classes and fractions",
  async (engine) => {
    const network = strided(3);
    const data = drawImages(network, 47, 251);
    using built = engine.network(network.definition, drawWeights(network, 3), network.inputShape);
    using rows = await engine.project(built, data, { kind: "entk", tileRows: 64 });
    const kernel = await computeEntk(rows);
    const at = (n: number, m: number, i: number, j: number) =>
      kernel[((n * 47 + m) * 3 + i) * 3 + j];
    for (const [n, m] of range(0, 47).flatMap((n) => range(0, n + 1).map((m) => [n, m]))) {
      for (const [i, j] of range(0, 9).map((k) => [Math.floor(k / 3), k % 3])) {
        assert.equal(at(n, m, i, j), at(m, n, j, i));
      }
    }
  },
);

testEngine(
  "of one class the eNTK is the kernel itself, and is told from signed projections",
  async (engine) => {
    const network = strided(1);
    const data = drawImages(network, 5, 7);
    using built = engine.network(
      network.definition,
      drawExactWeights(network, 1),
      network.inputShape,
    );
    using rows = await engine.project(built, data, { kind: "entk" });
    using signed = await engine.project(built, data);
    assert.deepEqual(await computeEntk(rows), await computeGram(signed));
    await assert.rejects(computeEntk(signed), /got 1 and 1 rows a sample.*project with the kind/);
  },
);

testEngine("an eNTK of signed projections, or of too many samples, is refused", async (engine) => {
  const network = strided(4);
  const data = drawImages(network, 3, 7);
  using built = engine.network(
    network.definition,
    drawExactWeights(network, 1),
    network.inputShape,
  );
  using rows = await engine.project(built, data, { kind: "entk" });
  using signed = await engine.project(built, data);
  for (const [left, right] of [[signed, signed], [rows, signed], [signed, rows]]) {
    await assert.rejects(computeEntk(left, right), /project with the kind 'entk'$/);
  }
  const other = strided(5);
  using larger = engine.network(other.definition, drawExactWeights(other, 1), other.inputShape);
  using more = await engine.project(larger, drawImages(other, 3, 7), { kind: "entk" });
  await assert.rejects(computeEntk(rows, more), /got 4 and 5 rows a sample/);
  // only their number counts before anything is computed
  const many = Object.create(rows, { count: { value: 4 * 6000 } });
  await assert.rejects(
    computeEntk(many),
    /of 6000 x 6000 samples with 4 classes: got 2,198 MiB, need at most 2,048 MiB, which 5792 x 5792 /,
  );
});

testEngine(
  "a projection that is not finite is named by its sample, not by its row",
  async (engine) => {
    const network = strided(3);
    const data = drawImages(network, 30, 251);
    const dark = takeSamples(data, range(0, 30));
    // one sample only is bright, and its activations alone overflow the square of a row
    dark.images.fill(0);
    dark.images.fill(255, 22 * 84, 23 * 84);
    const weights = drawWeights(network, 7);
    weights.get("conv1.weight")!.data.fill(1e18);
    using built = engine.network(network.definition, weights, network.inputShape);
    await assert.rejects(
      engine.project(built, dark, { kind: "entk" }),
      (error) =>
        error instanceof NonFiniteError && error.sample === 22 && /sample 22 /.test(error.message),
    );
  },
);

testEngine(
  "a step predicted through eNTK blocks is the one that the batch's gradient predicts",
  async (engine) => {
    const network = strided(3);
    const weights = drawWeights(network, 5);
    const data = drawImages(network, 12, 251);
    const [watched, batch] = [takeSamples(data, range(0, 7)), takeSamples(data, range(7, 5))];
    using built = engine.network(network.definition, weights, network.inputShape);
    const [logits, batchLogits] = [
      await engine.logits(built, watched),
      await engine.logits(built, batch),
    ];
    const kernel = await entkOf(engine, built, watched, batch);
    const step = { logits, batchLogits, batchLabels: batch.labels, classes: 3, learningRate: 1 };
    const through = predictLogitsAfterStep(kernel, step).map((z, at) => z - logits[at]);

    const [own, other] = [watched, batch].map((set) =>
      computeJacobian(network.twin, weights, toNumbers(set))
    );
    const rows = range(0, 5).map((u) => batchLogits.subarray(3 * u, 3 * u + 3));
    const errors = predictionErrors(rows, batch.labels);
    const direct = sumInfluenceByGradient(own, other, errors).flat();

    // the absolute network bounds the sums of absolute products in every entry of the kernel
    const absolutes = [watched, batch].map((set) =>
      computeJacobian(network.twin, absoluteWeights(weights), absolute(toNumbers(set)))
    );
    const magnitude = entk(absolutes[0], absolutes[1]).data;
    const length = 2 * countSteps(network) + own[0][0].length;
    const bound = (at: number) => {
      const [n, i] = [Math.floor(at / 3), at % 3];
      return errors.flatMap((error, u) =>
        error.map((e, j) =>
          dotBound(length, magnitude[((n * 5 + u) * 3 + i) * 3 + j]) * Math.abs(e)
        )
      ).reduce((sum, part) => sum + part);
    };
    assertClose(through, direct, bound, "change of the logits");
  },
);

testEngine("rows of different kinds, or several for each sample, are refused", async (engine) => {
  const network = strided(3);
  const data = drawImages(network, 4, 7);
  using built = engine.network(
    network.definition,
    drawExactWeights(network, 1),
    network.inputShape,
  );
  using stack = new DisposableStack();
  const project = async (options: ProjectOptions) =>
    stack.use(await engine.project(built, data, options));
  const [lpntk, pntk, normalised, custom, entk] = [
    await project({}),
    await project({ kind: "pntk" }),
    await project({ normalise: true }),
    await project({ cotangents: new Float32Array(4 * 3).fill(1) }),
    await project({ kind: "entk" }),
  ];
  for (
    const [left, right, kinds] of [
      [lpntk, pntk, "lpntk rows and pntk rows"],
      [normalised, lpntk, "normalised lpntk rows and lpntk rows"],
      [lpntk, custom, "lpntk rows and custom rows"],
      [entk, lpntk, "entk rows and lpntk rows"],
    ] as const
  ) {
    await assert.rejects(computeGram(left, right), {
      name: "RangeError",
      message: `Cannot multiply rows: got ${kinds}, need both projected as the same kind, ` +
        "and both normalised or neither",
    });
  }
  for (
    const analyse of [
      () => findRedundant(entk),
      () => relateSamples(entk),
      () => clusterSamples(entk, { ratio: 0.5 }),
      () => findNearest(entk, 1),
      () => computeClassSimilarity(entk, [...data.labels, ...data.labels, ...data.labels], 3),
      // before the store is asked for anything
      () => storeGram({} as never, entk),
      () => computeClassSimilarity(lpntk, data.labels, 3, { columns: entk }),
    ]
  ) {
    await assert.rejects(analyse, {
      name: "RangeError",
      message: /^Cannot .*: got rows of the eNTK, 3 for each sample, need one for each; project /,
    });
  }
  await assert.rejects(project({ kind: "entk", normalise: true }), {
    name: "RangeError",
    message: /^Cannot normalise .*: got the kind 'entk', which gives 3 rows a sample/,
  });
});
