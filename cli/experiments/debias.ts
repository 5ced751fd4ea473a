/**
 * Pruning the largest cluster (section 4.3, figure 3), beside the scores by which others prune.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import {
  chooseCenters,
  type Clusters,
  clusterSamples,
  type Dataset,
  findRedundant,
  keepHighest,
  keepRandom,
  keepUnflagged,
  pruneHeads,
  scoreLogits,
  type Weights,
} from "../../mod.ts";
import type { Arm } from "../comparison.ts";
import { formatPercent } from "../report/statistics.ts";
import type { Experiment, Run } from "./experiment.ts";
import { findReported, PAPER_NETWORKS } from "./paper.ts";
import * as setting from "./settings.ts";
import {
  chooseTraining,
  claimTest,
  DEGREES_NOTE,
  drawSubsets,
  loadSubsetData,
  type Pair,
  SUBSET_BASES,
  SUBSET_SETTINGS,
  tabulateArms,
  tabulateTests,
  trainKernelNetwork,
  trainSubsetArms,
} from "./subsets.ts";
import { claimNumber, listDifferences } from "./verdict.ts";

const SETTINGS = z.strictObject({
  ...SUBSET_SETTINGS,
  /** Which samples count as redundant, as in `redundancy`. */
  rule: z.enum(["any", "later"]).default("any"),
  /** Clusters per sample. */
  ratio: setting.ratio().default(0.1),
  perClass: z.boolean().default(true),
  /** Share of each head cluster that is pruned. */
  share: setting.ratio().default(0.1),
  /** Networks over which the scores are averaged. */
  scoreSeeds: setting.count().default(5),
  /** Epochs after which EL2N and GraNd are taken: early in training. */
  scoreEpochs: setting.count().default(1),
});

type Settings = z.output<typeof SETTINGS>;

/** The paper's t-test of the whole set against the pruned one. */
const PAPER_TESTS = { mnist: "t(19) = -3.205, p = 0.005", cifar10: "t(19) = -3.996, p = 0.003" };

/** What each score's arm is called. */
const SCORES = {
  el2n: "highest EL2N",
  grand: "highest GraNd",
  forgettings: "most forgotten",
} as const;
type Score = keyof typeof SCORES;

/** What differs from `redundancy`, beside its rule. */
const QUICK = { rule: "later", scoreSeeds: 1, seeds: 2 } as const;
const PAPER = { rule: "later", scoreSeeds: 10 } as const;

/** Section 4.3. */
export const debias: Experiment<typeof SETTINGS> = {
  name: "debias",
  source: "section 4.3, figure 3",
  about: "prune redundant samples and a tenth of the largest clusters, beside other scores",
  settings: SETTINGS,
  quick: { ...SUBSET_BASES.mnist.quick, ...QUICK },
  paper: { ...SUBSET_BASES.mnist.paper, ...PAPER },
  byData: {
    cifar10: {
      default: SUBSET_BASES.cifar10.default,
      quick: { ...SUBSET_BASES.cifar10.quick, ...QUICK, epochs: 20 },
      paper: { ...SUBSET_BASES.cifar10.paper, ...PAPER },
    },
  },

  async run(run) {
    const { settings } = run;
    const data = await loadSubsetData(run);
    const { train } = data;
    const weights = await trainKernelNetwork(run, data);
    const { rest, clusters } = await clusterRest(run, train, weights);
    const size = pruneHeads(clusters, settings.share).length;
    const scores = await scoreSamples(run, train);
    const centers = await chooseCover(run, train, weights, size);
    const count = settings.trainSize;
    const network = findReported(PAPER_NETWORKS, settings.data);
    const { trainSize } = findReported(SUBSET_BASES, settings.data).paper;
    const arms: Arm[] = [
      { name: "whole" },
      { name: "lpNTK", keep: (seed) => pruneHeads(clusters, settings.share, seed) },
      { name: "random", keep: (seed) => keepRandom(count, size, seed) },
      ...(Object.keys(SCORES) as Score[]).map((score) => ({
        name: SCORES[score],
        keep: (seed: number) => keepHighest(scores[score], size, seed),
      })),
      { name: "k-center greedy", keep: () => centers },
    ];
    const results = await trainSubsetArms(run, data, arms);
    const others = arms.map(({ name }) => name).filter((name) => name !== "lpNTK");
    const head = clusters.assignment
      .filter((cluster) => clusters.heads.includes(cluster)).length;
    const removed = (count - size) / count;
    return {
      metrics: { samples: count, notRedundant: rest.length, head, kept: size, results },
      tables: [
        {
          name: "pruning",
          caption: "What the steps of section 4.3 leave",
          rows: [
            { step: "whole", samples: count, "of the whole (%)": 100 },
            {
              step: "not redundant",
              samples: rest.length,
              "of the whole (%)": 100 * rest.length / count,
            },
            { step: "heads pruned", samples: size, "of the whole (%)": 100 * size / count },
          ],
        },
        tabulateTests(results, others.map((other): Pair => ["lpNTK", other])),
        ...tabulateArms(results),
      ],
      figures: [
        ...await drawSubsets(results.slice(0, 3), settings, {
          name: "accuracy",
          what: `on the whole training set and on ${size} samples, chosen by lpNTK and at random`,
        }),
        ...await drawSubsets(results.slice(1), settings, {
          name: "accuracy_scores",
          what: `on ${size} samples, chosen by lpNTK, at random and by the scores of others`,
        }),
      ],
      claims: [
        claimTest(results, {
          what: "the pruned set is better to learn from than the whole",
          paper: `significantly better: ${findReported(PAPER_TESTS, settings.data)}`,
          pair: ["lpNTK", "whole"],
          expected: "better",
        }),
        claimTest(results, {
          what: "lpNTK's choice is better to learn from than as many samples at random",
          paper: "not compared",
          pair: ["lpNTK", "random"],
          expected: "better",
        }),
        claimNumber({
          what: "share of the training set that is removed",
          paper: 0.2,
          ours: { value: removed, tolerance: 0.05, reason: "the paper says roughly" },
          differences: listDifferences(settings, { ...network, trainSize }),
        }),
      ],
      notes: [
        `${
          formatPercent(1 - rest.length / count)
        } of the samples are redundant by rule '${settings.rule}'; the ${
          settings.perClass ? "largest clusters of the classes" : "largest cluster"
        } of the rest hold ${formatPercent(head / rest.length)}.`,
        `EL2N and GraNd are averaged over ${settings.scoreSeeds} networks after ${settings.scoreEpochs} epochs, forgetting events over as many networks' whole training; samples that were never right count as forgotten most. K-center greedy covers the penultimate layer's features of the kernel's network.`,
        "EL2N, GraNd and forgetting events keep the samples that score highest, ties drawn at random; every arm but the whole has as many samples as lpNTK's.",
        DEGREES_NOTE,
      ],
    };
  },
};

