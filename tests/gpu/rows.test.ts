/** The kernels on packed rows (project_factored, gram tiles, self_similarity) against their float64 twins. @module */
import assert from "node:assert/strict";
import type { Gpu } from "../../engine/gpu/device.ts";
import { kernels } from "../../engine/gpu/kernel_table.ts";
import { type RowLayout, sliceRow } from "../../engine/kernel/layout.ts";
import { chooseVariant } from "../../engine/kernel/tuning.ts";
import { canRun, type GramVariant, VARIANTS } from "../../engine/kernel/variants.ts";
import { type Gram, gramRows, projectFactored } from "../oracle/layers.ts";
import { dotBound } from "../oracle/numbers.ts";
import {
  assertOutput,
  cutRows,
  drawIntegers,
  drawNumbers,
  launchTwice,
  layOut,
  packPanels,
  testGpu,
} from "./open.ts";

/** More workgroups than one dimension of a dispatch holds. */
const MANY_GROUPS = 65_535 + 3;

/** Rows of every mixture of segments; plain neighbours become one entry of the kernels' table. */
const LAYOUTS: Record<string, RowLayout> = {
  "a plain segment of one number": layOut(1),
  "plain segments": layOut(7, 4, 13),
  "a factored segment of one number": layOut([1, 1]),
  "factored segments": layOut([3, 2], [5, 4]),
  "plain and factored segments": layOut(5, [4, 3], [1, 1], 2, 3, [6, 5], 1),
};

/** A bound on the rounding of a product of two rows: every number is on a path of at most this many steps. */
function boundGram({ length, segments }: RowLayout, { magnitude }: Gram): (i: number) => number {
  return (i) => dotBound(length + 3 * segments.length, magnitude[i]);
}

/** `count` rows of random numbers. */
function drawRows(seed: number, layout: RowLayout, count: number): Float32Array[] {
  return cutRows(drawNumbers(seed, count * layout.length), layout.length);
}

// project_factored

for (const samples of [1, 63, 64, 65, 127]) {
  for (const [inputs, bias] of [[1, 0], [5, 1], [64, 1]] as const) {
    const name = `${samples} samples of ${inputs} numbers ${bias ? "and a one" : "without a bias"}`;
    testGpu(`project_factored copies ${name} into rows as its twin does`, async (gpu) => {
      const shape = [samples, inputs];
      const values = drawNumbers(samples + inputs, samples * inputs);
      const [first_row, offset] = [[0, 0], [61, 2], [64, 7]][inputs % 3];
      const row_length = offset + inputs + bias + 3;
      const size = inputs + bias;
      const { data } = projectFactored({
        x: { shape, data: values },
        dy: { shape: [samples, 0], data: [] },
        bias: bias === 1,
      });
      const unfilled = Math.ceil((first_row + samples) / 64) * 64 * row_length;
      const expected = new Float64Array(unfilled).fill(NaN);
      data.forEach((value, index) => {
        const row = first_row + Math.floor(index / size);
        const k = offset + index % size;
        expected[(Math.floor(row / 64) * row_length + k) * 64 + row % 64] = value;
      });
      const { rows } = await launchTwice(
        gpu,
        kernels.project_factored,
        { sample_count: samples, length: inputs, bias, first_row, row_length, offset },
        { values, rows: { unfilled } },
        Math.ceil(samples * size / 64),
      );
      assertOutput(rows, expected, () => 0, name);
    });
  }
}

testGpu("project_factored numbers more than 65,535 workgroups", async (gpu) => {
  const samples = MANY_GROUPS * 32; // two numbers a sample
  const values = drawIntegers(1, samples);
  const expected = new Float32Array(samples * 2).fill(1);
  values.forEach((value, n) => expected[Math.floor(n / 64) * 128 + n % 64] = value);
  const { rows } = await launchTwice(
    gpu,
    kernels.project_factored,
    { sample_count: samples, length: 1, bias: 1, first_row: 0, row_length: 2, offset: 0 },
    { values, rows: { unfilled: samples * 2 } },
    MANY_GROUPS,
  );
  assertOutput(rows, expected, () => 0, "rows");
});

// gram_tile, gram_tile_subgroup, gram_tile_shared

