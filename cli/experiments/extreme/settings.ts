/**
 * Settings of `extreme`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("mlp"),
  /** Number of images, drawn from the training set; each is learnt by a network of its own seed. */
  images: setting.count().default(10),
  /** Times that each of the two samples is learnt. */
  rounds: setting.count().default(50),
  learningRate: setting.positive().default(0.01),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

export const QUICK = { images: 5, rounds: 30 };
