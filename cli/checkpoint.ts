/**
 * Checkpoints: what an unfinished run keeps within its folder of results, so that the same call resumes it.
 *
 * @module
 */
import { resolve } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import { type Dataset, type Engine, FileError, hashDataset, NonFiniteError } from "../mod.ts";
import { removeIfThere, removePartials, writeWhole } from "../engine/files/file.ts";
import { describeDifference } from "../engine/files/folder.ts";
import { encodeJson, readJson } from "./experiments/json.ts";
import { identifyModel } from "./model.ts";
import { CHECKPOINT, type OutputFolder, RUN_FILE, type RunSettings } from "./output.ts";
import { say } from "./print.ts";

/** Inputs that a run's results depend on beside its settings. */
interface Origin {
  readonly engine: Engine;
  readonly model: string;
  /** Data sets by their names in the record. */
  readonly sets: Readonly<Record<string, Dataset | undefined>>;
}

/** Files of an unfinished run, which are removed once its results are complete. */
export class Checkpoint {
  private constructor(
    private readonly folder: OutputFolder,
    private readonly path: string,
    private readonly record: RunSettings & { readonly origin: RunSettings["options"] },
  ) {}

  /**
   * Finds what an earlier call kept, and says on standard error if the run is resumed; writes nothing yet.
   *
   * @param folder of the results, which has already refused an unfinished run of other settings
   * @throws {FileError} if what was kept, or earlier results, were computed from other samples or another network, or what was kept on another
   * adapter or by another version, whose results would differ.
   */
  static async open(
    folder: OutputFolder,
    settings: RunSettings,
    { engine, model, sets }: Origin,
  ): Promise<Checkpoint> {
    const hashes = Object.entries(sets).map(([name, set]) => [name, set && hashDataset(set)]);
    const inputs = { network: await identifyModel(model), ...Object.fromEntries(hashes) };
    folder.declare(inputs);
    const origin = { version: manifest.version, adapter: engine.adapter.identity, ...inputs };
    const path = `${folder.path}/${CHECKPOINT}`;
    const checkpoint = new Checkpoint(folder, path, { ...settings, origin });
    if (!await isFile(`${path}/${RUN_FILE}`)) return checkpoint;
    const { origin: earlier } = await readJson<Checkpoint["record"]>(`${path}/${RUN_FILE}`);
    const difference = describeDifference(earlier, origin);
    if (difference !== undefined) {
      throw new FileError(
        path,
        `Cannot go on with ${folder.path}: got an unfinished run of another origin (${difference}), need the same; choose another --out or remove ${path}`,
      );
    }
    await removePartials(path);
    say(`lpntk: goes on with the unfinished run in ${resolve(path)}`);
    return checkpoint;
  }

  /** Reads a file: its path and bytes, or undefined if there is none. */
  async read(name: string): Promise<{ path: string; bytes: Uint8Array } | undefined> {
    const path = `${this.path}/${name}`;
    return await isFile(path) ? { path, bytes: await Deno.readFile(path) } : undefined;
  }

  /** Writes a file whole or not at all, over an earlier one. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.folder.check();
    const record = `${this.path}/${RUN_FILE}`;
    if (!await isFile(record)) await writeWhole(record, encodeJson(this.record));
    await writeWhole(`${this.path}/${name}`, bytes);
  }

  /** Does a piece of work and keeps its result as JSON; returns an earlier call's result if there is one. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const file = `${name}.json`;
    if (await isFile(`${this.path}/${file}`)) return await readJson(`${this.path}/${file}`);
    const value = await work();
    await this.write(file, encodeJson(value));
    return value;
  }

  /** Does a run's work, and removes the checkpoint if training diverges: the same call would only diverge again. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof NonFiniteError) removeIfThere(this.path, { recursive: true });
      throw error;
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isFile }) => isFile, () => false);
}
