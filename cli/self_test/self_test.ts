/**
 * The self-test of `lpntk doctor`: the test suite's comparison carried to the user's adapter, so it uses the suite's float64 twins.
 *
 * @module
 */
import {
  clusterSamples,
  computeGram,
  computeSelfSimilarity,
  type Dataset,
  drawDigits,
  type Engine,
  findNearest,
  findRedundant,
  flatten,
  gelu,
  maxPool,
  type Network,
  type NetworkDefinition,
  NonFiniteError,
  type ProjectOptions,
  relateSamples,
  relu,
  type Rows,
  takeSamples,
  tanh,
  type Weights,
} from "../../mod.ts";
import { seedRows, signedSeeds } from "../../engine/reference/kernels.ts";
import { crossEntropy, momentumStep } from "../../engine/reference/layers.ts";
import {
  computeJacobian,
  computeLogits,
  type Layer,
  lossAndGradient,
} from "../../engine/reference/network.ts";
import { compareNumbers } from "../../engine/reference/numbers.ts";
import {
  centroidCount,
  farthestPointClusters,
  nearestSamples,
  redundant,
  relatePairs,
} from "../../engine/reference/relations.ts";
import type { Numbers } from "../../engine/reference/tensor.ts";

/** One comparison with float64. */
export interface Check {
  /** Kernels that the number passed through, beyond those of the checks before. */
  readonly kernels: string;
  /** Largest difference relative to the largest number, or the share of integers that differ; NaN where a number is none. */
  readonly error: number;
  readonly passed: boolean;
}

/** Largest error relative to the largest number: sums of some hundred products in float32. */
export const TOLERANCE = 1e-5;

/** Samples of the self-test: two panels of rows, the second ragged. */
const SAMPLES = 70;
/** Of these the last are samples once more, every other one but for one pixel: a small error of a similarity says otherwise who is redundant. */
const TWINS = 25;
const CLASSES = 10;
const RATIO = 0.2;
const NEAREST = 3;
/** Powers of two, whose products are exact. */
const THRESHOLDS = { threshold: 0.5, epsilon: 0.125 };

/** Two steps of training over all samples, the second with a velocity; so long that weights' last digits do not count. */
const STEPS = {
  epochs: 2,
  batch: "full",
  learningRate: 0.5,
  momentum: 0.9,
  weightDecay: 0.01,
} as const;

/** A network and how the float64 twins see it. */
interface Probe {
  readonly definition: NetworkDefinition;
  readonly twin: readonly Layer[];
}

/** What most networks are made of. */
const CONVOLUTIONS: Probe = {
  definition: {
    name: "probe",
    forward(layers, images) {
      const first = layers.convolution("conv1", images, { filters: 5, size: 3, stride: 2, pad: 1 });
      const pooled = maxPool(relu(first), 2);
      const second = layers.convolution("conv2", pooled, { filters: 6, size: 3, stride: 2 });
      return layers.dense("fc", flatten(relu(second)), layers.classes);
    },
  },
  twin: [
    { kind: "conv", name: "conv1", stride: 2, pad: 1 },
    { kind: "relu" },
    { kind: "maxPool" },
    { kind: "conv", name: "conv2", stride: 2, pad: 0 },
    { kind: "relu" },
    { kind: "flatten" },
    { kind: "dense", name: "fc" },
  ],
};

/** The layer that is sketched, and as many numbers as its sketch takes to lose nothing: of 5 x 3 x 3 inputs and a bias, and 6 outputs. */
const SKETCHED = "conv2";
const SKETCH = { dimension: 64 * 8, seed: 1 };

/** The smooth activations over few pixels, without biases, which would hide what they make of small numbers. */
const SMOOTH: Probe = {
  definition: {
    name: "smooth",
    forward(layers, images) {
      const bias = { bias: false };
      const pixels = flatten(maxPool(maxPool(images, 2), 2));
      const first = tanh(layers.dense("fc1", pixels, 8, bias));
      return layers.dense("fc3", gelu(layers.dense("fc2", first, 8, bias)), layers.classes, bias);
    },
  },
  twin: [
    { kind: "maxPool" },
    { kind: "maxPool" },
    { kind: "flatten" },
    { kind: "dense", name: "fc1" },
    { kind: "tanh" },
    { kind: "dense", name: "fc2" },
    { kind: "gelu" },
    { kind: "dense", name: "fc3" },
  ],
};

/**
 * Holds every kernel that answers depend on against float64; of the Gram kernel's variants, the one that the engine uses.
 *
 * A number that is none fails its check, and with it those of what is made from it.
 *
 * @throws {DeviceError} if the device fails, `KernelError` if it refuses a shader.
 */
