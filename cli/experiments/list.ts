/**
 * Every experiment, in the order in which `lpntk experiment list` shows them.
 *
 * @module
 */
import type { Experiment } from "./experiment.ts";
import { difficulty } from "./difficulty.ts";
import { debias } from "./debias.ts";
import { extreme } from "./extreme.ts";
import { poison } from "./poison.ts";
import { redundancy } from "./redundancy.ts";

/** The experiments. */
export const EXPERIMENTS: readonly Experiment[] = [
  difficulty,
  redundancy,
  debias,
  poison,
  extreme,
];
