/**
 * Settings of `poison`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { countShare } from "../../../engine/share.ts";
import { SettingError } from "../experiment.ts";
import * as setting from "../shared/settings.ts";
import { SUBSET_BASES, SUBSET_SETTINGS } from "../shared/subsets.ts";

export const SETTINGS = z.strictObject({
  ...SUBSET_SETTINGS,
  epochs: setting.count().default(50),
  batch: setting.count().default(16),
  /** Shares of the training set to train on. */
  shares: z.array(setting.ratio()).min(1).default([0.01, 0.05]),
  /** Clusters per sample. */
  ratio: setting.ratio().default(0.1),
  perClass: z.boolean().default(true),
});

export type Settings = z.output<typeof SETTINGS>;

const { quick, paper } = SUBSET_BASES.mnist;

export const QUICK = { ...quick, trainSize: 4_000, seeds: 4, epochs: 20, batch: 16 };

export const PAPER = { ...paper, epochs: 100 };

/**
 * Number of samples of each share.
 *
 * @throws {SettingError} if two shares are equal, or one is of no sample.
 */
export function countShares({ shares, trainSize }: Settings): number[] {
  const sizes = shares.map((share) => countShare(share, trainSize));
  if (sizes.includes(0) || new Set(shares).size < shares.length) {
    throw new SettingError("shares", `different ones of at least one sample of ${trainSize}`);
  }
  return sizes;
}
