/** Kernels of one's own, through `lpntk/gpu`. @module */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  type Bindings,
  type ComputeDevice,
  DeviceBuffer,
  openGpu,
  type Recording,
  type UniformValue,
} from "../../../engine/gpu/mod.ts";
import { expectSuccess, prepareDeno, ROOT } from "../../cli/process.ts";
import { openTempFolder } from "../../temp_folder.ts";

/** y = a x + y, every number by an invocation of its own. */
const AXPY = `struct Params { count: u32, a: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.count) {
    y[id.x] += params.a * x[id.x];
  }
}`;

/** The sum of whole numbers, by a tree in the workgroup's memory and an atomic sum of the workgroups. */
const SUM = `override GROUP = 32u;
@group(1) @binding(3) var<storage, read> numbers: array<u32>;
@group(1) @binding(0) var<storage, read_write> total: atomic<u32>;
var<workgroup> parts: array<u32, GROUP>;

@compute @workgroup_size(GROUP)
fn sum(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  parts[lane] = select(0u, numbers[min(id.x, arrayLength(&numbers) - 1u)], id.x < arrayLength(&numbers));
  for (var half = GROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { parts[lane] += parts[lane + half]; }
  }
  if (lane == 0u) { atomicAdd(&total, parts[0]); }
}`;

