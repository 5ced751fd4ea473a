/** What is left of a shader's sums of constants and its arrays. @module */
import assert from "node:assert/strict";
import { shorten } from "../../engine/gpu/shortening.ts";

Deno.test("sums of whole numbers are worked out where they stand alone, as WGSL would", () => {
  for (
    const [sum, value] of [
      ["x[2u * 4u + 1u]", "x[9u]"],
      ["x[7u / 8 * 8 + 7u % 8]", "x[7u]"],
      ["x[10u - 2u * 3u - 1u]", "x[3u]"],
      ["f(a, 1 + 2, 3)", "f(a, 3, 3)"],
      ["f((1u + 2u) * 3u)", "f(9u)"],
      ["a * (3 - 1) + 2", "a * 2 + 2"],
      ["a + i32(2u * 3u)", "a + 6i"],
      ["var<private> y: array<f32, 2 * 3>;", "var<private> y: array<f32, 6>;"],
    ]
  ) assert.equal(shorten(sum), value);
});

Deno.test("what is no sum of whole numbers, or would be negative, stays", () => {
  for (
    const code of [
      "x[a + 2u * 3u]",
      "f(a * 3u + 4u)",
      "f(3u + 4u * a)",
      "g(2) + 3",
      "f(1 - 2)",
      "let y = 1.5 + 2.5;",
    ]
  ) assert.equal(shorten(code), code);
});

Deno.test("constants are inserted everywhere but where they are declared and asserted", () => {
  const declared = "const LINES = 8;\nconst_assert LINES == 4 * 2;\n// LINES at a time\n";
  assert.equal(
    shorten(`${declared}k += LINES; x[LINES / 2 + 1u] = LINES_READ;`),
    `${declared}k += 8; x[5u] = LINES_READ;`,
  );
});

Deno.test("a name for a number is inserted to the end of its block", () => {
  assert.equal(
    shorten("{ { let at = 2u * 3u; x[at + 1u] += at; } y[at] = 0; }"),
    "{ {  x[7u] += 6u; } y[at] = 0; }",
  );
});

Deno.test("an array whose every index is a number becomes variables to the end of its block", () => {
  assert.equal(
    shorten("{ { var a: array<vec4f, 1 + 1>; a[0u] = b; a[0u + 1u][2u] = a[0][3]; } a[0u] = c; }"),
    "{ { var a_0: vec4f;\nvar a_1: vec4f; a_0 = b; a_1.z = a_0.w; } a[0u] = c; }",
  );
});

Deno.test("an array that is indexed by a variable, or used as a whole, stays one", () => {
  for (const use of ["a[i] = a[1u];", "a[0u] = 1; return a;", "f(&a);"]) {
    const code = `{ var a: array<f32, 2>; ${use} }`;
    assert.equal(shorten(code), code);
  }
});
