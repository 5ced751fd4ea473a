/**
 * The engine: one adapter, TensorFlow.js on it, and the networks and packed rows that live there.
 *
 * @module
 */
import type { Dataset } from "./data/dataset.ts";
import type { AdapterDescription } from "./gpu/adapter.ts";
import type { Gpu } from "./gpu/device.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy } from "./gpu/pace.ts";
import { type Estimate, estimateJob, type EstimateRequest } from "./kernel/estimate.ts";
import { type ConvolutionForm, layOutRow, type Sketch } from "./rows/layout.ts";
import type { Residence } from "./rows/plan.ts";
import { planChunkRows } from "./rows/blocks.ts";
import { measureFreeMemory } from "./rows/room.ts";
import { projectRows } from "./kernel/projection.ts";
import { packVectors } from "./kernel/vectors.ts";
import { KERNEL_KINDS, type KernelKind, type Rows } from "./rows/rows.ts";
import { measureSketchError, type SketchError, type SketchRequest } from "./kernel/sketch_error.ts";
import { tune, type Tuning } from "./tuning/gram_variants.ts";
import { measureBinding } from "./rows/variants.ts";
import type { VectorTimes } from "./tuning/vectors.ts";
import {
  checkKeys,
  checkNumber,
  describeValue,
  FLAG,
  type OptionNames,
  refuseSurplus,
} from "./options.ts";
import type { NetworkDefinition } from "./network/definition.ts";
import { type EnsembleOptions, type EnsembleResult, trainEnsemble } from "./training/ensemble.ts";
import { checkFit } from "./network/fit.ts";
import { computeFeatures, computeLogits, measureAccuracy } from "./network/inference.ts";
import { PARAMETER_CHOICES, type ParameterChoice } from "./network/layer.ts";
import { checkNetwork, DeviceNetwork, type Network } from "./network/network.ts";
import type { ParameterSource } from "./network/parameters.ts";
import { learnElementRate } from "./tuning/element_rate.ts";
import { chooseOperandStorage, type OperandTimes } from "./tuning/operand_storage.ts";
import { openTunedGpu } from "./tuning/open.ts";
import { learnVectors } from "./tuning/vector_times.ts";
import { Tensorflow } from "./operations/tensorflow.ts";
import type { TrainingOptions } from "./training/options.ts";
import { type TrainingResult, trainNetwork } from "./training/training.ts";
import { computeGradientNorms } from "./samples/gradient_norm.ts";

/** Options of `Engine.project`. */
export interface ProjectOptions extends CallOptions {
  /** Kernel whose rows are computed: `lpntk` (default), `pntk`, or `entk` (C rows a sample, for `computeEntk`). */
  readonly kind?: KernelKind;
  /**
   * Cotangents, `[N, C]` f32, row-major, in place of those of a kind: rows are the per-sample gradients `cotangent^T dz(x)/dw`, as JAX's `vjp`
   * computes them.
   */
  readonly cotangents?: Float32Array;
  /** Names of the layers whose parameters are differentiated: a kernel is the sum of its layers' kernels. Default: all. */
  readonly layers?: readonly string[];
  /** Parameters of these layers: `all` (default), or `weights`, those of convolutions and dense layers alone. */
  readonly parameters?: ParameterChoice;
  /**
   * Whether every row is scaled by `1 / sqrt(kappa(x, x))`, so that the kernel's entries are cosines, 1 on the diagonal up to rounding. Default
   * false.
   */
  readonly normalise?: boolean;
  /**
   * Random projections that shorten the rows, by filtering each layer's two factors. Products of sketched rows estimate the kernel without
   * bias; `measureSketch` measures their error. Both sides of a kernel need the same sketch. Default: none, rows are exact.
   */
  readonly sketch?: Sketch;
  /** Number of samples on the kernel's other side that are projected next, for whose rows memory is left. Default 0. */
  readonly others?: number;
  /** Rows and columns of the kernel's tiles, a multiple of 64. Default: as many as the device can bind. */
  readonly tileRows?: number;
  /**
   * Place where the rows are kept: on the `device`, in a `file`, or nowhere, `recomputed` for every tile. Default: the first of these that the
   * memory budget allows.
   */
  readonly residence?: Residence;
  /**
   * Form in which rows hold convolutions: `contracted`, the gradient itself, or `factored`, its two factors at each output position, where
   * there are at most 16 positions. Default: `cheapest`, for each layer the form that takes fewer multiplications.
   */
  readonly convolutions?: ConvolutionForm;
}

