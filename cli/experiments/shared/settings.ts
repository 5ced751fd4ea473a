/**
 * Settings that experiments share: kinds of values, and those that mean the same everywhere.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import type { RedundancyRule } from "../../../mod.ts";
import { MODEL_NEED, namesModel } from "../../model.ts";
import { PAPER_NETWORKS } from "./paper.ts";

/** A number of things, at least one. */
export const count = () => z.int().min(1);

/** A number above 0. */
export const positive = () => z.number().positive();

/** A number from 0 up to, but not, 1. */
export const fraction = () => z.number().min(0).lt(1);

/** A number above 0 and at most 1. */
export const ratio = () => z.number().positive().max(1);

/** Number of seeds, which count from 0. */
const SEEDS = 2 ** 32;

/** Seed of first weights, orders and choices. */
export const seed = () => z.int().min(0).max(SEEDS - 1).default(0);

/** The seed that comes `offset` after another; 0 follows the largest one. */
export function offsetSeed(seed: number, offset: number): number {
  return (seed + offset) % SEEDS;
}

/** Seed of the draw where a setting takes a part of a split; `seed` does not affect it. */
export const sampleSeed = seed;

/** A data set's name or a folder, as `--data` takes them. */
export const data = () => z.string().min(1).default("mnist");

/** Name of a built-in network, or a file with one, as `--model` takes them. */
export const model = () => z.string().refine(namesModel, MODEL_NEED);

/** Rules by which a sample can be redundant. */
export const RULES = ["any", "later"] as const satisfies readonly RedundancyRule[];

/** `any`: redundant by any other sample, as the paper's text says; `later`: by later ones alone, as in the authors' code. */
export const rule = () => z.enum(RULES).default("any");

/** Settings by which a residual network without batch norm learns CIFAR-10 on a GPU. */
export const CIFAR10 = { model: "resnet8", batch: 32, learningRate: 0.05, augment: true } as const;

/** Settings that two CPU cores train in minutes. They see each sample so few times that augmentation would only delay learning. */
export const CIFAR10_QUICK = { ...CIFAR10, model: "resnet8_narrow", augment: false } as const;

/** Settings for ResNet-18, whose layers are wider and need a smaller learning rate. */
export const CIFAR10_PAPER = {
  ...CIFAR10,
  ...PAPER_NETWORKS.cifar10,
  learningRate: 0.005,
} as const;

/** Whether training samples are moved and mirrored at random. */
export const augment = () => z.boolean().default(false);
