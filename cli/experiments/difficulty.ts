/**
 * Learning difficulty on the whole set and on subsets of it (section 3.2, algorithm 1, figure 1): the fewer samples a model sees, the less its
 * samples' difficulties have to do with those on the whole.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { type Dataset, indexSample, type OnProgress, splitRandom } from "../../mod.ts";
import { drawLines, drawScatter, type LinePoint } from "../report/charts.ts";
import { correlate, type Estimate, summarise } from "../report/statistics.ts";
import { drawFromClasses } from "./classes.ts";
import { type Experiment, type Run, SettingError } from "./experiment.ts";
import * as setting from "./settings.ts";
import { claimDirection } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("mlp"),
  /** The first ones of the data set. */
  classes: setting.count().min(2).default(4),
  samplesPerClass: setting.count().default(500),
  /** Samples of a subset, the paper's X. */
  subsetSizes: z.array(setting.count()).min(1).default([1, 5, 10, 40, 200, 1000]),
  epochs: setting.count().default(100),
  learningRate: setting.positive().default(0.1),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

/** Difficulties `[N]` in nats; `null` where the sample's model diverged, which JSON keeps. */
type Difficulties = readonly (number | null)[];

/** Difficulty on the whole set beside that in subsets of one size. */
interface Comparison {
  readonly size: number;
  readonly difficulties: Difficulties;
  /** Pearson's rho over the samples whose models trained, with its 95% interval. */
  readonly rho: Estimate | null;
  /** The same of what is left of either difficulty when its class's mean is taken away. */
  readonly rhoWithinClasses: Estimate | null;
}

/** Section 3.2. */
export const difficulty: Experiment<typeof SETTINGS> = {
  name: "difficulty",
  source: "section 3.2, algorithm 1, figure 1",
  about: "learning difficulty on the whole set against that on subsets of falling size",
  settings: SETTINGS,
  quick: { epochs: 30 },
  paper: {},

  async run(run) {
    const { settings } = run;
    const samples = await chooseSamples(run);
    const count = samples.labels.length;
    for (const size of settings.subsetSizes) {
      if (size >= count || count % size !== 0) {
        throw new SettingError(
          "subsetSizes",
          `sizes below ${count} that divide it: ${size} does not`,
        );
      }
    }
    const whole = await measure(run, samples, count);
    if (whole.includes(null)) {
      throw new Error(
        `Cannot compare difficulties: the model of all ${count} samples diverged; lower the learning rate, ${settings.learningRate} now`,
      );
    }
    const comparisons: Comparison[] = [];
    // the largest first: it is the nearest to the whole
    for (const size of settings.subsetSizes.toSorted((a, b) => b - a)) {
      const difficulties = await measure(run, samples, size);
      const lost = difficulties.filter((value) => value === null).length;
      if (lost > 0) {
        run.exclude(`${lost / size} models of ${size} samples`, "the loss is not finite");
      }
      comparisons.push({ size, difficulties, ...compare(whole, difficulties, samples.labels) });
    }
    return await report(settings, samples, whole, comparisons);
  },
};

