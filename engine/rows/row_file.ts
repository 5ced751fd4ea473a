/**
 * Panels of packed rows in a file of their own, for data sets whose rows do not fit in memory.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import { findState } from "../files/file.ts";

/** A temporary file of panels that vanishes with the process, however it ends. */
export class RowFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;
  #block = new Float32Array(0);
  #isOpen = true;

  /**
   * @param lineBytes size of one line: the elements of a panel's rows at one index k
   * @throws {FileError} if there is no room for temporary files.
   */
  constructor(private readonly lineBytes: number) {
    this.#path = attempt(
      "make a file for rows in",
      tempFolder(),
      () => Deno.makeTempFileSync({ prefix: "lpntk-rows-" }),
    );
    this.#file = attempt(
      "open",
      this.#path,
      () => Deno.openSync(this.#path, { read: true, write: true }),
    );
    // an open file without a name is freed by the system; where that is not allowed, by dispose
    if (Deno.build.os !== "windows") Deno.removeSync(this.#path);
  }

  /** Writes whole lines from line `first` on. */
  write(first: number, bytes: Uint8Array): void {
    attempt("write rows to", this.#path, () => {
      this.#file.seekSync(first * this.lineBytes, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    });
  }

  /** Reads `count` lines from line `first` on; the result is valid until the next read. */
  read(first: number, count: number): Float32Array<ArrayBuffer> {
    const length = count * this.lineBytes / 4;
    if (this.#block.length < length) this.#block = new Float32Array(length);
    const numbers = this.#block.subarray(0, length);
    const bytes = new Uint8Array(numbers.buffer, 0, numbers.byteLength);
    attempt("read rows from", this.#path, () => {
      this.#file.seekSync(first * this.lineBytes, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) {
        const read = this.#file.readSync(bytes.subarray(at));
        if (read === null) throw new Error(`got ${at} bytes, need ${bytes.length}`);
        at += read;
      }
    });
    return numbers;
  }

  /** Frees the file; a second time does nothing. */
  dispose(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#file.close();
    if (Deno.build.os === "windows") Deno.removeSync(this.#path);
  }
}

function tempFolder(): string {
  return Deno.env.get("TMPDIR") ?? "the folder for temporary files";
}

function attempt<T>(action: string, path: string, job: () => T): T {
  try {
    return job();
  } catch (cause) {
    const { got, need } = findState(cause);
    throw new FileError(
      path,
      `Cannot ${action} ${path}: got ${got}, need ${need}; make room there, name another folder in TMPDIR, or allow more memory`,
      { cause },
    );
  }
}
