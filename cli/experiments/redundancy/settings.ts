/**
 * Settings of `redundancy`.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import * as setting from "../shared/settings.ts";
import { SUBSET_BASES, SUBSET_SETTINGS } from "../shared/subsets.ts";

export const SETTINGS = z.strictObject({
  ...SUBSET_SETTINGS,
  /** Rule by which samples count as redundant. */
  rule: setting.rule(),
});

export type Settings = z.output<typeof SETTINGS>;

/** Rule of the authors' code, from which the paper's numbers come. */
const OWN = { rule: "later" } as const;

const { mnist, cifar10 } = SUBSET_BASES;

export const QUICK = { ...mnist.quick, ...OWN };

export const PAPER = { ...mnist.paper, ...OWN };

export const BY_DATA = {
  cifar10: {
    default: cifar10.default,
    quick: { ...cifar10.quick, ...OWN },
    paper: { ...cifar10.paper, ...OWN },
  },
};
