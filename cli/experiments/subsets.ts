/**
 * What the experiments on parts of a training set share (section 4 and appendix E.2): the network whose kernel chooses, training on what
 * is chosen, and t-tests between the arms.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { type Dataset, NonFiniteError, type Weights } from "../../mod.ts";
import {
  type Arm,
  type ArmResult,
  type ArmRun,
  type ArmSettings,
  countArmSamples,
  drawArms,
  listFinalAccuracies,
  tabulateRuns,
  trainArm,
} from "../comparison.ts";
import {
  compareMeans,
  formatPercent,
  type MeanComparison,
  summarise,
} from "../report/statistics.ts";
import type { Claim, Figure, Run, Table } from "./experiment.ts";
import { PAPER_NETWORKS } from "./paper.ts";
import * as setting from "./settings.ts";
import { describeChance, drawTraining } from "./training.ts";
import { claimDirection } from "./verdict.ts";

/** Settings of data, of the network whose kernel chooses, and of the networks that are compared. */
export const SUBSET_SETTINGS = {
  data: setting.data(),
  model: setting.model().default("lenet5"),
  trainSize: setting.count().default(10_000),
  /** Samples that follow those, by which the kernel's network is chosen. */
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
  /** How the learning rate falls: not at all, by a tenth at one half and at three quarters of the epochs, or along half a cosine to 0. */
  schedule: z.enum(["constant", "step", "cosine"]).default("constant"),
  augment: setting.augment(),
  /** Of the kernel's network; the arms' are 0, 1, ... */
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
};

/** Values of `SUBSET_SETTINGS`. */
export type SubsetSettings = z.output<z.ZodObject<typeof SUBSET_SETTINGS>>;

/**
 * What each base overrides of them. The paper's is the data set as section 4 uses it, but for 5,000 of the training samples, by which the
 * kernel's network is chosen; the paper gives neither epochs nor batch size nor learning rate, and does not say how the rate falls.
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
      // at a rate that stays, networks of a few hundred samples are still at chance when the epochs are over
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

/** Samples of an experiment. */
export interface SubsetData {
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
}

/**
 * `trainSize` training samples, `validationSize` others, and `testSize` test samples.
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

/** How every network of the experiment is trained, but for how long. */
export function chooseTraining(
  { batch, learningRate, momentum, schedule, augment }: SubsetSettings,
) {
  return { batch, learningRate, momentum, schedule, augment };
}

/** Trains the network whose kernel chooses, and gives the weights that do best on the validation samples (section 2.1). */
export async function trainKernelNetwork(
  run: Run<SubsetSettings>,
  { train, validation }: SubsetData,
): Promise<Weights> {
  const { engine, settings, definition } = run;
  const { seed, kernelEpochs: epochs } = settings;
  return await run.weights("kernel_network", async (onProgress) => {
    const source = { seed, classes: train.classes };
    using network = engine.network(definition, source, train.shape);
    const options = { ...chooseTraining(settings), epochs, seed, validation, onProgress };
    return (await engine.train(network, train, options)).weights;
  });
}

/** What became of one run: its epochs, or why there are none. */
type Outcome = ArmRun | { readonly failure: string };

/** Trains every arm with every seed, a step for each; what diverged or stayed at chance is excluded. */
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

/** Test accuracy of some arms over the epochs, with a band a standard deviation wide on either side; no figure where no run is left. */
export async function drawSubsets(
  results: readonly ArmResult[],
  { model, trainSize, data }: SubsetSettings,
  { name, what }: { readonly name: string; readonly what: string },
): Promise<Figure[]> {
  if (results.every(({ runs }) => runs.length === 0)) return [];
  const title = `${model} on ${trainSize} samples of ${data}, and on parts of them`;
  const caption = `Test accuracy over the epochs ${what}`;
  return [{ name, caption, svg: await drawArms(results, title) }];
}

