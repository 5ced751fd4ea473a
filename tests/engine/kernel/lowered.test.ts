/** Devices with less memory, lower limits and fewer features than the adapter has: the same numbers as with all of it. @module */
import assert from "node:assert/strict";
import { loadDataset } from "../../../engine/data/named.ts";
import { bindEngine, type Engine } from "../../../engine/engine.ts";
import type { LoweredDevice } from "../../../engine/gpu/adapter.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { lenet5 } from "../../../engine/network/models.ts";
import { DeviceNetwork, type Network } from "../../../engine/network/network.ts";
import { PANEL_ROWS } from "../../../engine/rows/blocks.ts";
import { layOutRow } from "../../../engine/rows/layout.ts";
import { planWithin } from "../../../engine/rows/room.ts";
import { PackedRows, type Rows } from "../../../engine/rows/rows.ts";
import { measureBinding } from "../../../engine/rows/variants.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { chooseOperandStorage } from "../../../engine/tuning/operand_storage.ts";
import { openTunedGpu } from "../../../engine/tuning/open.ts";
import { pretend } from "../gpu/environment.ts";

/** Samples in three whole panels and a fourth that is not. */
const data = await loadDataset("digits", "train", { size: 199 });

/** Computes the kernel and the integers that follow from it. */
async function answer(rows: Rows) {
  return {
    kernel: await computeGram(rows),
    redundant: await findRedundant(rows),
    relations: await relateSamples(rows),
    clusters: await clusterSamples(rows, { ratio: 0.2, perClass: data.labels }),
  };
}

/** Runs a test on a LeNet-5, whose device must not hold more afterwards. */
async function withNetwork(
  gpu: Gpu,
  run: (engine: Engine, network: Network) => Promise<void>,
): Promise<void> {
  gpu.record(); // the first recording makes the parameter buffer, which stays
  const before = gpu.liveBuffers;
  using engine = await bindEngine(gpu);
  using network = engine.network(lenet5, { seed: 3, classes: 10 });
  await run(engine, network);
  await gpu.finish();
  assert.equal(gpu.liveBuffers, before, "buffers alive after the test");
}

/** Answers of a device with all that the adapter has. */
const expected = await (async () => {
  let answers: Awaited<ReturnType<typeof answer>> | undefined;
  await withNetwork(await openTunedGpu(), async (engine, network) => {
    using rows = await engine.project(network, data);
    assert.equal(rows.residence, "device");
    answers = await answer(rows);
  });
  const { redundant, clusters } = answers!;
  assert.ok(redundant.includes(0) && redundant.includes(1));
  assert.ok(clusters.centroids.length > 10);
  return answers!;
})();

/** Opens a device that reads operands from buffers: without copies of them passes are small, and what gives way to a shortage is the tiles. */
async function openUncopied(): Promise<Gpu> {
  const gpu = await openTunedGpu();
  gpu.hasTextures = false;
  await chooseOperandStorage(gpu);
  return gpu;
}

/** Folder in which there is no room for a file. */
const FULL = { TMPDIR: "/proc" };

/** Measures what a device without anything else holds of rows that are planned as these were. */
function measureRows(gpu: Gpu, network: Network, rows: Rows): number {
  assert(network instanceof DeviceNetwork && rows instanceof PackedRows);
  const { layers } = network;
  const memory = { roomBytes: Infinity, bytes: 0, shortage: undefined };
  return planWithin({ adapter: gpu.adapter, memory, operandStorage: gpu.operandStorage }, {
    count: rows.count,
    layers,
    layout: layOutRow(layers),
    isSketched: false,
    binding: measureBinding(gpu, rows.variant.operands),
    blockRows: PANEL_ROWS * rows.blocks[0].panelCount,
    residence: rows.residence,
  }).rows.deviceBytes;
}

