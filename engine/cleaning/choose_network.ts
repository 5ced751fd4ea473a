/**
 * The network that a data set is cleaned with where the caller names none.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { NetworkDefinition } from "../network/definition.ts";
import { lenet5, mlp, resnet8Narrow } from "../network/models.ts";
import type { TrainingOptions } from "../training/options.ts";

/** A network, how it is trained, and why. */
export interface NetworkChoice {
  readonly definition: NetworkDefinition;
  readonly training: TrainingOptions;
  /** Reason for the choice, a sentence for people. */
  readonly reason: string;
}

/** Least height and width at which lenet5's convolutions and poolings leave a pixel. */
const LEAST_SIDE = 12;

/** Number of samples that training visits in all, epochs times samples, where no epochs bound it. */
const VISITS = 10_000;

/**
 * Chooses a network by the pictures' size and channels, and its epochs by the number of samples: many for few samples, some for many.
 */
export function chooseNetwork({ shape, labels, name }: Dataset): NetworkChoice {
  const [height, width, channels] = shape;
  const epochs = Math.min(20, Math.max(3, Math.round(VISITS / labels.length)));
  const training = { epochs, batch: 64, schedule: "cosine", weightDecay: 1e-3 } as const;
  const pictures = `${labels.length} pictures of ${height} x ${width} x ${channels}`;
  const say = (network: string) => `${name} has ${pictures}: ${network}, ${epochs} epochs`;
  if (Math.min(height, width) < LEAST_SIDE) {
    return { definition: mlp, training: { ...training, learningRate: 0.02 }, reason: say("mlp") };
  }
  if (channels === 1) {
    return {
      definition: lenet5,
      training: { ...training, learningRate: 0.02 },
      reason: say("lenet5"),
    };
  }
  return {
    definition: resnet8Narrow,
    training: { ...training, learningRate: 0.02, augment: true },
    reason: say("resnet8_narrow, with shifted and mirrored pictures"),
  };
}
