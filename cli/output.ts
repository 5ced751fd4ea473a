/**
 * Results on disk: whole or not at all, and never over another run's.
 *
 * @module
 */
import { findUsedAdapter } from "./adapter.ts";
import { encodeNpy, FileError, type NpyArray } from "../mod.ts";
import { onInterrupt } from "./interruption.ts";

/** What a run was asked to do, as its `run.json` records it: the same settings may write over their own results. */
export interface RunSettings {
  readonly command: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Name of the file that marks a folder as a run's. */
export const RUN_FILE = "run.json";

/** Folder within a run's in which an unfinished one keeps what it goes on with, and a file as {@linkcode RUN_FILE}. */
export const CHECKPOINT = ".resume";

/** A folder of results that appears when everything in it is written. */
export class OutputFolder {
  private constructor(
    readonly path: string,
    private readonly partial: string,
  ) {}

  /**
   * Runs `job` with a fresh folder, which takes the place of `path` when the job is done; when it fails nothing of it stays but what
   * it kept to go on with, which goes when the job is done.
   *
   * @throws {FileError} at once, if `path` holds anything but an earlier run of the same settings, finished or not.
   */
  static async fill<T>(
    path: string,
    settings: RunSettings,
    job: (folder: OutputFolder) => Promise<T>,
  ): Promise<T> {
    await refuseOtherRun(path, settings);
    const partial = `${path.replace(/[/\\]+$/, "")}.${crypto.randomUUID().slice(0, 8)}.partial`;
    using _listening = onInterrupt(() => removeSync(partial));
    try {
      await Deno.mkdir(partial, { recursive: true });
      const folder = new OutputFolder(path, partial);
      const result = await job(folder);
      await folder.writeJson(RUN_FILE, { ...settings, adapter: findUsedAdapter() });
      // the earlier results go only when the new ones stand
      const earlier = `${partial}.earlier`;
      await Deno.rename(path, earlier).catch(ignoreMissing);
      await Deno.rename(partial, path);
      removeSync(earlier);
      return result;
    } catch (cause) {
      throw isDiskError(cause)
        ? new FileError(path, `Cannot write ${path}: ${(cause as Error).message}`, { cause })
        : cause;
    } finally {
      removeSync(partial);
    }
  }

  /** Writes one array. */
  writeNpy(name: string, data: NpyArray["data"], shape: readonly number[]): Promise<void> {
    return this.writeBytes(name, encodeNpy(data, shape));
  }

  /** Writes a value as indented JSON. */
  writeJson(name: string, value: unknown): Promise<void> {
    return this.writeText(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  /** Writes a text. */
  writeText(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(`${this.partial}/${name}`, text);
  }

  /** Writes bytes. */
  writeBytes(name: string, bytes: Uint8Array): Promise<void> {
    return Deno.writeFile(`${this.partial}/${name}`, bytes);
  }
}

async function refuseOtherRun(path: string, settings: RunSettings): Promise<void> {
  const begun = await Deno.readTextFile(`${path}/${CHECKPOINT}/${RUN_FILE}`).catch(() => undefined);
  const other = begun && describeDifference(parse(begun), settings);
  if (other) {
    throw new FileError(
      path,
      `Cannot write ${path}: got an unfinished run of other settings (${other}), need the same; choose another --out or remove it`,
    );
  }
  const recorded = await Deno.readTextFile(`${path}/${RUN_FILE}`).catch(() => undefined);
  if (recorded !== undefined) {
    const difference = describeDifference(parse(recorded), settings);
    if (difference === undefined) return;
    throw new FileError(
      path,
      `Cannot write ${path}: got results of another run (${difference}), need a new folder; choose another --out or remove it`,
    );
  }
  const entry = await Deno.stat(path).catch(() => undefined);
  const isOurs = entry?.isDirectory &&
    (await Array.fromAsync(Deno.readDir(path))).every(({ name }) => name === CHECKPOINT);
  if (entry && !isOurs) {
    throw new FileError(
      path,
      `Cannot write ${path}: got a ${
        entry.isDirectory ? "folder that no run of lpntk wrote" : "file"
      }, need a new folder; choose another --out`,
    );
  }
}

/** The first setting that differs, or undefined. */
export function describeDifference(
  recorded: Partial<RunSettings>,
  settings: RunSettings,
): string | undefined {
  if (recorded.command !== settings.command) return `command ${recorded.command}`;
  const theirs = recorded.options ?? {};
  const ours: Record<string, unknown> = JSON.parse(JSON.stringify(settings.options));
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
    const [theirValue, ourValue] = [theirs[name], ours[name]].map((v) => JSON.stringify(v));
    if (theirValue !== ourValue) {
      return `${name} ${theirValue ?? "unset"}, now ${ourValue ?? "unset"}`;
    }
  }
  return undefined;
}

function parse(text: string): Partial<RunSettings> {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function removeSync(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    // it has been renamed, or was never made
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Errors of the file system, as opposed to those of the job itself. */
function isDiskError(error: unknown): boolean {
  return error instanceof Error &&
      Object.values(Deno.errors).some((kind) => error instanceof kind) ||
    (error as { code?: string }).code === "ENOSPC";
}
