/**
 * The folder of a kernel that is being written, kept from other writers.
 *
 * @module
 */
import { explainWrite, PARTIAL } from "../formats/file.ts";
import { CHUNK_FOLDER, ZARR_FILE } from "../formats/zarr.ts";
import { FileError } from "../errors.ts";
import { INDEX_FILES } from "./index_files.ts";

/** Name of the file whose lock says that a process is writing. It stays, empty: whoever removed it could lock out nobody. */
const LOCK_FILE = ".lock";

/** The folder of a store, kept from other writers. */
export class StoreLock {
  #file: Deno.FsFile | undefined;

  private constructor(
    private readonly path: string,
    private readonly hasMadeFolder: boolean,
    file: Deno.FsFile,
  ) {
    this.#file = file;
  }

  static async take(path: string): Promise<StoreLock> {
    const isNew = await checkFolder(path);
    let file: Deno.FsFile | undefined;
    try {
      await Deno.mkdir(path, { recursive: true });
      file = await Deno.open(`${path}/${LOCK_FILE}`, { write: true, create: true });
      if (await file.tryLock(true)) return new StoreLock(path, isNew, file);
    } catch (cause) {
      file?.close();
      if (isNew) removeIfThere(path);
      throw explainWrite(path, cause);
    }
    file.close();
    throw new FileError(
      path,
      `Cannot write ${path}: got a store that another process is writing, need it free; wait for that process to end`,
    );
  }

  /** Unlocks; `remove` takes the files away that every store has. */
  release({ remove }: { remove: boolean }): void {
    if (!this.#file) return;
    if (remove) {
      // while it is still locked, so that nobody's store goes
      removeIfThere(`${this.path}/${CHUNK_FOLDER}`, { recursive: true });
      for (const name of [ZARR_FILE, ...INDEX_FILES]) removeIfThere(`${this.path}/${name}`);
      removeIfThere(`${this.path}/${LOCK_FILE}`);
      if (this.hasMadeFolder) removeIfThere(this.path);
    }
    this.#file.close();
    this.#file = undefined;
  }
}

/**
 * Whether a folder is still to be made.
 *
 * @throws {FileError} when there is a file, or a folder that is neither empty nor a store.
 */
async function checkFolder(path: string): Promise<boolean> {
  const entry = await Deno.stat(path).catch(() => undefined);
  if (!entry) return true;
  const names = entry.isDirectory ? await Array.fromAsync(Deno.readDir(path), (e) => e.name) : [];
  const isStore = names.includes(ZARR_FILE) ||
    names.every((name) => name === LOCK_FILE || name.endsWith(PARTIAL));
  if (entry.isDirectory && isStore) return false;
  throw new FileError(
    path,
    `Cannot write ${path}: got a ${
      entry.isDirectory ? "folder with other files" : "file"
    }, need a new folder or an unfinished kernel`,
  );
}

function removeIfThere(path: string, { recursive = false } = {}): void {
  try {
    Deno.removeSync(path, { recursive });
  } catch {
    // it was never made, or somebody has put something in it
  }
}
