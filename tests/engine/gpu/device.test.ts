/** The device: buffers, recordings and what goes wrong. @module */
import assert from "node:assert/strict";
import { DeviceError } from "../../../engine/errors.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { openGpu } from "../../../engine/tuning/open.ts";
import { Kernel } from "../../../engine/gpu/kernel.ts";
import { kernels } from "../../../shaders/kernel_table.ts";
import { expectSuccess, prepareDeno } from "../../cli/process.ts";
import { watchLoad } from "./load.ts";
import { testGpu } from "./open.ts";

/** Parameters of project_factored that copy one float to row `first_row` of rows of one float. */
function copyTo(first_row: number) {
  return {
    sample_count: 1,
    width: 1,
    first: 0,
    length: 1,
    bias: 0,
    first_row,
    row_length: 1,
    offset: 0,
  };
}

testGpu("the adapter has a name, and on Linux no OpenGL is opened beside it", async (gpu) => {
  const { name, backend } = gpu.adapter;
  assert.ok(name.length > 0);
  if (Deno.build.os === "linux") {
    assert.equal(backend, Deno.env.get("DENO_WEBGPU_BACKEND"));
    const libraries = await Deno.readTextFile("/proc/self/maps");
    if (backend === "vulkan") assert.doesNotMatch(libraries, /libEGL/);
  }
  await gpu.finish();
});

testGpu("an upload of nothing is a buffer of a zero", async (gpu) => {
  const buffer = gpu.upload("nothing", new Float32Array(0));
  assert.deepEqual([...new Float32Array(await gpu.read(buffer))], [0]);
  gpu.destroyBuffer(buffer);
});

testGpu("a new buffer holds zeros, its size rounded up to 4 bytes", async (gpu) => {
  for (const [sizeBytes, size] of [[0, 4], [1, 4], [4, 4], [1021, 1024]]) {
    const [before, bytesBefore] = [gpu.liveBuffers, gpu.liveBytes];
    const buffer = gpu.createBuffer("zeros", sizeBytes);
    assert.equal(gpu.liveBuffers, before + 1);
    assert.equal(gpu.liveBytes, bytesBefore + size);
    assert.deepEqual(new Uint8Array(await gpu.read(buffer)), new Uint8Array(size));
    gpu.destroyBuffer(buffer);
    gpu.destroyBuffer(buffer);
    assert.equal(gpu.liveBuffers, before);
  }
});

testGpu("a part of a buffer can be read", async (gpu) => {
  const buffer = gpu.upload("numbers", Uint32Array.of(1, 2, 3, 4, 5));
  assert.deepEqual([...new Uint32Array(await gpu.read(buffer, 8, 4))], [2, 3]);
  gpu.destroyBuffer(buffer);
});

testGpu(
  "a read of several pieces comes whole, into memory that is given, as often as asked",
  async (gpu) => {
    const count = 2 * 2 ** 20 + 3; // two pieces of 4 MiB, and a little
    const numbers = Uint32Array.from({ length: count }, (_, i) => i);
    const [first, second] = [numbers, numbers.toReversed()].map((data) => gpu.upload("data", data));
    const target = new ArrayBuffer(4 * count + 8);
    for (let round = 0; round < 2; round++) {
      const reading = gpu.read(first, 4 * count - 8, 8, target);
      // the result is what the buffer held at the call, whatever comes after
      gpu.device.queue.writeBuffer(first, 0, new Uint32Array(count));
      const [bytes, other] = await Promise.all([reading, gpu.read(second)]);
      assert.equal(bytes, target);
      const expected = [...numbers.subarray(2), 0, 0, 0, 0];
      assert.ok(new Uint32Array(bytes).every((value, i) => value === expected[i]));
      assert.ok(new Uint32Array(other).every((value, i) => value === count - 1 - i));
      gpu.device.queue.writeBuffer(first, 0, numbers);
    }
    for (const buffer of [first, second]) gpu.destroyBuffer(buffer);
  },
);

