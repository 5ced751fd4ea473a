/**
 * Kernels that compute number by number, and TensorFlow.js's addition as one of them.
 *
 * Its own reads number by number too, and residual networks add at the end of each branch and again wherever gradients meet.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Kernel } from "../gpu/kernel.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { Tensorflow } from "./tensorflow.ts";

/** A launch for every number of a tensor, four at a time where there are so many. */
export function layElementwise<B extends string>(
  kernel: Kernel<"count", B>,
  { shape }: tf.TensorInfo,
) {
  const size = tf.util.sizeFromShape(shape);
  const isQuad = size % 4 === 0;
  const count = isQuad ? size / 4 : size;
  return {
    kernel: kernel.shape({ numbers: isQuad ? "vec4f" : "f32" }),
    params: { count },
    workgroups: Math.ceil(count / 256),
  };
}

const ADD = { kernelName: "Add", backendName: "webgpu" };
const { kernelFunc: addStock } = tf.getKernel(ADD.kernelName, ADD.backendName);

tf.unregisterKernel(ADD.kernelName, ADD.backendName);
tf.registerKernel({
  ...ADD,
  kernelFunc: (call) => {
    const { a, b } = call.inputs as Record<"a" | "b", tf.TensorInfo>;
    const isOwn = tf.util.arraysEqual(a.shape, b.shape) && a.dtype === "float32" &&
      b.dtype === "float32";
    if (!isOwn) return addStock(call);
    const tensorflow = Tensorflow.current;
    const sums = tensorflow.allocate(a.shape);
    const { kernel, params, workgroups } = layElementwise(kernels.add, sums);
    tensorflow.launch(kernel, params, { left: a, right: b, sums }, workgroups);
    return sums;
  },
});
