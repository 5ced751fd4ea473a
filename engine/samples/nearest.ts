/**
 * Nearest neighbours: the samples that are most similar to each sample.
 *
 * @module
 */
import { refuseSurplus } from "../options.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import type { PlannedLaunch } from "../gpu/commands.ts";
import { hold } from "../gpu/held.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";
import { LAUNCH_MS } from "../gpu/rates.ts";
import { foldTiles } from "../kernel/gram.ts";
import { checkSampleRows, type Rows } from "../rows/rows.ts";
import { LAUNCH_STEPS } from "../rows/variants.ts";

/** Nearest neighbours of each sample, the most similar first, the lower index first on a tie. */
export interface Nearest {
  /** Indices of the neighbours, `[N, size]`, row-major. */
  readonly samples: Int32Array<ArrayBuffer>;
  /** Kernel values of each sample and its neighbours, `[N, size]`, row-major. */
  readonly similarities: Float32Array<ArrayBuffer>;
  /** Number of neighbours of each sample. */
  readonly size: number;
}

/** Index and similarity of a neighbour that has not been found yet: no sample, and the least finite f32. */
const NONE = 0xffffffff;
const LEAST = -3.4028234663852886e38;

/**
 * Finds the `size` other samples that are most similar to each sample.
 *
 * The matrix is computed tile by tile and never stored; the tiles never leave the device. Costs as much as the matrix, and `8 * N * size`
 * bytes on the device.
 *
 * @throws {TypeError} if the value is no rows.
 * @throws {RangeError} if there are several rows for each sample, or `size` is not an integer from 1 to `N - 1`.
 */
export async function findNearest(
  rows: Rows,
  size: number,
  options: CallOptions = {},
): Promise<Nearest> {
  refuseSurplus("find nearest samples", arguments, 3);
  const report = interruptWith("find nearest samples", options);
  checkSampleRows("find nearest samples", rows);
  const { gpu, count } = rows;
  if (!(Number.isInteger(size) && size >= 1 && size < count)) {
    throw new RangeError(
      `Cannot find nearest samples: got ${size} of ${count} samples, need an integer from 1 to ${
        count - 1
      }`,
    );
  }
  using lists = await hold(gpu, "find nearest samples", (own) => ({
    nearest: own(gpu.upload("nearest", new Uint32Array(count * size).fill(NONE))),
    similarity: own(gpu.upload("similarity", new Float32Array(count * size).fill(LEAST))),
  }));
  const { nearest, similarity } = lists;
  await foldTiles(
    rows,
    ({ tile, place }) =>
      [0, 1].flatMap((by_column) => {
        const { row_count, column_count } = place;
        const [own, others] = by_column ? [column_count, row_count] : [row_count, column_count];
        // as if each of the others went through the whole list, in which an index and a similarity are read and written
        const otherMs = own * (4 + 16 * size) / gpu.rates.reads;
        const steps = Math.floor(LAUNCH_STEPS / (size + 1));
        const length = Math.max(1, Math.min(Math.floor(LAUNCH_MS / otherMs), steps));
        return Array.from({ length: Math.ceil(others / length) }, (_, i): PlannedLaunch => {
          const start = i * length;
          const end = Math.min(start + length, others);
          const ms = (end - start) * otherMs;
          return {
            ms,
            record: (commands) =>
              commands.run(
                kernels.tile_nearest,
                { ...place, by_column, start, end, nearest_count: size },
                { tile, nearest, similarity },
                Math.ceil(own / 64),
                ms,
              ),
          };
        });
      }),
    report,
  );
  return {
    samples: new Int32Array(await gpu.read(nearest)),
    similarities: new Float32Array(await gpu.read(similarity)),
    size,
  };
}
