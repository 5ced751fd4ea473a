/** The kernels on packed rows (project_factored, project_patches, gram tiles, sum_positions, tile_diagonal, self_similarity) against their float64 twins. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { kernels } from "../../../shaders/kernel_table.ts";
import { inferConvolutionGeometry } from "../../../engine/operations/convolution_geometry.ts";
import { countTaps, type RowLayout, sliceRow } from "../../../engine/rows/layout.ts";
import { chooseVariant } from "../../../engine/tuning/gram_variants.ts";
import {
  canRun,
  type GramVariant,
  measureBinding,
  VARIANTS,
} from "../../../engine/rows/variants.ts";
import { type Gram, gramRows } from "../../../engine/reference/gram.ts";
import { projectFactored, projectPatches } from "../../../engine/reference/convolution.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { sizeOf } from "../../../engine/reference/tensor.ts";
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

/** Number of workgroups beyond what one dimension of a dispatch holds. */
const MANY_GROUPS = 65_535 + 3;

/** Rows of every mixture of segments; plain neighbours become one entry of the kernels' table. */
const LAYOUTS: Record<string, RowLayout> = {
  "a plain segment of one number": layOut(1),
  "plain segments": layOut(7, 4, 13),
  "a factored segment of one number": layOut([1, 1]),
  "factored segments": layOut([3, 2], [5, 4]),
  "plain and factored segments": layOut(5, [4, 3], [1, 1], 2, 3, [6, 5], 1),
};

/** Bounds the rounding of a product of two rows: every element is on a path of at most this many steps. */
function boundGram({ length, segments }: RowLayout, { magnitude }: Gram): (i: number) => number {
  return (i) => dotBound(length + 3 * segments.length, magnitude[i]);
}

/** Draws `count` rows of random floats. */
function drawRows(seed: number, layout: RowLayout, count: number): Float32Array[] {
  return cutRows(drawNumbers(seed, count * layout.length), layout.length);
}

// project_factored

