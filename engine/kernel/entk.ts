/**
 * The empirical neural tangent kernel in vector-output form, between small sets of samples.
 *
 * @module
 */
import { refuseSurplus } from "../options.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";
import { computeTiles } from "./gram.ts";
import { formatMebibytes } from "../sizes.ts";
import { checkRows, type PackedRows, type Rows } from "../rows/rows.ts";

/** Largest number of elements of an eNTK, 2 GiB: an array of that size can be allocated on every platform. */
const MAX_NUMBERS = 2 ** 29;

/**
 * Computes the empirical NTK `eNTK[n, m, i, j] = dz_i(x_n)/dw . dz_j(x'_m)/dw` (section 2.1), from which
 * `lpNTK = (1/C) sum_ij s_i s'_j eNTK_ij` (equation 3).
 *
 * ```ts
 * import { computeEntk, drawDigits, mlp, openEngine } from "lpntk";
 *
 * using engine = await openEngine();
 * using network = engine.network(mlp, { seed: 0, classes: 10 });
 * using rows = await engine.project(network, drawDigits("train", { size: 20 }), { kind: "entk" });
 * const entk = await computeEntk(rows);
 * ```
 *
 * Costs `2 N N' C^2 * length` FLOP, half of it when symmetric; holds one tile beside the result.
 *
 * @param rows rows of N samples, projected with the kind `entk`
 * @param columns rows of N' samples, projected with the same kind. Default: `rows`
 * @returns `[N, N', C, C]` f32, row-major; bit for bit its own transpose when both sides are the same
 * @throws {TypeError} if either side is no rows.
 * @throws {RangeError} if rows were projected with another kind, come from networks of different layers, or the kernel is larger than 2 GiB.
 */
export async function computeEntk(
  rows: Rows,
  columns: Rows = rows,
  options: CallOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  refuseSurplus("compute an eNTK", arguments, 3);
  const report = interruptWith("compute an eNTK", options);
  checkRows("compute an eNTK", rows);
  checkRows("compute an eNTK", columns);
  const classes = checkSides(rows, columns);
  const entk = new Float32Array(rows.count * columns.count);
  // the index of an entry is the sum of a term of its row and a term of its column
  const add = (count: number, block: number, step: number) =>
    Int32Array.from(
      { length: count },
      (_, row) => Math.floor(row / classes) * block + row % classes * step,
    );
  const fromRow = add(rows.count, columns.count * classes, classes);
  const fromColumn = add(columns.count, classes * classes, 1);
  for await (const tile of computeTiles(rows, columns, report)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
    for (let i = 0; i < rowCount; i++) {
      for (let j = 0; j < columnCount; j++) {
        const [row, column] = [firstRow + i, firstColumn + j];
        const value = values[i * stride + j];
        entk[fromRow[row] + fromColumn[column]] = value;
        if (mirrored) entk[fromRow[column] + fromColumn[row]] = value;
      }
    }
  }
  return entk;
}

/** Refuses sides that are no rows of one eNTK, and returns their number of classes. */
function checkSides(rows: PackedRows, columns: PackedRows): number {
  const classes = rows.rowsPerSample;
  if (classes === undefined || columns.rowsPerSample !== classes) {
    throw new RangeError(
      `Cannot compute an eNTK: got ${classes ?? 1} and ${
        columns.rowsPerSample ?? 1
      } rows a sample, need one for each class on both sides; ` +
        `project with the kind 'entk'`,
    );
  }
  const numbers = rows.count * columns.count;
  if (numbers > MAX_NUMBERS) {
    const [count, others] = [rows, columns].map((side) => side.count / classes);
    const side = Math.floor(Math.sqrt(MAX_NUMBERS) / classes);
    throw new RangeError(
      `Cannot compute an eNTK of ${count} x ${others} samples with ${classes} classes: got ${
        formatMebibytes(4 * numbers)
      }, need at most ${
        formatMebibytes(4 * MAX_NUMBERS)
      }, which ${side} x ${side} samples take; compute it in parts`,
    );
  }
  return classes;
}
