/**
 * Comparison of arms: networks trained with the same seeds, schedule and test set on different samples.
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
import { encodeCsv } from "../engine/formats/csv.ts";
import { drawAccuracy } from "./report/figure.ts";
import { compareMeans, type MeanComparison, summarise } from "./report/statistics.ts";

/** A named choice of samples to train on. */
export interface Arm {
  readonly name: string;
  /** Indices into the training set for a seed, equally many for every seed; the whole set when left out. */
  readonly keep?: (seed: number) => ArrayLike<number>;
}

/** Settings that the runs of all arms share. */
export interface ArmSettings {
  readonly definition: NetworkDefinition;
  readonly train: Dataset;
  readonly test: Dataset;
  readonly training: TrainingOptions;
}

/** Settings of a comparison. */
export interface ComparisonSettings extends ArmSettings {
  /** Runs of each arm: seeds 0 to seeds - 1 draw the first weights and the order of the samples. */
  readonly seeds: number;
}

/** One epoch of a run; without its duration if the record has to be reproducible. */
export type ArmEpoch = Omit<EpochMetrics, "seconds"> & Partial<Pick<EpochMetrics, "seconds">>;

/** One run of an arm. */
export interface ArmRun {
  readonly seed: number;
  readonly epochs: readonly ArmEpoch[];
}

/** One arm's runs. */
export interface ArmResult {
  readonly name: string;
  readonly samples: number;
  readonly runs: readonly ArmRun[];
}

/** Number of samples that an arm trains on. */
export function countArmSamples({ keep }: Arm, train: Dataset): number {
  return keep ? keep(0).length : train.labels.length;
}

/** Trains an arm with one seed. */
export async function trainArm(
  engine: Engine,
  { keep }: Arm,
  seed: number,
  { definition, train, test, training }: ArmSettings,
  onProgress?: OnProgress,
): Promise<ArmRun> {
  const samples = keep ? takeSamples(train, keep(seed)) : train;
  using network = engine.network(definition, { seed, classes: train.classes }, train.shape);
  const { epochs } = await engine.train(network, samples, { ...training, seed, test, onProgress });
  return { seed, epochs };
}

/**
 * Trains every arm with every seed; the arms take turns, so that a disturbance of the machine affects all of them.
 *
 * @param step does a run's work under a unique name, or returns what it gave in an earlier process
 */
export async function trainArms(
  engine: Engine,
  arms: readonly Arm[],
  settings: ComparisonSettings,
  onProgress?: OnProgress,
  step: (name: string, work: () => Promise<ArmRun>) => Promise<ArmRun> = (_, work) => work(),
): Promise<ArmResult[]> {
  const { train, seeds, training } = settings;
  const { epochs = 1 } = training;
  const results = arms.map((arm) => ({
    name: arm.name,
    samples: countArmSamples(arm, train),
    runs: [] as ArmRun[],
  }));
  const total = seeds * epochs * results.reduce((sum, { samples }) => sum + samples, 0);
  let done = 0;
  for (let seed = 0; seed < seeds; seed++) {
    for (const [i, { samples, runs }] of results.entries()) {
      const before = done;
      const onSeen = (seen: number) => onProgress?.(before + seen, total);
      const train = () => trainArm(engine, arms[i], seed, settings, onSeen);
      runs.push(await step(`arm-${i}-seed-${seed}`, train));
      done += epochs * samples;
      onProgress?.(done, total);
    }
  }
  return results;
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
  const finals = results.map(listFinalAccuracies);
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

/** An arm's test accuracy after the last epoch of each run, 0 to 1. */
export function listFinalAccuracies({ runs }: ArmResult): number[] {
  return runs.map(({ epochs }) => epochs.at(-1)!.testAccuracy!);
}

/** Tabulates every epoch of every run. */
export function tabulateRuns(results: readonly ArmResult[]) {
  return results.flatMap(({ name, samples, runs }) =>
    runs.flatMap(({ seed, epochs }) =>
      epochs.map(({ epoch, trainLoss, testAccuracy, seconds }) => ({
        arm: name,
        samples,
        seed,
        epoch,
        trainLoss,
        testAccuracy,
        ...seconds !== undefined && { seconds },
      }))
    )
  );
}

/** Draws test accuracy over the epochs; an arm without a run is left out. */
export async function drawArms(results: readonly ArmResult[], title: string): Promise<string> {
  const drawn = results.filter(({ runs }) => runs.length > 0).map(({ name, runs }) => ({
    name,
    accuracy: runs.map(({ epochs }) => epochs.map(({ testAccuracy }) => testAccuracy!)),
  }));
  return await drawAccuracy(drawn, title);
}

/** Writes `accuracy.csv`, one line an epoch, and `accuracy.svg`. */
export async function writeComparison(
  folder: OutputFolder,
  results: readonly ArmResult[],
  title: string,
): Promise<void> {
  await folder.writeText("accuracy.csv", encodeCsv(tabulateRuns(results)));
  await folder.writeText("accuracy.svg", await drawArms(results, title));
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
