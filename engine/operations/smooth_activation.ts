/**
 * Tanh and gelu as operations of TensorFlow.js that run our kernels: its own lose digits where values are small.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { launchElementwise } from "./elementwise.ts";
import { Tensorflow } from "./tensorflow.ts";

/** The hyperbolic tangent, element by element. */
export const computeTanh = register("LpntkTanh", kernels.tanh);

/** `x Phi(x)`, element by element. */
export const computeGelu = register("LpntkGelu", kernels.gelu);

/** Registers an operation whose kernel computes its values and, specialised by IS_GRADIENT, its gradient. */
function register(kernelName: string, kernel: typeof kernels.tanh) {
  const gradientName = `${kernelName}Gradient`;
  const gradient = kernel.shape({ constants: { IS_GRADIENT: 1 } });
  const launch = (launched: typeof kernel, inputs: tf.TensorInfo, deltas: tf.TensorInfo) => {
    const outputs = Tensorflow.current.allocate(inputs.shape);
    launchElementwise(launched, { inputs, deltas, outputs }, outputs);
    return outputs;
  };
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    // The forward launch must bind some buffer as deltas, but reads none.
    kernelFunc: ({ inputs: { x } }) => launch(kernel, x as tf.TensorInfo, x as tf.TensorInfo),
  });
  tf.registerKernel({
    kernelName: gradientName,
    backendName: "webgpu",
    kernelFunc: ({ inputs: { x, dy } }) =>
      launch(gradient, x as tf.TensorInfo, dy as tf.TensorInfo),
  });
  tf.registerGradient({
    kernelName,
    inputsToSave: ["x"],
    gradFunc: (dy, [x]) => ({
      x: () => tf.engine().runKernel(gradientName, { x, dy: dy as tf.Tensor }),
    }),
  });
  return (x: tf.Tensor): tf.Tensor => tf.engine().runKernel(kernelName, { x });
}
