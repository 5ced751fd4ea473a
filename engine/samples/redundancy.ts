/**
 * Redundant samples (section 4.2 of the paper).
 *
 * @module
 */
import { kernels } from "../../shaders/kernel_table.ts";
import { hold } from "../gpu/held.ts";
import {
  CALL_OPTIONS,
  type CallOptions,
  interruptBy,
  interruptWith,
  type OnProgress,
} from "../gpu/pace.ts";
import { foldTiles } from "../kernel/gram.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { PackedRows } from "../rows/rows.ts";
import { checkKeys, type OptionNames, refuseSurplus } from "../options.ts";
import { searchNearest } from "./nearest.ts";
import {
  checkSource,
  countSamples,
  type KernelSource,
  readSelfSimilarity,
  readTiles,
} from "./source.ts";

/**
 * Samples that a sample is compared with: `any` other, as the paper's text says, or only the `later` ones of the data set, as in the authors'
 * code. Of two samples that make each other redundant the later rule flags the first alone, so that its result depends on the samples' order.
 */
export type RedundancyRule = "any" | "later";

/** Options of `findRedundant`. */
export interface RedundancyOptions extends CallOptions {
  /** Samples that each sample is compared with. Default `any`. */
  readonly rule?: RedundancyRule;
}

const REDUNDANCY_OPTIONS: OptionNames<RedundancyOptions> = {
  rule: ["any", "later"],
  ...CALL_OPTIONS,
};

/**
 * Flags every sample x for which some other sample x' has `kappa(x, x') > kappa(x, x)`, strictly.
 *
 * The matrix is visited tile by tile and never stored; from rows the tiles never leave the device.
 *
 * @returns `[N]`, 1 where redundant
 * @throws {TypeError} if the source is neither rows nor a stored kernel, or an option is unknown.
 * @throws {NonFiniteError} if a self-similarity is not finite.
 */
export async function findRedundant(
  source: KernelSource,
  options: RedundancyOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  refuseSurplus("find redundant samples", arguments, 2);
  checkKeys("find redundant samples", options, REDUNDANCY_OPTIONS);
  const { rule = "any" } = options;
  const report = interruptBy(options);
  checkSource("find redundant samples", source);
  const self = await readSelfSimilarity(source, options);
  if (source instanceof PackedRows) {
    const maxima = await computeMaxima(source, rule, report);
    return Uint8Array.from(maxima, (maximum, i) => Number(maximum > self[i]));
  }
  const redundant = new Uint8Array(countSamples(source));
  for await (const tile of readTiles(source, report)) {
    const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
    for (let i = 0; i < rowCount; i++) {
      const row = firstRow + i;
      for (let j = 0; j < columnCount; j++) {
        const column = firstColumn + j;
        if (rule === "later" ? column <= row : column === row) continue;
        const similarity = values[i * stride + j];
        if (similarity > self[row]) redundant[row] = 1;
        if (mirrored && rule === "any" && similarity > self[column]) redundant[column] = 1;
      }
    }
  }
  return redundant;
}

/** How redundant each sample is, and by which other one. */
export interface Redundancy {
  /** Largest `kappa(x, x') / kappa(x, x)` over the other samples x', `[N]` f64; NaN where both are 0, or there is no other sample. */
  readonly ratios: Float64Array<ArrayBuffer>;
  /** Index of that x', `[N]` i32, the lower on a tie; -1 where there is no other sample. */
  readonly partners: Int32Array<ArrayBuffer>;
}

/**
 * Measures the redundancy of each sample x: the largest `kappa(x, x') / kappa(x, x)`, and the x' that has it. A ratio is above 1 exactly where
 * `findRedundant` flags the sample, by the rule `any`.
 *
 * The matrix is visited tile by tile and never stored; from rows the tiles never leave the device.
 *
 * @throws {TypeError} if the source is neither rows nor a stored kernel, or an option is unknown.
 * @throws {NonFiniteError} if a self-similarity is not finite.
 */
export async function measureRedundancy(
  source: KernelSource,
  options: CallOptions = {},
): Promise<Redundancy> {
  refuseSurplus("measure redundancy", arguments, 2);
  const report = interruptWith("measure redundancy", options);
  checkSource("measure redundancy", source);
  const self = await readSelfSimilarity(source, { signal: options.signal });
  if (self.length < 2) return { ratios: Float64Array.of(NaN), partners: Int32Array.of(-1) };
  const { samples: partners, similarities } = await searchNearest(source, 1, report);
  // of two floats, the quotient of the larger by the smaller never rounds to 1
  const ratios = Float64Array.from(similarities, (similarity, n) => similarity / self[n]);
  return { ratios, partners };
}

/** Computes each sample's largest similarity to the others that the rule compares it with, `[N]` f32; `-Infinity` where there are none. */
async function computeMaxima(
  rows: PackedRows,
  rule: RedundancyRule,
  onProgress?: OnProgress,
): Promise<Float32Array<ArrayBuffer>> {
  const { gpu, count } = rows;
  using held = await hold(gpu, "find redundant samples", (own) => ({
    maximum: own(gpu.createBuffer("row maxima", count * 4)),
  }));
  const { maximum } = held;
  await foldTiles(
    rows,
    ({ tile, pairs, pairCount, place }) => {
      // every element is read for its column, then for its row
      const ms = 2 * 4 * PANEL_ROWS ** 2 * pairCount / gpu.rates.elements;
      return [{
        ms,
        record: (commands) =>
          commands.run(
            kernels.tile_maximum,
            { pair_count: pairCount, ...place, later: Number(rule === "later") },
            { tile, pairs, maximum },
            pairCount,
            ms,
          ),
      }];
    },
    onProgress,
  );
  const ordered = new Uint32Array(await gpu.read(maximum, count * 4));
  // the shader maps floats to integers of the same order, for atomicMax; 0 stands for no other sample
  const bits = ordered.map((u) => u === 0 ? 0xff800000 : u >= 0x80000000 ? u ^ 0x80000000 : ~u);
  return new Float32Array(bits.buffer);
}
