/**
 * Finding wrong labels: a known share of labels is flipped, a network learns them, and samples are ranked by how little they resemble
 * their own class under the lpNTK, beside the losses that are commonly used; for the worst suspects, the kernel says why.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import jStat from "npm:jstat@1.9.6";
import {
  averageByClass,
  computeGram,
  countShare,
  type Dataset,
  type Engine,
  findNearest,
  flipLabels,
  indexSample,
  type Network,
  NonFiniteError,
  type OnProgress,
  type Rows,
  scoreLogits,
  takeSamples,
} from "../../mod.ts";
import { drawBars } from "../report/charts.ts";
import { drawSamples, pictureSample } from "../report/contact_sheet.ts";
import { estimateMean, formatInterval } from "../report/intervals.ts";
import { type Estimate, measureAuroc, measurePrecision } from "../report/statistics.ts";
import { type Experiment, type Figure, type Run, SettingError } from "./experiment.ts";
import * as setting from "./settings.ts";
import { type Trained, trainOnce } from "./training.ts";
import { claimDirection, claimSide } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("lenet5"),
  trainSize: setting.count().default(4000),
  testSize: setting.count().default(1000),
  /** Share of the labels that are flipped, to another class at random. */
  share: setting.fraction().default(0.1),
  /** Runs, each with other flips, first weights and orders. */
  seeds: setting.count().default(5),
  /** Epochs after which samples are ranked, in increasing order: the later ones see a network that has learnt wrong labels by heart. */
  checkpoints: z.array(setting.count()).min(1).default([10, 40]),
  batch: setting.count().default(64),
  learningRate: setting.positive().default(0.02),
  /** Nearest samples that vote. */
  neighbours: setting.count().default(20),
  /** Samples on the contact sheet. */
  suspects: setting.count().default(10),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

/** How samples are ranked, the most suspicious first, and what each ranking needs to know. */
const SCORES = {
  loss: { name: "loss", needs: "one forward pass" },
  el2n: { name: "EL2N", needs: "one forward pass" },
  summedLoss: { name: "loss, summed over training", needs: "the whole training" },
  plain: { name: "own class, plain kernel", needs: "weights" },
  own: { name: "own class, cosine", needs: "weights" },
  margin: { name: "best other class - own, cosine", needs: "weights" },
  candidate: { name: "best other label - own, cosine", needs: "weights" },
  neighbours: { name: "neighbours' labels, cosine", needs: "weights" },
  neighboursAndLoss: { name: "neighbours and loss, by rank", needs: "weights" },
  candidateAndSummed: { name: "best other label and summed loss", needs: "the whole training" },
} as const;
type Score = keyof typeof SCORES;
const NAMES = Object.keys(SCORES) as Score[];

function mapScores<T>(of: (score: Score) => T): Record<Score, T> {
  return Object.fromEntries(NAMES.map((score) => [score, of(score)])) as Record<Score, T>;
}

/** What one network says of the samples that it learnt. */
interface Judged {
  /** By score, `[N]`, higher for what is more suspicious. */
  readonly scores: Readonly<Record<Score, readonly number[]>>;
  /** Most likely label of each sample beside the given one, `[N]`: by the kernel with each label tried, and by the logits. */
  readonly suggested: Readonly<Record<"candidate" | "logits", readonly number[]>>;
}

/** One network, by its seed and its age. */
interface Judgement extends Judged {
  readonly seed: number;
  readonly epochs: number;
  readonly testAccuracy: number;
  readonly noisy: Noisy;
  readonly trained: Trained;
}

/** A data set with wrong labels, and the right ones. */
interface Noisy {
  readonly data: Dataset;
  readonly isFlipped: readonly boolean[];
  readonly truth: ArrayLike<number>;
}

/** A suspect of the contact sheet, and why. */
interface Suspect {
  readonly sample: number;
  readonly suggested: number;
  /** Samples that contradict it most: the least similar ones. */
  readonly against: readonly Witness[];
  /** Samples of the suggested class that it resembles most once it is labelled so. */
  readonly alike: readonly Witness[];
}

interface Witness {
  readonly sample: number;
  readonly cosine: number;
}

/** Samples on either side of a suspect. */
const WITNESSES = 4;

/** What the kernel's score has to reach. */
const LEAST_AUROC = 0.95;

