/**
 * A network with its parameters: logits, and every layer's inputs and deltas from one batched backward pass.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { uniformFloat32 } from "npm:pure-rand@8.4.2/distribution/uniformFloat32";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { WeightsError } from "../errors.ts";
import { connect, type ConvolutionGeometry, convolve, measureConvolution } from "./convolution.ts";
import type {
  BatchNormOptions,
  ConvolutionOptions,
  DenseOptions,
  Layers,
  NetworkDefinition,
} from "./definition.ts";
import {
  type Initialisation,
  ParameterDrawer,
  type ParameterMaker,
  ParameterReader,
  toPytorch,
  type Weights,
} from "./parameters.ts";
import { createTap, tapInto } from "./tap.ts";
import type { Tensorflow } from "./tensorflow.ts";

/** Sizes of a parametric layer, as packed rows need them. */
export type LayerShape = {
  readonly name: string;
  readonly bias: boolean;
  /** Of one sample. */
  readonly outputShape: readonly number[];
} & LayerSizes;

/** Sizes that differ by kind of layer. */
type LayerSizes =
  | { readonly kind: "dense"; readonly inputs: number; readonly outputs: number }
  | { readonly kind: "convolution"; readonly geometry: ConvolutionGeometry };

/** What one layer saw in a batched backward pass. */
export interface LayerSignals {
  readonly layer: LayerShape;
  /** The layer's input, `[N, I]` or `[N, H, W, I]`. */
  readonly input: tf.Tensor;
  /** Each sample's own gradient of its seeded logits for the layer's output, `[N, O]` or `[N, H', W', O]`. */
  readonly delta: tf.Tensor;
}

/** The weights of a trained network, or what a new one's are drawn by. */
export type ParameterSource = Weights | NewParameters;

/** How to draw the parameters of a new network. */
export interface NewParameters {
  readonly seed: number;
  readonly classes: number;
  /** Default `uniform`. */
  readonly initialisation?: Initialisation;
}

/** A parametric layer with its parameters. */
interface Layer {
  readonly shape: LayerShape;
  readonly weight: tf.Variable;
  readonly bias: tf.Variable | undefined;
}

/** A frozen batch norm: its tensors by their names, and what they come to. */
interface Norm {
  readonly tensors: Weights;
  /** `x * scale + shift`, `[C]` each. */
  readonly scale: tf.Tensor;
  readonly shift: tf.Tensor;
}

/** What a definition's passes find by its name, or make. */
interface Modules {
  layer(name: string, make: (maker: ParameterMaker) => Layer): Layer;
  norm(name: string, make: (maker: ParameterMaker) => Norm): Norm;
}

/** A network that computes. Dispose it to free its parameters. */
export class Network {
  readonly #layers = new Map<string, Layer>();
  readonly #norms = new Map<string, Norm>();
  /** Number of logits. */
  readonly classes: number;

