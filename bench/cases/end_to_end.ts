/** Whole computations, from weights and images to the finished kernel matrix. @module */
import { type Dataset, normalise, takeFirst } from "../../engine/data/dataset.ts";
import { loadDataset } from "../../engine/data/named.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import type { NetworkDefinition } from "../../engine/network/definition.ts";
import { lenet5, resnet18Narrow } from "../../engine/network/models.ts";
import type { Weights } from "../../engine/network/parameters.ts";
import { lpntk, signVector } from "../../engine/reference/kernels.ts";
import { computeJacobian, lenet5 as lenet5Twin } from "../../engine/reference/network.ts";
import { type Bench, type Floats, group } from "../case.ts";
import type { Contender } from "../contender.ts";
import { measure } from "../measure.ts";
import { mobileBlocks } from "../mobile_blocks.ts";
import { enterJaxLpntk, openJax } from "../peers/jax.ts";
import { startPytorch, writeSamples } from "../peers/pytorch.ts";
import type { Result } from "../report.ts";

/** Numbers of samples, and the ways to compute the same matrix with PyTorch that end within minutes. */
const SIZES = [
  { count: 200, ways: ["structured", "vmap", "authors"] },
  { count: 2000, ways: ["structured", "vmap"] },
  { count: 10_000, ways: ["structured"] },
] as const;

/** Sizes without the authors' way, which takes most of a minute at 200 samples. */
const QUICK_SIZES = [{ count: 200, ways: ["structured", "vmap"] }] as const;

/** Most samples of the ways that compute full Jacobians. */
const NAIVE_SAMPLES = 20;

/** Largest difference of two matrices that passes, relative to the largest entry. */
const TOLERANCE = 1e-4;

/** Share of samples that may differ: a relu or maximum that is a tie within rounding falls on either side, and changes its sample's row. */
const TIES = 1 / 2000;

/** Numbers of samples of a residual network, and the ways of PyTorch. */
const RESNET_SIZES = [{ count: 2000, ways: ["vmap"] }] as const;
const QUICK_RESNET_SIZES = [{ count: 64, ways: ["vmap"] }] as const;

/** Numbers of samples of depthwise convolutions. */
const MOBILE_SIZES = [{ count: 512, ways: ["vmap"] }] as const;
const QUICK_MOBILE_SIZES = [{ count: 16, ways: ["vmap"] }] as const;

/** A network and the samples of its kernel. */
interface Job {
  readonly name: string;
  readonly definition: NetworkDefinition;
  readonly weights: Weights;
  readonly data: Dataset;
}

/** Times the exact lpNTK of LeNet-5, of ResNet-18 at an eighth of its width, and of MobileNetV2's first blocks: network, projections, Gram matrix on the host. */
export async function* benchEndToEnd(bench: Bench): AsyncGenerator<Result> {
  const mnist = await loadSamples(bench, "mnist");
  const small = await prepare(
    bench,
    "LeNet-5",
    lenet5,
    mnist ?? await loadDataset("digits", "train"),
  );
  if (!bench.quick) yield await benchNaive(bench, takeSome(small, NAIVE_SAMPLES));
  yield* benchSizes(bench, small, bench.quick ? QUICK_SIZES : SIZES);
  const cifar = await loadSamples(bench, "cifar10");
  if (!cifar) return;
  const residual = await prepare(bench, "ResNet-18 of width 8", resnet18Narrow, cifar);
  yield* benchSizes(bench, residual, bench.quick ? QUICK_RESNET_SIZES : RESNET_SIZES);
  const mobile = await prepare(bench, "MobileNetV2's first five blocks", mobileBlocks, cifar);
  yield* benchSizes(bench, mobile, bench.quick ? QUICK_MOBILE_SIZES : MOBILE_SIZES);
}

/** Loads a data set; undefined if it is not on this machine, which a note says. */
async function loadSamples(bench: Bench, name: string): Promise<Dataset | undefined> {
  const data = await loadDataset(name, "train").catch(() => undefined);
  if (!data) {
    bench.note(
      `${name} is not in $LPNTK_DATA: what computes on it is left out, or on the embedded digits.`,
    );
  }
  return data;
}

async function prepare(
  { engine }: Bench,
  name: string,
  definition: NetworkDefinition,
  data: Dataset,
): Promise<Job> {
  const { classes, shape } = data;
  using network = engine.network(definition, { seed: 0, classes }, shape);
  return { name, definition, data, weights: await network.weights() };
}

function takeSome(job: Job, count: number): Job {
  return { ...job, data: takeFirst(job.data, count) };
}

async function* benchSizes(
  bench: Bench,
  job: Job,
  sizes: readonly { readonly count: number; readonly ways: readonly string[] }[],
): AsyncGenerator<Result> {
  for (const { count, ways } of sizes) {
    if (count <= job.data.labels.length) yield await benchSize(bench, takeSome(job, count), ways);
  }
}

