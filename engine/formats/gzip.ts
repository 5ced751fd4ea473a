/** Gzip, unpacked piece by piece, so that a small file never becomes more memory than what it holds should take. @module */

import { FileError } from "../errors.ts";
import { allocate, type InputFile } from "../files/file.ts";

/** Compressed bytes that are unpacked at once: they become 16 MiB at most. */
const PIECE_BYTES = 2 ** 14;

/** Bytes that deflate makes of one at most: 258 of every 2 bits. */
const MOST_RATIO = 1032;

/** Whether a file's first bytes are those of gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses a whole file.
 *
 * @param mostBytes how many bytes may come out, known from what the file should hold; as soon as more come it is refused
 * @throws {FileError} when it is truncated, no gzip, or holds more
 */
export async function gunzip(
  file: InputFile,
  mostBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // memory that no piece reaches is never touched
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
 * The first bytes of what a file holds; fewer where it holds fewer.
 *
 * @throws {FileError} when it is truncated before them, or no gzip
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

/** What comes out, piece after piece; after the last one the file was whole and its checksum right. */
async function* unpack(file: InputFile): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  const feeding = feed(file, writer);
  feeding.catch(() => {}); // what fails there fails where it is read, too
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
