/**
 * Inputs of commands: networks and kernels, as their options name them.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import {
  type Dataset,
  type Engine,
  FileError,
  hashDataset,
  hashIntegers,
  hashWeights,
  type KernelSource,
  KernelStore,
  type Network,
  type ParameterChoice,
  type Rows,
  type Sketch,
  type SketchError,
  type Split,
} from "../mod.ts";
import { describeValue } from "../engine/options.ts";
import { openAdapter } from "./adapter.ts";
import { loadKernel, loadLabels } from "./arrays.ts";
import type { KnownSamples, Lookup } from "./known_samples.ts";
import { chooseWeights, identifyModel, isOnnx, loadNetwork as readNetwork } from "./model.ts";
import { noteEmptyClasses } from "./notes.ts";
import {
  type DataOptions,
  loadSamples,
  noteOtherSamples,
  type SampleChoice,
  type Samples,
  toLookup,
} from "./samples.ts";
import type { DataSetOptions } from "./data_set.ts";
import type { OutputFolder } from "./output.ts";
import { UsageError } from "./usage.ts";
import { withProgress } from "./progress.ts";

/** Options that choose a network's kernel over samples. */
export interface NetworkOptions extends DataOptions {
  readonly model: string;
  readonly weights: string;
  readonly split?: Split;
  readonly kind: "lpntk" | "pntk";
  /** Names of the layers whose parameters count. Default: all. */
  readonly layers?: readonly string[];
  /** Parameters of these layers that count. */
  readonly parameters: ParameterChoice;
  /** Length of a sketched row. Default: rows are exact. */
  readonly sketch?: number;
}

/** Options that choose a kernel: a network's, or a stored one. */
export interface SourceOptions extends Partial<NetworkOptions> {
  readonly kernel?: string;
  /** Memory that the process and the device may take together, in bytes. */
  readonly memory?: number;
  readonly labels?: string;
}

/** A kernel with what is known of its samples. */
export interface Source {
  readonly kernel: KernelSource;
  readonly count: number;
  /** The samples; a stored kernel records at most their indices, and `--labels` tells their labels. */
  readonly samples: KnownSamples;
  /** Files of the whole split, among which a sample may be named; absent where samples are no files or the kernel is a stored one. */
  readonly lookup: Lookup;
  /** How the samples were chosen; undefined if a stored kernel does not record it. */
  readonly choice: SampleChoice | undefined;
  /** Record of what computed the kernel and of the error of a sketch; of a stored kernel the error alone. */
  readonly origin: {
    readonly adapter?: string;
    readonly variant?: string;
    readonly layers?: readonly string[];
    readonly parameters?: ParameterChoice;
    readonly sketch?: SketchError;
  };
}

/**
 * Loads a network with weights from a file, to analyse these samples; a line on standard error tells if the file says that the network was trained on
 * others. The caller disposes it.
 */
export async function loadNetwork(
  engine: Engine,
  { model, weights, ...source }:
    & Pick<NetworkOptions, "model" | "weights">
    & DataSetOptions,
  samples: Samples,
): Promise<Network> {
  const network = await readNetwork(engine, { model, weights }, samples.data.shape);
  await noteOtherSamples(weights, samples, source);
  return network;
}

/** Identifiers of a network and its weights, for the record. */
export async function hashNetwork(
  network: Network,
  model: string,
): Promise<Record<string, string>> {
  return {
    network: await identifyModel(model),
    weights: hashWeights(await network.weights()),
  };
}

/** Options of a projection. */
export type ProjectionOptions = Pick<NetworkOptions, "kind" | "layers" | "sketch"> & {
  readonly parameters?: ParameterChoice;
  readonly tileRows?: number;
};

/** Seed of every sketch: both sides of a kernel have to share it, and the same call gives the same kernel. */
const SKETCH_SEED = 0;

/** The sketch of a number of projections; undefined for exact rows. */
export function toSketch(dimension: number | undefined): Sketch | undefined {
  return dimension === undefined ? undefined : { dimension, seed: SKETCH_SEED };
}

/**
 * Computes the signed projections of a data set (per-sample gradients), with a progress bar; the caller disposes the rows.
 *
 * @param others number of samples on the other side of the kernel, which are projected next
 */
export function project(
  engine: Engine,
  network: Network,
  data: Dataset,
  { kind, layers, parameters, sketch, tileRows }: ProjectionOptions,
  others?: number,
): Promise<Rows> {
  return withProgress(
    "projecting",
    "samples",
    (onProgress) =>
      engine.project(network, data, {
        kind,
        layers,
        parameters,
        sketch: toSketch(sketch),
        onProgress,
        others,
        tileRows,
      }),
  );
}

