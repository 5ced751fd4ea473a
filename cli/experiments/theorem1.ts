/**
 * How far a scalar kernel times the identity is from the eNTK as networks grow wider (theorem 1, section 2.3, appendix B).
 *
 * Where equation 10 puts `g(x).g(x')`, its own sum over the classes puts `(s(y).s(y') / K) g(x).g(x')`. The factor is 1 for two samples of
 * one label, as for pNTK, and `(K - 4) / K` for two labels, whose relative distance therefore tends to `4 / K` and not to 0.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import {
  computeEntk,
  computeGram,
  type Dataset,
  type Engine,
  flatten,
  maxPool,
  type NetworkDefinition,
  type OnProgress,
  relu,
} from "../../mod.ts";
import { drawLines, type Line } from "../report/charts.ts";
import { estimateMean } from "../report/intervals.ts";
import { type Estimate, fitSlope, summarise } from "../report/statistics.ts";
import { drawFromClasses } from "./classes.ts";
import { type Claim, type Experiment, type Run, SettingError, type Table } from "./experiment.ts";
import * as setting from "./settings.ts";
import { claimDirection, claimNumber } from "./verdict.ts";

const SETTINGS = z.strictObject({
  data: setting.data(),
  /** Samples of the training set from which the pairs are taken. */
  trainSize: setting.count().default(500),
  /**
   * Height and width of the pixels that become one, the largest: where a network has more inputs than units its first layer outweighs the
   * others, and no width is large. 28 x 28 pixels become 16 inputs, fewer than the smallest width.
   */
  pool: setting.count().default(7),
  /** Samples of each class. */
  perClass: setting.count().min(2).default(2),
  /** Widths of the last hidden layer. */
  widths: z.array(setting.count()).min(3).default([32, 64, 128, 256, 512, 1024, 2048, 4096]),
  /** Smallest width that the slopes are fitted over: the theorem is about large ones. */
  fitFrom: setting.count().default(256),
  /** New networks at each width, with seeds one after another. */
  networks: setting.count().min(2).default(10),
  seed: setting.seed(),
  sampleSeed: setting.sampleSeed(),
});

type Settings = z.output<typeof SETTINGS>;

/** Which hidden layers are as wide as the setting says; the first one otherwise keeps the smallest width. */
const GROWTHS = ["all", "last"] as const;
type Growth = typeof GROWTHS[number];

const KERNELS = ["lpntk", "pntk"] as const;
type Kernel = typeof KERNELS[number];

const PAIRS = ["one label", "two labels"] as const;
type Pairs = typeof PAIRS[number];

/** Distances of one network, each a mean over pairs of different samples. */
export interface Distance {
  /** `|kappa I - K|_F`. */
  readonly absolute: number;
  /** The same over `|K|_F`. */
  readonly relative: number;
  /** The square of that. */
  readonly relativeSquare: number;
}

type Distances = Record<Kernel, Record<Pairs, Distance>>;

/** What is looked at over the widths. */
const MEASURES = {
  "equation 4": ({ absolute }: Distance, width: number) => absolute / Math.sqrt(width),
  relative: ({ relative }: Distance) => relative,
} as const;
type Measure = keyof typeof MEASURES;

/** One network's distances. */
interface Sighting {
  readonly growth: Growth;
  readonly width: number;
  /** Number of the network among those of its width, from 0. */
  readonly network: number;
  readonly distances: Distances;
}

