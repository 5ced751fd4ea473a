/**
 * Training on a small share of the data, taken from the largest cluster or from everything (appendix E.2, figure 7).
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { clusterSamples, countShare, type Dataset, keepRandom, type Weights } from "../../mod.ts";
import type { Arm } from "../comparison.ts";
import { formatPercent } from "../report/statistics.ts";
import { type Experiment, type Run, SettingError } from "./experiment.ts";
import * as setting from "./settings.ts";
import {
  claimTest,
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

const SETTINGS = z.strictObject({
  ...SUBSET_SETTINGS,
  epochs: setting.count().default(50),
  batch: setting.count().default(16),
  /** Shares of the training set to train on. */
  shares: z.array(setting.ratio()).min(1).default([0.01, 0.05]),
  /** Clusters per sample. */
  ratio: setting.ratio().default(0.1),
  perClass: z.boolean().default(true),
});

type Settings = z.output<typeof SETTINGS>;

/** Appendix E.2. */
export const poison: Experiment<typeof SETTINGS> = {
  name: "poison",
  source: "appendix E.2, figure 7",
  about: "train on 1% and 5% of the data, from the largest cluster against from everything",
  settings: SETTINGS,
  quick: { ...SUBSET_BASES.mnist.quick, trainSize: 4_000, seeds: 4, epochs: 20, batch: 16 },
  paper: { ...SUBSET_BASES.mnist.paper, epochs: 100 },

  async run(run) {
    const { settings } = run;
    const { trainSize, shares } = settings;
    const sizes = shares.map((share) => countShare(share, trainSize));
    if (sizes.includes(0) || new Set(shares).size < shares.length) {
      throw new SettingError("shares", `different ones of at least one sample of ${trainSize}`);
    }
    const data = await loadSubsetData(run);
    const weights = await trainKernelNetwork(run, data);
    const head = await findHead(run, data.train, weights, Math.max(...sizes));
    const arms = shares.flatMap((share, i): Arm[] => [
      {
        name: nameArm(share, "head"),
        keep: (seed) => keepRandom(head.length, sizes[i], seed).map((at) => head[at]),
      },
      {
        name: nameArm(share, "everything"),
        keep: (seed) => keepRandom(trainSize, sizes[i], seed),
      },
    ]);
    const results = await trainSubsetArms(run, data, arms);
    const pairs = shares.map((share): Pair => [
      nameArm(share, "head"),
      nameArm(share, "everything"),
    ]);
    const counts = Array.from({ length: data.train.classes }, () => 0);
    for (const sample of head) counts[data.train.labels[sample]]++;
    const where = settings.perClass ? "the classes' largest clusters" : "the largest cluster";
    const figures = await Promise.all(
      shares.map((share, i) =>
        drawSubsets(results.slice(2 * i, 2 * i + 2), settings, {
          name: `accuracy_${formatShare(share)}`,
          what: `on ${sizes[i]} samples, from ${where} and from everything`,
        })
      ),
    );
    return {
      metrics: { samples: trainSize, head: head.length, results },
      tables: [
        tabulateTests(results, pairs),
        ...tabulateArms(results),
        {
          name: "head",
          caption: `Samples of ${where} by class`,
          rows: counts.map((samples, label) => ({ class: label, samples })),
        },
      ],
      figures: figures.flat(),
      claims: pairs.map((pair, i) =>
        claimTest(results, {
          what: `${formatShare(shares[i])}% from the head teach more than as many from everything`,
          paper: "higher test accuracy from the largest cluster, at 1% and at 5%",
          pair,
          expected: "better",
        })
      ),
      notes: [
        `${head.length} samples, ${formatPercent(head.length / trainSize)}, are in ${where}${
          settings.perClass
            ? ""
            : `; ${
              counts.filter((samples) => samples > 0).length
            } of ${counts.length} classes have some there`
        }.`,
        "The appendix calls samples poisoning that lower test accuracy by being in the training set; no label is changed.",
        "Both kinds of subsets are drawn anew for each seed.",
      ],
    };
  },
};

/** 0.05 as `5`. */
function formatShare(share: number): string {
  return String(Number((100 * share).toPrecision(6)));
}

function nameArm(share: number, from: "head" | "everything"): string {
  return `${formatShare(share)}% from ${from === "head" ? "the head" : from}`;
}

/**
 * Samples of the head cluster, or of each class's.
 *
 * @throws {RangeError} if it holds fewer samples than are to be drawn from it.
 */
async function findHead(
  { engine, settings, definition, step }: Run<Settings>,
  train: Dataset,
  weights: Weights,
  size: number,
): Promise<number[]> {
  const { ratio, perClass } = settings;
  const head = await step("head", async (onProgress) => {
    using network = engine.network(definition, weights, train.shape);
    using rows = await engine.project(network, train);
    const options = perClass ? { ratio, perClass: train.labels } : { ratio };
    const { assignment, heads } = await clusterSamples(rows, options, onProgress);
    return Array.from(assignment.keys().filter((sample) => heads.includes(assignment[sample])));
  });
  if (head.length >= size) return head;
  throw new RangeError(
    `Cannot draw from the head: got ${head.length} samples in it, need ${size}; lower shares or ratio`,
  );
}
