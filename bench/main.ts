/**
 * `lpntk bench`: times every kernel, and whole computations of the engine, beside their peers.
 *
 * @module
 */
import { Tensorflow } from "../engine/operations/tensorflow.ts";
import type { Bench, Case } from "./case.ts";
import { CASE_NAMES, type CaseName } from "./case_names.ts";
import { benchConvolution } from "./cases/convolution.ts";
import { benchEndToEnd } from "./cases/end_to_end.ts";
import { benchEpilogues } from "./cases/epilogues.ts";
import { benchFilterGradient } from "./cases/filter_gradient.ts";
import { benchFpc } from "./cases/fpc.ts";
import { benchGram } from "./cases/gram.ts";
import { benchInputGradient } from "./cases/input_gradient.ts";
import { benchPasses } from "./cases/passes.ts";
import { benchProjectFactored } from "./cases/project_factored.ts";
import { benchProjection } from "./cases/projection.ts";
import { benchTrain } from "./cases/train.ts";
import { measureCeilings } from "./ceilings/ceilings.ts";
import { FULL, QUICK } from "./measure.ts";
import { openDevice, type UseAdapter } from "./open.ts";
import { describePlace, type Environment, formatJson, formatTable, type Result } from "./report.ts";

const CASES: Readonly<Record<CaseName, Case>> = {
  gram: benchGram,
  epilogues: benchEpilogues,
  fpc: benchFpc,
  project_factored: benchProjectFactored,
  filter_gradient: benchFilterGradient,
  convolution: benchConvolution,
  input_gradient: benchInputGradient,
  passes: benchPasses,
  projection: benchProjection,
  train: benchTrain,
  "end-to-end": benchEndToEnd,
};

/** Options of the benches. */
export interface BenchOptions {
  /** Whether to print a line of JSON for each result instead of a table. */
  readonly json?: boolean;
  /** Whether to take only the smallest sizes, in short measurements. */
  readonly quick?: boolean;
  /** Prints lines of results. */
  readonly print: (text: string) => void;
  readonly use: UseAdapter;
}

/** Runs some cases, or all of them, and prints what they found; notes and progress go to standard error. */
export async function runBenches(
  named: readonly CaseName[],
  { json = false, quick = false, use, print }: BenchOptions,
): Promise<void> {
  const { gpu, engine } = await openDevice(use);
  using _device = engine;
  const notes = new Set<string>();
  const bench: Bench = {
    gpu,
    tensorflow: Tensorflow.current,
    engine,
    effort: quick ? QUICK : FULL,
    quick,
    note: (text) => {
      if (json && !notes.has(text)) console.error(`bench: ${text}`);
      notes.add(text);
    },
  };
  const environment: Environment = {
    ...await describePlace(gpu.adapter.name),
    ceilings: await measureCeilings(bench),
  };
  const results: Result[] = [];
  for (const name of named.length > 0 ? named : CASE_NAMES) {
    for await (const result of CASES[name](bench)) {
      results.push(result);
      if (json) print(formatJson(result, environment));
      else console.error(`${result.case}: ${result.computed}`);
    }
  }
  if (!json) print(formatTable(results, environment, notes));
}
