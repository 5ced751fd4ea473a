/**
 * Nearest neighbours: the samples that are most similar to each sample.
 *
 * @module
 */
import { refuseSurplus } from "../options.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import type { PlannedLaunch } from "../gpu/commands.ts";
import { hold } from "../gpu/held.ts";
import { type CallOptions, interruptWith, type OnProgress } from "../gpu/pace.ts";
import { cutLaunches } from "../gpu/rates.ts";
import { foldTiles } from "../kernel/gram.ts";
import { PackedRows } from "../rows/rows.ts";
import { countSearchBytes } from "../tuning/element_rate.ts";
import { LAUNCH_STEPS } from "../rows/variants.ts";
import {
  type CheckedSource,
  checkSource,
  countSamples,
  type KernelSource,
  readTiles,
  type StoredKernel,
} from "./source.ts";

/** Nearest neighbours of each sample, the most similar first, the lower index first on a tie. */
export interface Nearest {
  /** Indices of the neighbours, `[N, size]`, row-major. */
  readonly samples: Int32Array<ArrayBuffer>;
  /** Kernel values of each sample and its neighbours, `[N, size]`, row-major; those of a float64 matrix are compared as they are, and rounded here. */
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
 * The matrix is visited tile by tile and never stored; from rows the tiles never leave the device. Costs as much as the matrix, and from rows
 * `8 * N * size` bytes on the device, from a stored kernel `12 * N * size` on the host.
 *
 * @throws {TypeError} if the source is neither rows nor a stored kernel.
 * @throws {RangeError} if there are several rows for each sample, or fewer than 2 samples, or `size` is not an integer from 1 to `N - 1`.
 */
export async function findNearest(
  source: KernelSource,
  size: number,
  options: CallOptions = {},
): Promise<Nearest> {
  refuseSurplus("find nearest samples", arguments, 3);
  const report = interruptWith("find nearest samples", options);
  checkSource("find nearest samples", source);
  const count = countSamples(source);
  if (count < 2) {
    throw new RangeError("Cannot find nearest samples: got one sample, need at least 2");
  }
  if (!(Number.isInteger(size) && size >= 1 && size < count)) {
    throw new RangeError(
      `Cannot find nearest samples: got ${size} of ${count} samples, need an integer from 1 to ${
        count - 1
      }`,
    );
  }
  const { samples, similarities } = await searchNearest(source, size, report);
  return { samples, similarities: Float32Array.from(similarities), size };
}

/** Nearest neighbours of each sample, as {@link Nearest} has them, with similarities that are not rounded. */
type ExactNearest = Pick<Nearest, "samples"> & {
  readonly similarities: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
};

/** Finds the nearest samples of a checked source, with similarities in the source's own precision. */
export async function searchNearest(
  source: CheckedSource,
  size: number,
  report?: OnProgress,
): Promise<ExactNearest> {
  return source instanceof PackedRows
    ? await foldNearest(source, size, report)
    : await readNearest(source, size, report);
}

/** Finds the nearest samples by rows, whose tiles stay on the device. */
async function foldNearest(
  rows: PackedRows,
  size: number,
  report?: OnProgress,
): Promise<ExactNearest> {
  const { gpu, count } = rows;
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
        const otherMs = own * countSearchBytes(size) / gpu.rates.elements;
        const most = Math.floor(LAUNCH_STEPS / (size + 1));
        return cutLaunches(others, otherMs, most).map(({ start, end, ms }): PlannedLaunch => {
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
  };
}

/**
 * Finds the nearest samples by a stored kernel, which is read once. Each sample's list stays sorted; the others come in increasing order, so that on a
 * tie the lower index is there first.
 */
async function readNearest(
  source: StoredKernel,
  size: number,
  report?: OnProgress,
): Promise<ExactNearest> {
  const samples = new Int32Array(source.size * size);
  const similarities = new Float64Array(source.size * size).fill(-Infinity);
  const keep = (sample: number, other: number, similarity: number) => {
    const [first, last] = [sample * size, (sample + 1) * size - 1];
    if (similarity <= similarities[last]) return;
    let at = last;
    for (; at > first && similarity > similarities[at - 1]; at--) {
      samples[at] = samples[at - 1];
      similarities[at] = similarities[at - 1];
    }
    samples[at] = other;
    similarities[at] = similarity;
  };
  for await (const tile of readTiles(source, report)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
    for (let i = 0; i < rowCount; i++) {
      const row = firstRow + i;
      for (let j = 0; j < columnCount; j++) {
        const column = firstColumn + j;
        if (row === column) continue;
        keep(row, column, values[i * stride + j]);
        if (mirrored) keep(column, row, values[i * stride + j]);
      }
    }
  }
  return { samples, similarities };
}
