/** How much at a time. @module */
import assert from "node:assert/strict";
import { planChunkRows } from "../../engine/kernel/plan.ts";

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
