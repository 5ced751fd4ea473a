/**
 * Forgetting events, predicted from the kernel before each step and counted after it (section 3.3, algorithm 2, table 1).
 *
 * @module
 */
import { ConfusionMatrix } from "npm:ml-confusion-matrix@2.0.0";
import { z } from "npm:zod@4.6.7";
import {
  computeEntk,
  computeGram,
  type Dataset,
  type Engine,
  findForgotten,
  keepRandom,
  type Network,
  type OnProgress,
  predictLogits,
  predictProbabilities,
  type Rows,
  takeSamples,
  type Weights,
} from "../../mod.ts";
import { drawBars, drawLines } from "../report/charts.ts";
import { summarise } from "../report/statistics.ts";
import {
  type Claim,
  type Experiment,
  type Findings,
  type Run,
  SettingError,
  type Table,
} from "./experiment.ts";
import { findReported, PAPER_NETWORKS } from "./paper.ts";
import * as setting from "./settings.ts";
import { claimDirection, claimNumber, listDifferences } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("lenet5"),
  /** First samples of the training set. */
  trainSize: setting.count().default(25_600),
  /** Epochs before the first iteration that is watched: they lead into the middle of training. */
  epochsBefore: setting.count().default(1),
  batchBefore: setting.count().default(128),
  /** Learning rate of those, for the mean of a batch's losses: what 5e-4 is for the sum of 128. */
  learningRateBefore: setting.positive().default(0.064),
  /** Batches of training samples that are watched, whole, in every iteration. */
  batches: setting.count().min(2).default(10),
  batchSize: setting.count().default(128),
  iterations: setting.count().default(30),
  /** Of the iterations that are watched. */
  learningRate: setting.positive().default(5e-4),
  /** Whether a batch's loss is the sum of its samples' or their mean, which takes a batchSize-th of the step. */
  loss: z.enum(["sum", "mean"]).default("sum"),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

const KERNELS = ["eNTK", "lpNTK"] as const;

/** What is predicted to first order: the logits, or as equation 1 has it the probabilities. */
const FORMS = [["logits", predictLogits], ["probabilities", predictProbabilities]] as const;

/** How an event is predicted. */
type Predictor = `${typeof KERNELS[number]}, ${typeof FORMS[number][0]}`;
const PREDICTORS = KERNELS.flatMap((kernel) =>
  FORMS.map(([form]): Predictor => `${kernel}, ${form}`)
);

/** Events of one batch of watched samples in one iteration. */
interface Tally {
  readonly samples: number;
  readonly happened: number;
  readonly predicted: number;
  readonly both: number;
}

/** One iteration: `[batch]` for each predictor. */
interface Iteration {
  /** Share of the watched samples that were labelled right before it. */
  readonly accuracy: number;
  readonly tallies: Record<Predictor, readonly Tally[]>;
}

/** How well events are predicted, 0 to 1; `null` where there is nothing to divide by. */
interface Scores {
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
}
const SCORES = ["precision", "recall", "f1"] as const;

/** Table 1: mean and standard deviation. */
const PAPER = {
  mnist: { precision: [0.9556, 0.0814], recall: [0.8667, 0.1367], f1: [0.8996, 0.071] },
  cifar10: { precision: [0.9699, 0.0399], recall: [0.9899, 0.0161], f1: [0.9787, 0.0208] },
};
const PAPER_SETTINGS = { batches: 10, batchSize: 128, iterations: 30, learningRate: 5e-4 };

/**
 * How narrow residual networks come into the middle of training on CIFAR-10, and a step that makes about as many forget as the paper saw, one
 * sample in eight: the kernel of ResNet-18, eight times as wide and more, makes as much of a tenth of the rate.
 */
const CIFAR10 = { batchBefore: 32, learningRateBefore: 0.5, learningRate: 5e-3 };

/** Events that a judgement needs. */
const ENOUGH_EVENTS = 500;

