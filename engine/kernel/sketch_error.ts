/**
 * How far the kernel of sketched rows is from the exact one, measured on a sample of pairs.
 *
 * @module
 */
import { type Dataset, takeSamples } from "../data/dataset.ts";
import { createGenerator, drawPermutation, STREAMS } from "../data/random.ts";
import type { DeviceNetwork } from "../network/network.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { type CallOptions, interruptBy } from "../gpu/pace.ts";
import { computeGram } from "./gram.ts";
import type { Sketch } from "../rows/layout.ts";
import { type Budget, type ProjectionOptions, projectRows } from "./projection.ts";
import type { KernelKind } from "../rows/rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";

/** Which sketched kernel is to be measured; progress is in projections. */
export interface SketchRequest extends CallOptions {
  /** The sketch whose error is wanted. */
  readonly sketch: Sketch;
  /** Which kernel. Default `lpntk`. */
  readonly kind?: KernelKind;
  /** Names of the layers whose parameters count. Default: all. */
  readonly layers?: readonly string[];
  /** Samples on the other side of the kernel. Default: the same. */
  readonly others?: Dataset;
}

/** Errors of a sketched kernel in shares of `sqrt(kappa(x, x) kappa(x', x'))`, which no entry exceeds. */
export interface SketchError extends Sketch {
  /** Numbers of an exact row. */
  readonly exactLength: number;
  /** Pairs that were computed both ways. */
  readonly pairs: number;
  /** Root of the mean squared error over these pairs. */
  readonly error: number;
  /** Mean error over these pairs; of the sketch that was drawn, since over all sketches there is none. */
  readonly bias: number;
}

/** Samples of either side that are compared, all with all. */
const SAMPLE_COUNT = 32;

/**
 * Projects a seeded sample of 32 samples exactly and sketched, and compares all pairs of them, each pair of the same samples once; of a
 * kernel between two data sets 32 of either, and all pairs between them. Costs two jobs of 32 samples, one of them exact.
 */
export async function measureSketchError(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  { others, sketch, kind = "lpntk", layers, onProgress, signal }: SketchRequest,
  budget: Budget,
): Promise<SketchError> {
  const sides = [data, ...others ? [others] : []].map((side) => drawSamples(side, sketch.seed));
  const report = interruptBy({ onProgress, signal });
  let projected = 0;
  const how = {
    ...budget,
    cotangents: kind,
    layers,
    onProject: () => report?.(++projected, 2 * sides.length),
  };
  const exact = await compute(tensorflow, network, sides, how);
  const estimate = await compute(tensorflow, network, sides, { ...how, sketch });
  const [rows, columns] = [exact.self[0], exact.self.at(-1)!];
  let [pairs, sum, squares] = [0, 0, 0];
  for (let i = 0; i < rows.length; i++) {
    for (let j = others ? 0 : i; j < columns.length; j++) {
      const at = i * columns.length + j;
      const scale = Math.sqrt(rows[i] * columns[j]);
      // of a sample without a gradient either kernel is exactly 0
      const error = scale > 0 ? (estimate.kernel[at] - exact.kernel[at]) / scale : 0;
      pairs++;
      sum += error;
      squares += error * error;
    }
  }
  const { dimension, seed } = sketch;
  const { length: exactLength } = exact;
  return {
    dimension,
    seed,
    exactLength,
    pairs,
    error: Math.sqrt(squares / pairs),
    bias: sum / pairs,
  };
}

/** Some samples in the data set's order. */
function drawSamples(data: Dataset, seed: number): Dataset {
  const order = drawPermutation(createGenerator(seed, STREAMS.sketchError), data.labels.length);
  return takeSamples(data, order.subarray(0, SAMPLE_COUNT).sort());
}

/** A kernel between the first and the last of some data sets, its sides' self-similarities, and the numbers of a row. */
async function compute(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  [first, second]: readonly Dataset[],
  { onProject, ...options }: ProjectionOptions & { readonly onProject: () => void },
) {
  const others = second?.labels.length;
  using rows = await projectRows(tensorflow, network, first, { ...options, others });
  onProject();
  using columns = second && await projectRows(tensorflow, network, second, options);
  if (columns) onProject();
  const self = [await computeSelfSimilarity(rows)];
  if (columns) self.push(await computeSelfSimilarity(columns));
  return { kernel: await computeGram(rows, columns), self, length: rows.layout.length };
}
