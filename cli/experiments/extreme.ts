/**
 * Two samples with one image (appendix D.1): with one label the later one is learnt already when its turn comes; with two labels of two
 * classes each undoes what the other did.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import {
  computeSelfSimilarity,
  createDataset,
  type Dataset,
  type Engine,
  type NetworkDefinition,
  type OnProgress,
  relateSamples,
  type Relation,
  takeSamples,
} from "../../mod.ts";
import { drawLines, type LinePoint } from "../report/charts.ts";
import { summarise } from "../report/statistics.ts";
import type { Claim, Experiment, Run } from "./experiment.ts";
import * as setting from "./settings.ts";
import { claimDirection } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("mlp"),
  /** Images that are tried one after another, drawn from the training set; each with a network of its own seed. */
  images: setting.count().default(10),
  /** Times that each of the two samples is learnt. */
  rounds: setting.count().default(50),
  learningRate: setting.positive().default(0.01),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

/** The samples' labels, by what the paper says of them. */
const CASES = { "same label": [0, 0], "different labels": [0, 1] } as const;
type Case = keyof typeof CASES;

/** What one pair did. */
interface PairRun {
  /** Loss of each sample as its turn came, `[round][first, second]`, in nats. */
  readonly losses: readonly (readonly [number, number])[];
  readonly relation: Relation;
  /** Similarity of the two over the root of their self-similarities, before training. */
  readonly cosine: number;
}

/** Appendix D.1. */
export const extreme: Experiment<typeof SETTINGS> = {
  name: "extreme",
  source: "appendix D.1",
  about: "two samples of one image: with one label, and with two",
  settings: SETTINGS,
  quick: { images: 5, rounds: 30 },
  paper: {},

  async run(run) {
    const pairs = { "same label": [] as PairRun[], "different labels": [] as PairRun[] };
    const data = await run.data("train", { images: run.settings.images });
    for (const name of Object.keys(CASES) as Case[]) {
      const step = name.replace(" ", "_");
      pairs[name] = await run.step(
        step,
        (onProgress) => learnPairs(run, data, CASES[name], onProgress),
      );
    }
    const [same, different] = [pairs["same label"], pairs["different labels"]];
    const difficulties = { same: sumLosses(same), different: sumLosses(different) };
    const last = different.map(({ losses }) => {
      const tail = losses.slice(-Math.ceil(losses.length / 10)).flat();
      return summarise(tail).mean!;
    });
    const every = same.length;
    const later = difficulties.same.filter(([first, second]) => second < first).length;
    const harder =
      difficulties.different.filter((pair, i) =>
        Math.min(...pair) > Math.max(...difficulties.same[i])
      ).length;
    const stuck = last.filter((loss) => loss >= CHANCE).length;
    const of = (n: number) => sayShare(n, every);
    const mean = (values: number[]) => summarise(values).mean!.toFixed(2);
    return {
      metrics: { difficulties, lastLosses: last, pairs },
      tables: [{
        name: "pairs",
        caption: "Each pair: relation before training, and difficulty (loss summed over turns)",
        rows: (Object.keys(CASES) as Case[]).flatMap((name) =>
          sumLosses(pairs[name]).map(([first, second], i) => ({
            case: name,
            image: i,
            relation: pairs[name][i].relation,
            cosine: pairs[name][i].cosine,
            "difficulty of the first (nats)": first,
            "difficulty of the second (nats)": second,
          }))
        ),
      }],
      figures: [{
        name: "losses",
        caption: "Loss of each sample as its turn came, over the rounds",
        svg: await drawLines(
          (Object.keys(CASES) as Case[]).flatMap((name) =>
            ["first", "second"].map((place, i) => ({
              name: `${name}, ${place}`,
              points: averageLosses(pairs[name], i),
            }))
          ),
          {
            title: "Two samples of one image, learnt in turn",
            x: { title: "Round", isWhole: true },
            y: { title: "Loss before the update (nats)" },
            band: `± 1 standard deviation over ${every} images`,
          },
        ),
      }],
      claims: [
        claimRelation("two samples of one image and one label", same, "interchangeable"),
        claimDirection({
          what: "of those two, the one that appears later is easy",
          paper: "the later one is counted as easy",
          ours: `${of(later)}; mean difficulty ${
            mean(difficulties.same.map(([first]) => first))
          } for the first, ${mean(difficulties.same.map(([, second]) => second))} for the second`,
          need: "the second has the smaller difficulty in every pair",
          holds: later === every,
        }),
        claimRelation("two samples of one image and two labels", different, "contradictory"),
        claimDirection({
          what: "both of those two are difficult",
          paper: "both are difficult",
          ours: `${of(harder)}; mean difficulty ${mean(difficulties.different.flat())} against ${
            mean(difficulties.same.flat())
          } with one label`,
          need: "in every pair both are harder than either of the same image with one label",
          holds: harder === every,
        }),
        claimDirection({
          what: "their learning does not converge",
          paper: "unlikely to converge",
          ours: `${of(stuck)}; mean loss ${
            mean(last)
          } nats over the last tenth of the rounds, chance is ${CHANCE.toFixed(2)}`,
          need: "the mean loss over the last tenth of the rounds is not below chance in any pair",
          holds: stuck === every,
        }),
      ],
      notes: [
        "The paper gives no image, network or learning rate for this example; ours are in the configuration.",
        "With K = 2 the sign vectors of the two labels are each other's negative, so the second case's similarity is exactly that of the first with the sign changed, for any network.",
        "A relation is judged at threshold 0.5 and before training; a loss is taken as a sample's turn comes, before its own update.",
      ],
    };
  },
};

