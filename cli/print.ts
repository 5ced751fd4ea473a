/**
 * What commands say on standard output.
 *
 * @module
 */
import { explainWrite } from "../mod.ts";

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
