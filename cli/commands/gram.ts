/** `lpntk gram`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  BudgetError,
  computeGram,
  type Dataset,
  type Engine,
  hashDataset,
  hashWeights,
  type HeldStore,
  KernelWriter,
  type Network,
  type SketchError,
  storeGram,
  type StoreSettings,
} from "../../mod.ts";
import { writeWhole } from "../../engine/files/file.ts";
import { openAdapter } from "../adapter.ts";
import { CHOICE, namesStore } from "../arrays.ts";
import {
  loadNetwork,
  measureSketch,
  type NetworkOptions,
  project,
  SKETCH_ERROR,
} from "../inputs.ts";
import { onInterrupt } from "../interruption.ts";
import { encodeSamples } from "../known_samples.ts";
import { MatrixFile } from "../matrix_file.ts";
import { chooseWeights, identifyModel } from "../model.ts";
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
import { say } from "../print.ts";

/** Adds the command. */
export function addGram(program: Command): void {
  program.command("gram")
    .description("compute a kernel matrix")
    .addOption(options.model().makeOptionMandatory())
    .addOption(options.weights())
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.kind())
    .addOption(options.layers())
    .addOption(options.parameters())
    .addOption(options.split())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .option("--cross", "compute training samples (rows) against test samples (columns)")
    .option("--full", ".zarr: store both triangles of the symmetric matrix")
    .option("--repair", ".zarr: check every chunk, and compute the broken ones again")
    .option("--force", ".npy: overwrite an existing matrix")
    .addOption(options.memory())
    .addOption(options.sketch())
    .addOption(
      options.out(
        "float32 matrix [N, N]: K.zarr in chunks, or K.npy in one file; the indices of its samples go into K.zarr/samples.npy or K.samples.npy, and a table of them beside it",
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...given }) => {
      const settings = { ...given, weights: chooseWeights(given) };
      checkSettings(out, settings);
      const version = program.version()!;
      const done = namesStore(out)
        ? await holdStore(out, (lease) => compute(settings, writeStore.bind(null, lease, version)))
        : await MatrixFile.fill(
          out,
          settings.force ?? false,
          (file) => compute(settings, writeMatrix.bind(null, file), { isHeld: true }),
        );
      const { shape, seconds, choice, columnChoice, tiles, sketch } = done;
      report(json, { ...settings, ...done }, [
        ...describeChoice("samples", choice),
        ...describeChoice("test samples", columnChoice),
        `${settings.kind} of ${shape.join(" x ")} samples in ${seconds.toFixed(1)} s`,
        ...tiles ? describeTiles(tiles) : [],
        ...describeSketch(sketch),
        `wrote ${out}`,
      ]);
    });
}

/** Runs a job that holds a store's folder, to which no other process writes meanwhile. */
async function holdStore<T>(out: string, job: (lease: HeldStore) => Promise<T>): Promise<T> {
  using lease = await KernelWriter.hold(out);
  using _listening = onInterrupt(() => lease.release());
  return await job(lease);
}

/**
 * Computes and writes a kernel, and returns what the summary tells of it.
 *
 * @param isHeld whether memory holds the whole matrix before it is written
 */
async function compute(
  settings: GramSettings & { readonly memory?: number },
  write: (job: Job) => Promise<Written>,
  { isHeld = false } = {},
) {
  const { rows: samples, columns } = await loadSides(settings);
  const [left, right] = [samples.data, columns?.data];
  const start = performance.now();
  const shape = [left.labels.length, (right ?? left).labels.length] as const;
  const heldBytes = isHeld ? 4 * shape[0] * shape[1] : 0;
  using engine = await openAdapter({ memoryBytes: settings.memory, heldBytes });
  using network = await loadNetwork(engine, settings, samples);
  const { choice } = samples;
  const columnChoice = columns?.choice;
  try {
    const sketch = await measureSketch(engine, network, left, settings, right);
    const job = { engine, network, left, right, shape, settings, choice, columnChoice, sketch };
    const { tiles, variant } = await write(job);
    for (const side of [left, right]) if (side) noteEmptyClasses(side);
    const seconds = (performance.now() - start) / 1000;
    const adapter = engine.adapter.name;
    return { choice, columnChoice, shape, tiles, seconds, adapter, variant, sketch };
  } catch (error) {
    throw nameMatrix(error, heldBytes);
  }
}

