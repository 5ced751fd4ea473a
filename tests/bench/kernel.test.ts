/** `bench kernel`: a kernel of anybody's, bound by what the call says. @module */
import assert from "node:assert/strict";
import {
  type BufferSpec,
  createBindings,
  type NumberType,
  type UniformSpec,
} from "../../bench/kernel.ts";
import { type DeviceBuffer, openGpu } from "../../engine/gpu/mod.ts";
import { runLpntk } from "../cli/process.ts";
import { openTempFolder } from "../temp_folder.ts";

/** Scales rows by a number of a struct in a struct. */
const SCALE = `struct Factors { scale: f32, offset: vec3f }
struct Params { count: u32, factors: Factors }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> shift: i32;
@group(1) @binding(0) var<storage, read> rows: array<f32>;
@group(1) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.count) {
    out[id.x] = params.factors.scale * rows[id.x] + params.factors.offset.z + f32(shift);
  }
}`;

/** Counts into bins, in a workgroup of its own memory. */
const COUNT = `@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;
var<workgroup> counts: array<atomic<u32>, 256>;
@compute @workgroup_size(256)
fn count(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (id.x < arrayLength(&values)) { atomicAdd(&counts[values[id.x] % 256u], 1u); }
  workgroupBarrier();
  atomicAdd(&bins[lane], atomicLoad(&counts[lane]));
}
@compute @workgroup_size(1) fn nothing() {}`;

/** An error in line 7. */
const MISTAKEN = SCALE.replace("\n\n@compute", "\nlet wrong = 1;\n@compute");

const UNIFORMS = [
  "count=u32:70",
  "scale=f32:2",
  "params.factors.offset=f32:1,2,0.5",
  "shift=i32:-3",
];
const BUFFERS = ["rows=f32:70", "out=f32:70:write"];

const write = (name: string, count: number, type: NumberType = "f32"): BufferSpec => ({
  name,
  type,
  count,
  isWritten: true,
});
const read = (name: string, count: number, type: NumberType): BufferSpec => ({
  ...write(name, count, type),
  isWritten: false,
});
const set = (name: string, type: NumberType, ...values: number[]): UniformSpec => ({
  name,
  type,
  values,
});

Deno.test("buffers are filled by the seed, and uniforms arrive field by field", async () => {
  using gpu = await openGpu();
  const kernel = await gpu.kernel("scale", SCALE);
  const given = {
    buffers: [read("rows", 70, "f32"), write("out", 70)],
    uniforms: [
      set("count", "u32", 69),
      set("scale", "f32", 2),
      set("factors.offset", "f32", 1, 2, 0.5),
      set("shift", "i32", -3),
    ],
  };
  const bindings = await createBindings(gpu, kernel, SCALE, { ...given, seed: 1 });
  const readBack = (name: string) => gpu.read(bindings[name] as DeviceBuffer, Float32Array);
  const rows = await readBack("rows");
  assert.ok(rows.some((x) => x < -0.5) && rows.some((x) => x > 0.5));
  assert.ok(rows.every((x) => x >= -1 && x <= 1));
  gpu.run(kernel, bindings, { workgroups: 2 });
  const expected = rows.map((x, i) => i < 69 ? 2 * x + 0.5 - 3 : 0);
  const out = await readBack("out");
  // one rounding of a product, and one of each sum, in whatever order
  out.forEach((x, i) => assert.ok(Math.abs(x - expected[i]) <= 8 * 2 ** -24, `${i}: ${x}`));
  const again = await createBindings(gpu, kernel, SCALE, { ...given, seed: 1 });
  assert.deepEqual(await gpu.read(again.rows as DeviceBuffer, Float32Array), rows);
  const other = await createBindings(gpu, kernel, SCALE, { ...given, seed: 2 });
  assert.notDeepEqual(await gpu.read(other.rows as DeviceBuffer, Float32Array), rows);
});

