/**
 * Choice of the samples that are kept: by section 4.3 of the paper, at random, and by the scores of others.
 *
 * @module
 */
import {
  type Clusters,
  clusterSamples,
  type Dataset,
  dropFlagged,
  findRedundant,
  kCenterGreedy,
  keepHighest,
  keepRandom,
  pruneHeads,
  scoreLogits,
  type Weights,
} from "../../../mod.ts";
import type { Arm } from "../../comparison.ts";
import type { Run } from "../experiment.ts";
import { listKeys, mapKeys } from "../shared/records.ts";
import { chooseTraining, type SubsetData, trainKernelNetwork } from "../shared/subsets.ts";
import { createNetwork } from "../shared/training.ts";
import type { Settings } from "./settings.ts";

/** Name of each score's arm. */
const SCORES = {
  el2n: "highest EL2N",
  grand: "highest GraNd",
  forgettings: "most forgotten",
} as const;
type Score = keyof typeof SCORES;
const SCORE_KEYS = listKeys(SCORES);

/** Samples that are left of the training set, and their clusters. */
export interface Rest {
  /** Samples that are not redundant. */
  readonly rest: readonly number[];
  readonly clusters: Pick<Clusters, "assignment" | "heads">;
}

/** The arms that are compared, and what they were chosen by. */
export interface Choice extends Rest {
  readonly arms: readonly Arm[];
  /** Number of samples of every arm but the whole set. */
  readonly size: number;
}

/** Chooses the samples of every arm. */
export async function chooseArms(run: Run<Settings>, data: SubsetData): Promise<Choice> {
  const { trainSize: count, share } = run.settings;
  const { train } = data;
  const weights = await trainKernelNetwork(run, data);
  const { rest, clusters } = await clusterRest(run, train, weights);
  const size = pruneHeads(clusters, share).length;
  const scores = await scoreSamples(run, train);
  const centers = await chooseCover(run, train, weights, size);
  const arms = [
    { name: "whole" },
    { name: "lpNTK", keep: (seed: number) => pruneHeads(clusters, share, seed) },
    { name: "random", keep: (seed: number) => keepRandom(count, size, seed) },
    ...SCORE_KEYS.map((score) => ({
      name: SCORES[score],
      keep: (seed: number) => keepHighest(scores[score], size, seed),
    })),
    { name: "k-center greedy", keep: () => centers },
  ];
  return { rest, clusters, arms, size };
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
    const rest = Array.from(dropFlagged(await findRedundant(rows, { rule, onProgress })));
    const { assignment, heads } = await clusterSamples(rows, {
      ratio,
      among: rest,
      ...perClass && { perClass: train.labels },
      onProgress,
    });
    return { rest, assignment: Array.from(assignment), heads };
  });
  return { rest, clusters: { assignment: Int32Array.from(assignment), heads } };
}

/** Seed of the first network that scores, apart from those of the arms. */
const SCORE_SEED = 1000;

/** Scores of every sample, averaged over networks of several seeds, `[N]` each; `Infinity` for a sample that some network never got right. */
async function scoreSamples(
  run: Run<Settings>,
  train: Dataset,
): Promise<Record<Score, number[]>> {
  const { scoreSeeds } = run.settings;
  const parts: Record<Score, number[]>[] = [];
  for (let seed = 0; seed < scoreSeeds; seed++) {
    const early = await scoreEarly(run, train, seed);
    parts.push({ ...early, forgettings: await countForgettings(run, train, seed) });
  }
  return mapKeys(SCORE_KEYS, (score) =>
    Array.from(
      train.labels,
      (_, n) => parts.reduce((sum, part) => sum + part[score][n], 0) / scoreSeeds,
    ));
}

/** EL2N and GraNd under one network, early in its training. */
async function scoreEarly(run: Run<Settings>, train: Dataset, seed: number) {
  const { engine, settings } = run;
  return await run.step(`scores_seed_${seed}`, async (onProgress) => {
    using network = createNetwork(run, train, SCORE_SEED + seed);
    await engine.train(network, train, {
      ...chooseTraining(settings),
      seed: SCORE_SEED + seed,
      epochs: settings.scoreEpochs,
      onProgress,
    });
    const { el2n } = scoreLogits(await engine.logits(network, train), train.labels);
    const grand = await engine.gradientNorms(network, train);
    return { el2n: Array.from(el2n), grand: Array.from(grand) };
  });
}

/** Forgetting events over the whole training of one network. */
async function countForgettings(
  run: Run<Settings>,
  train: Dataset,
  seed: number,
): Promise<number[]> {
  const { engine, settings } = run;
  const forgettings = await run.step(`forgettings_seed_${seed}`, async (onProgress) => {
    using network = createNetwork(run, train, SCORE_SEED + seed);
    const { forgettings } = await engine.train(network, train, {
      ...chooseTraining(settings),
      seed: SCORE_SEED + seed,
      epochs: settings.epochs,
      onProgress,
    });
    // null stands for infinity, which JSON does not have
    return Array.from(forgettings, (events) => Number.isFinite(events) ? events : null);
  });
  return forgettings.map((events) => events ?? Infinity);
}

/** Chooses samples by k-center greedy among the features of the kernel's network. */
async function chooseCover(
  { engine, definition, step }: Run<Settings>,
  train: Dataset,
  weights: Weights,
  size: number,
): Promise<number[]> {
  return await step("centers", async () => {
    using network = engine.network(definition, weights, train.shape);
    const features = await engine.features(network, train);
    return Array.from(kCenterGreedy(features, train.labels.length, size));
  });
}