/** Which pairs of panels a launch computes; all others must be left alone. */
interface TileCase {
  readonly name: string;
  readonly rowPanels: number;
  readonly columnPanels: number;
  readonly pairs: readonly (readonly [number, number])[];
}

const TILES: readonly TileCase[] = [
  { name: "one pair of panels", rowPanels: 1, columnPanels: 1, pairs: [[0, 0]] },
  {
    name: "three panels by two",
    rowPanels: 3,
    columnPanels: 2,
    pairs: [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]],
  },
  { name: "some pairs of one panel by three", rowPanels: 1, columnPanels: 3, pairs: [[0, 2]] },
  { name: "pairs out of order", rowPanels: 2, columnPanels: 2, pairs: [[1, 1], [0, 1]] },
];

/** The twin's products where a pair of panels covers them, NaN elsewhere. */
function keepPairs(
  { value }: Gram,
  width: number,
  pairs: readonly (readonly [number, number])[],
  side: number,
): Float64Array {
  const covered = new Set(pairs.map(([row, column]) => `${row} ${column}`));
  return value.map((product, i) => {
    const row = Math.floor(i / width / (64 * side));
    const column = Math.floor(i % width / (64 * side));
    return covered.has(`${row} ${column}`) ? product : NaN;
  });
}

/** Different pairs of what a variant calls a panel. */
function pairUp({ pairs }: TileCase, side: number): (readonly [number, number])[] {
  const units = pairs.map((pair) => pair.map((panel) => Math.floor(panel / side)).join(" "));
  return [...new Set(units)].map((unit) => unit.split(" ").map(Number) as [number, number]);
}

/** Registers a test of a variant that the device can run; an adapter without its features never chooses it. */
function testVariant(variant: GramVariant, name: string, run: (gpu: Gpu) => Promise<void>): void {
  testGpu(`gram tiles (${variant.name}) ${name}`, async (gpu) => {
    if (canRun(gpu, variant, 1)) await run(gpu);
    else assert.notEqual(await chooseVariant(gpu, layOut(1)), variant);
  });
}

for (const variant of VARIANTS) {
  const { kernel, operands, side, workgroups } = variant;

  for (const [kind, layout] of Object.entries(LAYOUTS)) {
    for (const tileCase of TILES) {
      const { name, rowPanels, columnPanels } = tileCase;
      testVariant(variant, `agree with their twin on ${kind}: ${name}`, async (gpu) => {
        const left = drawRows(1, layout, rowPanels * 64);
        const right = drawRows(2, layout, columnPanels * 64);
        const pairs = pairUp(tileCase, side);
        const segments = sliceRow(layout, Infinity)[0].table;
        const { tile } = await launchTwice(
          gpu,
          kernel,
          {
            row_length: layout.length,
            segment_count: segments.length / 4,
            pair_count: pairs.length,
            row_panels: rowPanels,
            column_panels: columnPanels,
            continues: 0,
          },
          {
            rows: packPanels(left, layout.length),
            columns: packPanels(right, layout.length),
            segments,
            pairs: new Uint32Array(pairs.flat()),
            tile: { unfilled: left.length * right.length },
          },
          pairs.length * workgroups,
          operands,
        );
        const gram = gramRows(left, right, layout.segments);
        const expected = keepPairs(gram, right.length, pairs, side);
        assertOutput(tile, expected, boundGram(layout, gram), name);
      });
    }
  }

  testVariant(variant, "read nothing that no segment covers", async (gpu) => {
    const { segments: [first, , third], length } = layOut(3, 2, [2, 2], 4);
    const layout = { segments: [first, third], length };
    const rows = drawRows(4, layout, 64);
    for (const row of rows) {
      row.fill(NaN, 3, 5);
      row.fill(Infinity, 9, 13);
    }
    const packed = packPanels(rows, length);
    const { tile } = await launchTwice(
      gpu,
      kernel,
      {
        row_length: length,
        segment_count: 2,
        pair_count: 1,
        row_panels: 1,
        column_panels: 1,
        continues: 0,
      },
      {
        rows: packed,
        columns: packed,
        segments: sliceRow(layout, Infinity)[0].table,
        pairs: Uint32Array.of(0, 0),
        tile: { unfilled: 64 * 64 },
      },
      workgroups,
      operands,
    );
    const gram = gramRows(rows, rows, layout.segments);
    assertOutput(tile, gram.value, boundGram(layout, gram), "tile");
  });
}

