/**
 * The first minutes on an adapter that nobody has tried: what each stage reaches there, the most decisive stage first, so that a run that is cut off
 * is of use, too. Every line is JSON.
 *
 *     deno run -A bench/first_minutes.ts > first_minutes.jsonl
 *     deno run -A bench/first_minutes.ts --tiny      sizes of a few rows: whether it runs at all
 *
 * @module
 */
import type { NetworkDefinition } from "../engine/network/definition.ts";
import { drawDigits } from "../engine/data/digits.ts";
import { type Engine, openEngine } from "../engine/engine.ts";
import type { Gpu } from "../engine/gpu/device.ts";
import { computeGram } from "../engine/kernel/gram.ts";
import { lenet5, lenetLarge, mlp } from "../engine/network/models.ts";
import { countFlops } from "../engine/rows/blocks.ts";
import type { RowLayout } from "../engine/rows/layout.ts";
import { PackedRows } from "../engine/rows/rows.ts";
import { TileSweep } from "../engine/rows/tiles.ts";
import { canRun, VARIANTS } from "../engine/rows/variants.ts";
import { clusterSamples } from "../engine/samples/fpc.ts";
import { findNearest } from "../engine/samples/nearest.ts";
import { findRedundant } from "../engine/samples/redundancy.ts";
import { relateSamples } from "../engine/samples/relations.ts";
import { openGpu } from "../engine/tuning/open.ts";
import { kernels } from "../shaders/kernel_table.ts";
import { layOutPlain, Scratch } from "./case.ts";
import { type Effort, type Stopwatch, timeInTurns } from "./measure.ts";

/** Sizes of the stages. */
interface Sizes {
  readonly effort: Effort;
  /** Number of launches that follow one another. */
  readonly launches: number;
  /** Rows of a tile's two sides, with the name and the layout of a row. */
  readonly tiles: readonly (readonly [rows: number, name: string, layout: RowLayout])[];
  /** Rows of a clustering step, and elements of a row. */
  readonly steps: readonly (readonly [rows: number, length: number])[];
  /** Bytes of a tile that is read back. */
  readonly tileBytes: number;
  readonly samples: number;
  readonly networks: readonly NetworkDefinition[];
}

const FULL: Sizes = {
  effort: { rounds: 1, measurementMs: 300, budgetMs: 3000, patienceMs: 60_000 },
  launches: 20_000,
  tiles: [
    [4096, "plain 3393", layOutPlain(3393)],
    [4096, "plain 1000", layOutPlain(1000)],
    [4096, "factored 401 + 120", layOutFactored(401, 120)],
    [4096, "plain 32000", layOutPlain(32_000)],
    [1024, "plain 3393", layOutPlain(3393)],
  ],
  steps: [4096, 16_384, 61_440].flatMap((rows) => [[rows, 3393], [rows, 19_331]] as const),
  tileBytes: 64 * 2 ** 20,
  samples: 20_000,
  networks: [mlp, lenet5, lenetLarge],
};

const TINY: Sizes = {
  effort: { rounds: 1, measurementMs: 1, budgetMs: 100, patienceMs: 1000 },
  launches: 100,
  tiles: [[130, "plain 100", layOutPlain(100)], [130, "factored 20 + 12", layOutFactored(20, 12)]],
  steps: [[130, 100]],
  tileBytes: 2 ** 20,
  samples: 100,
  networks: [mlp],
};

function layOutFactored(inputs: number, outputs: number): RowLayout {
  const length = inputs + outputs;
  return {
    segments: [{ layer: "factored", kind: "factored", offset: 0, positions: 1, inputs, outputs }],
    length,
  };
}

function print(step: string, found: Record<string, unknown>): void {
  console.log(JSON.stringify({ step, ...found }));
}

/** Measures the milliseconds of one computation, up to the end of the device's work. */
async function time(
  stopwatch: Stopwatch,
  run: (repetitions: number) => void,
): Promise<number> {
  const read = () => Promise.reject(new Error("nothing is compared here"));
  const { it } = await timeInTurns(stopwatch, { it: { run, read } });
  return it.median;
}

function printAdapter({ adapter, device }: Gpu): void {
  const names = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
  ] as const;
  const limits = Object.fromEntries(names.map((name) => [name, device.limits[name]]));
  print("adapter", { ...adapter, limits, features: [...device.features], deno: Deno.version.deno });
}

/** Measures what a wait for the device and a launch cost: the floor of every stage that the host keeps busy. */
async function measureOverheads(gpu: Gpu, launches: number): Promise<void> {
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await gpu.finish();
    waits.push(performance.now() - start);
  }
  using scratch = new Scratch(gpu);
  const buffers = { groups: scratch.create("groups", 64), sums: scratch.create("sums", 64) };
  const params = { group_count: 1, group_size: 64, first: 0, count: 64 };
  const commands = gpu.record();
  const start = performance.now();
  for (let i = 0; i < launches; i++) commands.run(kernels.sum_groups, params, buffers, 1);
  commands.submit();
  const hostMs = performance.now() - start;
  await gpu.finish();
  print("overheads", {
    wait_ms: waits.sort((a, b) => a - b)[5],
    launch_host_us: 1000 * hostMs / launches,
    launch_us: 1000 * (performance.now() - start) / launches,
  });
}

