/**
 * Which variant of the Gram kernel an adapter runs fastest: measured once, and remembered in the cache folder.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { createGenerator, drawUniform, STREAMS } from "../data/random.ts";
import type { Gpu } from "../gpu/device.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { clockOf, type Measurement, recall, timeRepetitions } from "./measurement.ts";
import type { OperandStorage } from "../gpu/panels.ts";
import type { RowLayout, Segment } from "../rows/layout.ts";
import { countFlops, PANEL_ROWS } from "../rows/blocks.ts";
import { PackedRows } from "../rows/rows.ts";
import { TileSweep } from "../rows/tiles.ts";
import { canRun, type GramVariant, PLAIN_VARIANT, VARIANTS } from "../rows/variants.ts";

/** How fast an adapter runs each variant that it can run and gets right, by name, the fastest first. */
export interface Tuning {
  /** In GFLOP/s of the panels that are computed, those on and above the diagonal of the product of `[N, K]` rows. */
  readonly rates: Readonly<Record<string, number>>;
  /** N and K of the product that was timed. */
  readonly size: readonly [rows: number, length: number];
  /** In GB/s, how fast packed rows are read where they may stand. */
  readonly bandwidths: Readonly<Partial<Record<"buffer" | "texture", number>>>;
}

/**
 * Numbers of a row in the measurement: long enough that a tile's begin and end do not count, and no power of two, for whose textures lavapipe
 * compiles every variant once more.
 */
export const LENGTH = 1000;

/** Rows of the measurement: the first size at which the plain variant takes longer than the least time; one tile each. */
const SIZES = [512, 1024, 2048, 4096];
const LEAST_MS = 5;

const CLOCK = clockOf(120);

/** Rows that are read to measure the bandwidth: 32 MiB, more than most caches. */
const READ_ROWS = 8192;

/** Panels of a measurement that differ from one another. */
const PANEL_SHIFTS = 64;

/** Measurements of each variant. */
const ROUNDS = 3;

/** The measurement as it is remembered. */
export const TUNING: Measurement<Tuning> = {
  name: "gram tiles",
  shaders: () =>
    [...VARIANTS, { kernel: kernels.fpc_assign, operands: "buffer" as const }].map((
      { kernel, operands },
    ) => kernel.expand({ panels: operands, operands: "buffer", subgroups: false })),
  schema: z.object({
    rates: z.record(z.string(), z.number().positive()),
    size: z.tuple([z.number(), z.number()]),
    bandwidths: z.object({ buffer: z.number().positive(), texture: z.number().positive() })
      .partial(),
  }).refine(({ rates, bandwidths }) =>
    // what runs everywhere, and nothing that there is no longer
    PLAIN_VARIANT.name in rates && Object.keys(rates).every((name) => {
      const variant = VARIANTS.find((known) => known.name === name);
      return variant && bandwidths[variant.operands] !== undefined;
    })
  ),
  measure: measureVariants,
};

/**
 * The fastest variant for packed rows on a device; the first call for an adapter takes some seconds.
 *
 * @throws {DeviceError} if the device fails.
 */
export async function chooseVariant(gpu: Gpu, layout: RowLayout): Promise<GramVariant> {
  const { rates } = await tune(gpu);
  const ranked = Object.keys(rates).map((name) => VARIANTS.find((v) => v.name === name)!);
  return ranked.find((variant) => canRun(gpu, variant, layout)) ?? PLAIN_VARIANT;
}

/**
 * The rates of all variants on a device: those remembered for its adapter, driver, Deno and shaders, or else measured.
 *
 * @param options.fresh measure again whatever is remembered
 * @throws {DeviceError} if the device fails.
 */
export function tune(gpu: Gpu, options?: { readonly fresh?: boolean }): Promise<Tuning> {
  return recall(gpu, TUNING, options);
}

async function measureVariants(gpu: Gpu): Promise<Tuning> {
  const expected = await multiply(gpu, PLAIN_VARIANT);
  const variants: GramVariant[] = [];
  for (const variant of VARIANTS) {
    if (!canRun(gpu, variant, layOut(LENGTH))) continue;
    // whole numbers, so that every sum is exact: what differs is wrong
    const product = await multiply(gpu, variant);
    if (product.every((value, i) => value === expected[i])) variants.push(variant);
  }
  const size = await chooseSize(gpu);
  const least = new Map(variants.map((variant) => [variant, Infinity]));
  // in turns, so that what disturbs the machine disturbs all alike
  for (let round = 0; round < ROUNDS; round++) {
    const best = Math.min(...least.values());
    for (const [variant, before] of least) {
      // what was far behind is not measured again
      if (round > 0 && before > 2 * best) continue;
      least.set(variant, Math.min(before, await measureVariant(gpu, variant, size)));
    }
  }
  const rates = [...least].map(([{ name }, milliseconds]): [string, number] => [
    name,
    countFlops(LENGTH, size) / milliseconds / 1e6,
  ]);
  rates.sort(([, a], [, b]) => b - a);
  const bandwidths: Partial<Record<OperandStorage, number>> = {};
  for (const variant of variants) {
    bandwidths[variant.operands] ??= await measureBandwidth(gpu, variant);
  }
  return { rates: Object.fromEntries(rates), size: [size, LENGTH], bandwidths };
}

