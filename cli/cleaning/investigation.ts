/**
 * Investigation of a data set: which labels look wrong, which samples are there twice, which resemble no class, and which teach nothing new.
 *
 * @module
 */
import {
  computeClassSimilarity,
  computeSelfSimilarity,
  type Dataset,
  type Engine,
  findDuplicates,
  findLabelIssues,
  findNearest,
  type LabelIssues,
  lenet5,
  mlp,
  type Network,
  type NetworkDefinition,
  resnet8Narrow,
  scoreLogits,
  type TrainingOptions,
} from "../../mod.ts";
import { withProgress } from "../progress.ts";
import type { Findings, Suspect } from "./findings.ts";

/** Judge of the labels: a network with weights, or a definition that is trained out of folds. */
export type Judge =
  | { readonly network: Network; readonly model: string }
  | {
    readonly definition: NetworkDefinition;
    readonly training: TrainingOptions;
    readonly why: string;
  };

/** Chooses a network and its training for a data set. */
export function chooseJudge(data: Dataset): Judge {
  const [height, width, channels] = data.shape;
  const definition = channels === 3 ? resnet8Narrow : height === 28 && width === 28 ? lenet5 : mlp;
  return { definition, training: { epochs: 10, learningRate: 0.02, batch: 64 }, why: "" };
}

/** Finds what is wrong with a data set. */
export async function investigate(
  engine: Engine,
  data: Dataset,
  judge: Judge,
  seed: number,
): Promise<Findings> {
  const count = data.labels.length;
  const duplicates = findDuplicates(data);
  const issues = await judgeLabels(engine, data, judge, seed);
  const { labels } = data;
  using stack = new DisposableStack();
  let difficulty: ArrayLike<number> = issues.losses;
  let network: Network;
  if ("network" in judge) network = judge.network;
  else {
    network = stack.use(
      engine.network(judge.definition, { seed, classes: data.classes }, data.shape),
    );
    const trained = await withProgress(
      "training on all samples",
      "images",
      (onProgress) => engine.train(network, data, { ...judge.training, seed, onProgress }),
    );
    difficulty = trained.difficulty;
  }
  const classSimilarity = await measureClasses(engine, network, data);
  using rows = await engine.project(network, data);
  const self = await computeSelfSimilarity(rows);
  const nearest = await findNearest(rows, 1);
  const redundancy = Float64Array.from(self, (own, i) => nearest.similarities[i] / own);
  const suspects = Array.from(issues.order, (position): Suspect => ({
    position,
    given: labels[position],
    suggested: issues.suggested[position],
    score: issues.scores[position],
    loss: issues.losses[position],
    ownClassSimilarity: classSimilarity[position * data.classes + labels[position]],
    witnessesFor: [],
    witnessesAgainst: [],
  }));
  return { data, labels: suspects, suspectCount: 0, duplicates } as unknown as Findings;
}

async function measureClasses(engine: Engine, network: Network, data: Dataset) {
  using rows = await engine.project(network, data, { normalise: true });
  return await computeClassSimilarity(rows, data.labels, data.classes);
}

async function judgeLabels(
  engine: Engine,
  data: Dataset,
  judge: Judge,
  seed: number,
): Promise<LabelIssues> {
  return null!;
}