/** Options of `openEngine`. */
export interface EngineOptions {
  /**
   * Memory budget: what the process and the device may hold, in bytes; together where the adapter computes on the CPU, or else each of them.
   * Rows that do not fit go to a file. Default: four fifths of the free memory, and all that a card has: rows for which it turns out to have no
   * room take smaller tiles, go to a file, or are computed anew, in that order.
   */
  readonly memoryBytes?: number;
  /** Part of the process's budget that the caller holds itself, in bytes, such as a matrix that is read whole. Default 0. */
  readonly heldBytes?: number;
}

const ENGINE_OPTIONS: OptionNames<EngineOptions> = { memoryBytes: true, heldBytes: true };

const PROJECT_OPTIONS: OptionNames<ProjectOptions> = {
  kind: KERNEL_KINDS,
  cotangents: true,
  layers: true,
  parameters: PARAMETER_CHOICES,
  normalise: FLAG,
  sketch: true,
  others: true,
  tileRows: true,
  residence: ["device", "file", "recomputed"],
  convolutions: ["contracted", "factored", "cheapest"],
  ...CALL_OPTIONS,
};

const SKETCH_REQUEST: OptionNames<SketchRequest> = {
  sketch: true,
  kind: KERNEL_KINDS,
  layers: true,
  parameters: PARAMETER_CHOICES,
  others: true,
  ...CALL_OPTIONS,
};

const ESTIMATE_REQUEST: OptionNames<EstimateRequest> = {
  count: true,
  others: true,
  layers: true,
  parameters: PARAMETER_CHOICES,
  ratio: true,
  groups: true,
  sketch: true,
};

/** Other names of options: American English, and the name that `kind` had before. */
const PROJECT_SPELLINGS = { renamed: { normalize: "normalise", seeds: "kind" } };

/** Makes an engine from its parts; set by the class, whose constructor is private. */
let createEngine: (gpu: Gpu, tensorflow: Tensorflow, options: EngineOptions) => Engine;

/**
 * An open adapter, as `openEngine` returns it. Dispose it to free the device; after that every computation with it, its networks or its rows
 * throws `DisposedError`, and only their descriptions can be read.
 */
export class Engine {
  readonly #gpu: Gpu;
  readonly #tensorflow: Tensorflow;
  readonly #options: EngineOptions;
  readonly #gramVariants = new Set<string>();

  /** @ignore */
  private constructor(gpu: Gpu, tensorflow: Tensorflow, options: EngineOptions) {
    this.#gpu = gpu;
    this.#tensorflow = tensorflow;
    this.#options = options;
  }

  static {
    createEngine = (...parts) => new Engine(...parts);
  }

  /** Description of the adapter by its driver. */
  get adapter(): AdapterDescription {
    return this.#gpu.adapter;
  }

