/**
 * What commands work on: networks and kernels, as their options name them.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "npm:zod@4.6.7";
import {
  DataError,
  type Dataset,
  type Engine,
  FileError,
  KernelMatrix,
  type KernelSource,
  KernelStore,
  lenet5,
  lenetLarge,
  loadWeights,
  mlp,
  type Network,
  type NetworkDefinition,
  openEngine,
  readNpy,
  resnet18,
  resnet18Narrow,
  resnet8,
  resnet8Narrow,
  type Rows,
  type Sketch,
  type SketchError,
  type Split,
  type StoredKernel,
} from "../mod.ts";
import {
  type DataOptions,
  loadSamples,
  noteOtherSamples,
  parseChoice,
  type SampleChoice,
  type Samples,
} from "./samples.ts";
import { UsageError } from "./usage.ts";
import { withProgress } from "./progress.ts";

/** Whether a path names a kernel in chunks, a folder, and not one in a file. */
export function namesStore(path: string): boolean {
  return /\.zarr[/\\]*$/.test(path);
}

/** The built-in networks by the name that `--model` takes. */
export const MODELS: Readonly<Record<string, NetworkDefinition>> = Object.fromEntries(
  [lenet5, lenetLarge, mlp, resnet8, resnet8Narrow, resnet18, resnet18Narrow].map((
    model,
  ) => [model.name, model]),
);

/** What `--model` takes, as a text says it. */
export const MODEL_NEED = `${Object.keys(MODELS).join(", ")} or a .ts file`;

/** Whether `--model` takes it: a built-in network's name, or the path of a file with a network of one's own. */
export function namesModel(model: string): boolean {
  return Object.hasOwn(MODELS, model) || /[/\\]|\.[jt]s$|\.m[jt]s$/.test(model);
}

/**
 * A built-in network, or the default export of a module.
 *
 * @throws {FileError} if the module cannot be imported, or exports no network definition.
 */
export async function loadDefinition(model: string): Promise<NetworkDefinition> {
  if (Object.hasOwn(MODELS, model)) return MODELS[model];
  const fail = (state: string, cause?: unknown) =>
    new FileError(
      model,
      `Cannot use ${model} as a network: got ${state}, need a module whose default export is a NetworkDefinition, { name, forward }`,
      { cause },
    );
  // the import's own error would name the file that imports
  if (!await isFile(model)) throw fail("no such file");
  const { default: definition } = await import(pathToFileURL(resolve(model)).href)
    .catch((cause) => {
      throw fail(String(cause), cause);
    });
  if (definition === undefined) throw fail("no default export");
  for (const [property, type] of [["name", "string"], ["forward", "function"]] as const) {
    const got = typeof definition?.[property];
    if (got !== type) throw fail(`a default export whose ${property} is ${got}`);
  }
  return definition;
}

/** What says which network was used: a built-in one's name, or a module's path and SHA-256. */
export async function identifyModel(model: string): Promise<string> {
  if (Object.hasOwn(MODELS, model)) return model;
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(model));
  return `${model}, SHA-256 ${new Uint8Array(digest).toHex()}`;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isFile }) => isFile, () => false);
}

/** Options that choose a network's kernel over samples. */
export interface NetworkOptions extends DataOptions {
  readonly model: string;
  readonly weights: string;
  readonly split?: Split;
  readonly kind: "lpntk" | "pntk";
  /** Numbers of a sketched row. Default: rows are exact. */
  readonly sketch?: number;
}

/** Options that choose a kernel: a network's, or a stored one. */
export interface SourceOptions extends Partial<NetworkOptions> {
  readonly kernel?: string;
  /** What the process and the device may hold together, in bytes. */
  readonly memory?: number;
  readonly labels?: string;
}

/** A kernel with what is known of its samples. */
export interface Source {
  readonly kernel: KernelSource;
  readonly labels: ArrayLike<number> | undefined;
  readonly count: number;
  /** Where each sample stands in its whole split, `[N]`; undefined where the kernel is of a whole one, or does not say. */
  readonly indices: Int32Array | undefined;
  /** How the samples were chosen; undefined of a stored kernel of a whole split, or of one in a single file, which cannot say. */
  readonly choice: SampleChoice | undefined;
  /** What computed it, for the record, unless it was stored, and how far off it is where it was sketched. */
  readonly origin: {
    readonly adapter?: string;
    readonly variant?: string;
    readonly sketch?: SketchError;
  };
}

