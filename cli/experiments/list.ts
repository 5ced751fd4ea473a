/**
 * Every experiment, in the order in which `lpntk experiment list` shows them.
 *
 * @module
 */
import type { Experiment } from "./experiment.ts";
import { clusters } from "./clusters/clusters.ts";
import { control } from "./control/control.ts";
import { debias } from "./debias/debias.ts";
import { difficulty } from "./difficulty/difficulty.ts";
import { extreme } from "./extreme/extreme.ts";
import { forgetting } from "./forgetting/forgetting.ts";
import { noise } from "./noise/noise.ts";
import { poison } from "./poison/poison.ts";
import { redundancy } from "./redundancy/redundancy.ts";
import { theorem1 } from "./theorem1/theorem1.ts";

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
