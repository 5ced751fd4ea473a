/**
 * The safetensors format: header length (u64, little-endian), JSON header, the tensors' data without gaps.
 *
 * @see https://github.com/huggingface/safetensors#format
 * @module
 */

import { z } from "npm:zod@4.6.7";
import { FileError } from "../errors.ts";
import { checkKeys, describeName, isPlainName, type OptionNames } from "../options.ts";
import { InputFile, writeWhole } from "../files/file.ts";
import { decodeJson } from "./json.ts";
import { countElements, SHAPE } from "./shape.ts";

/** One array of weights, as it stands in a file: on the host, and none of TensorFlow.js. */
export interface WeightTensor {
  /** Sizes of the dimensions; `[]` for a scalar. */
  shape: number[];
  /** The elements, row-major; empty for an element type that is not known. */
  data: Float32Array;
  /** The element type in the file where it is not floating-point, such as `U8`: such a tensor is no weight. */
  dtype?: string;
}

/** Floating-point element types. */
const FLOATS: Readonly<Record<string, ElementType>> = {
  F32: { sizeBytes: 4, convert: (buffer: ArrayBuffer) => new Float32Array(buffer) },
  F64: {
    sizeBytes: 8,
    convert: (buffer: ArrayBuffer) => new Float32Array(new Float64Array(buffer)),
  },
  F16: {
    sizeBytes: 2,
    convert: (buffer: ArrayBuffer) => new Float32Array(new Float16Array(buffer)),
  },
  BF16: { sizeBytes: 2, convert: widenBfloat16 },
};

/** Element types of buffers that a `state_dict` may hold beside weights, such as a batch norm's count of batches or a mask. */
const INTEGERS: Readonly<Record<string, ElementType>> = {
  BOOL: { sizeBytes: 1, convert: (buffer) => Float32Array.from(new Uint8Array(buffer)) },
  U8: { sizeBytes: 1, convert: (buffer) => Float32Array.from(new Uint8Array(buffer)) },
  I8: { sizeBytes: 1, convert: (buffer) => Float32Array.from(new Int8Array(buffer)) },
  U16: { sizeBytes: 2, convert: (buffer) => Float32Array.from(new Uint16Array(buffer)) },
  I16: { sizeBytes: 2, convert: (buffer) => Float32Array.from(new Int16Array(buffer)) },
  U32: { sizeBytes: 4, convert: (buffer) => Float32Array.from(new Uint32Array(buffer)) },
  I32: { sizeBytes: 4, convert: (buffer) => Float32Array.from(new Int32Array(buffer)) },
  U64: { sizeBytes: 8, convert: (buffer) => Float32Array.from(new BigUint64Array(buffer), Number) },
  I64: { sizeBytes: 8, convert: (buffer) => Float32Array.from(new BigInt64Array(buffer), Number) },
};

interface ElementType {
  readonly sizeBytes: number;
  readonly convert: (buffer: ArrayBuffer) => Float32Array;
}

const LENGTH_BYTES = 8;
const METADATA = "__metadata__";
const TEXTS = z.record(z.string(), z.string());
const NATURAL = z.number().int().nonnegative();
const ENTRY = z.strictObject({
  dtype: z.string().regex(/^\w{1,20}$/),
  shape: SHAPE,
  data_offsets: z.tuple([NATURAL, NATURAL]),
});

interface Entry extends z.infer<typeof ENTRY> {
  name: string;
}

/**
 * Reads a `.safetensors` file, for example of a PyTorch `state_dict`. The header is compared with the file's size before any tensor is read.
 *
 * @throws {FileError} when the file is missing, or {@link decodeSafetensors} would refuse it
 */
export async function loadWeights(path: string): Promise<Map<string, WeightTensor>> {
  using file = await InputFile.open(path, "a .safetensors file");
  const { entries, dataStart } = await readHeader(file);
  const tensors = new Map<string, WeightTensor>();
  for (const entry of entries) {
    const [begin, end] = entry.data_offsets;
    tensors.set(entry.name, decodeTensor(entry, await file.read(dataStart + begin, end - begin)));
  }
  return tensors;
}