/** How a workgroup finds its number, which every variant must do alike: too many workgroups with barriers take minutes on a CPU. */
const NUMBERING = "let index = group.x + group.y * groups.x;";

for (const variant of VARIANTS.filter(({ operands }) => operands === "buffer")) {
  const { kernel, side, workgroups } = variant;
  if (side > 1) {
    Deno.test(`gram tiles (${variant.name}) number pairs as those below do`, () => {
      assert.ok(kernel.source.includes(NUMBERING));
    });
    continue;
  }

  testVariant(variant, "number more than 65,535 pairs, and stop at the last", async (gpu) => {
    assert.ok(kernel.source.includes(NUMBERING));
    const layout = layOut(1);
    const count = 128;
    const left = cutRows(drawIntegers(1, count), 1);
    const right = cutRows(drawIntegers(2, count), 1);
    // all pairs are (0, 0) but the last, (0, 1); behind it in the buffer, and in the dispatch, stand pairs (1, 0)
    const pairs = new Uint32Array(2 * 2 * MANY_GROUPS);
    pairs[2 * MANY_GROUPS - 1] = 1;
    for (let i = MANY_GROUPS; i < pairs.length / 2; i++) pairs[2 * i] = 1;
    const { tile } = await launchTwice(
      gpu,
      kernel,
      {
        row_length: 1,
        segment_count: 1,
        pair_count: MANY_GROUPS,
        row_panels: count / 64,
        column_panels: count / 64,
        continues: 0,
      },
      {
        rows: packPanels(left, 1),
        columns: packPanels(right, 1),
        segments: sliceRow(layout, Infinity)[0].table,
        pairs,
        tile: { unfilled: count * count },
      },
      MANY_GROUPS * workgroups,
    );
    const gram = gramRows(left, right, layout.segments);
    const expected = keepPairs(gram, count, [[0, 0], [0, 1]], 1);
    assertOutput(tile, expected, () => 0, "tile");
  });
}

// self_similarity

for (const [kind, layout] of Object.entries(LAYOUTS)) {
  for (const [panels, first_panel, operands] of [[1, 0, "buffer"], [9, 2, "texture"]] as const) {
    const first_row = 64 * first_panel;
    const name = `${panels} panels of ${kind} in a ${operands}, from place ${first_row} on`;
    testGpu(`self_similarity agrees with its twin on ${name}`, async (gpu) => {
      const rows = drawRows(panels, layout, panels * 64);
      const segments = sliceRow(layout, Infinity)[0].table;
      const unfilled = first_row + rows.length + 8;
      const { similarity } = await launchTwice(
        gpu,
        kernels.self_similarity,
        {
          row_length: layout.length,
          segment_count: segments.length / 4,
          panel_count: panels,
          first_panel,
          continues: 0,
        },
        { rows: packPanels(rows, layout.length), segments, similarity: { unfilled } },
        Math.ceil(panels / 8),
        operands,
      );
      const expected = new Float64Array(unfilled).fill(NaN);
      const bounds = new Float64Array(unfilled);
      rows.forEach((row, n) => {
        const gram = gramRows([row], [row], layout.segments);
        expected[first_row + n] = gram.value[0];
        bounds[first_row + n] = boundGram(layout, gram)(0);
      });
      assertOutput(similarity, expected, (i) => bounds[i], name);
    });
  }
}

testGpu("self_similarity numbers more than 65,535 workgroups", async (gpu) => {
  // as many panels as the least binding holds; the last workgroups have none
  const panel_count = 8 * 65_000;
  const rows = drawIntegers(1, panel_count * 64);
  const { similarity } = await launchTwice(
    gpu,
    kernels.self_similarity,
    { row_length: 1, segment_count: 1, panel_count, first_panel: 0, continues: 0 },
    {
      rows,
      segments: sliceRow(layOut(1), Infinity)[0].table,
      similarity: { unfilled: rows.length },
    },
    MANY_GROUPS,
  );
  assertOutput(similarity, rows.map((value) => value * value), () => 0, "similarity");
});
