/** Choosing a variant: measured, remembered for the adapter, and measured again when the memory is of no use. @module */
import assert from "node:assert/strict";
import { Gpu } from "../../engine/gpu/device.ts";
import { chooseVariant, tune } from "../../engine/kernel/tuning.ts";
import { canRun, PLAIN_VARIANT, VARIANTS } from "../../engine/kernel/variants.ts";
import { openTempFolder } from "../unit/data_fixtures.ts";

/** Runs a job with a cache folder of its own. */
async function withCache(job: (file: string) => Promise<void>): Promise<void> {
  await using folder = await openTempFolder();
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", folder.path);
  try {
    await job(`${folder.path}/lpntk/tuning.json`);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
  }
}

/** A device of its own each time: what is known of a device is not read again. */
async function withGpu<T>(job: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await Gpu.open();
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
      const tuning = await tune(gpu);
      assert.equal(gpu.liveBuffers, before, "buffers alive after the measurement");
      const names = VARIANTS.filter((variant) => canRun(gpu, variant, 1024)).map(({ name }) =>
        name
      );
      assert.deepEqual(Object.keys(tuning.rates).sort(), names.sort());
      const chosen = await chooseVariant(gpu, 1024);
      assert.equal(chosen.name, Object.keys(tuning.rates)[0]);
      return tuning;
    });
    const rates = Object.values(tuning.rates);
    assert.deepEqual(rates, rates.toSorted((a, b) => b - a));

    const memory = JSON.parse(await Deno.readTextFile(file));
    const [key] = Object.keys(memory);
    assert.deepEqual(memory[key], tuning);
    const forced = { [key]: { ...tuning, rates: { [PLAIN_VARIANT.name]: 1 } } };
    await Deno.writeTextFile(file, JSON.stringify(forced));
    await withGpu(async (gpu) => assert.equal(await chooseVariant(gpu, 1024), PLAIN_VARIANT));

    await withGpu(async (gpu) => {
      const fresh = await tune(gpu, { fresh: true });
      assert.deepEqual(Object.keys(fresh.rates).sort(), Object.keys(tuning.rates).sort());
    });

    await Deno.writeTextFile(file, "{ broken");
    await withGpu(async (gpu) => assert.ok(Object.keys((await tune(gpu)).rates).length > 0));
    assert.equal(Object.keys(JSON.parse(await Deno.readTextFile(file))).length, 1);
  });
});

Deno.test("rows that are too high for a texture are multiplied from buffers", async () => {
  await withGpu(async (gpu) => {
    const height = gpu.device.limits.maxTextureDimension2D;
    assert.equal((await chooseVariant(gpu, height + 1)).operands, "buffer");
  });
});
