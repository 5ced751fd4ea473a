/**
 * Training of many models of one network together, each on samples of its own, by full-batch gradient descent.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Dataset } from "../data/dataset.ts";
import { refuseFlags } from "../data/index_check.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy, type OnProgress, Pace } from "../gpu/pace.ts";
import { checkKeys, checkNumber, isCount, type OptionNames } from "../options.ts";
import { type Layers, operations } from "../network/definition.ts";
import { planElementwiseLaunch } from "../operations/elementwise.ts";
import {
  type Activations,
  type Features,
  toActivations,
  toTensor,
} from "../operations/features.ts";
import { computeCrossEntropy } from "../operations/loss.ts";
import type { DeviceNetwork, LayerShape } from "../network/network.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { checkFit } from "../network/fit.ts";
import { toImages } from "../network/inference.ts";
import { TRAINING_SPELLINGS } from "./options.ts";

/** Options of training an ensemble. */
export interface EnsembleOptions extends CallOptions {
  /** Number of epochs, each one step. Default 100. */
  readonly epochs?: number;
  /** Learning rate of every step. Default 0.1. */
  readonly learningRate?: number;
  /** Momentum, from 0 to below 1. Default 0. */
  readonly momentum?: number;
  /** Called after some epochs with the number of epochs done and of all epochs, summed over the models. */
  readonly onProgress?: OnProgress;
}

const ENSEMBLE_OPTIONS: OptionNames<EnsembleOptions> = {
  epochs: true,
  learningRate: true,
  momentum: true,
  ...CALL_OPTIONS,
};

/** Losses of M models, each on its own X samples. */
export interface EnsembleResult {
  /**
   * Learning difficulty in the sample's own model: its cross-entropy before each step, summed over the epochs (section 3.2), `[M, X]` f32,
   * row-major, in nats. Not finite where a model diverged.
   */
  readonly difficulty: Float32Array;
  /** Cross-entropy before the last step, `[M, X]` f32, in nats. */
  readonly lastLosses: Float32Array;
}

/** Largest size in bytes of a tensor of the models that are trained at the same time; some ten such tensors are alive then. */
const TENSOR_BYTES = 64 * 2 ** 20;

/**
 * Trains a model on each subset, all from the network's parameters, which do not change: `epochs` steps of gradient descent on the mean
 * cross-entropy of the subset.
 *
 * Layers are batched matrix products over the models. The first layer's weights are never formed: its inputs X stay the same, so a step
 * changes its outputs Z = X W + 1 b by `-learningRate (X Xᵀ + 1 1ᵀ) dL/dZ`, the same in exact arithmetic (momentum is linear too), which takes
 * `[X, X]` elements a model in place of `[inputs, outputs]`.
 *
 * @param subsets M lists of the indices of X samples each
 * @throws {RangeError} if the subsets differ in size, or an option is out of range.
 * @throws {DataError} if images or labels do not fit the network.
 * @throws {TypeError} if the network has layers that are not dense, a batch norm or dropout.
 */
export async function trainEnsemble(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  subsets: readonly ArrayLike<number>[],
  options: EnsembleOptions = {},
): Promise<EnsembleResult> {
  checkKeys("train an ensemble", options, ENSEMBLE_OPTIONS, TRAINING_SPELLINGS);
  const { epochs = 100, learningRate = 0.1, momentum = 0 } = options;
  const report = interruptBy(options);
  checkFit(network, data);
  const size = checkSubsets(subsets);
  checkOptions(epochs, learningRate, momentum);
  const layers = network.layers.map((layer) => checkLayer(network, layer));
  const limit = Math.min(TENSOR_BYTES, tensorflow.gpu.device.limits.maxStorageBufferBindingSize);
  const together = Math.max(1, Math.floor(limit / measureModel(layers, size)));
  const difficulty = new Float32Array(subsets.length * size);
  const lastLosses = new Float32Array(subsets.length * size);
  const pace = new Pace(tensorflow.gpu);
  for (let first = 0; first < subsets.length; first += together) {
    const part = subsets.slice(first, first + together);
    const models = new Models(tensorflow, network, data, part);
    try {
      for (let epoch = 0; epoch < epochs; epoch++) {
        models.step({ learning_rate: learningRate, momentum });
        if (await pace.step()) {
          report?.(first * epochs + part.length * (epoch + 1), subsets.length * epochs);
        }
      }
      difficulty.set(await tensorflow.read(models.difficulty), first * size);
      lastLosses.set(await tensorflow.read(models.losses), first * size);
    } finally {
      models.dispose();
    }
  }
  return { difficulty, lastLosses };
}

