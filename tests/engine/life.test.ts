/** Use after disposal: an error that names the object, nothing of it on the device, and an engine that goes on. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Engine } from "../../engine/engine.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import type { Rows } from "../../engine/rows/rows.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../engine/kernel/self_similarity.ts";
import { DeviceNetwork, type Network } from "../../engine/network/network.ts";
import { computeClassSimilarity } from "../../engine/samples/class_similarity.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findNearest } from "../../engine/samples/nearest.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples } from "../../engine/samples/relations.ts";
import { KernelWriter, storeGram } from "../../engine/store/store_writer.ts";
import { openTempFolder } from "../temp_folder.ts";
import { testEngine } from "./open_engine.ts";
import { drawImages, drawWeights, strided } from "./network/tiny_networks.ts";

const tiny = strided(3);
const data = drawImages(tiny, 130, 7);
/** Projects three blocks of rows. */
const project = (engine: Engine, network: Network, residence: "device" | "file" | "recomputed") =>
  engine.project(network, data, { tileRows: 64, residence });
const build = (engine: Engine) =>
  engine.network(tiny.definition, drawWeights(tiny, 6), tiny.inputShape);

/** Asserts that every use is refused with a reason; no use waits for another. */
async function assertDisposed(
  subject: RegExp,
  uses: Readonly<Record<string, () => unknown>>,
): Promise<void> {
  for (const [name, use] of Object.entries(uses)) {
    await assert.rejects(
      async () => await use(),
      (error: Error & { subject?: string }) => {
        assert.equal(error.name, "DisposedError", `${name}: ${error}`);
        assert.match(error.subject!, subject, name);
        assert.match(error.message, /^Cannot use [^\n]+: got it after its disposal, need [^\n]+$/);
        return true;
      },
      name,
    );
  }
}

testEngine("rows that are disposed are refused by all that takes rows", async (engine) => {
  using network = build(engine);
  using others = await project(engine, network, "device");
  const before = await computeGram(others);
  await using folder = await openTempFolder();
  using writer = await KernelWriter.open(`${folder.path}/K.zarr`, {
    shape: [130, 130],
    symmetry: "upper",
    chunkRows: 64,
    job: {},
  });
  for (const residence of ["device", "file", "recomputed"] as const) {
    const rows = await project(engine, network, residence);
    rows.dispose();
    rows.dispose();
    await assertDisposed(/^packed rows \[130, \d+\]$/, {
      computeGram: () => computeGram(rows),
      "computeGram, as rows": () => computeGram(rows, others),
      "computeGram, as columns": () => computeGram(others, rows),
      computeSelfSimilarity: () => computeSelfSimilarity(rows),
      findRedundant: () => findRedundant(rows),
      relateSamples: () => relateSamples(rows, { sample: 1 }),
      clusterSamples: () => clusterSamples(rows, { ratio: 0.1 }),
      findNearest: () => findNearest(rows, 2),
      computeClassSimilarity: () => computeClassSimilarity(rows, data.labels, 3),
      "computeClassSimilarity, as columns": () =>
        computeClassSimilarity(others, data.labels, 3, { columns: rows }),
      storeGram: () => storeGram(writer, rows),
    });
  }
  const ofLogits = await engine.project(network, drawImages(tiny, 3, 7), { kind: "entk" });
  ofLogits.dispose();
  await assertDisposed(/^packed rows/, { computeEntk: () => computeEntk(ofLogits) });
  assert.deepEqual(await computeGram(others), before);
});

testEngine("rows that are disposed while they are read end the call", async (engine) => {
  using network = build(engine);
  using others = await project(engine, network, "device");
  const before = await computeGram(others);
  for (const residence of ["device", "file", "recomputed"] as const) {
    for (const [name, read] of Object.entries({ computeGram, findRedundant })) {
      const rows = await project(engine, network, residence);
      const reading = read(rows);
      rows.dispose();
      await assertDisposed(/^packed rows/, { [name]: () => reading });
    }
  }
  assert.deepEqual(await computeGram(others), before);
});

