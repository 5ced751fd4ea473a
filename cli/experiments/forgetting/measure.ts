/**
 * Algorithm 2: before each step the kernels predict which samples it will make the network forget; after the step those that were forgotten are
 * counted.
 *
 * @module
 */
import {
  computeEntk,
  computeGram,
  type Dataset,
  type Engine,
  findForgotten,
  keepRandom,
  type Network,
  type OnProgress,
  predictLogitsAfterStep,
  predictProbabilitiesAfterStep,
  type Rows,
  takeSamples,
  type Weights,
} from "../../../mod.ts";
import type { Run } from "../experiment.ts";
import { mapKeys } from "../shared/records.ts";
import { offsetSeed } from "../shared/settings.ts";
import { createNetwork } from "../shared/training.ts";
import type { Settings } from "./settings.ts";

const KERNELS = ["eNTK", "lpNTK"] as const;

/** Quantities that are predicted to first order: the logits, or the probabilities as in equation 1. */
const FORMS = [
  ["logits", predictLogitsAfterStep],
  ["probabilities", predictProbabilitiesAfterStep],
] as const;

/** Kernel and quantity by which events are predicted. */
export type Predictor = `${typeof KERNELS[number]}, ${typeof FORMS[number][0]}`;
export const PREDICTORS = KERNELS.flatMap((kernel) =>
  FORMS.map(([form]): Predictor => `${kernel}, ${form}`)
);

/** Events of one batch of watched samples in one iteration. */
export interface Tally {
  readonly samples: number;
  readonly happened: number;
  readonly predicted: number;
  readonly both: number;
}

/** One iteration. */
export interface Iteration {
  /** Share of the watched samples that were classified rightly before the step. */
  readonly accuracy: number;
  /** Tallies `[batch]` of each predictor. */
  readonly tallies: Record<Predictor, readonly Tally[]>;
}

/** Trains into the middle of training, then watches one iteration after another. */
export async function watchIterations(run: Run<Settings>, data: Dataset): Promise<Iteration[]> {
  const { trainSize, batches, batchSize, iterations, seed } = run.settings;
  const watched = takeSamples(data, keepRandom(trainSize, batches * batchSize, seed));
  let weights = await run.weights("before", (onProgress) => trainBefore(run, data, onProgress));
  const found: Iteration[] = [];
  for (let i = 0; i < iterations; i++) {
    // the watched samples are drawn by the seed itself, the steps' batches by the seeds that follow it
    const chosen = keepRandom(trainSize, batchSize, offsetSeed(seed, 1 + i));
    const batch = takeSamples(data, chosen);
    const number = String(i + 1).padStart(String(iterations).length, "0");
    const before = weights;
    weights = await run.weights(`after-${number}`, () => takeStep(run, before, batch));
    const after = weights;
    found.push(
      await run.step(
        `iteration-${number}`,
        (onProgress) => predictStep(run, { before, after, watched, batch, onProgress }),
      ),
    );
  }
  return found;
}

/** Converts the learning rate to one for the mean of a batch's losses, which is what training averages. */
function scaleRate({ learningRate, loss, batchSize }: Settings): number {
  return loss === "sum" ? learningRate * batchSize : learningRate;
}

async function trainBefore(
  run: Run<Settings>,
  data: Dataset,
  onProgress: OnProgress,
): Promise<Weights> {
  const { epochsBefore, batchBefore, learningRateBefore, seed } = run.settings;
  using network = createNetwork(run, data, seed);
  const { weights } = await run.engine.train(network, data, {
    epochs: epochsBefore,
    batch: batchBefore,
    learningRate: learningRateBefore,
    momentum: 0,
    weightDecay: 0,
    seed,
    onProgress,
  });
  return weights;
}

async function takeStep(
  { engine, settings, definition }: Run<Settings>,
  before: Weights,
  batch: Dataset,
): Promise<Weights> {
  using network = engine.network(definition, before, batch.shape);
  const { weights } = await engine.train(network, batch, {
    epochs: 1,
    batch: "full",
    learningRate: scaleRate(settings),
    momentum: 0,
    weightDecay: 0,
  });
  return weights;
}

/** Runs algorithm 2 for one iteration: every watched batch against the batch of the step. */
async function predictStep(
  { engine, settings, definition }: Run<Settings>,
  { before, after, watched, batch, onProgress }: {
    before: Weights;
    after: Weights;
    watched: Dataset;
    batch: Dataset;
    onProgress: OnProgress;
  },
): Promise<Iteration> {
  const { batches, batchSize } = settings;
  const { classes } = watched;
  using network = engine.network(definition, before, batch.shape);
  using moved = engine.network(definition, after, batch.shape);
  const step = {
    batchLogits: await engine.logits(network, batch),
    batchLabels: batch.labels,
    classes,
    learningRate: scaleRate(settings) / batchSize,
  };
  using full = await engine.project(network, batch, { kind: "entk" });
  using signed = await engine.project(network, batch);
  const tallies = mapKeys(PREDICTORS, (): Tally[] => []);
  for (let b = 0; b < batches; b++) {
    const positions = Int32Array.from({ length: batchSize }, (_, i) => b * batchSize + i);
    const part = takeSamples(watched, positions);
    const logits = await engine.logits(network, part);
    const happened = findForgotten(logits, await engine.logits(moved, part), part.labels);
    const kernels = await computeKernels(engine, network, part, { full, signed });
    for (const kernel of KERNELS) {
      for (const [form, predict] of FORMS) {
        const predicted = predict(kernels[kernel], { logits, ...step });
        tallies[`${kernel}, ${form}`].push(
          tally(happened, findForgotten(logits, predicted, part.labels)),
        );
      }
    }
    onProgress(b + 1, batches);
  }
  return { accuracy: await engine.accuracy(network, watched), tallies };
}

/** Computes both kernels between watched samples and the batch of the step: exact eNTK blocks `[N, B, C, C]`, and lpNTK `[N, B]`. */
async function computeKernels(
  engine: Engine,
  network: Network,
  samples: Dataset,
  { full, signed }: { full: Rows; signed: Rows },
): Promise<Record<typeof KERNELS[number], Float32Array>> {
  using fullRows = await engine.project(network, samples, { kind: "entk" });
  using signedRows = await engine.project(network, samples);
  return {
    eNTK: await computeEntk(fullRows, full),
    lpNTK: await computeGram(signedRows, signed),
  };
}

function tally(happened: Uint8Array, predicted: Uint8Array): Tally {
  const count = (flags: Uint8Array) => flags.reduce((sum, flag) => sum + flag, 0);
  return {
    samples: happened.length,
    happened: count(happened),
    predicted: count(predicted),
    both: count(happened.map((flag, i) => flag & predicted[i])),
  };
}
