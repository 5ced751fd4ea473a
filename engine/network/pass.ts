/**
 * One forward pass through a definition: the layers that its `forward` is given.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { uniformFloat32 } from "npm:pure-rand@8.4.2/distribution/uniformFloat32";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { isTable } from "../data/pixels.ts";
import { LayerError } from "../errors.ts";
import { countElements } from "../formats/shape.ts";
import { checkCall } from "../operations/arguments.ts";
import { applyDense, convolve } from "../operations/convolution.ts";
import { checkGroups, inferConvolutionGeometry } from "../operations/convolution_geometry.ts";
import {
  type Activations,
  type FeatureMaps,
  toActivations,
  toTensor,
} from "../operations/features.ts";
import {
  type BatchNormOptions,
  type ConvolutionOptions,
  type DenseOptions,
  type Layers,
  normalise,
  type NormaliseOptions,
  operations,
  type ParameterOptions,
  reshape,
} from "./definition.ts";
import { type LayerRequest, type LayerShape, makeStatistics } from "./layer.ts";
import type { Modules, PlacedLayer } from "./modules.ts";

/**
 * Forward hook of layers with parameters: it sees a layer's input and output, and returns the output to go on with. The output of a `parameter` is
 * a copy of it for every sample, `[N, ...shape]`, and it has no input.
 */
export interface Hook {
  /** Whether the hook wants to see a layer; a `parameter` is copied for every sample only where one does. */
  sees(name: string): boolean;
  /** @param layer the layer, with its sizes at this place */
  attach(layer: LayerShape, input: tf.Tensor | undefined, output: tf.Tensor): tf.Tensor;
}

/** Options of one pass. */
export interface PassOptions {
  readonly hook?: Hook;
  /** Random generator of a training step's dropout; without it nothing is dropped. */
  readonly noise?: RandomGenerator;
}

/** Settings that all passes of a network share. */
export interface PassSettings {
  /** Shape of one sample, `[H, W, C]`, while the layers are made and it may be a row of a table; later ones are found. */
  readonly inputShape?: readonly [number, number, number];
  readonly classes: number;
  readonly modules: Modules;
}

/** One forward pass through a definition. */
export class Pass {
  /** What the definition's `forward` is given. */
  readonly layers: Layers;
  readonly #hook: Hook | undefined;
  readonly #noise: RandomGenerator | undefined;
  readonly #places = new Map<string, number>();

  /** @param samples number of samples in the batch */
  constructor(
    private readonly settings: PassSettings,
    private readonly samples: number,
    { hook, noise }: PassOptions = {},
  ) {
    this.#hook = hook;
    this.#noise = noise;
    const own = {
      convolution: this.#convolution,
      dense: this.#dense,
      parameter: this.#parameter,
      constant: this.#constant,
      batchNorm: this.#batchNorm,
      layerNorm: this.#layerNorm,
      groupNorm: this.#groupNorm,
      dropout: this.#dropout,
    };
    // a definition may destructure them, as `forward({ dense, classes }, images)` does
    const bound = Object.entries(own).map(([name, method]) => [name, method.bind(this)]);
    this.layers = { ...operations, classes: settings.classes, ...Object.fromEntries(bound) };
  }

  /** Number of times that the pass has used each layer and each batch norm so far. */
  get places(): ReadonlyMap<string, number> {
    return this.#places;
  }