/** Final accuracy of each arm, and every run where there is one, as tables. */
export function tabulateArms(results: readonly ArmResult[]): Table[] {
  const epochs = tabulateRuns(results).map(({ trainLoss, testAccuracy, ...row }) => ({
    ...row,
    "training loss (nats)": trainLoss,
    "test accuracy (%)": scale(testAccuracy),
  }));
  const accuracy = { name: "accuracy", caption: "Every epoch of every run", rows: epochs };
  return [
    {
      name: "arms",
      caption: "Test accuracy after the last epoch, over the runs that are not left out",
      rows: results.map((result) => {
        const { mean, standardDeviation } = summarise(listFinalAccuracies(result));
        return {
          arm: result.name,
          samples: result.samples,
          runs: result.runs.length,
          "accuracy (%)": scale(mean),
          "standard deviation (points)": scale(standardDeviation),
        };
      }),
    },
    ...epochs.length > 0 ? [accuracy] : [],
  ];
}

/** Two arms by name: the first's final accuracy is tested against the second's. */
export type Pair = readonly [first: string, second: string];

/** Two-sample t-tests of pairs of arms as a table. */
export function tabulateTests(results: readonly ArmResult[], pairs: readonly Pair[]): Table {
  return {
    name: "tests",
    caption: "Two-sample t-tests (pooled variance, two-sided) of the accuracy after the last epoch",
    rows: pairs.map((pair) => {
      const { t, degreesOfFreedom, p, meanDifference, effectSize } = testPair(results, pair);
      const [first, second] = pair;
      return {
        first,
        second,
        "difference (points)": scale(meanDifference),
        t,
        "degrees of freedom": degreesOfFreedom,
        p,
        "effect size (Cohen's d)": effectSize,
      };
    }),
  };
}

/** The t-test of one arm's final accuracy against another's. */
export function testPair(results: readonly ArmResult[], [first, second]: Pair): MeanComparison {
  return compareMeans(findFinals(results, first), findFinals(results, second));
}

/** A statement about two arms, judged by a t-test. */
export interface TestClaim {
  readonly what: string;
  readonly paper: string;
  readonly pair: Pair;
  /** Whether the first arm does significantly better than the second, or does not. */
  readonly expected: "better" | "not better";
}

/** Where the paper draws the line. */
const SIGNIFICANCE = 0.05;

/** What a reader needs to compare the paper's t-tests with ours. */
export const DEGREES_NOTE =
  "The paper gives 19 degrees of freedom for two times 10 runs; a two-sample t-test with pooled variance has 18.";

/** Runs of an arm in the paper: with fewer, an absent difference says nothing. */
const PAPER_RUNS = 10;

/** Judges it: significance is at p < 0.05, two-sided, and its absence counts from the paper's 10 runs an arm on. */
export function claimTest(
  results: readonly ArmResult[],
  { what, paper, pair, expected }: TestClaim,
): Claim {
  const { t, degreesOfFreedom, p, meanDifference, effectSize } = testPair(results, pair);
  const finals = pair.map((name) => findFinals(results, name));
  const means = pair.map((name, i) => {
    const { mean, standardDeviation } = summarise(finals[i]);
    return `${name} ${formatPercent(mean)} ± ${formatPercent(standardDeviation)}`;
  });
  const [first, second] = pair;
  const isBetter = p !== null && p < SIGNIFICANCE && meanDifference! > 0;
  const runs = Math.min(...finals.map(({ length }) => length));
  const isOpen = p === null || p >= SIGNIFICANCE;
  return claimDirection({
    what,
    paper,
    ours: `${means.join(", ")}; ${
      t === null
        ? "no test"
        : `t(${degreesOfFreedom}) = ${t.toFixed(2)}, p = ${p!.toPrecision(2)}, d = ${
          effectSize!.toFixed(2)
        }`
    }`,
    need: `${first} is ${
      expected === "better" ? "" : "not "
    }above ${second} with p < ${SIGNIFICANCE} (two-sample t-test, two-sided)`,
    holds: isBetter === (expected === "better"),
    unable: isOpen && runs < PAPER_RUNS
      ? `no significant difference in ${runs} runs an arm, which counts from ${PAPER_RUNS} on`
      : undefined,
  });
}

function findFinals(results: readonly ArmResult[], name: string): number[] {
  return listFinalAccuracies(results.find((result) => result.name === name)!);
}

/** A share in percent, or in points. */
function scale(share: number | null): number | null {
  return share === null ? null : 100 * share;
}