export async function testKernels(engine: Engine): Promise<Check[]> {
  using stack = new DisposableStack();
  const data = drawSamples();
  const open = ({ definition }: Probe) =>
    stack.use(engine.network(definition, { seed: 1, classes: CLASSES }, data.shape));
  const [network, smooth] = [open(CONVOLUTIONS), open(SMOOTH)];
  const weights = await network.weights();
  const exact = evaluate(CONVOLUTIONS, weights, data);
  return [
    await check(
      "pack_filter, convolution, relu, max_pool",
      async () => compare(await engine.logits(network, data), exact.logits),
    ),
    await testActivations(engine, smooth, data),
    ...await testRows(engine, network, data, exact),
    // last, since it changes the network
    await testTraining(engine, network, data, weights),
  ];
}

/** Tanh and gelu, forward and back, at ordinary inputs and at some of 1e-6. */
async function testActivations(engine: Engine, network: Network, data: Dataset): Promise<Check> {
  const weights = await network.weights();
  return await check("tanh, gelu", async () => {
    const errors: number[] = [];
    for (const std of [data.std, [1e6]]) {
      const inputs = { ...data, std };
      const { logits, phi } = evaluate(SMOOTH, weights, inputs);
      errors.push(compare(await engine.logits(network, inputs), logits));
      using rows = await engine.project(network, inputs);
      errors.push(compare(await computeGram(rows), multiply(phi)));
    }
    return Math.max(...errors);
  });
}

/** Rows, their kernel, and what is made of it. */
async function testRows(
  engine: Engine,
  network: Network,
  data: Dataset,
  { phi, offsets }: Evaluation,
): Promise<Check[]> {
  using stack = new DisposableStack();
  const project = async (options?: ProjectOptions) =>
    stack.use(await engine.project(network, data, options));
  const kappa = multiply(phi);
  const diagonal = phi.map((_, i) => kappa[i * (SAMPLES + 1)]);
  let rows: Rows | undefined;
  let factored: Rows | undefined;
  let gram = new Float32Array();
  const checks = [
    await check(
      () =>
        `relu_gradient, max_pool_gradient, filter_gradient, project_factored, ${
          rows?.variant.kernel.name ?? "gram_tile"
        }`,
      async () => {
        rows = await project();
        gram = await computeGram(rows);
        return compare(gram, kappa);
      },
    ),
    await check("project_patches, sum_positions", async () => {
      factored = await project({ convolutions: "factored" });
      return compare(await computeGram(factored), kappa);
    }),
    await check("sum_products", async () => {
      const sketched = await project({
        layers: [SKETCHED],
        convolutions: "factored",
        sketch: SKETCH,
      });
      const [from, to] = offsets.get(SKETCHED)!;
      return compare(
        await computeGram(sketched),
        multiply(phi.map((row) => row.subarray(from, to))),
      );
    }),
  ];
  // integers are those of the device's own kernel; without it there is nothing to compare
  const given = gram.length > 0 && gram.every(Number.isFinite) ? rows : undefined;
  const checkOf = (
    of: Rows | undefined,
    kernels: string,
    measure: (rows: Rows) => Promise<number>,
    most = 0,
  ) => check(kernels, async () => of ? await measure(of) : NaN, most);
  return [
    ...checks,
    await checkOf(
      rows,
      "self_similarity",
      async (rows) => compare(await computeSelfSimilarity(rows), diagonal),
      TOLERANCE,
    ),
    await checkOf(
      factored,
      "tile_diagonal",
      async (rows) => compare(await computeSelfSimilarity(rows), diagonal),
      TOLERANCE,
    ),
    await checkOf(given, "tile_maximum", async (rows) =>
      share([
        [await findRedundant(rows), redundant(gram, SAMPLES)],
        [await findRedundant(rows, { rule: "later" }), redundant(gram, SAMPLES, "later")],
      ])),
    await checkOf(given, "tile_relations", async (rows) => {
      const { counts } = await relateSamples(rows, THRESHOLDS);
      const { threshold, epsilon: tolerance } = THRESHOLDS;
      const expected = relatePairs(gram, SAMPLES, { threshold, tolerance });
      return share([[Object.values(counts), Object.values(expected.counts)]]);
    }),
    await checkOf(given, "tile_nearest", async (rows) => {
      const { samples, similarities } = await findNearest(rows, NEAREST);
      const expected = nearestSamples(gram, SAMPLES, NEAREST);
      return share([
        [samples, expected.flat()],
        [similarities, expected.flatMap((own, i) => own.map((j) => gram[i * SAMPLES + j]))],
      ]);
    }),
    await checkOf(given, "fpc_gather, fpc_assign, fpc_select", async (rows) => {
      const clusters = await clusterSamples(rows, { ratio: RATIO });
      const expected = farthestPointClusters(gram, SAMPLES, centroidCount(RATIO, SAMPLES));
      return share([
        [clusters.centroids, expected.centroids],
        [clusters.assignment, expected.assignment],
      ]);
    }),
  ];
}

