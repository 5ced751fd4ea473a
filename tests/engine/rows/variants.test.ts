/** Variants of the Gram kernel that a device may run, by its description alone. @module */
import assert from "node:assert/strict";
import type { RowLayout } from "../../../engine/rows/layout.ts";
import { canRun, type DeviceDescription, VARIANTS } from "../../../engine/rows/variants.ts";

const LAYOUT: RowLayout = {
  segments: [{ layer: "fc", kind: "plain", offset: 0, length: 100 }],
  length: 100,
};

/** Describes a device with WebGPU's default limits, except those that are given. */
function describeDevice(
  subgroupMinSize: number,
  subgroupMaxSize: number,
  features: readonly string[] = ["subgroups"],
  limits: Partial<DeviceDescription["device"]["limits"]> = {},
): DeviceDescription {
  const defaults = {
    maxStorageBufferBindingSize: 2 ** 27,
    maxTextureDimension2D: 8192,
    maxTextureArrayLayers: 256,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupStorageSize: 16384,
  };
  return {
    hasTextures: true,
    adapter: { subgroupMinSize, subgroupMaxSize },
    device: {
      features: new Set(features),
      limits: { ...defaults, ...limits } as DeviceDescription["device"]["limits"],
    },
  };
}

/** Lists the names of the kernels that a device may run from buffers and from textures, each once. */
function listKernels(device: DeviceDescription): string[] {
  const names = VARIANTS.filter((variant) => canRun(device, variant, LAYOUT))
    .map(({ name }) => name.replace(/-(buffer|texture)$/, ""));
  return [...new Set(names)];
}

Deno.test("subgroups pass rows on only where every subgroup has as many lanes as the variant", () => {
  const eight = ["plain", "subgroup-8x8", "subgroup-8x2", "shared"];
  const sixteen = ["plain", "subgroup-16x8", "subgroup-16x2", "shared"];
  const none = ["plain", "shared"];
  const adapters: [name: string, min: number, max: number, expected: string[]][] = [
    ["lavapipe, 256 bits", 8, 8, eight],
    ["lavapipe, 512 bits", 16, 16, sixteen],
    ["lavapipe, 128 bits", 4, 4, none],
    ["NVIDIA", 32, 32, none],
    ["AMD RDNA", 32, 64, none],
    ["AMD GCN", 64, 64, none],
    ["Intel, where the compiler chooses", 8, 32, none],
    ["Intel, 8 or 16", 8, 16, none],
    ["Intel, 16 or 32", 16, 32, none],
    ["Qualcomm", 64, 128, none],
    ["one that does not say", 0, 0, none],
    ["WebGPU's widest range", 4, 128, none],
  ];
  for (const [name, min, max, expected] of adapters) {
    assert.deepEqual(listKernels(describeDevice(min, max)), expected, name);
    assert.deepEqual(listKernels(describeDevice(min, max, [])), none, `${name}, not granted`);
  }
});

Deno.test("a variant whose workgroups are beyond a device's limits is not run", () => {
  for (
    const limits of [
      { maxComputeInvocationsPerWorkgroup: 255 },
      { maxComputeWorkgroupSizeX: 255 },
      { maxComputeWorkgroupStorageSize: 8191 },
    ]
  ) {
    assert.deepEqual(listKernels(describeDevice(32, 32, [], limits)), ["plain"]);
  }
});

Deno.test("rows that are too high for a texture are not read from one", () => {
  const device = describeDevice(8, 8, ["subgroups"], { maxTextureDimension2D: 99 });
  const runs = VARIANTS.filter((variant) => canRun(device, variant, LAYOUT));
  assert.deepEqual(new Set(runs.map(({ operands }) => operands)), new Set(["buffer"]));
});
