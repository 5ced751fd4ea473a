/** `lpntk gram`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  BudgetError,
  computeGram,
  type Dataset,
  encodeNpy,
  type Engine,
  FileError,
  hashDataset,
  hashWeights,
  KernelWriter,
  type Network,
  type SketchError,
  storeGram,
  writeNpy,
  writeWhole,
} from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { CHOICE, nameFilesBeside, namesStore } from "../arrays.ts";
import {
  loadNetwork,
  measureSketch,
  type NetworkOptions,
  project,
  SKETCH_ERROR,
} from "../inputs.ts";
import { onInterrupt } from "../interruption.ts";
import { identifyModel } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
import {
  describeChoice,
  loadSamples,
  loadTrainingSets,
  type SampleChoice,
  type Samples,
} from "../samples.ts";
import { formatBytes } from "../units.ts";
import { UsageError } from "../usage.ts";
import { withProgress } from "../progress.ts";
import { describeSketch, options, report } from "./shared.ts";

/** Adds the command. */
export function addGram(program: Command): void {
  program.command("gram")
    .description("compute a kernel matrix")
    .addOption(options.model().makeOptionMandatory())
    .addOption(options.weights().makeOptionMandatory())
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.kind())
    .addOption(options.layers())
    .addOption(options.split())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .option("--cross", "training samples against test samples")
    .option("--full", ".zarr: store both sides of the diagonal")
    .option("--repair", ".zarr: check every chunk, and compute the broken ones again")
    .option("--force", ".npy: write over a matrix that is there")
    .addOption(options.memory())
    .addOption(options.sketch())
    .addOption(
      options.out(
        "float32 matrix [N, N], .zarr in chunks or .npy whole; which samples it is of in samples.npy in it, or K.samples.npy beside K.npy",
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      checkSettings(out, settings);
      if (!namesStore(out)) await refuseOtherMatrix(out, settings.force);
      const { rows: samples, columns } = await loadSides(settings);
      const [left, right] = [samples.data, columns?.data];
      const start = performance.now();
      const heldBytes = namesStore(out)
        ? 0
        : 4 * left.labels.length * (right ?? left).labels.length;
      using engine = await openAdapter({ memoryBytes: settings.memory, heldBytes });
      using network = await loadNetwork(engine, settings, samples);
      const { choice } = samples;
      const columnChoice = columns?.choice;
      const job = { engine, network, left, right, settings, choice, columnChoice };
      const compute = async () => {
        const sketch = await measureSketch(engine, network, left, settings, right);
        const written = namesStore(out)
          ? await writeStore(out, { ...job, sketch }, program.version()!)
          : await writeMatrix(out, job);
        return { sketch, ...written };
      };
      const { sketch, tiles, variant } = await compute().catch((error) => {
        throw nameMatrix(error, heldBytes);
      });
      for (const side of [left, right]) if (side) noteEmptyClasses(side);
      const seconds = (performance.now() - start) / 1000;
      const shape = [left.labels.length, (right ?? left).labels.length];
      const adapter = engine.adapter.name;
      const chosen = { choice, columnChoice };
      report(json, { ...settings, ...chosen, shape, tiles, seconds, adapter, variant, sketch }, [
        ...describeChoice("samples", choice),
        ...describeChoice("test samples", columnChoice),
        `${settings.kind} of ${shape.join(" x ")} samples in ${seconds.toFixed(1)} s`,
        ...tiles ? describeTiles(tiles) : [],
        ...describeSketch(sketch),
        `wrote ${out}`,
      ]);
    });
}

/** Says of a budget that is too small what a matrix takes of it which is held whole before it is written. */
function nameMatrix(error: unknown, heldBytes: number): unknown {
  if (!(error instanceof BudgetError) || heldBytes === 0) return error;
  return new BudgetError(
    `${error.message}, of which the matrix takes ${
      formatBytes(heldBytes)
    } where --out does not end in .zarr`,
    error.gotBytes,
    error.needBytes,
  );
}

interface GramSettings extends NetworkOptions {
  readonly cross?: true;
  readonly full?: true;
  readonly repair?: true;
  readonly force?: true;
}

/** A network and the samples on both sides of its kernel. */
interface Job {
  readonly engine: Engine;
  readonly network: Network;
  readonly left: Dataset;
  /** The columns' samples where they are others. */
  readonly right: Dataset | undefined;
  readonly settings: GramSettings;
  /** How the rows' samples were chosen, and the columns' where they are others. */
  readonly choice: SampleChoice;
  readonly columnChoice: SampleChoice | undefined;
}

/** A job whose numbers say of themselves how far off they are, where they are sketched. */
interface StoreJob extends Job {
  readonly sketch: SketchError | undefined;
}

/** Tiles of a store: all of them, those that were there before, and those that were there but broken. */
interface TileCounts {
  readonly total: number;
  readonly found: number;
  readonly broken: number;
}

function checkSettings(out: string, { cross, full, repair, force, split }: GramSettings): void {
  const isStore = namesStore(out);
  if (!isStore && !out.endsWith(".npy")) {
    throw new UsageError(`got --out ${out}, need a name that ends in .zarr or .npy`);
  }
  for (const [flag, value] of Object.entries({ full, repair })) {
    if (value && !isStore) {
      throw new UsageError(
        `got --${flag} with --out ${out}, need a name that ends in .zarr`,
      );
    }
  }
  if (force && isStore) {
    throw new UsageError(`got --force with --out ${out}, need a name that ends in .npy`);
  }
  if (cross && split === "test") {
    throw new UsageError("got both --cross and --split test, need one of them");
  }
  if (cross && full) {
    throw new UsageError("got both --cross and --full, need one of them: it has no diagonal");
  }
}

