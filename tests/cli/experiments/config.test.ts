/** Configuration files of experiments: what overrides what, and every mistake is reported with its line. @module */
import assert from "node:assert/strict";
import { z } from "npm:zod@4.6.7";
import { type Choice, encodeConfig, readConfig } from "../../../cli/experiments/config.ts";
import type { Base, Experiment } from "../../../cli/experiments/experiment.ts";
import * as setting from "../../../cli/experiments/shared/settings.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  epochs: setting.count().default(30),
  learningRate: setting.positive().default(0.1),
  sizes: z.array(setting.count()).min(1).default([1, 5]),
  model: setting.model().default("mlp"),
});

const experiment: Experiment<typeof SETTINGS> = {
  name: "trial",
  source: "section 0",
  about: "nothing",
  settings: SETTINGS,
  quick: { epochs: 3 },
  paper: { epochs: 300, sizes: [1, 5, 10] },
  byData: {
    cifar10: {
      default: { model: "resnet8" },
      quick: { model: "./quick.ts", sizes: [2] },
      paper: { model: "resnet18", epochs: 90 },
    },
  },
  run: () => Promise.reject(new Error("not run")),
};

const read = (base: Base, text?: string, choice?: Choice) =>
  readConfig(experiment, base, text === undefined ? undefined : { path: "c.toml", text }, choice);

const DEFAULTS = {
  data: "mnist",
  epochs: 30,
  learningRate: 0.1,
  sizes: [1, 5],
  model: "mlp",
};

Deno.test("settings are the defaults, the base's over them, and the file's over those", () => {
  assert.deepEqual(read("default").settings, DEFAULTS);
  assert.deepEqual(read("quick").settings, { ...DEFAULTS, epochs: 3 });
  const { settings } = read("paper", "epochs = 7\nlearningRate = 5e-4");
  assert.deepEqual(settings, { ...DEFAULTS, sizes: [1, 5, 10], epochs: 7, learningRate: 5e-4 });
});

Deno.test("a data set that needs other settings has its own for each base, in place of the others", () => {
  const cifar10 = { ...DEFAULTS, data: "cifar10" };
  const expected = {
    default: { ...cifar10, model: "resnet8" },
    quick: { ...cifar10, model: "./quick.ts", sizes: [2] },
    paper: { ...cifar10, model: "resnet18", epochs: 90 },
  };
  for (const base of ["default", "quick", "paper"] as const) {
    assert.deepEqual(read(base, 'data = "cifar10"').settings, expected[base]);
    assert.deepEqual(read(base, undefined, { data: "cifar10" }).settings, expected[base]);
    const { settings } = read(base, 'data = "cifar10"\nmodel = "mlp"\nepochs = 5');
    assert.deepEqual(settings, { ...expected[base], model: "mlp", epochs: 5 });
  }
  // valueOf is a key that every object has
  assert.deepEqual(read("quick", 'data = "valueOf"').settings, {
    ...DEFAULTS,
    data: "valueOf",
    epochs: 3,
  });
});

Deno.test("options override the file, and are told by their names", () => {
  const choice = { data: "cifar10", model: "./mine.ts" };
  const { settings, locate } = read("quick", 'data = "digits"\nmodel = "mlp"', choice);
  assert.deepEqual(settings, { ...DEFAULTS, ...choice, sizes: [2] });
  assert.deepEqual(["data", "model", "sizes"].map(locate), [
    "--data",
    "--model",
    "quick settings of trial",
  ]);
});

Deno.test("a configuration that was written is read as it was, whatever the base", () => {
  const { settings } = read("paper", 'data = "./a \\"folder\\""\nlearningRate = 1e-7');
  assert.deepEqual(read("quick", encodeConfig("trial", settings)).settings, settings);
});

