/**
 * Judges of labels: the network that `clean` asks, hers or one that it chooses and trains.
 *
 * @module
 */
import {
  chooseFolds,
  chooseNetwork,
  type Dataset,
  type Engine,
  type LabelIssues,
  MOST_REGRESSED,
  type Network,
  type NetworkDefinition,
  type TrainingOptions,
} from "../../mod.ts";
import { loadDefinition, loadNetwork } from "../model.ts";
import { type LargestClass, writePercents } from "./largest_class.ts";

/** A network that judges labels. */
export interface Judge {
  /** Value of `--model`, or the name of the network that was chosen. */
  readonly model: string;
  readonly definition: NetworkDefinition;
  /** How it is trained. */
  readonly training: TrainingOptions;
  /** Number of parts of the samples. */
  readonly folds: number;
  /** File of its weights; without one, networks are trained on all parts but one to judge that one. */
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
  const folds = chooseFolds(data.labels.length);
  const others = data.labels.length > MOST_REGRESSED
    ? ""
    : ", and by kernel regressions from which it was left out";
  const how =
    `Each sample was judged by networks that have not learnt it, in ${folds} parts${others}.`;
  if (model === undefined) {
    return { model: definition.name, definition, training, folds, reason: `${reason} ${how}` };
  }
  const named = { model, definition: await loadDefinition(model), training, folds, weights };
  const said = weights === undefined
    ? `trained for ${training.epochs} epochs. ${how}`
    : `with ${weights}, judged as it is: labels that it has learnt by heart it does not doubt.`;
  return { ...named, reason: `Network ${model}, ${said}` };
}

/** Says how often the judges agree with the labels, and what follows where that is no more than nothing. */
export function describeAgreement(
  { weights }: Judge,
  { pooled, networks, largestClass, isBeaten }: LabelIssues["agreement"] & LargestClass,
): string {
  const all = writePercents(pooled);
  const said = weights === undefined
    ? `The judges agree with ${all} of the labels, the networks alone with ${
      writePercents(networks)
    }`
    : `The network agrees with ${all} of the labels`;
  return isBeaten
    ? `${said}.`
    : `${said}; to name the largest class always agrees with ${
      writePercents(largestClass)
    }, so that suspects are guesses.`;
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
