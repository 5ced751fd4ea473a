/**
 * Files that are read within bounds and written completely or not at all, and plain words for the system's errors.
 *
 * @module
 */
import { dirname } from "node:path";
import { FileError } from "../errors.ts";

/**
 * A regular file that is open for reading; dispose it to close it. Pipes, devices, sockets and folders are refused before they are opened:
 * they have no size that would bound how much is read, nor how long it takes.
 */
export class InputFile implements Disposable {
  private constructor(
    readonly path: string,
    /** Size in bytes when it was opened. */
    readonly sizeBytes: number,
    private readonly file: Deno.FsFile,
  ) {}

  /**
   * Opens a file.
   *
   * @param kind what the file should be, for the error: "a NumPy .npy file"
   * @throws {FileError} when the file is missing, may not be read, or is no regular file
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
      throw fail(isAbsence(cause) ? "no such file" : findState(cause).got, cause);
    }
  }

  /**
   * Reads exactly `sizeBytes` bytes from offset `from` on; the caller has compared them with the file's {@linkcode sizeBytes}.
   *
   * @throws {FileError} when the file has become shorter, the disk fails, or memory does not suffice
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
      throw cause instanceof FileError ? cause : fail(findState(cause).got, cause);
    }
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/**
 * Allocates memory for bytes of a file.
 *
 * @throws {FileError} when there is not enough memory
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
 * @param mostBytes size of the largest file that is read
 * @throws {FileError} when the file is missing, may not be read, is no regular file, or is too large
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

/** Reads a UTF-8 text file as {@linkcode readBytes} does. */
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
 * Writes a file from its parts, one after the other, and makes its folder. The file is written under another name and then renamed, so that
 * nobody ever sees half of it, not even after a power cut. A process that is killed may leave a file that {@link removePartials} removes.
 *
 * @throws {FileError} when the folder may not be written or is full; nothing is left then
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

/** Writes a file and waits until it is on the disk. */
async function writeThrough(path: string, parts: readonly Uint8Array[]): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  for (const bytes of parts) {
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  }
  await file.syncData();
}

/** Ending of a file's name while it is written. */
export const PARTIAL = ".partial";

/** Returns whether a file's name is one that {@link writeWhole} gives while it writes. */
export function isPartial(name: string): boolean {
  return /\.[0-9a-f]{8}\.partial$/.test(name);
}

/** Removes half-written files that killed processes left in a folder or in folders below it. */
export async function removePartials(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) await removePartials(`${folder}/${name}`);
    else if (isPartial(name)) await Deno.remove(`${folder}/${name}`);
  }
}

/** Removes a file or an empty folder, if it exists; with `recursive` a folder and everything in it. */
export function removeIfThere(path: string, { recursive = false } = {}): void {
  try {
    Deno.removeSync(path, { recursive });
  } catch {
    // it does not exist, or is a folder that is not empty
  }
}

/** Makes the error of a file or folder that cannot be written. */
export function explainWrite(path: string, cause: unknown): FileError {
  const { got, need } = findState(cause);
  return new FileError(path, `Cannot write ${path}: got ${got}, need ${need}`, { cause });
}

/** Describes an error of the file system in plain words: what was found, and what is needed instead. */
export function findState(cause: unknown): { readonly got: string; readonly need: string } {
  const { code } = Object(cause) as { readonly code?: string };
  const known = code === undefined ? undefined : STATES[code];
  if (known) return { got: known[0], need: known[1] };
  const text = cause instanceof Error ? cause.message : String(cause);
  return { got: text.replace(/\.$/, ""), need: "a place that can be used" };
}

const NO_PERMISSION = ["no permission for it", "that permission"] as const;
const NO_SPACE = ["a full disk (no space left)", "free space"] as const;
const NO_FOLDER = ["a file where a folder has to be", "a folder there, or nothing"] as const;

/** Words for what was found and what is needed, by the system's code of an error. */
const STATES: Readonly<Record<string, readonly [got: string, need: string]>> = {
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: ["a read-only file system", "one that can be written"],
  ENOSPC: NO_SPACE,
  EDQUOT: ["a quota that is used up", "free space"],
  EFBIG: ["a file that is too large for this file system", "another file system"],
  EBUSY: ["it in use by the system or another program", "it free"],
  ETXTBSY: ["it in use by the system or another program", "it free"],
  ENAMETOOLONG: ["a name that is too long", "a shorter one"],
  ENOTDIR: NO_FOLDER,
  EEXIST: NO_FOLDER,
  EISDIR: ["a folder where a file has to be", "a file there, or nothing"],
  ENOTEMPTY: ["a folder that is not empty", "an empty one, or none"],
  ELOOP: ["links that lead to one another in a circle", "a path that leads somewhere"],
  ENOENT: ["no such folder, and none can be made", "a folder that is there"],
  ENXIO: ["no such device", "a device that is there"],
  EPIPE: ["a closed pipe", "a reader at its other end"],
  EMFILE: ["too many open files", "fewer, or a higher limit"],
  ENFILE: ["too many open files", "fewer, or a higher limit"],
  EIO: ["a failure of the disk", "a sound one"],
};

/**
 * Measures a file in bytes; undefined where there is none.
 *
 * @throws {FileError} when its size cannot be read
 */
export async function measureFile(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    const { got } = findState(error);
    throw new FileError(path, `Cannot read ${path}: got ${got}, need a file or folder`, {
      cause: error,
    });
  }
}

/** Returns whether a file or folder of this path exists. */
export async function exists(path: string): Promise<boolean> {
  return await measureFile(path) !== undefined;
}

/** Returns whether an error means that a file does not exist. A path through a file, such as `images.npy/labels.npy`, does not exist either. */
export function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}
