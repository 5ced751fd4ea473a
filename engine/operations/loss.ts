/**
 * Cross-entropy as an operation of TensorFlow.js that runs our kernels: two launches, where TensorFlow.js itself would take some twenty.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../shaders/kernel_table.ts";
import { Tensorflow } from "./tensorflow.ts";

const CROSS_ENTROPY = "LpntkCrossEntropy";
const CROSS_ENTROPY_GRADIENT = "LpntkCrossEntropyGradient";

/**
 * Each sample's cross-entropy, in nats.
 *
 * @param logits `[N, classes]`
 * @param labels `[N]` class indices, f32
 * @returns `[N]` losses
 */
export function computeCrossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  return tf.engine().runKernel(CROSS_ENTROPY, { logits, labels });
}

type Inputs = Record<"logits" | "labels" | "deltas", tf.TensorInfo>;

function register(kernelName: string, compute: (inputs: Inputs) => tf.TensorInfo): void {
  tf.registerKernel({
    kernelName,
    backendName: "webgpu",
    kernelFunc: ({ inputs }) => compute(inputs as unknown as Inputs),
  });
}

register(CROSS_ENTROPY, ({ logits, labels }) => {
  const tensorflow = Tensorflow.current;
  const [sample_count, classes] = logits.shape;
  const losses = tensorflow.allocate([sample_count]);
  tensorflow.launch(
    kernels.cross_entropy,
    { sample_count, classes },
    { logits, labels, losses },
    Math.ceil(sample_count / 64),
  );
  return losses;
});

register(CROSS_ENTROPY_GRADIENT, ({ logits, labels, deltas }) => {
  const tensorflow = Tensorflow.current;
  const [sample_count, classes] = logits.shape;
  const gradients = tensorflow.allocate(logits.shape);
  tensorflow.launch(
    kernels.cross_entropy_gradient,
    { sample_count, classes },
    { logits, labels, deltas, gradients },
    Math.ceil(sample_count / 64),
  );
  return gradients;
});

tf.registerGradient({
  kernelName: CROSS_ENTROPY,
  inputsToSave: ["logits", "labels"],
  gradFunc: (dy, [logits, labels]) => ({
    logits: () =>
      tf.engine().runKernel(CROSS_ENTROPY_GRADIENT, { logits, labels, deltas: dy as tf.Tensor }),
  }),
});