/** Adds to the error of a budget that is too small how much of it the matrix takes, where that is held whole before it is written. */
function nameMatrix(error: unknown, heldBytes: number): unknown {
  if (!(error instanceof BudgetError) || heldBytes === 0 || error.owner === "device") return error;
  return new BudgetError(
    `${error.message}, of which the matrix takes ${
      formatBytes(heldBytes)
    } where --out does not end in .zarr`,
    error.gotBytes,
    error.needBytes,
    error.owner,
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
  /** Samples of the columns, if they are not those of the rows. */
  readonly right: Dataset | undefined;
  readonly settings: GramSettings;
  /** How the samples of the rows were chosen, and of the columns if these are others. */
  readonly choice: SampleChoice;
  readonly columnChoice: SampleChoice | undefined;
  /** Rows and columns of the kernel. */
  readonly shape: readonly [number, number];
  /** Error of the entries, if the rows are sketched. */
  readonly sketch: SketchError | undefined;
}

/** Numbers of a store's tiles: all, those that were there before, and those that were there but broken. */
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
  if (/\.(test_)?samples\.npy$/.test(out)) {
    throw new UsageError(
      `got --out ${out}, need a name that does not end in .samples.npy or .test_samples.npy, which lie beside a matrix`,
    );
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

/** Loads the samples of a kernel's rows, and for `--cross` those of its columns; both are chosen together. */
async function loadSides(
  settings: GramSettings,
): Promise<{ readonly rows: Samples; readonly columns?: Samples }> {
  if (!settings.cross) return { rows: await loadSamples(settings) };
  const { train, test } = await loadTrainingSets(settings);
  return { rows: train, columns: test };
}

/** Tiles that were written, and the variant of the Gram kernel that computed them, if any were left to compute. */
interface Written {
  readonly tiles?: TileCounts;
  readonly variant?: string;
}

async function writeMatrix(file: MatrixFile, job: Job): Promise<Written> {
  const { engine, network, left, right, settings, choice, columnChoice } = job;
  using rows = await project(engine, network, left, settings, right?.labels.length);
  using columns = right && await project(engine, network, right, settings);
  const matrix = await withProgress(
    "multiplying",
    "tiles",
    (onProgress) => computeGram(rows, columns, { onProgress }),
  );
  const columnSide = right && columnChoice && { choice: columnChoice, samples: right };
  await file.write(matrix, job.shape, { choice, samples: left }, columnSide);
  return { variant: rows.gramVariant };
}

async function writeStore(lease: HeldStore, version: string, job: Job): Promise<Written> {
  const { engine, network, left, right, shape, settings, choice, sketch } = job;
  const { kind, layers, parameters, model, data, full, repair } = settings;
  const chunkRows = engine.planChunkRows(network);
  const store: StoreSettings = {
    shape,
    symmetry: right ? "none" : full ? "full" : "upper",
    chunkRows,
    job: {
      kind,
      // in the network's order; undefined if all layers count
      layers: layers && network.select(layers, parameters).map(({ name }) => name),
      parameters,
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
  };
  using writer = await withProgress(
    "checking",
    "tiles",
    (onProgress) => KernelWriter.open(lease, store, { repair, onProgress }),
  );
  const { tileCount: total, missingCount, brokenCount: broken } = writer;
  let variant: string | undefined;
  if (missingCount > 0) {
    const projected = (samples: Dataset, others?: number) =>
      project(engine, network, samples, { ...settings, tileRows: chunkRows }, others);
    using rows = await projected(left, right?.labels.length);
    using columns = right && await projected(right);
    variant = rows.gramVariant;
    using _listening = onInterrupt(() => {
      writer.dispose();
      say(
        `lpntk: interrupted; what ${writer.path} holds so far stays, and the same call goes on`,
      );
    });
    await withProgress(
      "multiplying",
      "tiles",
      (onProgress) => storeGram(writer, rows, columns, { onProgress }),
    );
  }
  for (const [name, side] of [["samples.csv", left], ["test_samples.csv", right]] as const) {
    if (!side?.indices) continue;
    const names = new TextEncoder().encode(encodeSamples(side, [...side.indices.keys()]));
    await writeWhole(`${writer.path}/${name}`, names);
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
