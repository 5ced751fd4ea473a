/**
 * Functions of single elements as one operation of TensorFlow.js that runs our kernel.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { planElementwiseLaunch } from "./elementwise.ts";
import { Tensorflow } from "./tensorflow.ts";

const POINTWISE = "LpntkPointwise";
const POINTWISE_GRADIENT = "LpntkPointwiseGradient";

/** The functions in the order in which `shaders/pointwise.wgsl` numbers them, where each is defined. */
const FUNCTIONS = [
  "affine",
  "absolute",
  "square",
  "root",
  "reciprocal",
  "exponential",
  "logarithm",
  "power",
  "clip",
  "leaky",
  "elu",
  "relu6",
  "hardSigmoid",
  "hardSwish",
  "sigmoid",
  "silu",
  "softplus",
  "erf",
] as const;

/** Name of a function of one element. */
export type PointwiseFunction = typeof FUNCTIONS[number];

/** Numbers that a function depends on, such as a slope. */
export interface PointwiseSettings {
  readonly a?: number;
  readonly b?: number;
  readonly c?: number;
}

/** Applies a function element by element; its gradient with respect to `x` is ours too. */
export function computePointwise(
  name: PointwiseFunction,
  x: tf.Tensor,
  settings: PointwiseSettings = {},
): tf.Tensor {
  return tf.engine().runKernel(POINTWISE, { x }, { name, ...settings });
}

/** Plans a launch over `size` elements; with `isGradient` it computes the gradient from inputs and deltas. */
export function planPointwiseLaunch(
  name: PointwiseFunction,
  { a = 0, b = 0, c = 0 }: PointwiseSettings,
  size: number,
  isGradient: boolean,
) {
  const constants = { FUNCTION: FUNCTIONS.indexOf(name), IS_GRADIENT: isGradient ? 1 : 0 };
  const { kernel, count, workgroups } = planElementwiseLaunch(
    kernels.pointwise.shape({ constants }),
    size,
  );
  return { kernel, params: { count, a, b, c }, workgroups };
}

function register(kernelName: string, isGradient: boolean): void {
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs, attrs }) => {
      const { x, dy = x } = inputs as Record<string, tf.TensorInfo>;
      const { name, ...settings } = attrs as unknown as
        & { name: PointwiseFunction }
        & PointwiseSettings;
      const outputs = Tensorflow.current.allocate(x.shape);
      const size = tf.util.sizeFromShape(x.shape);
      const { kernel, params, workgroups } = planPointwiseLaunch(name, settings, size, isGradient);
      // the forward launch must bind some buffer as deltas, but reads none
      Tensorflow.current.launch(kernel, params, { inputs: x, deltas: dy, outputs }, workgroups);
      return outputs;
    },
  });
}

register(POINTWISE, false);
register(POINTWISE_GRADIENT, true);

tf.registerGradient({
  kernelName: POINTWISE,
  inputsToSave: ["x"],
  gradFunc: (dy, [x], attributes) => ({
    x: () => tf.engine().runKernel(POINTWISE_GRADIENT, { x, dy: dy as tf.Tensor }, attributes),
  }),
});
