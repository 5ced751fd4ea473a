/**
 * A network with its parameters: logits, and every layer's inputs and deltas from one batched backward pass.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { connect, type ConvolutionGeometry, convolve, measureConvolution } from "./convolution.ts";
import type { ConvolutionOptions, Layers, NetworkDefinition } from "./definition.ts";
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

/** A network that computes. Dispose it to free its parameters. */
export class Network {
  readonly #layers = new Map<string, Layer>();
  /** Number of logits. */
  readonly classes: number;

  /**
   * Builds the parameters in one pass over an empty image.
   *
   * @param inputShape of one image, `[H, W, C]`
   * @throws {WeightsError} if a tensor is missing, superfluous, of another shape than the definition and the images need, or not finite.
   */
  constructor(
    private readonly tensorflow: Tensorflow,
    readonly definition: NetworkDefinition,
    readonly inputShape: readonly [number, number, number],
    source: ParameterSource,
  ) {
    const maker: ParameterMaker = source instanceof Map
      ? new ParameterReader(definition.name, source)
      : new ParameterDrawer(source.seed, source.initialisation ?? "uniform");
    const find: Finder = (name, make) => this.#add(name, () => make(maker));
    try {
      this.classes = tf.tidy(() => {
        const pass = new Pass(source instanceof Map ? 1 : source.classes, find, (_, __, y) => y);
        const logits = definition.forward(pass, tf.zeros([1, ...inputShape]));
        return logits.shape[1];
      });
      maker.finish?.();
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

  /** Images `[N, H, W, C]` to logits `[N, classes]`, before softmax. */
  logits(images: tf.Tensor4D): tf.Tensor2D {
    return this.definition.forward(new Pass(this.classes, this.#find, (_, __, y) => y), images);
  }

  /** Images `[N, H, W, C]` to what goes into the last parametric layer, `[N, D]`: the penultimate layer's features. */
  features(images: tf.Tensor4D): tf.Tensor2D {
    let last!: tf.Tensor;
    const tap: Tap = (_, input, output) => {
      last = input;
      return output;
    };
    this.definition.forward(new Pass(this.classes, this.#find, tap), images);
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
    const inputs = new Map<string, tf.Tensor>();
    const deltas = tf.tidy(() => {
      const unused = layers.map(({ outputShape }) =>
        createTap(this.tensorflow, [images.shape[0], ...outputShape])
      );
      return tf.grads((...taps: tf.Tensor[]) => {
        const tap: Tap = (layer, input, output) => {
          inputs.set(layer.name, tf.keep(tf.clone(input)));
          return tapInto(output, taps[inputs.size - 1]);
        };
        const logits = this.definition.forward(new Pass(this.classes, this.#find, tap), images);
        return tf.sum(tf.mul(logits, seeds));
      })(unused);
    });
    return layers.map((layer, i) => ({ layer, input: inputs.get(layer.name)!, delta: deltas[i] }));
  }

  /** The parameters by name, in PyTorch's `state_dict` layout. */
  async weights(): Promise<Weights> {
    const named = [...this.#layers].flatMap(([name, { weight, bias }]) => [
      [`${name}.weight`, weight] as const,
      ...bias ? [[`${name}.bias`, bias] as const] : [],
    ]);
    // all at once: each waits for the device
    return new Map(
      await Promise.all(
        named.map(async ([name, parameter]) => [name, await this.#read(parameter)] as const),
      ),
    );
  }

  /** Frees the parameters; a second time does nothing. */
  dispose(): void {
    for (const variable of this.variables) variable.dispose();
    this.#layers.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  readonly #find: Finder = (name) => {
    const layer = this.#layers.get(name);
    if (!layer) {
      throw new ReferenceError(
        `Cannot run ${this.definition.name}: got no layer '${name}'; a definition must use the same layers each time, and none once disposed`,
      );
    }
    return layer;
  };

  #add(name: string, make: () => Layer): Layer {
    if (this.#layers.has(name)) {
      throw new RangeError(
        `Cannot build ${this.definition.name}: got two layers '${name}', need a name of its own for each`,
      );
    }
    const layer = make();
    this.#layers.set(name, layer);
    return layer;
  }

  async #read(parameter: tf.Variable): Promise<{ shape: number[]; data: Float32Array }> {
    const tensor = tf.tidy(() => toPytorch(parameter));
    const data = await this.tensorflow.read(tensor);
    tensor.dispose();
    return { shape: tensor.shape, data };
  }
}

/** Gives a layer's parameters, or makes them from `make`. */
type Finder = (name: string, make: (maker: ParameterMaker) => Layer) => Layer;
/** Sees what goes into a layer and what comes out, and may replace the latter. */
type Tap = (layer: LayerShape, input: tf.Tensor, output: tf.Tensor) => tf.Tensor;

/** One pass through a definition. */
class Pass implements Layers {
  constructor(
    readonly classes: number,
    private readonly find: Finder,
    private readonly tap: Tap,
  ) {}

  convolution(
    name: string,
    x: tf.Tensor4D,
    { filters, size, stride = 1, pad = 0, bias = true }: ConvolutionOptions,
  ): tf.Tensor4D {
    const layer = this.find(name, (maker) => {
      const wanted = [size, size, x.shape[3], filters];
      return makeLayer(maker, name, wanted, bias, (weight) => {
        const geometry = measureConvolution(x.shape, weight, { stride, pad });
        const outputShape = [geometry.out_height, geometry.out_width, geometry.out_channels];
        return { kind: "convolution", name, bias, geometry, outputShape };
      });
    });
    const filter = layer.weight as tf.Tensor as tf.Tensor4D;
    const y = convolve(x, filter, layer.bias as tf.Tensor1D | undefined, { stride, pad });
    return this.tap(layer.shape, x, y) as tf.Tensor4D;
  }

  dense(name: string, x: tf.Tensor2D, units: number): tf.Tensor2D {
    const layer = this.find(
      name,
      (maker) =>
        makeLayer(maker, name, [x.shape[1], units], true, ([inputs, outputs]) => (
          { kind: "dense", name, bias: true, inputs, outputs, outputShape: [outputs] }
        )),
    );
    const weight = layer.weight as tf.Tensor as tf.Tensor2D;
    const y = connect(x, weight, layer.bias as tf.Tensor as tf.Tensor1D);
    return this.tap(layer.shape, x, y) as tf.Tensor2D;
  }
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