  #convolution(name: string, x: FeatureMaps, options: ConvolutionOptions): FeatureMaps {
    checkCall("convolution", arguments);
    this.#checkSamples(name, x);
    const { filters, size, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true } = options;
    const attributes = { stride, pad, dilation, groups };
    const [height, width] = [size, size].flat();
    const wanted = [height, width, x.shape[3] / groups, filters];
    const { layer, shape } = this.#use({
      name,
      kind: "convolution",
      wanted,
      hasBias: bias,
      call: describeCall("convolution", x, { size, ...attributes, bias }),
      prepare: () => {
        this.#refuseTable(name);
        checkGroups(x.shape[3], filters, groups, name);
        // checked before the weights are made, for one filter a group: loaded weights determine the number of filters
        inferConvolutionGeometry(x.shape, [...wanted.slice(0, -1), groups], attributes, name);
      },
      measure: (weight) => {
        const geometry = inferConvolutionGeometry(x.shape, weight, attributes, name);
        const outputShape = [geometry.out_height, geometry.out_width, geometry.out_channels];
        return { kind: "convolution", name, bias, geometry, outputShape, places: 1 };
      },
    });
    const filter = layer.weight as tf.Tensor as tf.Tensor4D;
    const input = toTensor(x);
    const y = convolve(input, filter, layer.bias as tf.Tensor1D | undefined, attributes);
    return toActivations(this.#see(shape, input, y));
  }

  #dense<T extends Activations>(
    name: string,
    x: T,
    units: number,
    options: DenseOptions = {},
  ): T {
    checkCall("dense", arguments);
    this.#checkSamples(name, x);
    const { bias = true } = options;
    const { shape: sizes } = x;
    const [inputs] = sizes.slice(-1);
    const middle = sizes.slice(1, -1);
    const positions = countElements(middle);
    const { layer, shape } = this.#use({
      name,
      kind: "dense",
      wanted: [inputs, units],
      hasBias: bias,
      call: describeCall("dense", x, { bias }),
      measure: ([inputs, outputs]) => {
        const outputShape = [...middle, outputs];
        return { kind: "dense", name, bias, inputs, outputs, positions, outputShape, places: 1 };
      },
    });
    const weight = layer.weight as tf.Tensor as tf.Tensor2D;
    const input = toTensor(x);
    const vectors = tf.reshape(input, [-1, inputs]) as tf.Tensor2D;
    const y = applyDense(vectors, weight, layer.bias as tf.Tensor1D | undefined);
    const output = tf.reshape(y, [...sizes.slice(0, -1), weight.shape[1]]);
    return toActivations(this.#see(shape, input, output));
  }

  #parameter(name: string, shape: readonly number[], options: ParameterOptions = {}): Activations {
    checkCall("parameter", arguments);
    const { initial = 0 } = options;
    if (typeof initial !== "number") checkCount(name, `layer '${name}'`, { initial }, shape);
    const { layer, shape: sizes } = this.#useParameter(name, shape, initial);
    const copies = this.#copy(layer.weight, shape);
    return toActivations(this.#see(sizes, undefined, copies));
  }

  #constant(values: Float32Array, shape: readonly number[]): Activations {
    checkCall("constant", arguments);
    checkCount("constant", "constant", { values }, shape);
    return toActivations(this.#copy(tf.tensor(values), shape));
  }

  /** Copies a tensor for every sample, `[N, ...shape]`. */
  #copy(tensor: tf.Tensor, shape: readonly number[]): tf.Tensor {
    const ones = tf.ones([this.samples, ...shape.map(() => 1)]);
    return tf.mul(tf.reshape(tensor, [1, ...shape]), ones);
  }

  #batchNorm<T extends Activations>(name: string, x: T, options: BatchNormOptions = {}): T {
    checkCall("batchNorm", arguments);
    this.#checkSamples(name, x);
    const { epsilon = 1e-5 } = options;
    const { scale, shift } = this.settings.modules.statistics(
      name,
      describeCall("batchNorm", x, { epsilon }),
      this.#countPlace(name),
      (maker) => makeStatistics(maker, name, x.shape.at(-1)!, epsilon),
    );
    const normalised = tf.add(tf.mul(toTensor(x as Activations), scale), shift);
    return toActivations(this.#scaleAndShift(name, normalised));
  }

  #layerNorm<T extends Activations>(name: string, x: T, options: NormaliseOptions = {}): T {
    checkCall("layerNorm", arguments);
    this.#checkSamples(name, x);
    return toActivations(
      this.#scaleAndShift(name, toTensor(normalise(x as Activations, [-1], options))),
    );
  }

  #groupNorm<T extends Activations>(
    name: string,
    x: T,
    groups: number,
    options: NormaliseOptions = {},
  ): T {
    checkCall("groupNorm", arguments);
    this.#checkSamples(name, x);
    const [samples, ...sizes] = x.shape;
    const channels = sizes.at(-1)!;
    if (channels % groups !== 0) {
      throw new LayerError(
        name,
        "groups",
        `Cannot use layer '${name}': got ${groups} groups of ${channels} channels, need groups of equal size`,
      );
    }
    const grouped = reshape(x, [countElements(sizes.slice(0, -1)), groups, channels / groups]);
    const normalised = toTensor(normalise(grouped as Activations, [1, 3], options));
    return toActivations(
      this.#scaleAndShift(name, tf.reshape(normalised, [samples, ...sizes])),
    );
  }

  #dropout<T extends Activations>(x: T, share: number): T {
    checkCall("dropout", arguments);
    const noise = this.#noise;
    if (!noise) return x;
    const kept = 1 / (1 - share);
    const input = toTensor(x);
    const drop = () => uniformFloat32(noise) < share ? 0 : kept;
    const factors = new Float32Array(input.size).map(drop);
    return toActivations(tf.mul(input, tf.tensor(factors, input.shape)));
  }

  /** @throws {LayerError} if samples are rows of a table, over which a filter has nothing to move. */
  #refuseTable(name: string): void {
    const { inputShape } = this.settings;
    if (!inputShape || !isTable(inputShape)) return;
    throw new LayerError(
      name,
      "x",
      `Cannot use layer '${name}': got a table of ${
        inputShape[2]
      } columns, need pictures for a convolution; use a network of dense layers, such as mlp`,
    );
  }

  /** Multiplies by the weight and adds the bias of a norm, one of each for every element of the last axis. */
  #scaleAndShift(name: string, x: tf.Tensor): tf.Tensor {
    const channels = x.shape.at(-1)!;
    const broadcast = (part: string, initial: number) => {
      const placed = this.#useParameter(`${name}.${part}`, [channels], initial);
      const own = tf.reshape(placed.layer.weight, [1, channels]);
      const copies = this.#hook?.sees(placed.shape.name)
        ? this.#see(placed.shape, undefined, tf.mul(own, tf.ones([this.samples, 1])))
        : own;
      return tf.reshape(copies, [-1, ...x.shape.slice(2).map(() => 1), channels]);
    };
    return tf.add(tf.mul(x, broadcast("weight", 1)), broadcast("bias", 0));
  }

  #useParameter(
    name: string,
    shape: readonly number[],
    initial: number | Float32Array,
  ): PlacedLayer {
    const outputShape = [...shape];
    return this.#use({
      name,
      kind: "parameter",
      wanted: outputShape,
      hasBias: false,
      initial,
      call: `parameter of [${shape.join(", ")}]`,
      measure: () => ({ kind: "parameter", name, bias: false, outputShape, places: 1 }),
    });
  }

  #use(request: LayerRequest): PlacedLayer {
    return this.settings.modules.layer(request, this.#countPlace(request.name));
  }

  /** Shows a layer to the hook, if it wants to see it. */
  #see(shape: LayerShape, input: tf.Tensor | undefined, output: tf.Tensor): tf.Tensor {
    return this.#hook?.sees(shape.name) ? this.#hook.attach(shape, input, output) : output;
  }

  /** Counts a use of a name, and returns how often it was used before. */
  #countPlace(name: string): number {
    const place = this.#places.get(name) ?? 0;
    this.#places.set(name, place + 1);
    return place;
  }

  /** @throws {LayerError} if the tensor has another number of samples than the pass. */
  #checkSamples(name: string, { shape: [samples] }: Activations): void {
    if (samples === this.samples) return;
    throw new LayerError(
      name,
      "x",
      `Cannot use layer '${name}': got x of ${samples} samples, need ${this.samples}, those of this pass`,
    );
  }
}

/** @throws {LayerError} if a list of values does not have as many elements as the shape. */
function checkCount(
  layer: string,
  subject: string,
  named: Readonly<Record<string, Float32Array>>,
  shape: readonly number[],
): void {
  const [[option, { length }]] = Object.entries(named);
  const count = countElements(shape);
  if (length === count) return;
  throw new LayerError(
    layer,
    option,
    `Cannot use ${subject}: got ${option} of ${length} numbers, need ${count} for its shape [${
      shape.join(", ")
    }]`,
  );
}

/** Describes a layer's call, which has to be the same in every pass; the number of outputs is left out, since loaded weights determine it. */
function describeCall(
  kind: keyof Layers,
  { shape: [, ...sizes] }: Activations,
  options: Readonly<Record<string, unknown>>,
): string {
  const settings = Object.entries(options).map(([name, value]) => `${name} ${value}`);
  return [`${kind} of [N, ${sizes.join(", ")}]`, ...settings].join(", ");
}
