/**
 * What one cell's networks say of its samples, from which every method's scores are made. It is kept in a file, so that the bench resumes.
 *
 * @module
 */
import {
  chooseNetwork,
  computeClassSimilarity,
  type Dataset,
  type Engine,
  findNearest,
  type Network,
  takeSamples,
  type TrainingOptions,
} from "../../mod.ts";
import { divideSamples, softmax } from "../../engine/cleaning/labels/folds.ts";
import { regressClasses } from "../../engine/cleaning/labels/regression.ts";
import { type Cell, drawCell } from "./cells.ts";

/** Number of folds. */
const FOLDS = 5;

/** Number of neighbours that vote. */
const NEIGHBOURS = 20;

/** What a network says of samples that it has learnt, or has not. */
export interface Stage {
  /** Probabilities, `[N, C]`. */
  readonly learnt: number[];
  /** Loss of each sample summed over the training so far, `[N]`. */
  readonly summedLoss: number[];
  /** Votes of the nearest samples by features, against the given label, `[N]`. */
  readonly featureVotes: number[];
  /** Mean cosine to the samples of each class, labelled so, `[N, C]`. */
  readonly kernel: number[];
  /** Votes of the nearest samples by the kernel's cosines, against the given label, `[N]`. */
  readonly kernelVotes: number[];
  /** Probabilities by networks that have not learnt the sample, `[N, C]`. */
  readonly outOfFold: number[];
  /** Mean cosine, under these networks, to the learnt samples of each class, labelled so, `[N, C]`. */
  readonly outOfFoldKernel: number[];
}

export interface Signals {
  readonly cell: Cell;
  readonly seed: number;
  readonly labels: number[];
  readonly truth: number[];
  readonly classes: number;
  readonly half: Stage;
  readonly trained: Stage;
  /** Kernel regression, left one out, by the name of each kernel, `[N, C]`. */
  readonly regressions: Readonly<Record<string, number[]>>;
  readonly seconds: number;
}

/** Measures what a cell's networks say. */
export async function measureSignals(engine: Engine, cell: Cell, seed: number): Promise<Signals> {
  const start = performance.now();
  const { data, truth } = await drawCell(cell, seed);
  const { definition, training } = chooseNetwork(data);
  const { classes } = data;
  const create = (own: number) => engine.network(definition, { seed: own, classes }, data.shape);
  const own = { half: await judgeNothing(data), trained: await judgeNothing(data) };
  {
    using network = create(seed);
    await trainInStages(engine, network, data, { ...training, seed }, async (stage, losses) => {
      Object.assign(own[stage], await judgeLearnt(engine, network, data), { summedLoss: losses });
    });
  }
  const parts = divideSamples(data, FOLDS, seed);
  for (const part of parts) {
    const learnt = takeSamples(data, parts.flatMap((other) => other === part ? [] : other));
    const judged = takeSamples(data, part);
    using network = create(seed);
    await trainInStages(engine, network, learnt, { ...training, seed }, async (stage) => {
      const shares = await predict(engine, network, judged);
      const kernel = stage === "trained"
        ? await supportLabels(engine, network, judged, learnt)
        : [];
      part.forEach((sample, n) => {
        for (let c = 0; c < classes; c++) {
          own[stage].outOfFold[sample * classes + c] = shares[n * classes + c];
          own[stage].outOfFoldKernel[sample * classes + c] = kernel[n * classes + c] ?? 0;
        }
      });
    });
  }
  const regressions = await regressClasses(engine, data, { seed });
  return {
    cell,
    seed,
    labels: [...data.labels],
    truth: [...truth],
    classes,
    ...own,
    regressions: Object.fromEntries(regressions.map(({ kernel, scores }) => [kernel, [...scores]])),
    seconds: (performance.now() - start) / 1000,
  };

  function judgeNothing({ labels }: Dataset): Stage {
    const zeros = () => Array<number>(labels.length * classes).fill(0);
    const parts = { learnt: [], summedLoss: [], featureVotes: [], kernel: [], kernelVotes: [] };
    return { ...parts, outOfFold: zeros(), outOfFoldKernel: zeros() };
  }

  async function judgeLearnt(engine: Engine, network: Network, data: Dataset) {
    using rows = await engine.project(network, data, { normalise: true });
    const { samples, similarities } = await findNearest(rows, NEIGHBOURS);
    const features = await engine.features(network, data);
    return {
      learnt: await predict(engine, network, data),
      featureVotes: voteByFeatures(features, data.labels),
      kernel: await supportLabels(engine, network, data),
      kernelVotes: vote(data.labels, (n) =>
        Array.from({ length: NEIGHBOURS }, (_, k) => ({
          sample: samples[n * NEIGHBOURS + k],
          weight: similarities[n * NEIGHBOURS + k],
        }))),
    };
  }

  async function predict(engine: Engine, network: Network, data: Dataset): Promise<number[]> {
    const logits = await engine.logits(network, data);
    return Array.from(
      { length: data.labels.length },
      (_, n) => [...softmax(logits.subarray(n * classes, (n + 1) * classes))],
    ).flat();
  }

  async function supportLabels(
    engine: Engine,
    network: Network,
    judged: Dataset,
    learnt?: Dataset,
  ): Promise<number[]> {
    const { labels } = learnt ?? judged;
    const members = Array.from(
      { length: classes },
      (_, label) => [...labels.keys()].filter((n) => labels[n] === label),
    );
    using columns = await engine.project(network, learnt ?? judged, { normalise: true });
    const tried = takeSamples(
      judged,
      Array.from({ length: judged.labels.length * classes }, (_, at) => Math.floor(at / classes)),
    );
    const all = { ...tried, labels: tried.labels.map((_, at) => at % classes) };
    using rows = await engine.project(network, all, { normalise: true });
    const means = await computeClassSimilarity(rows, labels, classes, { columns });
    return [...all.labels].map((label, at) => {
      const mean = means[at * classes + label];
      const { length } = members[label];
      if (length < 2) return -1;
      // of samples that have been learnt themselves, the cosine of 1 with itself is taken out
      const itself = !learnt && judged.labels[Math.floor(at / classes)] === label;
      return itself ? (mean * length - 1) / (length - 1) : mean;
    });
  }
}

