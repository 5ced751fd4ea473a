/** Epilogues of a Gram tile on the device: row maxima, relation counts, nearest samples, against their twins. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { kernels } from "../../../shaders/kernel_table.ts";
import { computeGram, computeGramRow } from "../../../engine/kernel/gram.ts";
import { canRun, VARIANTS } from "../../../engine/rows/variants.ts";
import { findNearest } from "../../../engine/samples/nearest.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { KernelMatrix } from "../../../engine/samples/source.ts";
import { pretendRates } from "../gpu/load.ts";
import {
  nearestSamples,
  redundant,
  relatePairs,
  rowMaxima,
} from "../../../engine/reference/relations.ts";
import {
  cutRows,
  drawIntegers,
  drawNumbers,
  launchTwice,
  layOut,
  spreadGroups,
  testGpu,
  uploadRows,
} from "../gpu/open.ts";

const LAYOUT = layOut(5, [4, 3], 2, [1, 2]);

/** Numbers of rows around one panel and several, with a ragged last one. */
const COUNTS = [2, 63, 64, 65, 131, 200];

/** Draws rows of small integers, whose kernels are exact and full of ties. */
function drawTies(seed: number, count: number): Float32Array[] {
  return cutRows(drawIntegers(seed, count * LAYOUT.length), LAYOUT.length);
}

/** Converts an f32 to the u32 with the same order. */
function toOrdered(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer);
  return (bits >= 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

for (const count of COUNTS) {
  testGpu(`tile_maximum folds a tile of ${count} samples as its twin does`, async (gpu) => {
    const panels = Math.ceil(count / 64);
    const size = panels * 64;
    const drawn = drawNumbers(count, size * size);
    // the tile is symmetric and mostly negative; padding is larger than all entries
    const tile = drawn.map((_, i) => {
      const [row, column] = [Math.floor(i / size), i % size];
      if (row >= count || column >= count) return 1e30;
      return drawn[Math.min(row, column) * size + Math.max(row, column)] - 0.9;
    });
    const kappa = Float64Array.from({ length: count * count }, (_, i) => {
      return tile[Math.floor(i / count) * size + i % count];
    });
    const pairs: number[] = [];
    for (let p = 0; p < panels; p++) for (let q = p; q < panels; q++) pairs.push(p, q);
    const [first, before] = [3, 0.05];
    const start = new Uint32Array(first + count).fill(toOrdered(before));
    for (const rule of ["any", "later"] as const) {
      const { maximum } = await launchTwice(
        gpu,
        kernels.tile_maximum,
        {
          pair_count: pairs.length / 2,
          column_panels: panels,
          first_row: first,
          row_count: count,
          first_column: first,
          column_count: count,
          later: Number(rule === "later"),
        },
        { tile, pairs: Uint32Array.from(pairs), maximum: start },
        pairs.length / 2,
      );
      const expected = start.slice();
      rowMaxima(kappa, count, rule).forEach((value, i) => {
        expected[first + i] = toOrdered(Math.max(value, before));
      });
      assert.deepEqual(maximum.integers, expected, rule);
    }
  });

  for (const blockRows of [64, 128, 256]) {
    const name = `${count} rows in blocks of ${blockRows}`;
    testGpu(
      `redundancy, relations and nearest samples of ${name} agree with their twins`,
      async (gpu) => {
        using _ = spreadGroups(gpu);
        const variant = VARIANTS.findLast((v) => canRun(gpu, v, LAYOUT));
        using rows = await uploadRows(gpu, LAYOUT, drawTies(count, count), { variant, blockRows });
        const kappa = await computeGram(rows);
        for (const rule of ["any", "later"] as const) {
          assert.deepEqual(await findRedundant(rows, { rule }), redundant(kappa, count, rule));
        }
        const thresholds = { threshold: 0.5, tolerance: 0.125 };
        const { counts } = await relateSamples(rows, { threshold: 0.5, epsilon: 0.125 });
        assert.deepEqual(counts, relatePairs(kappa, count, thresholds).counts);
        for (const size of new Set([1, Math.min(5, count - 1), count - 1])) {
          const { samples, similarities } = await findNearest(rows, size);
          const expected = nearestSamples(kappa, count, size);
          assert.deepEqual([...samples], expected.flat());
          const kept = expected.flatMap((near, i) => near.map((j) => kappa[i * count + j]));
          assert.deepEqual([...similarities], kept);
        }
      },
    );
  }
}

testGpu("long lists of nearest samples are right where a driver ends long loops", async (gpu) => {
  const [count, size] = [500, 400];
  using rows = await uploadRows(
    gpu,
    LAYOUT,
    cutRows(drawNumbers(1, count * LAYOUT.length), LAYOUT.length),
  );
  const kappa = await computeGram(rows);
  using _ = pretendRates(gpu, { elements: Infinity });
  const { samples } = await findNearest(rows, size);
  assert.ok(isDeepStrictEqual([...samples], nearestSamples(kappa, count, size).flat()));
});

testGpu("one row of the kernel is that of the whole, whatever the variant", async (gpu) => {
  const numbers = cutRows(drawNumbers(1, 200 * LAYOUT.length), LAYOUT.length);
  for (const variant of VARIANTS.filter((v) => canRun(gpu, v, LAYOUT))) {
    using rows = await uploadRows(gpu, LAYOUT, numbers, { variant, blockRows: 128 });
    const kappa = await computeGram(rows);
    for (const sample of [0, 63, 64, 127, 128, 199]) {
      const row = kappa.subarray(sample * 200, (sample + 1) * 200);
      assert.deepEqual(await computeGramRow(rows, sample), row);
    }
  }
});

testGpu(
  "samples without any gradient are in between, from rows and from a stored kernel",
  async (gpu) => {
    const numbers = drawTies(1, 70);
    for (const empty of [3, 4, 65]) numbers[empty].fill(0);
    using rows = await uploadRows(gpu, LAYOUT, numbers);
    const kappa = await computeGram(rows);
    const { counts, partners } = await relateSamples(rows, { sample: 3 });
    assert.deepEqual(await relateSamples(new KernelMatrix(kappa, 70), { sample: 3 }), {
      counts,
      partners,
    });
    assert.deepEqual(counts, relatePairs(kappa, 70, { threshold: 0.5, tolerance: 0.1 }).counts);
    assert.deepEqual(partners.filter(({ relation }) => relation !== "between"), []);
  },
);

testGpu("more nearest samples than there are others are refused", async (gpu) => {
  using rows = await uploadRows(gpu, LAYOUT, drawTies(1, 5));
  for (const size of [0, 5, 1.5, NaN]) await assert.rejects(findNearest(rows, size), RangeError);
});
