/**
 * Training arms of a data set side by side: the same seeds, schedule and test set, other training samples.
 *
 * @module
 */
import {
  type Dataset,
  type Engine,
  type EpochMetrics,
  type NetworkDefinition,
  type OnProgress,
  takeSamples,
  type TrainingOptions,
} from "../mod.ts";
import type { OutputFolder } from "./output.ts";
import { encodeCsv } from "./report/csv.ts";
import { drawAccuracy } from "./report/figure.ts";
import { compareMeans, type MeanComparison, summarise } from "./report/statistics.ts";

/** Samples to train on, by name. */
export interface Arm {
  readonly name: string;
  /** Indices into the training set, or all of it. */
  readonly keep: ArrayLike<number> | undefined;
}

/** What every run of a comparison shares. */
export interface ComparisonSettings {
  readonly definition: NetworkDefinition;
  readonly train: Dataset;
  readonly test: Dataset;
  /** Seeds 0 .. seeds - 1, each for the first weights and the order of the samples. */
  readonly seeds: number;
  readonly training: TrainingOptions;
}

/** One arm's runs. */
export interface ArmResult {
  readonly name: string;
  readonly samples: number;
  /** `[seed][epoch]`. */
  readonly runs: readonly (readonly EpochMetrics[])[];
}

/** Trains every arm with every seed; the arms take turns, so that an interruption of the machine falls on all of them. */
export async function trainArms(
  engine: Engine,
  arms: readonly Arm[],
  { definition, train, test, seeds, training }: ComparisonSettings,
  onProgress?: OnProgress,
): Promise<ArmResult[]> {
  const sets = arms.map(({ keep }) => keep ? takeSamples(train, keep) : train);
  const { epochs = 1 } = training;
  const total = seeds * epochs * sets.reduce((sum, set) => sum + set.labels.length, 0);
  const runs: (readonly EpochMetrics[])[][] = arms.map(() => []);
  let done = 0;
  for (let seed = 0; seed < seeds; seed++) {
    for (const [i, set] of sets.entries()) {
      using network = engine.network(definition, { seed, classes: train.classes }, train.shape);
      const before = done;
      const result = await engine.train(network, set, {
        ...training,
        seed,
        test,
        onProgress: (seen) => onProgress?.(before + seen, total),
      });
      done += epochs * set.labels.length;
      runs[i].push(result.epochs);
    }
  }
  return arms.map(({ name }, i) => ({ name, samples: sets[i].labels.length, runs: runs[i] }));
}

/** An arm's final test accuracy over the seeds, and the t-test of the first arm against it. */
export interface ArmSummary {
  readonly name: string;
  readonly samples: number;
  readonly meanAccuracy: number | null;
  readonly standardDeviation: number | null;
  /** Final test accuracy by seed. */
  readonly accuracies: readonly number[];
  /** Two-sample t-test (pooled variance, two-sided), the first arm minus this one; absent for the first. */
  readonly test?: MeanComparison;
}

/** Summarises the arms by the test accuracy after their last epoch. */
export function summariseArms(results: readonly ArmResult[]): ArmSummary[] {
  const finals = results.map(({ runs }) => runs.map((epochs) => epochs.at(-1)!.testAccuracy!));
  return results.map(({ name, samples }, i) => {
    const { mean, standardDeviation } = summarise(finals[i]);
    return {
      name,
      samples,
      meanAccuracy: mean,
      standardDeviation,
      accuracies: finals[i],
      ...i > 0 && { test: compareMeans(finals[0], finals[i]) },
    };
  });
}

/** Writes `accuracy.csv`, one line an epoch, and `accuracy.svg`. */
export async function writeComparison(
  folder: OutputFolder,
  results: readonly ArmResult[],
  title: string,
): Promise<void> {
  const lines = results.flatMap(({ name, samples, runs }) =>
    runs.flatMap((epochs, seed) =>
      epochs.map(({ epoch, trainLoss, testAccuracy, seconds }) => (
        { arm: name, samples, seed, epoch, trainLoss, testAccuracy, seconds }
      ))
    )
  );
  await folder.writeText("accuracy.csv", encodeCsv(lines));
  const arms = results.map(({ name, runs }) => ({
    name,
    accuracy: runs.map((epochs) => epochs.map(({ testAccuracy }) => testAccuracy!)),
  }));
  await folder.writeText("accuracy.svg", await drawAccuracy(arms, title));
}

/** A line for each arm. */
export function describeArms(arms: readonly ArmSummary[]): string[] {
  const percent = (value: number | null) => value === null ? "-" : (value * 100).toFixed(2);
  const width = Math.max(...arms.map(({ name }) => name.length));
  return arms.map(({ name, samples, meanAccuracy, standardDeviation, test }) => {
    const accuracy = `${percent(meanAccuracy)} ± ${percent(standardDeviation)} %`;
    const line = `${name.padEnd(width)}  ${String(samples).padStart(6)} samples  ${accuracy}`;
    if (!test || test.t === null) return line;
    const { t, degreesOfFreedom, p } = test;
    return `${line}   against ${arms[0].name}: t(${degreesOfFreedom}) = ${t.toFixed(2)}, p = ${
      p!.toPrecision(2)
    }`;
  });
}
