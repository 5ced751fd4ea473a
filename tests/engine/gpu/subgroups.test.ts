/** The directive `enable subgroups;`: where it is taken, and what a module becomes. @module */
import assert from "node:assert/strict";
import { adaptDirective, takesDirective } from "../../../engine/gpu/subgroups.ts";
import { testGpu } from "./open.ts";

const SUM = `enable subgroups;
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;
@compute @workgroup_size(1)
fn main() {
  sums[0] = subgroupAdd(7u);
}`;

Deno.test("a module has the directive where it is taken and needed, and lines keep their numbers", () => {
  const without = SUM.replace("enable subgroups;", "");
  assert.equal(adaptDirective(SUM, true), SUM);
  assert.equal(adaptDirective(SUM, false), " ".repeat(6) + " " + " ".repeat(10) + without);
  assert.equal(adaptDirective(without, true), `enable subgroups; ${without}`);
  assert.equal(adaptDirective(without, false), without);
  const spread = adaptDirective("enable\n  subgroups\n;\nfn f() {}", false);
  assert.match(spread, /^\s+fn f/);
  assert.equal(spread.split("\n").length, 4);
  const plain = "enable f16;\nfn f() {}";
  for (const isTaken of [true, false]) assert.equal(adaptDirective(plain, isTaken), plain);
  // among other extensions, and in comments, which may hold others
  const both = "enable f16, subgroups; fn f() { subgroupAdd(1u); }";
  assert.equal(adaptDirective(both, true), both);
  assert.match(adaptDirective(both, false), /^enable f16 {11}; fn f/);
  assert.match(adaptDirective("enable subgroups,\nf16;", false), /^enable {11}\nf16;$/);
  const longer = "enable subgroups_more;";
  assert.equal(adaptDirective(longer, false), longer);
  for (const comment of ["// enable subgroups;\n", "/* /* // */ enable\nsubgroups; */"]) {
    assert.equal(adaptDirective(comment, false), comment);
    assert.equal(adaptDirective(`${comment} // subgroupAdd`, true), `${comment} // subgroupAdd`);
    const needs = `${comment} fn f() { subgroupAdd(1u); }`;
    assert.equal(adaptDirective(needs, true), `enable subgroups; ${needs}`);
  }
  assert.match(adaptDirective("enable/**/subgroups/*;*/; fn f() {}", false), /^ +fn f\(\) \{\}$/);
  for (const use of ["@builtin(subgroup_size) n: u32", "quadSwapX(1)", "quadBroadcast(1, 2)"]) {
    assert.equal(adaptDirective(use, true), `enable subgroups; ${use}`);
  }
});

testGpu("both forms of a module compile as the device takes them", async (gpu) => {
  const isTaken = await takesDirective(gpu.device);
  for (const code of [SUM, SUM.replace("enable subgroups;", "")]) {
    const adapted = gpu.adaptShader(code);
    assert.equal(adapted.includes("enable"), isTaken);
    const { messages } = await gpu.device.createShaderModule({ code: adapted })
      .getCompilationInfo();
    assert.deepEqual(messages, []);
  }
});
