/**
 * A network with its parameters: logits, and every layer's input activations and output gradients from one batched backward pass.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { DataError, DeviceError, DisposedError, LayerError, WeightsError } from "../errors.ts";
import { refuseUnknown } from "../operations/arguments.ts";
import { checkKeys, describeValue, findNearest } from "../options.ts";
import type { NetworkDefinition } from "./definition.ts";
import { checkDefinition, checkLogits, checkTensor } from "./definition_check.ts";
import { joinFactors, type LayerFactors } from "./factors.ts";
import {
  countLayerFlops,
  type LayerDescription,
  type LayerShape,
  PARAMETER_CHOICES,
  type ParameterChoice,
} from "./layer.ts";
import { type Modules, ModuleStore } from "./modules.ts";
import {
  type LoadingNotes,
  openSource,
  type ParameterMaker,
  type ParameterSource,
  toPytorch,
  type Weights,
} from "./parameters.ts";
import { type Hook, Pass, type PassOptions } from "./pass.ts";
import { toActivations } from "../operations/features.ts";
import { attachGradientHook, createGradientHook } from "../operations/hook.ts";
import { LAUNCH_MS } from "../gpu/rates.ts";
import type { Tensorflow, TensorSizes } from "../operations/tensorflow.ts";

export type { LayerFactors } from "./factors.ts";
export type { LayerDescription, LayerShape, ParameterChoice } from "./layer.ts";

/** A network with its parameters, as `Engine.network` makes it. Dispose it to free them. */
export interface Network extends Disposable {
  /** Definition that the network was built from. */
  readonly definition: NetworkDefinition;
  /** Shape of one image, `[height, width, channels]`. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /** Number of logits. */
  readonly classes: number;
  /** Names that were shortened or skipped when the weights were loaded. */
  readonly loading: LoadingNotes;
  /**
   * Layers with parameters, in the order of the forward pass.
   *
   * @throws {DisposedError} if the network has been disposed; everything that needs its layers or parameters throws it then.
   */
  readonly layers: readonly LayerDescription[];
  /**
   * Selects the layers of some names, and those whose names begin with one of them and a dot, in the order of the forward pass; without names it
   * selects all. Of these it leaves out what is no weight or bias of a convolution or a dense layer if `parameters` is `weights`.
   *
   * @param parameters default `all`
   * @throws {RangeError} if there is no layer of a name, the list is empty, or no layer is left.
   */
  select(
    names: readonly string[] | undefined,
    parameters?: ParameterChoice,
  ): readonly LayerDescription[];
  /** Reads the parameters and frozen tensors back by name, f32, in PyTorch's `state_dict` layout. */
  weights(): Promise<Weights>;
  /** Frees the parameters; a second time does nothing. */
  dispose(): void;
}

/** A network whose parameters are variables of TensorFlow.js, with its forward and backward passes. */
export class DeviceNetwork implements Network {
  /** Name of the public type, which errors and the console print. */
  static readonly name = "Network";

  readonly #modules: ModuleStore;
  readonly #layers: readonly LayerShape[];
  readonly #bindingBytes: number;
  #disposed = false;
  readonly classes: number;
  readonly loading: LoadingNotes;
  /** Sizes of what every operation gives for one sample, those that layers are made of and those that are none among them. */
  readonly tensorSizes: TensorSizes;

