/**
 * A tap as an operation of TensorFlow.js: it passes a tensor on, and its gradient is the tensor's.
 *
 * Adding zeros would do the same, at the price of reading and writing every layer's output once more.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { Tensorflow } from "./tensorflow.ts";

const TAP = "LpntkTap";

/** A tensor that `tapInto` can be differentiated for; it has a shape and no values. */
export function createTap(tensorflow: Tensorflow, shape: number[]): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(tensorflow.allocate(shape));
}

/** `x`, with a gradient for `tap` that is the gradient for `x`. */
export function tapInto(x: tf.Tensor, tap: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel(TAP, { x, tap });
}

tf.registerKernel({
  kernelName: TAP,
  backendName: "webgpu",
  kernelFunc: ({ inputs }) => Tensorflow.current.share(inputs.x as tf.TensorInfo),
});

tf.registerGradient({
  kernelName: TAP,
  gradFunc: (dy) => ({
    x: () => tf.clone(dy as tf.Tensor),
    tap: () => tf.clone(dy as tf.Tensor),
  }),
});
