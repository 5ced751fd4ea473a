/**
 * Simple readers of files by their specifications, slow and without lpntk's code; each throws if a file is broken.
 *
 * @module
 */
import assert from "node:assert/strict";
import { crc32, gunzipSync, inflateRawSync } from "node:zlib";

const latin = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Reads a text that holds one Python value: dictionaries, lists, tuples, texts, truth values and numbers. */
function readPython(text: string): unknown {
  const tokens = text.match(/'[^']*'|"[^"]*"|True|False|[\d.eE+-]+|[{}[\]():,]|\S/g) ?? [];
  let next = 0;
  const take = (token?: string): string => {
    assert.ok(next < tokens.length && (token === undefined || tokens[next] === token));
    return tokens[next++];
  };
  const readList = (end: string, item: () => unknown): unknown[] => {
    const items: unknown[] = [];
    while (tokens[next] !== end) {
      items.push(item());
      if (tokens[next] !== end) take(",");
    }
    take(end);
    return items;
  };
  const readValue = (): unknown => {
    const token = take();
    if (token === "(") return readList(")", readValue);
    if (token === "[") return readList("]", readValue);
    if (token === "{") {
      const pairs = readList("}", () => [readValue(), (take(":"), readValue())]);
      return Object.fromEntries(pairs as [string, unknown][]);
    }
    if (/^['"]/.test(token)) return token.slice(1, -1);
    if (token === "True" || token === "False") return token === "True";
    assert.match(token, /^\d/);
    return Number(token);
  };
  const value = readValue();
  assert.equal(next, tokens.length);
  return value;
}

/** Element types with their sizes in bytes and how DataView reads them. */
const NPY: Record<string, [number, (view: DataView, at: number) => number | bigint]> = {
  "<f4": [4, (v, at) => v.getFloat32(at, true)],
  "<f8": [8, (v, at) => v.getFloat64(at, true)],
  "<f2": [2, (v, at) => v.getFloat16(at, true)],
  "|u1": [1, (v, at) => v.getUint8(at)],
  "|b1": [1, (v, at) => v.getUint8(at)],
  "|i1": [1, (v, at) => v.getInt8(at)],
  "<u2": [2, (v, at) => v.getUint16(at, true)],
  "<i2": [2, (v, at) => v.getInt16(at, true)],
  "<u4": [4, (v, at) => v.getUint32(at, true)],
  "<i4": [4, (v, at) => v.getInt32(at, true)],
  "<u8": [8, (v, at) => v.getBigUint64(at, true)],
  "<i8": [8, (v, at) => v.getBigInt64(at, true)],
};

/** An array of NumPy. */
export interface SimpleArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | bigint)[];
}

export function readNpySimply(bytes: Uint8Array): SimpleArray {
  assert.equal(latin(bytes.subarray(0, 6)), "\u0093NUMPY");
  const isShort = bytes[6] === 1;
  const headerStart = isShort ? 10 : 12;
  const length = isShort ? view(bytes).getUint16(8, true) : view(bytes).getUint32(8, true);
  const dataStart = headerStart + length;
  const header = readPython(latin(bytes.subarray(headerStart, dataStart))) as {
    descr: string;
    fortran_order: boolean;
    shape: number[];
  };
  const { descr: dtype, fortran_order: isFortran, shape } = header;
  const [width, read] = NPY[dtype];
  assert.equal(bytes.length, dataStart + count(shape) * width);
  const data = Array.from({ length: count(shape) }, (_, index) => {
    if (!isFortran) return read(view(bytes), dataStart + index * width);
    const position = shape.toReversed().map((size) => {
      const coordinate = index % size;
      index = Math.floor(index / size);
      return coordinate;
    });
    const from = position.reduce((sum, coordinate, i) => {
      const axis = shape.length - 1 - i;
      return sum + coordinate * count(shape.slice(0, axis));
    }, 0);
    return read(view(bytes), dataStart + from * width);
  });
  return { dtype, shape, data };
}

const SAFETENSORS: Record<string, [number, (view: DataView, at: number) => number]> = {
  F32: [4, (v, at) => v.getFloat32(at, true)],
  F64: [8, (v, at) => Math.fround(v.getFloat64(at, true))],
  F16: [2, (v, at) => v.getFloat16(at, true)],
  BF16: [2, (v, at) => {
    const word = new DataView(new ArrayBuffer(4));
    word.setUint32(0, v.getUint16(at, true) << 16);
    return word.getFloat32(0);
  }],
  U8: [1, (v, at) => v.getUint8(at)],
  I64: [8, (v, at) => Math.fround(Number(v.getBigInt64(at, true)))],
};

