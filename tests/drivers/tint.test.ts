/** Every WGSL module that is sent, compiled by a second compiler. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  clusterSamples,
  computeGram,
  computeSelfSimilarity,
  createDataset,
  drawDigits,
  findNearest,
  findRedundant,
  lenet5,
  lenetLarge,
  mlp,
  openEngine,
  relateSamples,
  resnet18Narrow,
  resnet8Narrow,
  takeFirst,
} from "../../mod.ts";
import { openGpu } from "../../engine/tuning/open.ts";
import { TileSweep } from "../../engine/rows/tiles.ts";
import type { RowLayout } from "../../engine/rows/layout.ts";
import { PackedRows } from "../../engine/rows/rows.ts";
import { canRun, VARIANTS } from "../../engine/rows/variants.ts";
import { openTempFolder } from "../temp_folder.ts";
import { describeSwiftshader } from "./swiftshader.ts";

const PROGRAM = new URL("tint.ts", import.meta.url);

/** Layout of a plain segment and a factored one. */
const LAYOUT: RowLayout = {
  segments: [
    { layer: "plain", kind: "plain", offset: 0, length: 5 },
    { layer: "factored", kind: "factored", offset: 5, positions: 1, inputs: 3, outputs: 2 },
  ],
  length: 10,
};

/** Collects the code of every module by a name, as the device gets them while the engine does all that it can. */
async function collectModules(): Promise<Record<string, string>> {
  const modules: Record<string, string> = {};
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const { label, code } = descriptor;
    modules[`${Object.keys(modules).length} ${label}`] = code;
    return createShaderModule.call(this, descriptor);
  };
  try {
    await computeEverything();
  } finally {
    GPUDevice.prototype.createShaderModule = createShaderModule;
  }
  return modules;
}

/** Computes a tile by every variant of the Gram kernel that the device can run. */
async function computeTiles(): Promise<void> {
  const gpu = await openGpu();
  for (const variant of VARIANTS.filter((variant) => canRun(gpu, variant, LAYOUT))) {
    using rows = new PackedRows(gpu, LAYOUT, 64, { variant });
    using sweep = new TileSweep(rows, rows);
    const commands = gpu.record();
    for (const _ of sweep.record(commands, sweep.tileAt(0))) commands.submit();
    commands.submit();
  }
  await gpu.finish();
  gpu.dispose();
}

async function computeEverything(): Promise<void> {
  await computeTiles();
  using engine = await openEngine();
  const digits = drawDigits("train", { size: 40 });
  const coloured = createDataset({
    name: "coloured",
    split: "train",
    mean: [0, 0, 0],
    std: [1, 1, 1],
    images: Uint8Array.from({ length: 6 * 32 * 32 * 3 }, (_, i) => i * 37 % 251),
    labels: Int32Array.from([0, 1, 2, 3, 4, 5]),
    shape: [32, 32, 3],
    classes: 10,
  });
  const trials = [
    [mlp, digits],
    [lenet5, digits],
    [lenetLarge, takeFirst(digits, 16)],
    [resnet8Narrow, coloured],
    [resnet18Narrow, takeFirst(coloured, 3)],
  ] as const;
  for (const [definition, data] of trials) {
    using network = engine.network(definition, { seed: 1, classes: 10 }, data.shape);
    await engine.train(network, data, { epochs: 1, batch: 16 });
    using rows = await engine.project(network, data);
    await computeGram(rows);
    await findRedundant(rows);
    await relateSamples(rows);
    await findNearest(rows, 2);
    await clusterSamples(rows, { ratio: 0.5 });
    await computeSelfSimilarity(rows);
  }
}

Deno.test("every module that is sent compiles with Tint", async () => {
  await using folder = await openTempFolder();
  const modules = await collectModules();
  assert.ok(Object.keys(modules).length >= 60, `${Object.keys(modules).length} modules`);
  // added so that a compiler that accepts everything would be noticed
  modules["a module that is wrong"] = "fn main() { let x: u32 = 1.5; }";
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-config", "--no-lock", fileURLToPath(PROGRAM)],
    env: await describeSwiftshader(folder.path),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(modules)));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, decoder.decode(stderr));
  const errors: Record<string, string> = JSON.parse(decoder.decode(stdout));
  assert.match(errors["a module that is wrong"], /u32/);
  delete errors["a module that is wrong"];
  assert.deepEqual(errors, {});
});
