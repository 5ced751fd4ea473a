/**
 * Predictions from the pictures themselves, without training: kernel regression over patches.
 *
 * @module
 */
import { type Dataset, takeSamples } from "../data/dataset.ts";
import { mirror } from "../data/augmentation.ts";
import type { Engine } from "../engine.ts";
import type { CallOptions } from "../gpu/pace.ts";
import { computeGram } from "../kernel/gram.ts";
import type { Network } from "../network/network.ts";
import { divideSamples } from "./folds.ts";
import { predictLeftOut } from "./kernel_regression.ts";
import { createPatchNetwork, LAST_LAYER } from "./patches.ts";

/** Most samples of one regression, whose cost grows as their cube; more are divided into blocks. */
const MOST_SAMPLES = 1500;

/** Part of the kernel's mean diagonal that is added to its diagonal. */
const RIDGE = 0.3;

/**
 * Predicts each sample's class from all others of its block, left out itself: kernel ridge regression with `exp(-d^2 / median d^2)`, d the
 * distance of two pictures under the pseudo NTK of a patch network's last layer.
 *
 * @returns scores that sum to 1, `[N, classes]` f64, row-major; those of unlikely classes may be below 0
 */
export async function predictFromPatches(
  engine: Engine,
  data: Dataset,
  { seed, signal, onProgress }: CallOptions & { readonly seed: number },
): Promise<Float64Array<ArrayBuffer>> {
  const { classes, shape } = data;
  const { definition, weights } = createPatchNetwork(data, seed);
  using network = engine.network(definition, weights, shape);
  const predicted = new Float64Array(data.labels.length * classes);
  const blocks = divideSamples(data, Math.ceil(data.labels.length / MOST_SAMPLES), seed);
  for (const [done, block] of blocks.entries()) {
    const samples = takeSamples(data, block);
    const kernel = measureCloseness(
      await multiplyFeatures(engine, network, samples, { signal }),
      block.length,
    );
    const scores = predictLeftOut(kernel, samples.labels, classes, RIDGE);
    block.forEach((sample, n) =>
      predicted.set(scores.subarray(n * classes, (n + 1) * classes), sample * classes)
    );
    onProgress?.(done + 1, blocks.length);
  }
  return predicted;
}

/**
 * Computes products of the samples' pooled responses, `[N, N]` f32: of their sums with those of the mirrored picture, where the pictures have
 * colours. What is mirrored in grey may be another class: digits are.
 */
async function multiplyFeatures(
  engine: Engine,
  network: Network,
  data: Dataset,
  options: CallOptions,
): Promise<Float32Array> {
  const request = { kind: "pntk", layers: [LAST_LAYER], ...options } as const;
  using rows = await engine.project(network, data, request);
  const products = await computeGram(rows, rows, options);
  if (data.shape[2] === 1) return products;
  using mirrored = await engine.project(network, mirror(data), request);
  const ofMirrored = await computeGram(mirrored, mirrored, options);
  const across = await computeGram(rows, mirrored, options);
  const count = data.labels.length;
  return products.map((product, at) => {
    const transposed = (at % count) * count + Math.floor(at / count);
    return product + ofMirrored[at] + across[at] + across[transposed];
  });
}

/** Computes `exp(-d^2 / median d^2)` from products of samples, `[N, N]`; 1 everywhere if all samples are alike. */
function measureCloseness(products: Float32Array, count: number): Float64Array {
  const squares = new Float64Array(products.length);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      const square = products[i * count + i] + products[j * count + j] -
        2 * products[i * count + j];
      squares[i * count + j] = Math.max(0, square);
    }
  }
  const median = squares.toSorted()[squares.length >> 1] || 1;
  return squares.map((square) => Math.exp(-square / median));
}
