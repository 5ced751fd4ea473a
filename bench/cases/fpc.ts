/** Farthest-point clustering over packed rows, step by step. @module */
import type { Commands } from "../../engine/gpu/commands.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import type { RowLayout } from "../../engine/rows/layout.ts";
import { uploadRows } from "../../engine/kernel/vectors.ts";
import type { PackedRows } from "../../engine/rows/rows.ts";
import { type Bench, drawIntegers, type Floats, group, layOutLenet5, Scratch } from "../case.ts";
import type { Contender } from "../contender.ts";
import { measure } from "../measure.ts";
import { NaiveClustering } from "../naive/fpc_naive.ts";
import type { Result } from "../report.ts";

/** Number of samples: 222 MB of rows, or 55 MB when quick. */
const SAMPLES = 16_384;
const QUICK_SAMPLES = 4096;
/** Number of steps whose results are compared with the naive version's. */
const CHECKED_STEPS = 8;
/** Largest number of a step, after which the numbers begin again. */
const STEP_LIMIT = 1024;
/** The largest f32, as the kernels mark a centroid. */
const LARGEST = 3.4028234663852886e38;

/** Times a step of clustering, `fpc_select`, `fpc_gather` and `fpc_assign`, over LeNet-5's rows. */
export async function* benchFpc(bench: Bench): AsyncGenerator<Result> {
  const { gpu, engine, quick } = bench;
  const layout = layOutLenet5(engine);
  const samples = quick ? QUICK_SAMPLES : SAMPLES;
  const values = drawIntegers(1, samples * layout.length);
  using rows = await uploadRows(gpu, layout, values);
  using scratch = new Scratch(gpu);
  const computed = `a step over LeNet-5's rows, N ${group(samples)}, ${
    group(layout.length)
  } numbers each; naive: on the host`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: enterKernels(rows, scratch),
    naive: enterHost(values, layout),
  });
  const count = 4 * samples * layout.length;
  const work = { speed: "gb_per_s", count, formula: "bytes of rows read" } as const;
  yield { case: "fpc", computed, work, ours, peers };
}

function enterKernels(rows: PackedRows, scratch: Scratch): Contender {
  const { gpu, count } = rows;
  const state = {
    newest: scratch.create("newest", 1),
    chosen: scratch.create("chosen", STEP_LIMIT),
    best: scratch.create("best", count),
    cluster: scratch.create("cluster", count),
    group_of: scratch.create("groups", count),
    similarity: scratch.create("similarity", count),
    centroid_counts: scratch.upload("centroid counts", Uint32Array.of(STEP_LIMIT)),
    centroids: scratch.create("centroids", Math.ceil(rows.layout.length / 4) * 4),
  };
  const best = new Float32Array(count).fill(-LARGEST);
  best[0] = LARGEST;
  gpu.device.queue.writeBuffer(state.best, 0, best);
  const commands = gpu.record();
  recordMoves(commands, rows, state, 0);
  commands.submit();
  let steps = 0;
  const run = (repetitions: number) => {
    const commands = gpu.record();
    for (let i = 0; i < repetitions; i++) {
      const step = 1 + steps++ % (STEP_LIMIT - 1);
      commands.run(
        kernels.fpc_select,
        { sample_count: count, step, step_limit: STEP_LIMIT, group_count: 1 },
        state,
        1,
      );
      recordMoves(commands, rows, state, step);
    }
    commands.submit();
  };
  return {
    run,
    read: async () => {
      run(CHECKED_STEPS);
      const chosen = new Uint32Array(await gpu.read(state.chosen, (CHECKED_STEPS + 1) * 4));
      return [...chosen, ...new Uint32Array(await gpu.read(state.cluster))];
    },
  };
}

/** Buffers of `fpc_gather` and `fpc_assign`, but for those of the rows. */
type State = Record<
  "newest" | "centroids" | "group_of" | "best" | "cluster" | "similarity",
  GPUBuffer
>;

/** Records the move of samples that are more similar to the newest centroid than to their own. */
function recordMoves(commands: Commands, rows: PackedRows, state: State, step: number): void {
  const [slice] = rows.slices;
  const { length: row_length, segments, segmentCount: segment_count } = slice;
  for (const block of rows.blocks) {
    const { firstRow: first_row, rowCount: row_count } = block;
    commands.run(
      kernels.fpc_gather,
      { row_length, group_count: 1, first_row, row_count },
      { ...state, rows: rows.bind(commands, [block, slice]) },
      Math.ceil(row_length / 64),
    );
  }
  for (const block of rows.blocks) {
    const { firstRow: first_row, rowCount: row_count, panelCount } = block;
    commands.run(
      kernels.fpc_assign,
      {
        row_length,
        segment_count,
        group_count: 1,
        first_panel: 0,
        first_row,
        row_count,
        step,
        continues: 0,
        ends: 1,
      },
      { ...state, segments, rows: rows.bind(commands, [block, slice]) },
      Math.ceil(panelCount / 8),
    );
  }
}

function enterHost(values: Floats, layout: RowLayout): Contender {
  const clustering = new NaiveClustering(values, layout, 0);
  const run = (repetitions: number) => {
    for (let i = 0; i < repetitions; i++) clustering.step();
  };
  return {
    run,
    read: () => {
      run(CHECKED_STEPS + 1);
      return Promise.resolve([...clustering.centroids, ...clustering.cluster]);
    },
  };
}
