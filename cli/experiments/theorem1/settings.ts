/**
 * Settings of `theorem1`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { SettingError } from "../experiment.ts";
import * as setting from "../shared/settings.ts";

export const SETTINGS = z.strictObject({
  data: setting.data(),
  /** Samples of the training set from which the pairs are taken. */
  trainSize: setting.count().default(500),
  /**
   * Height and width of the window of maximum pooling: a network with more inputs than units has a first layer that outweighs the others, and no
   * width is large. 28 x 28 pixels become 16 inputs, fewer than the smallest width.
   */
  pool: setting.count().default(7),
  /** Samples of each class. */
  perClass: setting.count().min(2).default(2),
  /** Widths of the last hidden layer. */
  widths: z.array(setting.count()).min(3).default([32, 64, 128, 256, 512, 1024, 2048, 4096]),
  /** Smallest width that the slopes are fitted over: the theorem is about large ones. */
  fitFrom: setting.count().default(256),
  /** New networks at each width, with seeds one after another. */
  networks: setting.count().min(2).default(10),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

export type Settings = z.output<typeof SETTINGS>;

export const QUICK = { widths: [32, 64, 128, 256, 512, 1024] };

/** @throws {SettingError} if fewer than three widths are fitted. */
export function checkSettings({ widths, fitFrom }: Settings): void {
  const third = new Set(widths).values().toArray().sort((a, b) => b - a)[2];
  if (third === undefined) throw new SettingError("widths", "three different ones");
  if (fitFrom > third) {
    throw new SettingError("fitFrom", `at most ${third}, so that three widths are fitted`);
  }
}
