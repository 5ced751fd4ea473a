/**
 * Tables and figures of `extreme`.
 *
 * @module
 */
import { drawLines, type LinePoint } from "../../report/charts.ts";
import { summarise } from "../../report/statistics.ts";
import type { Figure, Table } from "../experiment.ts";
import { type Case, CASES, type PairRun, sumLosses } from "./measure.ts";

/** Table of every pair of both cases. */
export function tabulatePairs(pairs: Readonly<Record<Case, readonly PairRun[]>>): Table {
  return {
    name: "pairs",
    caption: "Each pair: relation before training, and difficulty (loss summed over turns)",
    rows: CASES.flatMap((name) =>
      sumLosses(pairs[name]).map(([first, second], i) => ({
        case: name,
        image: i,
        relation: pairs[name][i].relation,
        cosine: pairs[name][i].cosine,
        "difficulty of the first (nats)": first,
        "difficulty of the second (nats)": second,
      }))
    ),
  };
}

/** Figure of the losses over the rounds. */
export async function drawLosses(
  pairs: Readonly<Record<Case, readonly PairRun[]>>,
): Promise<Figure> {
  const lines = CASES.flatMap((name) =>
    ["first", "second"].map((sample, i) => ({
      name: `${name}, ${sample}`,
      points: averageLosses(pairs[name], i),
    }))
  );
  return {
    name: "losses",
    caption: "Loss of each sample as its turn came, over the rounds",
    svg: await drawLines(lines, {
      title: "Two samples of one image, learnt in turn",
      x: { title: "Round", isWhole: true },
      y: { title: "Loss before the update (nats)" },
      band: `± 1 standard deviation over ${pairs["same label"].length} images`,
    }),
  };
}

/** Mean loss over the pairs in each round, with one standard deviation on either side. */
function averageLosses(runs: readonly PairRun[], sample: number): LinePoint[] {
  return runs[0].losses.map((_, round) => {
    const { mean, standardDeviation } = summarise(runs.map(({ losses }) => losses[round][sample]));
    const spread = standardDeviation ?? 0;
    return { x: round + 1, y: mean!, low: mean! - spread, high: mean! + spread };
  });
}
