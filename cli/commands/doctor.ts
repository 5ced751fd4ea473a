/** `lpntk doctor`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  clusterSamples,
  computeGram,
  computeSelfSimilarity,
  drawDigits,
  type Engine,
  findNearest,
  findRedundant,
  flatten,
  maxPool,
  type NetworkDefinition,
  openEngine,
  relateSamples,
  relu,
} from "../../mod.ts";
// The self-test is the test suite's comparison carried to the user's adapter, so it uses the suite's float64 twins.
import { seedRows, signedSeeds } from "../../tests/oracle/kernels.ts";
import { momentumStep } from "../../tests/oracle/layers.ts";
import {
  computeJacobian,
  computeLogits,
  type Layer,
  lossAndGradient,
} from "../../tests/oracle/network.ts";
import {
  farthestPointClusters,
  nearestSamples,
  redundant,
  relatePairs,
} from "../../tests/oracle/relations.ts";
import { options, report } from "./shared.ts";

/** Limits that decide what fits. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** Samples of the self-test: two panels of rows, the second ragged. */
const SAMPLES = 70;
const CLASSES = 10;
const RATIO = 0.2;
const NEAREST = 3;
/** Powers of two, whose products are exact. */
const THRESHOLDS = { threshold: 0.5, epsilon: 0.125 };

/** Largest error relative to the largest number: sums of some hundred products in float32. */
const TOLERANCE = 1e-5;

/** One step of training over all samples. */
const STEP = {
  epochs: 1,
  batch: "full",
  learningRate: 0.1,
  momentum: 0.9,
  weightDecay: 0.01,
} as const;

/** Adds the command. */
export function addDoctor(program: Command): void {
  program.command("doctor")
    .description("show the adapter, time its Gram kernels and test every kernel against float64")
    .option("--retune", "time the kernels again, instead of what the cache folder remembers")
    .addOption(options.json())
    .action(async ({ retune, json }) => {
      using engine = await openEngine();
      const tuning = await engine.tune({ fresh: retune });
      const checks = await testKernels(engine);
      const limits = Object.fromEntries(LIMITS.map((name) => [name, engine.limits[name]]));
      const { name, vendor, features } = engine.adapter;
      report(json, { adapter: name, vendor, features, limits, tuning, checks }, [
        `adapter: ${name}`,
        `features: ${features.join(" ")}`,
        ...LIMITS.map((limit) => `${limit}: ${limits[limit].toLocaleString("en")}`),
        `gram tiles, N ${tuning.size[0]}, K ${tuning.size[1]}:`,
        ...Object.entries(tuning.rates).map(([variant, rate], i) =>
          `  ${variant.padEnd(21)} ${rate.toFixed(1).padStart(8)} GFLOP/s${
            i === 0 ? ", chosen" : ""
          }`
        ),
        ...Object.entries(tuning.bandwidths).map(([operands, bandwidth]) =>
          `reading rows in ${operands}s ${bandwidth.toFixed(1).padStart(6)} GB/s`
        ),
        ...Object.entries(tuning.staged).map(([operands, ms]) =>
          `a convolution from ${operands}s   ${ms.toFixed(1).padStart(6)} ms${
            ms === Math.min(...Object.values(tuning.staged)) ? ", chosen" : ""
          }`
        ),
        ...checks.map(({ kernels, error, passed }) =>
          `${passed ? "ok  " : "FAIL"} ${kernels.padEnd(84)} error ${error.toExponential(1)}`
        ),
      ]);
      const failed = checks.filter(({ passed }) => !passed);
      if (failed.length > 0) {
        const names = failed.map(({ kernels }) => kernels).join("; ");
        throw new Error(
          `Cannot trust this adapter: got wrong numbers from ${names}, need errors below ${TOLERANCE}; update the graphics driver`,
        );
      }
    });
}

/** One comparison with float64. */
interface Check {
  /** Kernels that the number passed through, beyond those of the checks before. */
  readonly kernels: string;
  /** Largest difference relative to the largest number, or the share of integers that differ. */
  readonly error: number;
  readonly passed: boolean;
}

/** A small network that uses every kernel but that of sketches, whose numbers are random. */
const probe: NetworkDefinition = {
  name: "probe",
  forward(layers, images) {
    const first = layers.convolution("conv1", images, { filters: 5, size: 3, stride: 2, pad: 1 });
    const pooled = maxPool(relu(first), 2);
    const second = layers.convolution("conv2", pooled, { filters: 6, size: 3, stride: 2 });
    return layers.dense("fc", flatten(relu(second)), layers.classes);
  },
};

