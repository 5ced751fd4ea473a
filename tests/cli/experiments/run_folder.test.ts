/** The services of a run to an experiment: steps that are done once, parts left out, and nothing kept that JSON would lose. @module */
import assert from "node:assert/strict";
import { z } from "npm:zod@4.6.7";
import type { Experiment, Findings, Run } from "../../../cli/experiments/experiment.ts";
import { RunFolder } from "../../../cli/experiments/run_folder.ts";
import { drawDigits } from "../../../engine/data/digits.ts";
import { readNpy } from "../../../engine/formats/npy.ts";
import { drawStratified } from "../../../engine/data/stratified.ts";
import { mlp } from "../../../engine/network/models.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { testEngine } from "../../engine/open_engine.ts";

const SETTINGS = z.strictObject({ data: z.string().default("digits") });

const NOTHING: Findings = { metrics: {}, tables: [], figures: [], claims: [], notes: [] };

type TrialRun = Run<z.output<typeof SETTINGS>>;

function describe(work: (run: TrialRun) => Promise<unknown>): Experiment<typeof SETTINGS> {
  return {
    name: "trial",
    source: "s",
    about: "a",
    settings: SETTINGS,
    quick: {},
    paper: {},
    run: async (run) => ({ ...NOTHING, metrics: { found: await work(run) } }),
  };
}

testEngine("a step is done once, and gives what went through the disk", async (engine) => {
  await using folder = await openTempFolder();
  let done = 0;
  const trial = describe(async (run) => {
    const weights = await run.weights("weights", async () => {
      done++;
      using network = engine.network(mlp, { seed: 1, classes: 10 });
      return await network.weights();
    });
    const value = await run.step("value", () => {
      done++;
      return Promise.resolve({ a: [0.1, null], b: undefined });
    });
    return { value, norm: weights.get("fc3.bias")!.data.length };
  });
  for (const _ of [1, 2]) {
    using run = await RunFolder.open(`${folder.path}/r`, trial, { data: "digits" });
    const { findings } = await run.run(engine);
    assert.deepEqual(findings.metrics, { found: { value: { a: [0.1, null] }, norm: 10 } });
  }
  assert.equal(done, 2);
});

testEngine(
  "a part whose step failed can be left out, and is so again the next time",
  async (engine) => {
    await using folder = await openTempFolder();
    const trial = describe(async (run) => {
      for (const part of ["bad", "good"]) {
        await run.step(
          part,
          () => part === "bad" ? Promise.reject(new Error("NaN")) : Promise.resolve(1),
        )
          .catch((error: Error) => run.exclude(part, error.message));
      }
    });
    for (const _ of [1, 2]) {
      using run = await RunFolder.open(`${folder.path}/r`, trial, { data: "digits" });
      const { excluded } = await run.run(engine);
      assert.deepEqual(excluded, [{ part: "bad", reason: "NaN" }]);
    }
    const metrics = JSON.parse(await Deno.readTextFile(`${folder.path}/r/metrics.json`));
    assert.deepEqual(metrics, { excluded: [{ part: "bad", reason: "NaN" }] });
  },
);

testEngine("what would be lost is refused, and nothing stays of it", async (engine) => {
  await using folder = await openTempFolder();
  const step = (name: string, value: unknown) => (run: TrialRun) =>
    run.step(name, () => Promise.resolve(value));
  const mistakes: readonly (readonly [(run: TrialRun) => Promise<unknown>, RegExp])[] = [
    [step("s", { losses: [1, NaN] }), /Cannot keep '1': got NaN, need plain arrays and finite/],
    [step("s", { d: new Float32Array(2) }), /Cannot keep 'd': got Float32Array/],
    [step("s", { d: new Map() }), /Cannot keep 'd': got Map/],
    [step("../s", 1), /Cannot begin step .*: need a file name of its own/],
    [
      (run) =>
        run.step("s", () => {
          run.exclude("p", "r");
          return Promise.resolve(1);
        }),
      /Cannot exclude p within a step/,
    ],
  ];
  for (const [work, message] of mistakes) {
    {
      using run = await RunFolder.open(`${folder.path}/r`, describe(work), { data: "digits" });
      await assert.rejects(run.run(engine), message);
    }
    assert.equal(await Deno.stat(`${folder.path}/r`).catch(() => undefined), undefined);
  }
  const twice = describe(async (run) => {
    await run.step("s", () => Promise.resolve(1));
    await run.step("s", () => Promise.resolve(2));
  });
  using run = await RunFolder.open(`${folder.path}/r`, twice, { data: "digits" });
  await assert.rejects(run.run(engine), /Cannot begin step s\.json: need a file name of its own/);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(`${folder.path}/r/steps/s.json`)), 1);
});

testEngine(
  "a part is drawn by the sample seed, and its indices stay in the folder",
  async (engine) => {
    await using folder = await openTempFolder();
    const trial = describe(async (run) => [...(await run.data("train", { trainSize: 12 })).labels]);
    for (const sampleSeed of [0, 5]) {
      const path = `${folder.path}/${sampleSeed}`;
      using run = await RunFolder.open(path, trial, { data: "digits", seed: 1, sampleSeed });
      const { findings } = await run.run(engine);
      const expected = drawStratified(drawDigits("train"), 12, { seed: sampleSeed });
      assert.deepEqual(findings.metrics, { found: [...expected.labels] });
      assert.deepEqual((await readNpy(`${path}/samples.npy`)).data, expected.indices);
    }
  },
);

testEngine("samples that changed since the run began are refused", async (engine) => {
  await using folder = await openTempFolder();
  const trial = describe(async (run) => (await run.data("train", { size: 3 })).labels.length);
  const path = `${folder.path}/r`;
  {
    using run = await RunFolder.open(path, trial, { data: "digits" });
    await run.run(engine);
  }
  const record = JSON.parse(await Deno.readTextFile(`${path}/environment.json`));
  record[0].data["train 3"] = "0".repeat(64);
  await Deno.writeTextFile(`${path}/environment.json`, JSON.stringify(record));
  using run = await RunFolder.open(path, trial, { data: "digits" });
  await assert.rejects(
    run.run(engine),
    /got other samples in digits \(train\) than the run began with/,
  );
});

testEngine("of two sizes that are alike, the one that is at fault is blamed", async (engine) => {
  await using folder = await openTempFolder();
  const settings = { data: "digits", trainSize: 3000, testSize: 3000, more: 3000 };
  const { trainSize, testSize, more } = settings;
  const cases = [
    ["test", { testSize }, "testSize", "at most 1000, the samples of digits (test)"],
    [
      "train",
      { trainSize, more },
      "trainSize",
      "at most 4000 together with more, the samples of digits (train)",
    ],
  ] as const;
  for (const [split, sizes, key, need] of cases) {
    const trial = describe(async (run) => {
      await run.data("train", { trainSize });
      await run.data(split, sizes);
    });
    using run = await RunFolder.open(`${folder.path}/r`, trial, settings);
    await assert.rejects(run.run(engine), { name: "SettingError", key, need });
  }
});
