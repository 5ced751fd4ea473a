/**
 * Farthest-point clustering under the lpNTK, and whether samples of large clusters are easy to learn (section 3.4).
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import {
  clusterSamples,
  countMembers,
  countShare,
  type Dataset,
  NonFiniteError,
  type Rows,
} from "../../mod.ts";
import { type Bar, drawBars, drawLines } from "../report/charts.ts";
import { estimateShare, formatInterval } from "../report/intervals.ts";
import { type Estimate, summarise } from "../report/statistics.ts";
import type { Claim, Experiment, Run } from "./experiment.ts";
import { findReported, PAPER_NETWORKS } from "./paper.ts";
import * as setting from "./settings.ts";
import { drawTraining, type Trained, trainOnce } from "./training.ts";
import { claimDirection, claimNumber, claimSide, listDifferences } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("lenet5"),
  trainSize: setting.count().default(10_000),
  /** Training samples after those, which choose the epoch and the seed that the kernel is taken from. */
  validationSize: setting.count().default(1000),
  /** Networks over which difficulty is averaged. */
  seeds: setting.count().default(3),
  epochs: setting.count().default(5),
  batch: setting.count().default(64),
  learningRate: setting.positive().default(0.02),
  augment: setting.augment(),
  /** Clusters per sample, the paper's M / N. */
  ratio: setting.ratio().default(0.1),
  /** Share of the samples that is called the easiest, and the hardest. */
  share: setting.ratio().default(0.1),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

/** The whole training set; the paper does not say how much of it validates, nor how it trains for this section. */
const PAPER_SETTINGS = {
  mnist: { ...PAPER_NETWORKS.mnist, trainSize: 55_000, validationSize: 5000 },
  cifar10: { ...PAPER_NETWORKS.cifar10, trainSize: 45_000, validationSize: 5000 },
};
/** Share of the 10% easiest samples in the head. */
const PAPER_SHARE = { mnist: 0.72, cifar10: 0.8 };

/** Kernels and scopes of a clustering, as they are called. */
const KERNELS = { plain: false, cosine: true } as const;
const SCOPES = ["per class", "global"] as const;

/** One clustering. */
interface Clustering {
  readonly kernel: keyof typeof KERNELS;
  readonly scope: typeof SCOPES[number];
  /** Samples in each cluster, the largest first. */
  readonly sizes: readonly number[];
  /** Clusters that together are the head: one, or one for each class. */
  readonly headCount: number;
  /** Whether a sample is in the head, `[N]`. */
  readonly isHead: readonly boolean[];
}

/** What a clustering says about easy and hard samples. */
interface Division extends Clustering {
  readonly name: string;
  /** The head's share of all samples. */
  readonly all: number;
  readonly easiest: Part;
  readonly hardest: Part;
}

/** The easiest or hardest samples. */
interface Part {
  /** Their share in the head, with its 95% interval (Clopper and Pearson). */
  readonly inHead: Estimate;
  /** That share, were they drawn at random from each class, as many as they are of it. */
  readonly expected: number;
}