/** Measures the error of a sketched kernel, of a data set with itself or with other samples; undefined for exact rows. */
export async function measureSketch(
  engine: Engine,
  network: Network,
  data: Dataset,
  { kind, layers, parameters, sketch: dimension }: ProjectionOptions,
  others?: Dataset,
): Promise<SketchError | undefined> {
  const sketch = toSketch(dimension);
  return sketch &&
    await engine.measureSketch(network, data, { kind, layers, parameters, sketch, others });
}

/**
 * Runs `job` on the kernel that the options choose: a stored kernel needs no GPU to read, a network's samples are projected first.
 *
 * @param folder of the results, which records the hashes of the inputs
 * @throws {UsageError} if the options choose no kernel, or two.
 */
export async function withSource<T>(
  options: SourceOptions,
  folder: OutputFolder,
  job: (source: Source) => Promise<T>,
): Promise<T> {
  if (options.kernel !== undefined) {
    refuseTogether(options);
    const loaded = await loadKernel(options.kernel);
    const { kernel, indices, choice } = loaded;
    const { size: count } = kernel;
    const labels = options.labels === undefined
      ? undefined
      : await loadLabels(options.labels, count, loaded);
    folder.declare({
      kernel: loaded.sha256,
      samples: indices && hashIntegers(indices),
      labels: labels && hashIntegers(labels),
    });
    const origin = kernel instanceof KernelStore ? { sketch: readSketch(kernel) } : {};
    const known = { indices, labels };
    return await job({ kernel, count, samples: known, lookup: known, choice, origin });
  }
  const { model, data, kind = "lpntk", layers, parameters = "all", sketch } = options;
  const isChosen = options.weights !== undefined || (model !== undefined && isOnnx(model));
  if (model === undefined || !isChosen || data === undefined) {
    throw new UsageError("need either --kernel, or --model, --weights and --data");
  }
  const weights = chooseWeights({ model, weights: options.weights });
  if (options.labels !== undefined) {
    throw new UsageError("got --labels without --kernel, need the labels of the data set alone");
  }
  const samples = await loadSamples({ ...options, data });
  const { choice } = samples;
  using engine = await openAdapter({ memoryBytes: options.memory });
  using network = await loadNetwork(engine, { ...options, model, weights, data }, samples);
  folder.declare({ ...await hashNetwork(network, model), samples: hashDataset(samples.data) });
  const how = { kind, layers, parameters, sketch };
  const error = await measureSketch(engine, network, samples.data, how);
  using rows = await project(engine, network, samples.data, how);
  noteEmptyClasses(samples.data);
  const adapter = engine.adapter.name;
  const origin = { adapter, variant: rows.gramVariant, layers, parameters, sketch: error };
  return await job({
    kernel: rows,
    count: rows.count,
    samples: samples.data,
    lookup: toLookup(samples),
    choice,
    origin,
  });
}

/** Attribute of a store that holds its {@linkcode SketchError}. */
export const SKETCH_ERROR = "sketch_error";

const SKETCH = z.object({
  dimension: z.number(),
  seed: z.number(),
  exactLength: z.number(),
  pairs: z.number(),
  error: z.number(),
  bias: z.number(),
});

/**
 * Reads the error of a stored sketched kernel; undefined for an exact one.
 *
 * @throws {FileError} if the attribute is not as `gram` writes it.
 */
function readSketch({ path, attributes }: KernelStore): SketchError | undefined {
  const { success, data } = SKETCH.optional().safeParse(attributes[SKETCH_ERROR]);
  if (success) return data;
  throw new FileError(
    path,
    `Cannot use ${path} as a kernel: got ${SKETCH_ERROR} ${
      describeValue(attributes[SKETCH_ERROR])
    }, need it as lpntk gram writes it`,
  );
}

/** Options that cannot go with a stored kernel. */
const NETWORK_OPTIONS = {
  model: "--model",
  weights: "--weights",
  data: "--data",
  size: "--size",
  strict: "--strict",
  trainSize: "--train-size",
  testSize: "--test-size",
  layers: "--layers",
  sketch: "--sketch",
} as const;

function refuseTogether(options: SourceOptions): void {
  for (const [name, flag] of Object.entries(NETWORK_OPTIONS)) {
    if (options[name as keyof typeof NETWORK_OPTIONS] !== undefined) {
      throw new UsageError(`got both --kernel and ${flag}, need one of them`);
    }
  }
}
