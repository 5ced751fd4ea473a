/**
 * Results that are written aside until all of them are there, and then moved to their places.
 *
 * @module
 */
import { explainWrite, FileError, removeIfThere, writeWhole } from "../mod.ts";

/** Name of the file that lists what is to be moved. Where it is there, everything is. */
const MOVES_FILE = ".moves.json";

/** Name of the first file in the folder, by which what a killed process left is known. */
const OWN_FILE = ".lpntk";

/** What is to be moved. */
interface Moves {
  readonly files: readonly string[];
  /** Earlier results: they may be written over, and go where no new ones take their place. */
  readonly earlier: readonly string[];
}

/** Results on their way to a folder. */
export class PartialResults {
  readonly #names = new Set<string>();
  #isBegun = false;

  /**
   * @param folder that the results are for
   * @param aside a folder for them until then
   * @param marker name of the file without which the others do not count: it goes first, and comes last
   */
  constructor(
    private readonly folder: string,
    private readonly aside: string,
    private readonly marker: string,
  ) {}

  /** What was written, sorted. */
  get names(): string[] {
    return [...this.#names].sort();
  }

  /** Whether a process wrote everything, and may have ended before it was moved. */
  get isComplete(): boolean {
    return isThere(`${this.aside}/${MOVES_FILE}`);
  }

  /**
   * Makes the folder, empty, so that one that cannot be made is found out before any work.
   *
   * @param longest the longest name of a file that will be written
   * @throws {FileError} if it cannot be made, or is there and somebody else's.
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
      // as long as while it is written
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

  /** Writes one file. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.#write(name, bytes);
    this.#names.add(name);
  }

  /**
   * Moves everything to its place.
   *
   * @param earlier names of earlier results
   * @throws {FileError} if a file of somebody else's has one of the names; what was written stays then for {@linkcode move}.
   */
  async finish(earlier: readonly string[]): Promise<void> {
    const moves: Moves = { files: this.names, earlier };
    await this.#write(MOVES_FILE, new TextEncoder().encode(`${JSON.stringify(moves)}\n`));
    this.move();
  }

  /** Moves what {@linkcode isComplete}, from wherever an earlier process stopped; without a pause in which this one could be stopped. */
  move(): void {
    const { files, earlier } = readMoves(`${this.aside}/${MOVES_FILE}`);
    // where it has been moved, everything has
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
      // before anything is touched, so that the earlier results stay whole
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

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await writeWhole(`${this.aside}/${name}`, bytes);
    } catch (error) {
      // by the name that the user knows
      throw explainWrite(`${this.folder}/${name}`, (error as Error).cause);
    }
  }
}

/** @throws {FileError} if a folder stands where a file has to be. */
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

/** Whether there is anything, be it a link to nothing. */
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

/** @throws {FileError} unless it is as it was written: it is what files are removed by. */
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
