/** Gram tiles: the products of all packed rows. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { encodeSegments, type RowLayout } from "../../engine/kernel/layout.ts";
import { pairBlocks, PANEL_ROWS } from "../../engine/kernel/plan.ts";
import { chooseVariant } from "../../engine/kernel/tuning.ts";
import type { GramVariant } from "../../engine/kernel/variants.ts";
import {
  type Bench,
  drawIntegers,
  type Floats,
  group,
  layOutLenet5,
  layOutPlain,
  packPanels,
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
import { measure } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import type { Result } from "../report.ts";

/** N and K. */
const PLAIN = [[1024, 1024], [1024, 3393], [2048, 3393]];
/** N. */
const LENET5 = [1024, 2048];

/** `gram_tile` over all pairs of panels and over those on and above the diagonal, on plain rows and on LeNet-5's. */
export async function* benchGram(bench: Bench): AsyncGenerator<Result> {
  for (const [n, k] of bench.quick ? PLAIN.slice(0, 1) : PLAIN) {
    yield* benchLayout(bench, layOutPlain(k), n, `A·Aᵀ, N ${group(n)}, K ${group(k)}`);
  }
  const lenet5 = layOutLenet5(bench.engine);
  for (const n of bench.quick ? LENET5.slice(0, 1) : LENET5) {
    const rows = `LeNet-5's rows, N ${group(n)}, ${group(lenet5.length)} numbers each`;
    yield* benchLayout(bench, lenet5, n, rows);
  }
}

async function* benchLayout(
  bench: Bench,
  layout: RowLayout,
  n: number,
  computed: string,
): AsyncGenerator<Result> {
  using scratch = new Scratch(bench.gpu);
  const values = drawIntegers(n, n * layout.length);
  const variant = await chooseVariant(bench.gpu, layout.length);
  const matrices = cutMatrices(values, layout);
  const { all, triangle, ...peers } = await measure(bench, computed, {
    ...enterKernels(bench, scratch, values, layout, variant),
    tfjs: enterTensorflow(bench, matrices),
  });
  tf.dispose(matrices);
  const count = 2 * n * n * layout.length;
  const work = { speed: "gflops", count, formula: "2N²K FLOP" } as const;
  const result = { case: "gram", sizes: { n, k: layout.length }, work, peers };
  yield { ...result, computed: `${computed} (${variant.name})`, ours: all };
  yield { ...result, computed: `${computed}, upper triangle (${variant.name})`, ours: triangle };
}

function enterKernels(
  { gpu }: Bench,
  scratch: Scratch,
  values: Floats,
  layout: RowLayout,
  variant: GramVariant,
): Contenders<"all" | "triangle" | "naive"> {
  const { length } = layout;
  const n = values.length / length;
  const table = encodeSegments(layout);
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
    const params = { pair_count: listed.length, row_panels: height, column_panels: height };
    const buffers = { rows: panels, columns: panels, segments, pairs, tile };
    const workgroups = listed.length * variant.workgroups;
    return recordLaunches(
      gpu,
      (commands) => commands.run(variant.kernel, { ...shape, ...params }, buffers, workgroups),
      async () => {
        const product = await readFloats(gpu, tile);
        return symmetric ? product.map((_, i) => product[upperPlace(i, n)]) : product;
      },
    );
  };
  const rows = scratch.upload("rows", values);
  const gram = scratch.create("naive gram", n * n);
  const params = { row_count: n, ...shape };
  return {
    all: enterTile(false),
    triangle: enterTile(true),
    naive: recordLaunches(
      gpu,
      (commands) =>
        commands.run(naive.gram, params, { rows, segments, gram }, Math.ceil(n * n / 64)),
      () => readFloats(gpu, gram),
    ),
  };
}

/** Where number `i` of a symmetric `[n, n]` matrix stands above its diagonal. */
function upperPlace(i: number, n: number): number {
  const [row, column] = [Math.floor(i / n), i % n];
  return row <= column ? i : column * n + row;
}

/** One `matMul` for a plain entry of the segment table, two and their product for a factored one. */
function enterTensorflow({ tensorflow }: Bench, matrices: readonly tf.Tensor2D[][]): Contender {
  const square = (a: tf.Tensor2D) => tf.matMul(a, a, false, true);
  const compute = () =>
    matrices.map(([a, d]) => d ? tf.mul(square(a), square(d)) : square(a))
      .reduce((sum, part) => tf.add(sum, part));
  return useStockFlags(computeTensor(tensorflow, compute));
}

/** Rows cut into matrices, entry by entry of the segment table: one for a plain entry, two for a factored one. */
function cutMatrices(values: Floats, layout: RowLayout): tf.Tensor2D[][] {
  const rows = tf.tensor2d(values, [values.length / layout.length, layout.length]);
  const cut = (offset: number, length: number) => tf.slice(rows, [0, offset], [-1, length]);
  const table = encodeSegments(layout);
  const matrices: tf.Tensor2D[][] = [];
  for (let at = 0; at < table.length; at += 4) {
    const [offset, length, deltaOffset, deltaLength] = table.subarray(at, at + 4);
    const a = cut(offset, length);
    matrices.push(deltaLength > 0 ? [a, cut(deltaOffset, deltaLength)] : [a]);
  }
  rows.dispose();
  return matrices;
}