/** The same network for the float64 twins. */
const PROBE_LAYERS: readonly Layer[] = [
  { kind: "conv", name: "conv1", stride: 2, pad: 1 },
  { kind: "relu" },
  { kind: "maxPool" },
  { kind: "conv", name: "conv2", stride: 2, pad: 0 },
  { kind: "relu" },
  { kind: "flatten" },
  { kind: "dense", name: "fc" },
];

async function testKernels(engine: Engine): Promise<Check[]> {
  const data = drawDigits("train", { size: SAMPLES });
  using network = engine.network(probe, { seed: 1, classes: CLASSES });
  const weights = await network.weights();
  const images = {
    shape: [SAMPLES, ...data.shape],
    data: Float64Array.from(data.images, (pixel) => (pixel / 255 - data.mean[0]) / data.std[0]),
  };
  const logits = computeLogits(PROBE_LAYERS, weights, images);
  const jacobian = computeJacobian(PROBE_LAYERS, weights, images);
  const phi = seedRows(jacobian, signedSeeds(data.labels, CLASSES));
  const kappa = phi.flatMap((a) => phi.map((b) => a.reduce((sum, v, k) => sum + v * b[k], 0)));
  const diagonal = phi.map((_, i) => kappa[i * (SAMPLES + 1)]);

  using rows = await engine.project(network, data);
  const gram = await computeGram(rows);
  using factored = await engine.project(network, data, { convolutions: "factored" });
  const clusters = await clusterSamples(rows, { ratio: RATIO });
  const expected = farthestPointClusters(gram, SAMPLES, Math.floor(RATIO * SAMPLES));
  const { counts } = await relateSamples(rows, THRESHOLDS);
  const { counts: expectedCounts } = relatePairs(gram, SAMPLES, {
    threshold: THRESHOLDS.threshold,
    tolerance: THRESHOLDS.epsilon,
  });
  const checks = [
    compare(
      "pack_filter, convolution, relu, max_pool",
      await engine.logits(network, data),
      logits.data,
    ),
    compare(
      `relu_gradient, max_pool_gradient, filter_gradient, project_factored, ${rows.variant.kernel.name}`,
      gram,
      kappa,
    ),
    compare("project_patches, sum_positions", await computeGram(factored), kappa),
    compare("self_similarity", await computeSelfSimilarity(rows), diagonal),
    compare("tile_diagonal", await computeSelfSimilarity(factored), diagonal),
    count("tile_maximum", [[await findRedundant(rows), redundant(gram, SAMPLES)]]),
    count("tile_relations", [[Object.values(counts), Object.values(expectedCounts)]]),
    count("tile_nearest", [[
      (await findNearest(rows, NEAREST)).samples,
      nearestSamples(gram, SAMPLES, NEAREST).flat(),
    ]]),
    count("fpc_gather, fpc_assign, fpc_select", [
      [clusters.centroids, expected.centroids],
      [clusters.assignment, expected.assignment],
    ]),
  ];

  // last, since it changes the network
  const { weights: trained } = await engine.train(network, data, STEP);
  const { gradients } = lossAndGradient(PROBE_LAYERS, weights, images, data.labels);
  const names = [...weights.keys()];
  const stepped = names.flatMap((name) => {
    const { data } = weights.get(name)!;
    const still = new Float64Array(data.length);
    return [...momentumStep(data, still, gradients.get(name)!.data, STEP).weights];
  });
  checks.push(compare(
    "cross_entropy, cross_entropy_gradient, sum_groups, momentum_step",
    names.flatMap((name) => [...trained.get(name)!.data]),
    stepped,
  ));
  return checks;
}

function compare(kernels: string, got: ArrayLike<number>, need: ArrayLike<number>): Check {
  const needed = Array.from(need);
  const largest = needed.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const error = needed.reduce((max, v, i) => {
    const difference = Math.abs(got[i] - v);
    return difference <= max ? max : difference;
  }, 0) / largest;
  return { kernels, error, passed: error <= TOLERANCE };
}

function count(kernels: string, pairs: [ArrayLike<number>, ArrayLike<number>][]): Check {
  const differences = pairs.flatMap(([got, need]) =>
    Array.from(need, (value, i) => Number(got[i] !== value))
  );
  const error = differences.reduce((sum, d) => sum + d, 0) / differences.length;
  return { kernels, error, passed: error === 0 };
}
