/**
 * Settings of `noise`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { countShare } from "../../../engine/share.ts";
import { SettingError } from "../experiment.ts";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("lenet5"),
  trainSize: setting.count().default(4000),
  testSize: setting.count().default(1000),
  /** Share of the labels that are flipped, to another class at random. */
  share: setting.fraction().default(0.1),
  /** Runs, each with other flips, first weights and orders. */
  seeds: setting.count().default(5),
  /** Epochs after which samples are ranked, in increasing order: the later ones see a network that has learnt wrong labels by heart. */
  checkpoints: z.array(setting.count()).min(1).default([10, 40]),
  batch: setting.count().default(64),
  learningRate: setting.positive().default(0.02),
  /** Number of nearest samples that vote. */
  neighbours: setting.count().default(20),
  /** Number of samples on the contact sheet. */
  suspects: setting.count().default(10),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

export const QUICK = { trainSize: 2000, seeds: 2, checkpoints: [10] };

/** @throws {SettingError} if settings that are each in range do not go together. */
export function checkSettings(
  { checkpoints, neighbours, suspects, trainSize, share }: Settings,
): void {
  if (checkpoints.some((epochs, i) => i > 0 && epochs <= checkpoints[i - 1])) {
    throw new SettingError("checkpoints", "in increasing order");
  }
  if (neighbours >= trainSize) throw new SettingError("neighbours", "below trainSize");
  if (suspects > trainSize) throw new SettingError("suspects", "at most trainSize");
  if (countShare(share, trainSize, "nearest") === 0) {
    throw new SettingError("share", "large enough to flip a label");
  }
}
