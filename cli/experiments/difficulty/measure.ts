/**
 * Each sample's difficulty in the model of all samples, and in that of its subset (algorithm 1).
 *
 * @module
 */
import { type Dataset, type OnProgress, splitRandom } from "../../../mod.ts";
import { type Run, SettingError } from "../experiment.ts";
import { drawFromClasses } from "../shared/classes.ts";
import { createNetwork } from "../shared/training.ts";
import type { Settings } from "./settings.ts";

/** Difficulties `[N]` in nats; `null` where the sample's model diverged, which JSON keeps. */
export type Difficulties = readonly (number | null)[];

/**
 * Draws equally many samples of each of the first classes.
 *
 * @throws {SettingError} if there are fewer classes, or one has too few samples.
 */
export async function chooseSamples(run: Run<Settings>): Promise<Dataset> {
  const { classes, samplesPerClass, sampleSeed } = run.settings;
  const data = await run.data("train");
  if (classes > data.classes) {
    throw new SettingError("classes", `at most ${data.classes}, those of ${data.name}`);
  }
  const how = { key: "samplesPerClass", sampleSeed };
  const samples = drawFromClasses(data, classes, samplesPerClass, how);
  await run.keepIndices(samples);
  return { ...samples, classes };
}

/**
 * Measures the difficulties in the model of all samples.
 *
 * @throws {Error} if it diverged: there is nothing to compare with.
 */
export async function measureWhole(run: Run<Settings>, data: Dataset): Promise<Difficulties> {
  const count = data.labels.length;
  const whole = await measure(run, data, count);
  if (!whole.includes(null)) return whole;
  throw new Error(
    `Cannot compare difficulties: got a diverged model of all ${count} samples, need one that converges; lower learningRate, ${run.settings.learningRate} now`,
  );
}

/** Measures the difficulties in subsets of one size; models that diverged are left out. */
export async function measureSubsets(
  run: Run<Settings>,
  data: Dataset,
  size: number,
): Promise<Difficulties> {
  const difficulties = await measure(run, data, size);
  const lost = difficulties.filter((value) => value === null).length;
  if (lost > 0) run.exclude(`${lost / size} models of ${size} samples`, "the loss is not finite");
  return difficulties;
}

/** Measures each sample's difficulty in the model of its subset; all models begin with the same parameters. */
async function measure(run: Run<Settings>, data: Dataset, size: number): Promise<Difficulties> {
  return await run.step(
    `subsets_of_${size}`,
    (onProgress) => trainOnSubsets(run, data, size, onProgress),
  );
}

async function trainOnSubsets(
  run: Run<Settings>,
  data: Dataset,
  size: number,
  onProgress: OnProgress,
): Promise<Difficulties> {
  const { seed, epochs, learningRate } = run.settings;
  const subsets = splitRandom(data.labels.length, size, seed);
  using network = createNetwork(run, data, seed);
  const { difficulty } = await run.engine.trainEnsemble(network, data, subsets, {
    epochs,
    learningRate,
    onProgress,
  });
  const difficulties = new Array<number | null>(data.labels.length);
  for (const [model, subset] of subsets.entries()) {
    for (const [position, sample] of subset.entries()) {
      const value = difficulty[model * size + position];
      difficulties[sample] = Number.isFinite(value) ? value : null;
    }
  }
  return difficulties;
}