/** Trains a third of the epochs, and then the others, and calls `judge` after either. */
async function trainInStages(
  engine: Engine,
  network: Network,
  data: Dataset,
  training: TrainingOptions,
  judge: (stage: "half" | "trained", summedLoss: number[]) => Promise<void>,
): Promise<void> {
  const epochs = training.epochs!;
  const half = Math.ceil(epochs / 3);
  const first = await engine.train(network, data, {
    ...training,
    epochs: half,
    schedule: "constant",
  });
  await judge("half", [...first.difficulty]);
  const second = await engine.train(network, data, { ...training, epochs: epochs - half });
  await judge("trained", [...first.difficulty].map((loss, n) => loss + second.difficulty[n]));
}

/** Votes of the nearest samples by the cosine of their features. */
function voteByFeatures(features: Float32Array, labels: Int32Array): number[] {
  const count = labels.length;
  const width = features.length / count;
  const units = Float64Array.from(features);
  for (let n = 0; n < count; n++) {
    const row = units.subarray(n * width, (n + 1) * width);
    const norm = Math.hypot(...row) || 1;
    row.forEach((value, i) => row[i] = value / norm);
  }
  const cosines = new Float64Array(count);
  return vote(labels, (n) => {
    const own = units.subarray(n * width, (n + 1) * width);
    for (let other = 0; other < count; other++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += own[i] * units[other * width + i];
      cosines[other] = other === n ? -Infinity : sum;
    }
    return [...cosines.keys()].sort((a, b) => cosines[b] - cosines[a]).slice(0, NEIGHBOURS)
      .map((sample) => ({ sample, weight: cosines[sample] }));
  });
}

/** Sums the weights of each sample's neighbours, those of its own label as negative. */
function vote(
  labels: Int32Array,
  neighbours: (n: number) => readonly { readonly sample: number; readonly weight: number }[],
): number[] {
  return Array.from(labels, (label, n) =>
    neighbours(n).reduce(
      (sum, { sample, weight }) => labels[sample] === label ? sum - weight : sum + weight,
      0,
    ));
}
