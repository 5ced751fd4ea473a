/**
 * The stages that work on the device alone: what a wait and a launch cost, the ceilings, Gram tiles, clustering and read-back.
 *
 * @module
 */
import type { Gpu } from "../../engine/gpu/device.ts";
import { countFlops } from "../../engine/rows/blocks.ts";
import { layOutPlain, type RowLayout } from "../../engine/rows/layout.ts";
import { PackedRows } from "../../engine/rows/rows.ts";
import { TileSweep } from "../../engine/rows/tiles.ts";
import { canRun, type GramVariant, VARIANTS } from "../../engine/rows/variants.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { chooseVariant } from "../../engine/tuning/gram_variants.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { Scratch } from "../case.ts";
import { CEILING_WORK, enterCeiling } from "../ceilings/ceilings.ts";
import { clock, type Item, type Trial } from "./ladder.ts";
import type { Sizes, Stage } from "./stage.ts";

/** The stages before those of the networks. */
export function listLaunchStages(sizes: Sizes): Stage[] {
  return [
    { name: "overheads", share: 1, isDecisive: true, list: ({ gpu }) => listOverheads(gpu) },
    { name: "ceilings", share: 1, isDecisive: true, list: ({ gpu }) => listCeilings(gpu) },
    { name: "gram", share: 6, list: ({ gpu }) => listTiles(gpu, sizes.tiles) },
    { name: "clustering", share: 3, list: ({ gpu }) => listClusterings(gpu, sizes.clustering) },
    { name: "reading", share: 1, list: ({ gpu }) => [measureReading(gpu, sizes.tileBytes)] },
  ];
}

/** What has no size, and holds next to nothing. */
const SIZELESS = { sizes: [1], growth: 1, shape: () => ({}), bytes: () => 0 };

/** What a wait for the device costs, and a launch: the floor of every stage that the host keeps busy. */
function listOverheads(gpu: Gpu): Item[] {
  const recordLaunches = (buffers: Record<"groups" | "sums", GPUBuffer>, count: number) => {
    const params = { group_count: 1, group_size: 64, first: 0, count: 64 };
    const commands = gpu.record();
    for (let i = 0; i < count; i++) commands.run(kernels.sum_groups, params, buffers, 1);
    commands.submit();
  };
  const openLaunches = (wait: (launch: () => void) => Promise<number>): Trial => {
    const scratch = new Scratch(gpu);
    const buffers = { groups: scratch.create("groups", 64), sums: scratch.create("sums", 64) };
    return {
      run: (count) => wait(() => recordLaunches(buffers, count)),
      [Symbol.dispose]: () => scratch[Symbol.dispose](),
    };
  };
  return [
    {
      ...SIZELESS,
      name: "a wait for the device",
      unit: "ms",
      work: () => 1,
      open: () => ({
        run: (count) =>
          clock(async () => {
            for (let i = 0; i < count; i++) await gpu.finish();
          }),
        [Symbol.dispose]: () => {},
      }),
    },
    {
      ...SIZELESS,
      name: "a launch of one workgroup",
      unit: "us",
      work: () => 1000,
      open: () =>
        openLaunches((launch) =>
          clock(async () => {
            launch();
            await gpu.finish();
          })
        ),
    },
    {
      ...SIZELESS,
      name: "the host's part of a launch",
      unit: "us",
      work: () => 1000,
      open: () =>
        openLaunches(async (launch) => {
          const ms = await clock(launch);
          await gpu.finish();
          return ms;
        }),
    },
  ];
}

/** What the adapter reaches at all. */
function listCeilings(gpu: Gpu): Item[] {
  const list = [
    ["gflops", "GFLOP/s", "multiply-adds from registers"],
    ["gb_per_s", "GB/s", "a copy from buffer to buffer, read and written"],
  ] as const;
  return list.map(([key, unit, name]) => ({
    ...SIZELESS,
    name,
    unit,
    work: () => CEILING_WORK[key] / 1e6,
    open: async () => {
      using stack = new DisposableStack();
      const { run } = await enterCeiling(gpu, stack.use(new Scratch(gpu)), key);
      const held = stack.move();
      return { run, [Symbol.dispose]: () => held.dispose() };
    },
  }));
}

/** Every variant of the Gram kernel on the tile of a matrix with itself. */
function listTiles(gpu: Gpu, tiles: Sizes["tiles"]): Item[] {
  return tiles.flatMap(({ name, layout, rows, isCurve }) =>
    VARIANTS.filter((variant) => canRun(gpu, variant, layout)).map((variant): Item => ({
      name: `${name}, ${variant.name}`,
      unit: "GFLOP/s",
      work: (count) => countFlops(layout.length, count) / 1e6,
      sizes: rows,
      growth: 2,
      isCurve,
      shape: (N) => ({ N, K: layout.length }),
      bytes: (count) => 4 * count * (layout.length + count),
      open: (count) => openTile(gpu, layout, count, variant),
    }))
  );
}

function openTile(gpu: Gpu, layout: RowLayout, count: number, variant: GramVariant): Trial {
  using stack = new DisposableStack();
  const rows = stack.use(new PackedRows(gpu, layout, count, { variant }));
  const sweep = stack.use(new TileSweep(rows, rows));
  const held = stack.move();
  return {
    run(repetitions) {
      const commands = gpu.record();
      for (let i = 0; i < repetitions; i++) {
        for (const index of sweep.places.keys()) {
          for (const _ of sweep.record(commands, sweep.tileAt(index))) commands.submit();
        }
      }
      commands.submit();
    },
    [Symbol.dispose]: () => held.dispose(),
  };
}

/** Steps of farthest-point clustering over more and more rows: a step reads all of them once. */
function listClusterings(gpu: Gpu, { rows, lengths, centroids }: Sizes["clustering"]): Item[] {
  return lengths.map((length) => ({
    name: `${centroids} steps, rows of ${length.toLocaleString("en")}`,
    unit: "GB/s",
    work: (count) => 4 * count * length * centroids / 1e6,
    sizes: rows,
    growth: 1,
    isCurve: true,
    shape: (N) => ({ N, K: length }),
    bytes: (count) => 4 * count * length,
    open: async (count) => {
      const layout = layOutPlain(length);
      const variant = await chooseVariant(gpu, layout);
      const held = new PackedRows(gpu, layout, count, { variant });
      const run = async (repetitions: number) => {
        for (let i = 0; i < repetitions; i++) {
          await clusterSamples(held, { ratio: centroids / count });
        }
      };
      return {
        run: (repetitions) => clock(() => run(repetitions)),
        [Symbol.dispose]: () => held.dispose(),
      };
    },
  }));
}

/** A tile's way to the host. */
function measureReading(gpu: Gpu, sizes: Sizes["tileBytes"]): Item {
  return {
    name: "a tile to the host",
    unit: "GB/s",
    work: (bytes) => bytes / 1e6,
    sizes,
    growth: 1,
    shape: (bytes) => ({ bytes }),
    bytes: (bytes) => 2 * bytes,
    open: (bytes) => {
      const scratch = new Scratch(gpu);
      const tile = scratch.create("tile", bytes / 4);
      const target = new ArrayBuffer(bytes);
      const run = async (repetitions: number) => {
        for (let i = 0; i < repetitions; i++) await gpu.read(tile, bytes, 0, target);
      };
      return {
        run: (repetitions) => clock(() => run(repetitions)),
        [Symbol.dispose]: () => scratch[Symbol.dispose](),
      };
    },
  };
}
