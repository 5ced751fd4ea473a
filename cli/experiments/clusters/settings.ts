/**
 * Settings of `clusters`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { PAPER_NETWORKS } from "../shared/paper.ts";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("lenet5"),
  trainSize: setting.count().default(10_000),
  /** Validation samples, which choose the epoch and the seed of the network whose kernel is taken. */
  validationSize: setting.count().default(1000),
  /** Networks over which difficulty is averaged. */
  seeds: setting.count().default(3),
  epochs: setting.count().default(5),
  batch: setting.count().default(64),
  learningRate: setting.positive().default(0.02),
  augment: setting.augment(),
  /** Clusters per sample, the paper's M / N. */
  ratio: setting.ratio().default(0.1),
  /** Share of the samples that is called the easiest, and the hardest. */
  share: setting.ratio().default(0.1),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

/** Settings of the paper: the whole training set. The paper does not say how much of it validates, nor how it trains for this section. */
export const PAPER_SETTINGS = {
  mnist: { ...PAPER_NETWORKS.mnist, trainSize: 55_000, validationSize: 5000 },
  cifar10: { ...PAPER_NETWORKS.cifar10, trainSize: 45_000, validationSize: 5000 },
};

export const QUICK = { trainSize: 2000, validationSize: 500, seeds: 2, epochs: 10 };

export const PAPER = { ...PAPER_SETTINGS.mnist, seeds: 10, epochs: 10 };

export const BY_DATA = {
  cifar10: {
    default: { ...setting.CIFAR10, epochs: 30 },
    quick: {
      ...setting.CIFAR10_QUICK,
      trainSize: 2000,
      validationSize: 500,
      seeds: 2,
      epochs: 12,
    },
    paper: { ...setting.CIFAR10_PAPER, ...PAPER_SETTINGS.cifar10, seeds: 10, epochs: 100 },
  },
};
