/** Jobs on a device that refuses one allocation after another: each is refused by name, frees all, and has the same answer once there is room. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { OutOfMemoryError } from "../../../engine/gpu/allocation.ts";
import { computeGram, computeGramRow } from "../../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../../engine/kernel/self_similarity.ts";
import type { PackedRows } from "../../../engine/rows/rows.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { findNearest } from "../../../engine/samples/nearest.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { cutRows, drawNumbers, layOut, testGpu, uploadRows } from "../gpu/open.ts";

const COUNT = 150;

const JOBS: Record<string, (rows: PackedRows) => Promise<unknown>> = {
  "a kernel": (rows) => computeGram(rows),
  "a row of it": (rows) => computeGramRow(rows, 100),
  "self-similarities": (rows) => computeSelfSimilarity(rows),
  "redundant samples": (rows) => findRedundant(rows),
  "relations": (rows) => relateSamples(rows),
  "nearest samples": (rows) => findNearest(rows, 5),
  "clusters": (rows) => clusterSamples(rows, { ratio: 0.1 }),
};

for (const [positions, layout] of [layOut(5, [4, 3], 2), layOut(5, [4, 3, 4], 7)].entries()) {
  for (const [name, run] of Object.entries(JOBS)) {
    testGpu(
      `${name} of rows of ${
        positions ? "several positions" : "one position"
      } are refused, not broken`,
      async (gpu) => {
        const numbers = cutRows(drawNumbers(COUNT, COUNT * layout.length), layout.length);
        using rows = await uploadRows(gpu, layout, numbers, { blockRows: 64 });
        const expected = await run(rows);
        const { memory } = gpu;
        const before = memory.count;
        let refused = 0;
        memory.allocatableBytes = memory.bytes;
        try {
          while (memory.allocatableBytes < Infinity) {
            memory.roomBytes = Infinity;
            const got = await run(rows).catch((error) => {
              assert.ok(error instanceof OutOfMemoryError, error);
              return error;
            });
            assert.equal(memory.count, before);
            if (got instanceof OutOfMemoryError) {
              refused++;
              // room for what was refused, and nothing more
              memory.allocatableBytes = memory.roomBytes + 1;
            } else {
              assert.ok(isDeepStrictEqual(got, expected));
              break;
            }
          }
        } finally {
          memory.allocatableBytes = memory.roomBytes = Infinity;
        }
        assert.ok(refused > 0);
        assert.ok(isDeepStrictEqual(await run(rows), expected));
      },
    );
  }
}
