/**
 * The IDX format of MNIST: two zero bytes, element type, rank, sizes (u32, big-endian), elements.
 *
 * @module
 */

import { FileError } from "../errors.ts";
import { readBytes } from "../files/file.ts";
import { gunzip, isGzip } from "./gzip.ts";
import { countElements } from "./shape.ts";

const UNSIGNED_BYTE = 0x08;

/** An array of bytes from an IDX file. */
export interface IdxArray {
  /** Sizes of the dimensions. */
  shape: number[];
  /** The elements, row-major. */
  data: Uint8Array;
}

/**
 * Reads an IDX file of unsigned bytes, plain or gzip (told apart by the first bytes, not the name).
 *
 * @throws {FileError} when it is missing, truncated, too long, or not an IDX file of unsigned bytes
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const bytes = await readBytes(path, "an IDX file, plain or gzip");
  return decodeIdx(isGzip(bytes) ? await gunzip(bytes, path) : bytes, path);
}

function decodeIdx(bytes: Uint8Array, path: string): IdxArray {
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
  const data = bytes.subarray(dataStart);
  if (data.length !== countElements(shape)) {
    throw fail(
      `got ${data.length} bytes of data, need ${countElements(shape)} for shape [${
        shape.join(", ")
      }]`,
    );
  }
  return { shape, data };
}
