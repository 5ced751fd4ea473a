/** Gram tiles: the products of all packed rows. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { type RowLayout, sliceRow } from "../../engine/rows/layout.ts";
import { countFlops, pairBlocks, PANEL_ROWS } from "../../engine/rows/blocks.ts";
import { packPanels } from "../../engine/kernel/vectors.ts";
import { layOutPlain } from "../../engine/rows/layout.ts";
import type { Timing } from "../../engine/gpu/timing.ts";
import { chooseVariant } from "../../engine/tuning/gram_variants.ts";
import { canRun, type GramVariant, VARIANTS } from "../../engine/rows/variants.ts";
import {
  type Bench,
  drawIntegers,
  type Floats,
  group,
  layOutLenet5,
  readFloats,
  Scratch,
} from "../case.ts";
import {
  computeTensor,
  type Contender,
  type Contenders,
  recordLaunches,
  useStockFlags,
} from "../contender.ts";
import { measure, timeInTurns, validate } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import { enterJaxProduct, openJax } from "../peers/jax.ts";
import { PEER_THREADS, PeerProcess } from "../peers/process.ts";
import type { Result, Work } from "../report.ts";

/** Sizes N and K. */
const SIZES = [[1024, 1024], [1024, 4096], [2048, 2048], [4096, 4096]];
const QUICK_SIZES = [[512, 1024]];
/** Sizes N over LeNet-5's rows. */
const LENET5 = [1024, 2048];
/** Size N and K of the variants. */
const VARIANT_SIZE = [1024, 2048];
/** Size N, and LeNet-5's largest factored segment. */
const FACTORED = { n: 2048, inputs: 401, outputs: 120 };

/** A peer in the same process. */
type Peer = "tfjs" | "jax-js" | "naive";

/**
 * Times `gram_tile` in all its variants.
 *
 * `gram`: A·Aᵀ over the pairs of panels on and above the diagonal, which is all that the engine computes; `gram-full`: over all pairs;
 * `gram-lenet5`: LeNet-5's rows; `gram-variant`: each variant that the adapter runs; `gram-factored`: the same on a factored segment.
 */
export async function* benchGram(bench: Bench): AsyncGenerator<Result> {
  const rates = new Map<Peer, number>();
  for (const [n, k] of bench.quick ? QUICK_SIZES : SIZES) yield* benchPlain(bench, n, k, rates);
  if (bench.quick) return;
  for (const n of LENET5) yield* benchLenet5(bench, n);
  yield* benchVariants(bench);
}

/**
 * Times one size of plain rows.
 *
 * @param rates FLOPs a millisecond of the peers at the sizes before: peers that would take too long are left out
 */
async function* benchPlain(
  bench: Bench,
  n: number,
  k: number,
  rates: Map<Peer, number>,
): AsyncGenerator<Result> {
  using scratch = new Scratch(bench.gpu);
  const computed = `A·Aᵀ, N ${group(n)}, K ${group(k)}`;
  const values = drawIntegers(n, n * k);
  const layout = layOutPlain(k);
  const variant = await chooseVariant(bench.gpu, layout);
  const { enterTile } = uploadOperands(bench, scratch, values, layout, variant);
  const work = countWork(n, k);
  const matrix = tf.tensor2d(values, [n, k]);
  const peers = await enterPeers(bench, scratch, values, layout, [[matrix]]);
  for (const [name, rate] of rates) {
    if (work.full.count / rate <= bench.effort.patienceMs) continue;
    delete peers[name];
    bench.note(`${computed}: ${name} is left out, since it would take minutes.`);
  }
  await using blas = await enterBlas(bench, values, n, k);
  const { all, triangle, ssyrk, sgemm, ...others } = await measure(bench, computed, {
    all: enterTile(false),
    triangle: enterTile(true),
    ...peers,
    ...blas.contenders,
  } as Contenders<"all" | "triangle" | Peer | "ssyrk" | "sgemm">);
  matrix.dispose();
  for (const [name, { median }] of Object.entries(others) as [Peer, Timing][]) {
    rates.set(name, work.full.count / median);
  }
  const result = { sizes: { n, k }, variant: variant.name };
  yield {
    ...result,
    case: "gram",
    computed: `${computed}, upper triangle`,
    work: work.triangle,
    ours: triangle,
    peers: { ...others, ...ssyrk && { ssyrk } },
  };
  yield {
    ...result,
    case: "gram-full",
    computed: `${computed}, both triangles`,
    work: work.full,
    ours: all,
    peers: { ...others, ...sgemm && { sgemm } },
  };
}