/** Section 3.4. */
export const clusters: Experiment<typeof SETTINGS> = {
  name: "clusters",
  source: "section 3.4, algorithm 3",
  about: "farthest-point clustering, and whether samples of the largest clusters are easy",
  settings: SETTINGS,
  quick: { trainSize: 2000, validationSize: 500, seeds: 2, epochs: 10 },
  paper: { ...PAPER_SETTINGS.mnist, seeds: 10, epochs: 10 },
  byData: {
    cifar10: {
      default: { ...setting.CIFAR10, epochs: 30 },
      quick: {
        ...setting.CIFAR10_QUICK,
        trainSize: 2000,
        validationSize: 500,
        seeds: 2,
        epochs: 12,
      },
      paper: { ...setting.CIFAR10_PAPER, ...PAPER_SETTINGS.cifar10, seeds: 10, epochs: 100 },
    },
  },

  async run(run) {
    const { settings } = run;
    const { trainSize, validationSize, share } = settings;
    const { train: data, validation } = await drawTraining(run, trainSize, validationSize);
    const trained = await trainSeeds(run, data, validation);
    const difficulty = Array.from(
      data.labels,
      (_, sample) => summarise(trained.map((network) => network.difficulty[sample])).mean!,
    );
    const best = trained.reduce((a, b) => judge(b) > judge(a) ? b : a);
    const clusterings = await clusterAll(run, data, best);
    const divisions = clusterings.map((clustering) => divide(clustering, difficulty, data, share));
    const differences = listDifferences(settings, findReported(PAPER_SETTINGS, settings.data));
    const percent = (value: number) => Math.round(100 * value);
    return {
      metrics: {
        validationAccuracy: trained.map(judge),
        clusterings: divisions.map(({ isHead: _, sizes, ...division }) => ({
          ...division,
          clusters: sizes.length,
          ...countSizes(sizes, division.headCount),
        })),
      },
      tables: [{
        name: "clusterings",
        caption: `Share of samples in the head: of all, of the ${percent(share)}% easiest and of ` +
          `the ${percent(share)}% hardest; 'expected' is what their classes alone would give`,
        rows: divisions.map(({ kernel, scope, sizes, headCount, all, easiest, hardest }) => ({
          kernel,
          scope,
          clusters: sizes.length,
          "largest": sizes[0],
          ...countSizes(sizes, headCount),
          "all in head": all,
          "easiest in head": easiest.inHead.value,
          "easiest expected": easiest.expected,
          "hardest in head": hardest.inHead.value,
          "hardest expected": hardest.expected,
        })),
      }],
      figures: [
        {
          name: "sizes",
          caption: "Sizes of the clusters in decreasing order, on logarithmic axes",
          svg: await drawSizes(divisions, trainSize),
        },
        {
          name: "shares",
          caption: `How much of all samples, of the ${percent(share)}% easiest and of the ` +
            `${percent(share)}% hardest is in the head`,
          svg: await drawBars(divisions.flatMap(listBars), {
            title: "Samples in the head",
            x: { title: "Share in the head (%)", domain: [0, 100] },
            whiskers: "95% interval (Clopper and Pearson)",
          }),
        },
      ],
      claims: divisions.flatMap((division) => judgeDivision(division, differences, settings)),
      notes: [
        `Difficulty is each sample's cross-entropy summed over ${settings.epochs} epochs, averaged over ${trained.length} networks; the kernel is that of the network that does best on ${validationSize} validation samples, at its best epoch.`,
        "Per class, the head is the union of each class's largest cluster; globally it is the largest cluster of all. The paper does not say which it means; the authors' code clusters each class by itself.",
        "A share of easy samples in the head says nothing by itself: the head's share of all samples, which the paper leaves out, is what a random choice would give.",
        "Under the cosine kernel every self-similarity is 1 up to rounding, so that rounding chooses the first centroid.",
      ],
    };
  },
};

/** Accuracy on the validation set at the epoch whose weights were kept. */
function judge({ epochs, bestEpoch }: Trained): number {
  return epochs[bestEpoch - 1].validationAccuracy!;
}

async function trainSeeds(
  run: Run<Settings>,
  data: Dataset,
  validation: Dataset,
): Promise<Trained[]> {
  const { seeds, seed: first, epochs, batch, learningRate, augment } = run.settings;
  const trained: Trained[] = [];
  for (let i = 0; i < seeds; i++) {
    const seed = (first + i) % 2 ** 32;
    const options = { validation, epochs, batch, learningRate, augment };
    const network = await trainOnce(run, { name: `${seed}`, data, seed, ...options });
    if (network) trained.push(network);
  }
  if (trained.length === 0) {
    throw new NonFiniteError("Cannot cluster: no network learnt anything");
  }
  return trained;
}

async function clusterAll(
  run: Run<Settings>,
  data: Dataset,
  { weights }: Trained,
): Promise<Clustering[]> {
  const { engine, definition, settings: { ratio } } = run;
  using network = engine.network(definition, weights, data.shape);
  const clusterings: Clustering[] = [];
  for (const kernel of Object.keys(KERNELS) as (keyof typeof KERNELS)[]) {
    using projected = new DisposableStack();
    let rows: Rows | undefined;
    for (const scope of SCOPES) {
      const name = `clusters-${kernel}-${scope.replace(" ", "_")}`;
      const clustering = await run.step(name, async (onProgress): Promise<Clustering> => {
        const normalise = KERNELS[kernel];
        rows ??= projected.use(await engine.project(network, data, { normalise }));
        const perClass = scope === "per class" ? data.labels : undefined;
        const clusters = await clusterSamples(rows, { ratio, perClass }, onProgress);
        const { heads, assignment } = clusters;
        return {
          kernel,
          scope,
          sizes: Array.from(countMembers(clusters)).sort((a, b) => b - a),
          headCount: heads.length,
          isHead: Array.from(assignment, (cluster) => heads.includes(cluster)),
        };
      });
      clusterings.push(clustering);
    }
  }
  return clusterings;
}