/** Theorem 1. */
export const theorem1: Experiment<typeof SETTINGS> = {
  name: "theorem1",
  source: "section 2.3, appendix B",
  about: "the distance between lpNTK times the identity and the eNTK, as networks grow wider",
  settings: SETTINGS,
  quick: { widths: [32, 64, 128, 256, 512, 1024] },
  paper: {},

  async run(run) {
    const { widths, fitFrom, networks, pool } = run.settings;
    checkWidths(widths, fitFrom);
    const data = await chooseSamples(run);
    const sightings: Sighting[] = [];
    for (const growth of GROWTHS) {
      for (const width of widths) {
        const found = await run.step(
          `${growth}-${width}`,
          (onProgress) => measureNetworks(run, data, growth, width, onProgress),
        );
        sightings.push(
          ...found.map((distances, network) => ({ growth, width, network, distances })),
        );
      }
    }
    const fitted = sightings.filter(({ width }) => width >= fitFrom);
    const slopes = fitSlopes(fitted);
    const floors = GROWTHS.map((growth) => ({ growth, ...fitFloor(fitted, growth) }));
    return {
      metrics: { slopes, floors, sightings },
      tables: [
        tabulateSlopes(slopes, fitSlopes(sightings), fitFrom),
        tabulateDistances(sightings),
      ],
      figures: await Promise.all(
        GROWTHS.flatMap((growth) =>
          (Object.keys(MEASURES) as Measure[]).map((measure) =>
            drawDistances(sightings, growth, measure, data.classes)
          )
        ),
      ),
      claims: judge(slopes, floors, data.classes),
      notes: [
        `Networks of two hidden layers with relu, weights from N(0, 1 / inputs) and biases of 0 (LeCun), untrained; ${networks} at each width. ` +
        `"all": both hidden layers have the width; "last": the first one keeps ${
          Math.min(...widths)
        }. Images are pooled by ${pool} x ${pool}, so that they have fewer pixels than layers have units. Slopes and limits are fitted from width ${fitFrom} on. ` +
        `${data.labels.length} samples, ${run.settings.perClass} of each class; pairs of different samples.`,
        "The paper states the theorem without an experiment, and leaves open how wide the other layers are. Its bound has a constant alpha, the largest entry of the last hidden layer's kernel, " +
        "which grows with the width where all layers do.",
      ],
    };
  },
};

function checkWidths(widths: readonly number[], fitFrom: number): void {
  const third = new Set(widths).values().toArray().sort((a, b) => b - a)[2];
  if (third === undefined) throw new SettingError("widths", "three different ones");
  if (fitFrom > third) {
    throw new SettingError("fitFrom", `at most ${third}, so that three widths are fitted`);
  }
}

/** As many samples of each class. */
async function chooseSamples(run: Run<Settings>): Promise<Dataset> {
  const { trainSize, perClass, sampleSeed } = run.settings;
  const all = await run.data("train", { trainSize });
  if (all.classes < 2) throw new SettingError("data", "images of at least two classes");
  const samples = drawFromClasses(all, all.classes, perClass, { key: "perClass", sampleSeed });
  await run.keepIndices(samples);
  return samples;
}

/** Two hidden layers over pooled images. */
function defineNetwork(pool: number, first: number, last: number): NetworkDefinition {
  return {
    name: `relu-${first}-${last}`,
    forward(layers, images) {
      const inner = relu(layers.dense("fc1", flatten(maxPool(images, pool)), first));
      return layers.dense("fc3", relu(layers.dense("fc2", inner, last)), layers.classes);
    },
  };
}

async function measureNetworks(
  { engine, settings }: Run<Settings>,
  data: Dataset,
  growth: Growth,
  width: number,
  onProgress: OnProgress,
): Promise<Distances[]> {
  const first = growth === "all" ? width : Math.min(...settings.widths);
  const definition = defineNetwork(settings.pool, first, width);
  const found: Distances[] = [];
  for (let i = 0; i < settings.networks; i++) {
    const seed = (settings.seed + i) % 2 ** 32;
    found.push(await measureNetwork(engine, definition, data, seed));
    onProgress(i + 1, settings.networks);
  }
  return found;
}

async function measureNetwork(
  engine: Engine,
  definition: NetworkDefinition,
  data: Dataset,
  seed: number,
): Promise<Distances> {
  const source = { seed, classes: data.classes, initialisation: "lecun" } as const;
  using network = engine.network(definition, source, data.shape);
  using full = await engine.project(network, data, { seeds: "entk" });
  const entk = await computeEntk(full);
  const measure = async (seeds: Kernel) => {
    using rows = await engine.project(network, data, { seeds });
    return measureDistances(await computeGram(rows), entk, data.labels, data.classes);
  };
  return { lpntk: await measure("lpntk"), pntk: await measure("pntk") };
}

/**
 * Mean distances between `kappa I` and the eNTK over pairs of different samples.
 *
 * @param kernel `[N, N]`
 * @param entk `[N, N, C, C]`
 * @param labels `[N]`
 */
