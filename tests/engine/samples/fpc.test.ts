/** The three kernels of farthest-point clustering, one by one; their twin is compared through `clusterSamples` in samples.test.ts. @module */
import assert from "node:assert/strict";
import { kernels } from "../../../shaders/kernel_table.ts";
import { sliceRow } from "../../../engine/rows/layout.ts";
import { gramRows } from "../../../engine/reference/gram.ts";
import {
  assertOutput,
  cutRows,
  drawIntegers,
  drawNumbers,
  launchTwice,
  layOut,
  packPanels,
  testGpu,
} from "../gpu/open.ts";

const NONE = 0xffffffff;
const LARGEST = 3.4028234663852886e38;

/** Packs rows one after another, each padded with `filler` to whole vec4f. */
function packCentroids(
  rows: readonly ArrayLike<number>[],
  filler: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from(rows.flatMap((row) => {
    const quads = new Float32Array(Math.ceil(row.length / 4) * 4).fill(filler);
    quads.set(row);
    return [...quads];
  }));
}

// fpc_gather

for (
  const [rowLength, operands] of [[1, "buffer"], [13, "texture"], [64, "buffer"], [
    65,
    "texture",
  ]] as const
) {
  testGpu(
    `fpc_gather copies the block's centroids of ${rowLength} numbers in a ${operands}, and no other`,
    async (gpu) => {
      const rows = cutRows(drawNumbers(rowLength, 70 * rowLength), rowLength);
      const [first_row, row_count] = [128, rows.length];
      const newest = [128, 127, 197, 198, NONE, 192, 191]; // first, before, last, behind, none, on either side of a panel
      const { centroids } = await launchTwice(
        gpu,
        kernels.fpc_gather,
        { row_length: rowLength, group_count: newest.length, first_row, row_count },
        {
          rows: packPanels(rows, rowLength),
          newest: new Uint32Array(newest),
          centroids: { unfilled: newest.length * Math.ceil(rowLength / 4) * 4 },
        },
        Math.ceil(newest.length * rowLength / 64),
        operands,
      );
      const absent = new Float32Array(rowLength).fill(NaN);
      const gathered = newest.map((sample) => rows[sample - first_row] ?? absent);
      const expected = packCentroids(gathered, NaN);
      assertOutput(centroids, expected, () => 0, "centroids");
    },
  );
}

// fpc_assign

for (
  const [rowCount, groupCount, operands] of [
    [1, 3, "buffer"],
    [2, 1, "texture"],
    [63, 3, "texture"],
    [64, 1, "buffer"],
    [65, 3, "buffer"],
    [131, 1, "texture"],
    [131, 3, "texture"],
    [300, 3, "buffer"],
    [577, 1, "buffer"],
    [577, 3, "texture"],
    [1_091, 3, "buffer"],
  ] as const
) {
  testGpu(
    `fpc_assign moves what is strictly closer among ${rowCount} rows of ${groupCount} groups in a ${operands}`,
    async (gpu) => {
      const layout = layOut(3, [2, 6], 11, [270, 3]);
      const first_row = 64;
      const step = 9;
      const total = first_row + Math.ceil(rowCount / 64) * 64 + 7;
      const rows = cutRows(drawIntegers(rowCount, rowCount * layout.length), layout.length);
      const centroids = cutRows(
        drawIntegers(1000 + rowCount, groupCount * layout.length),
        layout.length,
      );
      const newest = Uint32Array.of(5, NONE, 7).subarray(0, groupCount);
      const places = groupCount === 1 ? [0, 0, 0, NONE] : [0, 2, 1, NONE];
      const groups = Uint32Array.from({ length: total }, (_, n) => places[n % 4]);
      const { value } = gramRows(rows, centroids, layout.segments);
      const similarity = (n: number) => value[(n - first_row) * groupCount + groups[n]];
      // best similarities just below the new one, equal to it, just above it, and that of a centroid
      const best = Float32Array.from({ length: total }, (_, n) => {
        const inBlock = n >= first_row && n < first_row + rowCount && groups[n] !== NONE;
        return [-1, 0, 1, LARGEST][Math.floor(n / 4) % 4] + (inBlock ? similarity(n) : 0);
      });
      const cluster = Uint32Array.from({ length: total }, (_, n) => n % 5);
      const segments = sliceRow(layout, Infinity)[0].table;
      const outputs = await launchTwice(
        gpu,
        kernels.fpc_assign,
        {
          row_length: layout.length,
          segment_count: segments.length / 4,
          group_count: groupCount,
          first_panel: 0,
          first_row,
          row_count: rowCount,
          step,
          continues: 0,
          ends: 1,
        },
        {
          rows: packPanels(rows, layout.length),
          segments,
          centroids: packCentroids(centroids, 0),
          newest,
          group_of: groups,
          best,
          cluster,
          similarity: new Float32Array(total),
        },
        Math.ceil(rowCount / 512),
        operands,
      );
      const [expectedBest, expectedCluster] = [best.slice(), cluster.slice()];
      for (let n = first_row; n < first_row + rowCount; n++) {
        const isServed = groups[n] !== NONE && newest[groups[n]] !== NONE;
        if (isServed && similarity(n) > best[n]) {
          expectedBest[n] = similarity(n);
          expectedCluster[n] = step;
        }
      }
      assert.deepEqual(outputs.best.values, expectedBest);
      assert.deepEqual(outputs.cluster.integers, expectedCluster);
    },
  );
}

// fpc_select

/** Finds the sample of a group that comes first by similarity, then cluster, then index. */
function selectLeast(
  group: number,
  groupOf: Uint32Array,
  best: Float32Array,
  cluster: Uint32Array,
) {
  const samples = [...groupOf.keys()].filter((n) => groupOf[n] === group);
  return samples.sort((a, b) => best[a] - best[b] || cluster[a] - cluster[b] || a - b)[0];
}

for (const count of [3, 255, 256, 257, 1021]) {
  testGpu(
    `fpc_select takes the least of each group among ${count} samples, with many ties`,
    async (gpu) => {
      const [step, step_limit] = [2, 5];
      // group 1 has its two centroids already, and samples of no group stand between
      const groupOf = Uint32Array.from({ length: count }, (_, n) => [0, 2, 1, NONE, 2][n % 5]);
      const best = drawIntegers(count, count);
      const cluster = Uint32Array.from(drawIntegers(count + 1, count), (value) => value + 3);
      const counts = Uint32Array.of(5, 2, 3);
      const outputs = await launchTwice(
        gpu,
        kernels.fpc_select,
        { sample_count: count, step, step_limit, group_count: counts.length },
        {
          group_of: groupOf,
          centroid_counts: counts,
          best,
          cluster,
          newest: { unfilled: counts.length },
          chosen: { unfilled: counts.length * step_limit },
        },
        counts.length,
      );
      const expected = { best: best.slice(), cluster: cluster.slice() };
      const chosen = new Float64Array(counts.length * step_limit).fill(NaN);
      const newest = [...counts.keys()].map((group) => {
        if (step >= counts[group]) return NONE;
        const least = selectLeast(group, groupOf, best, cluster);
        expected.best[least] = LARGEST;
        expected.cluster[least] = step;
        return chosen[group * step_limit + step] = least;
      });
      assert.deepEqual(outputs.best.values, expected.best);
      assert.deepEqual(outputs.cluster.integers, expected.cluster);
      assert.deepEqual([...outputs.newest.integers], newest);
      assertOutput(
        { ...outputs.chosen, values: Float32Array.from(outputs.chosen.integers) },
        chosen,
        () => 0,
        "chosen",
      );
    },
  );
}
