/**
 * Making a sample easier or harder by its company (after section 3.1): beside the same few others, a sample is learnt together with those
 * of a pool that the lpNTK calls interchangeable with it, unrelated or contradictory to it, and its difficulty is watched.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import {
  computeGram,
  computeSelfSimilarity,
  createDataset,
  type Dataset,
  drawStratified,
  indexSample,
  keepRandom,
  NonFiniteError,
  type OnProgress,
  type Rows,
  takeSamples,
} from "../../mod.ts";
import { drawBars, drawLines } from "../report/charts.ts";
import { estimateMean, formatInterval } from "../report/intervals.ts";
import { type Estimate, summarise } from "../report/statistics.ts";
import { type Experiment, type Run, SettingError } from "./experiment.ts";
import * as setting from "./settings.ts";
import { trainOnce } from "./training.ts";
import { claimDirection, claimSide } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  model: setting.model().default("mlp"),
  /** Labels of the classes that the network tells apart. */
  classes: z.array(z.int().min(0)).min(2).default([4, 9]),
  /** Samples of those classes, drawn from the training set: targets and company come from them. */
  poolSize: setting.count().default(1000),
  /** Epochs over the pool before the kernel is taken, in batches of 64. */
  kernelEpochs: setting.count().default(3),
  targets: setting.count().default(20),
  /** Samples that every training set of a target has in common, drawn at random. */
  baseSize: setting.count().default(60),
  /** Samples that are added. */
  added: setting.count().default(10),
  /** Networks of each training set. */
  seeds: setting.count().default(3),
  /** Steps of gradient descent, each over the whole training set. */
  epochs: setting.count().default(30),
  learningRate: setting.positive().default(0.05),
  momentum: setting.fraction().default(0.9),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

const ARMS = ["interchangeable", "random", "unrelated", "contradictory"] as const;
type Arm = typeof ARMS[number];

function mapArms<T>(of: (arm: Arm) => T): Record<Arm, T> {
  return Object.fromEntries(ARMS.map((arm) => [arm, of(arm)])) as Record<Arm, T>;
}

/** Samples of the pool by their relation to a target. */
interface Company {
  readonly samples: readonly number[];
  /** Mean of `kappa(x, x') / max(kappa(x, x), kappa(x', x'))`: 1/2 and more is interchangeable, -1/2 and less contradictory (appendix C). */
  readonly relation: number;
}

/** What became of one target. */
interface Watched {
  readonly target: number;
  readonly label: number;
  /** By arm; difficulties in nats, one a seed. */
  readonly arms: Readonly<Record<Arm, Company & { readonly difficulty: readonly number[] }>>;
}

/** How ratios of difficulties are judged. */
const JUDGED = { interval: "95% interval of the ratio over targets", bound: 1 } as const;

