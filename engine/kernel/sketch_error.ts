/**
 * Error of the kernel of sketched rows, measured on a sample of pairs.
 *
 * @module
 */
import { type Dataset, takeSamples } from "../data/dataset.ts";
import { createGenerator, drawPermutation, STREAMS } from "../data/random.ts";
import type { DeviceNetwork, ParameterChoice } from "../network/network.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { type CallOptions, interruptBy } from "../gpu/pace.ts";
import { computeGram } from "./gram.ts";
import type { Sketch } from "../rows/layout.ts";
import { type Budget, type ProjectionOptions, projectRows } from "./projection.ts";
import type { KernelKind } from "../rows/rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";

/** Request for the error of a sketched kernel; progress counts projections of samples. */
export interface SketchRequest extends CallOptions {
  /** Sketch whose error is measured. */
  readonly sketch: Sketch;
  /** Kernel that is sketched. Default `lpntk`. */
  readonly kind?: KernelKind;
  /** Names of the layers whose parameters are differentiated. Default: all. */
  readonly layers?: readonly string[];
  /**
   * Parameters that are differentiated, of the chosen layers: `all`, or `weights`, those of convolutions and dense layers without norms' and
   * others by themselves. Default `all`.
   */
  readonly parameters?: ParameterChoice;
  /** Data set on the kernel's other side. Default: the same data set. */
  readonly others?: Dataset;
}

/** Errors of a sketched kernel's entries, relative to `sqrt(kappa(x, x) kappa(x', x'))`, which no entry exceeds. */
export interface SketchError extends Sketch {
  /** Number of elements in an exact row. */
  readonly exactLength: number;
  /** Number of pairs that were computed both ways. */
  readonly pairs: number;
  /** Root of the mean squared error over these pairs. */
  readonly error: number;
  /** Mean error over these pairs, for the sketch that was drawn; its expectation over all sketches is 0. */
  readonly bias: number;
}

/** Number of samples of either side that are compared, all with all. */
const SAMPLE_COUNT = 32;

/**
 * Measures the error of a sketched kernel: draws 32 samples by the sketch's seed, projects them exactly and sketched, and compares all pairs of
 * them, each once; of a kernel between two data sets it draws 32 of either, and compares all pairs between them. Costs two projections of the
 * drawn samples, one of them exact.
 */
export async function measureSketchError(
  tensorflow: Tensorflow,
  network: DeviceNetwork,
  data: Dataset,
  { others, sketch, kind = "lpntk", layers, parameters, onProgress, signal }: SketchRequest,
  budget: Budget,
): Promise<SketchError> {
  const sides = [data, ...others ? [others] : []].map((side) => drawSamples(side, sketch.seed));
  const report = interruptBy({ onProgress, signal });
  let projected = 0;
  const how = {
    ...budget,
    cotangents: kind,
    layers,
    parameters,
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
      // both kernels are exactly 0 for a sample whose gradient is 0
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

/** Draws the samples to compare, in the data set's order. */
function drawSamples(data: Dataset, seed: number): Dataset {
  const order = drawPermutation(createGenerator(seed, STREAMS.sketchError), data.labels.length);
  return takeSamples(data, order.subarray(0, SAMPLE_COUNT).sort());
}

/** Computes the kernel of a data set or between two, the self-similarities of its sides, and the length of a row. */
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