/** What the paper says of every pair: its relation, for any network. */
function claimRelation(what: string, runs: readonly PairRun[], wanted: Relation): Claim {
  const found = runs.filter(({ relation }) => relation === wanted).length;
  return claimDirection({
    what: `${what} are ${wanted}`,
    paper: wanted,
    ours: sayShare(found, runs.length),
    need: `every pair is ${wanted}`,
    holds: found === runs.length,
  });
}

function sayShare(count: number, every: number): string {
  return `${count} of ${every} pairs`;
}

/** Loss of a guess between two classes, in nats. */
const CHANCE = Math.log(2);

async function learnPairs(
  { engine, settings, definition }: Run<Settings>,
  data: Dataset,
  labels: readonly [number, number],
  onProgress: OnProgress,
): Promise<PairRun[]> {
  const runs: PairRun[] = [];
  for (let image = 0; image < settings.images; image++) {
    const twice = takeSamples(data, [image, image]);
    const pair = createDataset({ ...twice, labels, classes: 2 });
    const seed = (settings.seed + image) % 2 ** 32;
    runs.push(await learnPair(engine, definition, pair, { ...settings, seed }));
    onProgress(image + 1, settings.images);
  }
  return runs;
}

/** Learns the two samples in turn, one update each. */
async function learnPair(
  engine: Engine,
  definition: NetworkDefinition,
  pair: Dataset,
  { seed, rounds, learningRate }: Settings,
): Promise<PairRun> {
  using network = engine.network(definition, { seed, classes: 2 }, pair.shape);
  using rows = await engine.project(network, pair);
  const { partners: [{ relation, similarity }] } = await relateSamples(rows, { sample: 0 });
  const self = await computeSelfSimilarity(rows);
  const samples = [0, 1].map((index) => takeSamples(pair, [index]));
  const losses: [number, number][] = [];
  for (let round = 0; round < rounds; round++) {
    const turn: number[] = [];
    for (const sample of samples) {
      const { epochs } = await engine.train(network, sample, {
        epochs: 1,
        batch: 1,
        momentum: 0,
        learningRate,
      });
      turn.push(epochs[0].trainLoss);
    }
    losses.push(turn as [number, number]);
  }
  return { losses, relation, cosine: similarity / Math.sqrt(self[0] * self[1]) };
}

/** Difficulties of the first and the second sample of each pair, in nats (section 3.2). */
function sumLosses(runs: readonly PairRun[]): [number, number][] {
  const sum = (losses: PairRun["losses"], place: number) =>
    losses.reduce((total, turn) => total + turn[place], 0);
  return runs.map(({ losses }) => [sum(losses, 0), sum(losses, 1)]);
}

/** Mean loss over the pairs in each round, with one standard deviation on either side. */
function averageLosses(runs: readonly PairRun[], place: number): LinePoint[] {
  return runs[0].losses.map((_, round) => {
    const { mean, standardDeviation } = summarise(runs.map(({ losses }) => losses[round][place]));
    const spread = standardDeviation ?? 0;
    return { x: round + 1, y: mean!, low: mean! - spread, high: mean! + spread };
  });
}
