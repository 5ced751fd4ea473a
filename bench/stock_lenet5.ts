/**
 * LeNet-5 as one would write it with TensorFlow.js alone.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Weights } from "../engine/network/parameters.ts";

/** A network of stock operations, trained by the stock optimizer. Dispose it to free its parameters. */
export class StockLenet5 implements Disposable {
  readonly #parameters = new Map<string, tf.Variable>();
  readonly #optimizer: tf.MomentumOptimizer;

  /** @param weights in PyTorch's layout */
  constructor(weights: Weights, learningRate: number, momentum: number) {
    for (const [name, { shape, data }] of weights) {
      const axes = shape.length === 4 ? [2, 3, 1, 0] : shape.length === 2 ? [1, 0] : [0];
      const parameter = tf.tidy(() => tf.transpose(tf.tensor(data, shape), axes));
      this.#parameters.set(name, tf.variable(parameter));
      parameter.dispose();
    }
    this.#optimizer = tf.train.momentum(learningRate, momentum);
  }

  /** Computes the losses `[N]` of images `[N, 28, 28, 1]` with one-hot labels `[N, classes]`. */
  losses(images: tf.Tensor4D, targets: tf.Tensor2D): tf.Tensor1D {
    const first = tf.maxPool(tf.relu(this.#convolve(images, "conv1", "same")), 2, 2, "valid");
    const second = tf.maxPool(tf.relu(this.#convolve(first, "conv2", "valid")), 2, 2, "valid");
    const features = tf.reshape(tf.transpose(second, [0, 3, 1, 2]), [-1, 400]);
    const third = tf.relu(this.#multiply(features as tf.Tensor2D, "fc1"));
    const logits = this.#multiply(tf.relu(this.#multiply(third, "fc2")), "fc3");
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), targets), 1));
  }

  /** Takes one step on the mean loss. */
  step(images: tf.Tensor4D, targets: tf.Tensor2D): void {
    this.#optimizer.minimize(() => tf.mean(this.losses(images, targets)) as tf.Scalar);
  }

  [Symbol.dispose](): void {
    this.#optimizer.dispose();
    for (const parameter of this.#parameters.values()) parameter.dispose();
  }

  #convolve(x: tf.Tensor4D, name: string, pad: "same" | "valid"): tf.Tensor4D {
    const filter = this.#parameters.get(`${name}.weight`) as tf.Tensor as tf.Tensor4D;
    return tf.add(tf.conv2d(x, filter, 1, pad), this.#parameters.get(`${name}.bias`)!);
  }

  #multiply(x: tf.Tensor2D, name: string): tf.Tensor2D {
    const weight = this.#parameters.get(`${name}.weight`) as tf.Tensor as tf.Tensor2D;
    return tf.add(tf.matMul(x, weight), this.#parameters.get(`${name}.bias`)!);
  }
}