/** The authors' own extra. */
export const control: Experiment<typeof SETTINGS> = {
  name: "control",
  source: "section 3.1; an extra of the authors' code",
  about: "make samples easier or harder by what they are learnt with",
  settings: SETTINGS,
  quick: { targets: 6, seeds: 1 },
  paper: {},

  async run(run) {
    const { settings } = run;
    const pool = takePool(await run.data("train"), settings);
    await run.keepIndices(pool);
    const watched = await watchTargets(run, pool);
    const ratios = mapArms((arm) => estimateRatio(watched, arm));
    const relation = (arm: Arm) => summarise(watched.map(({ arms }) => arms[arm].relation)).mean!;
    const ours = (arm: Arm) =>
      `${formatInterval(ratios[arm])} times as hard as with random samples; mean relation ${
        relation(arm).toFixed(2)
      }`;
    return {
      metrics: { ratios, relations: mapArms(relation) },
      tables: [{
        name: "targets",
        caption: "Each target's difficulty by its company",
        rows: watched.flatMap(({ target, label, arms }) =>
          ARMS.map((arm) => ({
            target: indexSample(pool, target),
            label: settings.classes[label],
            company: arm,
            "mean relation": arms[arm].relation,
            "of the target's class": arms[arm].samples.filter((other) =>
              pool.labels[other] === label
            ).length,
            "difficulty (nats)": summarise([...arms[arm].difficulty]).mean,
          }))
        ),
      }],
      figures: [
        {
          name: "ratios",
          caption: "How hard a sample is to learn with company of each kind, over how hard with " +
            "as many random samples: geometric mean over targets",
          svg: await drawBars(
            ARMS.filter((arm) => arm !== "random").map((arm) => ({
              name: arm,
              value: ratios[arm].value,
              ...ratios[arm].low !== null && { low: ratios[arm].low, high: ratios[arm].high! },
            })),
            {
              title: `Difficulty with ${settings.added} added samples, relative to random ones`,
              x: { title: "Difficulty over that with random samples (1: no change)" },
              whiskers: watched.length > 1 ? "95% interval over targets" : undefined,
            },
          ),
        },
        {
          name: "targets",
          caption: "Every target, from the easiest to the hardest with random company",
          svg: await drawTargets(watched, settings),
        },
      ],
      claims: [
        claimSide({
          what: "interchangeable samples make a sample easier",
          paper: "an update on one makes predictions on the other more accurate",
          ours: ours("interchangeable"),
          ...JUDGED,
          estimate: ratios.interchangeable,
          side: "below",
        }),
        claimSide({
          what: "contradictory samples make a sample harder",
          paper: "an update on one makes predictions on the other worse",
          ours: ours("contradictory"),
          ...JUDGED,
          estimate: ratios.contradictory,
          side: "above",
          unable: relation("contradictory") < 0
            ? undefined
            : "the pool holds no contradictory samples",
        }),
        claimDirection({
          what: "unrelated samples lie between the two",
          paper: "an update on one does not modify predictions on the other",
          ours: ours("unrelated"),
          need: "the ratio lies between the other two",
          holds: ratios.interchangeable.value < ratios.unrelated.value &&
            ratios.unrelated.value < ratios.contradictory.value,
        }),
      ],
      notes: [
        "The paper describes no such experiment; the claims are its definitions of the three relations, put to the test.",
        "All training sets of a target are equally large and share their base; targets and base are drawn at random, and what is added never comes from them.",
        `The relation is kappa(x, x') over the larger self-similarity, under a network trained for ${settings.kernelEpochs} epochs on the pool; the networks that are watched are others.`,
        "Equation 2's sign vectors let samples of two labels contradict each other most with two classes: their product is C for equal labels and C - 4 for different ones, negative only below 4 classes. With ten classes of MNIST the pool holds hardly any contradictory sample.",
      ],
    };
  },
};

/** Samples of the wanted classes, labelled 0, 1, ... in the order of the setting. */
function takePool(whole: Dataset, settings: Settings): Dataset {
  const { classes, poolSize, targets, baseSize, added, sampleSeed: seed } = settings;
  if (new Set(classes).size < classes.length || Math.max(...classes) >= whole.classes) {
    throw new SettingError("classes", `different labels below ${whole.classes}`);
  }
  const needed = targets + baseSize + added;
  if (poolSize < needed) {
    throw new SettingError("poolSize", `at least ${needed}, targets, baseSize and added together`);
  }
  const wanted = [...whole.labels.keys()].filter((i) => classes.includes(whole.labels[i]));
  if (wanted.length < poolSize) {
    throw new SettingError("poolSize", `at most ${wanted.length}, the samples of those classes`);
  }
  const samples = drawStratified(takeSamples(whole, wanted), poolSize, { seed });
  const labels = samples.labels.map((label) => classes.indexOf(label));
  return createDataset({ ...samples, labels, classes: classes.length });
}

async function watchTargets(run: Run<Settings>, pool: Dataset): Promise<Watched[]> {
  const { settings, engine, definition } = run;
  const { kernelEpochs, seed, poolSize, targets, baseSize } = settings;
  const trained = await trainOnce(run, {
    name: "kernel",
    data: pool,
    seed,
    epochs: kernelEpochs,
    batch: 64,
    learningRate: 0.02,
  });
  if (trained === undefined) {
    throw new NonFiniteError("Cannot take the kernel: its network failed to train");
  }
  using network = engine.network(definition, trained.weights, pool.shape);
  using rows = await engine.project(network, pool);
  const self = await computeSelfSimilarity(rows);
  const chosen = [...keepRandom(poolSize, targets, seed)];
  const others = [...pool.labels.keys()].filter((sample) => !chosen.includes(sample));
  const base = [...keepRandom(others.length, baseSize, seed)].map((i) => others[i]);
  const free = others.filter((sample) => !base.includes(sample));
  const watched: Watched[] = [];
  for (const target of chosen) {
    const outcome = await run.step(`target-${target}`, async (onProgress) => {
      using own = await engine.project(network, takeSamples(pool, [target]));
      const companies = await findCompanies(own, rows, self, target, free, settings);
      try {
        return await watchTarget(run, pool, target, base, companies, onProgress);
      } catch (error) {
        if (!(error instanceof NonFiniteError)) throw error;
        return error.message;
      }
    });
    if (typeof outcome === "string") run.exclude(`target ${target}`, outcome);
    else watched.push(outcome);
  }
  if (watched.length === 0) throw new NonFiniteError("Cannot compare: no target was learnt");
  return watched;
}

