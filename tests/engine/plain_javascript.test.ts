/** Arguments that the types would refuse and plain JavaScript lets through: each is refused in one line, never ignored. @module */
import assert from "node:assert/strict";
import { CIFAR10, readCifar } from "../../engine/data/cifar.ts";
import { createDataset } from "../../engine/data/dataset.ts";
import { drawDigits } from "../../engine/data/digits.ts";
import { readFolder } from "../../engine/data/folder.ts";
import { readMnist } from "../../engine/data/mnist.ts";
import { hasSplit, loadDataset } from "../../engine/data/named.ts";
import { countShare } from "../../engine/share.ts";
import { openEngine } from "../../engine/engine.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../engine/kernel/self_similarity.ts";
import type { Rows } from "../../engine/rows/rows.ts";
import { settle } from "../../engine/training/options.ts";
import { computeClassSimilarity } from "../../engine/samples/class_similarity.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findNearest } from "../../engine/samples/nearest.ts";
import { dropFlagged, keepHighest } from "../../engine/samples/pruning.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples } from "../../engine/samples/relations.ts";
import { KernelMatrix } from "../../engine/samples/source.ts";

const kernel = new KernelMatrix(Float32Array.of(1, 0, 0, 1), 2);

Deno.test("scores, flags and roundings that are none are refused", () => {
  const need = "need 0 or 1 for each sample, which are no indices";
  const cases: [() => unknown, string, string][] = [
    [
      () => keepHighest([1, undefined, 3] as never, 1),
      "RangeError",
      "Cannot keep the highest scores: got nothing for sample 1, need numbers",
    ],
    [
      () => keepHighest([1, "2"] as never, 1),
      "RangeError",
      'Cannot keep the highest scores: got "2" for sample 1, need numbers',
    ],
    [
      () => dropFlagged([0, 1, 4, 7]),
      "RangeError",
      `Cannot drop flagged samples: got flag 4 for sample 2, ${need}`,
    ],
    [
      () => countShare(0.25, 10, "nearst" as never),
      "TypeError",
      'Cannot take a share: got rounding "nearst", need "down" or "nearest"',
    ],
  ];
  for (const [call, name, message] of cases) assert.throws(call, { name, message });
  assert.deepEqual([...dropFlagged([true, false, 1, 0])], [1, 3]);
});

Deno.test("numbers that are texts, not finite or out of range are refused", async () => {
  const refuse = (options: object, message: RegExp) =>
    assert.throws(() => settle(options), { name: "RangeError", message });
  refuse(
    { learningRate: "0.1" },
    /^Cannot train: got learning rate "0.1", need a positive number$/,
  );
  refuse({ momentum: "0.9" }, /got momentum "0.9"/);
  refuse({ weightDecay: "0" }, /got weight decay "0"/);
  refuse({ weightDecay: NaN }, /got weight decay NaN/);
  refuse({ epochs: "3" }, /got epochs "3"/);
  refuse({ batch: "all" }, /got batch "all"/);
  await assert.rejects(relateSamples(kernel, { threshold: "0.6" } as never), {
    name: "RangeError",
    message: 'Cannot relate samples: got threshold "0.6", need a number from 0.5 to 1',
  });
  await assert.rejects(relateSamples(kernel, { epsilon: "0.1" } as never), /got epsilon "0.1"/);
});

Deno.test("an engine's memory is a number, or it is not opened", async () => {
  for (const options of [{ memoryBytes: "1e9" }, { memoryBytes: NaN }, { heldBytes: -1 }]) {
    const [[name, value]] = Object.entries(options);
    await assert.rejects(openEngine(options as never), (error) => {
      assert.ok(error instanceof RangeError, `${error}`);
      const got = `Cannot open an engine: got ${name} ${
        typeof value === "string" ? `"${value}"` : value
      }, need a number of bytes`;
      assert.ok(error.message.startsWith(got), error.message);
      return true;
    });
  }
});

