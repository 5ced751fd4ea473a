/** Redundancy and its partners: from rows, in memory and in float64, and one with the flags. @module */
import assert from "node:assert/strict";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { nearestSamples } from "../../../engine/reference/relations.ts";
import { findRedundant, measureRedundancy } from "../../../engine/samples/redundancy.ts";
import { KernelMatrix } from "../../../engine/samples/source.ts";
import { cutRows, drawIntegers, drawNumbers, layOut, testGpu, uploadRows } from "../gpu/open.ts";

const LAYOUT = layOut(5, [4, 3], 2, [1, 2]);

for (const count of [2, 63, 65, 200]) {
  for (const [what, draw] of Object.entries({ ties: drawIntegers, numbers: drawNumbers })) {
    testGpu(
      `redundancy of ${count} rows of ${what} is that of their kernel, and has the flags`,
      async (gpu) => {
        using rows = await uploadRows(
          gpu,
          LAYOUT,
          cutRows(draw(count, count * LAYOUT.length), LAYOUT.length),
          { blockRows: 64 },
        );
        const kappa = await computeGram(rows);
        const { ratios, partners } = await measureRedundancy(rows);
        const nearest = nearestSamples(kappa, count, 1).map(([other]) => other);
        assert.deepEqual(Array.from(partners), nearest);
        nearest.forEach((other, n) =>
          assert.equal(ratios[n], kappa[n * count + other] / kappa[n * count + n])
        );
        assert.deepEqual(await findRedundant(rows), Uint8Array.from(ratios, (r) => Number(r > 1)));
        const stored = new KernelMatrix(kappa, count);
        assert.deepEqual(await measureRedundancy(stored), { ratios, partners });
      },
    );
  }
}

testGpu("a single row has no partner, nor has a single entry", async (gpu) => {
  using rows = await uploadRows(gpu, LAYOUT, [drawNumbers(1, LAYOUT.length)]);
  const none = { ratios: Float64Array.of(NaN), partners: Int32Array.of(-1) };
  assert.deepEqual(await measureRedundancy(rows), none);
  assert.deepEqual(await measureRedundancy(new KernelMatrix(Float64Array.of(4), 1)), none);
});

Deno.test("a ratio is above 1 even between neighbouring numbers", async () => {
  const self = 2 - 2 ** -52; // the largest number below 2
  const kernel = new KernelMatrix(Float64Array.of(self, 2, 2, 4), 2);
  assert.deepEqual(await findRedundant(kernel), Uint8Array.of(1, 0));
  const { ratios } = await measureRedundancy(kernel);
  assert.ok(ratios[0] > 1 && ratios[1] === 0.5);
});
