/**
 * Settings of `debias`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import * as setting from "../shared/settings.ts";
import { SUBSET_BASES, SUBSET_SETTINGS } from "../shared/subsets.ts";

export const SETTINGS = z.strictObject({
  ...SUBSET_SETTINGS,
  /** Rule by which samples count as redundant, as in `redundancy`. */
  rule: setting.rule(),
  /** Clusters per sample. */
  ratio: setting.ratio().default(0.1),
  perClass: z.boolean().default(true),
  /** Share of each head cluster that is pruned. */
  share: setting.ratio().default(0.1),
  /** Networks over which the scores are averaged. */
  scoreSeeds: setting.count().default(5),
  /** Epochs after which EL2N and GraNd are taken: early in training. */
  scoreEpochs: setting.count().default(1),
});

export type Settings = z.output<typeof SETTINGS>;

/** Overrides by the quick settings of those that subset experiments share. */
const OWN_QUICK = { rule: "later", scoreSeeds: 1, seeds: 2 } as const;

/** Overrides by the paper's settings. */
const OWN_PAPER = { rule: "later", scoreSeeds: 10 } as const;

const { mnist, cifar10 } = SUBSET_BASES;

export const QUICK = { ...mnist.quick, ...OWN_QUICK };

export const PAPER = { ...mnist.paper, ...OWN_PAPER };

export const BY_DATA = {
  cifar10: {
    default: cifar10.default,
    quick: { ...cifar10.quick, ...OWN_QUICK, epochs: 20 },
    paper: { ...cifar10.paper, ...OWN_PAPER },
  },
};
