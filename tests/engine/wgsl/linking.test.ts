/** Linking of shaders from several files. @module */
import assert from "node:assert/strict";
import { Kernel } from "../../../engine/gpu/kernel.ts";
import { Modules } from "../../../engine/wgsl/linking.ts";
import { print, tokenize } from "../../../engine/wgsl/tokens.ts";

const SHARED = {
  "shared/numbers.wgsl": `// What is read at once.
@if(x_as_vec4) alias Numbers = vec4f;
@else alias Numbers = f32;
const UNUSED = 1;
`,
  "shared/loops.wgsl": `var<private> x: array<i32, 4>;
fn clear() {
  for (var i = 0u; i < 4u; i++) { // unroll
    x[i] = 0; // } no end
  }
}
`,
};

function link(source: string, conditions: Readonly<Record<string, boolean>> = {}): string {
  const { tokens } = new Modules("trial", source, SHARED).link({
    subgroups: false,
    x_as_vec4: false,
    ...conditions,
  });
  return print(tokens);
}

const format = (code: string) => print(tokenize(code));

Deno.test("a shader takes what it imports from other files, and no more of them", () => {
  assert.equal(
    link("import package::shared::numbers::Numbers;\nfn f(x: Numbers) { }"),
    format("fn f(x: Numbers) { } alias Numbers = f32;"),
  );
});

Deno.test("what stands under a condition is taken where that holds, and what is under @else elsewhere", () => {
  const source = `@if(subgroups) fn read() -> i32 { return 1; }
@else fn read() -> i32 { return 2; }
fn f() { let a = read(); }`;
  for (const subgroups of [false, true]) {
    assert.equal(
      link(source, { subgroups }),
      format(`fn read() -> i32 { return ${subgroups ? 1 : 2}; } fn f() { let a = read(); }`),
    );
  }
});

Deno.test("loops stay marked, in other files too", () => {
  const code = link(
    "import package::shared::loops::clear;\nfn f() { clear(); }",
  );
  assert.equal(code.match(/\/\/ unroll\n/g)?.length, 1, code);
});

Deno.test("shaders that are no WGSL, import what there is not, or have other conditions are refused in a line", () => {
  for (
    const [source, message] of [
      ["fn f( { }", /./],
      ["import package::shared::numbers::Integers;\nfn f(x: Integers) { }", /Integers/],
      ["import package::shared::absent::Numbers;\nfn f(x: Numbers) { }", /absent/],
      ["fn f() { absent(); }", /absent/],
      ["@if(subgroup) fn f() { }", /@if\(subgroup\), need one of subgroups, x_as_vec4$/],
    ] as const
  ) {
    assert.throws(() => link(source), (error: Error) => {
      assert.ok(error instanceof SyntaxError, source);
      assert.match(error.message, /^Cannot link shader 'trial': .*$/);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a kernel's shape that its shader has nothing of is refused", () => {
  const source = `struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
const SIZE = 2;
@compute @workgroup_size(64) fn main() { let a = x[SIZE + params.count]; }`;
  const kernel = new Kernel("trial", source, { params: { count: "u32" }, buffers: { x: "read" } });
  const reading = { panels: "buffer", operands: "buffer", subgroups: false } as const;
  assert.match(kernel.shape({ constants: { SIZE: 7 } }).expand(reading), /x\[7 \+ params\.count\]/);
  assert.throws(() => kernel.shape({ constants: { WIDTH: 7 } }).expand(reading), /WIDTH/);
  for (const vec4s of ["x", "elements", "y"]) {
    assert.throws(
      () => kernel.shape({ vec4s: [vec4s] }).expand(reading),
      (error: Error) => error.message.includes(`@if(${vec4s}_as_vec4)`),
    );
  }
});