const MISTAKES: readonly (readonly [name: string, text: string, says: string])[] = [
  [
    "an unknown key",
    "data = 'digits'\n\nepoch = 3\n",
    "Cannot use c.toml, line 3: got an unknown key epoch, need data, epochs, learningRate, sizes, model; did you mean epochs?",
  ],
  [
    "a key that is like none",
    "hidden = 3",
    "Cannot use c.toml, line 1: got an unknown key hidden, need data, epochs, learningRate, sizes, model",
  ],
  [
    "a wrong type",
    "# one\nlearningRate = '0.1'",
    'Cannot use c.toml, line 2: got learningRate = "0.1", need a number',
  ],
  [
    "an impossible size",
    "epochs = 0",
    "Cannot use c.toml, line 1: got epochs = 0, need a number of at least 1",
  ],
  [
    "a size that is not whole",
    "epochs = 1.5",
    "Cannot use c.toml, line 1: got epochs = 1.5, need an integer",
  ],
  [
    "a choice that there is not",
    'epochs = 1\nmodel = "resnet"',
    'Cannot use c.toml, line 2: got model = "resnet", need lenet5, lenet_large, mlp, resnet8, resnet8_narrow, resnet18, resnet18_narrow, resnet18_bn, an .onnx file or a .ts file',
  ],
  [
    "a mistake in an array over several lines, by its first",
    'data = "digits"\nsizes = [\n  1,\n  0,\n]\nepochs = 3',
    "Cannot use c.toml, line 2: got sizes = [1,0], need a number of at least 1",
  ],
  [
    "a key that only stands in a text",
    'data = """\nepochs = 0\n"""\nepochs = -1',
    "Cannot use c.toml, line 4: got epochs = -1, need a number of at least 1",
  ],
  [
    "another experiment's",
    'epochs = 1\nexperiment = "noise"',
    'Cannot use c.toml, line 2: got experiment "noise", need trial',
  ],
  ["no TOML", "epochs = 1\nepochs == 2", "Cannot use c.toml, line 2: "],
];

for (const [name, text, says] of MISTAKES) {
  Deno.test(`a configuration with ${name} is refused with its line`, () => {
    assert.throws(() => read("default", text), (error: Error) => {
      assert.equal(error.name, "UsageError");
      assert.ok(
        says.endsWith(" ") ? error.message.startsWith(says) : error.message === says,
        error.message,
      );
      return !error.message.includes("\n");
    });
  });
}

Deno.test("what a value needs to be is said of every kind of setting", () => {
  const kinds = z.strictObject({
    flag: z.boolean().default(true),
    rule: z.enum(["sum", "mean"]).default("sum"),
    ratio: setting.ratio().default(1),
    part: setting.fraction().default(0),
    sizes: z.array(setting.count()).min(1).default([1]),
    data: setting.data(),
  });
  const says = (text: string) => {
    const trial = { ...experiment, settings: kinds, byData: {}, quick: {}, paper: {} };
    try {
      readConfig(trial, "default", { path: "c.toml", text });
    } catch (error) {
      return (error as Error).message.replace(/^.*: got /, "");
    }
  };
  assert.equal(says("flag = 1"), "flag = 1, need true or false");
  assert.equal(says('rule = "max"'), 'rule = "max", need sum or mean');
  assert.equal(says("ratio = 0"), "ratio = 0, need a number above 0");
  assert.equal(says("ratio = 1.5"), "ratio = 1.5, need a number of at most 1");
  assert.equal(says("part = 1"), "part = 1, need a number below 1");
  assert.equal(says("part = -1"), "part = -1, need a number of at least 0");
  assert.equal(says("sizes = []"), "sizes = [], need a list of at least 1");
  assert.equal(says("sizes = 3"), "sizes = 3, need a list");
  assert.equal(says('data = ""'), 'data = "", need a length of at least 1');
});

Deno.test("where a setting stands is told by line, or by the base that it came from", () => {
  const { locate } = read("quick", "# a\nsizes = [\n1]\nlearningRate = 1");
  assert.equal(locate("sizes"), "c.toml, line 2");
  assert.equal(locate("learningRate"), "c.toml, line 4");
  assert.equal(locate("epochs"), "quick settings of trial");
});

Deno.test("seeds that follow a seed are ones that a setting takes, and differ", () => {
  const settings = z.strictObject({ seed: setting.seed() });
  const last = settings.parse({ seed: 2 ** 32 - 1 }).seed;
  assert.equal(setting.offsetSeed(7, 5), 12);
  const following = [0, 1, 2].map((offset) => setting.offsetSeed(last, offset));
  assert.deepEqual(following.map((seed) => settings.parse({ seed }).seed), [last, 0, 1]);
});
