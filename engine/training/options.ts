/**
 * Options of training, their defaults and their checks.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { hashDataset } from "../data/digest.ts";
import { CALL_OPTIONS, type CallOptions, type OnProgress } from "../gpu/pace.ts";
import {
  checkKeys,
  checkNumber,
  FLAG,
  isCount,
  type OptionNames,
  type OtherNames,
} from "../options.ts";
import type { DeviceNetwork } from "../network/network.ts";
import type { StateSettings, TrainingState } from "./state.ts";

/**
 * Schedule of the learning rate: `constant`, `step`, which divides it by ten at one half and again at three quarters of the epochs, or
 * `cosine`, which lowers it along half a cosine to 0.
 */
export type Schedule = "constant" | "step" | "cosine";

/** Options of training. */
export interface TrainingOptions extends CallOptions {
  /** Number of epochs. Default 3. */
  readonly epochs?: number;
  /** Number of samples in one step, or `full` for all of them. Default 128. */
  readonly batch?: number | "full";
  /** Learning rate that the schedule begins with. Default 0.05. */
  readonly learningRate?: number;
  /** Momentum, from 0 to below 1. Default 0.9. */
  readonly momentum?: number;
  /** Factor of the weights that is added to their gradient, `weightDecay * w`, as PyTorch's SGD does. Default 0. */
  readonly weightDecay?: number;
  /** Schedule of the learning rate. Default `constant`. */
  readonly schedule?: Schedule;
  /** Seed of the samples' order, their augmentation and dropout, an integer from 0 to 2^32 - 1. Default 0. */
  readonly seed?: number;
  /** Whether each sample of a step is shifted by up to 4 pixels and mirrored at random. Default false. */
  readonly augment?: boolean;
  /** Samples that accuracy is measured on after every epoch; the weights of the best epoch are kept, and without it those of the last. */
  readonly validation?: Dataset;
  /** Samples that accuracy is measured on after every epoch, without any influence on which weights are kept. */
  readonly test?: Dataset;
  /** Called after some steps with the number of samples seen so far and the number in all epochs. */
  readonly onProgress?: OnProgress;
  /**
   * Called after every epoch with the state that training can be resumed from, and awaited; `encodeTrainingState` makes a file of it. A state
   * holds the parameters up to three times, which are read from the device in every epoch.
   */
  readonly onEpoch?: (state: TrainingState) => void | Promise<void>;
  /**
   * State that training resumes from: the result has the same bits as if training had never stopped, on the same adapter. The network needs
   * the same definition and frozen tensors, and its parameters are overwritten; all options need to be the same.
   */
  readonly resume?: TrainingState;
}

const TRAINING_OPTIONS: OptionNames<TrainingOptions> = {
  epochs: true,
  batch: true,
  learningRate: true,
  momentum: true,
  weightDecay: true,
  schedule: ["constant", "step", "cosine"],
  seed: true,
  augment: FLAG,
  validation: true,
  test: true,
  onEpoch: true,
  resume: true,
  ...CALL_OPTIONS,
};

/** Names in PyTorch of options that are called otherwise here, and of options that are not supported. */
export const TRAINING_SPELLINGS: OtherNames = {
  renamed: {
    lr: "learningRate",
    batch_size: "batch",
    batchSize: "batch",
    num_epochs: "epochs",
    numEpochs: "epochs",
  },
  refused: {
    optimizer: "training is gradient descent with momentum",
    nesterov: "Nesterov's momentum is not supported",
    dampening: "dampened momentum is not supported",
    shuffle: "every epoch takes the samples in another random order",
  },
};

const DEFAULTS = {
  epochs: 3,
  batch: 128 as number | "full",
  learningRate: 0.05,
  momentum: 0.9,
  weightDecay: 0,
  schedule: "constant" as Schedule,
  seed: 0,
  augment: false,
};

/**
 * Checks the options and fills in their defaults.
 *
 * @throws {TypeError} if an option is unknown.
 * @throws {RangeError} if an option is out of range.
 */
export function settle(options: TrainingOptions) {
  checkKeys("train", options, TRAINING_OPTIONS, TRAINING_SPELLINGS);
  const settings = { ...DEFAULTS, ...withoutUndefined(options) };
  checkRanges(settings);
  return settings;
}

/** Collects everything that the results of training depend on; a state has to agree with it to be resumed. */
export function identifyTraining(
  network: DeviceNetwork,
  data: Dataset,
  { validation, test, ...settings }: ReturnType<typeof settle>,
): StateSettings {
  const { epochs, batch, learningRate, momentum, weightDecay, schedule, seed, augment } = settings;
  const identify = (set?: Dataset) => set ? hashDataset(set) : null;
  return {
    network: network.definition.name,
    epochs,
    batch,
    learningRate,
    momentum,
    weightDecay,
    schedule,
    seed,
    augment,
    samples: identify(data),
    validation: identify(validation),
    test: identify(test),
  };
}

function checkRanges(settings: typeof DEFAULTS): void {
  const { epochs, batch, learningRate, momentum, weightDecay } = settings;
  const check = (name: string, value: unknown, fits: (value: number) => boolean, need: string) =>
    checkNumber("train", name, value, fits, need);
  check("epochs", epochs, isCount, "a positive integer");
  if (batch !== "full") check("batch", batch, isCount, "a positive integer or 'full'");
  check("learning rate", learningRate, (rate) => rate > 0, "a positive number");
  check("momentum", momentum, (share) => share >= 0 && share < 1, "a number from 0 to below 1");
  check("weight decay", weightDecay, (decay) => decay >= 0, "a number of at least 0");
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined)) as T;
}
