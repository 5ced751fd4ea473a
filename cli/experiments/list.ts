/**
 * Every experiment, in the order in which `lpntk experiment list` shows them.
 *
 * @module
 */
import type { Experiment } from "./experiment.ts";
import { clusters } from "./clusters.ts";
import { control } from "./control.ts";
import { debias } from "./debias.ts";
import { difficulty } from "./difficulty.ts";
import { extreme } from "./extreme.ts";
import { forgetting } from "./forgetting.ts";
import { noise } from "./noise.ts";
import { poison } from "./poison.ts";
import { redundancy } from "./redundancy.ts";
import { theorem1 } from "./theorem1.ts";

/** The experiments, in the order of the paper; then ours. */
export const EXPERIMENTS: readonly Experiment[] = [
  difficulty,
  forgetting,
  clusters,
  redundancy,
  debias,
  poison,
  theorem1,
  extreme,
  control,
  noise,
];