/** What is left of the training set, and its clusters. */
interface Rest {
  readonly rest: readonly number[];
  readonly clusters: Pick<Clusters, "assignment" | "heads">;
}

/** Removes redundant samples, and clusters the rest. */
async function clusterRest(
  { engine, settings, definition, step }: Run<Settings>,
  train: Dataset,
  weights: Weights,
): Promise<Rest> {
  const { rule, ratio, perClass } = settings;
  const { rest, assignment, heads } = await step("clusters", async (onProgress) => {
    using network = engine.network(definition, weights, train.shape);
    using rows = await engine.project(network, train);
    const rest = Array.from(keepUnflagged(await findRedundant(rows, { rule }, onProgress)));
    const { assignment, heads } = await clusterSamples(rows, {
      ratio,
      among: rest,
      ...perClass && { perClass: train.labels },
    }, onProgress);
    return { rest, assignment: Array.from(assignment), heads };
  });
  return { rest, clusters: { assignment: Int32Array.from(assignment), heads } };
}

/** Scores of every sample, averaged over networks of several seeds, `[N]` each; `Infinity` for a sample that some network never got right. */
async function scoreSamples(
  { engine, settings, definition, step }: Run<Settings>,
  train: Dataset,
): Promise<Record<Score, number[]>> {
  const { epochs, scoreSeeds, scoreEpochs } = settings;
  const parts: Record<Score, number[]>[] = [];
  for (let seed = 0; seed < scoreSeeds; seed++) {
    const build = () => {
      const source = { seed: SCORE_SEED + seed, classes: train.classes };
      return engine.network(definition, source, train.shape);
    };
    const training = { ...chooseTraining(settings), seed: SCORE_SEED + seed };
    const early = await step(`scores_seed_${seed}`, async (onProgress) => {
      using network = build();
      await engine.train(network, train, { ...training, epochs: scoreEpochs, onProgress });
      const { el2n } = scoreLogits(await engine.logits(network, train), train.labels);
      const grand = await engine.gradientNorms(network, train);
      return { el2n: Array.from(el2n), grand: Array.from(grand) };
    });
    const forgettings = await step(`forgettings_seed_${seed}`, async (onProgress) => {
      using network = build();
      const result = await engine.train(network, train, { ...training, epochs, onProgress });
      // JSON knows no infinity
      return Array.from(result.forgettings, (events) => Number.isFinite(events) ? events : null);
    });
    parts.push({ ...early, forgettings: forgettings.map((events) => events ?? Infinity) });
  }
  const average = (score: Score) =>
    Array.from(
      train.labels,
      (_, n) => parts.reduce((sum, part) => sum + part[score][n], 0) / scoreSeeds,
    );
  return {
    el2n: average("el2n"),
    grand: average("grand"),
    forgettings: average("forgettings"),
  };
}

/** Seed of the first network that scores, apart from those of the arms. */
const SCORE_SEED = 1000;

/** The samples that k-center greedy chooses by the features of the kernel's network. */
async function chooseCover(
  { engine, definition, step }: Run<Settings>,
  train: Dataset,
  weights: Weights,
  size: number,
): Promise<number[]> {
  return await step("centers", async () => {
    using network = engine.network(definition, weights, train.shape);
    const features = await engine.features(network, train);
    return Array.from(chooseCenters(features, train.labels.length, size));
  });
}
