/**
 * Values that a run keeps as JSON.
 *
 * @module
 */
import { FileError } from "../../mod.ts";
import { readJson as read } from "../../engine/formats/json.ts";

/**
 * Reads a file that {@linkcode encodeJson} encoded.
 *
 * @throws {FileError} if it cannot be read.
 */
export async function readJson<T>(path: string): Promise<T> {
  try {
    return await read(path, "what an earlier call kept") as T;
  } catch (cause) {
    throw new FileError(path, `${(cause as Error).message}; remove it to compute it again`, {
      cause,
    });
  }
}

/**
 * Encodes a value as indented JSON.
 *
 * @throws {TypeError} if JSON would lose something: numbers that are not finite, typed arrays.
 */
export function encodeJson(value: unknown): Uint8Array {
  const text = JSON.stringify(value ?? null, (key, inner) => {
    const isLost = typeof inner === "number" && !Number.isFinite(inner);
    if (isLost || ArrayBuffer.isView(inner) || inner instanceof Map) {
      throw new TypeError(
        `Cannot keep '${key}': got ${
          isLost ? inner : inner.constructor.name
        }, need plain arrays and finite numbers`,
      );
    }
    return inner;
  }, 2);
  return new TextEncoder().encode(`${text}\n`);
}
