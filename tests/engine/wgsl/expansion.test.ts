/** Expansion of a shader before it is compiled: constants, marked loops, sums of integers. @module */
import assert from "node:assert/strict";
import { expand } from "../../../engine/wgsl/expansion.ts";
import { print, tokenize } from "../../../engine/wgsl/tokens.ts";

/** Formats code as it is printed, to compare. */
function format(code: string): string {
  return print(tokenize(code));
}

function expandCode(code: string, constants?: Readonly<Record<string, number>>): string {
  return print(expand(tokenize(code), constants));
}

function assertExpands(code: string, expected: string): void {
  assert.equal(expandCode(code), format(expected), code);
}

Deno.test("a marked loop becomes its copies, the variable a number wherever it is used", () => {
  const copy = (i: number) => `{ if ${i}u == 1u { x[${i}u * j + hi] = i_; } }`;
  assertExpands(
    `a();
for (var i = 0u; i < 3u; i++) { // unroll
  if i == 1u { x[i * j + hi] = i_; }
}
b();
`,
    `a(); ${copy(0)} ${copy(1)} ${copy(2)} b();`,
  );
});

Deno.test("marked loops within marked loops are written out from the outside in", () => {
  const inner = (r: number) => `{ s[${2 * r}u] += a; } { s[${2 * r + 1}u] += a; }`;
  const outer = (r: number) => `{ let a = f(${r}u); ${inner(r)} }`;
  assertExpands(
    `for (var r = 0u; r < 2u; r++) { // unroll
  let a = f(r);
  for (var c = 0u; c < 2u; c++) { // unroll
    s[r * 2u + c] += a;
  }
}
`,
    `${outer(0)} ${outer(1)}`,
  );
});

Deno.test("loops that are not marked stay as they are", () => {
  const code = "for (var i = 0u; i < 3u; i++) {\n  f(i);\n}\n";
  assertExpands(code, code);
});

for (
  const [what, code] of [
    ["a bound that is no number", "for (var i = 0u; i < n; i++) { // unroll\n}\n"],
    ["another step", "for (var i = 0u; i < 4u; i += 2u) { // unroll\n}\n"],
    ["another start", "for (var i = 1u; i < 4u; i++) { // unroll\n}\n"],
    ["another variable in its condition", "for (var i = 0u; j < 4u; i++) { // unroll\n}\n"],
    ["no end", "for (var i = 0u; i < 4u; i++) { // unroll\n"],
    ["a way out", "for (var i = 0u; i < 4u; i++) { // unroll\n if i == n { break; } }\n"],
    ["a short cut", "for (var i = 0u; i < 4u; i++) { // unroll\n if i == n { continue; } }\n"],
    ["a variable that it sets", "for (var i = 0u; i < 4u; i++) { // unroll\n i += n; }\n"],
  ]
) {
  Deno.test(`a marked loop with ${what} is refused`, () => {
    assert.throws(() => expandCode(code), SyntaxError);
  });
}

Deno.test("a loop within a marked loop may be left", () => {
  const body = "while n > 0 { n--; if n == 2 { break; } }";
  assertExpands(
    `for (var i = 0u; i < 2u; i++) { // unroll\n ${body} }`,
    `{ ${body} } { ${body} }`,
  );
});

