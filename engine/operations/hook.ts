/**
 * Gradient hooks: an operation of TensorFlow.js that returns its input, and gives the gradient with respect to it to a second tensor, the hook.
 *
 * Adding a tensor of zeros would do the same, but would read and write every layer's output once more.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { Tensorflow } from "./tensorflow.ts";

const HOOK = "LpntkHook";

/** Creates a hook for a tensor of this shape; it has no values of its own. */
export function createGradientHook(tensorflow: Tensorflow, shape: number[]): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(tensorflow.allocate(shape));
}

/** Returns `x`, such that the gradient with respect to `hook` is the one with respect to `x`. */
export function attachGradientHook(x: tf.Tensor, hook: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel(HOOK, { x, hook });
}

tf.registerKernel({
  kernelName: HOOK,
  backendName: "webgpu",
  kernelFunc: ({ inputs }) => Tensorflow.current.share(inputs.x as tf.TensorInfo),
});

tf.registerGradient({
  kernelName: HOOK,
  gradFunc: (dy) => ({
    x: () => tf.clone(dy as tf.Tensor),
    hook: () => tf.clone(dy as tf.Tensor),
  }),
});
