/** Objects of options: a misspelt key is refused, and never ignored. @module */
import assert from "node:assert/strict";
import { openEngine } from "../../engine/engine.ts";
import { drawDigits } from "../../engine/data/digits.ts";
import { fetchDataset } from "../../engine/data/fetch.ts";
import { loadDataset } from "../../engine/data/named.ts";
import { settle } from "../../engine/training/options.ts";
import {
  checkKeys,
  describeValue,
  findNearest as findNearestName,
  FLAG,
} from "../../engine/options.ts";
import { saveWeights } from "../../engine/formats/safetensors.ts";
import { computeEntk } from "../../engine/kernel/entk.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../engine/kernel/self_similarity.ts";
import { planSketch } from "../../engine/rows/sketch.ts";
import { computeClassSimilarity } from "../../engine/samples/class_similarity.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findNearest } from "../../engine/samples/nearest.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples } from "../../engine/samples/relations.ts";
import { KernelMatrix } from "../../engine/samples/source.ts";
import { KernelStore } from "../../engine/store/store.ts";
import { KernelWriter, storeGram } from "../../engine/store/store_writer.ts";

interface Rates {
  readonly learningRate?: number;
  readonly nested?: boolean;
  readonly schedule?: "constant" | "step";
}

const NAMES = { learningRate: true, nested: FLAG, schedule: ["constant", "step"] } as const;
const OTHERS = { renamed: { lr: "learningRate" }, refused: { nesterov: "it is not supported" } };

Deno.test("keys that mean nothing are refused with the nearest name, other libraries' names with ours", () => {
  const refused: [options: unknown, message: string][] = [
    [
      { learning_rate: 0.1 },
      "got an unknown option learning_rate = 0.1, need learningRate, nested, schedule; did you mean learningRate?",
    ],
    [
      { shedule: "step" },
      'got an unknown option shedule = "step", need learningRate, nested, schedule; did you mean schedule?',
    ],
    [
      { lr: 0.1 },
      "got an unknown option lr = 0.1, need learningRate, nested, schedule; lr is learningRate here",
    ],
    [{ nesterov: true }, "got an unknown option nesterov = true, need none: it is not supported"],
    [{ zzzz: 1 }, "got an unknown option zzzz = 1, need learningRate, nested, schedule"],
    [
      { zzzz: undefined },
      "got an unknown option zzzz = nothing, need learningRate, nested, schedule",
    ],
    [{ schedule: "cosine" }, 'got schedule "cosine", need "constant" or "step"'],
    [{ nested: 1 }, "got nested 1, need true or false"],
    [5, "got 5, need an object with learningRate, nested, schedule"],
    [[1], "got [1], need an object with learningRate, nested, schedule"],
    [null, "got null, need an object with learningRate, nested, schedule"],
  ];
  for (const [options, message] of refused) {
    assert.throws(() => checkKeys<Rates>("train", options, NAMES, OTHERS), {
      name: "TypeError",
      message: `Cannot train: ${message}`,
    });
  }
  const fine = [undefined, {}, { learningRate: NaN }, { nested: undefined, schedule: "step" }];
  for (const options of fine) checkKeys<Rates>("train", options, NAMES, OTHERS);
});

Deno.test("any value is shown on one line", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  const shown: [value: unknown, text: string][] = [
    [undefined, "nothing"],
    [null, "null"],
    [-0.5, "-0.5"],
    [3n, "3n"],
    [Symbol("x"), "Symbol(x)"],
    [() => 1, "a function"],
    ["a\nb", '"a\\nb"'],
    [new Map(), "a Map"],
    [Object.create(null), "{}"],
    [circle, "an array"],
    [{ shape: [3] }, '{"shape":[3]}'],
    ["x".repeat(100), `"${"x".repeat(59)}...`],
  ];
  for (const [value, text] of shown) assert.equal(describeValue(value), text);
  assert.equal(findNearestName("conv_1", ["conv1", "conv2"]), "conv1");
  assert.equal(findNearestName("fc", ["conv1", "conv2"]), undefined);
  assert.equal(findNearestName("boat", ["cat", "ship"]), undefined); // two letters of three
  assert.equal(findNearestName("fc", []), undefined);
});

