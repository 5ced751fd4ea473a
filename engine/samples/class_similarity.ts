/**
 * Similarity of each sample to each class.
 *
 * @module
 */
import { findBadLabel } from "../data/label_check.ts";
import { DataError } from "../errors.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy } from "../gpu/pace.ts";
import { computeTiles } from "../kernel/gram.ts";
import { checkSampleRows, PackedRows, type Rows } from "../rows/rows.ts";
import { checkKeys, checkNumber, isCount, refuseSurplus } from "../options.ts";
import { checkSource, countSamples, type KernelSource, readTiles } from "./source.ts";

/** Options of `computeClassSimilarity`. */
export interface ClassSimilarityOptions extends CallOptions {
  /** Rows of another data set, whose classes are averaged over instead. They need a source that is rows too. */
  readonly columns?: Rows;
}

/**
 * Computes each sample's mean kernel value with the samples of each class, itself left out.
 *
 * The matrix is visited tile by tile and never stored; from rows each tile is computed on the device and read back, which takes little beside
 * computing it.
 *
 * @param labels labels of the samples that are averaged over, one for each
 * @returns `[N, classes]` f64, row-major; NaN where the class has no other sample
 * @throws {DataError} if the labels are not one for each sample, in `0 .. classes - 1`.
 * @throws {RangeError} if `classes` is no positive integer.
 * @throws {TypeError} if the source is neither rows nor a stored kernel, or there are columns and either is no rows.
 */
export async function computeClassSimilarity(
  source: KernelSource,
  labels: ArrayLike<number>,
  classes: number,
  options: ClassSimilarityOptions = {},
): Promise<Float64Array<ArrayBuffer>> {
  refuseSurplus("compute class similarity", arguments, 4);
  checkKeys<ClassSimilarityOptions>("compute class similarity", options, {
    columns: true,
    ...CALL_OPTIONS,
  });
  const { columns } = options;
  const report = interruptBy(options);
  checkSource("compute class similarity", source);
  if (columns) {
    checkSampleRows("compute class similarity", columns);
    checkSampleRows("compute class similarity with columns", source);
  }
  checkLabels(labels, columns ? columns.count : countSamples(source), classes);
  const sums = new Float64Array(countSamples(source) * classes);
  const counts = new Float64Array(sums.length);
  const tiles = source instanceof PackedRows
    ? computeTiles(source, columns, report)
    : readTiles(source, report);
  for await (const tile of tiles) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
    const add = (sample: number, other: number, similarity: number) => {
      if (sample === other && !columns) return;
      const index = sample * classes + labels[other];
      sums[index] += similarity;
      counts[index]++;
    };
    for (let i = 0; i < rowCount; i++) {
      for (let j = 0; j < columnCount; j++) {
        const similarity = values[i * stride + j];
        add(firstRow + i, firstColumn + j, similarity);
        if (mirrored) add(firstColumn + j, firstRow + i, similarity);
      }
    }
  }
  return sums.map((sum, i) => sum / counts[i]);
}

function checkLabels(labels: ArrayLike<number>, count: number, classes: number): void {
  checkNumber("compute class similarity", "classes", classes, isCount, "a positive integer");
  if (labels.length !== count) {
    throw new DataError(
      `Cannot compute class similarity: got ${labels.length} labels, need ${count}, one for each sample`,
    );
  }
  const bad = findBadLabel(labels, classes);
  if (bad >= 0) {
    throw new DataError(
      `Cannot compute class similarity: got label ${
        labels[bad]
      } for sample ${bad}, need an integer from 0 to ${classes - 1}`,
    );
  }
}