/** Measures every variant of the Gram kernel on whole tiles; a variant that fails is reported and passed over. */
async function measureTiles(stopwatch: Stopwatch, tiles: Sizes["tiles"]): Promise<void> {
  const { gpu } = stopwatch;
  for (const [count, name, layout] of tiles) {
    for (const variant of VARIANTS.filter((variant) => canRun(gpu, variant, layout))) {
      const found = { rows: count, row: name, variant: variant.name };
      try {
        using rows = new PackedRows(gpu, layout, count, { variant });
        using sweep = new TileSweep(rows, rows);
        const commands = gpu.record();
        const ms = await time(stopwatch, (repetitions) => {
          for (let i = 0; i < repetitions; i++) sweep.record(commands, 0);
          commands.submit();
        });
        print("gram", { ...found, ms, tflops: countFlops(layout.length, count) / ms / 1e9 });
      } catch (error) {
        print("gram", { ...found, error: String(error) });
      }
    }
  }
}

/** Measures a clustering step over more and more rows: where its time grows with the blocks, launches run one after another. */
async function measureSteps(stopwatch: Stopwatch, steps: Sizes["steps"]): Promise<void> {
  const { gpu } = stopwatch;
  for (const [count, length] of steps) {
    using rows = new PackedRows(gpu, layOutPlain(length), count);
    using scratch = new Scratch(gpu);
    const [slice] = rows.slices;
    const state = {
      segments: slice.segments,
      centroids: scratch.create("centroids", length + 4),
      newest: scratch.create("newest", 1),
      group_of: scratch.create("group_of", count),
      best: scratch.create("best", count),
      cluster: scratch.create("cluster", count),
      similarity: scratch.create("similarity", count),
    };
    const commands = gpu.record();
    const ms = await time(stopwatch, (repetitions) => {
      for (let i = 0; i < repetitions; i++) {
        for (const block of rows.blocks) {
          const params = {
            row_length: slice.lines,
            segment_count: slice.segmentCount,
            group_count: 1,
            first_row: block.firstRow,
            row_count: block.rowCount,
            step: 0,
            continues: 0,
            ends: 1,
          };
          const buffers = { ...state, rows: rows.bind(commands, [block, slice]) };
          const workgroups = Math.ceil(block.panelCount / 8);
          commands.run(kernels.fpc_assign, params, buffers, workgroups);
        }
      }
      commands.submit();
    });
    const gbPerS = 4 * count * length / ms / 1e6;
    print("fpc_assign", {
      rows: count,
      length,
      blocks: rows.blocks.length,
      ms,
      gb_per_s: gbPerS,
    });
  }
}

/** Measures the reading of a tile to the host. */
async function measureReading(gpu: Gpu, bytes: number): Promise<void> {
  using scratch = new Scratch(gpu);
  const tile = scratch.create("tile", bytes / 4);
  const target = new ArrayBuffer(bytes);
  const times: number[] = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    await gpu.read(tile, bytes, 0, target);
    times.push(performance.now() - start);
  }
  const ms = times.sort((a, b) => a - b)[4];
  print("read", { bytes, ms, gb_per_s: bytes / ms / 1e6 });
}

/** Measures the way from images to results, the host's part included. */
async function measureRoads(engine: Engine, { samples, networks }: Sizes): Promise<void> {
  const seconds = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
  };
  const data = drawDigits("train", { size: samples });
  for (const definition of networks) {
    const model = definition.name;
    using network = engine.network(definition, { seed: 0, classes: 10 });
    const train = () => engine.train(network, data, { epochs: 1, batch: 128 });
    // the first run compiles the kernels
    const coldS = await seconds(train);
    print("train", { model, cold_s: coldS, images_per_s: samples / await seconds(train) });
    const start = performance.now();
    using rows = await engine.project(network, data);
    print("project", { model, images_per_s: 1000 * samples / (performance.now() - start) });
    const analyses = {
      redundant: () => findRedundant(rows),
      relate: () => relateSamples(rows),
      nearest: () => findNearest(rows, 10),
      cluster: () => clusterSamples(rows, { ratio: 0.02 }),
      gram: () => computeGram(rows),
    };
    for (const [name, analyse] of Object.entries(analyses)) {
      print(name, { model, samples, s: await seconds(analyse) });
    }
  }
}

/** Runs everything. */
export async function measureFirstMinutes(sizes: Sizes): Promise<void> {
  const gpu = await openGpu();
  const stopwatch = { gpu, effort: sizes.effort };
  printAdapter(gpu);
  await measureOverheads(gpu, sizes.launches);
  await measureTiles(stopwatch, sizes.tiles);
  await measureSteps(stopwatch, sizes.steps);
  await measureReading(gpu, sizes.tileBytes);
  gpu.dispose();
  using engine = await openEngine();
  const start = performance.now();
  const tuning = await engine.tune({ fresh: sizes === FULL });
  print("tune", { s: (performance.now() - start) / 1000, ...tuning });
  await measureRoads(engine, sizes);
}

if (import.meta.main) {
  const isTiny = Deno.args[0] === "--tiny";
  if (Deno.args.length > (isTiny ? 1 : 0)) {
    console.error("Usage: deno run -A bench/first_minutes.ts [--tiny]");
    Deno.exit(2);
  }
  await measureFirstMinutes(isTiny ? TINY : FULL);
}