/**
 * A network with weights from a file, for an analysis of these samples: where the weights tell that they were trained on others, so does a
 * line on standard error. The caller disposes it.
 */
export async function loadNetwork(
  engine: Engine,
  { model, weights, data }: Pick<NetworkOptions, "model" | "weights" | "data">,
  samples: Samples,
): Promise<Network> {
  const network = engine.network(
    await loadDefinition(model),
    await loadWeights(weights),
    samples.data.shape,
  );
  await noteOtherSamples(weights, samples, data);
  return network;
}

/** How to project. */
export type ProjectionOptions = Pick<NetworkOptions, "kind" | "sketch"> & {
  readonly tileRows?: number;
};

/** Both sides of every kernel are sketched alike, and the same call gives the same numbers. */
const SKETCH_SEED = 0;

/** The sketch that a number of projections stands for. */
export function toSketch(dimension: number | undefined): Sketch | undefined {
  return dimension === undefined ? undefined : { dimension, seed: SKETCH_SEED };
}

/** Signed projections of a data set, with a progress bar; the caller disposes them. */
export function project(
  engine: Engine,
  network: Network,
  data: Dataset,
  { kind, sketch, tileRows }: ProjectionOptions,
): Promise<Rows> {
  return withProgress(
    "projecting",
    "samples",
    (onProgress) =>
      engine.project(network, data, {
        seeds: kind,
        sketch: toSketch(sketch),
        onProgress,
        tileRows,
      }),
  );
}

/** How far off the kernel of sketched rows is, with itself or other samples; nothing of exact rows. */
export async function measureSketch(
  engine: Engine,
  network: Network,
  data: Dataset,
  { kind, sketch: dimension }: ProjectionOptions,
  others?: Dataset,
): Promise<SketchError | undefined> {
  const sketch = toSketch(dimension);
  return sketch && await engine.measureSketch(network, data, { seeds: kind, sketch, others });
}

/**
 * Runs `job` on the kernel that the options choose: a stored kernel needs no GPU to read, a network's samples are projected first.
 *
 * @throws {UsageError} if the options choose neither.
 */
export async function withSource<T>(
  options: SourceOptions,
  job: (source: Source) => Promise<T>,
): Promise<T> {
  if (options.kernel !== undefined) {
    const { kernel, indices } = await loadKernel(options.kernel);
    const { size: count } = kernel;
    const labels = options.labels === undefined
      ? undefined
      : chooseLabels(options.labels, await loadLabels(options.labels), count, indices);
    const isStore = kernel instanceof KernelStore;
    const choice = isStore ? parseChoice(kernel.attributes[CHOICE]) : undefined;
    const origin = isStore ? { sketch: readSketch(kernel) } : {};
    return await job({ kernel, labels, count, indices, choice, origin });
  }
  const { model, weights, data, kind = "lpntk", sketch } = options;
  if (model === undefined || weights === undefined || data === undefined) {
    throw new UsageError("need either --kernel, or --model, --weights and --data");
  }
  if (options.labels !== undefined) {
    throw new UsageError("got --labels without --kernel, need the labels of the data set alone");
  }
  const samples = await loadSamples({ ...options, data });
  const { data: { labels, indices }, choice } = samples;
  using engine = await openEngine({ memoryBytes: options.memory });
  using network = await loadNetwork(engine, { model, weights, data }, samples);
  const how = { kind, sketch };
  const error = await measureSketch(engine, network, samples.data, how);
  using rows = await project(engine, network, samples.data, how);
  const origin = { adapter: engine.adapter.name, variant: rows.variant.name, sketch: error };
  return await job({ kernel: rows, labels, count: rows.count, indices, choice, origin });
}

/** A stored kernel, and where its samples stand in their whole split if it is of a part. */
interface Loaded {
  readonly kernel: StoredKernel;
  readonly indices: Int32Array | undefined;
}

