/** Reflection of shaders: bindings, layouts and workgroups. @module */
import assert from "node:assert/strict";
import { type Binding, reflect } from "../../../engine/wgsl/reflection.ts";
import { kernels } from "../../../shaders/kernel_table.ts";

const at = ({ group, binding, access, sizeBytes }: Binding) => [group, binding, access, sizeBytes];

Deno.test("every shader of ours is read as it is declared", () => {
  for (const [name, kernel] of Object.entries(kernels)) {
    const code = kernel.expand({ panels: "buffer", operands: "buffer", subgroups: true });
    const { bindings, unused, entryPoint } = reflect(code);
    assert.equal(entryPoint, "main");
    const [params, ...buffers] = bindings;
    assert.deepEqual([params.name, params.sizeBytes], ["params", kernel.paramBytes], name);
    assert.ok(params.layout.kind === "struct");
    assert.deepEqual(
      params.layout.fields.map(({ name, layout }) => [name, layout]),
      kernel.params.map(([name, scalar]) => [name, { kind: "number", scalar }]),
    );
    const written = kernel.buffers.map(([name, access]) => [
      name,
      access === "read_write" ? "read_write" : "read",
    ]);
    assert.deepEqual(buffers.map(({ name, access }) => [name, access]), written, name);
    assert.deepEqual(unused, []);
  }
});

Deno.test("bindings are those that an entry point uses, by whatever statement, in any group", () => {
  const used = [
    "sums[0] += 1u;",
    "counts[1]++;",
    "switch (id.x) { case 0u: { inSwitch[0] = 1u; } default: { _ = inDefault[0]; } }",
    "loop { if (id.x > 1u) { break; } inLoop[0] = 1u; continuing { inContinuing[0] = 1u; } }",
    "for (var i = 0u; i < asBound[0]; i++) { let unused_here = i; }",
    "let pointer = &behindPointer[0]; *pointer = 1u;",
    "if (arrayLength(&asLength) > 2u) { return; } else if (inCondition[0] > 1u) { helper(); }",
    "sums[asIndex[0]] = select(1u, 2u, inArgument[0] > 3u);",
    "while (inWhile[0] > 1u) { break; }",
  ].join("\n  ");
  const names = [
    ...["sums", "counts", "inSwitch", "inDefault", "inLoop", "inContinuing", "asBound"],
    ...["behindPointer", "asLength", "inCondition", "asIndex", "inArgument", "inWhile", "inHelper"],
  ];
  const variables = ["left_out", ...names].map((name, i) =>
    `@group(${i % 3}) @binding(${i}) var<storage, read_write> ${name}: array<u32>;`
  );
  const code = `/* not /* yet */ */ ${variables.join("\n")}
fn helper() { inHelper[0] = 1u; var left_out = 1u; left_out = 2u; }
@compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) {
  ${used}
}`;
  const { bindings, unused } = reflect(code);
  assert.deepEqual(bindings.map(({ name }) => name).sort(), names.toSorted());
  assert.deepEqual(unused, ["left_out"]);
  const places = bindings.map(({ group, binding }) => 100 * group + binding);
  assert.deepEqual(places, places.toSorted((a, b) => a - b));
});

Deno.test("a binding's size is that of its type, with one element of an array without a length", () => {
  const sizes = {
    "u32": 4,
    "vec3f": 12,
    "mat3x3f": 48,
    "array<f32>": 4,
    "array<vec3<f32>>": 16,
    "array<vec4u, LENGTH + 1>": 16 * 4,
    "array<array<vec2f, LENGTH>>": 24,
    "Head": 32,
    "Padded": 64,
    "atomic<i32>": 4,
    "array<atomic<u32>, 5>": 20,
  };
  for (const [type, size] of Object.entries(sizes)) {
    const { bindings: [binding] } = reflect(`
const LENGTH = 3;
struct Head { count: u32, rows: array<vec3f> }
struct Padded { a: u32, @align(32) b: f32, @size(20) c: f32 }
@group(1) @binding(4) var<storage, read_write> x: ${type};
@compute @workgroup_size(1) fn main() { let y = &x; }`);
    assert.deepEqual(at(binding), [1, 4, "read_write", size], type);
  }
});

Deno.test("workgroups and their memory are those of the entry point, with expressions and overrides", () => {
  const code = (sizes: string) => `
override SIDE: u32 = 6;
const AREA = 2u * 8u;
@id(7) override HALF = SIDE / 2;
var<workgroup> sums: array<f32, AREA>; // 64 bytes
var<workgroup> rows: array<array<vec3f, SIDE>, 2 * SIDE>; // 12 * 6 * 16
var<workgroup> flag: atomic<u32>; // 16 with what lies between
var<workgroup> other: array<u32, 100>;
fn add() { sums[0] = rows[0][0].x; }
@compute @workgroup_size(${sizes}) fn first() { add(); atomicAdd(&flag, 1u); }
@compute @workgroup_size(1) fn second() { other[0] = 1u; }`;
  const sizes: [string, number[]][] = [
    ["AREA", [16, 1, 1]],
    ["SIDE * SIDE, HALF", [36, 3, 1]],
    ["(SIDE + 2) / 4, u32(AREA), 2,", [2, 16, 2]],
  ];
  for (const [text, expected] of sizes) {
    const { workgroupSize, workgroupBytes } = reflect(code(text), "first");
    assert.deepEqual(workgroupSize, expected);
    assert.equal(workgroupBytes, 64 + 12 * 6 * 16 + 16);
  }
  assert.equal(reflect(code("1"), "second").workgroupBytes, 400);
});

Deno.test("an entry point is named where there are several, and textures are refused by name", () => {
  const two = "@compute @workgroup_size(1) fn a() {} @compute @workgroup_size(2) fn b() {}";
  assert.equal(reflect(two, "b").workgroupSize[0], 2);
  assert.throws(() => reflect(two), /^RangeError: got 2 entry points, need one of a, b$/);
  assert.throws(() => reflect(two, "c"), /^RangeError: got no entry point c, need one of a, b$/);
  assert.throws(() => reflect("fn a() {}"), /^SyntaxError: got no @compute function, need one$/);
  const texture = `@group(0) @binding(0) var image: texture_2d<f32>;
@compute @workgroup_size(1) fn main() { _ = textureDimensions(image); }`;
  assert.throws(
    () => reflect(texture),
    /^SyntaxError: got 'image' of type texture_2d<f32>, need uniforms/,
  );
});
