/** The engine's life: one at a time, nothing after disposal, and another after that. @module */
import assert from "node:assert/strict";
import { bindEngine, type Engine, openEngine } from "../../engine/engine.ts";
import { openGpu } from "../../engine/tuning/open.ts";
import type { Rows } from "../../engine/rows/rows.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import type { Network } from "../../engine/network/network.ts";
import { drawImages, drawWeights, residual } from "./network/tiny_networks.ts";

Deno.test("an engine can be opened again after it was disposed, and computes the same bits", async () => {
  const tiny = residual(3);
  const data = drawImages(tiny, 3, 251);
  const results: unknown[] = [];
  for (let i = 0; i < 2; i++) {
    using engine = await openEngine();
    await assert.rejects(openEngine(), /Cannot open a second engine/);
    using network = engine.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape);
    const { weights } = await engine.train(network, data, { epochs: 2 });
    using rows = await engine.project(network, data);
    results.push([weights, await engine.logits(network, data), await computeGram(rows)]);
    assert.ok(engine.adapter.name.length > 0);
    assert.ok(engine.limits.maxBufferSize > 0);
  }
  assert.deepEqual(results[1], results[0]);
});

Deno.test("a disposed engine says so, whatever is asked of it", async () => {
  const tiny = residual(3);
  const data = drawImages(tiny, 3, 251);
  const engine = await openEngine();
  const network = engine.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape);
  const rows = await engine.project(network, data);
  engine.dispose();
  engine.dispose();
  const uses = {
    network: async () =>
      await engine.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape),
    logits: () => engine.logits(network, data),
    accuracy: () => engine.accuracy(network, data),
    train: () => engine.train(network, data),
    project: () => engine.project(network, data),
    gram: () => computeGram(rows),
    features: () => engine.features(network, data),
    gradientNorms: () => engine.gradientNorms(network, data),
    trainEnsemble: () => engine.trainEnsemble(network, data, [[0], [1]]),
    measureSketch: () => engine.measureSketch(network, data, { sketch: { dimension: 8, seed: 0 } }),
    planChunkRows: async () => await engine.planChunkRows(network),
    tune: () => engine.tune(),
    estimate: () => engine.estimate(network, { count: 3 }),
    weights: () => network.weights(),
    layers: async () => await network.layers,
    redundant: () => findRedundant(rows),
  };
  const answers: Record<string, string> = {};
  for (const [name, use] of Object.entries(uses)) {
    answers[name] = await use().then(() => "an answer", String);
  }
  for (const [name, answer] of Object.entries(answers)) {
    assert.match(answer, /^DisposedError: Cannot use the engine\b.*disposal.*openEngine/, name);
  }
  // an engine that is opened later takes nothing from the first, and computes all the same
  using second = await openEngine();
  using ours = second.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape);
  using ourRows = await second.project(ours, data);
  const before = await computeGram(ourRows);
  const strangers = {
    logits: () => second.logits(network, data),
    train: () => second.train(network, data),
    project: () => second.project(network, data),
    rows: () => computeGram(rows, ourRows),
    columns: () => computeGram(ourRows, rows),
  };
  for (const [name, use] of Object.entries(strangers)) {
    await assert.rejects(use, {
      name: "DisposedError",
      message: /^Cannot use the engine of (network residual|packed rows)/,
    }, name);
  }
  rows.dispose();
  network.dispose();
  assert.deepEqual(await computeGram(ourRows), before);
});

Deno.test("an engine that is disposed at work ends what it does, and another takes its place", async () => {
  const tiny = residual(3);
  const data = drawImages(tiny, 70, 251);
  const works = {
    train: (engine: Engine, network: Network) => engine.train(network, data, { epochs: 50 }),
    logits: (engine: Engine, network: Network) => engine.logits(network, data),
    project: (engine: Engine, network: Network) => engine.project(network, data),
    computeGram: (_: Engine, __: Network, rows: Rows) => computeGram(rows),
    findRedundant: (_: Engine, __: Network, rows: Rows) => findRedundant(rows),
  };
  const logits: unknown[] = [];
  for (const [name, work] of Object.entries(works)) {
    const engine = await openEngine();
    const network = engine.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape);
    const rows = await engine.project(network, data);
    logits.push(await engine.logits(network, data));
    const working = work(engine, network, rows);
    engine.dispose();
    await assert.rejects(
      working,
      { name: "DisposedError", message: /^Cannot use the engine/ },
      name,
    );
  }
  for (const others of logits) assert.deepEqual(others, logits[0]);
});

Deno.test("a failure of the device surfaces wherever the engine waits for it", async () => {
  const tiny = residual(3);
  const data = drawImages(tiny, 3, 251);
  for (const use of ["logits", "accuracy", "project", "train"] as const) {
    const gpu = await openGpu();
    using engine = await bindEngine(gpu);
    using network = engine.network(tiny.definition, drawWeights(tiny, 1), tiny.inputShape);
    gpu.device.createBuffer({ label: "spoilt", size: 16, usage: 0 });
    await assert.rejects(engine[use](network, data), {
      name: "DeviceError",
      message: /Cannot trust/,
    });
  }
});
