/**
 * Times every kernel beside its peers:  deno task bench [--quick] [--json] [CASE...]
 *
 * Prints a Markdown table, or a line of JSON for each result.
 *
 * @module
 */
import { Engine } from "../engine/engine.ts";
import { Gpu } from "../engine/gpu/device.ts";
import { Tensorflow } from "../engine/network/tensorflow.ts";
import type { Case } from "./case.ts";
import { benchConvolution } from "./cases/convolution.ts";
import { benchFilterGradient } from "./cases/filter_gradient.ts";
import { benchFpc } from "./cases/fpc.ts";
import { benchGram } from "./cases/gram.ts";
import { benchInputGradient } from "./cases/input_gradient.ts";
import { benchProjectFactored } from "./cases/project_factored.ts";
import { benchProjection } from "./cases/projection.ts";
import { benchSelfSimilarity } from "./cases/self_similarity.ts";
import { benchTrain } from "./cases/train.ts";
import { FULL, QUICK } from "./measure.ts";
import { describeEnvironment, formatJson, formatTable, type Result } from "./report.ts";

const CASES: Readonly<Record<string, Case>> = {
  gram: benchGram,
  self_similarity: benchSelfSimilarity,
  fpc: benchFpc,
  project_factored: benchProjectFactored,
  filter_gradient: benchFilterGradient,
  convolution: benchConvolution,
  input_gradient: benchInputGradient,
  train: benchTrain,
  projection: benchProjection,
};

async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const named = args.filter((arg) => !arg.startsWith("--"));
  const unknown = flags.find((flag) => flag !== "--json" && flag !== "--quick") ??
    named.find((name) => !Object.hasOwn(CASES, name));
  if (unknown !== undefined) {
    console.error(
      `bench: got ${unknown}, need --json, --quick or ${Object.keys(CASES).join(", ")}`,
    );
    return 2;
  }
  const gpu = await Gpu.open();
  using engine = new Engine(gpu, await Tensorflow.bind(gpu));
  const tensorflow = Tensorflow.current;
  const quick = flags.includes("--quick");
  const json = flags.includes("--json");
  const environment = await describeEnvironment(gpu.adapter.name);
  const results: Result[] = [];
  for (const name of named.length > 0 ? named : Object.keys(CASES)) {
    const bench = { gpu, tensorflow, engine, effort: quick ? QUICK : FULL, quick };
    for await (const result of CASES[name](bench)) {
      results.push(result);
      if (json) console.log(formatJson(result, environment));
      else console.error(`${result.case}: ${result.computed}`);
    }
  }
  if (!json) console.log(formatTable(results, environment));
  return 0;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
