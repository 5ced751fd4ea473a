/**
 * Folders of results: written whole or not at all, and never over another run's.
 *
 * @module
 */
import { basename } from "node:path";
import { findUsedAdapter } from "./adapter.ts";
import {
  FileError,
  type FolderSplits,
  listFolderFiles,
  type NpyArray,
  saveWeights,
  type Weights,
  writeNpy,
} from "../mod.ts";
import { explainWrite, removeIfThere, writeWhole } from "../engine/files/file.ts";
import { LOCK_FILE, refuseOther, refuseOtherFiles } from "../engine/files/folder.ts";
import { Lease } from "../engine/files/lease.ts";
import { onInterrupt } from "./interruption.ts";
import { encodeSamples, type KnownSamples, nameTable, toIndices } from "./known_samples.ts";
import { isListOfNames, PartialResults } from "./partial_results.ts";

/** Command and options of a run, as its `run.json` records them: the same settings may overwrite their own results. */
export interface RunSettings {
  readonly command: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Name of the file that marks a folder as a run's. It lists the other files, and appears last. */
export const RUN_FILE = "run.json";

/** Name of the folder within a run's in which an unfinished run keeps what it resumes from, with a {@linkcode RUN_FILE} of its own. */
export const CHECKPOINT = ".resume";

/** Name of the folder within a run's that holds the results until all of them are there. */
const PARTIAL_FOLDER = ".partial";

/** Options that were given in the call, which a refusal names first. */
let given: readonly string[] = [];

/** Sets which options were given in the call. */
export function setGiven(names: readonly string[]): void {
  given = names;
}

/** Hashes a file, to record what results are computed from: its SHA-256, 64 hexadecimal digits. */
export async function hashFile(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/** Contents of an earlier run's `run.json`. */
interface Earlier extends RunSettings {
  readonly files: readonly string[];
  readonly inputs: Readonly<Record<string, string>>;
}

/** A folder of results, which appear in it when all of them are written. */
export class OutputFolder {
  readonly #partial: PartialResults;
  #earlier: Earlier | undefined;
  /** SHA-256 of what the results are computed from, by name. */
  #inputs: Readonly<Record<string, string>> = {};

  private constructor(
    readonly path: string,
    private readonly lease: Lease,
  ) {
    this.#partial = new PartialResults(path, `${path}/${PARTIAL_FOLDER}`, RUN_FILE);
  }

  /**
   * Runs `job` with a folder that no other process writes to meanwhile, and then moves what it wrote into place, over the results of an earlier run.
   * If it fails, nothing of it stays but its checkpoint, which is removed when the job is done.
   *
   * @throws {FileError} before the job, if `path` cannot be written, another process writes it, or it holds anything but an earlier run of the same
   * settings, finished or not.
   */
  static async fill<T>(
    path: string,
    settings: RunSettings,
    job: (folder: OutputFolder) => Promise<T>,
  ): Promise<T> {
    const folder = new OutputFolder(path, await Lease.take(`${path}/${LOCK_FILE}`, path));
    using _listening = onInterrupt(() => folder.#leave());
    try {
      folder.#enter(settings);
      const result = await job(folder);
      await folder.#finish(settings);
      return result;
    } finally {
      folder.#leave();
    }
  }

  /**
   * Records the inputs of the results; call it before they are computed.
   *
   * @param inputs SHA-256 of each input by its name, such as `weights`; undefined for inputs that are not used
   * @throws {FileError} if earlier results were computed from other inputs, which the message names.
   */
  declare(inputs: Readonly<Record<string, string | undefined>>): void {
    const used = Object.entries(inputs).filter((entry): entry is [string, string] =>
      entry[1] !== undefined
    );
    this.#inputs = { ...this.#inputs, ...Object.fromEntries(used) };
    const others = used.filter(([name, digest]) =>
      this.#earlier && this.#earlier.inputs[name] !== digest
    );
    if (others.length === 0) return;
    throw new FileError(
      this.path,
      `Cannot go on with ${this.path}: got results computed from other contents of ${
        others.map(([name]) => name).join(", ")
      }, need the same; choose another folder or remove it`,
    );
  }

  /** Writes a matrix, `[rows, columns]`. What is said of single samples has a table beside it, which the methods below write. */
  writeMatrix(
    name: string,
    data: NpyArray["data"],
    shape: readonly [rows: number, columns: number],
  ): Promise<void> {
    return this.#writeNpy(name, data, shape);
  }

  /** Writes a flag or number of each sample, `[N]`, and beside it a table that names the samples, in which the values have the file's name. */
  async writeValues(
    name: string,
    values: Uint8Array | Int32Array | Float32Array,
    samples: KnownSamples,
  ): Promise<void> {
    const column = { name: basename(name, ".npy"), values };
    await this.#writeNpy(name, values, [values.length]);
    await this.writeText(nameTable(name), encodeSamples(samples, [...values.keys()], column));
  }

  /** Writes a number of each sample, `[N]`, and beside it a table of the caller's own, which names the samples too. */
  async writeTabled(name: string, values: Int32Array, table: string): Promise<void> {
    await this.#writeNpy(name, values, [values.length]);
    await this.writeText(nameTable(name), table);
  }

  /** Writes the indices of samples in the whole split, `[K]` i32, and beside them a table that names these samples. */
  async writeIndices(
    name: string,
    positions: ArrayLike<number>,
    samples: KnownSamples,
  ): Promise<void> {
    await this.#writeNpy(name, toIndices(positions, samples), [positions.length]);
    await this.writeText(nameTable(name), encodeSamples(samples, positions));
  }

  /** Writes which samples of their split these are, as {@linkcode OutputFolder.writeIndices} does; nothing for a whole split. */
  async writeSamples(samples: KnownSamples, name = "samples.npy"): Promise<void> {
    const { indices } = samples;
    if (indices) await this.writeIndices(name, [...indices.keys()], samples);
  }

  /** Writes weights, with texts that tell of them. */
  writeWeights(
    name: string,
    weights: Weights,
    metadata: Readonly<Record<string, string>>,
  ): Promise<void> {
    return this.#write(name, (path) => saveWeights(path, weights, { metadata }));
  }

  /** Writes a data set as `writeFolder` does. */
  async writeDataset(splits: FolderSplits): Promise<void> {
    for (const [name, write] of listFolderFiles(splits)) await this.#write(name, write);
  }

  /** Writes a value as indented JSON. */
  writeJson(name: string, value: unknown): Promise<void> {
    return this.writeText(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  /** Writes a text. */
  writeText(name: string, text: string): Promise<void> {
    return this.#write(name, (path) => writeWhole(path, new TextEncoder().encode(text)));
  }

  /** @throws {FileError} if another process has taken the folder over. */
  check(): void {
    this.lease.check();
  }

  #writeNpy(name: string, data: NpyArray["data"], shape: readonly number[]): Promise<void> {
    return this.#write(name, (path) => writeNpy(path, data, shape));
  }

  #write(name: string, write: (path: string) => Promise<void>): Promise<void> {
    this.check();
    return this.#partial.write(name, write);
  }

  #enter(settings: RunSettings): void {
    if (this.#partial.isComplete) {
      this.#partial.move();
      this.#removeCheckpoint();
    }
    refuseOtherFiles(this.path, { marker: RUN_FILE, own: [PARTIAL_FOLDER, CHECKPOINT] });
    refuseOtherCheckpoint(`${this.path}/${CHECKPOINT}`);
    this.#earlier = readEarlier(this.path, settings);
    this.#partial.begin();
  }

  async #finish(settings: RunSettings): Promise<void> {
    const files = this.#partial.names;
    const { command, options } = settings;
    const [adapter, inputs] = [findUsedAdapter(), this.#inputs];
    await this.writeJson(RUN_FILE, { command, options, adapter, inputs, files });
    await this.#partial.finish(this.#earlier ? [...this.#earlier.files, RUN_FILE] : []);
    this.#removeCheckpoint();
  }

  #removeCheckpoint(): void {
    removeIfThere(`${this.path}/${CHECKPOINT}`, { recursive: true });
  }

  #leave(): void {
    if (this.lease.isOurs()) this.#partial.discard();
    this.lease.release();
  }
}