/** Reads tensors by name, each as its shape and elements; those of other types have no elements. */
export function readSafetensorsSimply(
  bytes: Uint8Array,
): Record<string, { shape: number[]; data: number[] }> {
  const dataStart = 8 + Number(view(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, dataStart)));
  delete header.__metadata__;
  const covered = Object.values<{ data_offsets: [number, number] }>(header)
    .reduce((sum, { data_offsets: [begin, end] }) => sum + end - begin, 0);
  assert.equal(bytes.length, dataStart + covered);
  return Object.fromEntries(
    Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header).map(
      ([name, { dtype, shape, data_offsets: [begin, end] }]) => {
        if (!Object.hasOwn(SAFETENSORS, dtype)) return [name, { shape, data: [] }];
        const [width, read] = SAFETENSORS[dtype];
        assert.equal(end - begin, count(shape) * width);
        const at = dataStart + begin;
        const data = Array.from(
          { length: count(shape) },
          (_, i) => read(view(bytes), at + i * width),
        );
        return [name, { shape, data }];
      },
    ),
  );
}

export function readIdxSimply(file: Uint8Array): { shape: number[]; data: number[] } {
  const bytes: Uint8Array = file[0] === 0x1f ? gunzipSync(file) : file;
  assert.deepEqual([...bytes.subarray(0, 3)], [0, 0, 8]);
  const shape = Array.from({ length: bytes[3] }, (_, axis) => view(bytes).getUint32(4 + 4 * axis));
  const data = [...bytes.subarray(4 + 4 * shape.length)];
  assert.equal(data.length, count(shape));
  return { shape, data };
}

/** Reads records of CIFAR-10 as labels and pixels, channels last. */
export function readCifarSimply(bytes: Uint8Array): { labels: number[]; images: number[] } {
  const records = bytes.length / 3073;
  assert.ok(Number.isInteger(records));
  const labels = Array.from({ length: records }, (_, record) => bytes[record * 3073]);
  const images = labels.flatMap((_, record) =>
    Array.from(
      { length: 3072 },
      (_, i) => bytes[record * 3073 + 1 + (i % 3) * 1024 + Math.floor(i / 3)],
    )
  );
  return { labels, images };
}

/** Reads a file of a tar archive by its own name. */
export function readTarSimply(file: Uint8Array, name: string): Uint8Array {
  const archive: Uint8Array = gunzipSync(file);
  for (let at = 0; at + 512 <= archive.length;) {
    const field = (from: number, length: number) =>
      latin(archive.subarray(at + from, at + from + length)).split("\0")[0];
    if (field(0, 100) === "") break;
    const size = parseInt(field(124, 12), 8);
    const isFile = ["", "0"].includes(field(156, 1));
    if (isFile && field(0, 100).split("/").at(-1) === name) {
      return archive.subarray(at + 512, at + 512 + size);
    }
    at += 512 * (1 + Math.ceil(size / 512));
  }
  throw new Error(`no ${name}`);
}

/** Reads the members of a zip archive without zip64, by the directory at its end. */
export function readZipSimply(bytes: Uint8Array): Map<string, Uint8Array> {
  const v = view(bytes);
  let end = bytes.length - 22;
  while (v.getUint32(end, true) !== 0x06054b50) end--;
  assert.equal(end + 22 + v.getUint16(end + 20, true), bytes.length);
  const members = new Map<string, Uint8Array>();
  let at = v.getUint32(end + 16, true);
  for (let left = v.getUint16(end + 10, true); left > 0; left--) {
    assert.equal(v.getUint32(at, true), 0x02014b50);
    const [method, flags] = [v.getUint16(at + 10, true), v.getUint16(at + 8, true)];
    const [packed, size] = [v.getUint32(at + 20, true), v.getUint32(at + 24, true)];
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((i) =>
      v.getUint16(at + i, true)
    );
    const name = latin(bytes.subarray(at + 46, at + 46 + nameBytes));
    const local = v.getUint32(at + 42, true);
    assert.equal(v.getUint32(local, true), 0x04034b50);
    const start = local + 30 + v.getUint16(local + 26, true) + v.getUint16(local + 28, true);
    assert.ok(
      start + packed <= bytes.length && (method === 0 || method === 8) && (flags & 1) === 0,
    );
    const content = bytes.subarray(start, start + packed);
    const member = method === 0 ? content : new Uint8Array(inflateRawSync(content));
    assert.ok(member.length === size && crc32(member) === v.getUint32(at + 16, true));
    assert.ok(!members.has(name));
    members.set(name, member);
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return members;
}
