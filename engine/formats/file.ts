/** Reading files, and writing them whole. @module */

import { dirname } from "node:path";
import { FileError } from "../errors.ts";

/**
 * A regular file that is open for reading; dispose it to close it. Pipes, devices, sockets and folders are refused before they are opened:
 * they have no size, so that nothing could bound what comes out of them, nor how long it takes.
 */
export class InputFile implements Disposable {
  private constructor(
    readonly path: string,
    /** Bytes that there were when it was opened. */
    readonly sizeBytes: number,
    private readonly file: Deno.FsFile,
  ) {}

  /**
   * Opens a file.
   *
   * @param kind what the file should be, for the error: "a NumPy .npy file"
   * @throws {FileError} when it is missing, may not be read, or is no regular file
   */
  static async open(path: string, kind: string): Promise<InputFile> {
    const fail = (state: string, cause?: unknown) =>
      new FileError(path, `Cannot read ${path}: got ${state}, need ${kind}`, { cause });
    try {
      const entry = await Deno.stat(path);
      if (!entry.isFile) throw fail(describeEntry(entry));
      return new InputFile(path, entry.size, await Deno.open(path));
    } catch (cause) {
      if (cause instanceof FileError) throw cause;
      throw fail(isAbsence(cause) ? "no such file" : String(cause), cause);
    }
  }

  /**
   * Reads bytes from a place on, exactly so many: whoever asks has compared them with {@linkcode sizeBytes}.
   *
   * @throws {FileError} when the file has become shorter, or the disk fails, or memory does not hold them
   */
  async read(from: number, sizeBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const fail = (state: string, cause?: unknown) =>
      new FileError(this.path, `Cannot read ${this.path}: got ${state}`, { cause });
    const bytes = allocate(this.path, sizeBytes);
    try {
      await this.file.seek(from, Deno.SeekMode.Start);
      for (let done = 0; done < sizeBytes;) {
        const count = await this.file.read(bytes.subarray(done));
        if (count === null) throw fail(`${done} bytes from byte ${from} on, need ${sizeBytes}`);
        done += count;
      }
      return bytes;
    } catch (cause) {
      throw cause instanceof FileError ? cause : fail(String(cause), cause);
    }
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/**
 * Memory for bytes of a file.
 *
 * @throws {FileError} when there is not enough
 */
export function allocate(path: string, sizeBytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes);
  } catch (cause) {
    throw new FileError(
      path,
      `Cannot read ${path}: got ${sizeBytes} bytes, need no more than memory holds`,
      { cause },
    );
  }
}

/**
 * Reads a whole file into memory.
 *
 * @param kind what the file should be, for the error: "a NumPy .npy file"
 * @param mostBytes how large such a file is at most; a larger one is not read
 * @throws {FileError} when it is missing, may not be read, is no regular file, or too large
 */
export async function readBytes(
  path: string,
  kind: string,
  mostBytes = Infinity,
): Promise<Uint8Array<ArrayBuffer>> {
  using file = await InputFile.open(path, kind);
  if (file.sizeBytes <= mostBytes) return await file.read(0, file.sizeBytes);
  throw new FileError(
    path,
    `Cannot read ${path}: got ${file.sizeBytes} bytes, need ${kind} of at most ${mostBytes}`,
  );
}

/** {@linkcode readBytes} of a text in UTF-8. */
export async function readText(path: string, kind: string, mostBytes?: number): Promise<string> {
  return new TextDecoder().decode(await readBytes(path, kind, mostBytes));
}

function describeEntry(entry: Deno.FileInfo): string {
  if (entry.isDirectory) return "a folder";
  if (entry.isFifo) return "a pipe";
  if (entry.isSocket) return "a socket";
  return "a device";
}

/**
 * Writes a whole file, one part after the other: first beside its place, then renamed, so that nobody ever sees half of it, not even after a power cut. Makes its
 * folder. A process that is killed may leave a file that ends in `.partial`.
 *
 * @throws {FileError} when the folder may not be written or is full; nothing stays
 */
export async function writeWhole(path: string, ...parts: readonly Uint8Array[]): Promise<void> {
  const partial = `${path}.${crypto.randomUUID().slice(0, 8)}${PARTIAL}`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await writeThrough(partial, parts);
    await Deno.rename(partial, path);
  } catch (cause) {
    await Deno.remove(partial).catch(() => {});
    throw explainWrite(path, cause);
  }
}

/** Writes a file and waits until the disk has it. */
async function writeThrough(path: string, parts: readonly Uint8Array[]): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  for (const bytes of parts) {
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  }
  await file.syncData();
}

/** How the name of a file ends while {@link writeWhole} writes it. */
export const PARTIAL = ".partial";

/** The error of a file or folder that cannot be written. */
export function explainWrite(path: string, cause: unknown): FileError {
  const state = cause instanceof Error ? cause.message : String(cause);
  return new FileError(path, `Cannot write ${path}: ${state}`, { cause });
}

/**
 * Size of a file in bytes, or undefined where there is none.
 *
 * @throws {FileError} when it cannot be told
 */
export async function measureFile(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw new FileError(path, `Cannot read ${path}: got ${error}, need a file or folder`, {
      cause: error,
    });
  }
}

/** Whether a file or folder of this path exists. */
export async function exists(path: string): Promise<boolean> {
  return await measureFile(path) !== undefined;
}

/** Whether an error is that of a file that is not there. A path through a file, as in `images.npy/labels.npy`, is as absent as any other. */
export function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}