Deno.test("the example of docs/kernels.md prints what the page says", async () => {
  await using folder = await openTempFolder();
  const page = await Deno.readTextFile(`${ROOT}/docs/kernels.md`);
  const [, code] = /^```ts\n(.*?)^```$/ms.exec(page)!;
  const path = `${folder.path}/scale.ts`;
  await Deno.writeTextFile(path, code);
  const config = ["--config", `${ROOT}/deno.json`];
  const printed = await expectSuccess(prepareDeno(["run", "-A", "--no-check", ...config, path]));
  const [, promised] = /`(Float32Array\(3\) .*?)`/.exec(page)!;
  const [numbers, time] = printed.trim().split("\n");
  assert.equal(numbers, promised);
  assert.match(time, /^[\d.e-]+ ms \([\d.e-]+ to [\d.e-]+\), by the (device|host)'s clock$/);
});

let opened: Promise<ComputeDevice> | undefined;

Deno.test.afterAll(async () => (await opened)?.dispose());

/** Registers a test on the file's device; it fails when a buffer is left alive. */
function testDevice(name: string, run: (gpu: ComputeDevice) => Promise<void>): void {
  Deno.test(name, async () => {
    const gpu = await (opened ??= openGpu());
    await run(gpu);
    await gpu.finish();
    assert.equal(gpu.liveBuffers, 0);
  });
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

testDevice("a kernel computes on buffers and uniforms by their names, at any size", async (gpu) => {
  const kernel = await gpu.kernel("axpy", AXPY);
  for (const size of [1, 63, 64, 65, 1021]) {
    using x = await gpu.buffer("x", Float32Array.from(range(size)));
    using y = await gpu.buffer("y", Float32Array.from(range(size), (i) => -i));
    const bindings = { x, y, params: { count: size - 1, a: 3 } };
    gpu.run(kernel, bindings, { workgroups: Math.ceil(size / 64) });
    const expected = range(size).map((i) => i < size - 1 ? 2 * i : -i);
    assert.deepEqual([...await gpu.read(y, Float32Array)], expected);
  }
});

testDevice("a kernel of other groups, atomics and workgroup memory computes", async (gpu) => {
  const kernel = await gpu.kernel("sum", SUM);
  assert.deepEqual(kernel.workgroupSize, [32, 1, 1]);
  assert.equal(kernel.entryPoint, "sum");
  assert.deepEqual(kernel.bindings.map(({ name, group, binding }) => [name, group, binding]), [
    ["total", 1, 0],
    ["numbers", 1, 3],
  ]);
  for (const size of [1, 31, 33, 1021]) {
    using numbers = await gpu.buffer("numbers", Uint32Array.from(range(size)));
    using total = await gpu.buffer("total", 4);
    gpu.run(kernel, { numbers, total }, { workgroups: Math.ceil(size / 32) });
    assert.deepEqual([...await gpu.read(total, Uint32Array)], [size * (size - 1) / 2]);
  }
});

testDevice("a mistake in a shader is told with its line, and spoils nothing", async (gpu) => {
  const lines = AXPY.split("\n");
  lines[6] = "fn main(@builtin(global_invocation_id) id: vec3) {"; // line 7
  await assert.rejects(gpu.kernel("axpy", lines.join("\n")), {
    name: "KernelError",
    kernel: "axpy",
    line: 7,
    message: /^Cannot compile kernel 'axpy': line 7, `fn main\(.*vec3\) \{`: .+$/,
  });
  lines[6] = "fn main(@builtin(global_invocation_id) id: vec3u {";
  await assert.rejects(gpu.kernel("axpy", lines.join("\n")), { name: "KernelError", line: 7 });
  lines[6] = AXPY.split("\n")[6];
  lines[8] = "    y[id.x] += params.a * x[id.x] + true;";
  await assert.rejects(gpu.kernel("axpy", lines.join("\n")), {
    line: 9,
    message: /line 9, `y\[id\.x\] \+= .* \+ true;`: .*Bool/,
  });
  await assert.rejects(
    gpu.kernel("free", "override N: u32;\n@compute @workgroup_size(N) fn f() {}"),
    {
      name: "KernelError",
      message: /^Cannot compile kernel 'free': got @workgroup_size that cannot .* default$/,
    },
  );
  // naga takes this, the specification does not
  lines[8] = "    y[id.x] = f32(id.x & 3u | 4u);";
  await assert.rejects(gpu.kernel("axpy", lines.join("\n")), {
    name: "KernelError",
    line: 9,
    message: /line 9, `y\[id\.x\] = f32\(id\.x & 3u \| 4u\);`: .*parentheses/,
  });
  await assert.rejects(gpu.kernel("none", undefined as unknown as string), {
    message: "Cannot compile kernel 'none': got nothing, need the text of a WGSL shader",
  });
  await gpu.finish();
});

testDevice("what a workgroup needs beyond the device is refused before it runs", async (gpu) => {
  const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupStorageSize: bytes } =
    gpu.limits;
  const sized = (text: string, body = "") => `${text} fn main() { ${body} }`;
  const refuses = (code: string, message: RegExp) =>
    assert.rejects(gpu.kernel("large", code), { name: "KernelError", message });
  await refuses(
    sized(`override N = ${most}u; @compute @workgroup_size(N, 2)`),
    new RegExp(`'large': got workgroups of ${most} x 2 x 1 invocations, need at most ${most} `),
  );
  const memory = (count: number) =>
    sized(
      `override N = ${count}; var<workgroup> a: array<vec4u, N>; @compute @workgroup_size(1)`,
      "a[0] = vec4u();",
    );
  await refuses(memory(bytes / 16 + 1), new RegExp(`got ${bytes + 16} bytes of workgroup memory`));
  await gpu.kernel("full", memory(bytes / 16));
  const uniforms = range(2).map((i) =>
    `@group(0) @binding(${i}) var<uniform> u${i}: array<vec4f, 4096>;`
  ).join("");
  await refuses(
    sized(`${uniforms} @compute @workgroup_size(1)`, "_ = u0[0]; _ = u1[0];"),
    /got 131072 bytes of uniforms, need at most \d+; a storage buffer holds more/,
  );
});

testDevice(
  "bindings that do not fit are refused by name, and the recording goes on",
  async (gpu) => {
    const kernel = await gpu.kernel("axpy", AXPY);
    using x = await gpu.buffer("x", 8);
    using y = await gpu.buffer("y", 8);
    const params = { count: 2, a: 1 };
    const recording = gpu.record();
    const cases: [bindings: unknown, message: RegExp][] = [
      [{ x, y }, /^got no params, need params, x, y$/],
      [{ x, y, params, z: 1 }, /^got an unknown binding z, need params, x, y$/],
      [{ x, y, parms: params }, /^got an unknown binding parms, .*; did you mean params\?$/],
      [{ x, y, params: 3 }, /^got params 3, need an object with count, a$/],
      [{ x, y, params: { count: 2 } }, /^got no params\.a, need all of count, a$/],
      [{ x, y, params: { ...params, cuont: 2 } }, /^got an unknown params\.cuont, .*mean count\?$/],
      [
        { x, y, params: { ...params, count: -1 } },
        /^got params\.count -1, need an integer .*\(u32\)$/,
      ],
      [{ x, y, params: { ...params, count: 1.5 } }, /^got params\.count 1\.5, need an integer/],
      [{ x, y, params: { ...params, a: "1" } }, /^got params\.a "1", need a number .*\(f32\)$/],
      [
        { x, y, params: { ...params, a: 1e39 } },
        /^got params\.a 1e\+39, need a number from -3\.4028235e38 to 3\.4028235e38 \(f32\)$/,
      ],
      [{ x: [1, 2], y, params }, /^got x \[1,2\], need a buffer of the device$/],
      [{ x: y, y, params }, /^got buffer 'y' as y and as x, need another one for what is written$/],
    ];
    for (const [bindings, expected] of cases) {
      assert.throws(
        () => recording.run(kernel, bindings as Bindings, { workgroups: 1 }),
        (error: Error) => {
          const [, reason] = /^Cannot run kernel 'axpy': (.*)$/.exec(error.message)!;
          assert.match(reason, expected);
          return error instanceof TypeError || error instanceof RangeError;
        },
      );
    }
    const most = gpu.limits.maxComputeWorkgroupsPerDimension;
    assert.throws(() => recording.run(kernel, { x, y, params }, { rows: 4 } as never), {
      name: "TypeError",
      message:
        "Cannot run kernel 'axpy': got no number of workgroups, need { workgroups } after the bindings",
    });
    for (const workgroups of [-1, 0.5, most + 1, [1, most + 1], [], [1, 1, 1, 1], null]) {
      assert.throws(() => recording.run(kernel, { x, y, params }, { workgroups } as never), {
        name: "RangeError",
        message: new RegExp(`^Cannot run kernel 'axpy': got workgroups .* at most ${most} on`),
      });
    }
    recording.run(kernel, { x, y, params }, { workgroups: [1, 0] });
    recording.submit();
    assert.deepEqual([...await gpu.read(y, Float32Array)], [0, 0]);
  },
);

testDevice("a buffer too small for a kernel, or of another device, is refused", async (gpu) => {
  const code = `struct Head { count: u32, rows: array<vec4f> }
@group(0) @binding(0) var<storage, read_write> head: Head;
@compute @workgroup_size(1) fn main() { head.count = arrayLength(&head.rows); }`;
  const kernel = await gpu.kernel("head", code);
  using small = await gpu.buffer("small", 28);
  assert.throws(() => gpu.run(kernel, { head: small }, { workgroups: 1 }), {
    name: "RangeError",
    message: /^Cannot run kernel 'head': got head of 28 bytes, need 32 to \d+ on this device$/,
  });
  using head = await gpu.buffer("head", 32);
  gpu.run(kernel, { head }, { workgroups: 1 });
  assert.equal((await gpu.read(head, Uint32Array))[0], 1);
  using other = await openGpu();
  const foreign = await other.buffer("foreign", 32);
  const recording = gpu.record();
  const refused = (action: string) => ({
    name: "TypeError",
    message:
      `Cannot ${action} buffer 'foreign': got one of another device, need one of this device`,
  });
  const run = () => recording.run(kernel, { head: foreign }, { workgroups: 1 });
  assert.throws(run, refused("run kernel 'head' with"));
  assert.throws(() => recording.copy(head, foreign), refused("copy"));
  assert.throws(() => recording.copy(foreign, head), refused("copy"));
  assert.throws(() => recording.clear(foreign), refused("clear"));
  assert.throws(() => gpu.write(foreign, Uint32Array.of(1)), refused("write"));
  await assert.rejects(gpu.read(foreign, Uint32Array), refused("read"));
  await assert.rejects(gpu.read({} as DeviceBuffer, Uint32Array), {
    name: "TypeError",
    message: "Cannot read: got {}, need a buffer of the device",
  });
  assert.throws(() => other.run(kernel, { head: foreign }, { workgroups: 1 }), /of another device/);
  recording.submit();
  for (const device of [gpu, other]) await device.finish(); // neither has failed

  const maxBufferSize = Math.floor(gpu.limits.maxBufferSize / 4) * 4;
  await assert.rejects(gpu.buffer("huge", maxBufferSize + 4), {
    name: "RangeError",
    message: new RegExp(`^Cannot create buffer 'huge': got ${maxBufferSize + 4} bytes`),
  });
});

testDevice("buffers take arrays of whole words, and give them back", async (gpu) => {
  using buffer = await gpu.buffer("bytes", Uint8Array.from(range(8)));
  assert.deepEqual([...await gpu.read(buffer, Uint8Array)], range(8));
  gpu.write(buffer, Int32Array.of(-1));
  assert.deepEqual([...await gpu.read(buffer, Int32Array)], [-1, 0x07060504]);
  const cases: [unknown, RegExp][] = [
    [Uint8Array.of(1, 2, 3), /got 3 bytes, need a .*multiple of 4 bytes$/],
    [new Float32Array(0), /got 0 bytes, need a .*positive multiple of 4 bytes$/],
    [[1, 2, 3, 4], /got \[1,2,3,4\], need a Float32Array, /],
    [Float64Array.of(1), /got a Float64Array, need a Float32Array, /],
  ];
  for (const [content, message] of cases) {
    await assert.rejects(gpu.buffer("wrong", content as never), { name: "TypeError", message });
    assert.throws(() => gpu.write(buffer, content as never), { name: "TypeError", message });
  }
  assert.throws(() => gpu.write(buffer, new Float32Array(3)), {
    message: "Cannot write buffer 'bytes': got 12 bytes, need at most 8",
  });
  for (const bytes of [0, -4, 4.5, NaN]) {
    await assert.rejects(gpu.buffer("none", bytes), {
      name: "RangeError",
      message: `Cannot create buffer 'none': got bytes ${bytes}, need a positive integer`,
    });
  }
  using odd = await gpu.buffer("odd", 12);
  await assert.rejects(gpu.read(odd, "f32" as never), {
    name: "TypeError",
    message: /^Cannot read buffer '.+': got "f32", need a kind of array, such as Float32Array$/,
  });
  await assert.rejects(gpu.read(odd, BigUint64Array), {
    message: "Cannot read buffer 'odd': got 12 bytes, need a multiple of 8 for a BigUint64Array",
  });
});

testDevice("a recording keeps the order of launches, copies and zeros", async (gpu) => {
  const kernel = await gpu.kernel("axpy", AXPY);
  using x = await gpu.buffer("x", Float32Array.of(1, 1));
  using y = await gpu.buffer("y", 8);
  using copy = await gpu.buffer("copy", 12);
  const recording = gpu.record();
  const values = { count: 2, a: 5 };
  recording.run(kernel, { x, y, params: values }, { workgroups: 1 }); // 5
  values.a = 1; // taken as they were
  recording.copy(y, copy);
  recording.clear(y);
  for (let i = 0; i < 700; i++) { // more than the uniforms of one submission
    recording.run(kernel, { x, y, params: { count: 2, a: i } }, { workgroups: 1 });
  }
  recording.submit();
  assert.deepEqual([...await gpu.read(copy, Float32Array)], [5, 5, 0]);
  assert.deepEqual([...await gpu.read(y, Float32Array)], [244650, 244650]);
  assert.throws(() => recording.copy(copy, y), /'copy': got 'y' of 8 bytes, need .* 12$/);
  assert.throws(() => recording.copy(y, y), /got itself/);
});

testDevice("launches that are empty or refused take no room of a recording", async (gpu) => {
  const kernel = await gpu.kernel("axpy", AXPY);
  using x = await gpu.buffer("x", Float32Array.of(1));
  using y = await gpu.buffer("y", 4);
  const recording = gpu.record();
  const run = (count: number, workgroups: number) =>
    recording.run(kernel, { x, y, params: { count, a: 2 } }, { workgroups });
  // the uniforms of one submission are those of 256 launches
  for (let i = 0; i < 300; i++) run(1, 0);
  for (let i = 0; i < 300; i++) assert.throws(() => run(-1, 1), /got params\.count -1/);
  run(1, 1);
  recording.submit();
  assert.deepEqual([...await gpu.read(y, Float32Array)], [2]);
});

testDevice("a buffer disposed between recording and submission is refused by name", async (gpu) => {
  const kernel = await gpu.kernel("axpy", AXPY);
  using x = await gpu.buffer("x", Float32Array.of(1));
  const recording = gpu.record();
  const refused = { name: "DisposedError", message: /^Cannot use buffer 'gone': got it after/ };
  const uses: ((gone: DeviceBuffer) => void)[] = [
    (gone) => recording.run(kernel, { x, y: gone, params: { count: 1, a: 1 } }, { workgroups: 1 }),
    (gone) => recording.copy(x, gone),
    (gone) => recording.copy(gone, x),
    (gone) => recording.clear(gone),
  ];
  for (const use of uses) {
    const gone = await gpu.buffer("gone", 4);
    use(gone);
    gone.dispose();
    assert.throws(() => recording.submit(), refused);
    recording.submit(); // of nothing: what was recorded is dropped
  }
  using y = await gpu.buffer("y", 4);
  const run = () => recording.run(kernel, { x, y, params: { count: 1, a: 1 } }, { workgroups: 1 });
  // also where a recording is submitted since the room for its uniforms is full
  const gone = await gpu.buffer("gone", 4);
  recording.clear(gone);
  for (let i = 0; i < 256; i++) run();
  gone.dispose();
  assert.throws(run, refused);
  run();
  recording.submit();
  assert.deepEqual([...await gpu.read(y, Float32Array)], [1]);
});

testDevice("lists of a uniform are nested as they are declared, or not at all", async (gpu) => {
  const code = `struct Params { m: mat2x3f, list: array<array<vec4u, 1>, 2> }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1) fn main() {
  for (var i = 0u; i < 6u; i++) { out[i] = params.m[i / 3][i % 3]; }
  for (var i = 0u; i < 8u; i++) { out[6 + i] = f32(params.list[i / 4][0][i % 4]); }
}`;
  const kernel = await gpu.kernel("nested", code);
  using out = await gpu.buffer("out", 14 * 4);
  const flat = range(14).map((i) => i + 1);
  const part = (from: number, to: number) => flat.slice(from, to);
  const m = [part(0, 3), Float32Array.from(part(3, 6))];
  const list = [[part(6, 10)], part(10, 14)];
  for (const params of [{ m, list }, { m: part(0, 6), list: part(6, 14) }]) {
    gpu.run(kernel, { out, params }, { workgroups: 1 });
    assert.deepEqual([...await gpu.read(out, Float32Array)], flat);
  }
  const cases: [unknown, RegExp][] = [
    [{ m: [[1, 2], [3, 4], [5, 6]], list }, /^got params\.m \[.*\], need 6 .* nested as 2 x 3$/],
    [{ m: [[1, 2], [3, 4, 5, 6]], list }, /^got params\.m\[0\] \[1,2\], need 3 numbers$/],
    [{ m: [1, [2, 3], 4, 5, 6], list }, /^got params\.m \[.*\], need 6 numbers, in one list or /],
    [{ m, list: [[part(0, 4), part(4, 8)]] }, /^got params\.list \[.*\], need 8 .* 2 x 1 x 4$/],
    [{ m, list: [part(0, 2), part(2, 8)] }, /^got params\.list\[0\] \[1,2\], need 4 .* 1 x 4$/],
  ];
  for (const [params, expected] of cases) {
    assert.throws(
      () => gpu.run(kernel, { out, params: params as UniformValue }, { workgroups: 1 }),
      ({ message }: Error) => {
        assert.match(message.replace("Cannot run kernel 'nested': ", ""), expected);
        return true;
      },
    );
  }
});

/** Types that a uniform's field may have, by how many numbers they take. */
const TYPES = {
  ...{ "u32": 1, "i32": 1, "f32": 1, "vec2u": 2, "vec3<i32>": 3, "vec3f": 3, "vec4f": 4 },
  ...{ "mat2x2f": 4, "mat3x3<f32>": 9, "mat2x3f": 6, "mat4x2f": 8, "array<vec4<u32>, 3>": 12 },
  ...{ "@align(32) f32": 1, "@size(24) vec2f": 2, "Inner": 5, "array<Inner, 2>": 10 },
};

/** Expressions of the numbers of a value, as f32 in the order in which they are given. */
function listNumbers(type: string, value: string): string[] {
  const [, kind, columns, rows] = /(vec|mat)(\d)(?:x(\d))?/.exec(type) ?? [];
  if (type === "array<Inner, 2>") {
    return [0, 1].flatMap((i) => listNumbers("Inner", `${value}[${i}]`));
  }
  if (type === "Inner") {
    return [`f32(${value}.a)`, ...listNumbers("vec3f", `${value}.b`), `${value}.c`];
  }
  if (type.startsWith("array")) {
    return range(3).flatMap((i) => listNumbers("vec4u", `${value}[${i}]`));
  }
  if (kind === "vec") return range(Number(columns)).map((i) => `f32(${value}[${i}])`);
  if (kind === "mat") {
    return range(Number(columns)).flatMap((c) =>
      range(Number(rows)).map((r) => `${value}[${c}][${r}]`)
    );
  }
  return [`f32(${value})`];
}

/** A value of a type out of numbers. */
function createValue(type: string, numbers: readonly number[]): UniformValue {
  if (type === "Inner") return { a: numbers[0], b: numbers.slice(1, 4), c: numbers[4] };
  if (type === "array<Inner, 2>") {
    return [0, 5].map((at) => createValue("Inner", numbers.slice(at, at + 5)));
  }
  if (numbers.length === 1) return numbers[0];
  // matrices also as columns
  return type === "mat2x3f" ? [numbers.slice(0, 3), numbers.slice(3)] : Float32Array.from(numbers);
}

testDevice(
  "fields of uniforms arrive where WGSL reads them, whatever stands before",
  async (gpu) => {
    const types = fc.array(fc.constantFrom(...Object.keys(TYPES) as (keyof typeof TYPES)[]), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(types, async (list) => {
        const fields = list.map((type, i) => {
          const [, attribute = "", plain] = /^(@\w+\(\d+\) )?(.*)$/.exec(type)!;
          return `${attribute}f${i}: ${plain}`;
        });
        const reads = list.flatMap((type, i) => listNumbers(type, `params.f${i}`));
        const code = `struct Inner { a: u32, b: vec3f, @align(16) c: f32 }
struct Params { ${fields.join(", ")} }
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<uniform> lone: vec2u;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(1) fn main() {
  out[0] = f32(lone.y);
  ${reads.map((read, i) => `out[${i + 1}] = ${read};`).join("\n  ")}
}`;
        let next = 1;
        const values = list.map((type) => createValue(type, range(TYPES[type]).map(() => next++)));
        const params = Object.fromEntries(values.map((value, i) => [`f${i}`, value]));
        const kernel = await gpu.kernel("fields", code);
        using out = await gpu.buffer("out", 4 * next);
        gpu.run(kernel, { out, lone: [7, 9], params }, { workgroups: 1 });
        assert.deepEqual(
          [...await gpu.read(out, Float32Array)],
          [9, ...range(next).slice(1)],
          code,
        );
      }),
      {
        numRuns: 12,
        seed: 1,
        // each type behind a number of 4 bytes
        examples: [[["f32", ...Object.keys(TYPES).flatMap((type) => [type, "u32"])] as never]],
      },
    );
  },
);

testDevice("time is that of a repetition, by a clock that is named", async (gpu) => {
  const kernel = await gpu.kernel("axpy", AXPY);
  const size = 2 ** 16;
  using x = await gpu.buffer("x", Float32Array.from(range(size)));
  using y = await gpu.buffer("y", 4 * size);
  let recorded = 0;
  const effort = { rounds: 3, measurementMs: 20, budgetMs: 1000 };
  const timing = await gpu.time((recording) => {
    recorded++;
    recording.run(kernel, { x, y, params: { count: size, a: 1 } }, { workgroups: size / 64 });
  }, effort);
  const { median, min, max, measurements, repetitions, clock } = timing;
  assert.ok(min > 0 && min <= median && median <= max);
  assert.ok(measurements >= 1 && measurements <= 3);
  assert.ok(recorded >= measurements * repetitions);
  const [, last] = await gpu.read(y, Float32Array);
  assert.equal(last, recorded); // all of them ran
  const hasTimestamps = gpu.native.features.has("timestamp-query");
  assert.ok(clock === "host" || hasTimestamps);
  // copies alone are in no pass that has times
  const copied = await gpu.time((recording) => recording.copy(x, y), effort);
  assert.equal(copied.clock, "host");
  await assert.rejects(gpu.time(() => {}, { round: 3 } as never), /did you mean rounds\?/);
  const { measurements: some } = await gpu.time((recording) => recording.copy(x, y), {
    ...effort,
    rounds: undefined,
  });
  assert.equal(some, 5);
  for (const name of ["rounds", "measurementMs", "budgetMs"]) {
    for (const value of [0, -1, NaN, Infinity, "3"]) {
      await assert.rejects(gpu.time(() => {}, { [name]: value } as never), {
        name: "RangeError",
        message: new RegExp(`^Cannot time: got ${name} "?${value}"?, need a positive `),
      });
    }
  }
  await assert.rejects(gpu.time(() => {}, { rounds: 2.5 }), /got rounds 2\.5, need a positive int/);
  const late = async (recording: Recording) => {
    await gpu.finish();
    recording.copy(x, y);
    throw new Error("nobody waits for this");
  };
  await assert.rejects(gpu.time(late), {
    name: "TypeError",
    message: "Cannot time: got an async function, need one that records before it returns",
  });
  await gpu.finish();
});

Deno.test("what is disposed is refused by name, and disposing again does nothing", async () => {
  const gpu = await openGpu();
  const kernel = await gpu.kernel("sum", SUM);
  const [numbers, total] = [await gpu.buffer("numbers", 4), await gpu.buffer("total", 4)];
  const recording = gpu.record();
  assert.ok(numbers instanceof DeviceBuffer);
  numbers.dispose();
  numbers.dispose();
  const disposed = { name: "DisposedError", message: /^Cannot use buffer 'numbers': got it after/ };
  const run = () => gpu.run(kernel, { numbers, total }, { workgroups: 1 });
  assert.throws(run, disposed);
  assert.throws(() => gpu.write(numbers, Uint32Array.of(1)), disposed);
  assert.throws(() => recording.clear(numbers), disposed);
  assert.throws(() => recording.copy(total, numbers), disposed);
  await assert.rejects(gpu.read(numbers, Uint32Array), disposed);
  gpu.dispose();
  gpu.dispose();
  assert.equal(gpu.liveBuffers, 0);
  const closed = { name: "DisposedError", message: /^Cannot use the GPU: .*call openGpu again$/ };
  assert.throws(run, closed);
  assert.throws(() => gpu.record(), closed);
  await assert.rejects(gpu.kernel("late", SUM), closed);
  await assert.rejects(gpu.buffer("late", 4), closed);
  await assert.rejects(gpu.read(total, Uint32Array), closed);
  await assert.rejects(gpu.time(() => {}), closed);
  await assert.rejects(gpu.finish(), closed);
  assert.throws(() => recording.submit(), closed);
  assert.throws(() => recording.clear(total), closed);
  const other = await openGpu();
  const late = await other.buffer("late", 4);
  const waits = Promise.allSettled([
    other.read(late, Uint32Array),
    other.finish(),
    other.buffer("later", 4),
  ]);
  other.dispose();
  for (const wait of await waits) {
    assert.ok(wait.status === "rejected");
    assert.match(wait.reason.message, closed.message);
  }
  assert.equal(other.liveBuffers, 0);
  total.dispose();
});
