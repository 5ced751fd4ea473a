/**
 * Checks of rows, and of the kernel that they give, against float64.
 *
 * @module
 */
import {
  computeGram,
  computeSelfSimilarity,
  type Dataset,
  type Engine,
  type Network,
  type ProjectOptions,
  type Rows,
} from "../../mod.ts";
import { testAnswers } from "./answers.ts";
import { type Check, check, compare } from "./checks.ts";
import { type Evaluation, multiply, SAMPLES, SKETCH, SKETCHED } from "./probes.ts";

/** Function that projects the samples; whoever passes it disposes the rows. */
type Project = (options?: ProjectOptions) => Promise<Rows>;

/** A check, and the rows that it made before it ended. */
interface Made {
  readonly result: Check;
  readonly rows?: Rows;
}

/** Checks rows, their kernel, and the analyses of it. */
export async function testRows(
  engine: Engine,
  network: Network,
  data: Dataset,
  evaluation: Evaluation,
): Promise<Check[]> {
  using stack = new DisposableStack();
  const project = async (options?: ProjectOptions) =>
    stack.use(await engine.project(network, data, options));
  const kappa = multiply(evaluation.phi);
  const plain = await testPlain(project, kappa);
  const factored = await testFactored(project, kappa);
  return [
    plain.result,
    factored.result,
    await testSketch(project, evaluation),
    await testDiagonal("self_similarity", plain.rows, kappa),
    await testDiagonal("tile_diagonal", factored.rows, kappa),
    ...await testAnswers(plain.rows, plain.gram),
  ];
}

/** Checks rows in the layout that the engine chooses by itself. */
async function testPlain(
  project: Project,
  kappa: Float64Array,
): Promise<Made & { readonly gram: Float32Array }> {
  let rows: Rows | undefined;
  let gram = new Float32Array();
  const result = await check(
    () =>
      `relu_gradient, max_pool_gradient, filter_gradient, project_factored, ${
        rows?.gramShader ?? "gram_tile"
      }`,
    async () => {
      rows = await project();
      gram = await computeGram(rows);
      return compare(gram, kappa);
    },
  );
  return { result, rows, gram };
}

/** Checks rows whose convolutions are factored, too. */
async function testFactored(project: Project, kappa: Float64Array): Promise<Made> {
  let rows: Rows | undefined;
  const result = await check("project_patches, sum_positions", async () => {
    rows = await project({ convolutions: "factored" });
    return compare(await computeGram(rows), kappa);
  });
  return { result, rows };
}

/** Checks a sketch of one layer. */
async function testSketch(project: Project, { phi, offsets }: Evaluation): Promise<Check> {
  return await check("sum_products", async () => {
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
  });
}

async function testDiagonal(
  kernels: string,
  rows: Rows | undefined,
  kappa: Float64Array,
): Promise<Check> {
  const diagonal = Float64Array.from({ length: SAMPLES }, (_, i) => kappa[i * (SAMPLES + 1)]);
  return await check(
    kernels,
    async () => rows ? compare(await computeSelfSimilarity(rows), diagonal) : NaN,
  );
}