  /** Names of the Gram kernel's variants that this engine's rows were laid out for, to record what computed a result. */
  get gramVariants(): readonly string[] {
    return [...this.#gramVariants];
  }

  /** Limits of the WebGPU device. */
  get limits(): GPUSupportedLimits {
    return this.#gpu.device.limits;
  }

  /**
   * Builds a network for images of `inputShape`, with loaded weights or, given a seed and a number of classes, new ones. The caller disposes it.
   *
   * @param inputShape `[H, W, C]` of one image: `data.shape` of the data set that it is for. Default `[28, 28, 1]`, MNIST's.
   *
   * @throws {WeightsError} if the weights do not fit; the message names the tensors.
   * @throws {LayerError} if the definition calls a layer wrongly; the message names the layer and the option.
   * @throws {TypeError} if the forward pass returns no logits, or the source is neither weights nor new parameters.
   */
  network(
    definition: NetworkDefinition,
    source: ParameterSource,
    inputShape: readonly [number, number, number] = [28, 28, 1],
  ): Network {
    this.#gpu.check();
    return new DeviceNetwork(this.#tensorflow, definition, inputShape, source);
  }

  /** Trains a network in place, by SGD with momentum. */
  async train(network: Network, data: Dataset, options?: TrainingOptions): Promise<TrainingResult> {
    this.#check(network);
    return await trainNetwork(this.#tensorflow, network, data, options);
  }

  /** Trains a model on each of many subsets of one size, all from the network's parameters, which do not change. */
  async trainEnsemble(
    network: Network,
    data: Dataset,
    subsets: readonly ArrayLike<number>[],
    options?: EnsembleOptions,
  ): Promise<EnsembleResult> {
    this.#check(network);
    return await trainEnsemble(this.#tensorflow, network, data, subsets, options);
  }

  /** Computes logits before softmax, `[N, classes]` f32, row-major. */
  async logits(
    network: Network,
    data: Dataset,
    options?: CallOptions,
  ): Promise<Float32Array<ArrayBuffer>> {
    this.#check(network);
    return await computeLogits(this.#tensorflow, network, data, options);
  }

  /** Computes the penultimate layer's features, the inputs of the last layer with parameters, `[N, D]` f32, row-major. */
  async features(
    network: Network,
    data: Dataset,
    options?: CallOptions,
  ): Promise<Float32Array<ArrayBuffer>> {
    this.#check(network);
    return await computeFeatures(this.#tensorflow, network, data, options);
  }

  /** Computes the norm of each sample's own gradient of the loss (GraNd), `[N]` f32. */
  async gradientNorms(
    network: Network,
    data: Dataset,
    options?: CallOptions,
  ): Promise<Float32Array<ArrayBuffer>> {
    refuseSurplus("compute gradient norms", arguments, 3);
    this.#check(network);
    return await computeGradientNorms(this.#tensorflow, network, data, options);
  }

  /** Measures the network's accuracy, the share of samples that it labels right, 0 to 1. */
  async accuracy(network: Network, data: Dataset, options?: CallOptions): Promise<number> {
    this.#check(network);
    return await measureAccuracy(this.#tensorflow, network, data, options);
  }

  /** Plans the rows and columns of a stored chunk of this network's kernels: 1,024, or fewer if the device cannot bind as many. */
  planChunkRows(network: Network): number {
    this.#check(network);
    return planChunkRows(layOutRow(network.layers), measureBinding(this.#gpu, "buffer"));
  }

  /**
   * Computes per-sample gradients: every sample's signed projection `s(y)^T dz(x)/dw / sqrt(C)` (equation 3), packed on the device. The caller
   * disposes them.
   */
  async project(
    network: Network,
    data: Dataset,
    projectOptions: ProjectOptions = {},
  ): Promise<Rows> {
    this.#check(network);
    checkFit(network, data);
    checkKeys(`project ${data.name}`, projectOptions, PROJECT_OPTIONS, PROJECT_SPELLINGS);
    const { kind, cotangents, tileRows, onProgress, signal, ...options } = projectOptions;
    if (cotangents !== undefined && !(cotangents instanceof Float32Array)) {
      throw new TypeError(
        `Cannot project ${data.name}: got cotangents ${
          describeValue(cotangents)
        }, need a Float32Array [${data.labels.length}, ${network.classes}]`,
      );
    }
    if (kind !== undefined && cotangents !== undefined) {
      throw new TypeError(
        `Cannot project ${data.name}: got both kind ${kind} and cotangents, need one of them`,
      );
    }
    const rows = await projectRows(this.#tensorflow, network, data, {
      ...options,
      ...this.#options,
      cotangents: cotangents ?? kind ?? "lpntk",
      blockRows: tileRows,
      onProgress: interruptBy({ onProgress, signal }),
    });
    this.#gramVariants.add(rows.variant.name);
    return rows;
  }

  /**
   * Packs vectors of the caller's own, `[count, D]` f32, row-major, as rows: every analysis of a kernel is then one of their inner products,
   * such as `findNearest` of features that were scaled to length 1. They stay on the device, `4 * count * D` bytes. The caller disposes them.
   *
   * @throws {TypeError} if the vectors are no `Float32Array`.
   * @throws {RangeError} if there are not equally many numbers for each vector, or one is not finite.
   * @throws {OutOfMemoryError} if the device has no room for them.
   */
  async pack(vectors: Float32Array, count: number): Promise<Rows> {
    this.#gpu.check();
    const rows = await packVectors(this.#gpu, vectors, count);
    this.#gramVariants.add(rows.variant.name);
    return rows;
  }

  /**
   * Measures the error of a sketched kernel: it and the exact one are computed for all pairs of 32 samples, or between 32 of either side.
   */
  async measureSketch(
    network: Network,
    data: Dataset,
    request: SketchRequest,
  ): Promise<SketchError> {
    this.#check(network);
    checkFit(network, data);
    checkKeys("measure a sketch", request, SKETCH_REQUEST, PROJECT_SPELLINGS);
    return await measureSketchError(this.#tensorflow, network, data, request, this.#options);
  }

  /**
   * Measures how fast the adapter runs each variant of the Gram kernel, and a convolution with its operands in buffers and in textures, once, and
   * keeps the results in the cache folder. For Mesa's CPU driver on a CPU with 512-bit vectors they include the times of each vector width that
   * a process has used so far.
   *
   * @param options.fresh measures again what has been measured before
   */
  async tune(
    options?: { readonly fresh?: boolean },
  ): Promise<Tuning & { readonly operands: OperandTimes; readonly vectors?: VectorTimes }> {
    this.#gpu.check();
    checkKeys("tune", options, { fresh: FLAG });
    const operands = await chooseOperandStorage(this.#gpu, options);
    const tuning = await tune(this.#gpu, options);
    await learnElementRate(this.#gpu, options);
    return { ...tuning, operands, vectors: await learnVectors(this.#gpu, options) };
  }

  /**
   * Estimates the memory and time of a job over the network's kernel, without data.
   *
   * @throws {BudgetError} if the engine's memory budget is too small; the message says what is needed.
   */
  async estimate(network: Network, request: EstimateRequest): Promise<Estimate> {
    this.#check(network);
    checkKeys("estimate a job", request, ESTIMATE_REQUEST);
    return await estimateJob(this.#gpu, network, request, this.#options);
  }

  /** Frees the device and everything on it; a second time does nothing. */
  dispose(): void {
    this.#tensorflow.dispose();
    this.#gpu.dispose();
  }

  /** Frees the device at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Refuses a value that is no network or cannot be used, before anything of a call reaches the device. */
  #check(network: Network): asserts network is DeviceNetwork {
    this.#gpu.check();
    checkNetwork(network);
  }
}

/**
 * Opens the system's GPU and binds TensorFlow.js to it.
 *
 * @throws {NoAdapterError} if there is no adapter; the message names the packages to install.
 * @throws {TypeError} if an option is unknown.
 * @throws {RangeError} if an option is out of range.
 * @throws {Error} if an engine is open already.
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  checkKeys("open an engine", options, ENGINE_OPTIONS, { renamed: { memory: "memoryBytes" } });
  const isRoom = (bytes: number) => bytes > 0;
  const isHeld = (bytes: number) => bytes >= 0 && bytes < Infinity;
  const { memoryBytes: room = 1, heldBytes: held = 0 } = options;
  checkNumber("open an engine", "memoryBytes", room, isRoom, "a number of bytes above 0");
  checkNumber("open an engine", "heldBytes", held, isHeld, "a number of bytes of at least 0");
  const gpu = await openTunedGpu();
  try {
    const { memoryBytes = measureFreeMemory(), heldBytes } = options;
    // a card's memory is its own, which only the caller can bound before it is allocated
    if (!gpu.adapter.isFallback) gpu.memory.roomBytes = options.memoryBytes ?? Infinity;
    return await bindEngine(gpu, { memoryBytes, heldBytes });
  } catch (error) {
    gpu.dispose();
    throw error;
  }
}

/**
 * Binds TensorFlow.js to an open GPU, which the engine then owns.
 *
 * @throws {Error} if an engine is open already.
 */
export async function bindEngine(gpu: Gpu, options: EngineOptions = {}): Promise<Engine> {
  return createEngine(gpu, await Tensorflow.bind(gpu), options);
}
