/** Long calls end by an AbortSignal, with its reason, and leave nothing on the device. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { findDuplicates } from "../../engine/cleaning/copies/duplicates.ts";
import { judgeLabels } from "../../engine/cleaning/labels/judge_labels.ts";
import { findLabelIssues } from "../../engine/cleaning/labels/label_issues.ts";
import { findWitnesses } from "../../engine/cleaning/labels/witnesses.ts";
import { findOutliers } from "../../engine/cleaning/outliers.ts";
import { takeFirst } from "../../engine/data/dataset.ts";
import { drawDigits } from "../../engine/data/digits.ts";
import type { Engine } from "../../engine/engine.ts";
import type { CallOptions } from "../../engine/gpu/pace.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../engine/kernel/self_similarity.ts";
import { flatten, type NetworkDefinition, relu } from "../../engine/network/definition.ts";
import type { Network } from "../../engine/network/network.ts";
import type { Rows } from "../../engine/rows/rows.ts";
import { computeClassSimilarity } from "../../engine/samples/class_similarity.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findNearest } from "../../engine/samples/nearest.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples } from "../../engine/samples/relations.ts";
import { KernelMatrix } from "../../engine/samples/source.ts";
import { KernelStore } from "../../engine/store/store.ts";
import { KernelWriter, storeGram, type StoreSettings } from "../../engine/store/store_writer.ts";
import { openTempFolder } from "../temp_folder.ts";
import { testEngine } from "./open_engine.ts";

const NETWORK: NetworkDefinition = {
  name: "trial",
  forward(layers, images) {
    const x = relu(layers.dense("fc1", flatten(images), 8));
    return layers.dense("fc2", x, layers.classes);
  },
};

const DATA = drawDigits("train", { size: 300 });

/** More than one forward pass takes. */
const MANY = drawDigits("train", { size: 600 });

/** A store in several tiles. */
const SETTINGS: StoreSettings = {
  shape: [300, 300],
  symmetry: "upper",
  chunkRows: 64,
  job: {},
};

interface Place {
  readonly engine: Engine;
  readonly network: Network;
  /** Rows in several blocks. */
  readonly rows: Rows;
  readonly entkRows: Rows;
  readonly matrix: KernelMatrix;
  readonly store: KernelStore;
  readonly folder: string;
}

type Call = (place: Place, options: CallOptions) => Promise<unknown>;

const CALLS: Readonly<Record<string, Call>> = {
  train: async ({ engine }, options) => {
    // a network of its own, since training changes it
    using network = engine.network(NETWORK, { seed: 1, classes: 10 });
    return await engine.train(network, DATA, { ...options, batch: 16 });
  },
  trainEnsemble: ({ engine, network }, options) =>
    engine.trainEnsemble(network, DATA, [[1, 2], [3, 4]], { ...options, epochs: 50 }),
  project: async ({ engine, network }, options) => {
    using rows = await engine.project(network, DATA, { ...options, tileRows: 64 });
    return rows.count;
  },
  "project, recomputed": async ({ engine, network }, options) => {
    const how = { tileRows: 64, residence: "recomputed" } as const;
    using rows = await engine.project(network, DATA, { ...options, ...how });
    return rows.count;
  },
  measureSketch: ({ engine, network }, options) =>
    engine.measureSketch(network, DATA, { ...options, sketch: { dimension: 20, seed: 0 } }),
  computeGram: ({ rows }, options) => computeGram(rows, rows, options),
  computeEntk: ({ entkRows }, options) => computeEntk(entkRows, entkRows, options),
  computeSelfSimilarity: ({ rows }, options) => computeSelfSimilarity(rows, options),
  findRedundant: ({ rows }, options) => findRedundant(rows, options),
  relateSamples: ({ rows }, options) => relateSamples(rows, options),
  clusterSamples: ({ rows }, options) => clusterSamples(rows, { ...options, ratio: 0.2 }),
  "clusterSamples of a matrix": ({ matrix }, options) =>
    clusterSamples(matrix, { ...options, ratio: 0.2 }),
  findNearest: ({ rows }, options) => findNearest(rows, 3, options),
  computeClassSimilarity: ({ rows }, options) =>
    computeClassSimilarity(rows, DATA.labels, 10, options),
  storeGram: async ({ rows, folder }, options) => {
    using writer = await KernelWriter.open(`${folder}/${crypto.randomUUID()}.zarr`, SETTINGS);
    await storeGram(writer, rows, rows, options);
  },
  "open, to repair": async ({ store: { path } }, options) => {
    using writer = await KernelWriter.open(path, SETTINGS, { ...options, repair: true });
    return writer.tileCount;
  },
  readTiles: ({ store }, options) => Array.fromAsync(store.readTiles(options)),
  gradientNorms: ({ engine, network }, options) => engine.gradientNorms(network, DATA, options),
  logits: ({ engine, network }, options) => engine.logits(network, MANY, options),
  features: ({ engine, network }, options) => engine.features(network, MANY, options),
  accuracy: ({ engine, network }, options) => engine.accuracy(network, MANY, options),
};

const REASON = new Error("no longer wanted");

