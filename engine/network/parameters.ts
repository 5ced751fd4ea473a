/**
 * Sources of a network's parameters, and their conversion to and from PyTorch's layout.
 *
 * TensorFlow.js takes the weights of convolutions as `[height, width, in / groups, out]` and of dense layers as `[in, out]`; a `state_dict` holds
 * `[out, in / groups, height, width]` and `[out, in]`. Biases are `[out]` in both.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { createGenerator, drawUniform, STREAMS } from "../data/random.ts";
import type { WeightTensor } from "../formats/safetensors.ts";
import { countElements } from "../formats/shape.ts";
import { DataError, WeightsError } from "../errors.ts";
import { checkKeys, describeValue, type OptionNames } from "../options.ts";

/** Parameters by name in PyTorch's `state_dict` layout, float32. */
export type Weights = Map<string, WeightTensor>;

/** Weights of a trained network, or the settings that a new network's are drawn by. */
export type ParameterSource = Weights | NewParameters;

/** Settings that the parameters of a new network are drawn by. */
export interface NewParameters {
  /** Seed of the random generator, an integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Number of logits. */
  readonly classes: number;
  /** Distribution of the parameters. Default `uniform`. */
  readonly initialisation?: Initialisation;
}

const INITIALISATIONS: readonly Initialisation[] = ["uniform", "lecun"];

const NEW_PARAMETERS: OptionNames<NewParameters> = {
  seed: true,
  classes: true,
  initialisation: INITIALISATIONS,
};

/** Names in the file that were shortened or skipped when weights were loaded. */
export interface LoadingNotes {
  /** Prefix that was removed from every name, such as `module.`; empty if there was none. */
  readonly prefix: string;
  /** Tensors of integers or booleans that the network does not have, which are no weights. */
  readonly leftOut: readonly string[];
}

const NOTHING_SKIPPED: LoadingNotes = { prefix: "", leftOut: [] };

/** Makes a network's parameters one after another, in the order of its layers. */
export interface ParameterMaker {
  /**
   * Makes one parameter, in TensorFlow.js's layout.
   *
   * @param name name in the `state_dict`, for example `conv1.weight`
   * @param shape sizes in TensorFlow.js's layout; loaded weights replace a weight's last size, the number of outputs
   * @param fanIn number of inputs of one output, which the spread of new parameters depends on
   * @throws {DataError} if the device cannot bind the parameter.
   */
  make(name: string, shape: readonly number[], fanIn: number): tf.Tensor;
  /**
   * Makes a parameter that is no matrix of weights, whose shape is the same in every layout; in a new network every element is `initial`, or
   * they are its values.
   *
   * @throws {DataError} if the device cannot bind the parameter.
   */
  makePlain(name: string, shape: readonly number[], initial: number | Float32Array): tf.Tensor;
  /** Makes a tensor that is not trained, `[size]` f32; in a new network every element is `initial`. */
  makeFrozen(name: string, size: number, initial: number): WeightTensor;
  /**
   * Ends the making, after the last layer or after the one at which the forward pass failed.
   *
   * @throws {WeightsError} if the loaded weights do not fit the network.
   */
  finish(reached: "end" | "failure"): void;
  /** Names that were shortened or skipped; complete after `finish`. */
  readonly notes: LoadingNotes;
}

/**
 * Distribution of new parameters: `uniform` between ±1/sqrt(fan in), PyTorch's default; or `lecun`, weights from N(0, 1/fan in) and biases
 * of 0 (LeCun et al., 1998; theorem 1).
 */
export type Initialisation = "uniform" | "lecun";

/**
 * Returns the maker of a network's parameters, and the number of classes if they are new.
 *
 * @param bindingBytes size of the device's largest binding
 * @throws {TypeError} if the source is neither weights nor new parameters, or an option is unknown; `RangeError` if one is out of range.
 */
export function openSource(
  network: string,
  source: ParameterSource,
  bindingBytes: number,
): { readonly maker: ParameterMaker; readonly classes: number | undefined } {
  if (source instanceof Map) {
    return { maker: new ParameterReader(network, source, bindingBytes), classes: undefined };
  }
  if (typeof source !== "object" || source === null || source as unknown instanceof Promise) {
    throw new TypeError(
      `Cannot build ${network}: got ${
        describeValue(source)
      } for its parameters, need weights as loadWeights reads them, or { seed, classes } for new ones`,
    );
  }
  checkKeys(`build ${network}`, source, NEW_PARAMETERS);
  const { seed, classes, initialisation = "uniform" } = source;
  const check = (option: keyof NewParameters, fits: boolean, need: string) => {
    if (fits) return;
    throw new RangeError(
      `Cannot build ${network}: got ${option} ${describeValue(source[option])}, need ${need}`,
    );
  };
  const isWithin = (value: number, least: number) =>
    Number.isInteger(value) && value >= least && value < 2 ** 32;
  check("seed", isWithin(seed, 0), `an integer from 0 to ${2 ** 32 - 1}`);
  check("classes", isWithin(classes, 1), "a positive integer");
  return { maker: new ParameterDrawer(seed, initialisation, bindingBytes), classes };
}

