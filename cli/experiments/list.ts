/**
 * Every experiment, in the order in which `lpntk experiment list` shows them.
 *
 * @module
 */
import type { Experiment } from "./experiment.ts";
import { clusters } from "./clusters.ts";
import { control } from "./control.ts";
import { difficulty } from "./difficulty.ts";
import { extreme } from "./extreme.ts";
import { forgetting } from "./forgetting.ts";
import { noise } from "./noise.ts";
import { theorem1 } from "./theorem1.ts";

/** The experiments, in the order of the paper; then ours. */
export const EXPERIMENTS: readonly Experiment[] = [
  difficulty,
  forgetting,
  clusters,
  theorem1,
  extreme,
  control,
  noise,
];
