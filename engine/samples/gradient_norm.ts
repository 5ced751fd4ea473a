/**
 * Norms of per-sample gradients of the loss.
 *
 * @module
 */
import { type Dataset, takeSamples } from "../data/dataset.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";
import { projectRows } from "../kernel/projection.ts";
import { computeSelfSimilarity } from "../kernel/self_similarity.ts";
import type { DeviceNetwork } from "../network/network.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { computeLogits } from "../network/inference.ts";
import { computePredictionErrors } from "./scores.ts";

/** Number of samples whose rows are held at a time. */
const PART = 4096;

/**
 * Computes GraNd scores: the norm of the gradient of each sample's own cross-entropy for all parameters,
 * `|dz/dw^T (softmax(z) - onehot(y))|` (Paul, Ganguli and Dziugaite, 2021, "Deep learning on a data diet", definition 2.1). The paper computes
 * them early in training and averages them over networks of several seeds.
 *
 * A sample's packed row with its prediction error as the cotangent is that gradient, and its self-similarity the squared norm. Costs a
 * forward pass and a projection; holds the rows of 4,096 samples.
 *
 * @returns `[N]` f32
 * @throws {DataError} if images or labels do not fit the network.
 * @throws {NonFiniteError} if a logit is not finite, or a gradient overflows.
 */
export async function computeGradientNorms(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  options: CallOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  const report = interruptWith("compute gradient norms", options);
  const { signal } = options;
  const logits = await computeLogits(tensorflow, network, data, { signal });
  const count = data.labels.length;
  const { classes } = network;
  const cotangents = computePredictionErrors(logits, data.labels);
  const norms = new Float32Array(count);
  for (let first = 0; first < count; first += PART) {
    const size = Math.min(PART, count - first);
    const part = takeSamples(data, Int32Array.from({ length: size }, (_, i) => first + i));
    using rows = await projectRows(tensorflow, network, part, {
      cotangents: cotangents.subarray(first * classes, (first + size) * classes),
      onProgress: (done) => report?.(first + done, count),
    });
    norms.set((await computeSelfSimilarity(rows, { signal })).map(Math.sqrt), first);
  }
  return norms;
}