/** Ours: the practical use. */
export const noise: Experiment<typeof SETTINGS> = {
  name: "noise",
  source: "ours, on sections 3 and 3.1",
  about: "find wrong labels by the kernel and by losses, and say why each is suspected",
  settings: SETTINGS,
  quick: { trainSize: 2000, seeds: 2, checkpoints: [10] },
  paper: {},

  async run(run) {
    const { settings } = run;
    checkSettings(settings);
    const judgements = await judgeSeeds(run);
    const { checkpoints, share } = settings;
    const at = (epochs: number) => judgements.filter((judgement) => judgement.epochs === epochs);
    const rankings = checkpoints.map((epochs) => rank(epochs, at(epochs)))
      .filter(({ count }) => count > 0);
    const [first, last] = [rankings[0], rankings.at(-1)!];
    const suspects = await explainSuspects(run, judgements[0]);
    const compare = ({ auroc, epochs }: Ranking, score: Score, other: Score) => {
      const difference = estimateMean(auroc[score].map((value, i) => value - auroc[other][i]));
      return claimSide({
        what: `after ${epochs} epochs, '${SCORES[score].name}' ranks better than '${
          SCORES[other].name
        }'`,
        paper: "not in the paper; a question of ours",
        ours: `AUROC ${formatInterval(estimateRate(auroc[score]), 4)} against ${
          formatInterval(estimateRate(auroc[other]), 4)
        }; difference ${formatInterval(difference, 4)}`,
        estimate: difference,
        ...ABOVE_0,
      });
    };
    const suggestions = estimateMean(
      last.right.candidate.map((right, i) => right - last.right.logits[i]),
    );
    return {
      metrics: { rankings: rankings.map(summariseRanking), suspects },
      tables: [
        {
          name: "rankings",
          caption: `Means over seeds, with 95% intervals; k is the number of flipped labels, ${
            (100 * share).toFixed(0)
          }%`,
          rows: rankings.flatMap(({ epochs, auroc, precision }) =>
            NAMES.map((score) => ({
              epochs,
              score: SCORES[score].name,
              needs: SCORES[score].needs,
              ...spread("AUROC", estimateRate(auroc[score])),
              ...spread("precision at k", estimateRate(precision[score])),
            }))
          ),
        },
        {
          name: "suggestions",
          caption: "How often the suggested label of a flipped sample is the right one",
          rows: rankings.flatMap(({ epochs, right, testAccuracy }) =>
            (["candidate", "logits"] as const).map((by) => ({
              epochs,
              "suggested by": by === "candidate" ? "the kernel" : "the logits",
              ...spread("share right", estimateRate(right[by])),
              "test accuracy": estimateRate(testAccuracy).value,
            }))
          ),
        },
        {
          name: "suspects",
          caption: "The samples that the kernel suspects most",
          rows: suspects.map(({ sample, suggested }) => ({
            sample: indexSample(judgements[0].noisy.data, sample),
            given: judgements[0].noisy.data.labels[sample],
            suggested,
            truth: judgements[0].noisy.truth[sample],
          })),
        },
      ],
      figures: [
        ...await Promise.all(rankings.map(drawRanking)),
        {
          name: "suspects",
          caption: `What the kernel suspects most after ${
            judgements[0].epochs
          } epochs; then, of each, the ${WITNESSES} samples that contradict it most, and the ${WITNESSES} that it resembles most once it has the suggested label`,
          svg: drawSuspects(judgements[0].noisy, suspects),
        },
      ],
      claims: [
        claimDirection({
          what: `after ${first.epochs} epochs, '${SCORES.own.name}' finds wrong labels`,
          paper: "not in the paper; a bound of ours",
          ours: `AUROC ${formatInterval(estimateRate(first.auroc.own))}`,
          need: `the mean AUROC over seeds is at least ${LEAST_AUROC}`,
          holds: estimateRate(first.auroc.own).value >= LEAST_AUROC,
        }),
        ...rankings.flatMap((ranking) => [
          compare(ranking, "own", "plain"),
          compare(ranking, "neighbours", "loss"),
          compare(ranking, "neighboursAndLoss", "loss"),
          compare(ranking, "candidate", "summedLoss"),
          compare(ranking, "candidateAndSummed", "summedLoss"),
        ]),
        claimSide({
          what:
            `after ${last.epochs} epochs, the kernel suggests right labels more often than logits`,
          paper: "not in the paper; a question of ours",
          ours: `${formatInterval(estimateRate(last.right.candidate))} of flipped samples against ${
            formatInterval(estimateRate(last.right.logits))
          }`,
          estimate: suggestions,
          ...ABOVE_0,
        }),
      ],
      notes: [
        ...rankings.map(describeRanking),
        "Losses are strong, and cheap. The loss summed over training needs the training's record; the loss of a finished network fades as the network learns wrong labels by heart. The kernel needs the weights alone.",
        "What the kernel adds is the why: the samples that contradict a suspect, the class it resembles, and the label it should have.",
        "'Best other label' asks the kernel once with each label: a signed projection depends on the label through its sign vector, so a sample is compared with a class as if it belonged there.",
        "Contradiction is weak among ten classes: for different labels the product of two sign vectors is (C - 4)/C of that for equal ones, still positive. A suspect's cosines to its contradicting samples are near 0, far from the -1/2 of appendix C.",
        "Which scores are compared was settled on other flips than these.",
        "Weights after later checkpoints go on from the earlier ones, with the momentum at rest.",
      ],
    };
  },
};

