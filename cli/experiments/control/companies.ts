/**
 * The pool of samples, and which of them are added to a target's training set.
 *
 * @module
 */
import {
  computeGram,
  createDataset,
  type Dataset,
  drawStratified,
  keepRandom,
  type Rows,
  takeSamples,
} from "../../../mod.ts";
import { summarise } from "../../report/statistics.ts";
import { SettingError } from "../experiment.ts";
import { mapKeys } from "../shared/records.ts";
import { offsetSeed } from "../shared/settings.ts";
import type { Settings } from "./settings.ts";

/** Training sets of a target, by the samples that are added to them. */
export const ARMS = ["interchangeable", "random", "unrelated", "contradictory"] as const;
export type Arm = typeof ARMS[number];

/** Samples that are added to a training set. */
export interface Company {
  readonly samples: readonly number[];
  /** Mean of `kappa(x, x') / max(kappa(x, x), kappa(x', x'))`: 1/2 and more is interchangeable, -1/2 and less contradictory (appendix C). */
  readonly relation: number;
}

/**
 * Draws samples of the wanted classes, labelled 0, 1, ... in the order of the setting.
 *
 * @throws {SettingError} if the settings do not go together, or not with the data.
 */
export function takePool(whole: Dataset, settings: Settings): Dataset {
  const { classes, poolSize, targets, baseSize, added, sampleSeed: seed } = settings;
  if (new Set(classes).size < classes.length || Math.max(...classes) >= whole.classes) {
    throw new SettingError("classes", `different labels below ${whole.classes}`);
  }
  const needed = targets + baseSize + added;
  if (poolSize < needed) {
    throw new SettingError("poolSize", `at least ${needed}, targets, baseSize and added together`);
  }
  const wanted = [...whole.labels.keys()].filter((i) => classes.includes(whole.labels[i]));
  if (wanted.length < poolSize) {
    throw new SettingError("poolSize", `at most ${wanted.length}, the samples of those classes`);
  }
  const samples = drawStratified(takeSamples(whole, wanted), poolSize, { seed });
  const labels = samples.labels.map((label) => classes.indexOf(label));
  const classNames = samples.classNames && classes.map((label) => samples.classNames![label]);
  return createDataset({ ...samples, labels, classes: classes.length, classNames });
}

/** Samples of the pool, by their purpose. */
export interface Parts {
  readonly targets: readonly number[];
  /** Samples that every training set holds. */
  readonly base: readonly number[];
  /** Samples that may be added. */
  readonly free: readonly number[];
}

/** Divides the pool at random. */
export function dividePool({ poolSize, targets: count, baseSize, seed }: Settings): Parts {
  const targets = [...keepRandom(poolSize, count, seed)];
  const others = [...Array(poolSize).keys()].filter((sample) => !targets.includes(sample));
  const base = [...keepRandom(others.length, baseSize, seed)].map((i) => others[i]);
  const free = others.filter((sample) => !base.includes(sample));
  return { targets, base, free };
}

/** Rows of the pool, which give its kernel. */
export interface Kernel {
  readonly rows: Rows;
  /** Self-similarities, `[N]`. */
  readonly self: Float32Array;
}

/**
 * Finds the samples of `free` that are most interchangeable with the target, unrelated and contradictory to it, and as many at random.
 *
 * @param own row of the target
 */
export async function findCompanies(
  own: Rows,
  { rows, self }: Kernel,
  target: number,
  free: readonly number[],
  { added, seed }: Settings,
): Promise<Record<Arm, Company>> {
  const similarity = await computeGram(own, rows);
  // both ratios of appendix C are at least t in size if the smaller one is
  const relate = (other: number) => similarity[other] / Math.max(self[target], self[other]);
  const stray = (other: number) =>
    Math.abs(similarity[other]) / Math.min(self[target], self[other]);
  const first = (key: (other: number) => number) =>
    free.toSorted((a, b) => key(a) - key(b) || a - b).slice(0, added);
  const chosen: Record<Arm, number[]> = {
    interchangeable: first((other) => -relate(other)),
    random: [...keepRandom(free.length, added, offsetSeed(seed, target))].map((i) => free[i]),
    unrelated: first(stray),
    contradictory: first(relate),
  };
  return mapKeys(ARMS, (arm) => ({
    samples: chosen[arm],
    relation: summarise(chosen[arm].map(relate)).mean!,
  }));
}