async function* benchLenet5(bench: Bench, n: number): AsyncGenerator<Result> {
  using scratch = new Scratch(bench.gpu);
  const layout = layOutLenet5(bench.engine);
  const k = layout.length;
  const computed = `LeNet-5's rows, N ${group(n)}, ${group(k)} numbers each, upper triangle`;
  const values = drawIntegers(n, n * k);
  const variant = await chooseVariant(bench.gpu, layout);
  const { enterTile, enterNaive } = uploadOperands(bench, scratch, values, layout, variant);
  const matrices = cutMatrices(values, layout);
  const { ours, ...peers } = await measure(bench, computed, {
    ours: enterTile(true),
    tfjs: enterTensorflow(bench, matrices),
    naive: enterNaive(),
  });
  tf.dispose(matrices);
  const work = countWork(n, k).triangle;
  yield {
    case: "gram-lenet5",
    computed,
    sizes: { n, k },
    variant: variant.name,
    work,
    ours,
    peers,
  };
}

async function* benchVariants(bench: Bench): AsyncGenerator<Result> {
  const [n, k] = VARIANT_SIZE;
  const work = countWork(n, k).triangle;
  for (const [name, { plain }] of await timeVariants(bench, n, { plain: layOutPlain(k) })) {
    const computed = `A·Aᵀ, N ${group(n)}, K ${group(k)}, upper triangle`;
    const sizes = { n, k };
    yield { case: "gram-variant", computed, sizes, variant: name, work, ours: plain, peers: {} };
  }
  const { n: count, inputs, outputs } = FACTORED;
  const length = inputs + outputs;
  const segments = [{
    layer: "fc1",
    kind: "factored",
    offset: 0,
    positions: 1,
    inputs,
    outputs,
  }] as const;
  const layouts = { factored: { segments, length }, plain: layOutPlain(length) };
  for (const [name, { factored, plain }] of await timeVariants(bench, count, layouts)) {
    yield {
      case: "gram-factored",
      computed: `N ${group(count)}, a factored segment of ${inputs} and ${outputs} numbers, ` +
        `upper triangle; plain: a plain segment of ${length}`,
      sizes: { n: count, k: length },
      variant: name,
      work: countWork(count, length).triangle,
      ours: factored,
      peers: { plain },
    };
  }
}

/** Times the upper triangle over rows of all layouts, in turns, in every variant that the adapter runs, by its name. */
async function timeVariants<Kind extends string>(
  bench: Bench,
  n: number,
  layouts: Readonly<Record<Kind, RowLayout>>,
): Promise<[string, Record<Kind, Timing>][]> {
  using scratch = new Scratch(bench.gpu);
  const kinds = Object.keys(layouts) as Kind[];
  const variants = VARIANTS.filter((variant) =>
    kinds.every((kind) => canRun(bench.gpu, variant, layouts[kind]))
  );
  const contenders: Record<string, Contender> = {};
  for (const kind of kinds) {
    const layout = layouts[kind];
    const values = drawIntegers(n, n * layout.length);
    const own = Object.fromEntries(variants.map((variant) => {
      const { enterTile } = uploadOperands(bench, scratch, values, layout, variant);
      return [`${variant.name}, ${kind}`, enterTile(true)];
    }));
    await validate("variants", own);
    Object.assign(contenders, own);
  }
  const timings = await timeInTurns(bench, contenders);
  return variants.map(({ name }) => {
    const entries = kinds.map((kind) => [kind, timings[`${name}, ${kind}`]]);
    return [name, Object.fromEntries(entries) as Record<Kind, Timing>];
  });
}

/** Counts the work as the product of two matrices; half of it is executed where symmetry gives the rest. */
function countWork(n: number, k: number): Record<"full" | "triangle", Work> {
  const full = { speed: "gflops", count: 2 * n * n * k, formula: "2N²K FLOP" } as const;
  return { full, triangle: { ...full, executed: countFlops(k, n) } };
}

