/**
 * The IDX format of MNIST: two zero bytes, element type (u8), rank (u8), sizes (u32, big-endian), elements.
 *
 * @module
 */

import { FileError } from "../errors.ts";
import { InputFile } from "../files/file.ts";
import { gunzip, gunzipStart, isGzip } from "./gzip.ts";
import { countElements } from "./shape.ts";

const UNSIGNED_BYTE = 0x08;

/** An array of bytes from an IDX file. */
export interface IdxArray {
  /** Sizes of the dimensions. */
  shape: number[];
  /** The elements, row-major. */
  data: Uint8Array;
}

/** Bytes of the longest possible header. */
const MOST_HEADER = 4 + 4 * 255;

/**
 * Reads an IDX file of unsigned bytes, plain or gzip (told apart by the first bytes, not the name). It takes as much memory as the header
 * states, which is compared with the file before the elements are read or decompressed.
 *
 * @throws {FileError} when the file is missing, truncated, too long, or not an IDX file of unsigned bytes
 */
export async function readIdx(path: string): Promise<IdxArray> {
  using file = await InputFile.open(path, "an IDX file, plain or gzip");
  const first = await file.read(0, Math.min(MOST_HEADER, file.sizeBytes));
  const isPacked = isGzip(first);
  const { shape, dataStart } = decodeHeader(
    isPacked ? await gunzipStart(file, MOST_HEADER) : first,
    path,
  );
  const sizeBytes = countElements(shape);
  const check = (gotBytes: number) => {
    if (gotBytes === sizeBytes) return;
    throw new FileError(
      path,
      `Cannot read ${path}: got ${gotBytes} bytes of data, need ${sizeBytes} for shape [${
        shape.join(", ")
      }]`,
    );
  };
  if (!isPacked) check(file.sizeBytes - dataStart);
  const bytes = isPacked
    ? await gunzip(file, dataStart + sizeBytes)
    : await file.read(0, file.sizeBytes);
  const data = bytes.subarray(dataStart);
  check(data.length);
  return { shape, data };
}

function decodeHeader(bytes: Uint8Array, path: string): { shape: number[]; dataStart: number } {
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: ${state}`);
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    throw fail("got no IDX signature in the first 4 bytes, need an IDX file");
  }
  if (bytes[2] !== UNSIGNED_BYTE) {
    throw fail(`got IDX element type ${bytes[2]}, need ${UNSIGNED_BYTE} (unsigned byte)`);
  }
  const rank = bytes[3];
  const dataStart = 4 + 4 * rank;
  if (bytes.length < dataStart) {
    throw fail(`got ${bytes.length} bytes, need at least ${dataStart} for the header`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { shape, dataStart };
}
