/** Plans: arithmetic without a device. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type RowLayout,
  type RowSlice,
  type Segment,
  sliceRow,
} from "../../engine/kernel/layout.ts";
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
const BINDING = { bytes: 128 * MEBIBYTE, lines: 8192 };

const plain = (length: number, offset = 0): Segment => ({
  layer: "plain",
  kind: "plain",
  offset,
  length,
});
const layPlain = (length: number): RowLayout => ({ segments: [plain(length)], length });
const layFactored = (inputs: number, outputs: number): RowLayout => ({
  segments: [{ layer: "dense", kind: "factored", offset: 0, inputs, outputs }],
  length: inputs + outputs,
});

/** LeNet-5 on the whole of MNIST. */
const MNIST = { count: 60_000, layout: layPlain(3393), binding: BINDING };

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
    fc.integer({ min: 1, max: 200_000 }),
    fc.integer({ min: 400, max: 20_000 }),
    (count, length, mebibytes) => {
      const memoryBytes = mebibytes * MEBIBYTE;
      let plan;
      try {
        plan = planRows({ count, layout: layPlain(length), binding: BINDING, memoryBytes });
      } catch (error) {
        assert.ok(error instanceof RangeError);
        return;
      }
      assert.ok(plan.peakBytes <= memoryBytes);
      assert.equal(plan.blockRows % PANEL_ROWS, 0);
      assert.ok(plan.tileBytes <= BINDING.bytes);
      assert.ok(plan.sliceCount >= length / BINDING.lines);
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
  const [layout, bytes, chunkRows, what] of [
    [layPlain(3_393), 2 ** 27, 1024, "LeNet-5 on the smallest device"],
    [layPlain(11_000_000), 2 ** 27, 1024, "ResNet-18 there"],
    [layFactored(50_000, 1_264), 2 ** 27, 640, "a dense layer of which a device binds 10 panels"],
    [layPlain(10), 64 * 64 * 4, 64, "a device that binds a tile of one panel"],
  ] as const
) {
  Deno.test(`chunks of ${chunkRows} rows for ${what}`, () => {
    assert.equal(planChunkRows(layout, { bytes, lines: 65_000 }), chunkRows);
  });
}

Deno.test("a dense layer of which not one panel can be bound is refused, whatever stands in the way", () => {
  const layout = layFactored(40_000, 10_001);
  const limits = [{ bytes: 2 ** 40, lines: 50_000 }, { bytes: 4 * 64 * 50_000, lines: 2 ** 40 }];
  for (const binding of limits) {
    assert.throws(() => planChunkRows(layout, binding), {
      name: "RangeError",
      message: /got 50001 numbers that belong together, need at most 50000 on this device/,
    });
  }
  assert.doesNotThrow(() => planChunkRows(layout, { bytes: 2 ** 40, lines: 50_001 }));
});

Deno.test("slices hold whole entries, as many as fit, and together the row", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
    fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    fc.integer({ min: 1, max: 30_000 }),
    (sizes, isFactored, limit) => {
      let length = 0;
      const segments = sizes.map((size, i): Segment => {
        const offset = length;
        length += size + (isFactored[i] ? 3 : 0);
        return isFactored[i]
          ? { layer: `${i}`, kind: "factored", offset, inputs: size, outputs: 3 }
          : { ...plain(size, offset), layer: `${i}` };
      });
      const [whole] = sliceRow({ segments, length }, Infinity);
      const slices = sliceRow({ segments, length }, limit);
      const entries = (slice: RowSlice) =>
        Array.from({ length: slice.table.length / 4 }, (_, i) => {
          const [a, inputs, d, outputs] = slice.table.subarray(4 * i);
          return [a + slice.offset, inputs, outputs > 0 ? d + slice.offset : 0, outputs];
        });
      assert.deepEqual(slices.flatMap(entries), entries(whole));
      let end = 0;
      for (const [i, slice] of slices.entries()) {
        assert.equal(slice.index, i);
        assert.equal(slice.offset, end);
        end += slice.length;
        const [first, inputs, , outputs] = entries(slice)[0];
        assert.ok(slice.length <= limit || slice.table.length === 4);
        const before = slices[i - 1];
        assert.ok(!before || first + inputs + outputs - before.offset > limit);
      }
      assert.equal(end, length);
    },
  ));
});

Deno.test("plain neighbours are cut into entries of at most 4,096 numbers, so that long sums keep their digits", () => {
  const layout = {
    segments: [
      plain(4000),
      plain(4292, 4000),
      { layer: "c", kind: "factored", offset: 8292, inputs: 5000, outputs: 10 } as const,
      plain(4096, 13302),
    ],
    length: 17398,
  };
  assert.deepEqual(
    [...sliceRow(layout, Infinity)[0].table],
    [
      [0, 4096, 0, 0],
      [4096, 4096, 0, 0],
      [8192, 100, 0, 0],
      [8292, 5000, 13292, 10],
      [13302, 4096, 0, 0],
    ].flat(),
  );
});
