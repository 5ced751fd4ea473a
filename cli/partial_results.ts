/**
 * Staging of results: written aside until all of them are there, and then moved into place.
 *
 * @module
 */
import { FileError } from "../mod.ts";
import { explainWrite, removeIfThere, writeWhole } from "../engine/files/file.ts";

/** Name of the file that lists what to move; it exists only once everything is written. */
const MOVES_FILE = ".moves.json";

/** Name of the first file in the folder aside, which marks the folder as ours if the process is killed. */
const OWN_FILE = ".lpntk";

/** Files to move, and earlier ones that they replace. */
interface Moves {
  readonly files: readonly string[];
  /** Earlier results, which are overwritten, or removed where no new file takes their name. */
  readonly earlier: readonly string[];
}

/** Results on their way to a folder. */
export class PartialResults {
  readonly #names = new Set<string>();
  #isBegun = false;

  /**
   * @param folder folder of the results
   * @param aside folder that holds them until all are there
   * @param marker name of the file without which the others do not count: it is removed first, and moved last
   */
  constructor(
    private readonly folder: string,
    private readonly aside: string,
    private readonly marker: string,
  ) {}

  /** Names of the files that were written, sorted. */
  get names(): string[] {
    return [...this.#names].sort();
  }

  /** Whether a process wrote everything, and may have ended before all was moved. */
  get isComplete(): boolean {
    return isThere(`${this.aside}/${MOVES_FILE}`);
  }

  /**
   * Creates the empty folder aside, so that a failure shows before any work.
   *
   * @param longest longest name of a file that will be written
   * @throws {FileError} if it cannot be created, or exists and is not ours.
   */
  begin(longest = OWN_FILE): void {
    this.#removeLeft();
    try {
      Deno.mkdirSync(this.aside);
      this.#isBegun = true;
      Deno.writeTextFileSync(`${this.aside}/${OWN_FILE}`, "");
    } catch (cause) {
      throw explainWrite(this.aside, cause);
    }
    try {
      // a file's name is this long while it is written
      const probe = `${this.aside}/${longest}.00000000.partial`;
      Deno.writeTextFileSync(probe, "");
      Deno.removeSync(probe);
    } catch (cause) {
      throw explainWrite(`${this.folder}/${longest}`, cause);
    }
  }

  /** Removes what a killed process left. */
  #removeLeft(): void {
    if (!isThere(this.aside)) return;
    const names = Deno.lstatSync(this.aside).isDirectory
      ? Array.from(Deno.readDirSync(this.aside), ({ name }) => name)
      : undefined;
    if (names && (names.length === 0 || names.includes(OWN_FILE))) {
      removeIfThere(this.aside, { recursive: true });
      return;
    }
    throw new FileError(
      this.aside,
      `Cannot write ${this.aside}: got ${
        names ? "a folder" : "a file"
      } that no run of lpntk wrote, need that name; move it away`,
    );
  }

  /**
   * Writes one file.
   *
   * @param write writes it under a path, whole or not at all
   */
  async write(name: string, write: (path: string) => Promise<void>): Promise<void> {
    await this.#write(name, write);
    this.#names.add(name);
  }

  /**
   * Moves everything into place.
   *
   * @param earlier names of earlier results
   * @throws {FileError} if a file that is not ours has one of the names; what was written then stays for {@linkcode move}.
   */
  async finish(earlier: readonly string[]): Promise<void> {
    const moves: Moves = { files: this.names, earlier };
    const bytes = new TextEncoder().encode(`${JSON.stringify(moves)}\n`);
    await this.#write(MOVES_FILE, (path) => writeWhole(path, bytes));
    this.move();
  }

  /** Moves complete results into place, from wherever an earlier process stopped; synchronous, so that no signal's listener runs in between. */
  move(): void {
    const { files, earlier } = readMoves(`${this.aside}/${MOVES_FILE}`);
    // the marker is moved last: where it is gone, everything has been moved
    if (isThere(`${this.aside}/${this.marker}`)) {
      const left = files.filter((name) => isThere(`${this.aside}/${name}`));
      const foreign = left.find((name) =>
        !earlier.includes(name) && isThere(`${this.folder}/${name}`)
      );
      if (foreign !== undefined) {
        throw new FileError(
          `${this.folder}/${foreign}`,
          `Cannot write ${this.folder}/${foreign}: got a file that no run of lpntk wrote, need that name; move it away, and the next call puts the results there`,
        );
      }
      // checked before anything is moved, so that the earlier results stay whole
      for (const name of left) refuseFolder(`${this.folder}/${name}`);
      removeFile(`${this.folder}/${this.marker}`);
      for (const name of left) if (name !== this.marker) this.#move(name);
      for (const name of earlier) {
        if (!files.includes(name)) removeIfThere(`${this.folder}/${name}`);
      }
      this.#move(this.marker);
    }
    removeIfThere(this.aside, { recursive: true });
  }

  /** Removes what was written, unless it is complete. */
  discard(): void {
    if (this.#isBegun && !this.isComplete) removeIfThere(this.aside, { recursive: true });
  }

  #move(name: string): void {
    const path = `${this.folder}/${name}`;
    try {
      Deno.renameSync(`${this.aside}/${name}`, path);
    } catch (cause) {
      throw explainWrite(path, cause);
    }
  }

  async #write(name: string, write: (path: string) => Promise<void>): Promise<void> {
    try {
      await write(`${this.aside}/${name}`);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // names the file as the user knows it
      throw explainWrite(`${this.folder}/${name}`, error.cause);
    }
  }
}

/** @throws {FileError} if there is a folder where a file has to be. */
function refuseFolder(path: string): void {
  if (!isThere(path) || !Deno.lstatSync(path).isDirectory) return;
  throw new FileError(
    path,
    `Cannot write ${path}: got a folder where a file has to be, need that name; move it away, and the next call puts the results there`,
  );
}

/** @throws {FileError} if it is there and cannot be removed, as where something is mounted there. */
function removeFile(path: string): void {
  if (!isThere(path)) return;
  try {
    Deno.removeSync(path);
  } catch (cause) {
    throw explainWrite(path, cause);
  }
}

/** Whether anything exists at a path, be it a link to nothing. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (isAbsent) return false;
    throw explainWrite(path, error);
  }
}

/**
 * Reads which files to move.
 *
 * @throws {FileError} unless the list is as lpntk writes it, since files are removed by it.
 */
function readMoves(path: string): Moves {
  try {
    const { files, earlier } = JSON.parse(Deno.readTextFileSync(path));
    if (isListOfNames(files) && isListOfNames(earlier)) return { files, earlier };
  } catch {
    // no JSON
  }
  throw new FileError(
    path,
    `Cannot use ${path}: got another text, need it as lpntk writes it; remove the folder that it lies in`,
  );
}

/** Whether a value is a list of plain names, none of which leads out of its folder. */
export function isListOfNames(value: unknown): value is string[] {
  return Array.isArray(value) &&
    value.every((name) => typeof name === "string" && /^(?!\.{1,2}$)[^/\\]+$/.test(name));
}
