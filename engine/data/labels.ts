/** Labels from a NumPy file. @module */

import { FileError } from "../errors.ts";
import { type NpyDtype, readNpy } from "../formats/npy.ts";

/** The largest label that a 32-bit signed integer holds. */
const LARGEST_LABEL = 2 ** 31 - 1;

/**
 * Reads labels `[N]`, integers of any width.
 *
 * @throws {FileError} when the file is missing or broken, is of another type or shape, or holds a label that is negative or beyond 2^31 - 1
 */
export async function readLabels(path: string): Promise<Int32Array<ArrayBuffer>> {
  const { data, shape, dtype } = await readNpy(path);
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: got ${state}`);
  if (shape.length !== 1) throw fail(`labels of shape [${shape.join(", ")}], need [N]`);
  if (!isInteger(dtype)) {
    throw fail(`labels of dtype ${dtype}, need integers; save labels.astype('int64') instead`);
  }
  // compared before the conversion, which would round 64-bit integers
  const bad = data.findIndex((label) => label < 0 || label > LARGEST_LABEL);
  if (bad >= 0) {
    throw fail(`label ${data[bad]} at index ${bad}, need integers from 0 to ${LARGEST_LABEL}`);
  }
  return Int32Array.from<number | bigint>(data, Number);
}

/** Returns whether an element type is an integer; a boolean is none. */
function isInteger(dtype: NpyDtype): boolean {
  return dtype[1] === "i" || dtype[1] === "u";
}