/** As many samples of each of the first classes, drawn at random. */
async function chooseSamples(run: Run<Settings>): Promise<Dataset> {
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

/** Each sample's difficulty in the model of its subset; all models begin with the same parameters. */
async function measure(run: Run<Settings>, data: Dataset, size: number): Promise<Difficulties> {
  return await run.step(
    `subsets_of_${size}`,
    (onProgress) => trainOnSubsets(run, data, size, onProgress),
  );
}

async function trainOnSubsets(
  { engine, settings, definition }: Run<Settings>,
  data: Dataset,
  size: number,
  onProgress: OnProgress,
): Promise<Difficulties> {
  const { seed, epochs, learningRate } = settings;
  const subsets = splitRandom(data.labels.length, size, seed);
  using network = engine.network(definition, { seed, classes: data.classes }, data.shape);
  const { difficulty } = await engine.trainEnsemble(network, data, subsets, {
    epochs,
    learningRate,
    onProgress,
  });
  const difficulties = new Array<number | null>(data.labels.length);
  for (const [model, subset] of subsets.entries()) {
    for (const [place, sample] of subset.entries()) {
      const value = difficulty[model * size + place];
      difficulties[sample] = Number.isFinite(value) ? value : null;
    }
  }
  return difficulties;
}

/** Correlates two difficulties where there are both. */
function compare(
  whole: Difficulties,
  difficulties: Difficulties,
  labels: ArrayLike<number>,
): Pick<Comparison, "rho" | "rhoWithinClasses"> {
  const trained = [...whole.keys()].filter((i) => whole[i] !== null && difficulties[i] !== null);
  const classes = trained.map((i) => labels[i]);
  const [x, y] = [whole, difficulties].map((values) => trained.map((i) => values[i]!));
  if (trained.length < 2) return { rho: null, rhoWithinClasses: null };
  return {
    rho: correlate(x, y),
    rhoWithinClasses: correlate(centerClasses(x, classes), centerClasses(y, classes)),
  };
}

/** Values less the mean of their class. */
function centerClasses(values: readonly number[], classes: readonly number[]): number[] {
  const byClass = Map.groupBy(values.keys(), (i) => classes[i]);
  const means = new Map(
    [...byClass].map(([label, own]) => [label, summarise(own.map((i) => values[i])).mean!]),
  );
  return values.map((value, i) => value - means.get(classes[i])!);
}

/** Steps to a smaller size at which rho does not fall, and whether the intervals there lie apart. */
function findRises(comparisons: readonly Comparison[]) {
  return comparisons.slice(1).flatMap(({ size: to, rho: after }, i) => {
    const { size: from, rho: before } = comparisons[i];
    if ((after?.value ?? NaN) < (before?.value ?? NaN)) return [];
    return [{ from, to, isApart: (after?.low ?? NaN) > (before?.high ?? NaN) }];
  });
}

function toPoints(
  comparisons: readonly Comparison[],
  key: "rho" | "rhoWithinClasses",
): LinePoint[] {
  return comparisons.flatMap(({ size, [key]: rho }) =>
    rho ? [{ x: size, y: rho.value, low: rho.low ?? rho.value, high: rho.high ?? rho.value }] : []
  );
}

async function report(
  settings: Settings,
  samples: Dataset,
  whole: Difficulties,
  comparisons: readonly Comparison[],
) {
  const count = samples.labels.length;
  const rises = findRises(comparisons);
  const [largest, smallest] = [comparisons[0], comparisons.at(-1)!];
  const show = ({ size, rho }: Comparison) => `${rho?.value.toFixed(3) ?? "-"} at X = ${size}`;
  const showInterval = ({ size, rho }: Comparison) =>
    `${show({ size, rho } as Comparison)} [${rho?.low?.toFixed(3) ?? "-"}, ${
      rho?.high?.toFixed(3) ?? "-"
    }]`;
  const apart = (smallest.rho?.high ?? NaN) < (largest.rho?.low ?? NaN);
  return {
    metrics: {
      samples: count,
      rho: comparisons.map(({ size, rho, rhoWithinClasses }) => ({
        size,
        ...rho,
        withinClasses: rhoWithinClasses,
      })),
      wholeDifficulty: whole,
    },
    tables: [
      {
        name: "rho",
        caption: "Pearson's rho between difficulty on the whole set and on subsets, 95% interval",
        rows: comparisons.map(({ size, rho, rhoWithinClasses }) => ({
          "subset size": size,
          models: count / size,
          rho: rho?.value ?? null,
          low: rho?.low ?? null,
          high: rho?.high ?? null,
          "rho within classes": rhoWithinClasses?.value ?? null,
          "low within classes": rhoWithinClasses?.low ?? null,
          "high within classes": rhoWithinClasses?.high ?? null,
        })),
      },
      {
        name: "difficulty_by_sample",
        caption: "Each sample's difficulty (loss summed over the epochs, nats)",
        rows: Array.from(samples.labels, (label, i) => ({
          sample: indexSample(samples, i),
          class: label,
          "whole set (nats)": whole[i],
          ...Object.fromEntries(
            comparisons.map(({ size, difficulties }) => [
              `subsets of ${size} (nats)`,
              difficulties[i],
            ]),
          ),
        })),
      },
    ],
    figures: [
      {
        name: "figure_1",
        caption:
          "As the paper's figure 1: each sample's difficulty on the whole set and in its subset; colour and shape are its class",
        svg: await drawScatter(
          comparisons.map(({ size, difficulties, rho }) => ({
            title: `${count} vs ${size}: ρ = ${rho?.value.toFixed(2) ?? "-"}`,
            points: whole.flatMap((x, i) => {
              const y = difficulties[i];
              return x === null || y === null ? [] : [{ x, y, group: samples.labels[i] }];
            }),
          })),
          {
            title: "Learning difficulty on the whole set and on subsets",
            x: { title: "Whole set (nats)" },
            y: { title: "Subset (nats)" },
            groups: Array.from({ length: settings.classes }, (_, label) => `class ${label}`),
          },
        ),
      },
      {
        name: "rho_by_size",
        caption:
          "Pearson's rho over the size of the subsets, and what is left of it when each class's mean difficulty is taken away",
        svg: await drawLines(
          [
            { name: "all samples", points: toPoints(comparisons, "rho") },
            { name: "within classes", points: toPoints(comparisons, "rhoWithinClasses") },
          ].filter(({ points }) => points.length > 0),
          {
            title: "Difficulty on subsets against that on the whole set",
            x: { title: "Samples of a subset", scale: "log" },
            y: { title: "Pearson's ρ" },
            band: "95% interval",
          },
        ),
      },
    ],
    claims: [
      claimDirection({
        what: "rho falls as the subsets shrink",
        paper: "less correlation the smaller the subset (figure 1; no numbers in the text)",
        ours: comparisons.map(show).join(", "),
        need: "rho is smaller at each size than at the next larger one; a rise counts against it " +
          "where the intervals lie apart, and decides nothing where they overlap",
        holds: rises.length === 0,
        ...rises.length > 0 && !rises.some(({ isApart }) => isApart) && {
          unable: `no fall, and intervals that overlap, ${
            rises.map(({ from, to }) => `from X = ${from} to X = ${to}`).join(" and ")
          }`,
        },
      }),
      claimDirection({
        what: "samples alone are far less correlated than samples among many",
        paper: "least correlation at the smallest subset",
        ours: `${showInterval(smallest)} against ${showInterval(largest)}`,
        need: "the interval at the smallest size lies below that at the largest",
        holds: apart,
      }),
    ],
    notes: [
      "Algorithm 1 lists a step for each sample, and adds the gradient; section 3.2 says full-batch gradient descent. We descend on the full batch, as the text says.",
      "The paper gives neither epochs, learning rate nor hidden units; ours are in the configuration, and all models of a run share them and their first parameters.",
      "All models begin with the same parameters, which favour some classes over others before anything is learnt. That stays visible in small subsets, the more the fewer the epochs: rho within classes says how much of rho it is.",
      "The interval is Fisher's, which takes both difficulties to be normal; they are skewed.",
    ],
  };
}