/** Clusters beside the head, by whether they hold more than one sample. */
function countSizes(sizes: readonly number[], headCount: number) {
  const several = sizes.filter((size) => size > 1).length;
  // a head of one sample is among the singletons
  return {
    "beside the head of several": Math.max(0, several - headCount),
    "of one sample": sizes.length - several,
  };
}

function divide(
  clustering: Clustering,
  difficulty: readonly number[],
  { labels }: Dataset,
  share: number,
): Division {
  const { isHead, kernel, scope } = clustering;
  const count = labels.length;
  const size = Math.max(1, countShare(share, count, "nearest"));
  const order = [...difficulty.keys()].sort((a, b) => difficulty[a] - difficulty[b] || a - b);
  const shareOf = (samples: readonly number[]) =>
    samples.filter((sample) => isHead[sample]).length / samples.length;
  const byLabel = Map.groupBy(order, (sample) => labels[sample]);
  const describe = (samples: readonly number[]): Part => ({
    inHead: estimateShare(samples.filter((sample) => isHead[sample]).length, samples.length),
    expected: summarise(samples.map((sample) => shareOf(byLabel.get(labels[sample])!))).mean!,
  });
  return {
    ...clustering,
    name: `${kernel} kernel, ${scope}`,
    all: shareOf(order),
    easiest: describe(order.slice(0, size)),
    hardest: describe(order.slice(-size)),
  };
}

function judgeDivision(
  { name, kernel, scope, sizes, headCount, all, easiest, hardest }: Division,
  differences: readonly string[],
  { share, data }: Settings,
): Claim[] {
  const percent = (value: number) => `${Math.round(1000 * value) / 10}%`;
  const other = differences.length > 0 ? differences.join(", ") : undefined;
  const { "beside the head of several": several, "of one sample": single } = countSizes(
    sizes,
    headCount,
  );
  const compare = ({ inHead, expected }: Part, side: "above" | "below") => ({
    paper: "samples in the largest clusters are easier to learn",
    ours: `${formatInterval(inHead)} of them, ${all.toFixed(3)} of all samples (${
      expected.toFixed(3)
    } expected by their classes)`,
    estimate: inHead,
    interval: "95% interval (Clopper and Pearson)",
    side,
    bound: all,
    boundName: "the head's share of all samples",
  });
  const claims = [
    claimDirection({
      what: `${name}: most samples are in the head`,
      paper: "most of the samples",
      ours: percent(all),
      need: "more than half of all samples are",
      holds: all > 0.5,
    }),
    claimDirection({
      what: `${name}: a few further clusters hold several samples, the rest one`,
      paper: "a further 5 to 20 hold more than one sample",
      ours: `${several} of several, ${single} of one, ${sizes.length} together`,
      need: "5 to 20 further clusters hold more than one sample",
      holds: several >= 5 && several <= 20,
      unable: other,
    }),
    claimSide({
      what: `${name}: the ${percent(share)} easiest are in the head more often than others`,
      ...compare(easiest, "above"),
    }),
    claimSide({
      what: `${name}: the ${percent(share)} hardest are in the head less often than others`,
      ...compare(hardest, "below"),
    }),
  ];
  if (kernel !== "plain" || scope !== "per class") return claims;
  const { value, low, high } = easiest.inHead;
  const interval = "95% interval (Clopper and Pearson)";
  return [
    ...claims,
    claimNumber({
      what: `${name}: share of the easiest in the head`,
      paper: findReported(PAPER_SHARE, data),
      ours: { value, low: low!, high: high!, interval },
      differences,
    }),
  ];
}

function drawSizes(divisions: readonly Division[], count: number): Promise<string> {
  return drawLines(
    divisions.map(({ name, sizes }) => ({
      name,
      // of equal sizes the first and the last draw the same line
      points: sizes.map((size, i) => ({ x: i + 1, y: size })).filter(({ y }, i) =>
        y !== sizes[i - 1] || y !== sizes[i + 1]
      ),
    })),
    {
      title: `Clusters of ${count} samples`,
      x: { title: "Cluster rank", scale: "log" },
      y: { title: "Cluster size (samples)", scale: "log" },
      markPoints: false,
    },
  );
}

function listBars({ name, all, easiest, hardest }: Division): Bar[] {
  const draw = (what: string, { value, low, high }: Estimate) => ({
    name: `${name}: ${what}`,
    value: 100 * value,
    low: 100 * low!,
    high: 100 * high!,
  });
  return [
    { name: `${name}: all`, value: 100 * all },
    draw("easiest", easiest.inHead),
    draw("hardest", hardest.inHead),
  ];
}
