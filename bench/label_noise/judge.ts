/**
 * Says which method ranks wrong labels best:  deno run -A bench/label_noise/judge.ts OUT choose|judge
 *
 * It reads what `measure.ts` wrote to OUT, of the seeds that methods are chosen on or of those that they are judged on, and prints a line of JSON
 * for each method, cell, seed and stage to OUT/choose.jsonl or OUT/judge.jsonl, and three tables: means,
 * the default against each method, and against the best single score of each cell.
 *
 * @module
 */
import { CHOOSING_SEEDS, JUDGING_SEEDS, nameCell } from "./cells.ts";
import { METHODS } from "./methods.ts";
import { measureQuality } from "./quality.ts";
import type { Signals } from "./signals.ts";
import { compareMethods, compareWithBest, DEFAULT, type Result } from "./verdicts.ts";

const [out, which] = Deno.args;
if (!out || (which !== "choose" && which !== "judge")) {
  console.error("Usage: deno run -A bench/label_noise/judge.ts OUT choose|judge");
  Deno.exit(2);
}
const seeds = which === "choose" ? CHOOSING_SEEDS : JUDGING_SEEDS;
const results: Result[] = [];
for await (const { name } of Deno.readDir(out)) {
  if (!name.endsWith(".json")) continue;
  const signals: Signals = JSON.parse(await Deno.readTextFile(`${out}/${name}`));
  if (!seeds.includes(signals.seed)) continue;
  for (const stage of ["half", "trained"] as const) {
    for (const method of Object.keys(METHODS)) results.push(judge(signals, stage, method));
  }
}
await Deno.writeTextFile(
  `${out}/${which}.jsonl`,
  results.map((result) => JSON.stringify(result) + "\n").join(""),
);
console.log([formatTable(results), formatVerdicts(results), formatCells(results)].join("\n\n"));

function judge(signals: Signals, stage: Result["stage"], method: string): Result {
  const { truth, labels, classes, cell, seed } = signals;
  const { scores, support } = METHODS[method].rank(signals, signals[stage]);
  const isWrong = labels.map((label, n) => label !== truth[n]);
  const wrong = [...labels.keys()].filter((n) => isWrong[n]);
  const suggest = (n: number) => {
    const row = Array.from({ length: classes }, (_, c) => support![n * classes + c]);
    return row.indexOf(Math.max(...row));
  };
  return {
    method,
    cell: nameCell(cell),
    stage,
    seed,
    ...measureQuality(scores, isWrong),
    right: support && wrong.filter((n) => suggest(n) === truth[n]).length / wrong.length,
  };
}

/** Table of means over cells, stages and seeds, the best average precision first. */
function formatTable(results: readonly Result[]): string {
  const sources = [...new Set(results.map(({ cell }) => cell.split(" ")[0]))].sort();
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const lines = Object.keys(METHODS).map((method) => {
    const all = results.filter((result) => result.method === method);
    const of = (part: readonly Result[]) => mean(part.map((result) => result.averagePrecision));
    const rights = all.flatMap(({ right }) => right === undefined ? [] : [right]);
    const cells = [
      of(all),
      ...sources.flatMap((source) =>
        (["half", "trained"] as const).map((stage) =>
          of(all.filter(({ cell, stage: own }) => cell.startsWith(source) && own === stage))
        )
      ),
      mean(all.map(({ precision5 }) => precision5)),
      mean(all.map(({ recall10 }) => recall10)),
      rights.length > 0 ? mean(rights) : NaN,
    ];
    return { method, cells };
  }).sort((a, b) => b.cells[0] - a.cells[0]);
  const format = (value: number) => Number.isNaN(value) ? "" : value.toFixed(3);
  return [
    `| method | all | ${
      sources.flatMap((source) => [`${source}, half`, `${source}, trained`]).join(" | ")
    } | precision at 5 % | recall at 10 % | right |`,
    `| --- |${" ---: |".repeat(sources.length * 2 + 4)}`,
    ...lines.map(({ method, cells }) => `| ${method} | ${cells.map(format).join(" | ")} |`),
  ].join("\n");
}

/** Table of the default against every other method, over the cells. */
function formatVerdicts(results: readonly Result[]): string {
  const lines = Object.keys(METHODS).filter((method) => method !== DEFAULT).map((method) => {
    const columns = (["averagePrecision", "right"] as const).map((measure) => {
      const verdict = compareMethods(results, method, measure);
      return verdict ? `${formatDifference(verdict)}, ${verdict.says}` : "";
    });
    return `| ${method} | ${columns.join(" | ")} |`;
  });
  return [
    "| the default against | average precision | suggestions |",
    "| --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** Table of the default against the best single score of each cell and stage. */
function formatCells(results: readonly Result[]): string {
  const cells = [...new Set(results.map(({ cell }) => cell))].sort();
  const lines = cells.flatMap((cell) =>
    (["half", "trained"] as const).map((stage) => {
      const found = compareWithBest(
        results.filter((result) => result.cell === cell && result.stage === stage),
      );
      return `| ${cell}, ${stage} | ${found.own.toFixed(3)} | ${found.best} | ${
        found.precision.toFixed(3)
      } | ${formatDifference(found)}, ${found.says} |`;
    })
  );
  return [
    "| cell | the default | best single score | its average precision | difference |",
    "| --- | ---: | --- | ---: | --- |",
    ...lines,
  ].join("\n");
}

function formatDifference({ mean, margin }: { readonly mean: number; readonly margin: number }) {
  const sign = mean < 0 ? "" : "+";
  return `${sign}${mean.toFixed(3)}${Number.isFinite(margin) ? ` ± ${margin.toFixed(3)}` : ""}`;
}