// deno-lint-ignore no-explicit-any
const loose = (options: object): any => options;

/** What a call is not to look at before its options. */
const none = undefined as never;

Deno.test("every public function refuses a misspelt option before it does anything", async () => {
  const matrix = new KernelMatrix(Float32Array.of(2, 1, 1, 2), 2);
  const store = { shape: [2, 2], symmetry: "upper", chunkRows: 64, job: {} };
  const calls: [call: () => unknown, key: string, nearest: string][] = [
    [() => openEngine(loose({ memorybytes: 1 })), "memorybytes", "did you mean memoryBytes?"],
    [() => settle(loose({ learning_rate: 1 })), "learning_rate", "did you mean learningRate?"],
    [() => settle(loose({ batch_size: 1 })), "batch_size", "batch_size is batch here"],
    [
      () => planSketch([], loose({ dimensions: 1, seed: 0 })),
      "dimensions",
      "did you mean dimension?",
    ],
    [
      () => clusterSamples(matrix, loose({ ratio: 1, per_class: [0, 0] })),
      "per_class",
      "did you mean perClass?",
    ],
    [() => findRedundant(matrix, loose({ rules: "any" })), "rules", "did you mean rule?"],
    [() => relateSamples(matrix, loose({ treshold: 1 })), "treshold", "did you mean threshold?"],
    [
      () => computeClassSimilarity(matrix, [0, 0], 1, loose({ column: 1 })),
      "column",
      "did you mean columns?",
    ],
    [() => loadDataset("digits", "train", loose({ sise: 1 })), "sise", "did you mean size?"],
    [() => drawDigits("train", loose({ Seed: 1 })), "Seed", "did you mean seed?"],
    [() => fetchDataset("mnist", loose({ miror: 1 })), "miror", "did you mean mirror?"],
    [
      () => KernelStore.open("none", loose({ cachebytes: 1 })),
      "cachebytes",
      "did you mean cacheBytes?",
    ],
    [() => KernelWriter.open("none", loose({ ...store, note: {} })), "note", "did you mean notes?"],
    [() => computeGram(none, none, loose({ signals: 1 })), "signals", "did you mean signal?"],
    [() => computeEntk(none, none, loose({ progress: 1 })), "progress", "did you mean onProgress?"],
    [
      () => computeSelfSimilarity(none, loose({ onprogress: 1 })),
      "onprogress",
      "did you mean onProgress?",
    ],
    [() => findNearest(none, 1, loose({ Signal: 1 })), "Signal", "did you mean signal?"],
    [() => storeGram(none, none, none, loose({ signals: 1 })), "signals", "did you mean signal?"],
    [
      () => saveWeights("none", new Map(), loose({ meta_data: {} })),
      "meta_data",
      "did you mean metadata?",
    ],
    [
      () => KernelWriter.open("none", loose(store), loose({ repare: true })),
      "repare",
      "did you mean repair?",
    ],
  ];
  for (const [call, key, nearest] of calls) {
    await assert.rejects(async () => await call(), (error) => {
      assert.ok(error instanceof TypeError, `${error}`);
      assert.ok(error.message.includes(`an unknown option ${key} = `), error.message);
      assert.ok(error.message.endsWith(nearest), error.message);
      return true;
    });
  }
  const values: [call: () => unknown, message: RegExp][] = [
    [
      () => computeGram(none, none, loose(() => {})),
      /^Cannot compute a kernel: got a function, need an object with onProgress, signal$/,
    ],
    [
      () => findRedundant(matrix, { onProgress: loose({}) }),
      /^Cannot begin: got onProgress \{\}, need a function$/,
    ],
    [
      () => settle(loose({ schedule: "cosin" })),
      /got schedule "cosin", need "constant" or "step" or "cosine"/,
    ],
    [() => settle(loose({ augment: "no" })), /got augment "no", need true or false/],
    [
      () => findRedundant(matrix, loose({ rule: "latter" })),
      /got rule "latter", need "any" or "later"/,
    ],
    [() => openEngine({ memoryBytes: NaN }), /got memoryBytes NaN, need a number of bytes above 0/],
  ];
  for (const [call, message] of values) await assert.rejects(async () => await call(), { message });
});