/** What stands beside weights in their file. */
export interface SaveOptions {
  /** Free text by name, kept in the header; {@linkcode loadMetadata} reads it. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const SAVE_OPTIONS: OptionNames<SaveOptions> = { metadata: true };

/**
 * Writes weights as a `.safetensors` file that PyTorch's `safetensors.torch.load_file` reads, whole or not at all: F32, in the order of the
 * map, without a second copy in memory.
 *
 * @throws {FileError} when it cannot be written, `RangeError` when a shape does not hold exactly its data, or a tensor is named
 * `__metadata__`, `TypeError` when an option is unknown
 */
export async function saveWeights(
  path: string,
  weights: ReadonlyMap<string, WeightTensor>,
  options: SaveOptions = {},
): Promise<void> {
  checkKeys(`write ${path}`, options, SAVE_OPTIONS);
  await writeWhole(path, ...encodeParts(weights, options.metadata));
}

/**
 * Reads the free text that {@link saveWeights} keeps in the header of a `.safetensors` file, by name; none where there is none.
 *
 * @throws {FileError} when the file is missing, or {@link decodeSafetensors} would refuse its header
 */
export async function loadMetadata(path: string): Promise<Map<string, string>> {
  using file = await InputFile.open(path, "a .safetensors file");
  return new Map(Object.entries((await readHeader(file)).metadata));
}

async function readHeader(file: InputFile): Promise<Header> {
  const { path, sizeBytes } = file;
  const start = await file.read(0, Math.min(LENGTH_BYTES + 1, sizeBytes));
  const dataStart = measureHeader(start, sizeBytes, path);
  return decodeHeader(await file.read(0, dataStart), sizeBytes, path);
}

/** Decodes the metadata as {@linkcode loadMetadata} does, from a file's bytes. */
export function decodeMetadata(bytes: Uint8Array, path: string): Map<string, string> {
  const dataStart = measureHeader(bytes, bytes.length, path);
  const { metadata } = decodeHeader(bytes.subarray(0, dataStart), bytes.length, path);
  return new Map(Object.entries(metadata));
}

/**
 * Decodes the bytes of a `.safetensors` file into tensors, in the order of their data. F64, F16, BF16, integers and booleans are converted
 * to f32; the latter two keep their `dtype`, so that whoever asks for a tensor by name can refuse it. The result is a copy.
 *
 * @param path names the file in errors
 * @throws {FileError} when the bytes are truncated or too many, or the header does not describe them
 */
export function decodeSafetensors(bytes: Uint8Array, path: string): Map<string, WeightTensor> {
  const dataStart = measureHeader(bytes, bytes.length, path);
  const { entries } = decodeHeader(bytes.subarray(0, dataStart), bytes.length, path);
  return new Map(entries.map((entry) => {
    const [begin, end] = entry.data_offsets;
    // a copy, so that its start is aligned for any element type
    const data = new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end));
    return [entry.name, decodeTensor(entry, data)];
  }));
}

