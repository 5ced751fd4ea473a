/**
 * Every experiment, in the order in which `lpntk experiment list` shows them.
 *
 * @module
 */
import type { Experiment } from "./experiment.ts";
import { difficulty } from "./difficulty.ts";
import { clusters } from "./clusters.ts";
import { control } from "./control.ts";
import { noise } from "./noise.ts";
import { extreme } from "./extreme.ts";

/** The experiments. */
export const EXPERIMENTS: readonly Experiment[] = [
  difficulty,
  clusters,
  extreme,
  control,
  noise,
];
