/**
 * Choice of the Gram kernel's variant that an adapter runs fastest, which is measured once and remembered in the cache folder.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { createGenerator, drawUniform, STREAMS } from "../data/random.ts";
import type { Gpu } from "../gpu/device.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { learnElementRate } from "./element_rate.ts";
import { clockOf, type Measurement, recall, timeRepetitions } from "./measurement.ts";
import type { OperandStorage } from "../gpu/panels.ts";
import type { RowLayout, Segment } from "../rows/layout.ts";
import { countFlops, PANEL_ROWS } from "../rows/blocks.ts";
import { PackedRows } from "../rows/rows.ts";
import { TileSweep } from "../rows/tiles.ts";
import { canRun, type GramVariant, PLAIN_VARIANT, VARIANTS } from "../rows/variants.ts";

/** Measured speeds of an adapter. */
export interface Tuning {
  /**
   * Rates in GFLOP/s of every variant that the adapter can run and computes correctly, by name, the fastest first. Counted are the panels that
   * are computed, those on and above the diagonal of the product of `[N, K]` rows with themselves.
   */
  readonly rates: Readonly<Record<string, number>>;
  /** N and K of the product that was timed. */
  readonly size: readonly [rows: number, length: number];
  /** Bandwidths in GB/s of reading packed rows, by the storage that variants read them from. */
  readonly bandwidths: Readonly<Partial<Record<"buffer" | "texture", number>>>;
}

/**
 * Elements of a row in the measurement: so many that a tile's prologue and epilogue do not matter, and no power of two, for whose textures
 * lavapipe compiles every variant once more.
 */
export const LENGTH = 1000;

/** Numbers of rows to try, of one tile each: the first is measured for which the plain variant takes the least time or longer. */
const SIZES = [512, 1024, 2048, 4096];
const LEAST_MS = 5;

const CLOCK = clockOf(120);

/** FLOP or bytes a millisecond in a GFLOP/s or GB/s. */
const GIGA_PER_MS = 1e6;

/** Number of rows that are read to measure the bandwidth: 32 MiB, more than most caches. */
const READ_ROWS = 8192;

/** Number of panels with different elements in a measurement. */
const PANEL_SHIFTS = 64;

/** Number of measurements of each variant. */
const ROUNDS = 3;

/** Measurement of an adapter's variants and bandwidths. */
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
    // the variant that runs everywhere is among them, and none that has been removed since
    PLAIN_VARIANT.name in rates && Object.keys(rates).every((name) => {
      const variant = VARIANTS.find((known) => known.name === name);
      return variant && bandwidths[variant.operands] !== undefined;
    })
  ),
  measure: measureVariants,
};

/**
 * Chooses the fastest variant for packed rows on a device, and sets the device's rates to the measured ones; the first call for an
 * adapter measures them, which takes some seconds.
 *
 * @throws {DeviceError} if the device fails.
 */
export async function chooseVariant(gpu: Gpu, layout: RowLayout): Promise<GramVariant> {
  const { rates, bandwidths } = await tune(gpu);
  await learnElementRate(gpu);
  const ranked = Object.keys(rates).map((name) => VARIANTS.find((v) => v.name === name)!);
  const variant = ranked.find((variant) => canRun(gpu, variant, layout)) ?? PLAIN_VARIANT;
  gpu.rates = {
    ...gpu.rates,
    variants: Object.fromEntries(
      Object.entries(rates).map(([name, rate]) => [name, rate * GIGA_PER_MS]),
    ),
    reads: bandwidths[variant.operands]! * GIGA_PER_MS,
  };
  return variant;
}

/**
 * Returns the rates of all variants on a device: remembered ones of its adapter, driver, Deno and shaders, or else new measurements.
 *
 * @param options.fresh measures again, whatever is remembered
 * @throws {DeviceError} if the device fails.
 */
export function tune(gpu: Gpu, options?: { readonly fresh?: boolean }): Promise<Tuning> {
  return recall(gpu, TUNING, options);
}

async function measureVariants(gpu: Gpu): Promise<Tuning> {
  const expected = await multiply(gpu, PLAIN_VARIANT);
  const variants: GramVariant[] = [];
  for (const variant of VARIANTS) {
    if (!canRun(gpu, variant, planTrialLayout(LENGTH))) continue;
    // the elements are integers, so that every sum is exact, and a variant whose product differs is wrong
    const product = await multiply(gpu, variant);
    if (product.every((value, i) => value === expected[i])) variants.push(variant);
  }
  const size = await chooseSize(gpu);
  const least = new Map(variants.map((variant) => [variant, Infinity]));
  // measured in turns, so that other work on the machine disturbs all variants alike
  for (let round = 0; round < ROUNDS; round++) {
    const best = Math.min(...least.values());
    for (const [variant, before] of least) {
      // variants that were far slower are not measured again
      if (round > 0 && before > 2 * best) continue;
      least.set(variant, Math.min(before, await measureVariant(gpu, variant, size)));
    }
  }
  const rates = [...least].map(([{ name }, milliseconds]): [string, number] => [
    name,
    countFlops(LENGTH, size) / milliseconds / GIGA_PER_MS,
  ]);
  rates.sort(([, a], [, b]) => b - a);
  const bandwidths: Partial<Record<OperandStorage, number>> = {};
  for (const variant of variants) {
    bandwidths[variant.operands] ??= await measureBandwidth(gpu, variant);
  }
  return { rates: Object.fromEntries(rates), size: [size, LENGTH], bandwidths };
}