Deno.test("rows for which the device has no room take smaller tiles, then a file, or are computed anew", async () => {
  const gpu = await openUncopied();
  const { memory } = gpu;
  await withNetwork(gpu, async (engine, network) => {
    const idle = gpu.liveBytes;
    const taken: unknown[] = [];
    const project = async (allocatableBytes: number) => {
      memory.allocatableBytes = allocatableBytes;
      // the device has to find out by itself
      memory.roomBytes = Infinity;
      using rows = await engine.project(network, data);
      taken.push([rows.residence, (rows as PackedRows).blocks[0].rowCount]);
      assert.equal(memory.roomBytes < Infinity, allocatableBytes < Infinity, "refused");
      assert.deepEqual(await answer(rows), expected);
      return idle + measureRows(gpu, network, rows);
    };
    let bytes = Infinity;
    for (let step = 0; step < 4; step++) bytes = await project(bytes - 1);
    {
      using _ = pretend(FULL);
      await project(bytes);
    }
    assert.deepEqual(taken, [
      ["device", 199],
      ["device", 128],
      ["device", 64],
      ["file", 64],
      ["recomputed", 64],
    ]);
  });
});

Deno.test("a device that refused once is planned for from then on, and refuses what it has no room for", async () => {
  const gpu = await openUncopied();
  const { memory } = gpu;
  await withNetwork(gpu, async (engine, network) => {
    using all = await engine.project(network, data);
    const whole = gpu.liveBytes + measureRows(gpu, network, all) - 1;
    memory.allocatableBytes = whole;
    using rows = await engine.project(network, data);
    assert.equal((rows as PackedRows).blocks[0].rowCount, 128);
    const known = memory.roomBytes;
    assert.ok(known <= whole);
    const { shortage } = memory;
    assert.ok(shortage);
    {
      using more = await engine.project(network, data);
      assert.equal(memory.shortage, shortage, "refused again");
      assert.deepEqual(await answer(more), expected);
    }
    const { rows: plan } = await engine.estimate(network, { count: data.labels.length });
    assert.ok(plan.deviceBytes <= known);

    // beside rows that stand, there may be no room any more for a tile, or for the centroids of clusters
    memory.allocatableBytes = gpu.liveBytes + 4096;
    await assert.rejects(computeGram(rows), {
      name: "DeviceError",
      message:
        /^Cannot compute tiles: got a device without room for 'tile' of 1 MiB beside \d+ MiB, need room for it; close /,
    });
    await assert.rejects(clusterSamples(all, { ratio: 0.2 }), {
      name: "DeviceError",
      message:
        /^Cannot cluster samples: got a device without room for 'centroids' of 1 MiB beside /,
    });
    memory.allocatableBytes = 2 ** 20;
    await assert.rejects(engine.project(network, data), {
      name: "DeviceError",
      message:
        /^Cannot plan 199 rows of 3393 numbers: got a device without room for '[a-z ]+' of \d+ MiB beside \d+ MiB, need \d+ MiB there; close what else uses the device, leave layers out, or sketch the rows$/,
    });
    memory.allocatableBytes = Infinity;
    assert.deepEqual(await answer(rows), expected);
    assert.deepEqual(await answer(all), expected);
  });
});

/** Devices with less, by what they lack. */
const LOWERED: Readonly<Record<string, LoweredDevice>> = {
  "bindings of 128 MiB": { limits: { maxStorageBufferBindingSize: 128 * 2 ** 20 } },
  "16 KiB of workgroup storage": { limits: { maxComputeWorkgroupStorageSize: 16 * 2 ** 10 } },
  "8 storage buffers": { limits: { maxStorageBuffersPerShaderStage: 8 } },
  "no timestamps": { without: ["timestamp-query"] },
  "no subgroups": { without: ["subgroups"] },
  "no storage textures": {},
};

for (const [name, lowered] of Object.entries(LOWERED)) {
  Deno.test(`a device with ${name} gives the same numbers`, async () => {
    const { limits = {}, without = [] } = lowered;
    const gpu = await openTunedGpu(lowered);
    gpu.hasTextures = name !== "no storage textures";
    await chooseOperandStorage(gpu);
    for (const [limit, value] of Object.entries(limits)) {
      assert.equal(gpu.device.limits[limit as keyof GPUSupportedLimits], value);
    }
    for (const feature of without) assert.ok(!gpu.device.features.has(feature));
    await withNetwork(gpu, async (engine, network) => {
      using rows = await engine.project(network, data);
      assert.deepEqual(await answer(rows), expected);
      if (gpu.hasTextures) return;
      assert.equal(gpu.operandStorage, "buffer");
      assert.match(rows.gramVariant, /-buffer$/);
    });
  });
}
