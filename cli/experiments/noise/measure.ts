/**
 * Networks that learn wrong labels, one for each seed, and the scores that they give their samples at each checkpoint.
 *
 * @module
 */
import { type Dataset, flipLabels, NonFiniteError } from "../../../mod.ts";
import { type Run, SettingError } from "../experiment.ts";
import { offsetSeed } from "../shared/settings.ts";
import { type Trained, trainOnce } from "../shared/training.ts";
import { scoreSamples, type Suspicion } from "./scores.ts";
import type { Settings } from "./settings.ts";

/** A data set with wrong labels, and the right ones. */
export interface Noisy {
  readonly data: Dataset;
  readonly isFlipped: readonly boolean[];
  readonly truth: ArrayLike<number>;
}

/** One network at one checkpoint, and the scores that it gives its samples. */
export interface Judgement extends Suspicion {
  readonly epochs: number;
  readonly testAccuracy: number;
  readonly noisy: Noisy;
  readonly trained: Trained;
}

/** Trains a network for each seed, and scores the samples at each checkpoint of those that learnt something. */
export async function judgeSeeds(run: Run<Settings>): Promise<Judgement[]> {
  const { trainSize, testSize, share, seeds, seed: first } = run.settings;
  const clean = await run.data("train", { trainSize });
  if (clean.classes < 2) throw new SettingError("data", "another class for a label to flip to");
  const test = await run.data("test", { testSize });
  const judgements: Judgement[] = [];
  for (let i = 0; i < seeds; i++) {
    const seed = offsetSeed(first, i);
    judgements.push(...await judgeSeed(run, makeNoisy(clean, share, seed), test, seed));
  }
  if (judgements.length === 0) {
    throw new NonFiniteError(
      "Cannot rank: got no network that learnt anything, need one; lower learningRate or raise checkpoints",
    );
  }
  return judgements;
}

function makeNoisy(clean: Dataset, share: number, seed: number): Noisy {
  const { data, flipped } = flipLabels(clean, share, seed);
  const isFlipped = Array<boolean>(clean.labels.length).fill(false);
  for (const sample of flipped) isFlipped[sample] = true;
  return { data, isFlipped, truth: clean.labels };
}

/** Trains one network from checkpoint to checkpoint, until it fails. */
async function judgeSeed(
  run: Run<Settings>,
  noisy: Noisy,
  test: Dataset,
  seed: number,
): Promise<Judgement[]> {
  const { engine, definition, settings } = run;
  const { checkpoints, batch, learningRate, neighbours } = settings;
  const { data } = noisy;
  const judgements: Judgement[] = [];
  const summedLoss = new Float64Array(data.labels.length);
  let trained: Trained | undefined;
  for (const [k, epochs] of checkpoints.entries()) {
    trained = await trainOnce(run, {
      name: `${seed}-${epochs}`,
      data,
      seed: offsetSeed(seed, k),
      from: trained?.weights,
      epochs: epochs - (checkpoints[k - 1] ?? 0),
      batch,
      learningRate,
      test,
    });
    if (trained === undefined) break;
    trained.difficulty.forEach((loss, sample) => summedLoss[sample] += loss);
    using network = engine.network(definition, trained.weights, data.shape);
    const suspicion = await run.step(
      `scores-${seed}-${epochs}`,
      (onProgress) => scoreSamples(engine, network, data, { summedLoss, neighbours }, onProgress),
    );
    const testAccuracy = trained.epochs.at(-1)!.testAccuracy!;
    judgements.push({ ...suspicion, epochs, testAccuracy, noisy, trained });
  }
  return judgements;
}