testEngine("every long call ends with the signal's reason, and leaves nothing", async (engine) => {
  await using folder = await openTempFolder();
  using network = engine.network(NETWORK, { seed: 1, classes: 10 });
  using rows = await engine.project(network, DATA, { tileRows: 64 });
  const few = takeFirst(DATA, 20);
  using entkRows = await engine.project(network, few, { kind: "entk", tileRows: 64 });
  const matrix = new KernelMatrix(await computeGram(rows), rows.count);
  const path = `${folder.path}/K.zarr`;
  {
    using writer = await KernelWriter.open(path, SETTINGS);
    await storeGram(writer, rows);
  }
  const store = await KernelStore.open(path);
  const place = { engine, network, rows, entkRows, matrix, store, folder: folder.path };
  const alive = tf.memory().numTensors;
  for (const [name, call] of Object.entries(CALLS)) {
    const isReason = (error: unknown) => {
      assert.equal(error, REASON, name);
      return true;
    };
    await assert.rejects(call(place, { signal: AbortSignal.abort(REASON) }), isReason);

    const first = new AbortController();
    let reports = 0;
    const onProgress = (done: number, total: number) => {
      assert.ok(done < total, name);
      reports++;
      first.abort(REASON);
    };
    await assert.rejects(call(place, { onProgress, signal: first.signal }), isReason);
    assert.equal(reports, 1, name);

    // a matrix is read without a wait, in which alone somebody else could abort
    if (name !== "clusterSamples of a matrix") {
      const stop = new AbortController();
      setTimeout(() => stop.abort(REASON), 0);
      await assert.rejects(call(place, { signal: stop.signal }), isReason, name);
    }
    assert.equal(tf.memory().numTensors, alive, name);
  }
});

testEngine("training ends while it judges, too", async (engine) => {
  using network = engine.network(NETWORK, { seed: 1, classes: 10 });
  const stop = new AbortController();
  const training = engine.train(network, DATA, {
    epochs: 2,
    batch: "full",
    validation: DATA,
    signal: stop.signal,
    // aborts while the result of the epoch's only step is read
    onProgress: () => setTimeout(() => stop.abort(REASON), 0),
    onEpoch: () => assert.fail("got on to the end of the epoch"),
  });
  await assert.rejects(training, REASON);
});

testEngine("a call that was ended leaves the engine as it was", async (engine) => {
  using network = engine.network(NETWORK, { seed: 1, classes: 10 });
  using rows = await engine.project(network, DATA, { tileRows: 64 });
  const before = await computeGram(rows);
  const stop = new AbortController();
  await assert.rejects(
    computeGram(rows, rows, { onProgress: () => stop.abort(REASON), signal: stop.signal }),
    REASON,
  );
  assert.deepEqual(await computeGram(rows, rows, { signal: undefined }), before);
  const { signal } = new AbortController();
  assert.deepEqual(await computeGram(rows, rows, { signal }), before);
});

testEngine("a signal or a callback after the options is not ignored", async (engine) => {
  using network = engine.network(NETWORK, { seed: 0, classes: 10 });
  using rows = await engine.project(network, takeFirst(DATA, 20));
  const options = { signal: AbortSignal.abort() };
  // as callers without types may
  const calls: Record<string, [call: unknown, given: unknown[]]> = {
    "compute a kernel": [computeGram, [rows, rows, undefined, options]],
    "compute an eNTK": [computeEntk, [rows, rows, undefined, options]],
    "find nearest samples": [findNearest, [rows, 2, undefined, options]],
    "find redundant samples": [findRedundant, [rows, {}, () => {}]],
    "relate samples": [relateSamples, [rows, {}, () => {}]],
    "cluster samples": [clusterSamples, [rows, { ratio: 0.5 }, () => {}]],
    "store a kernel": [storeGram, [undefined, rows, rows, undefined, options]],
    "compute self-similarities": [computeSelfSimilarity, [rows, undefined, options]],
    "compute class similarity": [computeClassSimilarity, [rows, DATA.labels, 10, {}, options]],
    "find duplicates": [findDuplicates, [engine, DATA, undefined, options]],
    "find outliers": [findOutliers, [engine, rows, DATA, undefined, options]],
    "find witnesses": [findWitnesses, [engine, network, DATA, rows, undefined, options]],
    "judge labels": [judgeLabels, [engine, network, DATA, undefined, options]],
    [`find label issues of ${DATA.name}`]: [
      findLabelIssues,
      [engine, NETWORK, DATA, undefined, options],
    ],
    "compute gradient norms": [
      engine.gradientNorms.bind(engine),
      [network, DATA, undefined, options],
    ],
  };
  for (const [action, [call, given]] of Object.entries(calls)) {
    await assert.rejects((call as (...given: unknown[]) => Promise<unknown>)(...given), {
      name: "TypeError",
      message: `Cannot ${action}: got ${given.length} arguments, need at most ${
        given.length - 1
      }, with onProgress and signal in the last, as options`,
    });
  }
});

testEngine("what is no signal, or no callback, is refused", async (engine) => {
  using network = engine.network(NETWORK, { seed: 1, classes: 10 });
  const wrong = { signal: new AbortController() as unknown as AbortSignal };
  await assert.rejects(engine.logits(network, DATA, wrong), {
    name: "TypeError",
    message: /need an AbortSignal$/,
  });
  await assert.rejects(engine.logits(network, DATA, { onProgress: 5 } as never), {
    name: "TypeError",
    message: "Cannot begin: got onProgress 5, need a function",
  });
  const misspelt = { signals: 1 } as CallOptions;
  await assert.rejects(engine.logits(network, DATA, misspelt), {
    name: "TypeError",
    message: /^Cannot compute logits: got an unknown option signals = 1, .*did you mean signal\?$/,
  });
});
