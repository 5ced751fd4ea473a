/**
 * Where a network's parameters come from, and how they go to and from PyTorch's layout.
 *
 * TensorFlow.js wants convolutions as `[height, width, in, out]` and dense layers as `[in, out]`; a `state_dict` holds `[out, in, height,
 * width]` and `[out, in]`. Biases are `[out]` in both.
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

/** The weights of a trained network, or what a new one's are drawn by. */
export type ParameterSource = Weights | NewParameters;

/** How to draw the parameters of a new network. */
export interface NewParameters {
  /** Integer from 0 to 2^32 - 1 that they are drawn by. */
  readonly seed: number;
  /** Number of logits. */
  readonly classes: number;
  /** Default `uniform`. */
  readonly initialisation?: Initialisation;
}

const INITIALISATIONS: readonly Initialisation[] = ["uniform", "lecun"];

const NEW_PARAMETERS: OptionNames<NewParameters> = {
  seed: true,
  classes: true,
  initialisation: INITIALISATIONS,
};

/** What was passed over when weights were loaded. */
export interface LoadingNotes {
  /** What stood before every name and was taken off, such as `module.`; empty where nothing was. */
  readonly prefix: string;
  /** Tensors of whole numbers or flags that are none of the network's, and so no weights. */
  readonly leftOut: readonly string[];
}

const NOTHING_PASSED_OVER: LoadingNotes = { prefix: "", leftOut: [] };

/** Makes a network's parameters one after another, in the order of its layers. */
export interface ParameterMaker {
  /**
   * @param name in the `state_dict`, for example `conv1.weight`
   * @param shape in TensorFlow.js's order; a source that knows better replaces the last, the number of outputs
   * @param fanIn inputs of one output, for the spread of new parameters
   * @throws {DataError} if the device cannot bind it
   */
  make(name: string, shape: readonly number[], fanIn: number): tf.Tensor;
  /** Numbers that are not trained, `[size]`; `initial` in a new network. */
  makeFrozen(name: string, size: number, initial: number): WeightTensor;
  /**
   * Called once after the last layer, or after the one at which the forward pass failed.
   *
   * @throws {WeightsError} if the source is not the network's.
   */
  finish(reached: "end" | "failure"): void;
  /** What was passed over, once all is finished. */
  readonly notes: LoadingNotes;
}

/**
 * How new parameters are drawn: `uniform` within 1/sqrt(fan in), PyTorch's default; or `lecun`, weights from N(0, 1/fan in) and biases of 0
 * (LeCun et al., 1998; theorem 1).
 */
export type Initialisation = "uniform" | "lecun";

/**
 * What makes the parameters of a network, and its number of classes where the weights do not say it.
 *
 * @param bindingBytes the largest binding of the device
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
  readonly notes = NOTHING_PASSED_OVER;
  readonly #generator: RandomGenerator;

  /** @param bindingBytes the largest binding of the device */
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

  makeFrozen(_name: string, size: number, initial: number): WeightTensor {
    return { shape: [size], data: new Float32Array(size).fill(initial) };
  }

  finish(): void {}
}

/** A tensor that does not fit, and how it is listed. */
interface Misfit {
  readonly kind: "missing" | "misshapen" | "unusable" | "extra";
  readonly tensor: string;
  readonly description: string;
}

/** Misfits of one kind that are listed; the rest is counted. */
const LISTED_MISFITS = 8;

/** What PyTorch's wrappers put before every name: data parallelism, compilation, and modules that hold the network as `model`. */
const WRAPPERS = ["module.", "_orig_mod.", "model."];

/** What may be taken off every one of the names, the least first. */
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
 * Takes parameters from a `state_dict`, which must hold exactly those that the network asks for; beside them it may hold whole numbers and
 * flags, which are no weights, and before every name what a wrapper puts there. What does not fit is replaced by zeros until the end, so
 * that all of it can be listed.
 */
class ParameterReader implements ParameterMaker {
  readonly #prefixes: readonly string[];
  /** The one that makes the names the network's, once a name has shown it. */
  #prefix: string | undefined;
  readonly #leftOut: string[] = [];
  readonly #unused: Set<string>;
  readonly #misfits: Misfit[] = [];

  /** @param bindingBytes the largest binding of the device */
  constructor(
    private readonly network: string,
    private readonly weights: Weights,
    private readonly bindingBytes: number,
  ) {
    this.#unused = new Set(weights.keys());
    // a wrapper's own counters and masks, which are no weights, stand beside what it wraps
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
    // so that one misfit does not bring about others
    const told = this.#find(name) ?? this.#find(name.replace(/weight$/, "bias"));
    const outputs = told?.shape[0] ?? shape.at(-1)!;
    return tf.zeros(shape.length === 1 ? [...shape] : [...shape.slice(0, -1), outputs]);
  }

  makeFrozen(name: string, size: number, initial: number): WeightTensor {
    // PyTorch counts batches beside its running statistics
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
      }; need exactly the network's tensors, in PyTorch's layout`,
    );
  }

  /** The tensor of a name, if it fits. */
  #take(name: string, shape: readonly number[]): WeightTensor | undefined {
    const tensor = this.#find(name);
    if (!tensor) return this.#refuse("missing", name, describe(shape));
    this.#unused.delete(this.#nameInFile(name));
    if (tensor.dtype !== undefined) {
      return this.#refuse("unusable", name, `of dtype ${tensor.dtype}`);
    }
    const found = (TO_TENSORFLOW[tensor.shape.length] ?? []).map((axis) => tensor.shape[axis]);
    // the number of outputs is the file's to say, unless it is a bias, whose weight has said it
    const fixed = shape.length === 1 ? shape : shape.slice(0, -1);
    if (found.length !== shape.length || fixed.some((size, axis) => size !== found[axis])) {
      return this.#refuse("misshapen", name, `[${tensor.shape.join(", ")}] for ${describe(shape)}`);
    }
    const bad = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return tensor;
    return this.#refuse("unusable", name, `with ${tensor.data[bad]} at place ${bad}`);
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

/** @throws {DataError} if the device cannot bind a parameter. */
function checkSize(name: string, shape: readonly number[], bindingBytes: number): void {
  const count = countElements(shape);
  if (4 * count <= bindingBytes) return;
  throw new DataError(
    `Cannot hold ${name} [${shape.join(", ")}]: got ${count} numbers, need at most ${
      Math.floor(bindingBytes / 4)
    } on this device`,
  );
}

/** A parameter in PyTorch's layout. */
export function toPytorch(parameter: tf.Tensor): tf.Tensor {
  return tf.transpose(parameter, TO_PYTORCH[parameter.rank]);
}

const TO_TENSORFLOW: Record<number, number[]> = { 1: [0], 2: [1, 0], 4: [2, 3, 1, 0] };
const TO_PYTORCH: Record<number, number[]> = { 1: [0], 2: [1, 0], 4: [3, 2, 0, 1] };

/** A shape as PyTorch would print it, the free number of outputs by name. */
function describe(shape: readonly number[]): string {
  const sizes = shape.length === 1
    ? shape
    : TO_PYTORCH[shape.length].map((axis) => axis === shape.length - 1 ? "outputs" : shape[axis]);
  return `[${sizes.join(", ")}]`;
}
