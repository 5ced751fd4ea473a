/** Choice of a variant: measured, remembered for the adapter, and measured again if the memory is of no use. @module */
import assert from "node:assert/strict";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { openGpu } from "../../../engine/tuning/open.ts";
import { chooseOperandStorage } from "../../../engine/tuning/operand_storage.ts";
import { chooseVariant, tune, TUNING, type Tuning } from "../../../engine/tuning/gram_variants.ts";
import { canRun, PLAIN_VARIANT, VARIANTS } from "../../../engine/rows/variants.ts";
import { z } from "npm:zod@4.6.7";
import { dirname } from "node:path";
import { recall } from "../../../engine/tuning/measurement.ts";
import { UNMEASURED } from "../../../engine/gpu/rates.ts";
import { assertShort, watchLoad } from "../gpu/load.ts";
import { layOut } from "../gpu/open.ts";
import { callHere, expectSuccess, prepareDeno, ROOT } from "../../cli/process.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { pretend } from "../gpu/environment.ts";

/** Runs a job with a cache folder of its own. */
async function withCache(job: (file: string) => Promise<void>): Promise<void> {
  await using folder = await openTempFolder();
  using _ = pretend({ XDG_CACHE_HOME: folder.path });
  await job(`${folder.path}/lpntk/tuning.json`);
}

/** Runs a job with a device of its own, since the memory is read once for each device. */
async function withGpu<T>(job: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await openGpu();
  try {
    return await job(gpu);
  } finally {
    gpu.dispose();
  }
}

Deno.test("a tuning ranks what the device runs, and is remembered", async () => {
  await withCache(async (file) => {
    const tuning = await withGpu(async (gpu) => {
      gpu.record(); // makes the parameter buffer, which stays
      const before = gpu.liveBuffers;
      using load = watchLoad();
      const tuning = await tune(gpu);
      assertShort(load, 0);
      // the first is small whatever the device, 1 GFLOP at most
      const [first] = load.submissions;
      assert.ok(first.reduce((sum, ms) => sum + ms, 0) * UNMEASURED.products <= 1e9);
      assert.equal(gpu.liveBuffers, before, "buffers alive after the measurement");
      const names = VARIANTS.filter((variant) => canRun(gpu, variant, layOut(1024))).map((
        { name },
      ) => name);
      assert.deepEqual(Object.keys(tuning.rates).sort(), names.sort());
      const chosen = await chooseVariant(gpu, layOut(1024));
      assert.equal(chosen.name, Object.keys(tuning.rates)[0]);
      // in GFLOP/s and GB/s there, a millisecond here
      for (const [name, rate] of Object.entries(tuning.rates)) {
        assert.equal(gpu.rates.variants[name], 1e6 * rate);
      }
      assert.equal(gpu.rates.reads, 1e6 * tuning.bandwidths[chosen.operands]!);
      assert.equal(gpu.liveBuffers, before, "buffers alive after the measurement");
      assert.ok(gpu.rates.elements > 0 && gpu.rates.elements !== UNMEASURED.elements);
      return tuning;
    });
    const rates = Object.values(tuning.rates);
    assert.deepEqual(rates, rates.toSorted((a, b) => b - a));

    const memory = JSON.parse(await Deno.readTextFile(file));
    const [key] = Object.keys(memory);
    assert.deepEqual(memory[key], tuning);
    const forced = { [key]: { ...tuning, rates: { [PLAIN_VARIANT.name]: 1 } } };
    await Deno.writeTextFile(file, JSON.stringify(forced));
    await withGpu(async (gpu) =>
      assert.equal(await chooseVariant(gpu, layOut(1024)), PLAIN_VARIANT)
    );
  });
});

Deno.test("operands are read where that is faster, and the choice is remembered", async () => {
  await withCache(async (file) => {
    await withGpu(async (gpu) => {
      gpu.record(); // makes the parameter buffer, which stays
      const before = gpu.liveBuffers;
      const times = await chooseOperandStorage(gpu);
      assert.equal(gpu.liveBuffers, before, "buffers alive after the measurement");
      assert.equal(gpu.operandStorage, times.texture < times.buffer ? "texture" : "buffer");
    });
    const [key] = Object.keys(JSON.parse(await Deno.readTextFile(file)));
    for (
      const [storage, times] of [
        ["buffer", { buffer: 1, texture: 2 }],
        ["texture", { buffer: 2, texture: 1 }],
      ] as const
    ) {
      await Deno.writeTextFile(file, JSON.stringify({ [key]: times }));
      await withGpu(async (gpu) => {
        assert.deepEqual(await chooseOperandStorage(gpu), times);
        assert.equal(gpu.operandStorage, storage);
        // 128 images of 10 x 10 positions of 16 channels, each a sum of 5 x 5 x 6 products, in 1 ms
        const convolutions = 2 * 128 * 100 * 16 * 150;
        assert.deepEqual(gpu.rates, { ...UNMEASURED, convolutions, products: convolutions });
      });
    }
  });
});

