/**
 * NumPy's `.npy` format, versions 1 to 3, little-endian.
 *
 * Typed arrays have the machine's byte order, which is little-endian wherever WebGPU runs.
 *
 * @module
 */

import { z } from "npm:zod@4.6.7";
import { FileError } from "../errors.ts";
import { describeName } from "../options.ts";
import { InputFile, writeWhole } from "../files/file.ts";
import { countElements, SHAPE } from "./shape.ts";

/** Typed arrays by dtype. `encodeHeader` writes the first dtype of an array's class, so `|u1` comes before `|b1`. */
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
} as const satisfies Record<NpyDtype, unknown>;

/** Element types that can be read, by NumPy's names: floats `f`, integers `i`, unsigned ones `u` and booleans `b`, and bytes of each. */
export type NpyDtype =
  | "<f4"
  | "<f8"
  | "<f2"
  | "|u1"
  | "|b1"
  | "|i1"
  | "<u2"
  | "<i2"
  | "<u4"
  | "<i4"
  | "<u8"
  | "<i8";

/** Typed arrays that elements are read into; booleans (`|b1`) become bytes 0 and 1. */
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

/** Texts from a `.npy` file. */
export interface NpyTexts {
  /** The texts, row-major. */
  texts: string[];
  /** Sizes of the dimensions. */
  shape: number[];
}

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

/** Bytes of the longest header that is read, NumPy's own bound. */
const MOST_HEADER = 10_000;

/** Most bytes before the header: magic, version and the header's length. */
const MOST_PREFIX = 12;

/**
 * Reads a `.npy` file. It takes as much memory as the header states, which is compared with the file's size before the data is read.
 *
 * @throws {FileError} when the file is missing, truncated, too long, or of a dtype that is no {@link NpyDtype}
 */
export async function readNpy(path: string): Promise<NpyArray> {
  return refuseTexts(await readNpyOrTexts(path), path);
}

/** Reads a `.npy` file as {@linkcode readNpy} does, or texts as {@linkcode decodeNpyOrTexts} decodes them. */
export async function readNpyOrTexts(path: string): Promise<NpyArray | NpyTexts> {
  using file = await InputFile.open(path, "a NumPy .npy file");
  const start = await file.read(0, Math.min(MOST_PREFIX + MOST_HEADER, file.sizeBytes));
  const header = decodeHeader(start, file.sizeBytes, path);
  return arrange(header, await file.read(header.dataStart, header.sizeBytes), path);
}

/**
 * Writes an array as a `.npy` file, completely or not at all.
 *
 * @param data row-major
 * @throws {FileError} when the file cannot be written
 * @throws {RangeError} when the shape does not have exactly as many elements as the data
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
 * @throws {FileError} when the bytes are truncated, too many, or of a dtype that is no {@link NpyDtype}
 */
export function decodeNpy(bytes: Uint8Array, path: string): NpyArray {
  return refuseTexts(decodeNpyOrTexts(bytes, path), path);
}

/**
 * Decodes the bytes of a `.npy` file as {@linkcode decodeNpy} does, or texts: `<U` of code points, or `|S` of UTF-8, both without the zeros at
 * their ends.
 *
 * @throws {FileError} when the bytes are truncated, too many, of another dtype, or no texts
 */
export function decodeNpyOrTexts(bytes: Uint8Array, path: string): NpyArray | NpyTexts {
  const header = decodeHeader(bytes, bytes.length, path);
  return arrange(header, new Uint8Array(bytes.subarray(header.dataStart)), path);
}

function refuseTexts(array: NpyArray | NpyTexts, path: string): NpyArray {
  if ("data" in array) return array;
  throw new FileError(path, `Cannot read ${path}: got texts, need numbers`);
}

/** Makes an array of the data's bytes, which it shares unless they are in Fortran order. */
function arrange(
  { dtype, shape, isColumnMajor }: Header,
  bytes: Uint8Array<ArrayBuffer>,
  path: string,
): NpyArray | NpyTexts {
  if (!isSupported(dtype)) {
    const texts = decodeTexts(bytes, dtype, path);
    if (!isColumnMajor) return { texts, shape };
    const rowMajor = [...texts];
    copyToRowMajor(texts, rowMajor, shape);
    return { texts: rowMajor, shape };
  }
  const Data = DTYPES[dtype];
  const data = new Data(bytes.buffer);
  if (!isColumnMajor) return { data, shape, dtype };
  const rowMajor = new Data(data.length);
  copyToRowMajor(data, rowMajor, shape);
  return { data: rowMajor, shape, dtype };
}

/** Decodes texts of a fixed length. */
function decodeTexts(bytes: Uint8Array<ArrayBuffer>, dtype: string, path: string): string[] {
  const size = measureElement(dtype)!;
  const decode = dtype.startsWith("<U") ? decodeCodePoints : decodeUtf8;
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const element = bytes.subarray(i * size, (i + 1) * size);
    try {
      return decode(element.subarray(0, 1 + element.findLastIndex((byte) => byte !== 0)));
    } catch (cause) {
      throw new FileError(
        path,
        `Cannot read ${path}: got a broken text at index ${i}, need ${
          decode === decodeUtf8 ? "UTF-8" : "Unicode"
        }`,
        { cause },
      );
    }
  });
}

function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** @throws {RangeError} if a code point is none, or half of a pair. */
function decodeCodePoints(bytes: Uint8Array<ArrayBuffer>): string {
  // the last code point lacks the zeros at its end
  const points = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(points.buffer).set(bytes);
  const text = String.fromCodePoint(...points);
  if (text.isWellFormed()) return text;
  throw new RangeError("half of a surrogate pair");
}