/** A stored kernel: a folder written by `gram`, or a square float32 or float64 `.npy`. */
async function loadKernel(path: string): Promise<Loaded> {
  if (namesStore(path)) {
    const kernel = await KernelStore.open(path);
    return { kernel, indices: kernel.indices };
  }
  const { data, shape } = await readNpy(path);
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  if (!isFloat || shape.length !== 2 || shape[0] !== shape[1]) {
    throw new DataError(
      `Cannot use ${path} as a kernel: got ${nameType(data)} [${
        shape.join(", ")
      }], need float32 or float64 [N, N]`,
    );
  }
  const kernel = new KernelMatrix(data, shape[0]);
  return { kernel, indices: await loadKernelIndices(path, kernel.size) };
}

/** The files beside a kernel in one file, `K.npy`, with the indices of its rows and of other columns, where they are a part of a split. */
export function nameIndexFiles(path: string): { readonly rows: string; readonly columns: string } {
  const stem = path.replace(/\.npy$/, "");
  return { rows: `${stem}.samples.npy`, columns: `${stem}.test_samples.npy` };
}

/** @throws {DataError} if the file beside a kernel does not hold one index for each of its samples. */
async function loadKernelIndices(path: string, size: number): Promise<Int32Array | undefined> {
  const { rows } = nameIndexFiles(path);
  if (!await isFile(rows)) return undefined;
  const { data, shape } = await readNpy(rows);
  const isRight = data instanceof Int32Array && data.length === size &&
    data.every((index, i) => index > (i === 0 ? -1 : data[i - 1]));
  if (isRight) return data;
  throw new DataError(
    `Cannot use ${rows} as the samples of ${path}: got ${nameType(data)} [${
      shape.join(", ")
    }], need int32 [${size}], indices in increasing order; remove it if ${path} is of a whole set`,
  );
}

/** Labels of a stored kernel's samples, from its own `[N]` or from those of the whole split that they are a part of. */
function chooseLabels(
  path: string,
  labels: readonly number[],
  size: number,
  indices: Int32Array | undefined,
): readonly number[] {
  if (labels.length === size) return labels;
  // indices are in increasing order
  if (indices && labels.length > indices[size - 1]) return Array.from(indices, (i) => labels[i]);
  throw new DataError(
    `Cannot use ${path} as labels: got ${labels.length} labels, need ${size}, one for each sample of the kernel${
      indices ? `, or those of the whole set, more than ${indices[size - 1]}` : ""
    }`,
  );
}

/** Attribute of a store that holds the {@linkcode SampleChoice} of its rows, where they are a part of their split. */
export const CHOICE = "choice";

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
 * How far off a stored kernel is; nothing of one that is exact.
 *
 * @throws {FileError} if the store says it in another way.
 */
function readSketch({ path, attributes }: KernelStore): SketchError | undefined {
  const { success, data } = SKETCH.optional().safeParse(attributes[SKETCH_ERROR]);
  if (success) return data;
  throw new FileError(
    path,
    `Cannot use ${path} as a kernel: got ${SKETCH_ERROR} ${
      JSON.stringify(attributes[SKETCH_ERROR])
    }, need it as lpntk gram writes it`,
  );
}

/** Labels `[N]` of any integer type. */
async function loadLabels(path: string): Promise<number[]> {
  const { data, shape } = await readNpy(path);
  if (data instanceof Float32Array || data instanceof Float64Array || shape.length !== 1) {
    throw new DataError(
      `Cannot use ${path} as labels: got ${nameType(data)} [${
        shape.join(", ")
      }], need integers [N]`,
    );
  }
  return Array.from(data, Number);
}

/**
 * Indices `[K]` of samples to keep.
 *
 * @throws {DataError} if they are not different integers from 0 to `count - 1`.
 */
export async function loadIndices(path: string, count: number): Promise<number[]> {
  const indices = await loadLabels(path);
  const seen = new Set<number>();
  for (const index of indices) {
    if (index < 0 || index >= count || seen.has(index)) {
      throw new DataError(
        `Cannot keep the samples of ${path}: got index ${index}${
          seen.has(index) ? " twice" : ""
        }, need different integers from 0 to ${count - 1}`,
      );
    }
    seen.add(index);
  }
  if (indices.length === 0) {
    throw new DataError(`Cannot keep the samples of ${path}: got no index, need at least one`);
  }
  return indices;
}

function nameType(data: ArrayLike<unknown>): string {
  return data.constructor.name.replace(/Array$/, "").toLowerCase();
}