Deno.test("a memory of variants that there are not, or without what is needed, is of no use", () => {
  const good = {
    size: [512, 1000],
    rates: { [PLAIN_VARIANT.name]: 1 },
    bandwidths: { [PLAIN_VARIANT.operands]: 1 },
  };
  assert.deepEqual(TUNING.schema.parse(good), good);
  const wrong = [
    { ...good, rates: { ...good.rates, "of-tomorrow-buffer": 2 } },
    { ...good, rates: { [VARIANTS[1].name]: 2 } },
    { ...good, rates: {} },
    { ...good, bandwidths: {} },
    null,
  ];
  for (const value of wrong) {
    assert.equal(TUNING.schema.safeParse(value).success, false, JSON.stringify(value));
  }
});

/** Stand-in for a measurement. */
const TRIAL = {
  name: "trial",
  shaders: () => [],
  schema: z.number(),
  measure: () => Promise.resolve(7),
};

Deno.test("what is remembered is measured again when asked, or when it is not what is needed", async () => {
  let count = 0;
  const counted = { ...TRIAL, measure: () => Promise.resolve(++count) };
  await withCache(async (file) => {
    const ask = (fresh?: boolean) => withGpu((gpu) => recall(gpu, counted, { fresh }));
    assert.deepEqual([await ask(), await ask(), await ask(true), await ask()], [1, 1, 2, 2]);
    const [key] = Object.keys(JSON.parse(await Deno.readTextFile(file)));
    await Deno.writeTextFile(file, JSON.stringify({ [key]: "a word", another: 5 }));
    assert.equal(await ask(), 3);
    assert.deepEqual(JSON.parse(await Deno.readTextFile(file)), { [key]: 3, another: 5 });
  });
});

Deno.test("a memory that is no JSON is written anew", async () => {
  await withCache(async (file) => {
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, "{ broken");
    assert.equal(await withGpu((gpu) => recall(gpu, TRIAL)), 7);
    assert.deepEqual(Object.values(JSON.parse(await Deno.readTextFile(file))), [7]);
  });
});

Deno.test("a cache folder that cannot be written is said in one line, once", async () => {
  await withCache(async (file) => {
    // a file in the folder's place, which not even the superuser can write into
    await Deno.writeTextFile(dirname(file), "");
    assert.equal(await withGpu((gpu) => recall(gpu, TRIAL)), 7);
    const said = await callHere(["experiment", "list"]);
    assert.equal(said.code, 0);
    assert.match(
      said.stderr,
      /^lpntk: [^\n]*the cache folder cannot be written \([^\n]+\); set XDG_CACHE_HOME[^\n]+\n$/,
    );
    assert.equal((await callHere(["experiment", "list"])).stderr, "");
  });
});

/** Program that prints two tunings of one device, each measured. */
const TUNE_TWICE = `
import { openGpu } from "${ROOT}/engine/tuning/open.ts";
import { tune } from "${ROOT}/engine/tuning/gram_variants.ts";
const gpu = await openGpu();
console.log(JSON.stringify([await tune(gpu, { fresh: true }), await tune(gpu, { fresh: true })]));
gpu.dispose();
`;

Deno.test("a first tuning is not slowed by compiling", async () => {
  await using folder = await openTempFolder();
  // Deno uses its own cache; that of the driver is off
  const { denoDir } = JSON.parse(await expectSuccess(prepareDeno(["info", "--json"])));
  const env = {
    DENO_DIR: denoDir,
    XDG_CACHE_HOME: folder.path,
    MESA_SHADER_CACHE_DISABLE: "true",
  };
  const command = prepareDeno(["eval", TUNE_TWICE], { env, timeoutMs: 300_000 });
  const [first, second]: Tuning[] = JSON.parse(await expectSuccess(command));
  assert.notDeepEqual(first.rates, second.rates, "measured once");
  assert.deepEqual(Object.keys(first.rates).sort(), Object.keys(second.rates).sort());
  for (const [name, rate] of Object.entries(second.rates)) {
    // a variant that is slow is measured once: the margin covers the machine's noise, and is far from the 50 times of a compilation
    assert.ok(
      first.rates[name] > rate / 8,
      `${name}: ${first.rates[name]} GFLOP/s at first, then ${rate}`,
    );
  }
});

Deno.test("rows that are too high for a texture are multiplied from buffers", async () => {
  await withGpu(async (gpu) => {
    const height = gpu.device.limits.maxTextureDimension2D;
    assert.equal((await chooseVariant(gpu, layOut([height, 1]))).operands, "buffer");
  });
});