/** Chooses the first number of rows for which the plain variant takes long enough, and sets the device's rate to it. */
async function chooseSize(gpu: Gpu): Promise<number> {
  for (const size of SIZES) {
    const milliseconds = await measureVariant(gpu, PLAIN_VARIANT, size);
    gpu.rates = { ...gpu.rates, products: countFlops(LENGTH, size) / milliseconds };
    if (milliseconds >= LEAST_MS) return size;
  }
  return SIZES.at(-1)!;
}

/** Measures the milliseconds that a variant takes for the symmetric product of `[size, LENGTH]` rows. */
export async function measureVariant(
  gpu: Gpu,
  variant: GramVariant,
  size: number,
  clock = CLOCK,
): Promise<number> {
  using rows = await drawRows(gpu, variant, size, LENGTH);
  using sweep = new TileSweep(rows, rows);
  const tile = sweep.tileAt(0);
  const commands = gpu.record();
  return await timeRepetitions(gpu, clock, (count) => {
    for (let i = 0; i < count; i++) {
      for (const _ of sweep.record(commands, tile)) commands.submit();
    }
    commands.submit();
  });
}

/** Measures the bandwidth of reading rows as a step of clustering does, in GB/s. */
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
            first_panel: 0,
            first_row: block.firstRow,
            row_count: block.rowCount,
            step: 0,
            continues: 0,
            ends: 1,
          },
          { ...buffers, rows: rows.bind(commands, [block, slice]) },
          Math.ceil(block.panelCount / 8),
          4 * LENGTH * block.rowCount / gpu.rates.reads,
        );
      }
    }
    commands.submit();
  });
  return 4 * READ_ROWS * LENGTH / milliseconds / GIGA_PER_MS;
}

/** Computes a small product with a factored segment and awkward lengths, by which a variant is checked: its panels on and above the diagonal. */
async function multiply(gpu: Gpu, variant: GramVariant): Promise<Float32Array> {
  const side = 3 * PANEL_ROWS;
  using rows = await drawRows(gpu, variant, side, 23);
  using sweep = new TileSweep(rows, rows);
  const commands = gpu.record();
  const tile = sweep.tileAt(0);
  for (const _ of sweep.record(commands, tile)) commands.submit();
  commands.submit();
  const panelOf = (index: number) => Math.floor(index / PANEL_ROWS);
  return new Float32Array(await gpu.read(tile.tile))
    .filter((_, i) => panelOf(i / side) <= panelOf(i % side));
}

/** Plans the layout of rows of `length` elements, nine of which belong to a factored segment if the length is odd. */
export function planTrialLayout(length: number): RowLayout {
  const [inputs, outputs] = length % 2 ? [5, 4] : [0, 0];
  const plain = length - inputs - outputs;
  const segments: Segment[] = [{ layer: "plain", kind: "plain", offset: 0, length: plain }];
  if (inputs > 0) {
    const sizes = { positions: 1, inputs, outputs };
    segments.push({ layer: "factored", kind: "factored", offset: plain, ...sizes });
  }
  return { segments, length };
}

/** Makes rows of small random integers. */
async function drawRows(
  gpu: Gpu,
  variant: GramVariant,
  count: number,
  length: number,
): Promise<PackedRows> {
  const rows = new PackedRows(gpu, planTrialLayout(length), count, { variant });
  const size = PANEL_ROWS * length;
  const numbers = drawUniform(createGenerator(0, STREAMS.trials), size + PANEL_SHIFTS, 2.5).map(
    Math.round,
  );
  const commands = gpu.record();
  const [slice] = rows.slices;
  for (const block of rows.blocks) {
    for (let first = 0; first < block.panelCount; first++) {
      // another window of the same numbers, so that reading a wrong panel gives a wrong product
      const shift = first % PANEL_SHIFTS;
      const panel = gpu.upload("panel", numbers.slice(shift, shift + size));
      await rows.write(commands, block, { slice, panels: panel, first, count: 1 });
      gpu.destroyBuffer(panel);
    }
  }
  return rows;
}
