/** Rooms that jobs are planned for, by a device's description alone. @module */
import assert from "node:assert/strict";
import { OutOfMemoryError } from "../../../engine/gpu/allocation.ts";
import { DEVICE_BASE_BYTES } from "../../../engine/rows/plan.ts";
import { type DeviceRoom, type PlannedJob, planWithin } from "../../../engine/rows/room.ts";
import { pretend } from "../gpu/environment.ts";

const MEBIBYTE = 2 ** 20;

/** Job of LeNet-5's rows of 60,000 samples. */
const JOB = {
  count: 60_000,
  layers: [{ outputShape: [10] }],
  layout: {
    segments: [{ layer: "all", kind: "plain", offset: 0, length: 3393 }],
    length: 3393,
  },
  isSketched: false,
  binding: { bytes: 2 ** 30, lines: 65_000, panels: Infinity },
} as const;

/** Describes a device that holds nothing. */
function describe(isFallback: boolean, memory: Partial<DeviceRoom["memory"]> = {}): DeviceRoom {
  return {
    adapter: { isFallback },
    memory: { roomBytes: Infinity, bytes: 0, shortage: undefined, ...memory },
    operandStorage: "buffer",
  };
}

function choose(device: DeviceRoom, beside: Partial<PlannedJob> = {}) {
  const { rows } = planWithin(device, { ...JOB, ...beside });
  return [rows.residence, rows.blockRows];
}

Deno.test("a budget is of both where they share memory, and of the process where a card has its own", () => {
  // rows take 777 MiB
  const memoryBytes = 1000 * MEBIBYTE;
  assert.deepEqual(choose(describe(true)), ["device", 4096]);
  assert.deepEqual(choose(describe(true), { memoryBytes }), ["file", 2048]);
  assert.deepEqual(choose(describe(false), { memoryBytes }), ["device", 4096]);
  // three tiles of 64 MiB beside the base of the process
  assert.deepEqual(choose(describe(false), { memoryBytes: 831 * MEBIBYTE }), ["device", 2048]);
  assert.deepEqual(choose(describe(false), { memoryBytes, heldBytes: 200 * MEBIBYTE }), [
    "device",
    2048,
  ]);
  assert.throws(() => choose(describe(false), { memoryBytes: 640 * MEBIBYTE }), {
    name: "BudgetError",
    message: /got a memory budget of 640 MiB for the process, need at least 64\d MiB$/,
  });
});

Deno.test("what a device is known to have room for bounds it, what it holds among that", () => {
  for (const isFallback of [false, true]) {
    const room = (roomBytes: number, bytes = 0) => describe(isFallback, { roomBytes, bytes });
    assert.deepEqual(choose(room(1000 * MEBIBYTE)), ["device", 4096]);
    assert.deepEqual(choose(room(1000 * MEBIBYTE, 32 * MEBIBYTE)), ["device", 2048]);
    assert.deepEqual(choose(room(900 * MEBIBYTE)), ["file", 4096]);
    using _ = pretend({ TMPDIR: "/proc" });
    assert.deepEqual(choose(room(900 * MEBIBYTE)), ["recomputed", 4096]);
  }
});

Deno.test("a device that refused is named where it has no room, and a bound of the caller's where it did not", () => {
  const roomBytes = DEVICE_BASE_BYTES;
  assert.throws(() => choose(describe(false, { roomBytes })), {
    name: "BudgetError",
    message: /^Cannot plan 60000 rows .* budget of 128 MiB for the device, need at least 131 MiB$/,
  });
  const asked = { label: "rows 0", bytes: 5 * MEBIBYTE, heldBytes: 3 * MEBIBYTE };
  const shortage = new OutOfMemoryError("project", asked, new GPUOutOfMemoryError(""));
  assert.throws(() => choose(describe(false, { roomBytes, shortage })), {
    name: "DeviceError",
    message:
      "Cannot plan 60000 rows of 3393 numbers: got a device without room for 'rows 0' of 5 MiB beside 3 MiB, need 131 MiB there; close what else uses the device, leave layers out, or sketch the rows",
    cause: shortage,
  });
});

Deno.test("room is left for copies of operands where passes read these from textures", () => {
  const size = (operandStorage: DeviceRoom["operandStorage"]) =>
    planWithin({ ...describe(true), operandStorage }, JOB).rows.peakBytes;
  // eight of the largest output of 256 images
  assert.equal(size("texture") - size("buffer"), 256 * 8 * 4 * 10);
});
