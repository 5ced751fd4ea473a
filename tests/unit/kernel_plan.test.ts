/** Plans: arithmetic without a device. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeSegments } from "../../engine/kernel/layout.ts";
import {
  BASE_BYTES,
  countFlops,
  pairBlocks,
  PANEL_ROWS,
  planBatch,
  planChunkRows,
  planRows,
} from "../../engine/kernel/plan.ts";

const MEBIBYTE = 2 ** 20;
const BINDING = 128 * MEBIBYTE;
/** LeNet-5 on the whole of MNIST. */
const MNIST = { count: 60_000, rowLength: 3393, bindingBytes: BINDING };

Deno.test("without a budget blocks are as large as may be, and rows stay on the device", () => {
  const plan = planRows(MNIST);
  assert.equal(plan.blockRows, 4096);
  assert.equal(plan.blockCount, 15);
  assert.equal(plan.residence, "device");
  assert.equal(plan.rowBytes, 4 * 3393 * 60_032);
  assert.equal(plan.tileBytes, 64 * MEBIBYTE);
  assert.equal(plan.peakBytes, BASE_BYTES + plan.rowBytes + 3 * plan.tileBytes);
});

Deno.test("a smaller budget takes smaller blocks first, then a file", () => {
  const memoryBytes = BASE_BYTES + 4 * 3393 * 60_032 + 3 * 16 * MEBIBYTE;
  assert.deepEqual(
    [planRows({ ...MNIST, memoryBytes }), planRows({ ...MNIST, memoryBytes: memoryBytes - 1 })]
      .map(({ blockRows, residence }) => [blockRows, residence]),
    [[2048, "device"], [1024, "device"]],
  );
  const { blockRows, residence } = planRows({ ...MNIST, memoryBytes: BASE_BYTES + 300 * MEBIBYTE });
  assert.deepEqual([blockRows, residence], [2048, "file"]);
});

Deno.test("a budget that cannot be kept says how much is needed", () => {
  assert.throws(() => planRows({ ...MNIST, memoryBytes: BASE_BYTES }), {
    name: "RangeError",
    message: /got a memory budget of 384 MiB, need at least 388 MiB; raise --memory/,
  });
  assert.doesNotThrow(() => planRows({ ...MNIST, memoryBytes: BASE_BYTES + 4 * MEBIBYTE }));
});

Deno.test("whatever is planned fits the budget and the device, and covers every row", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 200_000 }),
    fc.integer({ min: 1, max: 65_000 }),
    fc.integer({ min: 400, max: 20_000 }),
    (count, rowLength, mebibytes) => {
      const memoryBytes = mebibytes * MEBIBYTE;
      let plan;
      try {
        plan = planRows({ count, rowLength, bindingBytes: BINDING, memoryBytes });
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      assert.ok(plan.peakBytes <= memoryBytes);
      assert.equal(plan.blockRows % PANEL_ROWS, 0);
      assert.ok(4 * plan.blockRows * rowLength <= BINDING && plan.tileBytes <= BINDING);
      assert.ok(plan.blockRows * plan.blockCount >= count);
      assert.ok(plan.blockRows * (plan.blockCount - 1) < count);
    },
  ));
});

Deno.test("FLOPs of a symmetric kernel are those of the panels on and above the diagonal", () => {
  for (const [count, rowLength] of [[1, 7], [64, 5], [65, 3], [640, 2]]) {
    const panels = Math.ceil(count / PANEL_ROWS);
    const pairs = pairBlocks(panels, panels, true).length;
    assert.equal(countFlops(rowLength, count), 2 * pairs * PANEL_ROWS ** 2 * rowLength);
  }
  assert.equal(countFlops(3, 5, 7), 2 * 3 * 5 * 7);
});

Deno.test("a batch is whole panels, or a panel in equal parts", () => {
  const bytes = 4 * 1000;
  for (const [fitting, batch] of [[1, 1], [3, 2], [63, 32], [64, 64], [191, 128], [1000, 256]]) {
    assert.equal(planBatch(10, bytes * fitting / 100), batch);
  }
  assert.throws(() => planBatch(10, 39), RangeError);
});

for (
  const [rowLength, bindingBytes, chunkRows, what] of [
    [3_393, 2 ** 27, 1024, "LeNet-5 on the smallest device"],
    [3_393, 2 ** 31, 1024, "LeNet-5 on a large one"],
    [51_264, 2 ** 27, 640, "rows of which a device binds 10 panels"],
    [10, 64 * 64 * 4, 64, "a device that binds a tile of one panel"],
  ] as const
) {
  Deno.test(`chunks of ${chunkRows} rows for ${what}`, () => {
    assert.equal(planChunkRows(rowLength, bindingBytes), chunkRows);
  });
}

Deno.test("rows of which not one panel can be bound have no chunks", () => {
  assert.throws(() => planChunkRows(1_000_000, 2 ** 27), RangeError);
});

Deno.test("rows longer than a kernel's loop may be are refused", () => {
  const request = { count: 1, bindingBytes: 2 ** 31 };
  assert.doesNotThrow(() => planRows({ ...request, rowLength: 65_000 }));
  assert.throws(() => planRows({ ...request, rowLength: 65_001 }), RangeError);
});

Deno.test("plain neighbours are cut into entries of at most 4,096 numbers, so that long sums keep their digits", () => {
  const plain = (layer: string, offset: number, length: number) =>
    ({ layer, kind: "plain", offset, length }) as const;
  const layout = {
    segments: [
      plain("a", 0, 4000),
      plain("b", 4000, 4292),
      { layer: "c", kind: "factored", offset: 8292, inputs: 5000, outputs: 10 } as const,
      plain("d", 13302, 4096),
    ],
    length: 17398,
  };
  assert.deepEqual(
    [...encodeSegments(layout)],
    [
      [0, 4096, 0, 0],
      [4096, 4096, 0, 0],
      [8192, 100, 0, 0],
      [8292, 5000, 13292, 10],
      [13302, 4096, 0, 0],
    ].flat(),
  );
});