Deno.test("a mark that is on no loop, and what is not understood, is refused", () => {
  for (const code of ["f(); // unroll\n", "{ // unroll\n}", "while a { // unroll\n}"]) {
    assert.throws(() => expandCode(code), /'\/\/ unroll' behind a loop's brace/, code);
  }
  assert.throws(() => expandCode("switch n { case N: { f(); } }"), SyntaxError);
});

Deno.test("a declaration that does not end is refused", () => {
  for (const code of ["const A = 1", "fn f() { let a = 1 }"]) {
    assert.throws(() => expandCode(code), /without a semicolon/, code);
  }
});

Deno.test("a marked loop goes as far as a constant of the shader says", () => {
  const code =
    "const TAPS = 2; // columns\nfor (var t = 0u; t < TAPS; t++) { // unroll\n  f(t);\n}\n";
  assertExpands(code, "{ f(0u); } { f(1u); }");
  assert.throws(() => expandCode(code.replace("TAPS =", "ROWS =")), /t < TAPS/);
});

Deno.test("constants get the numbers that they are given, and those that a shader lacks are refused", () => {
  const code = "const TAPS = 2; // columns\nconst ROWS = 3;\nfn f() { x = y[TAPS] + z[ROWS]; }\n";
  assert.equal(expandCode(code, { TAPS: 5 }), format("fn f() { x = y[5] + z[3]; }"));
  assert.throws(() => expandCode(code, { TAPS: 5, COLUMNS: 1 }), /no declaration of COLUMNS$/);
});

Deno.test("constants follow from others wherever those are declared, and all are inserted", () => {
  const code = `const WINDOW = (POSITIONS - 1) * STRIDE + TAPS;
const HALF = WINDOW / 2;
const POSITIONS = 8;
const STRIDE = 1;
const TAPS = 1;
const_assert WINDOW <= 128;
struct S { POSITIONS: u32, x: array<f32, HALF> }
fn f() { k += WINDOW; x[HALF + 1u] = HALF_READ + s.POSITIONS; }
`;
  assert.equal(
    expandCode(code, { STRIDE: 2, TAPS: 3 }),
    format(`const_assert 17 <= 128;
struct S { POSITIONS: u32, x: array<f32, 8> }
fn f() { k += 17; x[9u] = HALF_READ + s.POSITIONS; }
`),
  );
});

Deno.test("constants that are no whole numbers, or have a type, stay", () => {
  const code =
    "const NONE = 0xffffffffu; const LEAST = -3.4e38; const ADDS = 1u; fn f() { g(NONE, LEAST, ADDS); }";
  assertExpands(code, code);
});

Deno.test("a name that means another variable there is not a constant, nor the number of another", () => {
  const constant = (code: string) => `const COUNT = 4; ${code}`;
  for (
    const [code, expected] of [
      // parameters
      [
        "fn f(COUNT: u32) { g(COUNT); } fn h() { g(COUNT); }",
        "fn f(COUNT: u32) { g(COUNT); } fn h() { g(4); }",
      ],
      // a variable of a block, from its declaration to the end of the block
      [
        "fn f() { { let COUNT = g(COUNT); h(COUNT); } h(COUNT); }",
        "fn f() { { let COUNT = g(4); h(COUNT); } h(4); }",
      ],
      [
        "fn f() { { var<private> COUNT = 2u; COUNT = 3u; } h(COUNT); }",
        "fn f() { { var<private> COUNT = 2u; COUNT = 3u; } h(4); }",
      ],
      // a variable of a loop
      [
        "fn f() { for (var COUNT = 0u; COUNT < n; COUNT++) { h(COUNT); } h(COUNT); }",
        "fn f() { for (var COUNT = 0u; COUNT < n; COUNT++) { h(COUNT); } h(4); }",
      ],
    ]
  ) assertExpands(constant(code), expected);
});

Deno.test("a name for a number that is declared again is another one from there on", () => {
  assertExpands(
    "{ let at = 2u; { let at = g(at); h(at); } { var at = 5u; at += 1u; } h(at); }",
    "{ { let at = g(2u); h(at); } { var at = 5u; at += 1u; } h(2u); }",
  );
});

Deno.test("members are no variables, whatever they are called", () => {
  assertExpands(
    "for (var x = 0u; x < 1u; x++) { // unroll\n v.x = w[x].x + x; }",
    "{ v.x = w[0u].x + 0u; }",
  );
  assertExpands(
    "fn f() { let count = 3u; g(params.count, count, p.count.count); }",
    "fn f() { g(params.count, 3u, p.count.count); }",
  );
});

Deno.test("comments are left out, braces and names in them too", () => {
  assertExpands(
    `fn f() { // the } of a loop, and what is at } that
  for (var at = 0u; at < 2u; at++) { // unroll
    g(at); // at } the end
  } // unroll it
}`,
    "fn f() { { g(0u); } { g(1u); } }",
  );
});

Deno.test("sums of whole numbers are added up where they stand alone, as WGSL would", () => {
  for (
    const [sum, value] of [
      ["x[2u * 4u + 1u]", "x[9u]"],
      ["x[7u / 8 * 8 + 7u % 8]", "x[7u]"],
      ["x[10u - 2u * 3u - 1u]", "x[3u]"],
      ["x[1 - 2 + 3]", "x[2]"],
      ["f(a, 1 + 2, 3)", "f(a, 3, 3)"],
      ["f((1u + 2u) * 3u)", "f(9u)"],
      ["a * (3 - 1) + 2", "a * 2 + 2"],
      ["-(1 + 2)", "-3"],
      ["a + i32(2u * 3u)", "a + 6i"],
      ["array<f32, 2>(1 + 2)", "array<f32, 2>(3)"],
      ["var<private> y: array<f32, 2 * 3>;", "var<private> y: array<f32, 6>;"],
    ]
  ) assertExpands(sum, value);
});

Deno.test("what is no sum of whole numbers, or has no value in WGSL, stays", () => {
  for (
    const code of [
      "x[a + 2u * 3u]",
      "f(a * 3u + 4u)",
      "f(3u + 4u * a)",
      "f(-1 + 2)",
      "g(2) + 3",
      "f(1 - 2)",
      "f(1u - 2u + 3u)",
      "f(7 / 0)",
      "f(7 % 0)",
      "f(65536 * 65536)",
      "f(1i + 1u)",
      "f(0x10 + 1)",
      "a = 1 + 2;",
      "f(a, 1 + 2 > b)",
      "let y = 1.5 + 2.5;",
    ]
  ) assertExpands(code, code);
});

Deno.test("a name for a number is inserted to the end of its block", () => {
  assertExpands(
    "{ { let at = 2u * 3u; x[at + 1u] += at; } y[at] = 0; }",
    "{ { x[7u] += 6u; } y[at] = 0; }",
  );
});

Deno.test("a name with a type, and a variable, stay", () => {
  const code = "{ let n: u32 = 3u; var m = 4u; f(n, m); }";
  assertExpands(code, code);
});
