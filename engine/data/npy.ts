/**
 * NumPy's `.npy` format, versions 1 to 3, little-endian.
 *
 * Typed arrays have the byte order of the machine; every machine that WebGPU runs on is
 * little-endian.
 *
 * @module
 */

import { FileError } from "../errors.ts";
import { readBytes, writeWhole } from "../files/file.ts";
import { countElements } from "./shape.ts";

// encodeNpy takes the first dtype that fits, so `|u1` stands before `|b1`.
const DTYPES = {
  "<f4": Float32Array,
  "<f8": Float64Array,
  "<f2": Float16Array,
  "|u1": Uint8Array,
  "|b1": Uint8Array,
  "|i1": Int8Array,
  "<u2": Uint16Array,
  "<i2": Int16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<u8": BigUint64Array,
  "<i8": BigInt64Array,
} as const;

/** NumPy's name of an element type that can be read: `<f4`, `|u1`, `<i8`, ... */
export type NpyDtype = keyof typeof DTYPES;

/** The typed arrays that `.npy` elements are read into; booleans (`|b1`) become bytes 0 and 1. */
export type NpyData =
  | Float32Array
  | Float64Array
  | Float16Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array;

/** An array from a `.npy` file. */
export interface NpyArray {
  /** The elements, row-major (C order) whatever the order in the file. */
  data: NpyData;
  /** Sizes of the dimensions; `[]` for a scalar. */
  shape: number[];
  /** The element type as the file names it. */
  dtype: NpyDtype;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"
const ALIGNMENT = 64;

/**
 * Reads a `.npy` file.
 *
 * @throws {FileError} when it is missing, truncated, too long, or of a type that no
 * {@link NpyDtype} names
 */
export async function readNpy(path: string): Promise<NpyArray> {
  return decodeNpy(await readBytes(path, "a NumPy .npy file"), path);
}

/**
 * Writes an array as a `.npy` file, whole or not at all.
 *
 * @param data row-major
 * @throws {FileError} when it cannot be written, `RangeError` when the shape does not hold exactly
 * the data
 */
export async function writeNpy(
  path: string,
  data: NpyData,
  shape: readonly number[],
): Promise<void> {
  await writeWhole(path, encodeHeader(data, shape), viewBytes(data));
}

/**
 * Decodes the bytes of a `.npy` file. The result is a copy; Fortran order is transposed to C order.
 *
 * @param path names the file in errors
 * @throws {FileError} when the bytes are truncated, too many, or of a type that no
 * {@link NpyDtype} names
 */
export function decodeNpy(bytes: Uint8Array, path: string): NpyArray {
  const { dtype, shape, isColumnMajor, dataStart } = decodeHeader(bytes, path);
  const Data = DTYPES[dtype];
  const sizeBytes = countElements(shape) * Data.BYTES_PER_ELEMENT;
  const gotBytes = bytes.length - dataStart;
  if (gotBytes !== sizeBytes) {
    throw new FileError(
      path,
      `Cannot read ${path}: got ${gotBytes} bytes of data, need ${sizeBytes} for ${dtype} of ` +
        `shape [${shape.join(", ")}]`,
    );
  }
  const data = new Data(new Uint8Array(bytes.subarray(dataStart)).buffer);
  if (!isColumnMajor) return { data, shape, dtype };
  const rowMajor = new Data(data.length);
  copyToRowMajor(data, rowMajor, shape);
  return { data: rowMajor, shape, dtype };
}

/**
 * Encodes an array as a version 1.0 `.npy` file, in C order. The data starts at a multiple of 64
 * bytes.
 *
 * @param data row-major
 * @throws {RangeError} when the shape does not hold exactly the data
 */
export function encodeNpy(data: NpyData, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = encodeHeader(data, shape);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(viewBytes(data), header.length);
  return bytes;
}

/** An array's bytes, not copied. */
function viewBytes({ buffer, byteOffset, byteLength }: NpyData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What stands before the data. */
function encodeHeader(data: NpyData, shape: readonly number[]): Uint8Array {
  if (countElements(shape) !== data.length) {
    throw new RangeError(
      `Cannot write an array of shape [${shape.join(", ")}]: got ${data.length} elements, ` +
        `need ${countElements(shape)}`,
    );
  }
  const [dtype] = Object.entries(DTYPES).find(([, Data]) => data instanceof Data)!;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;

  const prefixBytes = MAGIC.length + 4; // version and header length follow the magic
  const dataStart = Math.ceil((prefixBytes + dictionary.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = dictionary.padEnd(dataStart - prefixBytes - 1) + "\n";
  const bytes = new Uint8Array(dataStart);
  bytes.set([...MAGIC, 1, 0, header.length & 0xff, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), prefixBytes);
  return bytes;
}

interface Header {
  dtype: NpyDtype;
  shape: number[];
  isColumnMajor: boolean;
  dataStart: number;
}

function decodeHeader(bytes: Uint8Array, path: string): Header {
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: ${state}`);
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw fail("got no NumPy signature in the first 6 bytes, need a .npy file");
  }
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw fail(`got .npy version ${version}, need 1, 2 or 3`);
  const lengthBytes = version === 1 ? 2 : 4;
  const headerStart = MAGIC.length + 2 + lengthBytes;
  const headerLength = decodeLength(bytes.subarray(MAGIC.length + 2, headerStart));
  const dataStart = headerStart + headerLength;
  if (bytes.length < dataStart) {
    throw fail(`got ${bytes.length} bytes, need at least ${dataStart} for the header`);
  }
  const text = new TextDecoder().decode(bytes.subarray(headerStart, dataStart));
  const dtype = /(['"])descr\1\s*:\s*(['"])(.*?)\2/.exec(text)?.[3];
  const order = /(['"])fortran_order\1\s*:\s*(True|False)/.exec(text)?.[2];
  const sizes = /(['"])shape\1\s*:\s*\(([\d\s,]*)\)/.exec(text)?.[2];
  if (order === undefined || sizes === undefined) {
    throw fail("got a header without fortran_order or shape, need a file written by numpy.save");
  }
  if (dtype === undefined) throw fail("got a structured dtype, need a plain array of numbers");
  if (!isSupported(dtype)) throw fail(explainDtype(dtype));
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  return { dtype, shape, isColumnMajor: order === "True", dataStart };
}

/** Little-endian unsigned integer; bytes that are missing count as 0. */
function decodeLength(bytes: Uint8Array): number {
  return bytes.reduceRight((length, byte) => length * 256 + byte, 0);
}

function isSupported(dtype: string): dtype is NpyDtype {
  return Object.hasOwn(DTYPES, dtype);
}

function explainDtype(dtype: string): string {
  if (dtype.startsWith(">")) {
    const mend = dtype.replace(">", "<");
    return `got big-endian ${dtype}, need little-endian; save array.astype('${mend}') instead`;
  }
  if (dtype.startsWith("|O")) {
    return "got Python objects, need numbers; save array.astype('<f4') instead";
  }
  return `got dtype ${dtype}, need one of ${Object.keys(DTYPES).join(" ")}`;
}

/** Copies a column-major (Fortran order) array into a row-major one of the same shape. */
function copyToRowMajor(
  source: NpyData,
  target: { [index: number]: unknown },
  shape: readonly number[],
): void {
  const strides = shape.map((_, axis) => countElements(shape.slice(0, axis)));
  const position = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < source.length; to++) {
    target[to] = source[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++position[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      position[axis] = 0;
    }
  }
}
