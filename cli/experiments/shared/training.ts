/**
 * Networks that experiments train, each once: what training recorded and the weights stay in the run folder.
 *
 * @module
 */
import {
  type Dataset,
  type EpochMetrics,
  type Network,
  NonFiniteError,
  type OnProgress,
  type TrainingOptions,
  type TrainingResult,
  type Weights,
} from "../../../mod.ts";
import { formatPercent } from "../../report/statistics.ts";
import { drawApart, type DrawOptions } from "../../samples.ts";
import { type Run, SettingError } from "../experiment.ts";
import { countLabels } from "./classes.ts";

/**
 * Draws training samples and others for validation, as `lpntk train` does.
 *
 * @throws {SettingError} if the data set holds fewer.
 */
export async function drawTraining(
  run: Run<DrawOptions>,
  trainSize: number,
  validationSize: number,
): Promise<{ readonly train: Dataset; readonly validation: Dataset }> {
  const whole = await run.data("train");
  const count = whole.labels.length;
  if (validationSize >= count) {
    const need = `at most ${count - 1}: ${whole.name} holds ${count} samples, some to train on`;
    throw new SettingError("validationSize", need);
  }
  if (trainSize + validationSize > count) {
    throw new SettingError(
      "trainSize",
      `at most ${
        count - validationSize
      }: ${whole.name} holds ${count} samples, ${validationSize} of them for validation`,
    );
  }
  const [train, validation] = drawApart(whole, [trainSize, validationSize], run.settings);
  await run.keepIndices(train);
  await run.keepIndices(validation, "validation_samples.npy");
  return { train, validation };
}

/** Creates the run's network for a data set, with new weights by the seed; the caller disposes it. */
export function createNetwork(
  { engine, definition }: Pick<Run<unknown>, "engine" | "definition">,
  { classes, shape }: Dataset,
  seed: number,
): Network {
  return engine.network(definition, { seed, classes }, shape);
}

/** Weights and record of a training. */
export interface Trained {
  readonly weights: Weights;
  readonly epochs: readonly EpochMetrics[];
  readonly bestEpoch: number;
  /** Each sample's cross-entropy summed over the epochs (section 3.2), in nats. */
  readonly difficulty: readonly number[];
}

/** Network, data and options of a training. */
export interface TrainingRequest extends TrainingOptions {
  /** Name, unique among the run's trainings. */
  readonly name: string;
  readonly data: Dataset;
  readonly seed: number;
  /** Weights to train on from; default: new ones by the seed. */
  readonly from?: Weights;
}

/**
 * Describes a network that does no better than by always naming the largest class: no more than 3 standard errors above its share. Undefined for one
 * that does.
 *
 * @param accuracy share of right answers, 0 to 1
 */
export function describeChance(
  accuracy: number,
  { labels, classes }: Dataset,
): string | undefined {
  const share = Math.max(...countLabels(labels, classes)) / labels.length;
  const chance = share + 3 * Math.sqrt(share * (1 - share) / labels.length);
  if (accuracy > chance) return undefined;
  return `accuracy at chance: ${formatPercent(accuracy)} after the last epoch, need more than ${
    formatPercent(chance)
  }`;
}

/**
 * Trains a network, or reads what an earlier process trained.
 *
 * @returns `undefined` where it diverged, or its last accuracy on the test or validation set is at chance; it is then excluded from the run.
 */
export async function trainOnce(
  run: Run<unknown>,
  { name, data, seed, from, ...options }: TrainingRequest,
): Promise<Trained | undefined> {
  const train = async (onProgress: OnProgress): Promise<TrainingResult> => {
    using network = from
      ? run.engine.network(run.definition, from, data.shape)
      : createNetwork(run, data, seed);
    return await run.engine.train(network, data, { ...options, seed, onProgress });
  };
  let weights: Weights | undefined;
  const record = await run.step(`training-${name}`, async (onProgress) => {
    try {
      const result = await train(onProgress);
      weights = result.weights;
      const { epochs, bestEpoch, difficulty } = result;
      return { epochs, bestEpoch, difficulty: Array.from(difficulty), failure: null };
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error;
      return { epochs: [], bestEpoch: 0, difficulty: [], failure: error.message };
    }
  });
  const { epochs, bestEpoch, difficulty, failure } = record;
  const last = epochs.at(-1);
  const judged = options.test ?? options.validation;
  const accuracy = options.test ? last?.testAccuracy : last?.validationAccuracy;
  const reason = failure ?? (judged && describeChance(accuracy!, judged));
  if (reason !== undefined) {
    run.exclude(name, reason);
    return undefined;
  }
  // a process may have been stopped before it kept the weights; training again ends with the same ones
  const kept = await run.weights(
    `weights-${name}`,
    async (onProgress) => weights ?? (await train(onProgress)).weights,
  );
  return { weights: kept, epochs, bestEpoch, difficulty };
}
