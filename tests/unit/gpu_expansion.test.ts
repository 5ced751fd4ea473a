/** What happens to a shader before it is compiled: loops written out, panels moved to textures. @module */
import assert from "node:assert/strict";
import { readFromTexture } from "../../engine/gpu/panels.ts";
import { readFromCopy } from "../../engine/gpu/staging.ts";
import {
  bindQuads,
  chooseFunctions,
  setConstants,
  takeQuads,
  unrollLoops,
} from "../../engine/gpu/expansion.ts";

/** Code without its white space and empty blocks' braces, to compare. */
function squeeze(code: string): string {
  return code.replace(/\s+/g, "");
}

Deno.test("a marked loop becomes its copies, the variable a number wherever it is a word", () => {
  const code = `a();
for (var i = 0u; i < 3u; i++) { // unroll
  if i == 1u { x[i * 4u + hi] = i_; }
}
b();
`;
  const copy = (i: number) => `{if${i}u==1u{x[${i}u*4u+hi]=i_;}}`;
  assert.equal(squeeze(unrollLoops(code)), `a();${copy(0)}${copy(1)}${copy(2)}b();`);
});

Deno.test("marked loops within marked loops are written out from the outside in", () => {
  const code = `for (var r = 0u; r < 2u; r++) { // unroll
  let a = f(r);
  for (var c = 0u; c < 2u; c++) { // unroll
    s[r * 2u + c] += a;
  }
}
`;
  const inner = (r: number) => `{s[${r}u*2u+0u]+=a;}{s[${r}u*2u+1u]+=a;}`;
  const outer = (r: number) => `{leta=f(${r}u);${inner(r)}}`;
  assert.equal(squeeze(unrollLoops(code)), outer(0) + outer(1));
});

Deno.test("loops that are not marked stay as they are", () => {
  const code = "for (var i = 0u; i < 3u; i++) {\n  f(i);\n}\n";
  assert.equal(unrollLoops(code), code);
});

for (
  const [what, code] of [
    ["a bound that is no number", "for (var i = 0u; i < n; i++) { // unroll\n}\n"],
    ["another step", "for (var i = 0u; i < 4u; i += 2u) { // unroll\n}\n"],
    ["a loop that does not end", "for (var i = 0u; i < 4u; i++) { // unroll\n"],
  ]
) {
  Deno.test(`a marked loop with ${what} is refused`, () => {
    assert.throws(() => unrollLoops(code), SyntaxError);
  });
}

Deno.test("a marked loop goes as far as a constant of the shader says", () => {
  const code =
    "const TAPS = 2; // columns\nfor (var t = 0u; t < TAPS; t++) { // unroll\n  f(t);\n}\n";
  assert.equal(squeeze(unrollLoops(code)), "constTAPS=2;//columns{f(0u);}{f(1u);}");
  assert.throws(() => unrollLoops(code.replace("TAPS =", "ROWS =")), /no constant TAPS/);
});

Deno.test("constants get the numbers that they are given, and those that a shader lacks are refused", () => {
  const code = "const TAPS = 2; // columns\nconst ROWS = 3;\nlet x = TAPS = 2;\n";
  assert.equal(
    setConstants(code, { TAPS: 5 }),
    "const TAPS = 5; // columns\nconst ROWS = 3;\nlet x = TAPS = 2;\n",
  );
  assert.throws(() => setConstants(code, { TAPS: 5, COLUMNS: 1 }), /no declaration of COLUMNS$/);
});

Deno.test("numbers become quads where a shader names them, and a shader that does not is refused", () => {
  const code = "alias Numbers = f32;\nvar<storage, read> x: array<Numbers>;\n";
  assert.equal(takeQuads(code), code.replace("f32", "vec4f"));
  const integers = "alias Integers = i32;\n";
  assert.equal(
    takeQuads(code + integers),
    code.replace("f32", "vec4f") + integers.replace("i32", "vec4i"),
  );
  const numbers = "var<storage, read> x: array<f32>;";
  assert.throws(() => takeQuads(numbers), SyntaxError);
  assert.equal(bindQuads(numbers, "x"), numbers.replace("f32", "vec4f"));
  assert.throws(() => bindQuads(numbers, "y"), SyntaxError);
});

const FUNCTIONS = `fn read(at: i32) -> f32 { if at > 0 { return 1.0; } return 2.0; }
fn read_fast(at: i32) -> f32 { return 3.0; }
fn write_fast() {}
fn main() { read(1); }
`;

Deno.test("a function gives way to its other form where that is chosen, which is left out elsewhere", () => {
  const [plain, fast, write, main] = FUNCTIONS.split("\n");
  const choose = (code: string, chosen: boolean) =>
    squeeze(chooseFunctions(code, "fast", () => chosen));
  const own = [plain, fast, main].join("\n");
  assert.equal(choose(own, false), squeeze(plain + main));
  assert.equal(choose(own, true), squeeze(fast.replace("_fast", "") + main));
  assert.throws(() => choose([own, write].join("\n"), true), /no 'fn write\('/);
});

const PANELS = `@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
fn load_rows(panel: u32, k: u32, quad: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + quad];
}
`;

Deno.test("panels are declared and read as a texture, and nothing else changes", () => {
  const moved = readFromTexture(PANELS + PANELS.replaceAll("rows", "columns"), "rows");
  assert.ok(moved.includes("var rows: texture_storage_2d_array<rgba32float, read>;"));
  assert.ok(moved.includes("return textureLoad(rows, vec2u(quad, k), panel);"));
  assert.ok(moved.endsWith(PANELS.replaceAll("rows", "columns")));
});

Deno.test("panels that are read in two places, or in another way, are refused", () => {
  assert.throws(() => readFromTexture(PANELS + PANELS, "rows"), SyntaxError);
  assert.throws(() => readFromTexture(PANELS.replace("* 16u", "* 8u"), "rows"), SyntaxError);
  assert.throws(() => readFromTexture(PANELS, "columns"), SyntaxError);
});

const OPERANDS = `@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> xy: array<vec4f>;
fn f(at: i32) -> f32 { return x[at] + x[b] + xy[at].z; }
`;

Deno.test("staged numbers and quads are declared and read as textures, and nothing else changes", () => {
  const moved = readFromCopy(readFromCopy(OPERANDS, "x", "r32float"), "xy", "rgba32float");
  assert.equal(
    moved,
    `@group(0) @binding(1) var x: texture_storage_2d<r32float, read>;
@group(0) @binding(2) var xy: texture_storage_2d<rgba32float, read>;
fn f(at: i32) -> f32 { return textureLoad(x, vec2(at & 4095, at >> 12)).x + textureLoad(x, vec2(b & 4095, b >> 12)).x + textureLoad(xy, vec2(at & 1023, at >> 10)).z; }
`,
  );
});

Deno.test("staged operands that are declared as something else, or read at an expression, are refused", () => {
  assert.throws(() => readFromCopy(OPERANDS, "x", "rgba32float"), SyntaxError);
  assert.throws(() => readFromCopy(OPERANDS, "y", "r32float"), SyntaxError);
  assert.throws(
    () => readFromCopy(OPERANDS.replace("x[b]", "x[b + 1]"), "x", "r32float"),
    SyntaxError,
  );
});
