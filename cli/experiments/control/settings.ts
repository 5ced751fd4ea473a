/**
 * Settings of `control`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("mlp"),
  /** Labels of the classes that the network tells apart. */
  classes: z.array(z.int().min(0)).min(2).default([4, 9]),
  /** Samples of those classes, drawn from the training set: targets and company come from them. */
  poolSize: setting.count().default(1000),
  /** Epochs over the pool before the kernel is taken, in batches of 64. */
  kernelEpochs: setting.count().default(3),
  targets: setting.count().default(20),
  /** Samples that every training set of a target has in common, drawn at random. */
  baseSize: setting.count().default(60),
  /** Number of samples that are added. */
  added: setting.count().default(10),
  /** Networks of each training set. */
  seeds: setting.count().default(3),
  /** Steps of gradient descent, each over the whole training set. */
  epochs: setting.count().default(30),
  learningRate: setting.positive().default(0.05),
  momentum: setting.fraction().default(0.9),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

export const QUICK = { targets: 6, seeds: 1 };