for (const samples of [1, 63, 64, 65, 127]) {
  for (const [inputs, bias] of [[1, 0], [5, 1], [64, 1]] as const) {
    const name = `${samples} samples of ${inputs} numbers ${bias ? "and a one" : "without a bias"}`;
    testGpu(`project_factored copies ${name} into rows as its twin does`, async (gpu) => {
      const shape = [samples, inputs];
      // the copied numbers stand among others
      const first = inputs % 3;
      const width = first + inputs + bias;
      const values = drawNumbers(samples + inputs, samples * width);
      const own = values.filter((_, i) => i % width >= first && i % width < first + inputs);
      const [first_row, offset] = [[0, 0], [61, 2], [64, 7]][inputs % 3];
      const row_length = offset + inputs + bias + 3;
      const size = inputs + bias;
      const { data } = projectFactored({
        x: { shape, data: own },
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
        {
          sample_count: samples,
          width,
          first,
          length: inputs,
          bias,
          first_row,
          row_length,
          offset,
        },
        { values, rows: { unfilled } },
        Math.ceil(samples * size / 64),
      );
      assertOutput(rows, expected, () => 0, name);
    });
  }
}

// launches of many workgroups are spread over y; launchTwice spreads those of the other kernels at fewer workgroups
testGpu("project_factored numbers more than 65,535 workgroups", async (gpu) => {
  const samples = MANY_GROUPS * 32; // two numbers a sample
  const values = drawIntegers(1, samples);
  const expected = new Float32Array(samples * 2).fill(1);
  values.forEach((value, n) => expected[Math.floor(n / 64) * 128 + n % 64] = value);
  const { rows } = await launchTwice(
    gpu,
    kernels.project_factored,
    {
      sample_count: samples,
      width: 1,
      first: 0,
      length: 1,
      bias: 1,
      first_row: 0,
      row_length: 2,
      offset: 0,
    },
    { values, rows: { unfilled: samples * 2 } },
    MANY_GROUPS,
  );
  assertOutput(rows, expected, () => 0, "rows");
});

// project_patches

for (
  const [seed, images, filterShape, stride, pad, dilation] of [
    [1, [1, 1, 1, 1], [1, 1, 1, 2], 1, 0, 1],
    [2, [3, 5, 4, 2], [3, 3, 2, 3], 1, 1, 1],
    [3, [17, 7, 8, 3], [3, 3, 3, 1], 2, 1, 1],
    [4, [5, 6, 5, 1], [4, 2, 1, 1], 2, 2, 1],
    [5, [3, 7, 9, 2], [3, 2, 2, 3], [3, 2], [4, 0, 1, 3], [2, 3]],
  ] as const
) {
  const bias = seed % 2 === 0;
  const place = { stride, pad, dilation };
  const name = `${images} under ${filterShape}, ${JSON.stringify(place)}`;
  testGpu(`project_patches copies what a filter sees as its twin does: ${name}`, async (gpu) => {
    const [count] = images;
    const geometry = inferConvolutionGeometry(images, filterShape, place);
    const { out_height, out_width, out_channels } = geometry;
    const x = { shape: images, data: drawNumbers(seed, sizeOf(images)) };
    const deltas = [count, out_height, out_width, out_channels];
    const dy = { shape: deltas, data: drawNumbers(seed + 10, sizeOf(deltas)) };
    const patches = projectPatches({ x, dy, filterShape, bias, ...place });
    const tap_count = countTaps(geometry);
    const size = tap_count + (bias ? 1 : 0);
    const positions = out_height * out_width;
    const [first_sample, offset] = [[0, 0], [3, 2], [64, 7]][seed % 3];
    const row_length = offset + size + 3;
    const unfilled = Math.ceil((first_sample + count) * positions / 64) * 64 * row_length;
    const expected = new Float64Array(unfilled).fill(NaN);
    patches.data.forEach((value, index) => {
      const row = first_sample * positions + Math.floor(index / (size + out_channels));
      const k = index % (size + out_channels);
      // the deltas, which project_factored copies, are left alone
      if (k < size) {
        expected[(Math.floor(row / 64) * row_length + offset + k) * 64 + row % 64] = value;
      }
    });
    const { rows } = await launchTwice(
      gpu,
      kernels.project_patches,
      {
        sample_count: count,
        first_sample,
        ...geometry,
        tap_count,
        bias: bias ? 1 : 0,
        row_length,
        offset,
      },
      { inputs: x.data, rows: { unfilled } },
      Math.ceil(count * positions * size / 64),
    );
    assertOutput(rows, expected, () => 0, name);
  });
}

// gram_tile, gram_tile_subgroup, gram_tile_shared

/** Pairs of panels that a launch computes; all others must be left alone. */
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

/** Lists the different pairs in units of a variant's panels. */
function pairUp({ pairs }: TileCase, side: number): (readonly [number, number])[] {
  const units = pairs.map((pair) => pair.map((panel) => Math.floor(panel / side)).join(" "));
  return [...new Set(units)].map((unit) => unit.split(" ").map(Number) as [number, number]);
}

/** Registers a test of a variant that the device can run; an adapter without its features never chooses it. */
function testVariant(variant: GramVariant, name: string, run: (gpu: Gpu) => Promise<void>): void {
  testGpu(`gram tiles (${variant.name}) ${name}`, async (gpu) => {
    if (canRun(gpu, variant, layOut(1))) await run(gpu);
    else assert.notEqual(await chooseVariant(gpu, layOut(1)), variant);
  });
}

for (const variant of VARIANTS) {
  const { kernel, operands, side } = variant;

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
            tile_row: 0,
            tile_column: 0,
            tile_panels: columnPanels,
            continues: 0,
          },
          {
            rows: packPanels(left, layout.length),
            columns: packPanels(right, layout.length),
            segments,
            pairs: new Uint32Array(pairs.flat()),
            tile: { unfilled: left.length * right.length },
          },
          pairs.length,
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
    const table = sliceRow(layout, Infinity)[0].table;
    const { tile } = await launchTwice(
      gpu,
      kernel,
      {
        row_length: length,
        segment_count: table.length / 4,
        pair_count: 1,
        row_panels: 1,
        column_panels: 1,
        tile_row: 0,
        tile_column: 0,
        tile_panels: 1,
        continues: 0,
      },
      {
        rows: packed,
        columns: packed,
        segments: table,
        pairs: Uint32Array.of(0, 0),
        tile: { unfilled: 64 * 64 },
      },
      1,
      operands,
    );
    const gram = gramRows(rows, rows, layout.segments);
    assertOutput(tile, gram.value, boundGram(layout, gram), "tile");
  });
}

