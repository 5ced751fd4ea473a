/**
 * The network that a data set is cleaned with where the caller names none.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import type { NetworkDefinition } from "../../network/definition.ts";
import { lenet5, mlp } from "../../network/models.ts";
import type { TrainingOptions } from "../../training/options.ts";

/** A network, how it is trained, and why. */
export interface NetworkChoice {
  /** Definition of the network. */
  readonly definition: NetworkDefinition;
  /** Options that it is trained with. */
  readonly training: TrainingOptions;
  /** Reason for the choice, a sentence for people. */
  readonly reason: string;
}

/** Least height and width that LeNet-5's convolutions and poolings leave a pixel of. */
const LEAST_SIDE = 12;

/** Number of samples that all epochs see together, within the bounds of the epochs. */
const VISITS = 30_000;

/**
 * Chooses a network by the pictures' size, and its epochs by the number of samples: LeNet-5 where it fits, or else the perceptron, as for tables.
 * Pictures are not shifted or mirrored, since that makes another class of some, such as digits.
 */
export function chooseNetwork({ shape, labels }: Dataset): NetworkChoice {
  const [height, width, channels] = shape;
  const epochs = Math.min(12, Math.max(3, Math.round(VISITS / labels.length)));
  const definition = Math.min(height, width) < LEAST_SIDE ? mlp : lenet5;
  return {
    definition,
    training: { epochs, batch: 64, learningRate: 0.05, schedule: "cosine", weightDecay: 1e-3 },
    reason:
      `Network ${definition.name}, trained for ${epochs} epochs, for ${labels.length} samples of ${height} x ${width} x ${channels}.`,
  };
}
