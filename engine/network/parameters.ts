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
import { createGenerator, drawUniform } from "../data/random.ts";
import type { Tensor } from "../data/safetensors.ts";
import { WeightsError } from "../errors.ts";

/** Parameters by name in PyTorch's `state_dict` layout, float32. */
export type Weights = Map<string, Tensor>;

/** Makes a network's parameters one after another, in the order of its layers. */
export interface ParameterMaker {
  /**
   * @param name in the `state_dict`, for example `conv1.weight`
   * @param shape in TensorFlow.js's order; a source that knows better replaces the last, the number of outputs
   * @param fanIn inputs of one output, for the spread of new parameters
   */
  make(name: string, shape: readonly number[], fanIn: number): tf.Tensor;
  /** Called once after the last layer. */
  finish?(): void;
}

/**
 * How new parameters are drawn: `uniform` within 1/sqrt(fan in), PyTorch's default; or `lecun`, weights from N(0, 1/fan in) and biases of 0
 * (LeCun et al., 1998; theorem 1).
 */
export type Initialisation = "uniform" | "lecun";

/** Draws new parameters. */
export class ParameterDrawer implements ParameterMaker {
  readonly #generator: RandomGenerator;

  constructor(seed: number, private readonly initialisation: Initialisation) {
    this.#generator = createGenerator(seed, PARAMETER_STREAM);
  }

  make(_name: string, shape: readonly number[], fanIn: number): tf.Tensor {
    if (this.initialisation === "lecun") {
      if (shape.length === 1) return tf.zeros([...shape]);
      const seed = uniformInt(this.#generator, 0, 2 ** 31 - 1);
      return tf.randomNormal([...shape], 0, 1 / Math.sqrt(fanIn), "float32", seed);
    }
    const count = shape.reduce((product, size) => product * size, 1);
    return tf.tensor(drawUniform(this.#generator, count, 1 / Math.sqrt(fanIn)), [...shape]);
  }
}

/** Takes parameters from a `state_dict`, which must hold exactly those that the network asks for. */
export class ParameterReader implements ParameterMaker {
  readonly #unused: Set<string>;

  constructor(private readonly network: string, private readonly weights: Weights) {
    this.#unused = new Set(weights.keys());
  }

  make(name: string, shape: readonly number[]): tf.Tensor {
    const tensor = this.weights.get(name);
    if (!tensor) {
      const held = [...this.weights.keys()].join(", ");
      throw this.#refuse(name, `no such tensor (the file holds ${held})`, describe(shape));
    }
    this.#unused.delete(name);
    const axes = TO_TENSORFLOW[tensor.shape.length] ?? [];
    const found = axes.map((axis) => tensor.shape[axis]);
    // the number of outputs is the file's to say, unless it is a bias, whose weight has said it
    const fixed = shape.length === 1 ? shape : shape.slice(0, -1);
    if (found.length !== shape.length || fixed.some((size, axis) => size !== found[axis])) {
      throw this.#refuse(name, `[${tensor.shape.join(", ")}]`, describe(shape));
    }
    const bad = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw this.#refuse(name, `${tensor.data[bad]} at place ${bad}`, "finite numbers");
    }
    return tf.transpose(tf.tensor(tensor.data, tensor.shape), axes);
  }

  finish(): void {
    const [extra] = this.#unused;
    if (extra !== undefined) {
      throw this.#refuse(
        extra,
        "a tensor that the network has no layer for",
        "only its own layers",
      );
    }
  }

  #refuse(name: string, got: string, need: string): WeightsError {
    return new WeightsError(
      name,
      `Cannot load weights into ${this.network}: tensor '${name}': got ${got}, need ${need}`,
    );
  }
}

/** A parameter in PyTorch's layout. */
export function toPytorch(parameter: tf.Tensor): tf.Tensor {
  return tf.transpose(parameter, TO_PYTORCH[parameter.rank]);
}

const PARAMETER_STREAM = 1;
const TO_TENSORFLOW: Record<number, number[]> = { 1: [0], 2: [1, 0], 4: [2, 3, 1, 0] };
const TO_PYTORCH: Record<number, number[]> = { 1: [0], 2: [1, 0], 4: [3, 2, 0, 1] };

/** A shape as PyTorch would print it, the free number of outputs by name. */
function describe(shape: readonly number[]): string {
  const sizes = shape.length === 1
    ? shape
    : TO_PYTORCH[shape.length].map((axis) => axis === shape.length - 1 ? "outputs" : shape[axis]);
  return `[${sizes.join(", ")}]`;
}
