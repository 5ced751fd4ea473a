/**
 * Pairs of samples with one image, learnt in turn.
 *
 * @module
 */
import {
  computeSelfSimilarity,
  createDataset,
  type Dataset,
  type OnProgress,
  relateSamples,
  type Relation,
  takeSamples,
} from "../../../mod.ts";
import type { Run } from "../experiment.ts";
import { listKeys, mapKeys } from "../shared/records.ts";
import { offsetSeed } from "../shared/settings.ts";
import { createNetwork } from "../shared/training.ts";
import type { Settings } from "./settings.ts";

/** Labels of the two samples in each case of the paper. */
const LABELS = { "same label": [0, 0], "different labels": [0, 1] } as const;
export type Case = keyof typeof LABELS;
export const CASES = listKeys(LABELS);

/** Losses and relation of one pair. */
export interface PairRun {
  /** Loss of each sample at its turn, before its update, `[round][first, second]`, in nats. */
  readonly losses: readonly (readonly [number, number])[];
  readonly relation: Relation;
  /** Similarity of the two over the root of the product of their self-similarities, before training. */
  readonly cosine: number;
}

/** Trains on every pair of both cases. */
export async function learnCases(
  run: Run<Settings>,
  data: Dataset,
): Promise<Record<Case, PairRun[]>> {
  const pairs = mapKeys(CASES, (): PairRun[] => []);
  for (const name of CASES) {
    pairs[name] = await run.step(
      name.replace(" ", "_"),
      (onProgress) => learnPairs(run, data, LABELS[name], onProgress),
    );
  }
  return pairs;
}

async function learnPairs(
  run: Run<Settings>,
  data: Dataset,
  labels: readonly [number, number],
  onProgress: OnProgress,
): Promise<PairRun[]> {
  const { images, seed } = run.settings;
  const runs: PairRun[] = [];
  for (let image = 0; image < images; image++) {
    const twice = takeSamples(data, [image, image]);
    const pair = createDataset({ ...twice, labels, classes: 2, classNames: undefined });
    runs.push(await learnPair(run, pair, offsetSeed(seed, image)));
    onProgress(image + 1, images);
  }
  return runs;
}

/** Trains on the two samples in turn, one update each. */
async function learnPair(run: Run<Settings>, pair: Dataset, seed: number): Promise<PairRun> {
  const { engine, settings: { rounds, learningRate } } = run;
  using network = createNetwork(run, pair, seed);
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
export function sumLosses(runs: readonly PairRun[]): [number, number][] {
  const sum = (losses: PairRun["losses"], sample: number) =>
    losses.reduce((total, turn) => total + turn[sample], 0);
  return runs.map(({ losses }) => [sum(losses, 0), sum(losses, 1)]);
}