testGpu("a recording may hold more launches than the parameter buffer has places", async (gpu) => {
  const launches = 1000;
  const values = gpu.upload("values", Float32Array.of(7));
  const rows = gpu.createBuffer("rows", 1024 * 4);
  const commands = gpu.record();
  for (let n = 0; n < launches; n++) {
    commands.run(kernels.project_factored, copyTo(n), { values, rows }, 1);
  }
  commands.submit();
  const expected = new Float32Array(1024).fill(7, 0, launches);
  assert.deepEqual(new Float32Array(await gpu.read(rows)), expected);
  for (const buffer of [values, rows]) gpu.destroyBuffer(buffer);
});

testGpu("a recording is submitted before it gets too long", async (gpu) => {
  const values = gpu.upload("values", Float32Array.of(7));
  const rows = gpu.createBuffer("rows", 256);
  using load = watchLoad();
  const commands = gpu.record();
  const launches = [50, 150, 0, 0.5, 199, 900, 0, 1, 250];
  launches.forEach((ms, n) => {
    commands.run(kernels.project_factored, copyTo(n), { values, rows }, 1, ms);
  });
  assert.ok(commands.fits(0) && !commands.fits(1), "what takes no time always has room");
  commands.submit();
  assert.ok(commands.fits(1000));
  assert.deepEqual(load.submissions, [[50, 150, 0], [0.5, 199], [900, 0], [1], [250]]);
  const expected = new Float32Array(64).fill(7, 0, launches.length);
  assert.deepEqual(new Float32Array(await gpu.read(rows)), expected);
  for (const buffer of [values, rows]) gpu.destroyBuffer(buffer);
});

testGpu("recordings that run side by side keep their own parameters", async (gpu) => {
  const sources = [3, 5].map((value) => gpu.upload("values", Float32Array.of(value)));
  const rows = gpu.createBuffer("rows", 64 * 4);
  const recordings = sources.map(() => gpu.record());
  for (let n = 0; n < 64; n++) {
    const buffers = { values: sources[n % 2], rows };
    recordings[n % 2].run(kernels.project_factored, copyTo(n), buffers, 1);
  }
  for (const commands of recordings) commands.submit();
  const expected = Float32Array.from({ length: 64 }, (_, n) => [3, 5][n % 2]);
  assert.deepEqual(new Float32Array(await gpu.read(rows)), expected);
  for (const buffer of [...sources, rows]) gpu.destroyBuffer(buffer);
});

testGpu(
  "launches and copies keep their order, and a recording goes on after it was submitted",
  async (gpu) => {
    const values = gpu.upload("values", Float32Array.of(7));
    const rows = gpu.createBuffer("rows", 64 * 4);
    const copy = gpu.createBuffer("copy", 3 * 4);
    const commands = gpu.record();
    commands.submit(); // nothing yet
    commands.copy(rows, 0, copy, 0, 4); // 0
    commands.run(kernels.project_factored, copyTo(0), { values, rows }, 1);
    commands.copy(rows, 0, copy, 4, 4); // 7
    commands.submit();
    gpu.device.queue.writeBuffer(values, 0, Float32Array.of(9));
    commands.run(kernels.project_factored, copyTo(0), { values, rows }, 0); // no workgroups
    commands.run(kernels.project_factored, copyTo(1), { values, rows }, 1);
    commands.copy(rows, 4, copy, 8, 4); // 9
    commands.submit();
    assert.deepEqual([...new Float32Array(await gpu.read(copy))], [0, 7, 9]);
    assert.deepEqual([...new Float32Array(await gpu.read(rows, 8))], [7, 9]);
    for (const buffer of [values, rows, copy]) gpu.destroyBuffer(buffer);
  },
);

testGpu(
  "a buffer beyond the device's limit is refused with both sizes, and leaves nothing",
  async (gpu) => {
    const { maxBufferSize } = gpu.device.limits;
    for (const size of [maxBufferSize + 4, Infinity, NaN]) {
      assert.throws(() => gpu.createBuffer("huge", size), {
        name: "RangeError",
        message: new RegExp(`^Cannot create buffer 'huge': .*${maxBufferSize}`),
      });
    }
    await gpu.finish();
  },
);

testGpu("a buffer beyond what a kernel can bind is refused by name", async (gpu) => {
  const limit = gpu.device.limits.maxStorageBufferBindingSize;
  const values = gpu.createBuffer("values", 4);
  const rows = { size: limit + 4 } as GPUBuffer; // only its size is looked at
  const commands = gpu.record();
  assert.throws(
    () => commands.run(kernels.project_factored, copyTo(0), { values, rows }, 1),
    { name: "RangeError", message: new RegExp(`'rows' of kernel 'project_factored'.*${limit}`) },
  );
  gpu.destroyBuffer(values);
  await gpu.finish();
});

