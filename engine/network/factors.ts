/**
 * The factors of layers' gradients, and how those of shared layers are joined.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { LayerShape } from "./layer.ts";

/** The two factors of a layer's per-sample gradients, from one batched backward pass. */
export interface LayerFactors {
  /** The layer; of a convolution at several places, with its sizes at this place. */
  readonly layer: LayerShape;
  /** Input activations of the layer, `[N, I]`, `[N, positions, I]` or `[N, H, W, I]` f32; none of a `parameter`, whose delta is the gradient. */
  readonly input?: tf.Tensor;
  /** Output gradients: each sample's own gradient of `cotangent . logits` for the layer's output, `[N, O]`, `[N, positions, O]` or `[N, H', W', O]` f32. */
  readonly delta: tf.Tensor;
}

/**
 * Joins the factors of a layer at all places, so that their gradient is the sum of the places': deltas of a `parameter` are added up, vectors of a
 * dense layer are positions beside one another. Those of a convolution, whose images may differ in size, stay apart.
 */
export function joinFactors(layer: LayerShape, places: LayerFactors[]): LayerFactors[] {
  const keep = (factors: LayerFactors): LayerFactors => {
    tf.keep(factors.delta);
    if (factors.input) tf.keep(factors.input);
    return factors;
  };
  if (layer.kind === "convolution") return places.map(keep);
  if (layer.kind === "parameter") {
    return [keep({ layer, delta: tf.addN(places.map(({ delta }) => delta)) })];
  }
  if (places.length === 1) return [keep({ ...places[0], layer })];
  const join = (factors: readonly tf.Tensor[]) => {
    const [samples] = factors[0].shape;
    return tf.concat(factors.map((own) => tf.reshape(own, [samples, -1, own.shape.at(-1)!])), 1);
  };
  const input = join(places.map((own) => own.input!));
  tf.dispose(places.map((own) => own.input!));
  return [keep({ layer, input, delta: join(places.map(({ delta }) => delta)) })];
}