/** How differences between two rankings are judged. */
const ABOVE_0 = {
  interval: "95% interval of the difference over seeds",
  side: "above",
  bound: 0,
} as const;

function checkSettings({ checkpoints, neighbours, suspects, trainSize, share }: Settings): void {
  if (checkpoints.some((epochs, i) => i > 0 && epochs <= checkpoints[i - 1])) {
    throw new SettingError("checkpoints", "in increasing order");
  }
  if (neighbours >= trainSize) throw new SettingError("neighbours", "below trainSize");
  if (suspects > trainSize) throw new SettingError("suspects", "at most trainSize");
  if (countShare(share, trainSize, "nearest") === 0) {
    throw new SettingError("share", "large enough to flip a label");
  }
}

/** Judges every network that learnt something. */
async function judgeSeeds(run: Run<Settings>): Promise<Judgement[]> {
  const { settings, engine, definition } = run;
  const { trainSize, testSize, share, seeds, checkpoints, batch, learningRate } = settings;
  const clean = await run.data("train", { trainSize });
  if (clean.classes < 2) throw new SettingError("data", "another class for a label to flip to");
  const test = await run.data("test", { testSize });
  const judgements: Judgement[] = [];
  for (let i = 0; i < seeds; i++) {
    const seed = (settings.seed + i) % 2 ** 32;
    const { data, flipped } = flipLabels(clean, share, seed);
    const isFlipped = Array<boolean>(trainSize).fill(false);
    for (const sample of flipped) isFlipped[sample] = true;
    const noisy = { data, isFlipped, truth: clean.labels };
    let trained: Trained | undefined;
    const summed = new Float64Array(trainSize);
    for (const [k, epochs] of checkpoints.entries()) {
      trained = await trainOnce(run, {
        name: `${seed}-${epochs}`,
        data,
        seed: (seed + k) % 2 ** 32,
        from: trained?.weights,
        epochs: epochs - (checkpoints[k - 1] ?? 0),
        batch,
        learningRate,
        test,
      });
      if (trained === undefined) break;
      trained.difficulty.forEach((loss, sample) => summed[sample] += loss);
      using network = engine.network(definition, trained.weights, data.shape);
      const judged = await run.step(
        `scores-${seed}-${epochs}`,
        (onProgress) => judge(engine, network, data, summed, settings, onProgress),
      );
      const testAccuracy = trained.epochs.at(-1)!.testAccuracy!;
      judgements.push({ ...judged, seed, epochs, testAccuracy, noisy, trained });
    }
  }
  if (judgements.length === 0) throw new NonFiniteError("Cannot rank: no network learnt anything");
  return judgements;
}

async function judge(
  engine: Engine,
  network: Network,
  data: Dataset,
  summedLoss: Float64Array,
  { neighbours }: Settings,
  onProgress: OnProgress,
): Promise<Judged> {
  const { labels, classes } = data;
  const logits = await engine.logits(network, data);
  const { loss, el2n } = scoreLogits(logits, labels);
  const plain = await (async () => {
    using rows = await engine.project(network, data);
    return await averageByClass(rows, labels, classes);
  })();
  using rows = await engine.project(network, data, { normalise: true });
  const cosine = await averageByClass(rows, labels, classes);
  const candidate = await tryLabels(engine, network, data, cosine, onProgress);
  const votes = await countVotes(rows, labels, neighbours);
  const own = (means: Float64Array) =>
    Array.from(labels, (label, i) => orNothing(means[i * classes + label]));
  const overOwn = (means: Float64Array) => {
    const best = findBestOther(means, labels, classes);
    return own(cosine).map((similarity, i) => means[i * classes + best[i]] - similarity);
  };
  const scores = {
    loss: Array.from(loss),
    el2n: Array.from(el2n),
    summedLoss: Array.from(summedLoss),
    plain: own(plain).map((similarity) => -similarity),
    own: own(cosine).map((similarity) => -similarity),
    margin: overOwn(cosine),
    candidate: overOwn(candidate),
    neighbours: votes,
  };
  return {
    scores: {
      ...scores,
      neighboursAndLoss: addRanks(scores.neighbours, scores.loss),
      candidateAndSummed: addRanks(scores.candidate, scores.summedLoss),
    },
    suggested: {
      candidate: findBestOther(candidate, labels, classes),
      logits: findBestOther(logits, labels, classes),
    },
  };
}