// The tests below spoil their devices, and so each opens its own.

/** Asserts that every way to use a device throws the same. */
async function assertUnusable(
  gpu: Gpu,
  buffer: GPUBuffer,
  expected: RegExp,
  name = "DeviceError",
): Promise<void> {
  const matches = { name, message: expected };
  assert.throws(() => gpu.check(), matches);
  assert.throws(() => gpu.record(), matches);
  assert.throws(() => gpu.createBuffer("late", 4), matches);
  assert.throws(() => gpu.upload("late", Float32Array.of(1)), matches);
  await assert.rejects(gpu.read(buffer), matches);
  await assert.rejects(gpu.finish(), matches);
}

Deno.test("a disposed device holds nothing and throws, and may be disposed again", async () => {
  const gpu = await openGpu();
  const buffer = gpu.createBuffer("left", 4);
  gpu.record();
  gpu.dispose();
  assert.equal(gpu.liveBuffers, 0);
  assert.equal(gpu.liveBytes, 0);
  gpu.dispose();
  await assertUnusable(gpu, buffer, /engine: got it after its disposal/, "DisposedError");
});

Deno.test("an error that the device reports outside of any call surfaces at the next wait, and stays", async () => {
  for (const wait of ["read", "finish"] as const) {
    const gpu = await openGpu();
    const buffer = gpu.createBuffer("numbers", 4);
    gpu.device.createBuffer({ label: "spoilt", size: 16, usage: 0 });
    await assert.rejects(gpu[wait](buffer), { name: "DeviceError", message: /^Cannot trust .+$/ });
    await assertUnusable(gpu, buffer, /^Cannot trust any result: .+$/);
    assert.equal(gpu.liveBuffers, 1); // the read-back is gone
    gpu.dispose();
  }
});

Deno.test("a copy beyond a buffer's end surfaces as an error", async () => {
  const gpu = await openGpu();
  const buffer = gpu.createBuffer("numbers", 4);
  await assert.rejects(gpu.read(buffer, 8), DeviceError);
  assert.equal(gpu.liveBuffers, 1);
  gpu.dispose();
});

Deno.test("a shader that does not compile surfaces as an error that names it", async () => {
  const gpu = await openGpu();
  const source = kernels.project_factored.source.replace("= select(value", "= vec4f(value");
  const broken = new Kernel("broken", source, {
    params: Object.fromEntries(kernels.project_factored.params),
    buffers: { values: "r32float", rows: "read_write" },
  });
  const values = gpu.createBuffer("values", 4);
  const rows = gpu.createBuffer("rows", 256);
  const launch = async () => {
    const commands = gpu.record();
    commands.run(broken, copyTo(0), { values, rows }, 1);
    commands.submit();
    await gpu.finish();
  };
  await assert.rejects(launch(), { message: /broken/ });
  gpu.dispose();
});

Deno.test("a lost device surfaces as an error", async () => {
  const gpu = await openGpu();
  const buffer = gpu.createBuffer("numbers", 4);
  gpu.device.destroy();
  await assert.rejects(gpu.read(buffer), DeviceError);
  await assertUnusable(gpu, buffer, /lost/);
  gpu.dispose();
});

/** Program that opens sixty devices, and prints the most that were disposed and not collected at once. */
const OPEN_SIXTY = `
  const { openGpu } = await import("./engine/tuning/open.ts");
  let [waiting, most] = [0, 0];
  const registry = new FinalizationRegistry(() => waiting--);
  for (let i = 0; i < 60; i++) {
    const gpu = await openGpu();
    registry.register(gpu, undefined);
    gpu.dispose();
    most = Math.max(most, ++waiting);
    // a finalisation registry is called in a task of its own
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  console.log(most);
`;

Deno.test("few devices that are disposed wait to be collected", async () => {
  // runs in a process of its own, since V8's collections depend on all that a process holds
  const most = Number(await expectSuccess(prepareDeno(["eval", OPEN_SIXTY])));
  assert.ok(most <= 12, `${most} at once`);
});
