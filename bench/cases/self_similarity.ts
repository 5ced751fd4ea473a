/** Self-similarity of packed rows. @module */
import { kernels } from "../../engine/gpu/kernel_table.ts";
import { PANEL_ROWS } from "../../engine/kernel/plan.ts";
import {
  type Bench,
  drawIntegers,
  group,
  layOutLenet5,
  readFloats,
  Scratch,
  uploadRows,
} from "../case.ts";
import { recordLaunches } from "../contender.ts";
import { measure } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import type { Result } from "../report.ts";

const SAMPLES = 4096;

/** `self_similarity` of LeNet-5's rows. */
export async function* benchSelfSimilarity(bench: Bench): AsyncGenerator<Result> {
  const { gpu, engine } = bench;
  using scratch = new Scratch(gpu);
  const layout = layOutLenet5(engine);
  const row_length = layout.length;
  const values = drawIntegers(1, SAMPLES * row_length);
  using panels = await uploadRows(gpu, layout, values);
  const { blocks: [block], slices: [slice] } = panels;
  const { segments, segmentCount: segment_count } = slice;
  const rows = scratch.upload("rows", values);
  const similarity = scratch.create("similarity", SAMPLES);
  const naiveSimilarity = scratch.create("naive similarity", SAMPLES);
  const computed = `LeNet-5's rows, N ${group(SAMPLES)}, ${group(row_length)} numbers each`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          kernels.self_similarity,
          {
            row_length,
            segment_count,
            panel_count: SAMPLES / PANEL_ROWS,
            first_panel: 0,
            continues: 0,
          },
          { rows: panels.bind(commands, [block, slice]), segments, similarity },
          SAMPLES / PANEL_ROWS / 8,
        ),
      () => readFloats(gpu, similarity),
    ),
    naive: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          naive.self_similarity,
          { row_count: SAMPLES, row_length, segment_count },
          { rows, segments, similarity: naiveSimilarity },
          Math.ceil(SAMPLES / 64),
        ),
      () => readFloats(gpu, naiveSimilarity),
    ),
  });
  const count = 4 * SAMPLES * row_length;
  const work = { speed: "gb_per_s", count, formula: "bytes of rows read" } as const;
  yield { case: "self_similarity", computed, work, ours, peers };
}