/** Layouts whose sums are long. */
const LONG_SUMS: Record<string, RowLayout> = {
  "60,000 inputs of a dense layer": layOut([60_000, 3]),
  "16,000 inputs and as many outputs of one": layOut([8_000, 8_000]),
  "16,000 contracted numbers": layOut(16_000),
};

for (const [name, layout] of Object.entries(LONG_SUMS)) {
  testGpu(
    `sums over ${name} keep their digits, tiles and self-similarities to the same bit`,
    async (gpu) => {
      // values of one sign, as images of digits have: the sum grows with every term
      const count = 33;
      const numbers = drawNumbers(5, count * layout.length);
      const rows = cutRows(numbers.map((value) => 0.1307 + 0.3081 * value), layout.length);
      const { value } = gramRows(rows, rows, layout.segments);
      const largest = Math.max(...value);
      const packed = packPanels(rows, layout.length);
      const segments = sliceRow(layout, Infinity)[0].table;
      const shape = { row_length: layout.length, segment_count: segments.length / 4, continues: 0 };
      const tiles = [];
      for (const variant of VARIANTS) {
        // whole rows are bound at once here, which not every device's textures are high enough for
        const { lines } = measureBinding(gpu, variant.operands);
        if (layout.length > lines || !canRun(gpu, variant, layout)) continue;
        const { tile } = await launchTwice(
          gpu,
          variant.kernel,
          {
            ...shape,
            pair_count: 1,
            row_panels: 1,
            column_panels: 1,
            tile_row: 0,
            tile_column: 0,
            tile_panels: 1,
          },
          {
            rows: packed,
            columns: packed,
            segments,
            pairs: Uint32Array.of(0, 0),
            tile: { unfilled: 64 * 64 },
          },
          1,
          variant.operands,
        );
        tiles.push(tile.values);
      }
      const { similarity } = await launchTwice(
        gpu,
        kernels.self_similarity,
        { ...shape, panel_count: 1, first_panel: 0, first_row: 0 },
        { rows: packed, segments, similarity: { unfilled: 64 } },
        1,
      );
      for (const tile of tiles) {
        assert.ok(isDeepStrictEqual(tile, tiles[0]));
        const diagonal = tile.filter((_, i) => i % 65 === 0);
        assert.deepEqual(similarity.values, diagonal);
        const product = value.map((_, i) => tile[Math.floor(i / count) * 64 + i % count]);
        assertClose(product, value, () => 5e-6 * largest, name);
      }
    },
  );
}

for (const variant of VARIANTS.filter(({ operands }) => operands === "buffer")) {
  const { kernel, side } = variant;

  testVariant(variant, "number pairs over two dimensions, and stop at the last", async (gpu) => {
    const layout = layOut(1);
    const count = 128 * side;
    const left = cutRows(drawIntegers(1, count), 1);
    const right = cutRows(drawIntegers(2, count), 1);
    // all pairs are (0, 0) but the last, (0, 1); behind it in the buffer, and in the dispatch, stand pairs (1, 0)
    const pairCount = 5;
    const pairs = new Uint32Array(2 * 2 * pairCount);
    pairs[2 * pairCount - 1] = 1;
    for (let i = pairCount; i < pairs.length / 2; i++) pairs[2 * i] = 1;
    const { tile } = await launchTwice(
      gpu,
      kernel,
      {
        row_length: 1,
        segment_count: 1,
        pair_count: pairCount,
        row_panels: count / 64,
        column_panels: count / 64,
        tile_row: 0,
        tile_column: 0,
        tile_panels: count / 64,
        continues: 0,
      },
      {
        rows: packPanels(left, 1),
        columns: packPanels(right, 1),
        segments: sliceRow(layout, Infinity)[0].table,
        pairs,
        tile: { unfilled: count * count },
      },
      pairCount,
    );
    const gram = gramRows(left, right, layout.segments);
    const expected = keepPairs(gram, count, [[0, 0], [0, 1]], side);
    assertOutput(tile, expected, () => 0, "tile");
  });
}

