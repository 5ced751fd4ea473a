/** JSON from files that are not trusted. @module */

import { FileError } from "../errors.ts";
import { readBytes } from "../files/file.ts";

/** Bytes of the largest JSON file that is read: far more than lpntk writes, and little enough that its values fit JavaScript's heap. */
export const MOST_JSON_BYTES = 2 ** 26;

/** Deepest nesting of brackets that is read, so that functions that recurse into the values do not overflow the stack. */
const MOST_DEPTH = 64;

/**
 * Reads a JSON file.
 *
 * @param kind what the file should be, for the error: "the choice of samples as lpntk gram writes it"
 * @throws {FileError} when the file is missing or no regular file, or {@linkcode decodeJson} refuses it
 */
export async function readJson(path: string, kind: string): Promise<unknown> {
  return decodeJson(await readBytes(path, kind, MOST_JSON_BYTES), path, kind);
}

/**
 * Decodes JSON.
 *
 * @param path names the file in errors
 * @param kind what the bytes should be, for the error
 * @throws {FileError} when the JSON is broken, larger than 64 MiB, or nested deeper than 64 brackets
 */
export function decodeJson(bytes: Uint8Array, path: string, kind: string): unknown {
  const fail = (state: string, cause?: unknown) =>
    new FileError(path, `Cannot read ${path}: got ${state}, need ${kind}`, { cause });
  if (bytes.length > MOST_JSON_BYTES) {
    throw fail(`${bytes.length} bytes of JSON, more than ${MOST_JSON_BYTES}`);
  }
  if (measureDepth(bytes) > MOST_DEPTH) {
    throw fail(`JSON nested deeper than ${MOST_DEPTH} brackets`);
  }
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw fail("broken JSON", cause);
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
/** Brackets: `[`, `{` and `]`, `}`. */
const [OPENING, CLOSING] = [[0x5b, 0x7b], [0x5d, 0x7d]];

/** Measures how deep brackets are nested, those inside strings left out. */
function measureDepth(bytes: Uint8Array): number {
  let [depth, deepest, isString] = [0, 0, false];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) isString = !isString;
    else if (isString) i += byte === BACKSLASH ? 1 : 0;
    else if (OPENING.includes(byte)) deepest = Math.max(deepest, ++depth);
    else if (CLOSING.includes(byte)) depth--;
  }
  return deepest;
}
