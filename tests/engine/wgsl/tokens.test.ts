/** WGSL as tokens, and their changes if operands are in textures. @module */
import assert from "node:assert/strict";
import { readFromTexture } from "../../../engine/gpu/panels.ts";
import { readFromCopy } from "../../../engine/gpu/operand_copies.ts";
import { matchBrackets, print, tokenize } from "../../../engine/wgsl/tokens.ts";
import { kernels } from "../../../shaders/kernel_table.ts";

Deno.test("a shader is cut into words, numbers and signs, without comments that mark no loop", () => {
  assert.deepEqual(
    tokenize(
      "let a_1=-0x1Fu+.5e-3f*v.x<<2u; // unroll it } {\n//unroll\ni++ // unroll\n>=b->c&&!d",
    ),
    ["let", "a_1", "=", "-", "0x1Fu", "+", ".5e-3f", "*", "v", ".", "x", "<<", "2u", ";"]
      .concat(["i", "++", "// unroll", ">=", "b", "->", "c", "&&", "!", "d"]),
  );
});

Deno.test("what is no WGSL, and comments of several lines, are refused", () => {
  for (const code of ["a = #b;", "a /* b */ c", 'a = "b";']) {
    assert.throws(() => tokenize(code), SyntaxError, code);
  }
});

Deno.test("brackets that do not match are refused", () => {
  for (const code of ["{ ( }", "}", "{ [", "(]"]) {
    assert.throws(() => matchBrackets(tokenize(code)), SyntaxError, code);
  }
});

Deno.test("tokens that are printed are the same when they are read again", () => {
  for (const kernel of [kernels.convolution, kernels.gram_tile, kernels.tile_nearest]) {
    const code = kernel.expand({ panels: "texture", operands: "texture", subgroups: true });
    assert.equal(print(tokenize(code)), code, kernel.name);
  }
});

/** Applies a change to code, and prints it to compare. */
function change(code: string, apply: (tokens: string[]) => string[]): string {
  return print(apply(tokenize(code)));
}

const format = (code: string) => print(tokenize(code));

const PANELS = `@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
fn load_rows(panel: u32, k: u32, vector: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + vector];
}
`;

Deno.test("panels are declared and read as a texture, and nothing else changes", () => {
  const columns = PANELS.replaceAll("rows", "columns");
  assert.equal(
    change(PANELS + columns, (tokens) => readFromTexture(tokens, "rows")),
    format(
      `@group(0) @binding(1) var rows: texture_storage_2d_array<rgba32float, read>;
fn load_rows(panel: u32, k: u32, vector: u32) -> vec4f {
  return textureLoad(rows, vec2u(vector, k), panel);
}
` + columns,
    ),
  );
});

Deno.test("panels that are read in two places, or in another way, are refused", () => {
  const read = (code: string, name: string) => change(code, (t) => readFromTexture(t, name));
  assert.throws(() => read(PANELS + PANELS, "rows"), SyntaxError);
  assert.throws(() => read(PANELS.replace("* 16u", "* 8u"), "rows"), SyntaxError);
  assert.throws(() => read(PANELS, "columns"), SyntaxError);
});

const OPERANDS = `fn g(at: i32) -> f32 { return x[at]; }
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> xy: array<vec4f>;
fn f(at: i32) -> f32 { return x[at] + x[b] + xy[at].x; } // x is a name
`;

Deno.test("copied scalars and vec4s are declared and read as textures, and nothing else changes", () => {
  assert.equal(
    change(
      OPERANDS,
      (tokens) => readFromCopy(readFromCopy(tokens, "x", "r32float"), "xy", "rgba32float"),
    ),
    format(`fn g(at: i32) -> f32 { return textureLoad(x, vec2(at & 4095, at >> 12)).x; }
@group(0) @binding(1) var x: texture_storage_2d<r32float, read>;
@group(0) @binding(2) var xy: texture_storage_2d<rgba32float, read>;
fn f(at: i32) -> f32 { return textureLoad(x, vec2(at & 4095, at >> 12)).x + textureLoad(x, vec2(b & 4095, b >> 12)).x + textureLoad(xy, vec2(at & 1023, at >> 10)).x; }
`),
  );
});

Deno.test("copied operands that are declared as something else, or used in another way, are refused", () => {
  const read = (code: string, name: string, format: "r32float" | "rgba32float" = "r32float") =>
    change(code, (tokens) => readFromCopy(tokens, name, format));
  assert.throws(() => read(OPERANDS, "x", "rgba32float"), SyntaxError);
  assert.throws(() => read(OPERANDS, "y"), SyntaxError);
  for (const use of ["x[b + 1]", "x", "h(&x)"]) {
    assert.throws(() => read(OPERANDS.replace("x[b]", use), "x"), SyntaxError, use);
  }
  for (const name of ["let x = 1; ", "var x: f32; ", "for (var x = 0; x < 1; x++) {} "]) {
    const code = OPERANDS.replace("f32 { return x[at] +", `f32 { ${name}return x[at] +`);
    assert.throws(() => read(code, "x"), /two declarations of 'x'/, name);
  }
});
