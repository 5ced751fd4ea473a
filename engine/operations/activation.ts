/**
 * Activations: functions of single elements, registered with TensorFlow.js, that run our kernels.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { checkCall } from "./arguments.ts";
import { launchElementwise } from "./elementwise.ts";
import { type Activations, toActivations, toTensor } from "./features.ts";
import { computePointwise } from "./pointwise.ts";
import { computeGelu, computeTanh } from "./smooth_activation.ts";
import { Tensorflow } from "./tensorflow.ts";

const RELU = "LpntkRelu";
const RELU_GRADIENT = "LpntkReluGradient";

/** max(x, 0), element by element. */
export function relu<T extends Activations>(x: T): T {
  checkCall("relu", arguments);
  return toActivations(tf.engine().runKernel(RELU, { x: toTensor(x) }));
}

/** The hyperbolic tangent, element by element. Its relative error and that of its gradient are below 1e-6. */
export function tanh<T extends Activations>(x: T): T {
  checkCall("tanh", arguments);
  return toActivations(computeTanh(toTensor(x)));
}

/**
 * `x (1 + erf(x / sqrt 2)) / 2`, element by element, as PyTorch's default. Its relative error and that of its gradient are below 1e-6; only near
 * the gradient's zero at -0.7518 the error is relative to the absolute values of the gradient's two terms.
 */
export function gelu<T extends Activations>(x: T): T {
  checkCall("gelu", arguments);
  return toActivations(computeGelu(toTensor(x)));
}

/** `1 / (1 + exp(-x))`, element by element. Its relative error and that of its gradient are below 1e-6. */
export function sigmoid<T extends Activations>(x: T): T {
  checkCall("sigmoid", arguments);
  return toActivations(computePointwise("sigmoid", toTensor(x)));
}

/**
 * `x / (1 + exp(-x))`, element by element, also called swish. Its relative error and that of its gradient are below 1e-6; only near the gradient's
 * zero at -1.2785 the error is relative to the absolute values of the gradient's two terms.
 */
export function silu<T extends Activations>(x: T): T {
  checkCall("silu", arguments);
  return toActivations(computePointwise("silu", toTensor(x)));
}

/** `log(1 + exp(x))`, element by element. Its relative error and that of its gradient are below 1e-6. */
export function softplus<T extends Activations>(x: T): T {
  checkCall("softplus", arguments);
  return toActivations(computePointwise("softplus", toTensor(x)));
}

/** `x min(max(x + 3, 0), 6) / 6`, element by element. */
export function hardSwish<T extends Activations>(x: T): T {
  checkCall("hardSwish", arguments);
  return toActivations(computePointwise("hardSwish", toTensor(x)));
}

/** `min(max(x + 3, 0), 6) / 6`, element by element, as in PyTorch. */
export function hardSigmoid<T extends Activations>(x: T): T {
  checkCall("hardSigmoid", arguments);
  return toActivations(computePointwise("hardSigmoid", toTensor(x)));
}

/** `min(max(x, 0), 6)`, element by element; its gradient is 0 at 0 and at 6, as in PyTorch. */
export function relu6<T extends Activations>(x: T): T {
  checkCall("relu6", arguments);
  return toActivations(computePointwise("relu6", toTensor(x)));
}

/** The error function, element by element. Its relative error and that of its gradient are below 1e-6. */
export function erf<T extends Activations>(x: T): T {
  checkCall("erf", arguments);
  return toActivations(computePointwise("erf", toTensor(x)));
}

/**
 * `x`, or `slope * x` where x is not positive, element by element.
 *
 * @param slope default 0.01, PyTorch's
 */
export function leakyRelu<T extends Activations>(x: T, slope = 0.01): T {
  checkCall("leakyRelu", arguments);
  return toActivations(computePointwise("leaky", toTensor(x), { a: slope }));
}

/**
 * `x`, or `alpha * (exp(x) - 1)` where x is not positive, element by element. Its relative error and that of its gradient are below 1e-6.
 *
 * @param alpha default 1, PyTorch's
 */
export function elu<T extends Activations>(x: T, alpha = 1): T {
  checkCall("elu", arguments);
  return toActivations(computePointwise("elu", toTensor(x), { a: alpha }));
}

tf.registerKernel({
  kernelName: RELU,
  backendName: "webgpu",
  kernelFunc: ({ inputs }) => {
    const x = inputs.x as tf.TensorInfo;
    const y = Tensorflow.current.allocate(x.shape);
    launchElementwise(kernels.relu, { inputs: x, outputs: y }, y);
    return y;
  },
});

tf.registerKernel({
  kernelName: RELU_GRADIENT,
  backendName: "webgpu",
  kernelFunc: ({ inputs }) => {
    const { y, dy } = inputs as Record<string, tf.TensorInfo>;
    const dx = Tensorflow.current.allocate(y.shape);
    launchElementwise(kernels.relu_gradient, { outputs: y, deltas: dy, gradients: dx }, dx);
    return dx;
  },
});

tf.registerGradient({
  kernelName: RELU,
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({
    x: () => tf.engine().runKernel(RELU_GRADIENT, { y, dy: dy as tf.Tensor }),
  }),
});