/** The samples of a kernel; of one with other samples as columns, both are chosen together. */
async function loadSides(
  settings: GramSettings,
): Promise<{ readonly rows: Samples; readonly columns?: Samples }> {
  if (!settings.cross) return { rows: await loadSamples(settings) };
  const { train, test } = await loadTrainingSets(settings);
  return { rows: train, columns: test };
}

/** @throws {FileError} if a matrix is there, or what tells of one. */
async function refuseOtherMatrix(out: string, force: true | undefined): Promise<void> {
  for (const path of force ? [] : [out, ...Object.values(nameFilesBeside(out))]) {
    const entry = await Deno.lstat(path).catch((cause) => {
      if (cause instanceof Deno.errors.NotFound) return undefined;
      throw new FileError(path, `Cannot write ${out}: ${cause.message}`, { cause });
    });
    if (!entry) continue;
    throw new FileError(
      path,
      `Cannot write ${out}: got ${path} already, need a new name; choose another --out, or --force to write over it`,
    );
  }
}

/**
 * Writes a matrix and which samples it is of; if one cannot be written, none of them. A matrix that is written over goes first with what
 * told of it, so that neither ever stands beside what is the other's.
 */
async function writeMatrixOf(
  out: string,
  matrix: Float32Array,
  { left, right, choice, columnChoice }: Job,
): Promise<void> {
  const { choice: choiceFile, rows, columns } = nameFilesBeside(out);
  const text = `${JSON.stringify({ [CHOICE]: choice, columnChoice }, null, 2)}\n`;
  const beside: readonly (readonly [string, Uint8Array | undefined])[] = [
    [choiceFile, new TextEncoder().encode(text)],
    [rows, left.indices && encodeNpy(left.indices, [left.indices.length])],
    [columns, right?.indices && encodeNpy(right.indices, [right.indices.length])],
  ];
  try {
    await Deno.remove(out).catch(() => {});
    for (const [path, bytes] of beside) {
      await Deno.remove(path).catch(() => {});
      if (bytes) await writeWhole(path, bytes);
    }
    await writeNpy(out, matrix, [left.labels.length, (right ?? left).labels.length]);
  } catch (error) {
    for (const [path] of beside) await Deno.remove(path).catch(() => {});
    throw error;
  }
}

/** What was written, and the variant of the Gram kernel that computed it, if anything was left to compute. */
interface Written {
  readonly tiles?: TileCounts;
  readonly variant?: string;
}

async function writeMatrix(out: string, job: Job): Promise<Written> {
  const { engine, network, left, right, settings } = job;
  using rows = await project(engine, network, left, settings, right?.labels.length);
  using columns = right && await project(engine, network, right, settings);
  const matrix = await withProgress(
    "multiplying",
    "tiles",
    (onProgress) => computeGram(rows, columns, onProgress),
  );
  await writeMatrixOf(out, matrix, job);
  return { variant: rows.variant.name };
}

async function writeStore(out: string, job: StoreJob, version: string): Promise<Written> {
  const { engine, network, left, right, settings, choice, sketch } = job;
  const { kind, layers, model, data, full, repair } = settings;
  const chunkRows = engine.planChunkRows(network);
  using writer = await KernelWriter.open(out, {
    shape: [left.labels.length, (right ?? left).labels.length],
    symmetry: right ? "none" : full ? "full" : "upper",
    chunkRows,
    job: {
      kind,
      // in the network's order; nothing where all of them count
      layers: layers && network.select(layers).map(({ name }) => name),
      model: await identifyModel(model),
      weights: hashWeights(await network.weights()),
      rows: describeSamples(left),
      columns: describeSamples(right ?? left),
      sketch: sketch ? `${sketch.dimension} numbers, seed ${sketch.seed}` : "none",
      lpntk: version,
      deno: Deno.version.deno,
      adapter: engine.adapter.identity,
    },
    notes: {
      data,
      created: new Date().toISOString(),
      [CHOICE]: choice,
      [SKETCH_ERROR]: sketch,
    },
    indices: { rows: left.indices, columns: right?.indices },
  }, { repair });
  const { tileCount: total, missingCount, brokenCount: broken } = writer;
  let variant: string | undefined;
  if (missingCount > 0) {
    const projected = (samples: Dataset, others?: number) =>
      project(engine, network, samples, { ...settings, tileRows: chunkRows }, others);
    using rows = await projected(left, right?.labels.length);
    using columns = right && await projected(right);
    variant = rows.variant.name;
    using _listening = onInterrupt(() =>
      console.error(
        `lpntk: interrupted; what ${out} holds so far stays, and the same call goes on`,
      )
    );
    await withProgress(
      "multiplying",
      "tiles",
      (onProgress) => storeGram(writer, rows, columns, onProgress),
    );
  }
  return { tiles: { total, found: total - missingCount, broken }, variant };
}

function describeSamples(data: Dataset) {
  const { split, labels: { length: samples } } = data;
  return { split, samples, sha256: hashDataset(data) };
}

function describeTiles({ total, found, broken }: TileCounts): string[] {
  return [
    ...found > 0 ? [`${found} of ${total} tiles were there`] : [],
    ...broken > 0 ? [`broken tiles that were computed again: ${broken}`] : [],
  ];
}
