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
import { checkCall } from "../operations/arguments.ts";
import { applyDense, convolve } from "../operations/convolution.ts";
import { checkGroups, inferConvolutionGeometry } from "../operations/convolution_geometry.ts";
import {
  type Activations,
  type FeatureMaps,
  type Features,
  toActivations,
  toTensor,
} from "../operations/features.ts";
import {
  type BatchNormOptions,
  type ConvolutionOptions,
  type DenseOptions,
  type Layers,
  operations,
} from "./definition.ts";
import { type Layer, type LayerShape, makeLayer, makeNorm, type Norm } from "./layer.ts";
import type { ParameterMaker } from "./parameters.ts";

/** Forward hook of every layer with parameters: it sees the layer's input and output, and returns the output to go on with. */
export type Hook = (layer: LayerShape, input: tf.Tensor, output: tf.Tensor) => tf.Tensor;

/** Layers and batch norms by name: the first pass makes them, and later ones find them, by the same `call`. */
export interface Modules {
  layer(name: string, call: string, make: (maker: ParameterMaker) => Layer): Layer;
  norm(name: string, call: string, make: (maker: ParameterMaker) => Norm): Norm;
}

/** Options of one pass. */
export interface PassOptions {
  readonly hook?: Hook;
  /** Random generator of a training step's dropout; without it nothing is dropped. */
  readonly noise?: RandomGenerator;
}

/** Settings that all passes of a network share. */
export interface PassSettings {
  /** Shape of one sample, `[H, W, C]`, while the layers are made; later ones are found. */
  readonly inputShape?: readonly [number, number, number];
  readonly classes: number;
  readonly modules: Modules;
  /** Size of the device's largest binding. */
  readonly bindingBytes: number;
}

/** One forward pass through a definition. */
export class Pass implements Layers {
  readonly add = operations.add;
  readonly averagePool = operations.averagePool;
  readonly flatten = operations.flatten;
  readonly gelu = operations.gelu;
  readonly globalAverage = operations.globalAverage;
  readonly maxPool = operations.maxPool;
  readonly relu = operations.relu;
  readonly tanh = operations.tanh;
  readonly classes: number;
  readonly #hook: Hook;
  readonly #noise: RandomGenerator | undefined;
  readonly #used = new Set<string>();

  /** @param samples number of samples in the batch */
  constructor(
    private readonly settings: PassSettings,
    private readonly samples: number,
    { hook = (_layer, _input, output) => output, noise }: PassOptions = {},
  ) {
    this.#hook = hook;
    this.#noise = noise;
    this.classes = settings.classes;
    // a definition may destructure them, as `forward({ dense, classes }, images)` does
    this.convolution = this.convolution.bind(this);
    this.dense = this.dense.bind(this);
    this.batchNorm = this.batchNorm.bind(this);
    this.dropout = this.dropout.bind(this);
  }

  /** Names of the layers that the pass has used so far. */
  get used(): ReadonlySet<string> {
    return this.#used;
  }

  convolution(name: string, x: FeatureMaps, options: ConvolutionOptions): FeatureMaps {
    checkCall("convolution", arguments);
    this.#enter(name, x);
    const { filters, size, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true } = options;
    const attributes = { stride, pad, dilation, groups };
    const call = describeCall("convolution", x, { size, ...attributes, bias });
    const { modules, bindingBytes } = this.settings;
    const layer = modules.layer(name, call, (maker) => {
      this.#refuseTable(name);
      const [height, width] = [size, size].flat();
      const wanted = [height, width, x.shape[3] / groups, filters];
      checkGroups(x.shape[3], filters, groups, name);
      // checked before the weights are made, for one filter a group: loaded weights determine the number of filters
      inferConvolutionGeometry(x.shape, [...wanted.slice(0, -1), groups], attributes, name);
      return makeLayer(maker, name, wanted, { hasBias: bias, bindingBytes }, (weight) => {
        const geometry = inferConvolutionGeometry(x.shape, weight, attributes, name);
        const outputShape = [geometry.out_height, geometry.out_width, geometry.out_channels];
        return { kind: "convolution", name, bias, geometry, outputShape };
      });
    });
    const filter = layer.weight as tf.Tensor as tf.Tensor4D;
    const input = toTensor(x);
    const y = convolve(input, filter, layer.bias as tf.Tensor1D | undefined, attributes);
    return toActivations(this.#hook(layer.shape, input, y));
  }

  dense(
    name: string,
    x: Features,
    units: number,
    options: DenseOptions = {},
  ): Features {
    checkCall("dense", arguments);
    this.#enter(name, x);
    const { bias = true } = options;
    const { modules, bindingBytes } = this.settings;
    const layer = modules.layer(
      name,
      describeCall("dense", x, { bias }),
      (maker) =>
        makeLayer(
          maker,
          name,
          [x.shape[1], units],
          { hasBias: bias, bindingBytes },
          ([inputs, outputs]) => (
            { kind: "dense", name, bias, inputs, outputs, outputShape: [outputs] }
          ),
        ),
    );
    const weight = layer.weight as tf.Tensor as tf.Tensor2D;
    const input = toTensor(x);
    const y = applyDense(input, weight, layer.bias as tf.Tensor1D | undefined);
    return toActivations(this.#hook(layer.shape, input, y));
  }

  batchNorm(name: string, x: FeatureMaps, options: BatchNormOptions = {}): FeatureMaps {
    checkCall("batchNorm", arguments);
    this.#enter(name, x);
    const { epsilon = 1e-5 } = options;
    const { scale, shift } = this.settings.modules.norm(
      name,
      describeCall("batchNorm", x, { epsilon }),
      (maker) => makeNorm(maker, name, x.shape[3], epsilon),
    );
    return toActivations(tf.add(tf.mul(toTensor(x), scale), shift));
  }

  dropout<T extends Activations>(x: T, share: number): T {
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

  /**
   * Records that the pass uses a layer.
   *
   * @throws {LayerError} if the pass has used the name before, or the tensor has another number of samples than the pass.
   */
  #enter(name: string, { shape: [samples] }: Activations): void {
    if (this.#used.has(name)) {
      throw new LayerError(
        name,
        "name",
        `Cannot use layer '${name}': got two layers '${name}', need a name of its own for each`,
      );
    }
    if (samples !== this.samples) {
      throw new LayerError(
        name,
        "x",
        `Cannot use layer '${name}': got x of ${samples} samples, need ${this.samples}, those of this pass`,
      );
    }
    this.#used.add(name);
  }
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
