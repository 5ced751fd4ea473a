/**
 * Every experiment, in the order in which `lpntk experiment list` shows them.
 *
 * @module
 */
import type { Experiment } from "./experiment.ts";
import { difficulty } from "./difficulty.ts";
import { extreme } from "./extreme.ts";
import { forgetting } from "./forgetting.ts";
import { theorem1 } from "./theorem1.ts";

/** The experiments. */
export const EXPERIMENTS: readonly Experiment[] = [
  difficulty,
  extreme,
  forgetting,
  theorem1,
];