/**
 * Encodes an array as a version 1.0 `.npy` file, in C order. The data starts at a multiple of 64 bytes.
 *
 * @param data row-major
 * @throws {RangeError} when the shape does not have exactly as many elements as the data
 */
export function encodeNpy(data: NpyData, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = encodeHeader(data, shape);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(viewBytes(data), header.length);
  return bytes;
}

/** Views an array's bytes, without a copy. */
function viewBytes({ buffer, byteOffset, byteLength }: NpyData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Encodes everything before the data. */
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
  /** An {@link NpyDtype}, or that of texts. */
  dtype: string;
  shape: number[];
  isColumnMajor: boolean;
  dataStart: number;
  /** Bytes of the data. */
  sizeBytes: number;
}

/** The header's dictionary; `descr` is a list for a structured dtype. */
const DICTIONARY = z.strictObject({
  descr: z.union([z.string(), z.array(z.unknown())]),
  fortran_order: z.boolean(),
  shape: SHAPE,
});

/**
 * Decodes everything before the data.
 *
 * @param start first bytes of the file: the whole header, unless it is longer than is read
 * @param fileBytes size of the file
 */
function decodeHeader(start: Uint8Array, fileBytes: number, path: string): Header {
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: ${state}`);
  if (!MAGIC.every((byte, i) => start[i] === byte)) {
    throw fail("got no NumPy signature in the first 6 bytes, need a .npy file");
  }
  const version = start[6] ?? 0;
  if (version < 1 || version > 3) throw fail(`got .npy version ${version}, need 1, 2 or 3`);
  const lengthBytes = version === 1 ? 2 : 4;
  const headerStart = MAGIC.length + 2 + lengthBytes;
  const headerLength = decodeLength(start.subarray(MAGIC.length + 2, headerStart));
  const dataStart = headerStart + headerLength;
  if (fileBytes < dataStart) {
    throw fail(`got ${fileBytes} bytes, need at least ${dataStart} for the header`);
  }
  if (headerLength > MOST_HEADER) {
    throw fail(`got a header of ${headerLength} bytes, need at most ${MOST_HEADER}`);
  }
  const text = new TextDecoder().decode(start.subarray(headerStart, dataStart));
  const { data: dictionary } = DICTIONARY.safeParse(parseDictionary(text));
  if (dictionary === undefined) {
    throw fail("got a header without fortran_order or shape, need a file written by numpy.save");
  }
  const { descr: dtype, fortran_order: isColumnMajor, shape } = dictionary;
  if (typeof dtype !== "string") {
    throw fail("got a structured dtype, need a plain array of numbers");
  }
  const elementBytes = measureElement(dtype);
  if (elementBytes === undefined) throw fail(explainDtype(dtype));
  const sizeBytes = countElements(shape) * elementBytes;
  if (fileBytes - dataStart !== sizeBytes) {
    throw fail(
      `got ${fileBytes - dataStart} bytes of data, need ${sizeBytes} for ${dtype} of shape [${
        shape.join(", ")
      }]`,
    );
  }
  return { dtype, shape, isColumnMajor, dataStart, sizeBytes };
}

/** An entry `'key': value,` of a Python dictionary: a string, a boolean, a tuple of integers, or a list, whose contents do not matter. */
const ENTRY =
  /\s*(['"])(\w+)\1\s*:\s*(?:(['"])([^'"\\]*)\3|(True|False)|\(((?:\s*\d+\s*,)+(?:\s*\d+)?|)\s*\)|(\[.*\]))\s*(?:,\s*|$)/gys;

/** Parses the dictionary in a header; undefined where the text is none. */
function parseDictionary(text: string): Record<string, unknown> | undefined {
  const [, body] = /^\s*\{(.*)\}\s*$/s.exec(text) ?? [];
  if (body === undefined) return undefined;
  const entries = [...body.matchAll(ENTRY)];
  const length = entries.reduce((sum, [entry]) => sum + entry.length, 0);
  if (body.slice(length).trim() !== "") return undefined;
  return Object.fromEntries(
    entries.map(([, , key, , name, flag, sizes, list]) => [
      key,
      name ?? (flag ? flag === "True" : list ? [list] : (sizes.match(/\d+/g) ?? []).map(Number)),
    ]),
  );
}

/** Decodes a little-endian unsigned integer; missing bytes count as 0. */
function decodeLength(bytes: Uint8Array): number {
  return bytes.reduceRight((length, byte) => length * 256 + byte, 0);
}

function isSupported(dtype: string): dtype is NpyDtype {
  return Object.hasOwn(DTYPES, dtype);
}

/** Measures an element in bytes; undefined where the dtype cannot be read. */
function measureElement(dtype: string): number | undefined {
  if (isSupported(dtype)) return DTYPES[dtype].BYTES_PER_ELEMENT;
  const [, kind, length] = /^(<U|\|S)([1-9]\d*)$/.exec(dtype) ?? [];
  return kind === undefined ? undefined : Number(length) * (kind === "<U" ? 4 : 1);
}

function explainDtype(dtype: string): string {
  if (/^>\w+$/.test(dtype)) {
    const mend = dtype.replace(">", "<");
    return `got big-endian ${dtype}, need little-endian; save array.astype('${mend}') instead`;
  }
  if (dtype.startsWith("|O")) {
    return "got Python objects, need numbers or texts; save array.astype('<f4') instead, or array.astype(str)";
  }
  return `got dtype ${describeName(dtype)}, need one of ${Object.keys(DTYPES).join(" ")}`;
}

/** Copies a column-major (Fortran order) array into a row-major one of the same shape. */
function copyToRowMajor(
  source: ArrayLike<unknown>,
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
