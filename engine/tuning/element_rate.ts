/**
 * Rate at which an adapter goes through buffers element by element, as the epilogues of tiles do. It is measured once and remembered.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import type { Gpu } from "../gpu/device.ts";
import { hold } from "../gpu/held.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { clockOf, type Measurement, recall, timeRepetitions } from "./measurement.ts";

/** Samples of which each has a list, others that each is compared with, and the length of a list. */
const OWN = 4096;
const OTHERS = 64;
const SIZE = 10;

const CLOCK = clockOf(60);

/** Number of measurements. */
const TURNS = 3;

const ELEMENT_RATE: Measurement<number> = {
  name: "elements",
  shaders: () => [
    kernels.tile_nearest.expand({ panels: "buffer", operands: "buffer", subgroups: false }),
  ],
  schema: z.number().positive(),
  measure: measureElements,
};

/**
 * Sets a device's rate of going through elements; the first call for an adapter measures it, which takes less than a second.
 *
 * @param options.fresh measures again, whatever is remembered
 * @throws {DeviceError} if the device fails.
 */
export async function learnElementRate(gpu: Gpu, options?: { fresh?: boolean }): Promise<void> {
  gpu.rates = { ...gpu.rates, elements: await recall(gpu, ELEMENT_RATE, options) };
}

/**
 * Counts the bytes of a tile and of a list of `size` that `tile_nearest` reads and writes for an element of the tile, as if each went through the
 * whole list, of an index and a similarity.
 */
export function countSearchBytes(size: number): number {
  return 4 + 16 * size;
}

/**
 * Measures a search for nearest samples, in bytes per millisecond, along rows and along columns together. Every element comes before all that are in
 * its list, which is the worst case.
 */
async function measureElements(gpu: Gpu): Promise<number> {
  const rising = (other: (i: number) => number) =>
    Float32Array.from({ length: OWN * OTHERS }, (_, i) => 1 + other(i));
  using held = await hold(gpu, "measure the device", (own) => ({
    wide: own(gpu.upload("tile", rising((i) => i % OTHERS))),
    high: own(gpu.upload("tile", rising((i) => Math.floor(i / OWN)))),
    nearest: own(gpu.createBuffer("nearest", 4 * (OWN + OTHERS) * SIZE)),
    similarity: own(gpu.createBuffer("similarity", 4 * (OWN + OTHERS) * SIZE)),
  }));
  const { wide, high, nearest, similarity } = held;
  const commands = gpu.record();
  const search = (tile: GPUBuffer, by_column: 0 | 1) => {
    commands.clear(similarity);
    const [row_count, column_count] = by_column ? [OTHERS, OWN] : [OWN, OTHERS];
    commands.run(
      kernels.tile_nearest,
      {
        column_panels: column_count / PANEL_ROWS,
        first_row: 0,
        row_count,
        first_column: row_count,
        column_count,
        by_column,
        start: 0,
        end: OTHERS,
        nearest_count: SIZE,
      },
      { tile, nearest, similarity },
      OWN / PANEL_ROWS,
      OWN * OTHERS * countSearchBytes(SIZE) / gpu.rates.elements,
    );
  };
  let milliseconds = Infinity;
  // the least of some measurements, since other work on the machine can slow one down
  for (let turn = 0; turn < TURNS; turn++) {
    const own = await timeRepetitions(gpu, CLOCK, (count) => {
      for (let i = 0; i < count; i++) {
        search(wide, 0);
        search(high, 1);
      }
      commands.submit();
    });
    milliseconds = Math.min(milliseconds, own);
  }
  return 2 * OWN * OTHERS * countSearchBytes(SIZE) / milliseconds;
}