/** The first of the sizes at which the plain variant is busy for a while. */
async function chooseSize(gpu: Gpu): Promise<number> {
  for (const size of SIZES) {
    if (await measureVariant(gpu, PLAIN_VARIANT, size) >= LEAST_MS) return size;
  }
  return SIZES.at(-1)!;
}

/** Milliseconds of a symmetric product by a variant. */
export async function measureVariant(
  gpu: Gpu,
  variant: GramVariant,
  size: number,
  clock = CLOCK,
): Promise<number> {
  using rows = await drawRows(gpu, variant, size, LENGTH);
  using sweep = new TileSweep(rows, rows);
  const commands = gpu.record();
  return await timeRepetitions(gpu, clock, (count) => {
    for (let i = 0; i < count; i++) sweep.record(commands, 0);
    commands.submit();
  });
}

/** GB/s of reading rows once, as a step of clustering does. */
async function measureBandwidth(gpu: Gpu, variant: GramVariant): Promise<number> {
  using rows = await drawRows(gpu, variant, READ_ROWS, LENGTH);
  using stack = new DisposableStack();
  const [slice] = rows.slices;
  const create = (label: string, count: number) =>
    stack.adopt(gpu.createBuffer(label, 4 * count), (buffer) => gpu.destroyBuffer(buffer));
  const buffers = {
    segments: slice.segments,
    centroids: create("centroids", LENGTH),
    newest: create("newest", 1),
    group_of: create("groups", READ_ROWS),
    best: create("best", READ_ROWS),
    cluster: create("cluster", READ_ROWS),
    similarity: create("similarity", READ_ROWS),
  };
  const milliseconds = await timeRepetitions(gpu, CLOCK, (passes) => {
    const commands = gpu.record();
    for (let pass = 0; pass < passes; pass++) {
      for (const block of rows.blocks) {
        commands.run(
          kernels.fpc_assign,
          {
            row_length: LENGTH,
            segment_count: slice.segmentCount,
            group_count: 1,
            first_row: block.firstRow,
            row_count: block.rowCount,
            step: 0,
            continues: 0,
            ends: 1,
          },
          { ...buffers, rows: rows.bind(commands, [block, slice]) },
          Math.ceil(block.panelCount / 8),
        );
      }
    }
    commands.submit();
  });
  return 4 * READ_ROWS * LENGTH / milliseconds / 1e6;
}

/** A small product with a factored segment and awkward lengths, which every variant must get right: its panels on and above the diagonal. */
async function multiply(gpu: Gpu, variant: GramVariant): Promise<Float32Array> {
  const side = 3 * PANEL_ROWS;
  using rows = await drawRows(gpu, variant, side, 23);
  using sweep = new TileSweep(rows, rows);
  const commands = gpu.record();
  const { tile } = sweep.record(commands, 0);
  commands.submit();
  const panelOf = (line: number) => Math.floor(line / PANEL_ROWS);
  return new Float32Array(await gpu.read(tile))
    .filter((_, i) => panelOf(i / side) <= panelOf(i % side));
}

/** A row of which nine numbers belong to a factored segment if it is of an odd length. */
export function layOut(length: number): RowLayout {
  const [inputs, outputs] = length % 2 ? [5, 4] : [0, 0];
  const plain = length - inputs - outputs;
  const segments: Segment[] = [{ layer: "plain", kind: "plain", offset: 0, length: plain }];
  if (inputs > 0) {
    const sizes = { positions: 1, inputs, outputs };
    segments.push({ layer: "factored", kind: "factored", offset: plain, ...sizes });
  }
  return { segments, length };
}

/** Rows of small whole numbers. */
async function drawRows(
  gpu: Gpu,
  variant: GramVariant,
  count: number,
  length: number,
): Promise<PackedRows> {
  const rows = new PackedRows(gpu, layOut(length), count, { variant });
  const size = PANEL_ROWS * length;
  const numbers = drawUniform(createGenerator(0, STREAMS.trials), size + PANEL_SHIFTS, 2.5).map(
    Math.round,
  );
  const commands = gpu.record();
  const [slice] = rows.slices;
  for (const block of rows.blocks) {
    for (let first = 0; first < block.panelCount; first++) {
      // another stretch of the same numbers, so that a panel taken for another is noticed
      const shift = first % PANEL_SHIFTS;
      const panel = gpu.upload("panel", numbers.slice(shift, shift + size));
      await rows.write(commands, block, { slice, panels: panel, first, count: 1 });
      gpu.destroyBuffer(panel);
    }
  }
  return rows;
}