/** A sample alone in its class resembles nothing there. */
function orNothing(similarity: number): number {
  return Number.isNaN(similarity) ? 0 : similarity;
}

/**
 * Mean cosine of each sample to each class as if it had that class's label, `[N, classes]`: `cosine` has them for the given labels. Costs one
 * more normalised projection of every sample for each class, and one more kernel.
 */
async function tryLabels(
  engine: Engine,
  network: Network,
  data: Dataset,
  cosine: Float64Array,
  onProgress: OnProgress,
): Promise<Float64Array> {
  const { labels, classes } = data;
  const means = new Float64Array(labels.length * classes).fill(NaN);
  for (let label = 0; label < classes; label++) {
    const members = [...labels.keys()].filter((i) => labels[i] === label);
    if (members.length === 0) continue;
    using columns = await engine.project(network, takeSamples(data, members), { normalise: true });
    using rows = await engine.project(network, relabel(data, label), { normalise: true });
    const cosines = await averageByClass(rows, members.map(() => 0), 1, { columns });
    labels.forEach((given, i) => {
      const at = i * classes + label;
      means[at] = given === label ? cosine[at] : cosines[i];
    });
    onProgress(label + 1, classes);
  }
  return means;
}

function relabel(data: Dataset, label: number): Dataset {
  return { ...data, labels: data.labels.map(() => label) };
}

/** Cosines of each sample's nearest, those of another label less those of its own. */
async function countVotes(
  rows: Rows,
  labels: ArrayLike<number>,
  size: number,
): Promise<number[]> {
  const { samples, similarities } = await findNearest(rows, size);
  const votes = Array<number>(labels.length).fill(0);
  samples.forEach((other, at) => {
    const sample = Math.floor(at / size);
    votes[sample] += labels[other] === labels[sample] ? -similarities[at] : similarities[at];
  });
  return votes;
}

/** The label beside the given one with the largest value, `[N]`; values `[N, classes]`, NaN for none. */
function findBestOther(
  values: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): number[] {
  return Array.from(labels, (given, i) => {
    const others = [...Array(classes).keys()].filter((c) =>
      c !== given && !Number.isNaN(values[i * classes + c])
    );
    return others.reduce((a, b) => values[i * classes + b] > values[i * classes + a] ? b : a);
  });
}

function addRanks(a: readonly number[], b: readonly number[]): number[] {
  const [first, second]: number[][] = [jStat.rank(a), jStat.rank(b)];
  return first.map((rank, i) => rank + second[i]);
}

/** How well each score ranks after so many epochs, `[seed]` each. */
interface Ranking {
  readonly epochs: number;
  readonly count: number;
  readonly auroc: Readonly<Record<Score, number[]>>;
  readonly precision: Readonly<Record<Score, number[]>>;
  readonly right: Readonly<Record<keyof Judged["suggested"], number[]>>;
  readonly testAccuracy: readonly number[];
}

function rank(epochs: number, judgements: readonly Judgement[]): Ranking {
  const right = (by: keyof Judged["suggested"]) =>
    judgements.map(({ suggested, noisy: { isFlipped, truth } }) => {
      const flipped = [...isFlipped.keys()].filter((i) => isFlipped[i]);
      return flipped.filter((i) => suggested[by][i] === truth[i]).length / flipped.length;
    });
  return {
    epochs,
    count: judgements.length,
    auroc: mapScores((score) =>
      judgements.map(({ scores, noisy }) => measureAuroc(scores[score], noisy.isFlipped)!)
    ),
    precision: mapScores((score) =>
      judgements.map(({ scores, noisy: { isFlipped } }) =>
        measurePrecision(scores[score], isFlipped, isFlipped.filter(Boolean).length)
      )
    ),
    right: { candidate: right("candidate"), logits: right("logits") },
    testAccuracy: judgements.map(({ testAccuracy }) => testAccuracy),
  };
}

function summariseRanking({ epochs, count, auroc, precision, right }: Ranking) {
  return {
    epochs,
    seeds: count,
    auroc: mapScores((score) => estimateRate(auroc[score])),
    precision: mapScores((score) => estimateRate(precision[score])),
    suggestions: {
      candidate: estimateRate(right.candidate),
      logits: estimateRate(right.logits),
    },
  };
}