  /**
   * Builds the parameters in one pass over an empty image.
   *
   * @param inputShape of one image, `[H, W, C]`
   * @throws {WeightsError} if tensors are missing, superfluous, of another shape than the definition and the images need, or not finite.
   * @throws {DataError} if the definition cannot take the images or the device its layers, `RangeError` if it uses a name twice, `TypeError` if it gives no
   * logits, `Error` if it throws what is no error of ours.
   */
  constructor(
    private readonly tensorflow: Tensorflow,
    readonly definition: NetworkDefinition,
    readonly inputShape: readonly [number, number, number],
    source: ParameterSource,
  ) {
    const isNew = !(source instanceof Map);
    const { maxStorageBufferBindingSize } = tensorflow.gpu.device.limits;
    const maker: ParameterMaker = isNew
      ? new ParameterDrawer(
        source.seed,
        source.initialisation ?? "uniform",
        maxStorageBufferBindingSize,
      )
      : new ParameterReader(definition.name, source, maxStorageBufferBindingSize);
    try {
      this.classes = tf.tidy(() => {
        const pass = new Pass(isNew ? source.classes : 1, {
          layer: (name, make) => this.#keep(this.#layers, name, () => make(maker)),
          norm: (name, make) => this.#keep(this.#norms, name, () => make(maker)),
        });
        const logits = this.#forward(pass, tf.zeros([1, ...inputShape]), maker);
        return checkLogits(definition, logits, isNew ? source.classes : undefined);
      });
      maker.finish("end");
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The parametric layers, in the order in which images pass them. */
  get layers(): LayerShape[] {
    return [...this.#layers.values()].map((layer) => layer.shape);
  }

  /** The trainable parameters. */
  get variables(): tf.Variable[] {
    return [...this.#layers.values()].flatMap(({ weight, bias }) =>
      bias ? [weight, bias] : [weight]
    );
  }

  /** Images of one pass at most, so that the images and every layer's output fit the device's largest binding. */
  get batchLimit(): number {
    const shapes = [this.inputShape, ...this.layers.map(({ outputShape }) => outputShape)];
    const largest = Math.max(...shapes.map((shape) => shape.reduce((a, b) => a * b, 1)));
    const { maxStorageBufferBindingSize } = this.tensorflow.gpu.device.limits;
    return Math.floor(maxStorageBufferBindingSize / (4 * largest));
  }

  /**
   * Images `[N, H, W, C]` to logits `[N, classes]`, before softmax.
   *
   * @param noise draws what a training step drops; without it nothing is dropped
   */
  logits(images: tf.Tensor4D, noise?: RandomGenerator): tf.Tensor2D {
    return this.definition.forward(new Pass(this.classes, this.#modules, { noise }), images);
  }

  /** Images `[N, H, W, C]` to what goes into the last parametric layer, `[N, D]`: the penultimate layer's features. */
  features(images: tf.Tensor4D): tf.Tensor2D {
    let last!: tf.Tensor;
    const tap: Tap = (_, input, output) => {
      last = input;
      return output;
    };
    this.definition.forward(new Pass(this.classes, this.#modules, { tap }), images);
    return tf.reshape(last, [images.shape[0], -1]);
  }

  /**
   * Every layer's inputs and deltas for the sum over samples of `seeds[n] . logits[n]`.
   *
   * Samples do not act on one another in a forward pass, so one backward pass of the sum gives each sample's own deltas: they are the
   * gradients for a tap into each layer's output. The weights are not differentiated. The caller disposes the tensors.
   *
   * @param images `[N, H, W, C]`
   * @param seeds `[N, classes]`
   */
  signals(images: tf.Tensor4D, seeds: tf.Tensor2D): LayerSignals[] {
    const layers = this.layers;
    const inputs = new Map<LayerShape, tf.Tensor>();
    const deltas = tf.tidy(() => {
      const taps = layers.map(({ outputShape }) =>
        createTap(this.tensorflow, [images.shape[0], ...outputShape])
      );
      const tap: Tap = (layer, input, output) => {
        inputs.set(layer, tf.keep(tf.clone(input)));
        return tapInto(output, taps[layers.indexOf(layer)]);
      };
      const { grads } = tf.engine().gradients(
        () => this.definition.forward(new Pass(this.classes, this.#modules, { tap }), images),
        taps,
        seeds,
      );
      // a layer that the logits do not depend on has no gradient
      return grads.map((delta, i) => delta ?? tf.zeros(taps[i].shape));
    });
    return layers.map((layer, i) => ({ layer, input: inputs.get(layer)!, delta: deltas[i] }));
  }

  /** The parameters by name, and frozen tensors, in PyTorch's `state_dict` layout. */
  async weights(): Promise<Weights> {
    const named = [...this.#layers].flatMap(([name, { weight, bias }]) => [
      [`${name}.weight`, weight] as const,
      ...bias ? [[`${name}.bias`, bias] as const] : [],
    ]);
    // all at once: each waits for the device
    const parameters = await Promise.all(
      named.map(async ([name, parameter]) => [name, await this.#read(parameter)] as const),
    );
    return new Map([
      ...parameters,
      ...[...this.#norms.values()].flatMap(({ tensors }) => [...tensors]),
    ]);
  }

  /** Frees the parameters; a second time does nothing. */
  dispose(): void {
    for (const variable of this.variables) variable.dispose();
    for (const { scale, shift } of this.#norms.values()) tf.dispose([scale, shift]);
    this.#layers.clear();
    this.#norms.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  readonly #modules: Modules = {
    layer: (name) => this.#find(this.#layers, name),
    norm: (name) => this.#find(this.#norms, name),
  };

  #find<T>(modules: ReadonlyMap<string, T>, name: string): T {
    const module = modules.get(name);
    if (!module) {
      throw new ReferenceError(
        `Cannot run ${this.definition.name}: got no layer '${name}'; a definition must use the same layers each time, and none once disposed`,
      );
    }
    return module;
  }

  #keep<T>(modules: Map<string, T>, name: string, make: () => T): T {
    if (this.#layers.has(name) || this.#norms.has(name)) {
      throw new RangeError(
        `Cannot build ${this.definition.name}: got two layers '${name}', need a name of its own for each`,
      );
    }
    const module = make();
    modules.set(name, module);
    return module;
  }

  /** The first pass. What fails because weights do not fit is their fault; what the definition throws of its own is said to be its. */
  #forward(pass: Pass, images: tf.Tensor4D, maker: ParameterMaker): unknown {
    try {
      return this.definition.forward(pass, images);
    } catch (error) {
      maker.finish("failure");
      if (error instanceof Error && error.message.startsWith("Cannot ")) throw error;
      throw new Error(
        `Cannot build ${this.definition.name}: its forward pass over images [N, ${
          this.inputShape.join(", ")
        }] threw ${error}`,
        { cause: error },
      );
    }
  }

  async #read(parameter: tf.Variable): Promise<{ shape: number[]; data: Float32Array }> {
    const tensor = tf.tidy(() => toPytorch(parameter));
    const data = await this.tensorflow.read(tensor);
    tensor.dispose();
    return { shape: tensor.shape, data };
  }
}

/** Sees what goes into a layer and what comes out, and may replace the latter. */
type Tap = (layer: LayerShape, input: tf.Tensor, output: tf.Tensor) => tf.Tensor;

interface PassOptions {
  readonly tap?: Tap;
  readonly noise?: RandomGenerator;
}

/** One pass through a definition. */
class Pass implements Layers {
  readonly #tap: Tap;
  readonly #noise: RandomGenerator | undefined;

  constructor(
    readonly classes: number,
    private readonly modules: Modules,
    { tap = (_layer, _input, output) => output, noise }: PassOptions = {},
  ) {
    this.#tap = tap;
    this.#noise = noise;
  }

  convolution(
    name: string,
    x: tf.Tensor4D,
    { filters, size, stride = 1, pad = 0, bias = true }: ConvolutionOptions,
  ): tf.Tensor4D {
    const layer = this.modules.layer(name, (maker) => {
      const wanted = [size, size, x.shape[3], filters];
      return makeLayer(maker, name, wanted, bias, (weight) => {
        const geometry = measureConvolution(x.shape, weight, { stride, pad });
        const outputShape = [geometry.out_height, geometry.out_width, geometry.out_channels];
        return { kind: "convolution", name, bias, geometry, outputShape };
      });
    });
    const filter = layer.weight as tf.Tensor as tf.Tensor4D;
    const y = convolve(x, filter, layer.bias as tf.Tensor1D | undefined, { stride, pad });
    return this.#tap(layer.shape, x, y) as tf.Tensor4D;
  }

  dense(
    name: string,
    x: tf.Tensor2D,
    units: number,
    { bias = true }: DenseOptions = {},
  ): tf.Tensor2D {
    const layer = this.modules.layer(
      name,
      (maker) =>
        makeLayer(maker, name, [x.shape[1], units], bias, ([inputs, outputs]) => (
          { kind: "dense", name, bias, inputs, outputs, outputShape: [outputs] }
        )),
    );
    const weight = layer.weight as tf.Tensor as tf.Tensor2D;
    const y = connect(x, weight, layer.bias as tf.Tensor1D | undefined);
    return this.#tap(layer.shape, x, y) as tf.Tensor2D;
  }

  batchNorm(
    name: string,
    x: tf.Tensor4D,
    { epsilon = 1e-5 }: BatchNormOptions = {},
  ): tf.Tensor4D {
    const { scale, shift } = this.modules.norm(
      name,
      (maker) => makeNorm(maker, name, x.shape[3], epsilon),
    );
    return tf.add(tf.mul(x, scale), shift);
  }

  dropout<T extends tf.Tensor>(x: T, share: number): T {
    const noise = this.#noise;
    if (!noise) return x;
    const kept = 1 / (1 - share);
    const factors = new Float32Array(x.size).map(() => uniformFloat32(noise) < share ? 0 : kept);
    return tf.mul(x, tf.tensor(factors, x.shape));
  }
}

/** A batch norm folded as an affine map, in float64 and rounded once. */
function makeNorm(maker: ParameterMaker, name: string, channels: number, epsilon: number): Norm {
  const make = (part: string, initial: number) =>
    [`${name}.${part}`, maker.makeFrozen(`${name}.${part}`, channels, initial)] as const;
  const tensors = [
    make("weight", 1),
    make("bias", 0),
    make("running_mean", 0),
    make("running_var", 1),
  ] as const;
  const [weight, bias, mean, variance] = tensors.map(([, { data }]) => data);
  const bad = variance.findIndex((value) => !(value + epsilon > 0));
  if (bad >= 0) {
    throw new WeightsError(
      [`${name}.running_var`],
      `Cannot use batch norm '${name}': got running_var ${
        variance[bad]
      } at place ${bad}, need more than -${epsilon}`,
    );
  }
  const factor = (c: number) => weight[c] / Math.sqrt(variance[c] + epsilon);
  const fold = (of: (c: number) => number) =>
    tf.keep(tf.tensor1d(Float32Array.from({ length: channels }, (_, c) => of(c))));
  return {
    tensors: new Map(tensors),
    scale: fold(factor),
    shift: fold((c) => bias[c] - mean[c] * factor(c)),
  };
}

/**
 * The number of classes.
 *
 * @param wanted what a new network must have
 * @throws {TypeError} if these are no logits of one image, or of another number of classes.
 */
function checkLogits(
  { name }: NetworkDefinition,
  logits: unknown,
  wanted: number | undefined,
): number {
  const shape = logits instanceof tf.Tensor ? logits.shape : undefined;
  const need = `logits [N, ${wanted ?? "classes"}]`;
  if (!shape || shape.length !== 2 || (wanted !== undefined && shape[1] !== wanted)) {
    const got = shape ? `[${["N", ...shape.slice(1)].join(", ")}]` : describeValue(logits);
    throw new TypeError(
      `Cannot build ${name}: got ${got} from its forward pass, need ${need}`,
    );
  }
  return shape[1];
}

function describeValue(value: unknown): string {
  return value instanceof Promise ? "a promise" : value === undefined ? "nothing" : typeof value;
}

/**
 * A layer with new parameters.
 *
 * @param wanted the weight's shape, outputs last
 * @param measure the layer's sizes, from the shape that the weight has; whatever is refused is refused before anything is kept
 */
function makeLayer(
  maker: ParameterMaker,
  name: string,
  wanted: readonly number[],
  hasBias: boolean,
  measure: (weight: readonly number[]) => LayerShape,
): Layer {
  const fanIn = wanted.slice(0, -1).reduce((product, size) => product * size, 1);
  const weight = maker.make(`${name}.weight`, wanted, fanIn);
  const shape = measure(weight.shape);
  const bias = hasBias ? maker.make(`${name}.bias`, weight.shape.slice(-1), fanIn) : undefined;
  return { shape, weight: tf.variable(weight), bias: bias && tf.variable(bias) };
}
