/**
 * Judges of labels: the network that `clean` asks, hers or one that it chooses and trains.
 *
 * @module
 */
import {
  chooseNetwork,
  type Dataset,
  type Engine,
  type Network,
  type NetworkDefinition,
  type TrainingOptions,
} from "../../mod.ts";
import { loadDefinition, loadNetwork } from "../model.ts";

/** A network that judges labels. */
export interface Judge {
  /** Value of `--model`, or the name of the network that was chosen. */
  readonly model: string;
  readonly definition: NetworkDefinition;
  /** How it is trained. */
  readonly training: TrainingOptions;
  /** File of its weights; without one, networks are trained on parts of the samples to judge the others. */
  readonly weights?: string;
  /** Sentence for people: which network judges, and what follows from that. */
  readonly reason: string;
}

/** Options that choose a judge. */
export interface JudgeOptions {
  readonly model?: string;
  readonly weights?: string;
}

/** Loads the network that the options name, or chooses one for the pictures. Both are trained as `chooseNetwork` has it for these samples. */
export async function chooseJudge({ model, weights }: JudgeOptions, data: Dataset): Promise<Judge> {
  const { definition, training, reason } = chooseNetwork(data);
  if (model === undefined) return { model: definition.name, definition, training, reason };
  const named = { model, definition: await loadDefinition(model), training };
  const { epochs } = training;
  return weights === undefined
    ? {
      ...named,
      reason:
        `${model}, ${epochs} epochs, trained so that each sample is judged by networks that have not learnt it`,
    }
    : {
      ...named,
      weights,
      reason:
        `${model} with ${weights}, which judges as it is: of labels that it has learnt by heart it doubts few`,
    };
}

/** Opens the judge's network: hers, or a new one that has learnt nothing yet. The caller disposes it. */
export async function openNetwork(
  engine: Engine,
  { model, definition, weights }: Judge,
  data: Dataset,
  seed: number,
): Promise<Network> {
  return weights === undefined
    ? engine.network(definition, { seed, classes: data.classes }, data.shape)
    : await loadNetwork(engine, { model, weights }, data.shape);
}
