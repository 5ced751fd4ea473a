/** Gzip, decompressed piece by piece, so that a small file never takes more memory than its contents should. @module */

import { FileError } from "../errors.ts";
import { allocate, type InputFile } from "../files/file.ts";

/** Compressed bytes that are decompressed at once, into 16 MiB at most. */
const PIECE_BYTES = 2 ** 14;

/** Largest expansion of deflate, in bytes per compressed byte: 258 for every 2 bits. */
export const MOST_RATIO = 1032;

/** Returns whether a file's first bytes are those of gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses a whole file.
 *
 * @param mostBytes most bytes of the result, known from what the file should hold; the file is refused as soon as more come out
 * @throws {FileError} when the file is truncated, is no gzip, or holds more
 */
export async function gunzip(
  file: InputFile,
  mostBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // the system maps only the pages of the buffer that are written
  const bytes = allocate(file.path, Math.min(mostBytes, MOST_RATIO * file.sizeBytes));
  let length = 0;
  for await (const piece of unpack(file)) {
    if (length + piece.length > mostBytes) {
      throw new FileError(
        file.path,
        `Cannot read ${file.path}: got gzip of more than ${mostBytes} bytes, need no more`,
      );
    }
    bytes.set(piece, length);
    length += piece.length;
  }
  return bytes.subarray(0, length);
}

/**
 * Decompresses the first `count` bytes of a file's contents, or fewer where it holds fewer.
 *
 * @throws {FileError} when the file is truncated before them, or is no gzip
 */
export async function gunzipStart(
  file: InputFile,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  let length = 0;
  for await (const piece of unpack(file)) {
    const part = piece.subarray(0, count - length);
    bytes.set(part, length);
    length += part.length;
    if (length === count) break;
  }
  return bytes.subarray(0, length);
}

/** Yields the decompressed contents piece by piece; it ends without an error only if the file was whole and its checksum right. */
async function* unpack(file: InputFile): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  const feeding = feed(file, writer);
  feeding.catch(() => {}); // the same error reaches the reader
  const reader = readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return await feeding;
      yield value;
    }
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new FileError(
      file.path,
      `Cannot read ${file.path}: got broken gzip (${state}), need the whole file; fetch it again`,
      { cause },
    );
  } finally {
    await reader.cancel().catch(() => {});
    await feeding.catch(() => {});
  }
}

async function feed(
  file: InputFile,
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  try {
    for (let done = 0; done < file.sizeBytes; done += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, file.sizeBytes - done);
      await writer.write(await file.read(done, count));
    }
    await writer.close();
  } catch (cause) {
    await writer.abort(cause).catch(() => {});
    throw cause;
  }
}