/** @throws {FileError} if a folder of the checkpoint's name is somebody else's. */
function refuseOtherCheckpoint(path: string): void {
  let names: string[];
  try {
    names = Array.from(Deno.readDirSync(path), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw explainWrite(path, error);
  }
  // its record is written first; a process that was killed then may have left a part of it
  if (names.includes(RUN_FILE) || names.every((name) => name.startsWith(`${RUN_FILE}.`))) return;
  throw new FileError(
    path,
    `Cannot write ${path}: got a folder that no run of lpntk wrote (${
      names[0]
    }), need that name; move it away`,
  );
}

/** @throws {FileError} if a run of other settings was begun or finished in the folder. */
function readEarlier(path: string, settings: RunSettings): Earlier | undefined {
  const begun = readJson(`${path}/${CHECKPOINT}/${RUN_FILE}`);
  if (begun) refuseOtherSettings(path, "an unfinished run", begun, settings);
  const earlier = readJson(`${path}/${RUN_FILE}`);
  if (!earlier) return undefined;
  refuseOtherSettings(path, "results", earlier, settings);
  const { files, inputs } = earlier;
  if (isListOfNames(files) && inputs && typeof inputs === "object") {
    return { ...settings, files, inputs };
  }
  throw new FileError(
    path,
    `Cannot write ${path}: got results of an older version, whose ${RUN_FILE} does not list its files and inputs, need others; choose another --out or remove it`,
  );
}

function refuseOtherSettings(
  path: string,
  what: string,
  theirs: Partial<RunSettings>,
  ours: RunSettings,
): void {
  refuseOther(path, what, { command: theirs.command }, { command: ours.command });
  refuseOther(path, what, theirs.options ?? {}, ours.options, given);
}

/** Reads a file that a run wrote; an empty object if it is damaged, undefined if there is none. */
function readJson(path: string): Partial<Earlier> | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
