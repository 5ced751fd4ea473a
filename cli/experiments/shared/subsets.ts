/**
 * Parts that the experiments on parts of a training set share (section 4 and appendix E.2): settings, the network whose kernel chooses, and training
 * on what is chosen.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { type Clusters, type Dataset, NonFiniteError, type Weights } from "../../../mod.ts";
import {
  type Arm,
  type ArmResult,
  type ArmRun,
  type ArmSettings,
  countArmSamples,
  trainArm,
} from "../../comparison.ts";
import type { Run } from "../experiment.ts";
import { PAPER_NETWORKS } from "./paper.ts";
import * as setting from "./settings.ts";
import { createNetwork, describeChance, drawTraining } from "./training.ts";

/** Settings of data, of the network whose kernel chooses, and of the networks that are compared. */
export const SUBSET_SETTINGS = {
  data: setting.data(),
  model: setting.model().default("lenet5"),
  trainSize: setting.count().default(10_000),
  /** Validation samples, by which the weights of the kernel's network are chosen. */
  validationSize: setting.count().default(2_000),
  testSize: setting.count().default(2_000),
  /** Epochs of the kernel's network, of which the weights that do best on the validation samples are taken (section 2.1). */
  kernelEpochs: setting.count().default(20),
  /** Runs of each arm. */
  seeds: setting.count().default(5),
  epochs: setting.count().default(10),
  batch: setting.count().default(64),
  learningRate: setting.positive().default(0.02),
  momentum: setting.fraction().default(0.9),
  /**
   * Schedule of the learning rate: constant, a tenth from one half and a hundredth from three quarters of the epochs on, or half a cosine down to 0.
   */
  schedule: z.enum(["constant", "step", "cosine"]).default("constant"),
  augment: setting.augment(),
  /** Seed of the kernel's network; those of the arms are 0, 1, ... */
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
};

/** Values of `SUBSET_SETTINGS`. */
export type SubsetSettings = z.output<z.ZodObject<typeof SUBSET_SETTINGS>>;

/**
 * Overrides of these settings by each base. The paper's base is the data set as section 4 uses it, but for 5,000 of the training samples, by which
 * the weights of the kernel's network are chosen; the paper gives neither epochs nor batch size nor learning rate, and does not say how the rate
 * falls.
 */
export const SUBSET_BASES = {
  mnist: {
    default: {},
    quick: {
      trainSize: 1_500,
      validationSize: 500,
      testSize: 500,
      kernelEpochs: 12,
      seeds: 3,
      epochs: 12,
      batch: 32,
    },
    paper: {
      ...PAPER_NETWORKS.mnist,
      trainSize: 55_000,
      validationSize: 5_000,
      testSize: 10_000,
      kernelEpochs: 50,
      seeds: 10,
      epochs: 50,
    },
  },
  cifar10: {
    default: { ...setting.CIFAR10, schedule: "cosine", kernelEpochs: 30, epochs: 30 },
    quick: {
      ...setting.CIFAR10_QUICK,
      // at a constant rate, networks of a few hundred samples are still at chance after the last epoch
      schedule: "cosine",
      trainSize: 1_000,
      validationSize: 300,
      testSize: 1_000,
      // before the network knows its samples, nearly all of them are redundant under its kernel
      kernelEpochs: 30,
      seeds: 2,
      epochs: 24,
      batch: 16,
    },
    paper: {
      ...setting.CIFAR10_PAPER,
      schedule: "cosine",
      trainSize: 45_000,
      validationSize: 5_000,
      testSize: 10_000,
      kernelEpochs: 100,
      seeds: 10,
      epochs: 100,
    },
  },
} as const;

/** Samples of an experiment on parts of a training set. */
export interface SubsetData {
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
}

/**
 * Loads `trainSize` training samples, `validationSize` others, and `testSize` test samples.
 *
 * @throws {SettingError} if the data set holds fewer.
 */
export async function loadSubsetData(run: Run<SubsetSettings>): Promise<SubsetData> {
  const { trainSize, validationSize, testSize } = run.settings;
  return {
    ...await drawTraining(run, trainSize, validationSize),
    test: await run.data("test", { testSize }),
  };
}

/** Training options that all networks of the experiment share; the number of epochs is not among them. */
export function chooseTraining(
  { batch, learningRate, momentum, schedule, augment }: SubsetSettings,
) {
  return { batch, learningRate, momentum, schedule, augment };
}

/** Trains the network whose kernel chooses, and returns the weights that do best on the validation samples (section 2.1). */
export async function trainKernelNetwork(
  run: Run<SubsetSettings>,
  { train, validation }: SubsetData,
): Promise<Weights> {
  const { engine, settings } = run;
  const { seed, kernelEpochs: epochs } = settings;
  return await run.weights("kernel_network", async (onProgress) => {
    using network = createNetwork(run, train, seed);
    const options = { ...chooseTraining(settings), epochs, seed, validation, onProgress };
    return (await engine.train(network, train, options)).weights;
  });
}

/** The samples of the head clusters, in increasing order. */
export function listHead({ assignment, heads }: Pick<Clusters, "assignment" | "heads">): number[] {
  return [...assignment.keys()].filter((sample) => heads.includes(assignment[sample]));
}

/** Outcome of one run: its epochs, or the reason why there are none. */
type Outcome = ArmRun | { readonly failure: string };

/** Trains every arm with every seed, a step for each; runs that diverged or stayed at chance are excluded. */
export async function trainSubsetArms(
  run: Run<SubsetSettings>,
  { train, test }: SubsetData,
  arms: readonly Arm[],
): Promise<ArmResult[]> {
  const { settings, engine, definition } = run;
  const training = { ...chooseTraining(settings), epochs: settings.epochs };
  const shared: ArmSettings = { definition, train, test, training };
  const results = arms.map((arm) => ({
    name: arm.name,
    samples: countArmSamples(arm, train),
    runs: [] as ArmRun[],
  }));
  for (let seed = 0; seed < settings.seeds; seed++) {
    for (const [i, arm] of arms.entries()) {
      const step = `${arm.name.replace(/\W+/g, "_")}_seed_${seed}`;
      const outcome = await run.step(step, async (onProgress): Promise<Outcome> => {
        try {
          const { epochs } = await trainArm(engine, arm, seed, shared, onProgress);
          return { seed, epochs: epochs.map(({ seconds: _, ...epoch }) => epoch) };
        } catch (error) {
          if (!(error instanceof NonFiniteError)) throw error;
          return { failure: error.message };
        }
      });
      const failure = "failure" in outcome
        ? outcome.failure
        : describeChance(outcome.epochs.at(-1)!.testAccuracy!, test);
      if (failure !== undefined) run.exclude(`${arm.name}, seed ${seed}`, failure);
      else results[i].runs.push(outcome as ArmRun);
    }
  }
  return results;
}
