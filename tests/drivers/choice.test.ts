/** Choice of the adapter where there are two drivers, as docs/where-it-runs.md describes it. @module */
import assert from "node:assert/strict";
import type { AdapterDescription } from "../../engine/gpu/mod.ts";
import { expectSuccess, finish, prepareDeno } from "../cli/process.ts";
import { openTempFolder } from "../temp_folder.ts";
import { describeSwiftshader } from "./swiftshader.ts";

const OPEN = `
  const { openGpu } = await import("./engine/gpu/mod.ts");
  using gpu = await openGpu();
  console.log(JSON.stringify(gpu.adapter));
`;

const open = (env: Record<string, string>) => prepareDeno(["eval", OPEN], { env });

async function findAdapter(env: Record<string, string> = {}): Promise<AdapterDescription> {
  return JSON.parse(await expectSuccess(open(env)));
}

Deno.test("variables of Vulkan's loader choose the driver, and CUDA's do not", async () => {
  await using folder = await openTempFolder();
  const { VK_DRIVER_FILES: manifest } = await describeSwiftshader(folder.path);
  const { name, asked } = await findAdapter();
  assert.equal(asked.powerPreference, "high-performance");
  assert.equal((await findAdapter({ CUDA_VISIBLE_DEVICES: "" })).name, name);
  const chosen = await findAdapter({ VK_DRIVER_FILES: manifest });
  assert.match(chosen.name, /SwiftShader/);
  assert.equal(chosen.asked.environment.VK_DRIVER_FILES, manifest);
  const disabled = { VK_ADD_DRIVER_FILES: manifest, VK_LOADER_DRIVERS_DISABLE: "*swiftshader*" };
  assert.equal((await findAdapter(disabled)).name, name);
});

Deno.test("where nothing answers, the message says what was asked", async () => {
  const nowhere = { VK_DRIVER_FILES: "/nowhere.json", DENO_WEBGPU_BACKEND: "vulkan" };
  const none =
    /no WebGPU adapter with DENO_WEBGPU_BACKEND=vulkan VK_DRIVER_FILES=\/nowhere\.json, need/;
  const { code, stderr } = await finish(open(nowhere));
  assert.equal(code, 1);
  assert.match(stderr, none);
  const other = Deno.build.os === "windows" ? "metal" : "dx12";
  const { stderr: unknown } = await finish(open({ DENO_WEBGPU_BACKEND: other }));
  assert.match(unknown, /no WebGPU adapter with DENO_WEBGPU_BACKEND=\w+/);
});
