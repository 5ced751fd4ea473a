/**
 * What an unfinished run of a command keeps within its folder of results, so that the same call goes on where a process ended.
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

/** What the numbers of a run depend on beside its settings. */
interface Origin {
  readonly engine: Engine;
  readonly model: string;
  /** By name. */
  readonly sets: Readonly<Record<string, Dataset | undefined>>;
}

/** Files of an unfinished run; they go when its results stand. */
export class Checkpoint {
  private constructor(
    private readonly folder: OutputFolder,
    private readonly path: string,
    private readonly record: RunSettings & { readonly origin: RunSettings["options"] },
  ) {}

  /**
   * Finds what an earlier call kept, and says on standard error that it goes on; nothing is written yet.
   *
   * @param folder where the results will be, which holds no unfinished run of other settings: it has seen to it
   * @throws {FileError} if what was kept, or earlier results, are of other samples or another network, or what was kept is of another
   * adapter or version, whose numbers would be others.
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

  /** A file's path and bytes; nothing where there is none. */
  async read(name: string): Promise<{ path: string; bytes: Uint8Array } | undefined> {
    const path = `${this.path}/${name}`;
    return await isFile(path) ? { path, bytes: await Deno.readFile(path) } : undefined;
  }

  /** Writes a file, whole, over an earlier one. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.folder.check();
    const record = `${this.path}/${RUN_FILE}`;
    if (!await isFile(record)) await writeWhole(record, encodeJson(this.record));
    await writeWhole(`${this.path}/${name}`, bytes);
  }

  /** What work gives, or gave in an earlier call; kept as JSON. */
  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const file = `${name}.json`;
    if (await isFile(`${this.path}/${file}`)) return await readJson(`${this.path}/${file}`);
    const value = await work();
    await this.write(file, encodeJson(value));
    return value;
  }

  /** Does a run's work. Of what diverges nothing is kept: the same call would only diverge again. */
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