/** Uploads rows once for all contenders that multiply them. */
function uploadOperands(
  { gpu }: Bench,
  scratch: Scratch,
  values: Floats,
  layout: RowLayout,
  variant: GramVariant,
) {
  const { length } = layout;
  const n = values.length / length;
  const table = sliceRow(layout, Infinity)[0].table;
  const segments = scratch.upload("segments", table);
  const shape = { row_length: length, segment_count: table.length / 4 };
  const panels = scratch.uploadPanels(packPanels(values, length), variant.operands, length);
  const enterTile = (symmetric: boolean): Contender => {
    const height = n / PANEL_ROWS;
    const side = Math.ceil(height / variant.side);
    const listed = pairBlocks(side, side, symmetric);
    const numbers = Uint32Array.from(listed.flatMap(({ row, column }) => [row, column]));
    const pairs = scratch.upload("pairs", numbers);
    const tile = scratch.create("tile", n * n);
    const params = {
      pair_count: listed.length,
      row_panels: height,
      column_panels: height,
      tile_row: 0,
      tile_column: 0,
      tile_panels: height,
      continues: 0,
    };
    const buffers = { rows: panels, columns: panels, segments, pairs, tile };
    return recordLaunches(
      gpu,
      (commands) => commands.run(variant.kernel, { ...shape, ...params }, buffers, listed.length),
      async () => {
        const product = await readFloats(gpu, tile);
        return symmetric ? mirrorUpper(product, n) : product;
      },
    );
  };
  const enterNaive = (): Contender => {
    const rows = scratch.upload("rows", values);
    const gram = scratch.create("naive gram", n * n);
    const buffers = { rows, segments, gram };
    return recordLaunches(
      gpu,
      (commands) =>
        commands.run(naive.gram, { row_count: n, ...shape }, buffers, Math.ceil(n * n / 64)),
      () => readFloats(gpu, gram),
    );
  };
  return { enterTile, enterNaive };
}

/** Completes the symmetric matrix `[n, n]` whose upper triangle `product` holds. */
function mirrorUpper(product: ArrayLike<number>, n: number): Floats {
  return Float32Array.from(product, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return product[row <= column ? i : column * n + row];
  });
}

/** Enters the peers in the same process that are available; a note says which is missing. */
async function enterPeers(
  bench: Bench,
  scratch: Scratch,
  values: Floats,
  layout: RowLayout,
  matrices: readonly tf.Tensor2D[][],
): Promise<Partial<Record<Peer, Contender>>> {
  const { enterNaive } = uploadOperands(bench, scratch, values, layout, VARIANTS[0]);
  const peers = { tfjs: enterTensorflow(bench, matrices), naive: enterNaive() };
  if (!await openJax()) {
    bench.note("jax-js is left out: it finds no WebGPU device.");
    return peers;
  }
  bench.note("jax-js computes on a device of its own on the same adapter.");
  const { length } = layout;
  return { ...peers, "jax-js": enterJaxProduct(values, values.length / length, length) };
}

/** Enters OpenBLAS's two products of the same matrix, if it is on the machine. */
async function enterBlas(bench: Bench, values: Floats, n: number, k: number) {
  const stack = new AsyncDisposableStack();
  const contenders: Partial<Record<"ssyrk" | "sgemm", Contender>> = {};
  const file = await Deno.makeTempFile({ prefix: "lpntk-bench-" });
  stack.defer(() => Deno.remove(file));
  await Deno.writeFile(file, new Uint8Array(values.buffer));
  for (const routine of ["ssyrk", "sgemm"] as const) {
    const peer = await PeerProcess.start("blas.py", [routine, String(n), String(k), file]);
    if (typeof peer === "string") {
      bench.note(`OpenBLAS is left out: ${peer}.`);
      break;
    }
    stack.use(peer);
    bench.note(`OpenBLAS computes with its Haswell kernels on ${PEER_THREADS} threads.`);
    contenders[routine] = {
      run: (repetitions) => peer.run(repetitions),
      read: async () => {
        const product = await peer.read();
        return routine === "ssyrk" ? mirrorUpper(product, n) : product;
      },
    };
  }
  return { contenders, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Enters TensorFlow.js: one `matMul` for a plain entry of the segment table, two and their product for a factored one. */
function enterTensorflow({ tensorflow }: Bench, matrices: readonly tf.Tensor2D[][]): Contender {
  const square = (a: tf.Tensor2D) => tf.matMul(a, a, false, true);
  const compute = () =>
    matrices.map(([a, d]) => d ? tf.mul(square(a), square(d)) : square(a))
      .reduce((sum, part) => tf.add(sum, part));
  return useStockFlags(computeTensor(tensorflow, compute));
}

/** Cuts rows into matrices, entry by entry of the segment table: one for a plain entry, two for a factored one. */
function cutMatrices(values: Floats, layout: RowLayout): tf.Tensor2D[][] {
  const rows = tf.tensor2d(values, [values.length / layout.length, layout.length]);
  const cut = (offset: number, length: number) => tf.slice(rows, [0, offset], [-1, length]);
  const table = sliceRow(layout, Infinity)[0].table;
  const matrices: tf.Tensor2D[][] = [];
  for (let at = 0; at < table.length; at += 4) {
    const [offset, length, deltaOffset, deltaLength] = table.subarray(at, at + 4);
    const a = cut(offset, length);
    matrices.push(deltaLength > 0 ? [a, cut(deltaOffset, deltaLength)] : [a]);
  }
  rows.dispose();
  return matrices;
}
