/**
 * The safetensors format: header length (u64, little-endian), JSON header, tensors back to back.
 *
 * @see https://github.com/huggingface/safetensors#format
 * @module
 */

import { z } from "npm:zod@4.6.7";
import { FileError } from "../errors.ts";
import { readBytes } from "../files/file.ts";
import { countElements } from "./shape.ts";

/** A named array of weights. */
export interface Tensor {
  /** Sizes of the dimensions; `[]` for a scalar. */
  shape: number[];
  /** The elements, row-major; none of a type that is neither a number nor a flag, or that is not known. */
  data: Float32Array;
  /** The file's type of element where that is no floating-point number, such as `U8`: such a tensor can be no weight. */
  dtype?: string;
}

/** Types of floating-point numbers. */
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

/** Types that a buffer beside weights may have: batch norms count their batches, masks hold flags. */
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
  dtype: z.string(),
  shape: z.array(NATURAL),
  data_offsets: z.tuple([NATURAL, NATURAL]),
});

interface Entry extends z.infer<typeof ENTRY> {
  name: string;
}

/**
 * Reads a `.safetensors` file, for example a PyTorch `state_dict`.
 *
 * @throws {FileError} when it is missing, or not as {@link decodeSafetensors} needs it
 */
export async function loadWeights(path: string): Promise<Map<string, Tensor>> {
  return decodeSafetensors(await readBytes(path, "a .safetensors file"), path);
}

/**
 * Reads the free text that {@link encodeSafetensors} keeps in the header of a `.safetensors` file, by name; none where there is none.
 *
 * @throws {FileError} when the file is missing, or its header is not as {@link decodeSafetensors} needs it
 */
export async function loadMetadata(path: string): Promise<Map<string, string>> {
  return decodeMetadata(await readBytes(path, "a .safetensors file"), path);
}

/** {@linkcode loadMetadata} of the bytes of a file. */
export function decodeMetadata(bytes: Uint8Array, path: string): Map<string, string> {
  return new Map(Object.entries(decodeHeader(bytes, path).metadata));
}

/**
 * Decodes the bytes of a `.safetensors` file into tensors in the order of their data. F64, F16 and
 * BF16 are converted to f32, and so are whole numbers and flags, which keep their `dtype`: whether
 * such a tensor is in the way is said by its name, and not here. The result is a copy.
 *
 * @param path names the file in errors
 * @throws {FileError} when the bytes are truncated or too many, or the header does not describe them
 */
export function decodeSafetensors(bytes: Uint8Array, path: string): Map<string, Tensor> {
  const { entries, dataStart } = decodeHeader(bytes, path);
  const data = bytes.subarray(dataStart);
  checkCoverage(entries, data.length, path);
  return new Map(entries.map((entry) => [entry.name, decodeTensor(entry, data, path)]));
}

/**
 * Encodes tensors as a `.safetensors` file that PyTorch's `safetensors` reads: F32, in the order of
 * the map.
 *
 * @param metadata free text by name, kept in the header
 * @throws {RangeError} when a shape does not hold exactly its data, or a tensor is named
 * `__metadata__`
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata?: Record<string, string>,
): Uint8Array<ArrayBuffer> {
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

  const dataStart = LENGTH_BYTES + header.length;
  const bytes = new Uint8Array(dataStart + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, LENGTH_BYTES);
  let offset = dataStart;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}

function checkTensor(name: string, { shape, data }: Tensor): void {
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

/** Pads with spaces, which JSON ignores. */
function padToMultiple(text: Uint8Array, multiple: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil(text.length / multiple) * multiple).fill(0x20);
  padded.set(text);
  return padded;
}

function decodeHeader(
  bytes: Uint8Array,
  path: string,
): { entries: Entry[]; metadata: Record<string, string>; dataStart: number } {
  const fail = (state: string, cause?: unknown) =>
    new FileError(path, `Cannot read ${path}: ${state}`, { cause });
  // The length alone may look like a pickle (640 is 80 02), so the start of the JSON decides.
  if (bytes[LENGTH_BYTES] !== 0x7b) throw fail(explainForeignFile(bytes, path));
  const length = Number(
    new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true),
  );
  const dataStart = LENGTH_BYTES + length;
  if (bytes.length < dataStart) {
    throw fail(`got ${bytes.length} bytes, need at least ${dataStart} for the header`);
  }
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, dataStart)));
  } catch (cause) {
    throw fail("got a header that is not JSON, need a .safetensors file", cause);
  }
  const entries = Object.entries(header).filter(([name]) => name !== METADATA).map(
    ([name, value]) => {
      const entry = ENTRY.safeParse(value);
      if (entry.success) return { name, ...entry.data };
      throw fail(`got a bad header entry for tensor ${name}, need dtype, shape and data_offsets`);
    },
  );
  // text of another form is no tensor's, and nothing depends on it
  const { data: metadata = {} } = TEXTS.safeParse(header[METADATA]);
  return { entries: entries.sort(compareOffsets), metadata, dataStart };
}

/** Empty tensors share their offset with the tensor after them, and come before it. */
function compareOffsets(a: Entry, b: Entry): number {
  return a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1];
}

/** What to say about a file that is no safetensors file; most often it is a PyTorch pickle. */
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
 * Python that writes the `state_dict` of a pickle in this format, without the package `safetensors`. The `state_dict` may be the whole of it,
 * a module's, or one entry of a checkpoint. Statements alone, without a single quote, so that a shell takes them on one line.
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

/** A path as an argument of a shell. */
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

function decodeTensor(entry: Entry, data: Uint8Array, path: string): Tensor {
  const { name, dtype, shape, data_offsets: [begin, end] } = entry;
  const fail = (state: string) =>
    new FileError(path, `Cannot read tensor ${name} of ${path}: ${state}`);
  const isFloat = Object.hasOwn(FLOATS, dtype);
  if (!isFloat && !Object.hasOwn(INTEGERS, dtype)) {
    return { shape, data: new Float32Array(), dtype };
  }
  const { sizeBytes, convert } = (isFloat ? FLOATS : INTEGERS)[dtype];
  const needBytes = countElements(shape) * sizeBytes;
  if (end - begin !== needBytes) {
    throw fail(`got ${end - begin} bytes, need ${needBytes} for ${dtype} [${shape.join(", ")}]`);
  }
  const elements = convert(new Uint8Array(data.subarray(begin, end)).buffer);
  return { shape, data: elements, ...isFloat ? {} : { dtype } };
}

/** A bfloat16 is the upper half of a float32. */
function widenBfloat16(buffer: ArrayBuffer): Float32Array {
  const words = Uint32Array.from(new Uint16Array(buffer), (half) => half << 16);
  return new Float32Array(words.buffer);
}
