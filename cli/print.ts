/**
 * Output of commands: results on standard output, notes on standard error.
 *
 * @module
 */
import { explainWrite } from "../engine/files/file.ts";

/**
 * Prints lines on standard output; it is no error if the reader has closed its end, as `head` does.
 *
 * @throws {Error} if they cannot be written.
 */
export function print(text: string): void {
  try {
    console.log(text);
  } catch (cause) {
    // an error without a path, which would be made absolute
    throw new Error(explainWrite("standard output", cause).message, { cause });
  }
}

/** Prints a note on standard error; a note that cannot be written, as on a full disk, ends no job. */
export function say(text: string): void {
  try {
    console.error(text);
  } catch {
    // the exit code and the results still tell
  }
}
