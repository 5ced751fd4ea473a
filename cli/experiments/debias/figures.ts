/**
 * Tables and figures of `debias`.
 *
 * @module
 */
import type { ArmResult } from "../../comparison.ts";
import type { Figure, Table } from "../experiment.ts";
import { drawSubsets, type Pair, tabulateArms, tabulateTests } from "../shared/arms.ts";
import type { Settings } from "./settings.ts";

/** Tables of what pruning leaves, and of how well every arm learns from it; `rest` samples are not redundant, `size` are kept. */
export function tabulateDebias(
  { trainSize: count }: Settings,
  results: readonly ArmResult[],
  rest: number,
  size: number,
): Table[] {
  const row = (step: string, samples: number) => ({
    step,
    samples,
    "of the whole (%)": 100 * samples / count,
  });
  const others = results.map(({ name }) => name).filter((name) => name !== "lpNTK");
  return [
    {
      name: "pruning",
      caption: "What the steps of section 4.3 leave",
      rows: [row("whole", count), row("not redundant", rest), row("heads pruned", size)],
    },
    tabulateTests(results, others.map((other): Pair => ["lpNTK", other])),
    ...tabulateArms(results),
  ];
}

/** Figures of the whole set beside lpNTK's choice and a random one, and of every choice of `size` samples. */
export async function drawDebias(
  settings: Settings,
  results: readonly ArmResult[],
  size: number,
): Promise<Figure[]> {
  return [
    ...await drawSubsets(results.slice(0, 3), settings, {
      name: "accuracy",
      what: `on the whole training set and on ${size} samples, chosen by lpNTK and at random`,
    }),
    ...await drawSubsets(results.slice(1), settings, {
      name: "accuracy_scores",
      what: `on ${size} samples, chosen by lpNTK, at random and by the scores of others`,
    }),
  ];
}