testEngine("a network that is disposed is refused by all that takes one", async (engine) => {
  using others = build(engine);
  const before = await engine.logits(others, data);
  const network = build(engine);
  using recomputed = await project(engine, network, "recomputed");
  const { inputShape, classes } = network;
  using stack = new DisposableStack();
  const images = stack.adopt(tf.zeros<tf.Rank.R4>([2, ...inputShape]), tf.dispose);
  const cotangents = stack.adopt(tf.zeros<tf.Rank.R2>([2, classes]), tf.dispose);
  assert(network instanceof DeviceNetwork);
  network.dispose();
  network.dispose();
  await assertDisposed(/^network strided$/, {
    train: () => engine.train(network, data),
    trainEnsemble: () => engine.trainEnsemble(network, data, [[0], [1]]),
    logits: () => engine.logits(network, data),
    features: () => engine.features(network, data),
    gradientNorms: () => engine.gradientNorms(network, data),
    accuracy: () => engine.accuracy(network, data),
    planChunkRows: () => engine.planChunkRows(network),
    project: () => engine.project(network, data),
    measureSketch: () => engine.measureSketch(network, data, { sketch: { dimension: 8, seed: 0 } }),
    estimate: () => engine.estimate(network, { count: 3 }),
    layers: () => network.layers,
    variables: () => network.parameters,
    select: () => network.select(["fc"]),
    batchLimit: () => network.batchLimit,
    "its logits": () => network.logits(images),
    "its features": () => network.features(images),
    factors: () => network.computeFactors(images, cotangents, network.layers),
    weights: () => network.weights(),
    "rows that it recomputes": () => computeGram(recomputed),
  });
  assert.deepEqual(await engine.logits(others, data), before);
});

testEngine("a network that is disposed while it computes ends the call", async (engine) => {
  using others = build(engine);
  const before = await engine.logits(others, data);
  const works: Record<string, (network: Network) => Promise<unknown>> = {
    train: (network) => engine.train(network, data, { epochs: 50, batch: 8 }),
    project: (network) => project(engine, network, "device"),
    gradientNorms: (network) => engine.gradientNorms(network, data),
    measureSketch: (network) =>
      engine.measureSketch(network, data, { sketch: { dimension: 8, seed: 0 } }),
  };
  for (const [name, work] of Object.entries(works)) {
    const network = build(engine);
    const working = work(network);
    network.dispose();
    await assertDisposed(/^network strided$/, { [name]: () => working });
  }
  assert.deepEqual(await engine.logits(others, data), before);
});

testEngine("a writer that is disposed writes no more", async (engine) => {
  await using folder = await openTempFolder();
  using network = build(engine);
  using rows = await project(engine, network, "device");
  const path = `${folder.path}/K.zarr`;
  const settings = { shape: [130, 130], symmetry: "upper", chunkRows: 64, job: {} } as const;
  const writer = await KernelWriter.open(path, settings);
  writer.dispose();
  const tile = { firstRow: 0, firstColumn: 0, rowCount: 64, columnCount: 64, stride: 64 };
  await assertDisposed(/^the writer of .*K\.zarr$/, {
    lacks: () => writer.lacks(0, 0),
    writeTile: () => writer.writeTile({ ...tile, values: new Float32Array(4096), mirrored: false }),
    storeGram: () => storeGram(writer, rows),
  });
  using second = await KernelWriter.open(path, settings);
  await storeGram(second, rows);
  assert.equal(second.missingCount, 0);
});

testEngine("what is no network is refused by the name of its public type", async (engine) => {
  using network = build(engine);
  using rows = await project(engine, network, "device");
  for (const [wrong, got] of [[undefined, "nothing"], [rows, "a Rows"], [data, "{.+"]] as const) {
    await assert.rejects(engine.logits(wrong as unknown as Network, data), {
      name: "TypeError",
      message: new RegExp(`^Cannot compute: got ${got} for a network, need one of engine.network$`),
    });
  }
});

testEngine("what is no rows is refused on either side", async (engine) => {
  using network = build(engine);
  using rows = await project(engine, network, "device");
  using ofLogits = await engine.project(network, drawImages(tiny, 3, 7), { kind: "entk" });
  const wrong = network as unknown as Rows;
  const need = "got a Network, need rows as Engine.project gives them";
  const refuse = (call: Promise<unknown>, message: string) =>
    assert.rejects(call, { name: "TypeError", message });
  for (const sides of [[rows, wrong], [wrong, rows]] as const) {
    await refuse(computeGram(...sides), `Cannot compute a kernel: ${need}`);
  }
  for (const sides of [[ofLogits, wrong], [wrong, ofLogits]] as const) {
    await refuse(computeEntk(...sides), `Cannot compute an eNTK: ${need}`);
  }
  await refuse(
    computeClassSimilarity(rows, data.labels, 3, { columns: wrong }),
    `Cannot compute class similarity: ${need}`,
  );
});