Deno.test("buffers of whole numbers hold 0 to 255, of f16 numbers from -1 to 1", async () => {
  using gpu = await openGpu();
  const kernel = await gpu.kernel("count", COUNT, { entryPoint: "count" });
  const specs = [read("values", 999, "u32"), write("bins", 256, "u32")];
  const given = { buffers: specs, uniforms: [], seed: 0 };
  const bindings = await createBindings(gpu, kernel, COUNT, given);
  const values = await gpu.read(bindings.values as DeviceBuffer, Uint32Array);
  assert.ok(values.every((value) => value < 256) && new Set(values).size > 200);
  gpu.run(kernel, bindings, { workgroups: 4 });
  const bins = await gpu.read(bindings.bins as DeviceBuffer, Uint32Array);
  const counts = Array.from({ length: 256 }, (_, bin) => values.filter((v) => v === bin).length);
  assert.deepEqual([...bins], counts);
  const halves = `struct Half { bits: array<u32> }
@group(0) @binding(0) var<storage, read_write> halves: Half;
@compute @workgroup_size(1) fn main() { halves.bits[0] = halves.bits[0]; }`;
  const code = halves.replace("array<u32>", "array<vec2h>").replace("struct", "enable f16; struct");
  const { halves: buffer } = await createBindings(
    gpu,
    await gpu.kernel("halves", halves),
    code,
    { buffers: [read("halves", 8, "f16")], uniforms: [], seed: 0 },
  );
  const numbers = new Float16Array(
    (await gpu.read(buffer as DeviceBuffer, Uint8Array)).buffer as ArrayBuffer,
  );
  assert.equal(numbers.length, 8);
  const odd = createBindings(gpu, await gpu.kernel("halves", halves), code, {
    buffers: [write("halves", 7, "f16")],
    uniforms: [],
    seed: 0,
  });
  await assert.rejects(odd, {
    name: "RangeError",
    message:
      "Cannot time kernel 'halves': got --buffer halves of 7 f16, need an even number: buffers are whole words",
  });
  assert.ok(numbers.every((x) => x >= -1 && x <= 1 && x !== 0));
});

/** `lpntk bench kernel`, of a shader in a file. */
async function runKernel(wgsl: string, ...args: string[]) {
  await using folder = await openTempFolder();
  const path = `${folder.path}/mine.wgsl`;
  await Deno.writeTextFile(path, wgsl);
  return await runLpntk(["bench", "kernel", path, ...args]);
}

const flags = (name: string, values: readonly string[]) => values.flatMap((v) => [name, v]);
const CALL = ["--dispatch", "2", ...flags("--buffer", BUFFERS), ...flags("--uniform", UNIFORMS)];

Deno.test("bench kernel prints one line of JSON, with rates of what is given beside ceilings", async () => {
  const rates = ["--flops", "210", "--bytes", "560"];
  const { code, stdout, stderr } = await runKernel(SCALE, ...CALL, ...rates, "--quick", "--json");
  assert.equal(code, 0, stderr);
  const { ms, clock, gflops, gb_per_s, ...rest } = JSON.parse(stdout);
  assert.ok(ms.min > 0 && ms.min <= ms.median && ms.median <= ms.max);
  assert.ok(["device", "host"].includes(clock));
  for (const [rate, count] of [[gflops, 210], [gb_per_s, 560]]) {
    // four digits of each
    assert.ok(Math.abs(rate.value * ms.median * 1e6 / count - 1) < 2e-3, JSON.stringify(rate));
    assert.ok(Math.abs(rate.share * rate.ceiling / rate.value - 1) < 2e-3);
  }
  assert.deepEqual(
    Object.keys(rest).sort(),
    ["adapter", "commit", "date", "deno", "dispatch", "entryPoint", "kernel", "workgroup"],
  );
  assert.deepEqual([rest.kernel, rest.dispatch, rest.workgroup], ["mine.wgsl", [2], [64, 1, 1]]);
});

