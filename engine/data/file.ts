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
 * Writes a whole file: first beside its place, then renamed, so that nobody ever sees half of it.
 * Makes its folder.
 *
 * @throws {FileError} when the folder may not be written or is full; nothing stays
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.${crypto.randomUUID().slice(0, 8)}.partial`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(partial, bytes);
    await Deno.rename(partial, path);
  } catch (cause) {
    await Deno.remove(partial).catch(() => {});
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new FileError(path, `Cannot write ${path}: ${state}`, { cause });
  }
}

/** Whether a file or folder of this path exists. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

/** A path through a file, as in `images.npy/labels.npy`, is as absent as any other. */
function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}