/** Draws new parameters. */
class ParameterDrawer implements ParameterMaker {
  readonly notes = NOTHING_SKIPPED;
  readonly #generator: RandomGenerator;

  /** @param bindingBytes size of the device's largest binding */
  constructor(
    seed: number,
    private readonly initialisation: Initialisation,
    private readonly bindingBytes: number,
  ) {
    this.#generator = createGenerator(seed, STREAMS.parameters);
  }

  make(name: string, shape: readonly number[], fanIn: number): tf.Tensor {
    checkSize(name, shape, this.bindingBytes);
    if (this.initialisation === "lecun") {
      if (shape.length === 1) return tf.zeros([...shape]);
      const seed = uniformInt(this.#generator, 0, 2 ** 31 - 1);
      return tf.randomNormal([...shape], 0, 1 / Math.sqrt(fanIn), "float32", seed);
    }
    const count = countElements(shape);
    return tf.tensor(drawUniform(this.#generator, count, 1 / Math.sqrt(fanIn)), [...shape]);
  }

  makePlain(name: string, shape: readonly number[], initial: number | Float32Array): tf.Tensor {
    checkSize(name, shape, this.bindingBytes);
    return typeof initial === "number"
      ? tf.fill([...shape], initial)
      : tf.tensor(initial, [...shape]);
  }

  makeFrozen(_name: string, size: number, initial: number): WeightTensor {
    return { shape: [size], data: new Float32Array(size).fill(initial) };
  }

  finish(): void {}
}

/** A tensor that does not fit, and its description in an error. */
interface Misfit {
  readonly kind: "missing" | "misshapen" | "unusable" | "extra";
  readonly tensor: string;
  readonly description: string;
}

/** Largest number of misfits of one kind that an error lists; the rest is counted. */
const LISTED_MISFITS = 8;

/** Prefixes that PyTorch's wrappers put before every name: data parallelism, compilation, and modules that hold the network as `model`. */
const WRAPPERS = ["module.", "_orig_mod.", "model."];

/** Lists the prefixes that may be removed from every name, the shortest first. */
function listPrefixes(names: readonly string[]): string[] {
  const prefixes = [""];
  if (names.length === 0) return prefixes;
  for (;;) {
    const prefix = prefixes.at(-1)!;
    const next = WRAPPERS.find((wrapper) => names.every((n) => n.startsWith(prefix + wrapper)));
    if (next === undefined) return prefixes;
    prefixes.push(prefix + next);
  }
}

/**
 * Takes parameters from a `state_dict`, which must hold exactly those of the network. It may also hold tensors of integers or booleans, which
 * are no weights, and a wrapper's prefix before every name. A tensor that does not fit is replaced by zeros until the end, so that one error
 * can list all of them.
 */
class ParameterReader implements ParameterMaker {
  readonly #prefixes: readonly string[];
  /** Prefix of the network's names in the file, once it is known. */
  #prefix: string | undefined;
  readonly #leftOut: string[] = [];
  readonly #unused: Set<string>;
  readonly #misfits: Misfit[] = [];

  /** @param bindingBytes size of the device's largest binding */
  constructor(
    private readonly network: string,
    private readonly weights: Weights,
    private readonly bindingBytes: number,
  ) {
    this.#unused = new Set(weights.keys());
    // a wrapper's own counters and masks, which are no weights, do not have its prefix
    const names = [...weights].filter(([, { dtype }]) => dtype === undefined).map(([name]) => name);
    this.#prefixes = listPrefixes(names);
  }

  get notes(): LoadingNotes {
    return { prefix: this.#prefix ?? "", leftOut: this.#leftOut };
  }

  make(name: string, shape: readonly number[]): tf.Tensor {
    const tensor = this.#take(name, shape);
    if (tensor) {
      checkSize(name, tensor.shape, this.bindingBytes);
      const axes = TO_TENSORFLOW[tensor.shape.length];
      return tf.transpose(tf.tensor(tensor.data, tensor.shape), axes);
    }
    // the number of outputs that the file has, so that one misfit does not cause others
    const told = this.#find(name) ?? this.#find(name.replace(/weight$/, "bias"));
    const outputs = told?.shape[0] ?? shape.at(-1)!;
    return tf.zeros(shape.length === 1 ? [...shape] : [...shape.slice(0, -1), outputs]);
  }

  makePlain(name: string, shape: readonly number[]): tf.Tensor {
    const tensor = this.#take(name, shape, "plain");
    checkSize(name, shape, this.bindingBytes);
    return tensor ? tf.tensor(tensor.data, tensor.shape) : tf.zeros([...shape]);
  }

  makeFrozen(name: string, size: number, initial: number): WeightTensor {
    // PyTorch stores a count of batches beside the running statistics
    this.#unused.delete(this.#nameInFile(name.replace(/\.running_var$/, ".num_batches_tracked")));
    return this.#take(name, [size]) ??
      { shape: [size], data: new Float32Array(size).fill(initial) };
  }

  finish(reached: "end" | "failure"): void {
    if (reached === "end") {
      for (const tensor of this.#unused) {
        if (this.weights.get(tensor)?.dtype !== undefined) {
          this.#leftOut.push(tensor);
          continue;
        }
        this.#misfits.push({ kind: "extra", tensor, description: `'${tensor}'` });
      }
    }
    if (this.#misfits.length === 0) return;
    const lists = Map.groupBy(this.#misfits, ({ kind }) => kind);
    const listed = [...lists].map(([kind, misfits]) => {
      const shown = misfits.slice(0, LISTED_MISFITS).map(({ description }) => description);
      const rest = misfits.length - shown.length;
      return `${kind} ${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
    });
    throw new WeightsError(
      this.#misfits.map(({ tensor }) => tensor),
      `Cannot load weights into ${this.network}: got ${
        listed.join("; ")
      }; need exactly the network's tensors for images of this shape, in PyTorch's layout`,
    );
  }

  /** Returns the tensor of a name if it fits; otherwise it records a misfit. */
  #take(
    name: string,
    shape: readonly number[],
    layout: "plain" | "matrix" = "matrix",
  ): WeightTensor | undefined {
    const tensor = this.#find(name);
    const isPlain = layout === "plain";
    const wanted = isPlain ? `[${shape.join(", ")}]` : describe(shape);
    if (!tensor) return this.#refuse("missing", name, wanted);
    this.#unused.delete(this.#nameInFile(name));
    if (tensor.dtype !== undefined) {
      return this.#refuse("unusable", name, `of dtype ${tensor.dtype}`);
    }
    const found = isPlain
      ? tensor.shape
      : (TO_TENSORFLOW[tensor.shape.length] ?? []).map((axis) => tensor.shape[axis]);
    // the file determines a weight's number of outputs; a bias has to agree with its weight
    const fixed = isPlain || shape.length === 1 ? shape : shape.slice(0, -1);
    if (found.length !== shape.length || fixed.some((size, axis) => size !== found[axis])) {
      return this.#refuse("misshapen", name, `[${tensor.shape.join(", ")}] for ${wanted}`);
    }
    const bad = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return tensor;
    return this.#refuse("unusable", name, `with ${tensor.data[bad]} at index ${bad}`);
  }

  #find(name: string): WeightTensor | undefined {
    this.#prefix ??= this.#prefixes.find((prefix) => this.weights.has(prefix + name));
    return this.weights.get(this.#nameInFile(name));
  }

  #nameInFile(name: string): string {
    return (this.#prefix ?? "") + name;
  }

  #refuse(kind: Misfit["kind"], tensor: string, state: string): undefined {
    this.#misfits.push({ kind, tensor, description: `'${tensor}' ${state}` });
  }
}

/**
 * Refuses a parameter that the device cannot bind.
 *
 * @throws {DataError} if the parameter is refused.
 */
function checkSize(name: string, shape: readonly number[], bindingBytes: number): void {
  const count = countElements(shape);
  if (4 * count <= bindingBytes) return;
  throw new DataError(
    `Cannot hold ${name} [${shape.join(", ")}]: got ${count} numbers, need at most ${
      Math.floor(bindingBytes / 4)
    } on this device`,
  );
}

/** Transposes a parameter from TensorFlow.js's layout to PyTorch's. */
export function toPytorch(parameter: tf.Tensor): tf.Tensor {
  return tf.transpose(parameter, TO_PYTORCH[parameter.rank]);
}

/** Permutations of axes between the two layouts, by a tensor's rank. */
const TO_TENSORFLOW: Record<number, number[]> = { 1: [0], 2: [1, 0], 4: [2, 3, 1, 0] };
const TO_PYTORCH: Record<number, number[]> = { 1: [0], 2: [1, 0], 4: [3, 2, 0, 1] };

/** Formats a shape in PyTorch's layout, with `outputs` for the number of outputs, which may be any. */
function describe(shape: readonly number[]): string {
  const sizes = shape.length === 1
    ? shape
    : TO_PYTORCH[shape.length].map((axis) => axis === shape.length - 1 ? "outputs" : shape[axis]);
  return `[${sizes.join(", ")}]`;
}