/**
 * Encodes tensors as a `.safetensors` file that PyTorch's `safetensors` reads: F32, in the order of the map.
 *
 * @param metadata texts by name, kept in the header
 * @throws {RangeError} when a shape does not have exactly as many elements as its data, or a tensor is named `__metadata__`
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, WeightTensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const parts = encodeParts(tensors, metadata);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** All that stands before the data, then the bytes of each tensor, which are shared with it. */
function encodeParts(
  tensors: ReadonlyMap<string, WeightTensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  let end = 0;
  const entries = [...tensors].map(([name, tensor]) => {
    checkTensor(name, tensor);
    const begin = end;
    end += tensor.data.byteLength;
    return [name, { dtype: "F32", shape: tensor.shape, data_offsets: [begin, end] }] as const;
  });
  const json = JSON.stringify({
    ...(metadata && { [METADATA]: metadata }),
    ...Object.fromEntries(entries),
  });
  const header = padToMultiple(new TextEncoder().encode(json), 8);
  const length = new DataView(new ArrayBuffer(LENGTH_BYTES));
  length.setBigUint64(0, BigInt(header.length), true);
  const data = Array.from(
    tensors.values(),
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  return [new Uint8Array(length.buffer), header, ...data];
}

function checkTensor(name: string, { shape, data }: WeightTensor): void {
  if (name === METADATA) {
    throw new RangeError(`Cannot write tensor ${name}: got a reserved name, need another`);
  }
  if (countElements(shape) !== data.length) {
    throw new RangeError(
      `Cannot write tensor ${name} of shape [${shape.join(", ")}]: got ${data.length} elements, ` +
        `need ${countElements(shape)}`,
    );
  }
}

/** Pads JSON with spaces, which it ignores. */
function padToMultiple(text: Uint8Array, multiple: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil(text.length / multiple) * multiple).fill(0x20);
  padded.set(text);
  return padded;
}

interface Header {
  /** Entries in the order of their data, which they cover without gap or overlap. */
  entries: Entry[];
  metadata: Record<string, string>;
  dataStart: number;
}

/**
 * Finds where the data begins, in bytes from the start of the file.
 *
 * @param start first bytes of the file
 * @param fileBytes size of the file
 */
