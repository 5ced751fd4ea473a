/** Descriptions of adapters, from what the driver reports. @module */
import assert from "node:assert/strict";
import { describeAdapter } from "../../../engine/gpu/adapter.ts";

Deno.test("an adapter computes on the CPU where it says so, or has a name that only such have", () => {
  const cases: [description: string, says: boolean | undefined, expected: boolean][] = [
    ["llvmpipe (LLVM 15.0.6, 256 bits)", true, true],
    ["llvmpipe (LLVM 19.1.7, 512 bits)", undefined, true],
    ["SwiftShader Device (Subzero)", false, true],
    ["Microsoft Basic Render Driver", false, true],
    ["a CPU driver of tomorrow", true, true],
    ["NVIDIA H200", false, false],
    ["Intel(R) UHD Graphics 630 (CFL GT2)", undefined, false],
    ["AMD Radeon RX 7900 XTX (RADV NAVI31)", false, false],
  ];
  for (const [description, isFallbackAdapter, expected] of cases) {
    assert.equal(describeAdapter({ description, isFallbackAdapter }, []).isFallback, expected);
  }
});

Deno.test("an adapter is named by what it says first, and says nothing of subgroups with 0", () => {
  const { name, subgroupMinSize, subgroupMaxSize } = describeAdapter(
    { description: "", device: "0x2335", vendor: "nvidia" },
    [],
  );
  assert.deepEqual([name, subgroupMinSize, subgroupMaxSize], ["0x2335", 0, 0]);
  assert.equal(describeAdapter({ vendor: "nvidia" }, ["subgroups"]).name, "nvidia");
});