function describeRanking({ epochs, auroc }: Ranking): string {
  const mean = (score: Score) => estimateRate(auroc[score]).value.toFixed(4);
  const kernels: Score[] = ["plain", "own", "margin", "candidate", "neighbours"];
  const best = kernels.reduce((a, b) => mean(b) > mean(a) ? b : a);
  return `After ${epochs} epochs: AUROC ${mean("loss")} by loss, ${mean("el2n")} by EL2N, ${
    mean("summedLoss")
  } by the loss summed over training; by the kernel ${mean("plain")} plain, ${
    mean("own")
  } as cosine, ${mean(best)} at best ('${SCORES[best].name}').`;
}

/** Mean of what lies between 0 and 1, as its interval then does. */
function estimateRate(values: readonly number[]): Estimate {
  const { value, low, high } = estimateMean(values);
  return low === null
    ? { value, low, high }
    : { value, low: Math.max(0, low), high: Math.min(1, high!) };
}

/** An estimate in three columns of a table. */
function spread(name: string, { value, low, high }: Estimate) {
  return { [name]: value, [`${name}: low`]: low, [`${name}: high`]: high };
}

async function drawRanking({ epochs, count, auroc }: Ranking): Promise<Figure> {
  const wrong = (value: number) => 100 * Math.min(1, Math.max(0, 1 - value));
  return {
    name: `ranking-${epochs}`,
    caption: `After ${epochs} epochs: share of pairs of a flipped and an unflipped sample that ` +
      "stand in the wrong order, 1 - AUROC; shorter is better",
    svg: await drawBars(
      NAMES.map((score) => {
        const { value, low, high } = estimateRate(auroc[score]);
        const ends = low === null ? {} : { low: wrong(high!), high: wrong(low) };
        return { name: SCORES[score].name, value: wrong(value), ...ends };
      }),
      {
        title: `Wrong labels among right ones, after ${epochs} epochs`,
        x: { title: "Pairs in the wrong order (%)" },
        whiskers: count > 1 ? `95% interval over ${count} seeds` : undefined,
      },
    ),
  };
}

/** The samples that the kernel suspects most under one network, each with its witnesses. */
async function explainSuspects(
  run: Run<Settings>,
  { scores, suggested, noisy: { data }, trained }: Judgement,
): Promise<Suspect[]> {
  const { engine, settings, definition } = run;
  return await run.step("suspects", async () => {
    const { candidate } = scores;
    const worst = [...candidate.keys()].sort((a, b) => candidate[b] - candidate[a])
      .slice(0, settings.suspects);
    const labels = worst.map((sample) => suggested.candidate[sample]);
    using network = engine.network(definition, trained.weights, data.shape);
    using rows = await engine.project(network, data, { normalise: true });
    const chosen = takeSamples(data, worst);
    using given = await engine.project(network, chosen, { normalise: true });
    const relabelled = { ...chosen, labels: Int32Array.from(labels) };
    using tried = await engine.project(network, relabelled, { normalise: true });
    const [asGiven, asTried] = [await computeGram(given, rows), await computeGram(tried, rows)];
    const count = data.labels.length;
    return worst.map((sample, s): Suspect => {
      const witness = (cosines: Float32Array) => (other: number) => ({
        sample: other,
        cosine: cosines[s * count + other],
      });
      const others = [...data.labels.keys()].filter((other) => other !== sample);
      const alike = others.filter((other) => data.labels[other] === labels[s]);
      return {
        sample,
        suggested: labels[s],
        against: others.map(witness(asGiven)).sort((a, b) => a.cosine - b.cosine)
          .slice(0, WITNESSES),
        alike: alike.map(witness(asTried)).sort((a, b) => b.cosine - a.cosine).slice(0, WITNESSES),
      };
    });
  });
}

function drawSuspects({ data, truth }: Noisy, suspects: readonly Suspect[]): string {
  const draw = (sample: number, caption: string) => pictureSample(data, sample, caption);
  const show = ({ sample, cosine }: Witness) =>
    draw(sample, `${data.labels[sample]}, cos ${cosine.toFixed(2)}`);
  return drawSamples(
    suspects.map(({ sample, suggested, against, alike }) => ({
      caption: `Sample ${indexSample(data, sample)}, labelled ${
        data.labels[sample]
      }; what contradicts it most; what it resembles as a ${suggested} (in truth ${truth[sample]})`,
      images: [
        draw(sample, `labelled ${data.labels[sample]}`),
        ...against.map(show),
        ...alike.map(show),
      ],
    })),
    "Suspects, and why",
  );
}