function measureHeader(start: Uint8Array, fileBytes: number, path: string): number {
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: ${state}`);
  // The header's length may look like a pickle (640 is 80 02), so the start of the JSON decides.
  if (start[LENGTH_BYTES] !== 0x7b) throw fail(explainForeignFile(start, path));
  const view = new DataView(start.buffer, start.byteOffset, LENGTH_BYTES);
  const dataStart = LENGTH_BYTES + Number(view.getBigUint64(0, true));
  if (fileBytes < dataStart) {
    throw fail(`got ${fileBytes} bytes, need at least ${dataStart} for the header`);
  }
  return dataStart;
}

/**
 * Decodes everything before the data, and compares it with the file's size.
 *
 * @param start all bytes before the data
 * @param fileBytes size of the file
 */
function decodeHeader(start: Uint8Array, fileBytes: number, path: string): Header {
  const fail = (state: string) => new FileError(path, `Cannot read ${path}: ${state}`);
  const dataStart = start.length;
  const header = decodeJson(
    start.subarray(LENGTH_BYTES),
    path,
    "the header of a .safetensors file",
  );
  const entries = Object.entries(header as object).filter(([name]) => name !== METADATA).map(
    ([name, value]) => {
      const entry = ENTRY.safeParse(value);
      if (entry.success && isPlainName(name)) return { name, ...entry.data };
      throw fail(
        `got a bad header entry for tensor ${
          describeName(name)
        }, need dtype, shape and data_offsets`,
      );
    },
  );
  entries.sort(compareOffsets);
  checkCoverage(entries, fileBytes - dataStart, path);
  for (const entry of entries) checkSize(entry, path);
  // metadata of another form is ignored, since nothing depends on it
  const { data: metadata = {} } = TEXTS.safeParse((header as Record<string, unknown>)[METADATA]);
  return { entries, metadata, dataStart };
}

/** Orders entries by offset; an empty tensor comes before the tensor that begins at the same offset. */
function compareOffsets(a: Entry, b: Entry): number {
  return a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1];
}

/** Explains a file that is no safetensors file; most often it is a PyTorch pickle. */
function explainForeignFile(bytes: Uint8Array, path: string): string {
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b; // "PK": torch.save since PyTorch 1.6
  const isPickle = bytes[0] === 0x80;
  if (!isZip && !isPickle) return "got no safetensors header, need a .safetensors file";
  const converted = `${path.replace(/\.[^./\\]*$/, "")}.safetensors`;
  return `got a PyTorch pickle, need a .safetensors file; this converts it: python3 -c '${CONVERT}' ${
    quote(path)
  } ${quote(converted)}`;
}

/**
 * Python program that writes the `state_dict` of a pickle in this format, without the package `safetensors`. The pickle may be the `state_dict`
 * itself, a module, or a checkpoint that holds either. It has only simple statements and no single quote, so that a shell takes it on one line.
 */
const CONVERT = [
  "import ctypes, itertools, json, struct, sys, torch",
  'take = lambda o: o.state_dict() if hasattr(o, "state_dict") else o',
  "found = lambda o: isinstance(o, dict) and any(map(torch.is_tensor, o.values()))",
  'whole = take(torch.load(sys.argv[1], map_location="cpu"))',
  'first = ("state_dict", "model_state_dict", "model", "net", "network")',
  "parts = [*(whole[k] for k in first if k in whole), whole, *whole.values()]",
  "state = next(filter(found, map(take, parts)))",
  "cast = lambda t: (t.float() if t.is_floating_point() else t.long()).contiguous()",
  "state = {k: cast(t) for k, t in state.items() if torch.is_tensor(t)}",
  "size = lambda t: t.numel() * t.element_size()",
  "ends = [0, *itertools.accumulate(map(size, state.values()))]",
  'kind = lambda t: "F32" if t.is_floating_point() else "I64"',
  'entry = lambda t, i: {"dtype": kind(t), "shape": list(t.shape), "data_offsets": ends[i:i + 2]}',
  "head = json.dumps({k: entry(t, i) for i, (k, t) in enumerate(state.items())}).encode()",
  'data = b"".join(ctypes.string_at(t.data_ptr(), size(t)) for t in state.values())',
  'open(sys.argv[2], "wb").write(struct.pack("<Q", len(head)) + head + data)',
].join("; ");

/** Quotes a path as a shell argument. */
function quote(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Checks that tensors, sorted by offset, cover the data from end to end without gap or overlap. */
function checkCoverage(entries: Entry[], sizeBytes: number, path: string): void {
  let covered = 0;
  for (const { name, data_offsets: [begin, end] } of entries) {
    if (begin !== covered || end < begin) {
      throw new FileError(
        path,
        `Cannot read tensor ${name} of ${path}: got bytes ${begin} to ${end}, need a start at ` +
          `${covered}, where the tensor before it ends`,
      );
    }
    covered = end;
  }
  if (covered !== sizeBytes) {
    throw new FileError(
      path,
      `Cannot read ${path}: got ${sizeBytes} bytes of data, need ${covered} for its tensors`,
    );
  }
}

/** Finds an element type by its name; undefined where it is not known. */
function findType(dtype: string): ElementType | undefined {
  const types = Object.hasOwn(FLOATS, dtype) ? FLOATS : INTEGERS;
  return Object.hasOwn(types, dtype) ? types[dtype] : undefined;
}

/** @throws {FileError} when a tensor's bytes are not what its shape takes */
function checkSize({ name, dtype, shape, data_offsets: [begin, end] }: Entry, path: string): void {
  const type = findType(dtype);
  const needBytes = type && countElements(shape) * type.sizeBytes;
  if (needBytes === undefined || end - begin === needBytes) return;
  throw new FileError(
    path,
    `Cannot read tensor ${name} of ${path}: got ${
      end - begin
    } bytes, need ${needBytes} for ${dtype} [${shape.join(", ")}]`,
  );
}

/** Decodes a tensor from its own bytes. */
function decodeTensor({ dtype, shape }: Entry, bytes: Uint8Array<ArrayBuffer>): WeightTensor {
  const type = findType(dtype);
  if (!type) return { shape, data: new Float32Array(), dtype };
  const data = type.convert(bytes.buffer);
  return { shape, data, ...Object.hasOwn(FLOATS, dtype) ? {} : { dtype } };
}

/** Widens bfloat16 to float32, whose upper half it is. */
function widenBfloat16(buffer: ArrayBuffer): Float32Array {
  const words = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16);
  return new Float32Array(words.buffer);
}
