/**
 * How to train: options, their defaults, and what is refused.
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

/** How the learning rate changes: not at all, by a tenth at one half and at three quarters of the epochs, or along half a cosine to 0. */
export type Schedule = "constant" | "step" | "cosine";

/** How to train. */
export interface TrainingOptions extends CallOptions {
  /** Default 3. */
  readonly epochs?: number;
  /** Samples of one step, or all of them. Default 128. */
  readonly batch?: number | "full";
  /** Default 0.05. */
  readonly learningRate?: number;
  /** Default 0.9. */
  readonly momentum?: number;
  /** Added to the gradient as `weightDecay * w`, as PyTorch's SGD does. Default 0. */
  readonly weightDecay?: number;
  /** Default `constant`. */
  readonly schedule?: Schedule;
  /** Order of the samples, how they are augmented, and what is dropped. Default 0. */
  readonly seed?: number;
  /** Move and mirror the samples of each step at random, `cropAndFlip`. Default false. */
  readonly augment?: boolean;
  /** Judged after every epoch; the weights that do best on it are kept. Without it the last ones are. */
  readonly validation?: Dataset;
  /** Judged after every epoch, and never chosen by. */
  readonly test?: Dataset;
  /** Called after some steps with the samples seen so far and the samples of all epochs. */
  readonly onProgress?: OnProgress;
  /**
   * Called after every epoch with all that is needed to go on from there, and waited for; `encodeTrainingState` makes a file of it. A state
   * holds the parameters up to three times, which are read from the device in every epoch.
   */
  readonly onEpoch?: (state: TrainingState) => void | Promise<void>;
  /**
   * Where to go on, in place of the beginning: the result has the same bits as though training had never stopped, on the same adapter. The
   * network is one of the same definition and frozen tensors, whose parameters are put where they were; all options are as they were.
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

/** How PyTorch's users write them. */
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
 * The options with their defaults.
 *
 * @throws {TypeError} if one is unknown, `RangeError` if one is out of range.
 */
export function settle(options: TrainingOptions) {
  checkKeys("train", options, TRAINING_OPTIONS, TRAINING_SPELLINGS);
  const settings = { ...DEFAULTS, ...withoutUndefined(options) };
  checkRanges(settings);
  return settings;
}

/** What a state has to agree with to go on: all that the numbers of training depend on. */
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
