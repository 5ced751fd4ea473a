/** Replacement of a shader's arrays by variables. @module */
import assert from "node:assert/strict";
import { splitArrays } from "../../../engine/wgsl/shortening.ts";
import { print, tokenize } from "../../../engine/wgsl/tokens.ts";

function assertSplits(code: string, expected: string): void {
  assert.equal(print(splitArrays(tokenize(code))), print(tokenize(expected)), code);
}

Deno.test("an array whose every index is a number becomes variables to the end of its block", () => {
  assertSplits(
    "{ { var a: array<vec4f, 2>; a[0u] = b; a[1u][2u] = a[0][3]; } a[0u] = c; }",
    "{ { var a_0: vec4f; var a_1: vec4f; a_0 = b; a_1.z = a_0.w; } a[0u] = c; }",
  );
});

Deno.test("arrays of one name in several blocks, and comments and members of that name, are told apart", () => {
  assertSplits(
    "fn f() { var a: array<f32, 1>; return a; } fn g() { var a: array<f32, 1>; // all of a\n a[0] = s.a[i]; }",
    "fn f() { var a: array<f32, 1>; return a; } fn g() { var a_0: f32; a_0 = s.a[i]; }",
  );
});

Deno.test("an index behind that of an array is a component of vectors alone", () => {
  assertSplits(
    "{ var a: array<mat2x2f, 1>; a[0][1] = b; }",
    "{ var a_0: mat2x2f; a_0[1] = b; }",
  );
});

Deno.test("an array that is indexed by a variable or beyond its end, or used as a whole, stays one", () => {
  for (const use of ["a[i] = a[1u];", "a[0u] = 1; return a;", "f(&a);", "a[2u] = 1;"]) {
    const code = `{ var a: array<f32, 2>; ${use} }`;
    assertSplits(code, code);
  }
});

Deno.test("an array whose variables' names are taken, and one that is no function's, stays one", () => {
  for (
    const code of [
      "{ let a_1 = 2.0; var a: array<f32, 2>; a[0] = a_1; }",
      "var a: array<f32, 2>; fn f() { a[0] = 1; }",
    ]
  ) assertSplits(code, code);
});