/** Two steps of training: each sample's loss, and what they change of the weights. */
async function testTraining(
  engine: Engine,
  network: Network,
  data: Dataset,
  initial: Weights,
): Promise<Check> {
  const names = [...initial.keys()];
  const images = toNumbers(data);
  let weights: ReadonlyMap<string, Numbers> = initial;
  let velocities: readonly Float64Array[] = names.map((name) =>
    new Float64Array(initial.get(name)!.data.length)
  );
  const difficulty = new Float64Array(SAMPLES);
  for (let step = 0; step < STEPS.epochs; step++) {
    const { gradients } = lossAndGradient(CONVOLUTIONS.twin, weights, images, data.labels);
    const logits = computeLogits(CONVOLUTIONS.twin, weights, images);
    crossEntropy(logits, data.labels).data.forEach((loss, n) => difficulty[n] += loss);
    const stepped = names.map((name, i) =>
      momentumStep(weights.get(name)!.data, velocities[i], gradients.get(name)!.data, STEPS)
    );
    velocities = stepped.map(({ velocities }) => velocities);
    weights = new Map(
      names.map((name, i) => [name, { ...initial.get(name)!, data: stepped[i].weights }]),
    );
  }
  const change = (after: ReadonlyMap<string, Numbers>) =>
    names.flatMap((name) =>
      Array.from(after.get(name)!.data, (value, i) => value - initial.get(name)!.data[i])
    );
  return await check(
    "cross_entropy, cross_entropy_gradient, sum_groups, momentum_step",
    async () => {
      const trained = await engine.train(network, data, STEPS);
      return Math.max(
        compare(trained.difficulty, difficulty),
        compare(change(trained.weights), change(weights)),
      );
    },
  );
}

/** Digits, the last of them others once more. */
function drawSamples(): Dataset {
  const data = drawDigits("train", { size: SAMPLES - TWINS });
  const order = Array.from({ length: SAMPLES }, (_, n) => n % (SAMPLES - TWINS));
  const drawn = takeSamples(data, order);
  const images = Uint8Array.from(drawn.images);
  const size = images.length / SAMPLES;
  for (let n = SAMPLES - TWINS; n < SAMPLES; n += 2) images[Math.floor((n + 0.5) * size)] ^= 1;
  return { ...drawn, images };
}

function toNumbers(data: Dataset): Numbers {
  const { images, mean: [mean], std: [std] } = data;
  return {
    shape: [data.labels.length, ...data.shape],
    data: Float64Array.from(images, (pixel) => (pixel / 255 - mean) / std),
  };
}

/** What float64 says of a network. */
interface Evaluation {
  /** `[N, C]`. */
  readonly logits: Float64Array;
  /** Signed projections, `[N][P]`. */
  readonly phi: Float64Array[];
  /** Where a layer's parameters begin and end in them. */
  readonly offsets: ReadonlyMap<string, readonly [from: number, to: number]>;
}

function evaluate({ twin }: Probe, weights: Weights, data: Dataset): Evaluation {
  const images = toNumbers(data);
  const offsets = new Map<string, [number, number]>();
  let at = 0;
  for (const [name, { data: { length } }] of weights) {
    const layer = name.replace(/\.\w+$/, "");
    offsets.set(layer, [offsets.get(layer)?.[0] ?? at, at += length]);
  }
  const jacobian = computeJacobian(twin, weights, images);
  return {
    logits: computeLogits(twin, weights, images).data,
    phi: seedRows(jacobian, signedSeeds(data.labels, CLASSES)),
    offsets,
  };
}

/** The Gram matrix of rows, `[N, N]`. */
function multiply(rows: readonly Float64Array[]): Float64Array {
  return Float64Array.from(
    rows.flatMap((a) => rows.map((b) => a.reduce((sum, v, k) => sum + v * b[k], 0))),
  );
}

/** One check; a number that is none fails it. The kernels' names may depend on what was run. */
async function check(
  kernels: string | (() => string),
  measure: () => Promise<number>,
  most = TOLERANCE,
): Promise<Check> {
  const error = await measure().catch((error) => {
    if (error instanceof NonFiniteError) return NaN;
    throw error;
  });
  return {
    kernels: typeof kernels === "string" ? kernels : kernels(),
    error,
    passed: error <= most,
  };
}

/** The largest error relative to the largest number; NaN where a number is none. */
function compare(got: ArrayLike<number>, needed: ArrayLike<number>): number {
  const largest = Array.from(needed).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const { excess } = compareNumbers(got, needed, () => largest);
  return excess < Infinity ? excess : NaN;
}

/** The share of numbers that differ. */
function share(pairs: readonly (readonly [ArrayLike<number>, ArrayLike<number>])[]): number {
  const all = (side: 0 | 1) => pairs.flatMap((pair) => Array.from(pair[side]));
  const needed = all(1);
  return compareNumbers(all(0), needed, () => 0).failures / needed.length;
}