// sum_positions, tile_diagonal, self_similarity

for (const positions of [1, 3, 16]) {
  for (const continues of [0, 1]) {
    testGpu(
      `sum_positions adds up ${positions} x ${positions} products ${
        continues ? "to a tile" : "into one"
      }`,
      async (gpu) => {
        // two panels of samples by three in products that begin at panel (2, 4), which are wanted in part, in a tile that begins at (1, 3)
        const [height, width] = [2 * positions * 64, 3 * positions * 64];
        const products = drawIntegers(positions, height * width);
        const pairs = [[2, 4], [3, 6], [2, 5]];
        const tile = drawIntegers(7, 3 * 64 * 5 * 64);
        const expected = tile.slice();
        for (const [row, column] of pairs) {
          for (let i = 0; i < 64; i++) {
            for (let j = 0; j < 64; j++) {
              let sum = 0;
              const first = ((row - 2) * 64 + i) * positions;
              const second = ((column - 4) * 64 + j) * positions;
              for (let p = 0; p < positions; p++) {
                for (let q = 0; q < positions; q++) {
                  sum += products[(first + p) * width + second + q];
                }
              }
              const at = ((row - 1) * 64 + i) * 5 * 64 + (column - 3) * 64 + j;
              expected[at] = sum + (continues ? tile[at] : 0);
            }
          }
        }
        const { tile: filled } = await launchTwice(
          gpu,
          kernels.sum_positions,
          {
            pair_count: pairs.length,
            positions,
            product_row: 2,
            product_column: 4,
            product_panels: 3 * positions,
            tile_row: 1,
            tile_column: 3,
            tile_panels: 5,
            continues,
          },
          { products, pairs: Uint32Array.from(pairs.flat()), tile },
          4 * pairs.length,
        );
        assert.ok(isDeepStrictEqual(filled.values, expected));
      },
    );
  }
}

testGpu(
  "tile_diagonal takes the diagonal of a tile to its place, and no more of it than is asked for",
  async (gpu) => {
    const tile = drawIntegers(1, 192 * 256);
    const params = { tile_panels: 4, count: 189, first: 5 };
    const unfilled = { unfilled: 198 };
    const { similarity: copied } = await launchTwice(
      gpu,
      kernels.tile_diagonal,
      { ...params, continues: 0 },
      { tile, similarity: unfilled },
      3,
    );
    const expected = new Float64Array(198).fill(NaN);
    for (let n = 0; n < 189; n++) expected[5 + n] = tile[n * 257];
    assertOutput(copied, expected, () => 0, "similarity");

    const before = drawIntegers(2, 198);
    const { similarity: added } = await launchTwice(
      gpu,
      kernels.tile_diagonal,
      { ...params, continues: 1 },
      { tile, similarity: before },
      3,
    );
    const sums = before.slice();
    for (let n = 0; n < 189; n++) sums[5 + n] += tile[n * 257];
    assert.ok(isDeepStrictEqual(added.values, sums));
  },
);

for (const operands of ["buffer", "texture"] as const) {
  testGpu(
    `self_similarity adds what segments of panels in a ${operands} have, from a row on`,
    async (gpu) => {
      // three panels of rows: plain and factored entries, in parts of a length that no step divides and of one part
      const layout = layOut(17, [9, 4], 300, [270, 259]);
      const table = sliceRow(layout, Infinity)[0].table;
      const numbers = cutRows(drawIntegers(3, 192 * layout.length), layout.length);
      const before = drawIntegers(4, 320);
      const gram = gramRows(numbers, numbers, layout.segments).value;
      for (const continues of [0, 1]) {
        const { similarity } = await launchTwice(
          gpu,
          kernels.self_similarity,
          {
            row_length: layout.length,
            segment_count: table.length / 4,
            panel_count: 3,
            first_panel: 0,
            first_row: 64,
            continues,
          },
          {
            rows: packPanels(numbers, layout.length),
            segments: table,
            similarity: before,
          },
          3,
          operands,
        );
        const expected = before.map((value, i) => {
          const n = i - 64;
          if (n < 0 || n >= 192) return value;
          return continues * value + gram[n * 192 + n];
        });
        assert.ok(isDeepStrictEqual(similarity.values, expected));
      }
    },
  );
}
