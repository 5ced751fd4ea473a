/**
 * Judges of labels: the networks that `clean` asks, hers or those that it chooses and trains.
 *
 * @module
 */
import {
  type Dataset,
  type Engine,
  lenet5,
  mlp,
  type Network,
  type NetworkDefinition,
  resnet8Narrow,
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
  /** File of its weights; without one it is trained on parts of the samples to judge the others. */
  readonly weights?: string;
}

/** Options that choose a judge. */
export interface JudgeOptions {
  readonly model?: string;
  readonly weights?: string;
}

/** Loads the network that the options name, or chooses one for the size of the pictures. */
export async function chooseJudge(
  { model, weights }: JudgeOptions,
  data: Dataset,
): Promise<Judge> {
  const training = { epochs: 10, learningRate: 0.02, batch: 64 };
  if (model !== undefined) {
    return { model, definition: await loadDefinition(model), training, weights };
  }
  const [height, width, channels] = data.shape;
  const definition = channels === 3 ? resnet8Narrow : height === 28 && width === 28 ? lenet5 : mlp;
  return { model: definition.name, definition, training };
}

/** Sentences that say who judges, and what follows from that. */
export function describeJudge({ model, weights }: Judge, data: Dataset): string[] {
  const count = data.labels.length;
  return weights === undefined ? [`${model} was trained out of folds`] : [
    `${model} with the weights of ${weights} judged ${count} samples; labels that it has learnt by heart it does not doubt`,
  ];
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
