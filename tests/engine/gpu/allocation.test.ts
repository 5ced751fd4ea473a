/** Attempts to allocate: refused, they leave a device as it was. @module */
import assert from "node:assert/strict";
import { OutOfMemoryError } from "../../../engine/gpu/allocation.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { openGpu } from "../../../engine/tuning/open.ts";
import { testGpu } from "./open.ts";

/** Makes buffers of some sizes, each with a number in it, for as long as they are not disposed. */
function makeBuffers(gpu: Gpu, ...sizes: number[]) {
  const buffers = sizes.map((size, i) => {
    const buffer = gpu.createBuffer(`part ${i}`, size);
    gpu.device.queue.writeBuffer(buffer, 0, Uint32Array.of(i + 5));
    return buffer;
  });
  return {
    buffers,
    [Symbol.dispose]: () => buffers.forEach((buffer) => gpu.destroyBuffer(buffer)),
  };
}

/** Lowers what a device lets be allocated beside what it holds, until it is disposed. */
function leaveRoom({ memory }: Gpu, bytes: number): Disposable {
  memory.allocatableBytes = memory.bytes + bytes;
  return {
    [Symbol.dispose]: () => {
      memory.allocatableBytes = memory.roomBytes = Infinity;
    },
  };
}

testGpu("what has room is made, to the last byte", async (gpu) => {
  using _ = leaveRoom(gpu, 1000);
  using made = await gpu.allocate("make parts", () => makeBuffers(gpu, 596, 400, 4));
  assert.deepEqual([...new Uint32Array(await gpu.read(made.buffers[1], 4))], [6]);
  assert.equal(gpu.memory.roomBytes, Infinity);
  assert.equal(gpu.memory.shortage, undefined);
});

testGpu(
  "the first part without room is named, all are freed, and the room is known",
  async (gpu) => {
    const { memory } = gpu;
    using held = makeBuffers(gpu, 3 * 2 ** 20);
    const before = memory.bytes;
    using _ = leaveRoom(gpu, 2 ** 20 - 4);
    const attempt = gpu.allocate("make parts", () => makeBuffers(gpu, 2 ** 19, 2 ** 19, 2 ** 18));
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof OutOfMemoryError);
      assert.equal(error.name, "DeviceError");
      assert.match(
        error.message,
        /^Cannot make parts: got a device without room for 'part 1' of 1 MiB beside 4 MiB, need room for it; close what else uses the device, dispose what is no longer needed, or take smaller tiles$/,
      );
      assert.ok(error.cause instanceof GPUOutOfMemoryError);
      assert.equal(memory.shortage, error);
      return true;
    });
    assert.equal(memory.bytes, before);
    assert.equal(memory.roomBytes, before + 2 ** 20 - 1);
    // the device goes on, and does not forget
    using small = await gpu.allocate("make parts", () => makeBuffers(gpu, 2 ** 19));
    assert.equal(new Uint32Array(await gpu.read(small.buffers[0], 4))[0], 5);
    assert.equal(new Uint32Array(await gpu.read(held.buffers[0], 4))[0], 5);
    assert.equal(memory.roomBytes, before + 2 ** 20 - 1);
    const reserve = (bytes: number) =>
      gpu.allocate("reserve", () => {
        gpu.reserve("more", bytes);
        return makeBuffers(gpu);
      });
    using _enough = await reserve(2 ** 19 - 4);
    await assert.rejects(reserve(2 ** 19), {
      message: /^Cannot reserve: .* 'more' of 1 MiB beside 4 /,
    });
  },
);

testGpu("what is reserved counts in whole, though it is made in pieces", async (gpu) => {
  const size = 600 * 2 ** 20;
  using _ = leaveRoom(gpu, size - 4);
  const reserve = gpu.allocate("reserve", () => {
    gpu.reserve("more", size);
    return makeBuffers(gpu);
  });
  await assert.rejects(reserve, { message: /'more' of 88 MiB beside 5\d\d MiB/ });
});

testGpu("an attempt that throws leaves the device to the next", async (gpu) => {
  const failing = () => {
    using _made = makeBuffers(gpu, 8);
    throw new RangeError("mine");
  };
  await assert.rejects(gpu.allocate("make parts", failing), {
    name: "RangeError",
    message: "mine",
  });
  using made = await gpu.allocate("make parts", () => makeBuffers(gpu, 8));
  assert.equal(new Uint32Array(await gpu.read(made.buffers[0], 4))[0], 5);
});

Deno.test("a refusal outside of an attempt, or another error within, stays a device's error", async () => {
  const late = await openGpu();
  late.memory.allocatableBytes = 1000;
  late.createBuffer("late", 1004);
  await assert.rejects(late.finish(), {
    name: "DeviceError",
    message: /^Cannot trust any result: the device is out of memory, .*'late'$/,
  });
  late.dispose();
  const spoilt = await openGpu();
  const spoil = () => {
    spoilt.device.createBuffer({ label: "spoilt", size: 16, usage: 0 });
    return makeBuffers(spoilt, 4);
  };
  await assert.rejects(spoilt.allocate("make parts", spoil), { message: /^Cannot trust any/ });
  assert.throws(() => spoilt.check(), {
    message: /^Cannot trust any result: the device reported /,
  });
  spoilt.dispose();
});

Deno.test("an attempt on a device that is lost meanwhile throws what was thrown within, and nothing else", async () => {
  const gpu = await openGpu();
  const unhandled: unknown[] = [];
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listen);
  // as drivers do that reject the scopes of a lost device
  const { popErrorScope } = GPUDevice.prototype;
  GPUDevice.prototype.popErrorScope = function () {
    return popErrorScope.apply(this).then(() => Promise.reject(new Error("lost")));
  };
  try {
    const failing = () => {
      using _made = makeBuffers(gpu, 8);
      throw new RangeError("mine");
    };
    await assert.rejects(gpu.allocate("make parts", failing), { message: "mine" });
    await assert.rejects(gpu.allocate("make parts", () => makeBuffers(gpu, 8)), {
      message: "lost",
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(unhandled, []);
  } finally {
    GPUDevice.prototype.popErrorScope = popErrorScope;
    globalThis.removeEventListener("unhandledrejection", listen);
    gpu.dispose();
  }
});
