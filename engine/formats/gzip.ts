/** Gzip. @module */

import { FileError } from "../errors.ts";

/** Whether a file's first bytes are those of gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses a whole file.
 *
 * @param path names the file in errors
 * @throws {FileError} when it is truncated or no gzip
 */
export async function gunzip(
  bytes: Uint8Array<ArrayBuffer>,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new FileError(
      path,
      `Cannot read ${path}: got broken gzip (${state}), need the whole file; fetch it again`,
      { cause },
    );
  }
}
