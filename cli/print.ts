/**
 * What commands say on standard output, and beside it on standard error.
 *
 * @module
 */
import { explainWrite } from "../engine/files/file.ts";

/**
 * Prints lines; a reader that has closed its end, as `head` does, needs no more of them.
 *
 * @throws {Error} if they cannot be written.
 */
export function print(text: string): void {
  try {
    console.log(text);
  } catch (cause) {
    // no path, which would be made absolute
    throw new Error(explainWrite("standard output", cause).message, { cause });
  }
}

/** Says something on standard error. What nobody can read there, since its disk is full, ends no job. */
export function say(text: string): void {
  try {
    console.error(text);
  } catch {
    // the exit code and the results tell
  }
}