/** The samples of `free` that are most interchangeable with the target, unrelated and contradictory to it, and as many at random. */
async function findCompanies(
  own: Rows,
  rows: Rows,
  self: Float32Array,
  target: number,
  free: readonly number[],
  { added, seed }: Settings,
): Promise<Record<Arm, Company>> {
  const similarity = await computeGram(own, rows);
  // both quotients of appendix C are at least t in size where the smaller one is
  const relate = (other: number) => similarity[other] / Math.max(self[target], self[other]);
  const stray = (other: number) =>
    Math.abs(similarity[other]) / Math.min(self[target], self[other]);
  const first = (key: (other: number) => number) =>
    free.toSorted((a, b) => key(a) - key(b) || a - b).slice(0, added);
  const chosen: Record<Arm, number[]> = {
    interchangeable: first((other) => -relate(other)),
    random: [...keepRandom(free.length, added, (seed + target) % 2 ** 32)].map((i) => free[i]),
    unrelated: first(stray),
    contradictory: first(relate),
  };
  const describe = (samples: number[]): Company => ({
    samples,
    relation: summarise(samples.map(relate)).mean!,
  });
  return mapArms((arm) => describe(chosen[arm]));
}

async function watchTarget(
  { engine, settings, definition }: Run<Settings>,
  pool: Dataset,
  target: number,
  base: readonly number[],
  companies: Readonly<Record<Arm, Company>>,
  onProgress: OnProgress,
): Promise<Watched> {
  const { seed, seeds, epochs, learningRate, momentum } = settings;
  const difficulties = mapArms((): number[] => []);
  let done = 0;
  for (let i = 0; i < seeds; i++) {
    // arms take turns, so that each sees every network's first weights
    for (const arm of ARMS) {
      const source = { seed: (seed + 1 + i) % 2 ** 32, classes: pool.classes };
      using network = engine.network(definition, source, pool.shape);
      const set = takeSamples(pool, [target, ...base, ...companies[arm].samples]);
      const { difficulty } = await engine.train(network, set, {
        epochs,
        learningRate,
        momentum,
        batch: "full",
      });
      difficulties[arm].push(difficulty[0]);
      onProgress(++done, seeds * ARMS.length);
    }
  }
  const arms = mapArms((arm) => ({ ...companies[arm], difficulty: difficulties[arm] }));
  return { target, label: pool.labels[target], arms };
}

/** Geometric mean over targets of an arm's difficulty over that of the random one, each averaged over the seeds. */
function estimateRatio(watched: readonly Watched[], arm: Arm): Estimate {
  const mean = (values: readonly number[]) => summarise([...values]).mean!;
  const { value, low, high } = estimateMean(
    watched.map(({ arms }) => Math.log(mean(arms[arm].difficulty) / mean(arms.random.difficulty))),
  );
  return {
    value: Math.exp(value),
    low: low === null ? null : Math.exp(low),
    high: high === null ? null : Math.exp(high),
  };
}

async function drawTargets(watched: readonly Watched[], { seeds }: Settings): Promise<string> {
  const summarised = watched.map(({ arms }) =>
    mapArms((arm) => summarise([...arms[arm].difficulty]))
  );
  summarised.sort((a, b) => a.random.mean! - b.random.mean!);
  return await drawLines(
    ARMS.map((arm) => ({
      name: arm,
      points: summarised.map((target, i) => {
        const { mean, standardDeviation } = target[arm];
        const spread = standardDeviation ?? 0;
        return {
          x: i + 1,
          y: mean!,
          ...seeds > 1 && { low: mean! - spread, high: mean! + spread },
        };
      }),
    })),
    {
      title: "Difficulty of each target by its company",
      x: { title: "Target" },
      y: { title: "Difficulty (nats, summed over steps)" },
      band: seeds > 1 ? `± 1 standard deviation over ${seeds} networks` : undefined,
    },
  );
}