Deno.test("bench kernel prints what was launched, how often and by which clock", async () => {
  const buffers = flags("--buffer", ["values=u32:999", "bins=u32:256:write"]);
  const call = ["--dispatch", "4x1", "--entry-point", "count", ...buffers, "--quick"];
  const { code, stdout } = await runKernel(COUNT, ...call);
  assert.equal(code, 0);
  assert.match(stdout, /^mine\.wgsl, count: 4 x 1 workgroups of 256 x 1 x 1\n[\d.e-]+ ms \(/);
  assert.doesNotMatch(stdout, /FLOP|GB/);
});

Deno.test("a uniform's whole name is that uniform's, and any name is one", async () => {
  using gpu = await openGpu();
  const code = `struct Params { count: u32, toString: u32 }
@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<uniform> constructor: Params;
@group(0) @binding(2) var<storage, read_write> valueOf: array<u32>;
@compute @workgroup_size(1) fn main() {
  valueOf[0] = count + 10 * constructor.count + 100 * constructor.toString;
}`;
  const kernel = await gpu.kernel("names", code);
  const bindings = await createBindings(gpu, kernel, code, {
    buffers: [write("valueOf", 1, "u32")],
    uniforms: [
      set("count", "u32", 1),
      set("toString", "u32", 3),
      set("constructor.count", "u32", 2),
    ],
    seed: 0,
  });
  gpu.run(kernel, bindings, { workgroups: 1 });
  assert.deepEqual([...await gpu.read(bindings.valueOf as unknown as DeviceBuffer, Uint32Array)], [
    321,
  ]);
});

Deno.test("a mistake in a shader that compiles exits with 1, a file that cannot be read with 2", async () => {
  const shaders: [wgsl: string, message: RegExp][] = [
    ["", /^lpntk: Cannot compile kernel 'mine\.wgsl': got no @compute function, need one$/m],
    [
      "@group(0) @binding(0) var t: texture_2d<f32>;" +
      "@compute @workgroup_size(1) fn main() { _ = textureDimensions(t); }",
      /got 't' of type texture_2d<f32>, need uniforms and storage buffers alone$/m,
    ],
    [
      "var<workgroup> w: array<u32, 1000000>; @compute @workgroup_size(1) fn main() { w[0] = 1; }",
      /got 4000000 bytes of workgroup memory, need at most \d+ on this device$/m,
    ],
  ];
  for (const [wgsl, message] of shaders) {
    const { code, stderr } = await runKernel(wgsl, "--dispatch", "1");
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
  }
  await using folder = await openTempFolder();
  const paths: [path: string, got: string][] = [
    [`${folder.path}/none.wgsl`, "no such file"],
    [folder.path, "a folder"],
  ];
  for (const [path, got] of paths) {
    const { code, stderr } = await runLpntk(["bench", "kernel", path, "--dispatch", "1"]);
    assert.equal(code, 2, stderr);
    assert.equal(stderr, `lpntk: Cannot read ${path}: got ${got}, need a WGSL shader\n`);
  }
});

Deno.test("flags of reports mean nothing to bench kernel, and are refused by name", async () => {
  const values = {
    ...{ "--report": ["new"], "--baseline": ["old.json"], "--fail-below": ["0.9"] },
    ...{ "--minutes": ["3"], "--force": [] },
  };
  for (const [flag, value] of Object.entries(values)) {
    const call = ["kernel", "mine.wgsl", "--dispatch", "1"];
    for (const args of [[flag, ...value, ...call], [...call, flag, ...value]]) {
      const { code, stdout, stderr } = await runLpntk(["bench", ...args]);
      assert.deepEqual([code, stdout], [2, ""], stderr);
      const got = `got ${flag}, which is about reports, need bench without kernel for these`;
      assert.equal(stderr, `lpntk: Cannot time a kernel: ${got}\n`);
    }
  }
});

Deno.test("bench kernel names a mistake's line, and exits with 1", async () => {
  const { code, stderr } = await runKernel(MISTAKEN, ...CALL);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^lpntk: Cannot compile kernel 'mine\.wgsl': line 7, `let wrong = 1;`: .+$/m,
  );
});

Deno.test("what does not fit the shader or the device is one line, and exits with 2", async () => {
  const call = (buffers: string[], uniforms: string[], dispatch = "2") => [
    ...["--dispatch", dispatch, ...flags("--buffer", buffers), ...flags("--uniform", uniforms)],
  ];
  const [rows, out] = BUFFERS;
  const [count, scale, offset, shift] = UNIFORMS;
  const cases: [args: string[], message: RegExp][] = [
    [call([rows], UNIFORMS), /got no --buffer out, need rows, out$/],
    [call(["rwos=f32:70", out], UNIFORMS), /got --buffer rwos .*; did you mean rows\?$/],
    [call([rows, out, rows], UNIFORMS), /got --buffer rows twice/],
    [call(["rows=u32:70", out], UNIFORMS), /got --buffer rows of u32, need f32/],
    [call(["rows=f32:70:write", out], UNIFORMS), /got --buffer rows to write, need one to read/],
    [call(["rows=f32:99999999999", out], UNIFORMS), /rows of 399999999996 bytes, need at most \d+/],
    [call(["rows=f64:7", out], UNIFORMS), /'rows=f64:7'.* need such as rows=f32:1048576/],
    [call(["rows=f32:0", out], UNIFORMS), /'rows=f32:0'/],
    [call(BUFFERS, [count, "scale=f32:1e39", offset, shift]), /scale 1e\+39, need a number from /],
    [call(BUFFERS, [scale, offset, shift]), /got no --uniform params\.count, need params\.count, /],
    [call(BUFFERS, [...UNIFORMS, "sclae=f32:1"]), /got --uniform sclae .*/],
    [call(BUFFERS, ["count=f32:1", scale, offset, shift]), /count with 1 of f32, need 1 of u32$/],
    [call(BUFFERS, [count, scale, "offset=f32:1", shift]), /offset with 1 of f32, need 3 of f32$/],
    [call(BUFFERS, ["count=u32:-1", scale, offset, shift]), /params\.count -1, need an integer/],
    [call(BUFFERS, ["count=u32:x", scale, offset, shift]), /'count=u32:x'/],
    [
      call(BUFFERS, UNIFORMS, "70000000000"),
      /got workgroups \[70000000000\], need .* at most \d+ /,
    ],
    [call(BUFFERS, UNIFORMS, "0"), /'0'.*need workgroups such as 4096/],
    [[...CALL, "--entry-point", "mian"], /got no entry point mian, need one of main$/],
    [CALL.slice(2), /--dispatch/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runKernel(SCALE, ...args);
    const lines = stderr.trim().split("\n").filter((line) => !/computes on the CPU/.test(line));
    assert.deepEqual([code, stdout, lines.length], [2, "", 1], stderr);
    assert.match(lines[0], message);
  }
});