Deno.test("analyses say what they lack", async () => {
  const refuse = (call: Promise<unknown>, name: string, message: string) =>
    assert.rejects(call, { name, message });
  const need = "need rows as Engine.project gives them";
  await refuse(
    clusterSamples(kernel, undefined as never),
    "RangeError",
    "Cannot cluster samples: got ratio nothing, need a number above 0 and at most 1",
  );
  await refuse(
    computeClassSimilarity(kernel, [0, 1], undefined as never),
    "RangeError",
    "Cannot compute class similarity: got classes nothing, need a positive integer",
  );
  await refuse(
    computeClassSimilarity(kernel, [0, 1], 2, { columns: kernel as never }),
    "TypeError",
    `Cannot compute class similarity: got a KernelMatrix, ${need}`,
  );
  const nearest = (source: never) => findNearest(source, 1);
  for (const analyse of [findRedundant, relateSamples, nearest]) {
    await assert.rejects(analyse(kernel.values as never), {
      name: "TypeError",
      message: /got a Float32Array, need rows as Engine.project gives them, a KernelMatrix or a /,
    });
  }
});

Deno.test("what only looks like rows is refused by all that multiplies rows", async () => {
  const lookalike: Rows = {
    count: 2,
    length: 1,
    projection: { kind: "lpntk", isNormalised: false },
    residence: "device",
    gramVariant: "plain-buffer",
    gramShader: "gram_tile",
    dispose() {},
    [Symbol.dispose]() {},
  };
  const works = { computeGram, computeEntk, computeSelfSimilarity, findRedundant, relateSamples };
  for (const [name, work] of Object.entries(works)) {
    await assert.rejects(work(lookalike), {
      name: "TypeError",
      message: /^Cannot .+: got \{"count":2,.+, need rows as Engine.project gives them/,
    }, name);
  }
  await assert.rejects(computeGram(kernel as never), {
    name: "TypeError",
    message: "Cannot compute a kernel: got a KernelMatrix, need rows as Engine.project gives them",
  });
});

Deno.test("a split that is none is refused with the nearest, wherever it is asked for", async () => {
  const need = 'need "train" or "test"';
  const cases: [() => unknown, string][] = [
    [
      () => drawDigits("Test" as never),
      `Cannot draw digits: got split "Test", ${need}; did you mean "test"?`,
    ],
    [
      () => loadDataset("./folder", "Train" as never),
      `Cannot load data set ./folder: got split "Train", ${need}; did you mean "train"?`,
    ],
    [
      () => loadDataset("mnist", "tets" as never),
      `Cannot load data set mnist: got split "tets", ${need}; did you mean "test"?`,
    ],
    [
      () => hasSplit("digits", undefined as never),
      `Cannot look for data set digits: got split nothing, ${need}`,
    ],
    [() => readFolder("folder", "x" as never), `Cannot read folder: got split "x", ${need}`],
    [() => readMnist("folder", "val" as never), `Cannot read MNIST: got split "val", ${need}`],
    [
      () => readCifar(CIFAR10, "folder", "val" as never),
      `Cannot read CIFAR-10: got split "val", ${need}`,
    ],
  ];
  for (const [call, message] of cases) {
    await assert.rejects(async () => await call(), { name: "TypeError", message });
  }
});

Deno.test("parts that make no data set are refused by name", () => {
  const parts = {
    name: "mine",
    split: "train" as const,
    images: new Uint8Array(3),
    labels: [0, 1, 0],
    shape: [1, 1, 1] as const,
    classes: 2,
    mean: [0],
    std: [1],
  };
  assert.equal(createDataset({ ...parts, indices: Int32Array.of(4, 0, 2) }).labels.length, 3);
  const cases: [object, string, RegExp][] = [
    [{ split: "val" }, "TypeError", /^Cannot create data set mine: got split "val", need "train" /],
    [{ mean: 0 }, "TypeError", /^Cannot create a data set: got mean 0, need a list of one number /],
    [{ std: 1 }, "TypeError", /^Cannot create a data set: got std 1, need a list of one number /],
    [{ shape: undefined }, "TypeError", /got shape nothing, need \[height, width, channels\]$/],
    [{ labels: undefined }, "TypeError", /got labels nothing, need a list of integers$/],
    [{ label: [0] }, "TypeError", /got an unknown option label = .* did you mean labels\?$/],
    [
      { indices: Int32Array.of(0, -1, 2) },
      "DataError",
      /^Cannot use data set mine: got index -1 at place 1, need integers of at least 0$/,
    ],
    [{ indices: [0, 0.5, 2] }, "DataError", /got index 0.5 at place 1, /],
  ];
  for (const [change, name, message] of cases) {
    assert.throws(() => createDataset({ ...parts, ...change }), { name, message });
  }
  assert.throws(() => createDataset(undefined as never), {
    name: "TypeError",
    message: /got null/,
  });
});
