/**
 * Labels that look wrong, judged by networks that have not learnt them and by a kernel from which they are left out.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import type { Engine } from "../../engine.ts";
import { CALL_OPTIONS, type CallOptions } from "../../gpu/pace.ts";
import type { NetworkDefinition } from "../../network/definition.ts";
import {
  checkKeys,
  checkNumber,
  FLAG,
  type OptionNames,
  type OtherNames,
  refuseSurplus,
} from "../../options.ts";
import { TRAINING_SPELLINGS, type TrainingOptions } from "../../training/options.ts";
import { chooseFolds, predictOutOfFolds } from "./folds.ts";
import { type LabelIssues, measureLoss, rankLabels } from "./label_ranking.ts";
import { poolJudges } from "./pooling.ts";
import { regressClasses } from "./regression.ts";

/** Training options that hold for the network of every fold. */
export type FoldTraining = Omit<
  TrainingOptions,
  "seed" | "signal" | "onProgress" | "onEpoch" | "validation" | "test" | "resume"
>;

const FOLD_TRAINING: OptionNames<FoldTraining> = {
  epochs: true,
  batch: true,
  learningRate: true,
  momentum: true,
  weightDecay: true,
  schedule: ["constant", "step", "cosine"],
  augment: FLAG,
};

/** Training options that would mean something else for each fold, or nothing. */
const FOLD_TRAINING_SPELLINGS: OtherNames = {
  ...TRAINING_SPELLINGS,
  refused: {
    ...TRAINING_SPELLINGS.refused,
    seed: "give the seed beside training",
    signal: "give the signal beside training",
    onProgress: "give onProgress beside training",
    onEpoch: "several networks are trained in turn",
    validation: "a network is asked for the fold that it has not learnt, and for nothing else",
    test: "a network is asked for the fold that it has not learnt, and for nothing else",
    resume: "every network is trained from its beginning",
  },
};

/** Options of {@link findLabelIssues}. */
export interface LabelIssueOptions extends CallOptions {
  /** Number of parts of the data set, each judged by a network that was trained on the others, at least 2. Default {@link chooseFolds}: 5, or 3 from 5,000 samples on. */
  readonly folds?: number;
  /** Seed of the folds, the networks and their training. Default 0. */
  readonly seed?: number;
  /** How the networks are trained, apart from what all folds have in common or none can have. */
  readonly training?: FoldTraining;
}

/** Most samples that kernel regression judges too: beyond them networks learn more than it does, and it takes minutes. */
export const MOST_REGRESSED = 10_000;

const LABEL_ISSUE_OPTIONS: OptionNames<LabelIssueOptions> = {
  folds: true,
  seed: true,
  training: true,
  ...CALL_OPTIONS,
};

/**
 * Ranks the labels of a data set by how little they are supported by judges that have not learnt them: networks, each trained on the other folds,
 * and kernel regressions under new networks and over the pictures' patches, from which the sample is left out. What they say is pooled by the
 * likelihood of the given labels.
 *
 * Costs a training for each fold, and, up to 10,000 samples, up to three regressions, of 10^9 multiplications and 24 MiB for every thousand samples.
 *
 * @throws {TypeError} if an option is unknown, or a training option is one that cannot hold for all folds.
 * @throws {RangeError} if there are fewer samples than folds, or an option is out of range.
 */
export async function findLabelIssues(
  engine: Engine,
  definition: NetworkDefinition,
  data: Dataset,
  options: LabelIssueOptions = {},
): Promise<LabelIssues> {
  const action = `find label issues of ${data.name}`;
  refuseSurplus(action, arguments, 4);
  checkKeys(action, options, LABEL_ISSUE_OPTIONS);
  const { labels, classes } = data;
  const count = labels.length;
  checkKeys(`${action} with training`, options.training, FOLD_TRAINING, FOLD_TRAINING_SPELLINGS);
  const isRegressed = count <= MOST_REGRESSED;
  const { folds = chooseFolds(count), seed = 0, training = {}, onProgress, signal } = options;
  const isFolds = (value: number) => Number.isInteger(value) && value >= 2 && value <= count;
  checkNumber(action, "folds", folds, isFolds, `an integer from 2 to ${count}, the samples`);
  const request = { seed, signal };
  // progress counts the samples that training sees, and each sample once more that is regressed
  const regressed = isRegressed ? count : 0;
  let trained = 0;
  const byNetworks = await predictOutOfFolds(engine, definition, data, {
    ...request,
    folds,
    training,
    onProgress: (done, total) => {
      trained = total;
      onProgress?.(done, total + regressed);
    },
  });
  const losses = Float64Array.from(
    labels,
    (label, n) => measureLoss(byNetworks[n * classes + label]),
  );
  const { probabilities } = poolJudges(
    isRegressed
      ? [byNetworks, ...await regress()]
      // a single judge is calibrated by the scale of its logits
      : [byNetworks.map((share) => -measureLoss(share))],
    labels,
    classes,
  );
  return { ...rankLabels(probabilities, byNetworks, data), losses };

  async function regress(): Promise<Float64Array[]> {
    const regressions = await regressClasses(engine, data, {
      ...request,
      onProgress: (done, total) =>
        onProgress?.(trained + Math.round(count * done / total), trained + count),
    });
    return regressions.map(({ scores }) => scores);
  }
}