export function measureDistances(
  kernel: ArrayLike<number>,
  entk: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
): Record<Pairs, Distance> {
  const samples = labels.length;
  const measure = (wanted: boolean): Distance => {
    const pairs = Array.from({ length: samples ** 2 }, (_, pair) => pair).filter((pair) => {
      const [n, m] = [Math.floor(pair / samples), pair % samples];
      return n !== m && (labels[n] === labels[m]) === wanted;
    });
    const distances = pairs.map((pair) => {
      const block = Array.from(entk.subarray(pair * classes ** 2, (pair + 1) * classes ** 2));
      const norm = Math.hypot(...block);
      const isDiagonal = (at: number) => at % (classes + 1) === 0;
      const absolute = Math.hypot(
        ...block.map((value, at) => (isDiagonal(at) ? kernel[pair] : 0) - value),
      );
      return { absolute, relative: absolute / norm, relativeSquare: (absolute / norm) ** 2 };
    });
    const mean = (key: keyof Distance) => summarise(distances.map((d) => d[key])).mean!;
    return {
      absolute: mean("absolute"),
      relative: mean("relative"),
      relativeSquare: mean("relativeSquare"),
    };
  };
  return { "one label": measure(true), "two labels": measure(false) };
}

/** The slope of a distance over the width, both as logarithms. */
interface Slope {
  readonly growth: Growth;
  readonly kernel: Kernel;
  readonly pairs: Pairs;
  readonly measure: Measure;
  readonly slope: Estimate;
}

function fitSlopes(sightings: readonly Sighting[]): Slope[] {
  return listSeries().map((series) => {
    const points = listPoints(sightings, series);
    const slope = fitSlope(
      points.map(({ width }) => Math.log(width)),
      points.map(({ distance }) => Math.log(distance)),
    )!;
    return { ...series, slope };
  });
}

type Series = Omit<Slope, "slope">;

function listSeries(): Series[] {
  return GROWTHS.flatMap((growth) =>
    (Object.keys(MEASURES) as Measure[]).flatMap((measure) =>
      PAIRS.flatMap((pairs) => KERNELS.map((kernel) => ({ growth, kernel, pairs, measure })))
    )
  );
}

/** A distance for each network. */
function listPoints(
  sightings: readonly Sighting[],
  { growth, kernel, pairs, measure }: Series,
): { readonly width: number; readonly distance: number }[] {
  return sightings.filter((sighting) => sighting.growth === growth).map(({ width, distances }) => ({
    width,
    distance: MEASURES[measure](distances[kernel][pairs], width),
  }));
}

/**
 * What the relative distance of lpNTK for pairs of two labels tends to: its square is `floor^2 + b / width`, so that the square times the
 * width is a line over the width, with the slope `floor^2`. The i-th networks of all widths give one line, and these the interval.
 */
function fitFloor(sightings: readonly Sighting[], growth: Growth): Estimate {
  const own = sightings.filter((sighting) => sighting.growth === growth);
  const lines = Map.groupBy(own, ({ network }) => network).values().map((points) =>
    fitSlope(
      points.map(({ width }) => width),
      points.map(({ width, distances }) => width * distances.lpntk["two labels"].relativeSquare),
    )!.value
  );
  const square = estimateMean([...lines]);
  const root = (square: number) => Math.sqrt(Math.max(0, square));
  return { value: root(square.value), low: root(square.low!), high: root(square.high!) };
}

function tabulateSlopes(slopes: readonly Slope[], overAll: readonly Slope[], from: number): Table {
  return {
    name: "slopes",
    caption:
      `Slopes of the logarithm of the distance over that of the width, with 95% intervals, from width ${from} on`,
    rows: slopes.map(({ slope: { value, low, high }, ...series }, i) => ({
      ...series,
      slope: value,
      low,
      high,
      "slope over all widths": overAll[i].slope.value,
    })),
  };
}

function tabulateDistances(sightings: readonly Sighting[]): Table {
  return {
    name: "distances",
    caption: "Distances at each width, mean and standard deviation over the networks",
    rows: listSeries().flatMap((series) =>
      averagePoints(listPoints(sightings, series)).map(({ width, mean, deviation }) => (
        { ...series, width, mean, deviation }
      ))
    ),
  };
}