  /**
   * Builds the parameters in one forward pass over an image of zeros.
   *
   * @param inputShape shape of one image, `[H, W, C]`
   * @throws {WeightsError} if tensors are missing, superfluous, misshapen or not finite.
   * @throws {LayerError} if the definition calls a layer wrongly.
   * @throws {DataError} if the definition cannot take the images, or the device cannot bind a layer.
   * @throws {TypeError} if the value is no definition, its forward pass uses no layer or returns no logits, or the source is neither weights
   * nor new parameters.
   * @throws {Error} if the definition throws an error of its own.
   */
  constructor(
    private readonly tensorflow: Tensorflow,
    readonly definition: NetworkDefinition,
    readonly inputShape: readonly [number, number, number],
    source: ParameterSource,
  ) {
    checkDefinition(definition, inputShape);
    this.#bindingBytes = tensorflow.gpu.device.limits.maxStorageBufferBindingSize;
    const { maker, classes } = openSource(definition.name, source, this.#bindingBytes);
    this.#modules = new ModuleStore(definition.name, this.#bindingBytes);
    try {
      const build = () => {
        const images = tf.zeros<tf.Rank.R4>([1, ...inputShape]);
        const made = this.#modules.makeWith(maker);
        const modules: Modules = {
          layer: (...request) => tensorflow.unmeasured(() => made.layer(...request)),
          statistics: (...request) => tensorflow.unmeasured(() => made.statistics(...request)),
        };
        const tableShape = definition.takesPixels ? undefined : inputShape;
        const settings = { inputShape: tableShape, classes: classes ?? 1, modules };
        const pass = new Pass(settings, 1);
        const logits = this.#forward("build", pass, images, maker);
        return checkLogits(definition, logits, 1, classes).shape[1];
      };
      [this.classes, this.tensorSizes] = tensorflow.measure(
        () => tf.tidy(build),
        (shape) => checkTensor(definition, shape, this.#bindingBytes),
      );
      this.#layers = this.#modules.joinShapes();
      if (this.#layers.every(({ kind }) => kind === "parameter")) {
        throw new TypeError(
          this.#layers.length > 0
            ? `Cannot build ${definition.name}: got parameters by themselves alone, need a convolution or dense layer, too`
            : `Cannot build ${definition.name}: got no layer from its forward pass, need a convolution or dense layer; \`forward\` is given them as its first argument`,
        );
      }
      maker.finish("end");
      this.loading = maker.notes;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /**
   * Refuses a network that cannot be used. Since one engine is open at a time, another engine's network is one whose engine has been disposed.
   *
   * @throws {DisposedError} if the network has been disposed, or its engine.
   */
  check(): void {
    const name = `network ${this.definition.name}`;
    if (this.#disposed) throw new DisposedError(name, "another; call engine.network again");
    this.tensorflow.gpu.check(`the engine of ${name}`);
  }

  get layers(): readonly LayerShape[] {
    this.check();
    return this.#layers;
  }

  /** Trainable parameters with their names in a `state_dict`, layer by layer, each weight before its bias. */
  get parameters(): readonly { readonly name: string; readonly variable: tf.Variable }[] {
    this.check();
    return this.#modules.parameters;
  }

  select(
    names: readonly string[] | undefined,
    parameters: ParameterChoice = "all",
  ): readonly LayerShape[] {
    checkKeys("select layers", { parameters }, { parameters: PARAMETER_CHOICES });
    const named = this.#selectNamed(names);
    if (parameters === "all") return named;
    const matrices = named.filter(({ kind }) => kind !== "parameter");
    if (matrices.length > 0) return matrices;
    throw new RangeError(
      `Cannot project through weights of ${this.definition.name}: got ${
        names?.join(", ")
      }, which has none, need a convolution or dense layer among them, or all parameters`,
    );
  }

  #selectNamed(names: readonly string[] | undefined): readonly LayerShape[] {
    const all = this.layers;
    if (names === undefined) return all;
    // a name stands for the layers below it, too, as in a `state_dict`
    const isNamed = ({ name }: LayerShape, wanted: string) =>
      name === wanted || name.startsWith(`${wanted}.`);
    const known = all.map(({ name }) => name);
    const isList = Array.isArray(names);
    const misfit = isList
      ? names.findIndex((name) => !all.some((layer) => isNamed(layer, name)))
      : 0;
    if (isList && names.length > 0 && misfit < 0) {
      return all.filter((layer) => names.some((name) => isNamed(layer, name)));
    }
    const unknown = isList ? names[misfit] : describeValue(names);
    const nearest = unknown === undefined ? undefined : findNearest(`${unknown}`, known);
    throw new RangeError(
      `Cannot project through layers of ${this.definition.name}: got ${
        isList && names.length === 0 ? "none" : unknown
      }, need some of ${known.join(", ")}${nearest ? `; did you mean ${nearest}?` : ""}`,
    );
  }

  /** Largest number of images in one pass for which the result of every operation fits the device's largest binding. */
  get batchLimit(): number {
    this.check();
    return Math.floor(this.#bindingBytes / (4 * this.tensorSizes.largest));
  }

  /** Number of images in one pass at most, so that no layer takes longer than {@linkcode LAUNCH_MS} by the device's rates; at least 1. */
  get timelyBatch(): number {
    const flops = Math.max(...this.layers.map(countLayerFlops));
    return Math.max(1, Math.floor(LAUNCH_MS * this.tensorflow.gpu.rates.convolutions / flops));
  }

  /**
   * Computes logits before softmax, `[N, classes]`, from images `[N, H, W, C]`.
   *
   * @param noise random generator of a training step's dropout; without it nothing is dropped
   */
  logits(images: tf.Tensor4D, noise?: RandomGenerator): tf.Tensor2D {
    return this.#run(images, { noise });
  }

  /** Computes the penultimate layer's features, the inputs of the last matrix of weights, `[N, D]`, from images `[N, H, W, C]`. */
  features(images: tf.Tensor4D): tf.Tensor2D {
    let last!: tf.Tensor;
    const attach: Hook["attach"] = (_, input, output) => {
      if (input) last = input;
      return output;
    };
    this.#run(images, { hook: { sees: () => true, attach } });
    return tf.reshape(last, [images.shape[0], -1]);
  }

  /**
   * Computes the two factors of layers' per-sample gradients of `cotangents[n] . logits[n]`.
   *
   * Samples do not act on one another in a forward pass, so one backward pass of the sum over samples gives each sample's own output
   * gradients: they are the gradients for a hook at each layer's output. The weights are not differentiated. The caller disposes the tensors.
   *
   * @param images `[N, H, W, C]` f32
   * @param cotangents `[N, classes]` f32
   * @param layers layers of {@linkcode layers}
   * @returns the factors of each layer, those of a convolution at several places one after another
   */
  computeFactors(
    images: tf.Tensor4D,
    cotangents: tf.Tensor2D,
    layers: readonly LayerShape[],
  ): LayerFactors[] {
    this.check();
    const [samples] = images.shape;
    const places = layers.flatMap(({ name }) => this.#modules.shapesOf(name));
    const inputs: (tf.Tensor | undefined)[] = [];
    const names = new Set(layers.map(({ name }) => name));
    let joined: LayerFactors[] = [];
    tf.tidy(() => {
      const hooks = places.map(({ outputShape }) =>
        createGradientHook(this.tensorflow, [samples, ...outputShape])
      );
      const attach: Hook["attach"] = (layer, input, output) => {
        const place = places.indexOf(layer);
        inputs[place] = input && tf.keep(tf.clone(input));
        return attachGradientHook(output, hooks[place]);
      };
      const hook = { sees: (name: string) => names.has(name), attach };
      const { grads } = tf.engine().gradients(
        () => this.#run(images, { hook }),
        hooks,
        cotangents,
        true,
      );
      // a layer that the logits do not depend on has no gradient
      const factors = places.map((layer, i): LayerFactors => ({
        layer,
        input: inputs[i],
        delta: grads[i] ?? tf.zeros(hooks[i].shape),
      }));
      joined = layers.flatMap((layer) =>
        joinFactors(layer, factors.filter((own) => own.layer.name === layer.name))
      );
    });
    return joined;
  }

  async weights(): Promise<Weights> {
    this.check();
    // read together, since each reading waits for the device
    const parameters = await Promise.all(
      this.#modules.parameters.map(async ({ name, variable, isPlain }) =>
        [name, await this.#read(variable, isPlain)] as const
      ),
    );
    return new Map([...parameters, ...this.#modules.frozen]);
  }

  dispose(): void {
    this.#disposed = true;
    this.#modules.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Runs one pass, which must use every layer that was built. */
  #run(images: tf.Tensor4D, options: PassOptions): tf.Tensor2D {
    this.check();
    const settings = { classes: this.classes, modules: this.#modules.found };
    const [samples] = images.shape;
    const pass = new Pass(settings, samples, options);
    const logits = this.#forward("run", pass, images);
    this.#modules.checkPlaces(pass.places);
    return checkLogits(this.definition, logits, samples, this.classes);
  }

  /**
   * Calls the definition's `forward`. A failure after weights that do not fit is reported as theirs, and an error of the definition's own as
   * the definition's.
   */
  #forward(
    action: "build" | "run",
    pass: Pass,
    images: tf.Tensor4D,
    maker?: ParameterMaker,
  ): unknown {
    try {
      // names of layers are checked once: later passes have to use the same
      const layers = action === "build" ? refuseUnknown(pass.layers) : pass.layers;
      return this.definition.forward(layers, toActivations(images));
    } catch (error) {
      if (error instanceof LayerError) throw error;
      maker?.finish("failure");
      if (OURS.some((kind) => error instanceof kind)) throw error;
      throw new Error(
        `Cannot ${action} ${this.definition.name}: its forward pass over images [N, ${
          this.inputShape.join(", ")
        }] threw ${error instanceof Error ? error : describeValue(error)}`,
        { cause: error },
      );
    }
  }

  async #read(
    parameter: tf.Variable,
    isPlain: boolean,
  ): Promise<{ shape: number[]; data: Float32Array }> {
    const tensor = tf.tidy(() => isPlain ? tf.clone(parameter) : toPytorch(parameter));
    const data = await this.tensorflow.read(tensor);
    tensor.dispose();
    return { shape: tensor.shape, data };
  }
}

/**
 * Refuses a value that is no network, and a network that cannot be used.
 *
 * @throws {TypeError} if the value is no network.
 * @throws {DisposedError} if the network has been disposed, or its engine.
 */
export function checkNetwork(network: unknown): asserts network is DeviceNetwork {
  if (!(network instanceof DeviceNetwork)) {
    throw new TypeError(
      `Cannot compute: got ${describeValue(network)} for a network, need one of engine.network`,
    );
  }
  network.check();
}

/** Errors of a pass whose messages name the cause themselves. */
const OURS = [DataError, DeviceError, DisposedError, WeightsError];