/** Times one size beside PyTorch. */
async function benchSize(
  bench: Bench,
  job: Job,
  ways: readonly string[],
): Promise<Result> {
  await using folder = await writeSamples(job.weights, job.data);
  const contenders: Record<string, Contender> = {};
  await using peers = new AsyncDisposableStack();
  for (const way of ways) {
    const peer = await startPytorch(bench, "lpntk_torch.py", [way, folder.path]);
    if (!peer) break;
    peers.use(peer);
    contenders[`pytorch-${way}`] = peer;
  }
  return await compare(bench, job, contenders);
}

/** Times one size beside ways that take a full gradient, or Jacobian, of every sample. */
async function benchNaive(bench: Bench, job: Job): Promise<Result> {
  const { weights, data } = job;
  const contenders: Record<string, Contender> = { naive: enterTwins(weights, data) };
  if (await openJax()) contenders["jax-js-vmap"] = enterJax(weights, data);
  else bench.note("jax-js is left out: it finds no WebGPU device.");
  return await compare(bench, job, contenders);
}

async function compare(
  bench: Bench,
  job: Job,
  contenders: Readonly<Record<string, Contender>>,
): Promise<Result> {
  const { name, data } = job;
  const count = data.labels.length;
  const computed = `lpNTK of ${name}, ${group(count)} images of ${data.name}`;
  const own = enterEngine(bench, job);
  const matrix = await own.read();
  const largest = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const tolerance = TOLERANCE * largest;
  const forgiving = Object.entries(contenders).map(([name, contender]) =>
    [name, {
      run: (repetitions: number) => contender.run(repetitions),
      read: async () => leaveOutTies(await contender.read(), matrix, count, tolerance),
    }] as const
  );
  const { ours, ...peers } = await measure(
    bench,
    computed,
    { ours: own, ...Object.fromEntries(forgiving) },
    () => tolerance,
  );
  const work = { speed: "entries_per_s", count: count ** 2, formula: "N² entries" } as const;
  return { case: "end-to-end", computed, sizes: { n: count }, work, ours, peers };
}

/** Replaces the rows and columns of samples that differ by the expected ones, in a matrix `[N, N]`, if they are as few as `TIES` allows. */
function leaveOutTies(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  count: number,
  tolerance: number,
): ArrayLike<number> {
  const allowed = Math.floor(TIES * count);
  const samples = Array.from({ length: count }, (_, n) => n);
  const isOff = (at: number) => !(Math.abs(actual[at] - expected[at]) <= tolerance);
  const ties = samples.filter((row) => {
    let off = 0;
    // a tie is off in its own row, and in one column of every other row
    for (const column of samples) if (isOff(row * count + column)) off++;
    return off > allowed;
  });
  if (ties.length === 0 || ties.length > allowed) return actual;
  const mended = Float32Array.from(actual);
  for (const tie of ties) {
    for (const other of samples) {
      for (const at of [tie * count + other, other * count + tie]) mended[at] = expected[at];
    }
  }
  return mended;
}

function enterEngine({ engine }: Bench, { definition, weights, data }: Job) {
  const compute = async () => {
    using network = engine.network(definition, weights, data.shape);
    using rows = await engine.project(network, data);
    return await computeGram(rows);
  };
  return {
    run: async (repetitions: number) => {
      for (let i = 0; i < repetitions; i++) await compute();
    },
    read: compute,
  };
}

/** Computes full Jacobians, their eNTK and its signed sum, on the host in float64. */
function enterTwins(weights: Weights, data: Dataset): Contender {
  const parameters = new Map(
    [...weights].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]),
  );
  const images = {
    shape: [data.labels.length, ...data.shape],
    data: Float64Array.from(normaliseAll(data)),
  };
  const compute = () => {
    const jacobian = computeJacobian(lenet5Twin, parameters, images);
    return lpntk(jacobian, data.labels, jacobian, data.labels).data;
  };
  return {
    run: (repetitions) => {
      for (let i = 0; i < repetitions; i++) compute();
    },
    read: () => Promise.resolve(compute()),
  };
}

function enterJax(weights: Weights, data: Dataset): Contender {
  const count = data.labels.length;
  const scale = 1 / Math.sqrt(data.classes);
  const signs = new Float32Array(count * data.classes);
  data.labels.forEach((label, n) => {
    signs.set(signVector(label, data.classes).map((sign) => sign * scale), n * data.classes);
  });
  return enterJaxLpntk(weights, normaliseAll(data), signs, count);
}

function normaliseAll(data: Dataset): Floats {
  return normalise(data, Array.from(data.labels, (_, n) => n));
}