/** Section 3.3. */
export const forgetting: Experiment<typeof SETTINGS> = {
  name: "forgetting",
  source: "section 3.3, algorithm 2, table 1",
  about: "forgetting events, predicted from the kernel and counted",
  settings: SETTINGS,
  quick: { trainSize: 12_800, batches: 3, iterations: 8 },
  paper: { ...PAPER_NETWORKS.mnist, ...PAPER_SETTINGS },
  byData: {
    cifar10: {
      default: { ...CIFAR10, model: "resnet8", epochsBefore: 5 },
      quick: {
        ...CIFAR10,
        model: "resnet8_narrow",
        trainSize: 6000,
        epochsBefore: 5,
        batches: 5,
        iterations: 8,
      },
      paper: { ...PAPER_NETWORKS.cifar10, ...PAPER_SETTINGS, trainSize: 50_000, epochsBefore: 10 },
    },
  },

  async run(run) {
    const { trainSize, batches, batchSize, iterations, seed } = run.settings;
    if (batches * batchSize > trainSize) {
      throw new SettingError(
        "batches",
        `at most ${Math.floor(trainSize / batchSize)} of that size`,
      );
    }
    const data = await run.data("train", { trainSize });
    const watched = takeSamples(data, keepRandom(trainSize, batches * batchSize, seed));
    let weights = await run.weights("before", (onProgress) => trainBefore(run, data, onProgress));
    const found: Iteration[] = [];
    for (let i = 0; i < iterations; i++) {
      // seeds of the steps' batches, beside that of the watched ones
      const chosen = keepRandom(trainSize, batchSize, (seed + 1 + i) % 2 ** 32);
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
    const [{ accuracy }] = found;
    const failure = accuracy <= 1.5 / data.classes
      ? `accuracy ${accuracy.toFixed(3)} before the first iteration, chance is ${1 / data.classes}`
      : undefined;
    if (failure !== undefined) run.exclude("the network", failure);
    return await conclude(run.settings, found, failure);
  },
};

/** A step's learning rate for the mean of a batch's losses, which is what training averages. */
function scaleRate({ learningRate, loss, batchSize }: Settings): number {
  return loss === "sum" ? learningRate * batchSize : learningRate;
}

async function trainBefore(
  { engine, settings, definition }: Run<Settings>,
  data: Dataset,
  onProgress: OnProgress,
): Promise<Weights> {
  const { epochsBefore, batchBefore, learningRateBefore, seed } = settings;
  const source = { seed, classes: data.classes };
  using network = engine.network(definition, source, data.shape);
  const { weights } = await engine.train(network, data, {
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

/** Algorithm 2 for one iteration: every watched batch against the batch of the step. */
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
  using full = await engine.project(network, batch, { seeds: "entk" });
  using signed = await engine.project(network, batch);
  const tallies = Object.fromEntries(PREDICTORS.map((name) => [name, []])) as unknown as Record<
    Predictor,
    Tally[]
  >;
  for (let b = 0; b < batches; b++) {
    const places = Int32Array.from({ length: batchSize }, (_, i) => b * batchSize + i);
    const part = takeSamples(watched, places);
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

/** Both kernels between watched samples and the batch of the step: exact eNTK blocks `[N, B, C, C]`, and lpNTK `[N, B]`. */
async function computeKernels(
  engine: Engine,
  network: Network,
  samples: Dataset,
  { full, signed }: { full: Rows; signed: Rows },
): Promise<Record<typeof KERNELS[number], Float32Array>> {
  using fullRows = await engine.project(network, samples, { seeds: "entk" });
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

/** Scores of some tallies together. */
function score(tallies: readonly Tally[]): Scores {
  const sum = (key: keyof Tally) => tallies.reduce((total, tally) => total + tally[key], 0);
  const [happened, predicted, both] = [sum("happened"), sum("predicted"), sum("both")];
  const neither = sum("samples") - happened - predicted + both;
  const matrix = new ConfusionMatrix([[both, happened - both], [predicted - both, neither]], [
    true,
    false,
  ]);
  const orNull = (value: number) => Number.isFinite(value) ? value : null;
  return {
    precision: orNull(matrix.getPositivePredictiveValue(true)),
    recall: orNull(matrix.getTruePositiveRate(true)),
    f1: orNull(matrix.getF1Score(true)),
  };
}

/** What one predictor found: over all events, and as mean and deviation over the batches. */
interface Outcome {
  readonly predictor: Predictor;
  readonly happened: number;
  readonly predicted: number;
  readonly all: Scores;
  /** Of each batch over the iterations. */
  readonly batches: readonly Scores[];
}

function collect(predictor: Predictor, found: readonly Iteration[]): Outcome {
  const tallies = found.map((iteration) => iteration.tallies[predictor]);
  const every = tallies.flat();
  return {
    predictor,
    happened: every.reduce((sum, { happened }) => sum + happened, 0),
    predicted: every.reduce((sum, { predicted }) => sum + predicted, 0),
    all: score(every),
    batches: tallies[0].map((_, b) => score(tallies.map((batches) => batches[b]))),
  };
}

/** Mean and standard deviation of a score over the batches that have it. */
function average({ batches }: Outcome, key: keyof Scores) {
  return summarise(batches.map((scores) => scores[key]).filter((value) => value !== null));
}

/** @param failure why nothing can be claimed of the network */
async function conclude(
  settings: Settings,
  found: readonly Iteration[],
  failure: string | undefined,
): Promise<Findings> {
  const outcomes = PREDICTORS.map((predictor) => collect(predictor, found));
  const { happened: events } = outcomes[0];
  return {
    metrics: { events, accuracy: found.map(({ accuracy }) => accuracy), outcomes },
    tables: [tabulateScores(outcomes), tabulateIterations(found)],
    figures: [await drawScores(outcomes), await drawEvents(found)],
    claims: judge(settings, outcomes, failure ?? countTooFew(events)),
    notes: [
      `${events} events among ${settings.batches} x ${settings.batchSize} training samples over ${settings.iterations} iterations, each a step on a random batch of ${settings.batchSize}. ` +
      `Scores are taken for each watched batch over all iterations; mean and standard deviation are over these ${settings.batches}.`,
      `The batch's loss is the ${settings.loss} of its samples' (setting loss). At one rate a mean takes a ${settings.batchSize}th of the step that a sum takes, and hardly a sample is forgotten; ` +
      "the paper does not say which it used, but saw more than 5,000 events. Momentum and weight decay are off, before and while it watches: the first-order formula knows neither.",
      "logits: z + eta sum K (p - q), judged by the largest logit. probabilities: q + eta A sum K (p - q), equation 1 as it stands. Both are first-order in the weights; equation 1 makes the softmax linear too, " +
      "which understates a large change of a confident prediction.",
      "eNTK: the exact block of K x K numbers for each pair, none contracted beforehand. lpNTK: the scalar kappa of the two labelled samples in place of K, as kappa I (theorem 1).",
    ],
  };
}

function tabulateScores(outcomes: readonly Outcome[]): Table {
  return {
    name: "scores",
    caption: "How well events are predicted: over all of them, and over the batches",
    rows: outcomes.map((outcome) => ({
      predictor: outcome.predictor,
      happened: outcome.happened,
      predicted: outcome.predicted,
      ...Object.fromEntries(SCORES.flatMap((key) => {
        const { mean, standardDeviation } = average(outcome, key);
        return [
          [key, outcome.all[key]],
          [`${key}, mean over batches`, mean],
          [`${key}, deviation over batches`, standardDeviation],
        ];
      })),
    })),
  };
}

function tabulateIterations(found: readonly Iteration[]): Table {
  return {
    name: "iterations",
    caption: "Events in each iteration, and those that each kernel predicted",
    rows: found.map(({ accuracy, tallies }, i) => ({
      iteration: i + 1,
      "accuracy before (0 to 1)": accuracy,
      happened: countEvents(tallies["eNTK, logits"], "happened"),
      ...Object.fromEntries(
        PREDICTORS.flatMap((predictor) => [
          [`${predictor}: predicted`, countEvents(tallies[predictor], "predicted")],
          [`${predictor}: both`, countEvents(tallies[predictor], "both")],
        ]),
      ),
    })),
  };
}

function countEvents(tallies: readonly Tally[], key: keyof Tally): number {
  return tallies.reduce((sum, tally) => sum + tally[key], 0);
}

async function drawScores(outcomes: readonly Outcome[]) {
  const bars = outcomes.map((outcome) => {
    const { mean, standardDeviation } = average(outcome, "f1");
    const [value, spread] = [mean ?? 0, standardDeviation ?? 0];
    return {
      name: outcome.predictor,
      value,
      low: Math.max(0, value - spread),
      high: Math.min(1, value + spread),
    };
  });
  return {
    name: "f1",
    caption: "F1-score of each way to predict forgetting, mean over the watched batches",
    svg: await drawBars(bars, {
      title: "Prediction of forgetting events",
      x: { title: "F1-score", domain: [0, 1] },
      whiskers: "± 1 standard deviation over batches",
    }),
  };
}

async function drawEvents(found: readonly Iteration[]) {
  const line = (name: string, count: (iteration: Iteration) => number) => ({
    name,
    points: found.map((iteration, i) => ({ x: i + 1, y: count(iteration) })),
  });
  const predictors = ["eNTK, logits", "eNTK, probabilities", "lpNTK, logits"] as const;
  return {
    name: "events",
    caption: "Samples that each iteration made the network forget, and those predicted to be",
    svg: await drawLines([
      line("happened", ({ tallies }) => countEvents(tallies["eNTK, logits"], "happened")),
      ...predictors.map((name) =>
        line(name, ({ tallies }) => countEvents(tallies[name], "predicted"))
      ),
    ], {
      title: "Forgetting events",
      x: { title: "Iteration" },
      y: { title: "Forgotten (samples)" },
    }),
  };
}

function countTooFew(events: number): string | undefined {
  return events < ENOUGH_EVENTS ? `${events} events, need ${ENOUGH_EVENTS}` : undefined;
}

/** @param unable why this run cannot tell */
function judge(
  settings: Settings,
  outcomes: readonly Outcome[],
  unable: string | undefined,
): Claim[] {
  const find = (predictor: Predictor) =>
    outcomes.find((outcome) => outcome.predictor === predictor)!;
  const equation1 = find("eNTK, probabilities");
  const paper = { ...findReported(PAPER_NETWORKS, settings.data), ...PAPER_SETTINGS };
  const differences = [...listDifferences(settings, paper), ...unable ? [unable] : []];
  const table1 = SCORES.map((key) => {
    const [paper, deviation] = findReported(PAPER, settings.data)[key];
    return claimNumber({
      what: `${key} of forgetting predicted by equation 1 with the eNTK, mean over batches`,
      paper,
      ours: {
        value: average(equation1, key).mean ?? NaN,
        tolerance: deviation,
        reason: "the paper's standard deviation",
      },
      differences,
    });
  });
  const accurate = ([
    ["eNTK, logits", "the first-order change of the logits, with the eNTK, predicts forgetting"],
    ["lpNTK, logits", "lpNTK times the identity in place of the eNTK predicts it too"],
  ] as const).map(([predictor, what]) => {
    const { happened, all: { precision, recall, f1 } } = find(predictor);
    const show = (value: number | null) => value === null ? "none" : value.toFixed(3);
    return claimDirection({
      what,
      paper: "can accurately predict forgetting events",
      ours: `precision ${show(precision)}, recall ${show(recall)}, F1 ${
        show(f1)
      } of ${happened} events`,
      need: "F1 over all events is at least 0.9",
      holds: f1 !== null && f1 >= 0.9,
      unable,
    });
  });
  return [...table1, ...accurate];
}
