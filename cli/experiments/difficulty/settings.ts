/**
 * Settings of `difficulty`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { SettingError } from "../experiment.ts";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("mlp"),
  /** Number of classes, the first ones of the data set. */
  classes: setting.count().min(2).default(4),
  samplesPerClass: setting.count().default(500),
  /** Samples of a subset, the paper's X. */
  subsetSizes: z.array(setting.count()).min(1).default([1, 5, 10, 40, 200, 1000]),
  epochs: setting.count().default(100),
  learningRate: setting.positive().default(0.1),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

export const QUICK = { epochs: 30 };

/** @throws {SettingError} if a size of subsets does not divide the number of samples. */
export function checkSizes({ subsetSizes }: Settings, count: number): void {
  const size = subsetSizes.find((size) => size >= count || count % size !== 0);
  if (size !== undefined) {
    throw new SettingError("subsetSizes", `sizes below ${count} that divide it: ${size} does not`);
  }
}