type DenseShape = Extract<LayerShape, { kind: "dense" }>;

/** Models that are trained at the same time. */
class Models {
  readonly #labels: tf.Tensor1D;
  readonly #images: tf.Tensor4D;
  /** Products `X Xᵀ` of the first layer's inputs, plus 1 where it has a bias, `[M, X, X]`. */
  readonly #products: tf.Tensor;
  /** Tensors that a step changes: the first layer's outputs `[M, X, O]`, then each other layer's weight `[M, I, O]` and bias `[M, 1, O]`. */
  readonly #state: readonly tf.Tensor[];
  readonly #velocities: readonly GPUBuffer[];
  /** Each sample's loss summed over the steps, `[M * X]`. */
  difficulty: tf.Tensor1D;
  /** Each sample's loss before the last step, `[M * X]`. */
  losses: tf.Tensor1D;

  constructor(
    private readonly tensorflow: Tensorflow,
    private readonly network: DeviceNetwork,
    data: Dataset,
    subsets: readonly ArrayLike<number>[],
  ) {
    const [models, size] = [subsets.length, subsets[0].length];
    const samples = subsets.flatMap((subset) => Array.from(subset));
    this.#images = toImages(data, samples);
    this.#labels = tf.tensor1d(Float32Array.from(samples, (sample) => data.labels[sample]));
    const [products, ...state] = tf.tidy(() => {
      const [{ bias: hasBias }] = network.layers;
      const variables = network.parameters.map(({ variable }) => variable);
      const [weight, bias, ...others] = hasBias
        ? variables
        : [variables[0], undefined, ...variables.slice(1)];
      const inputs = this.#findFirstInputs();
      const batch = tf.reshape(inputs, [models, size, -1]);
      const products = tf.matMul(batch, batch, false, true);
      const outputs = tf.matMul(inputs, weight as tf.Tensor as tf.Tensor2D);
      return [
        bias ? tf.add(products, 1) : products,
        tf.reshape(bias ? tf.add(outputs, bias) : outputs, [models, size, -1]),
        ...others.map((parameter) => {
          const rows = parameter!.rank === 1 ? 1 : parameter!.shape[0];
          return tf.tile(tf.reshape(parameter!, [1, rows, -1]), [models, 1, 1]);
        }),
      ];
    });
    this.#products = products;
    this.#state = state;
    this.#velocities = state.map(({ size }) =>
      tensorflow.gpu.createBuffer("velocities of an ensemble", size * 4)
    );
    this.difficulty = tf.zeros([samples.length]);
    this.losses = tf.zeros([samples.length]);
  }

  /** Takes one step of gradient descent in each model, in place. */
  step(rates: Readonly<Record<"learning_rate" | "momentum", number>>): void {
    const [, size] = this.#products.shape;
    const [losses, difficulty, ...gradients] = tf.tidy(() => {
      const { value, grads } = tf.engine().gradients(
        () => computeCrossEntropy(this.#forward(), this.#labels),
        [...this.#state],
        // the cotangent of each model's mean
        tf.fill(this.#labels.shape, 1 / size),
        true,
      );
      // a layer that the logits do not depend on has no gradient
      const [outputGradient, ...others] = grads.map((gradient, i) =>
        gradient ?? tf.zeros(this.#state[i].shape)
      );
      const first = tf.matMul(this.#products, outputGradient);
      return [value, tf.add(this.difficulty, value), first, ...others];
    });
    const updates = this.#state.map((tensor, i) => ({
      gradients: this.tensorflow.bufferOf(gradients[i]),
      weights: this.tensorflow.bufferOf(tensor),
      velocities: this.#velocities[i],
    }));
    const commands = this.tensorflow.gpu.record();
    for (const [i, buffers] of updates.entries()) {
      const { size } = this.#state[i];
      const { kernel, count, workgroups } = planElementwiseLaunch(kernels.momentum_step, size);
      commands.run(kernel, { count, weight_decay: 0, ...rates }, buffers, workgroups);
    }
    commands.submit();
    tf.dispose([this.losses, this.difficulty, ...gradients]);
    this.losses = losses as tf.Tensor1D;
    this.difficulty = difficulty as tf.Tensor1D;
  }

  dispose(): void {
    tf.dispose([
      this.#images,
      this.#labels,
      this.#products,
      this.losses,
      this.difficulty,
      ...this.#state,
    ]);
    for (const buffer of this.#velocities) this.tensorflow.gpu.destroyBuffer(buffer);
  }

  /** Finds the first layer's inputs, `[M * X, I]`. */
  #findFirstInputs(): tf.Tensor2D {
    let inputs: tf.Tensor2D | undefined;
    this.#pass((_, x, outputs) => {
      inputs ??= x;
      return tf.zeros([x.shape[0], outputs]);
    });
    return inputs!;
  }

  /** Computes logits `[M * X, classes]`. */
  #forward(): tf.Tensor2D {
    const [outputs, ...parameters] = this.#state;
    const models = outputs.shape[0];
    const indices = indexParameters(this.network.layers);
    return this.#pass((name, x, units) => {
      const found = indices.get(name);
      if (found === undefined) return tf.reshape(outputs, [-1, units]);
      const { weight, bias } = found;
      const y = tf.matMul(tf.reshape(x, [models, -1, x.shape[1]]), parameters[weight]);
      return tf.reshape(bias === undefined ? y : tf.add(y, parameters[bias]), [-1, units]);
    });
  }

  /** Runs one pass through the definition, with its dense layers computed by `dense`. */
  #pass(dense: (name: string, x: tf.Tensor2D, outputs: number) => tf.Tensor2D): tf.Tensor2D {
    const outputs = new Map(
      this.network.layers.map((layer) => [layer.name, layer.outputShape[0]]),
    );
    const refuse = (what: string) => (): never => {
      throw new TypeError(
        `Cannot train many of ${this.network.definition.name} together: got ${what}, need dense layers alone`,
      );
    };
    const layers: Layers = {
      ...operations,
      classes: this.network.classes,
      dense: <T extends Activations>(name: string, x: T): T =>
        toActivations(dense(name, toTensor(x as unknown as Features), outputs.get(name)!)),
      convolution: refuse("a convolution"),
      parameter: refuse("a parameter by itself"),
      constant: refuse("a constant"),
      batchNorm: refuse("a batch norm"),
      layerNorm: refuse("a layer norm"),
      groupNorm: refuse("a group norm"),
      dropout: refuse("dropout"),
    };
    return toTensor(this.network.definition.forward(layers, toActivations(this.#images)));
  }
}

/** Finds the indices of each layer's weight and bias among the network's variables, without the first layer's. */
function indexParameters(
  [, ...layers]: readonly LayerShape[],
): Map<string, { weight: number; bias: number | undefined }> {
  let next = 0;
  return new Map(layers.map(({ name, bias }) => [
    name,
    { weight: next++, bias: bias ? next++ : undefined },
  ]));
}

/** Computes the size of one model's largest tensor, in bytes. */
function measureModel(layers: readonly DenseShape[], size: number): number {
  const widest = Math.max(...layers.flatMap(({ inputs, outputs }) => [inputs, outputs]));
  const weights = layers.slice(1).map(({ inputs, outputs }) => inputs * outputs);
  return 4 * Math.max(size * size, size * widest, ...weights);
}

function checkLayer({ definition }: DeviceNetwork, layer: LayerShape): DenseShape {
  const { kind, name, places } = layer;
  if (kind === "dense" && layer.positions === 1) return layer;
  const found = kind !== "dense"
    ? `${kind} '${name}'`
    : places > 1
    ? `'${name}' at ${places} places`
    : `'${name}' over ${layer.positions} vectors a sample`;
  throw new TypeError(
    `Cannot train many of ${definition.name} together: got ${found}, need dense layers over [N, D], each used once`,
  );
}

function checkSubsets(subsets: readonly ArrayLike<number>[]): number {
  for (const subset of subsets) refuseFlags("train an ensemble", subset);
  const [size, ...others] = new Set(subsets.map(({ length }) => length));
  if (others.length > 0 || !(size >= 1)) {
    throw new RangeError(
      `Cannot train an ensemble: got subsets of ${
        [size ?? "no", ...others].join(" and ")
      } samples, need one size of at least 1`,
    );
  }
  return size;
}

function checkOptions(epochs: number, learningRate: number, momentum: number): void {
  const action = "train an ensemble";
  checkNumber(action, "epochs", epochs, isCount, "a positive integer");
  checkNumber(action, "learning rate", learningRate, (rate) => rate > 0, "a positive number");
  const need = "a number from 0 to below 1";
  checkNumber(action, "momentum", momentum, (share) => share >= 0 && share < 1, need);
}
