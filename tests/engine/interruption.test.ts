/** Long calls end by an AbortSignal, with its reason, and leave nothing on the device. @module */
import assert from "node:assert/strict";
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { takeFirst } from "../../engine/data/dataset.ts";
import { drawDigits } from "../../engine/data/digits.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Interruption, OnProgress } from "../../engine/gpu/pace.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import { flatten, type NetworkDefinition, relu } from "../../engine/network/definition.ts";
import type { Network } from "../../engine/network/network.ts";
import type { Rows } from "../../engine/rows/rows.ts";
import { averageByClass } from "../../engine/samples/class_similarity.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findNearest } from "../../engine/samples/nearest.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples } from "../../engine/samples/relations.ts";
import { KernelMatrix } from "../../engine/samples/source.ts";
import { KernelWriter, storeGram } from "../../engine/store/store_writer.ts";
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

interface Place {
  readonly engine: Engine;
  readonly network: Network;
  /** In several blocks. */
  readonly rows: Rows;
  readonly entkRows: Rows;
  readonly matrix: KernelMatrix;
  readonly folder: string;
}

/** A long call; `onProgress` where it says how far it has come. */
type Call = (place: Place, options: Interruption, onProgress?: OnProgress) => Promise<unknown>;

const CALLS: Readonly<Record<string, Call>> = {
  train: async ({ engine }, options, onProgress) => {
    // training changes its network
    using network = engine.network(NETWORK, { seed: 1, classes: 10 });
    return await engine.train(network, DATA, { ...options, batch: 16, onProgress });
  },
  trainEnsemble: ({ engine, network }, options, onProgress) =>
    engine.trainEnsemble(network, DATA, [[1, 2], [3, 4]], { ...options, epochs: 50, onProgress }),
  project: async ({ engine, network }, options, onProgress) => {
    using rows = await engine.project(network, DATA, { ...options, tileRows: 64, onProgress });
    return rows.count;
  },
  computeGram: ({ rows }, options, onProgress) => computeGram(rows, rows, onProgress, options),
  computeEntk: ({ entkRows }, options, onProgress) =>
    computeEntk(entkRows, entkRows, onProgress, options),
  findRedundant: ({ rows }, options, onProgress) => findRedundant(rows, options, onProgress),
  relateSamples: ({ rows }, options, onProgress) => relateSamples(rows, options, onProgress),
  clusterSamples: ({ rows }, options, onProgress) =>
    clusterSamples(rows, { ...options, ratio: 0.2 }, onProgress),
  "clusterSamples of a matrix": ({ matrix }, options, onProgress) =>
    clusterSamples(matrix, { ...options, ratio: 0.2 }, onProgress),
  findNearest: ({ rows }, options, onProgress) => findNearest(rows, 3, onProgress, options),
  averageByClass: ({ rows }, options, onProgress) =>
    averageByClass(rows, DATA.labels, 10, { ...options, onProgress }),
  storeGram: async ({ rows, folder }, options, onProgress) => {
    using writer = await KernelWriter.open(`${folder}/${crypto.randomUUID()}.zarr`, {
      shape: [rows.count, rows.count],
      symmetry: "upper",
      chunkRows: 64,
      job: {},
    });
    await storeGram(writer, rows, rows, onProgress, options);
  },
  gradientNorms: ({ engine, network }, options) =>
    engine.gradientNorms(network, DATA, undefined, options),
  logits: ({ engine, network }, options) => engine.logits(network, DATA, options),
  features: ({ engine, network }, options) => engine.features(network, DATA, options),
  accuracy: ({ engine, network }, options) => engine.accuracy(network, DATA, options),
};

/** Calls that do not say how far they have come. */
const SILENT = ["gradientNorms", "logits", "features", "accuracy"];

const REASON = new Error("no longer wanted");

testEngine("every long call ends with the signal's reason, and leaves nothing", async (engine) => {
  await using folder = await openTempFolder();
  using network = engine.network(NETWORK, { seed: 1, classes: 10 });
  using rows = await engine.project(network, DATA, { tileRows: 64 });
  const few = takeFirst(DATA, 20);
  using entkRows = await engine.project(network, few, { seeds: "entk", tileRows: 64 });
  const matrix = new KernelMatrix(await computeGram(rows), rows.count);
  const place = { engine, network, rows, entkRows, matrix, folder: folder.path };
  const alive = tf.memory().numTensors;
  for (const [name, call] of Object.entries(CALLS)) {
    const isReason = (error: unknown) => {
      assert.equal(error, REASON, name);
      return true;
    };
    await assert.rejects(call(place, { signal: AbortSignal.abort(REASON) }), isReason);

    if (!SILENT.includes(name)) {
      const stop = new AbortController();
      let reports = 0;
      const onProgress = (done: number, total: number) => {
        assert.ok(done < total, name);
        reports++;
        stop.abort(REASON);
      };
      await assert.rejects(call(place, { signal: stop.signal }, onProgress), isReason);
      assert.equal(reports, 1, name);
    }

    // a matrix is read without a wait, in which alone somebody else could abort
    if (name !== "clusterSamples of a matrix") {
      const stop = new AbortController();
      setTimeout(() => stop.abort(REASON), 0);
      await assert.rejects(call(place, { signal: stop.signal }), isReason);
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
    // while what the epoch's only step gave is read
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
    computeGram(rows, rows, () => stop.abort(REASON), { signal: stop.signal }),
    REASON,
  );
  assert.deepEqual(await computeGram(rows, rows, undefined, { signal: undefined }), before);
  const { signal } = new AbortController();
  assert.deepEqual(await computeGram(rows, rows, undefined, { signal }), before);
});

testEngine("what is no signal is refused", async (engine) => {
  using network = engine.network(NETWORK, { seed: 1, classes: 10 });
  const wrong = { signal: new AbortController() as unknown as AbortSignal };
  await assert.rejects(engine.logits(network, DATA, wrong), {
    name: "TypeError",
    message: /need an AbortSignal$/,
  });
  const misspelt = { signals: 1 } as Interruption;
  await assert.rejects(engine.logits(network, DATA, misspelt), {
    name: "TypeError",
    message: /^Cannot compute logits: got an unknown option signals = 1, .*did you mean signal\?$/,
  });
});
