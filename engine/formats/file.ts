/** Reading and writing files whole. @module */

import { dirname } from "node:path";
import { FileError } from "../errors.ts";

/**
 * Reads a whole file into memory.
 *
 * @param kind what the file should be, for the error: "a NumPy .npy file"
 * @throws {FileError} when it is missing or may not be read
 */
export async function readBytes(path: string, kind: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    const state = isAbsence(cause) ? "no such file" : String(cause);
    throw new FileError(path, `Cannot read ${path}: got ${state}, need ${kind}`, { cause });
  }
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

/** Size of a file in bytes, or undefined where there is none. */
export async function measureFile(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** Whether a file or folder of this path exists. */
export async function exists(path: string): Promise<boolean> {
  return await measureFile(path) !== undefined;
}

/** A path through a file, as in `images.npy/labels.npy`, is as absent as any other. */
function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}
