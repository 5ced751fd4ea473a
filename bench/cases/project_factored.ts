/** Factored segments: the inputs of a dense layer on their way into packed rows. @module */
import { kernels } from "../../shaders/kernel_table.ts";
import { type Bench, drawIntegers, group, readFloats, Scratch } from "../case.ts";
import { recordLaunches } from "../contender.ts";
import { measure } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import type { Result } from "../report.ts";

const SAMPLES = 4096;
/** Number of inputs of LeNet-5's first dense layer. */
const LENGTH = 400;

/** Times `project_factored` on the inputs of LeNet-5's first dense layer. */
export async function* benchProjectFactored(bench: Bench): AsyncGenerator<Result> {
  const { gpu } = bench;
  using scratch = new Scratch(gpu);
  const row_length = LENGTH + 1;
  const values = scratch.upload("values", drawIntegers(1, SAMPLES * LENGTH));
  const rows = scratch.create("rows", SAMPLES * row_length);
  const naiveRows = scratch.create("naive rows", SAMPLES * row_length);
  const computed = `LeNet-5 fc1, ${group(SAMPLES)} samples, ${LENGTH} inputs and a one each`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          kernels.project_factored,
          {
            sample_count: SAMPLES,
            width: LENGTH,
            first: 0,
            length: LENGTH,
            bias: 1,
            first_row: 0,
            row_length,
            offset: 0,
          },
          { values, rows },
          Math.ceil(SAMPLES * row_length / 64),
        ),
      () => readFloats(gpu, rows),
    ),
    naive: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          naive.project_factored,
          { sample_count: SAMPLES, length: LENGTH },
          { values, rows: naiveRows },
          Math.ceil(SAMPLES / 64),
        ),
      () => readFloats(gpu, naiveRows),
    ),
  });
  const count = 4 * SAMPLES * (LENGTH + row_length);
  const work = { speed: "gb_per_s", count, formula: "bytes read and written" } as const;
  yield { case: "project_factored", computed, work, ours, peers };
}
