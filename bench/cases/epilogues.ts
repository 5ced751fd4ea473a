/** Epilogues of a Gram tile on the device, beside the same on the host. @module */
import { kernels } from "../../shaders/kernel_table.ts";
import { pairBlocks, PANEL_ROWS } from "../../engine/rows/blocks.ts";
import { nearestSamples, relatePairs, rowMaxima } from "../../engine/reference/relations.ts";
import { type Bench, drawIntegers, type Floats, group, Scratch } from "../case.ts";
import { type Contender, recordLaunches } from "../contender.ts";
import { measure } from "../measure.ts";
import type { Result } from "../report.ts";

const SIZE = 1024;
const NEAREST = 5;
const THRESHOLDS = { threshold: 0.5, epsilon: 0.125 };

/** Times `tile_maximum`, `tile_relations` and `tile_nearest` on a symmetric tile; naive: the float64 twins on the host. */
export async function* benchEpilogues(bench: Bench): AsyncGenerator<Result> {
  const { gpu } = bench;
  using scratch = new Scratch(gpu);
  const values = drawSymmetric();
  const panels = SIZE / PANEL_ROWS;
  const listed = pairBlocks(panels, panels, true);
  const pairs = scratch.upload(
    "pairs",
    Uint32Array.from(listed.flatMap(({ row, column }) => [row, column])),
  );
  const tile = scratch.upload("tile", values);
  const extent = {
    column_panels: panels,
    first_row: 0,
    row_count: SIZE,
    first_column: 0,
    column_count: SIZE,
  };
  const pair_count = listed.length;
  const maximum = scratch.create("maxima", SIZE);
  const counts = scratch.create("counts", 4);
  const similarity = scratch.upload(
    "self-similarity",
    Float32Array.from({ length: SIZE }, (_, i) => values[i * SIZE + i]),
  );
  const nearest = scratch.upload("nearest", new Uint32Array(SIZE * NEAREST).fill(0xffffffff));
  const nearestSimilarity = scratch.upload(
    "similarity",
    new Float32Array(SIZE * NEAREST).fill(-3.4e38),
  );
  const readIntegers = async (buffer: GPUBuffer) => new Uint32Array(await gpu.read(buffer));

  yield await benchEpilogue(bench, "row maxima", {
    ours: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          kernels.tile_maximum,
          { pair_count, ...extent, later: 0 },
          { tile, pairs, maximum },
          pair_count,
        ),
      // the maxima are not negative: of such floats the order of integers changes the sign bit alone
      async () => new Float32Array((await readIntegers(maximum)).map((u) => u ^ 0x80000000).buffer),
    ),
    naive: computeOnHost(() => rowMaxima(values, SIZE)),
  });
  yield await benchEpilogue(bench, "relation counts", {
    ours: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          kernels.tile_relations,
          { pair_count, ...extent, slot: 0, ...THRESHOLDS },
          { tile, pairs, similarity, counts },
          pair_count,
        ),
      () => readIntegers(counts),
    ),
    naive: computeOnHost(() =>
      Object.values(
        relatePairs(values, SIZE, { threshold: 0.5, tolerance: THRESHOLDS.epsilon }).counts,
      )
    ),
  });
  yield await benchEpilogue(bench, `${NEAREST} nearest samples`, {
    ours: recordLaunches(
      gpu,
      (commands) => {
        for (const by_column of [0, 1]) {
          const params = { ...extent, by_column, start: 0, end: SIZE, nearest_count: NEAREST };
          const buffers = { tile, nearest, similarity: nearestSimilarity };
          commands.run(kernels.tile_nearest, params, buffers, SIZE / 64);
        }
      },
      () => readIntegers(nearest),
    ),
    naive: computeOnHost(() => nearestSamples(values, SIZE, NEAREST).flat()),
  });
}

async function benchEpilogue(
  bench: Bench,
  what: string,
  contenders: Record<"ours" | "naive", Contender>,
): Promise<Result> {
  const computed = `${what} of a symmetric tile of ${group(SIZE)} samples`;
  const { ours, ...peers } = await measure(bench, computed, contenders);
  const count = 4 * SIZE * SIZE;
  const work = { speed: "gb_per_s", count, formula: "bytes of the tile" } as const;
  return { case: "epilogues", computed, work, ours, peers };
}

/** Draws a symmetric matrix of integers from -2 to 2, with 4 on the diagonal. */
function drawSymmetric(): Floats {
  const drawn = drawIntegers(1, SIZE * SIZE);
  return drawn.map((_, i) => {
    const [row, column] = [Math.floor(i / SIZE), i % SIZE];
    return row === column ? 4 : drawn[Math.min(row, column) * SIZE + Math.max(row, column)];
  });
}

function computeOnHost(compute: () => ArrayLike<number>): Contender {
  return {
    run: (repetitions) => {
      for (let i = 0; i < repetitions; i++) compute();
    },
    read: () => Promise.resolve(compute()),
  };
}
