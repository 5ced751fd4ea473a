/**
 * Predictions without training: kernel regression under networks that are new, from which the sample is left out.
 *
 * @module
 */
import { mirror } from "../../data/augmentation.ts";
import { type Dataset, normalise, takeSamples } from "../../data/dataset.ts";
import { isTable } from "../../data/pixels.ts";
import type { Engine } from "../../engine.ts";
import type { CallOptions } from "../../gpu/pace.ts";
import { computeGram } from "../../kernel/gram.ts";
import type { NetworkDefinition } from "../../network/definition.ts";
import { resnet8Narrow } from "../../network/models.ts";
import type { Network } from "../../network/network.ts";
import { chooseNetwork } from "./choose_network.ts";
import { divideSamples } from "./folds.ts";
import { predictLeftOut } from "./kernel_regression.ts";
import { createPatchNetwork } from "./patches.ts";

/** Number of samples of one regression, whose cost grows as their cube: more than half as many again are divided into blocks of about so many. */
const BLOCK = 1000;

/** Number of new networks of the kind that `chooseNetwork` chooses, whose cosines are averaged. */
const NETWORKS = 4;

/** Part of the kernel's mean diagonal that is added to its diagonal, for patches and for new networks. */
const RIDGES = { patches: 0.3, networks: 0.1 };

/** Scores of each class by regression under one kernel. */
export interface Regression {
  /** Name of the kernel: `patches`, or that of a network's definition. */
  readonly kernel: string;
  /** Scores `[N, classes]` f64, row-major; those of a sample sum to 1, and may be below 0. */
  readonly scores: Float64Array<ArrayBuffer>;
}

/**
 * Predicts each sample's class from all others of its block, itself left out, by kernel ridge regression with some kernels: `exp(-d^2 / median
 * d^2)`, d the distance of two pictures' pooled responses to patches, or of two rows of a table; the mean cosine of the pseudo NTK of four new
 * networks of the kind that `chooseNetwork` chooses; and, of pictures with several channels, that of a new residual network.
 *
 * Pictures with several channels are taken together with their mirror images. What is mirrored in grey may be another class: digits are.
 */
export async function regressClasses(
  engine: Engine,
  data: Dataset,
  { seed, signal, onProgress }: CallOptions & { readonly seed: number },
): Promise<Regression[]> {
  const { classes, shape, labels } = data;
  using stack = new DisposableStack();
  const createPatches = () => {
    const { definition, weights } = createPatchNetwork(data, seed);
    return stack.use(engine.network(definition, weights, shape));
  };
  const create = (definition: NetworkDefinition, count: number) =>
    Array.from({ length: count }, (_, n) => {
      const source = { seed: (seed + n) % 2 ** 32, classes };
      return stack.use(engine.network(definition, source, shape));
    });
  const patchNetwork = isTable(shape) ? undefined : createPatches();
  const { definition } = chooseNetwork(data);
  const groups = [create(definition, NETWORKS)];
  if (isMirrored(data)) groups.push(create(resnet8Narrow, 1));
  const kernels = [
    {
      kernel: "patches",
      ridge: RIDGES.patches,
      compute: (samples: Dataset) => measureCloseness(engine, patchNetwork, samples, { signal }),
    },
    ...groups.map((networks) => ({
      kernel: networks[0].definition.name,
      ridge: RIDGES.networks,
      compute: (samples: Dataset) => averageCosines(engine, networks, samples, { signal }),
    })),
  ];
  const regressions = kernels.map(({ kernel }) => ({
    kernel,
    scores: new Float64Array(labels.length * classes),
  }));
  const blocks = divideSamples(data, Math.max(1, Math.round(labels.length / BLOCK)), seed);
  for (const [done, block] of blocks.entries()) {
    const samples = takeSamples(data, block);
    for (const [k, { compute, ridge }] of kernels.entries()) {
      const scores = predictLeftOut(await compute(samples), samples.labels, classes, ridge);
      block.forEach((sample, n) =>
        regressions[k].scores.set(
          scores.subarray(n * classes, (n + 1) * classes),
          sample * classes,
        )
      );
      onProgress?.(done * kernels.length + k + 1, blocks.length * kernels.length);
    }
  }
  return regressions;
}

/** Whether pictures are taken together with their mirror images. */
function isMirrored({ shape }: Dataset): boolean {
  return shape[2] > 1 && !isTable(shape);
}

/**
 * Computes `exp(-d^2 / median d^2)` of samples' features, `[N, N]`; 1 everywhere if all samples are alike.
 *
 * @param network network whose features are taken; without it, a table's own columns
 */
async function measureCloseness(
  engine: Engine,
  network: Network | undefined,
  data: Dataset,
  options: CallOptions,
): Promise<Float64Array> {
  const features = network
    ? await engine.features(network, data, options)
    : normalise(data, [...data.labels.keys()]);
  if (network && isMirrored(data)) {
    const others = await engine.features(network, mirror(data), options);
    others.forEach((value, at) => features[at] += value);
  }
  const count = data.labels.length;
  using rows = await engine.pack(features, count);
  const products = await computeGram(rows, rows, options);
  const squares = Float64Array.from(products, (product, at) => {
    const [i, j] = [Math.floor(at / count), at % count];
    return Math.max(0, products[i * count + i] + products[j * count + j] - 2 * product);
  });
  const median = squares.toSorted()[squares.length >> 1] || 1;
  return squares.map((square) => Math.exp(-square / median));
}

/** Averages the cosines of samples under some networks' pseudo NTK, `[N, N]`; a mirrored picture counts as much as the picture. */
async function averageCosines(
  engine: Engine,
  networks: readonly Network[],
  data: Dataset,
  options: CallOptions,
): Promise<Float64Array> {
  const request = { kind: "pntk", normalise: true, ...options } as const;
  const count = data.labels.length;
  const sum = new Float64Array(count * count);
  const add = (cosines: Float32Array, isTransposed: boolean) =>
    cosines.forEach((cosine, at) =>
      sum[isTransposed ? (at % count) * count + Math.floor(at / count) : at] += cosine
    );
  for (const network of networks) {
    using rows = await engine.project(network, data, request);
    add(await computeGram(rows, rows, options), false);
    if (!isMirrored(data)) continue;
    using mirrored = await engine.project(network, mirror(data), request);
    add(await computeGram(mirrored, mirrored, options), false);
    const across = await computeGram(rows, mirrored, options);
    add(across, false);
    add(across, true);
  }
  return sum;
}
