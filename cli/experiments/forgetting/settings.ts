/**
 * Settings of `forgetting`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { SettingError } from "../experiment.ts";
import { PAPER_NETWORKS } from "../shared/paper.ts";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("lenet5"),
  /** Number of training samples. */
  trainSize: setting.count().default(25_600),
  /** Epochs before the first iteration that is watched: they lead into the middle of training. */
  epochsBefore: setting.count().default(1),
  batchBefore: setting.count().default(128),
  /** Learning rate of these epochs, for the mean of a batch's losses: as 5e-4 is for the sum of 128. */
  learningRateBefore: setting.positive().default(0.064),
  /** Batches of training samples that are watched, whole, in every iteration. */
  batches: setting.count().min(2).default(10),
  batchSize: setting.count().default(128),
  iterations: setting.count().default(30),
  /** Learning rate of the iterations that are watched. */
  learningRate: setting.positive().default(5e-4),
  /** Whether a batch's loss is the sum of its samples' or their mean, which takes a batchSize-th of the step. */
  loss: z.enum(["sum", "mean"]).default("sum"),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

/** Settings of the paper for the iterations that are watched. */
export const PAPER_SETTINGS = {
  batches: 10,
  batchSize: 128,
  iterations: 30,
  learningRate: 5e-4,
};

export const QUICK = { trainSize: 12_800, batches: 3, iterations: 8 };

export const PAPER = { ...PAPER_NETWORKS.mnist, ...PAPER_SETTINGS };

/**
 * Settings that bring narrow residual networks into the middle of training on CIFAR-10, with a step that makes about as many samples forgotten as the
 * paper saw, one in eight: the kernel of ResNet-18, at least eight times as wide, does so at a tenth of the rate.
 */
const NARROW = { batchBefore: 32, learningRateBefore: 0.5, learningRate: 5e-3 };

export const BY_DATA = {
  cifar10: {
    default: { ...NARROW, model: "resnet8", epochsBefore: 5 },
    quick: {
      ...NARROW,
      model: "resnet8_narrow",
      trainSize: 6000,
      epochsBefore: 5,
      batches: 5,
      iterations: 8,
    },
    paper: { ...PAPER_NETWORKS.cifar10, ...PAPER_SETTINGS, trainSize: 50_000, epochsBefore: 10 },
  },
};

/** @throws {SettingError} if the training set has fewer samples than are watched. */
export function checkSettings({ trainSize, batches, batchSize }: Settings): void {
  if (batches * batchSize > trainSize) {
    throw new SettingError("batches", `at most ${Math.floor(trainSize / batchSize)} of that size`);
  }
}
