/**
 * Distances between scalar kernels times the identity and the eNTK, for new networks of each width.
 *
 * @module
 */
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
} from "../../../mod.ts";
import { summarise } from "../../report/statistics.ts";
import { type Run, SettingError } from "../experiment.ts";
import { drawFromClasses } from "../shared/classes.ts";
import type { Kernel } from "../shared/paper.ts";
import { offsetSeed } from "../shared/settings.ts";
import type { Settings } from "./settings.ts";

/** Hidden layers that grow: all, or the last alone while the first one keeps the smallest width. */
export const GROWTHS = ["all", "last"] as const;
export type Growth = typeof GROWTHS[number];

export const PAIRS = ["one label", "two labels"] as const;
export type Pairs = typeof PAIRS[number];

/** Distances of one network, each a mean over pairs of different samples. */
export interface Distance {
  /** `|kappa I - K|_F`. */
  readonly absolute: number;
  /** `|kappa I - K|_F` over `|K|_F`. */
  readonly relative: number;
  /** Square of the relative distance. */
  readonly relativeSquare: number;
}

type Distances = Record<Kernel, Record<Pairs, Distance>>;

/** One network's distances. */
export interface Sighting {
  readonly growth: Growth;
  readonly width: number;
  /** Number of the network among those of its width, from 0. */
  readonly network: number;
  readonly distances: Distances;
}

/**
 * Draws equally many samples of each class.
 *
 * @throws {SettingError} if there is one class alone, or a class has too few samples.
 */
export async function chooseSamples(run: Run<Settings>): Promise<Dataset> {
  const { trainSize, perClass, sampleSeed } = run.settings;
  const all = await run.data("train", { trainSize });
  if (all.classes < 2) throw new SettingError("data", "images of at least two classes");
  const samples = drawFromClasses(all, all.classes, perClass, { key: "perClass", sampleSeed });
  await run.keepIndices(samples);
  return samples;
}

/** Measures the distances of every network, a step for each growth and width. */
export async function measureWidths(run: Run<Settings>, data: Dataset): Promise<Sighting[]> {
  const sightings: Sighting[] = [];
  for (const growth of GROWTHS) {
    for (const width of run.settings.widths) {
      const found = await run.step(
        `${growth}-${width}`,
        (onProgress) => measureNetworks(run, data, growth, width, onProgress),
      );
      sightings.push(
        ...found.map((distances, network) => ({ growth, width, network, distances })),
      );
    }
  }
  return sightings;
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
    found.push(await measureNetwork(engine, definition, data, offsetSeed(settings.seed, i)));
    onProgress(i + 1, settings.networks);
  }
  return found;
}

/** Defines a network of two hidden layers over pooled images. */
function defineNetwork(pool: number, first: number, last: number): NetworkDefinition {
  return {
    name: `relu-${first}-${last}`,
    forward(layers, images) {
      const inner = relu(layers.dense("fc1", flatten(maxPool(images, pool)), first));
      return layers.dense("fc3", relu(layers.dense("fc2", inner, last)), layers.classes);
    },
  };
}

async function measureNetwork(
  engine: Engine,
  definition: NetworkDefinition,
  data: Dataset,
  seed: number,
): Promise<Distances> {
  const source = { seed, classes: data.classes, initialisation: "lecun" } as const;
  using network = engine.network(definition, source, data.shape);
  using full = await engine.project(network, data, { kind: "entk" });
  const entk = await computeEntk(full);
  const measure = async (kind: Kernel) => {
    using rows = await engine.project(network, data, { kind });
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