/** Mean and standard deviation at each width. */
function averagePoints(points: readonly { readonly width: number; readonly distance: number }[]) {
  return [...Map.groupBy(points, ({ width }) => width)].map(([width, own]) => {
    const { mean, standardDeviation } = summarise(own.map(({ distance }) => distance));
    return { width, mean: mean!, deviation: standardDeviation! };
  });
}

async function drawDistances(
  sightings: readonly Sighting[],
  growth: Growth,
  measure: Measure,
  classes: number,
) {
  const grows = growth === "all" ? "all hidden layers" : "the last hidden layer alone";
  const series = listSeries().filter((other) =>
    other.growth === growth && other.measure === measure
  );
  const lines = series.map(({ kernel, pairs }): Line => ({
    name: `${kernel === "lpntk" ? "lpNTK" : "pNTK"}, ${pairs}`,
    points: averagePoints(listPoints(sightings, { growth, kernel, pairs, measure })).map(
      ({ width, mean, deviation }) => ({
        x: width,
        y: mean,
        // a logarithmic axis has no place for 0
        low: Math.max(mean - deviation, mean / 2),
        high: mean + deviation,
      }),
    ),
  }));
  const isRelative = measure === "relative";
  return {
    name: `${isRelative ? "relative" : "equation-4"}-${growth}`,
    caption: isRelative
      ? `Distance relative to the eNTK's norm while ${grows} grow; 4 / K is ${4 / classes}`
      : `Distance as equation 4 writes it while ${grows} grow`,
    svg: await drawLines(lines, {
      title: `${isRelative ? "Relative distance" : "Equation 4"} as ${grows} grow`,
      x: { title: "Width (units)", scale: "log" },
      y: {
        title: isRelative ? "|κ I − K| / |K| (Frobenius)" : "|κ I − K| / √w (Frobenius)",
        scale: "log",
      },
      band: "± 1 standard deviation over networks",
    }),
  };
}

/** Floors by growth. */
type Floor = Estimate & { readonly growth: Growth };

function judge(slopes: readonly Slope[], floors: readonly Floor[], classes: number): Claim[] {
  const find = (growth: Growth, measure: Measure, kernel: Kernel, pairs: Pairs) =>
    slopes.find((slope) =>
      slope.growth === growth && slope.measure === measure && slope.kernel === kernel &&
      slope.pairs === pairs
    )!.slope;
  const grows = { all: "all hidden layers grow", last: "the last hidden layer alone grows" };
  const written = GROWTHS.flatMap((growth) =>
    PAIRS.map((pairs) => {
      const { value, low, high } = find(growth, "equation 4", "lpntk", pairs);
      return claimDirection({
        what: `lpNTK, pairs of ${pairs}, ${
          grows[growth]
        }: the distance of equation 4 falls at least as w^-1/2`,
        paper: "O(w^-1/2)",
        ours: `slope ${value.toFixed(3)} [${low!.toFixed(3)}, ${high!.toFixed(3)}]`,
        need: "the slope's 95% interval holds -1/2 or lies below it",
        holds: low! <= -0.5,
      });
    })
  );
  const relative = KERNELS.map((kernel) => {
    const { value, low, high } = find("all", "relative", kernel, "one label");
    return claimNumber({
      what: `${
        kernel === "lpntk" ? "lpNTK" : "pNTK"
      }, pairs of one label, all hidden layers grow: slope of the relative distance`,
      paper: -0.5,
      ours: { value, low: low!, high: high!, interval: "95% interval over networks and widths" },
      differences: [],
    });
  });
  const floor = floors.flatMap(({ growth, value, low, high }) =>
    [
      ["0 as the theorem implies", 0],
      ["4 / K as equation 10 has it once the factor s(y).s(y') / K is kept", 4 / classes],
    ].map(([reading, paper]) =>
      claimNumber({
        what: `lpNTK, pairs of two labels, ${
          grows[growth]
        }: the relative distance tends to ${reading}`,
        paper: paper as number,
        ours: { value, low: low!, high: high!, interval: "95% interval over networks" },
        differences: [],
      })
    )
  );
  return [...written, ...relative, ...floor];
}
