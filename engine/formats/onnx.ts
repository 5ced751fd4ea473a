/**
 * The ONNX format: a graph of operators with its tensors, as one protobuf message.
 *
 * Only what a graph says of itself is decoded; what the operators mean is not known here. The wire format is read by hand: a message is read
 * field by field, and a nested one is a part of the same bytes, so that no tensor is copied before it is asked for.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 * @see https://protobuf.dev/programming-guides/encoding
 * @module
 */
import { FileError } from "../errors.ts";
import { describeName, isPlainName } from "../options.ts";
import { countElements } from "./shape.ts";

/** A tensor in the file, or a constant of a node. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Element type as ONNX names it, for example `FLOAT` or `INT64`. */
  readonly dtype: string;
  /** Whether the elements are floating-point numbers. */
  readonly isFloat: boolean;
  /**
   * Decodes the elements, row-major; integers and booleans as float64, `FLOAT` and smaller ones as float32.
   *
   * @throws {FileError} if they are not in the file, or their type is not supported.
   */
  read(): Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

/** Value of an attribute: a number, a text, or a list of either, or a tensor; undefined for a kind that is not decoded, such as a graph. */
export type OnnxAttribute = number | string | readonly number[] | OnnxTensor | undefined;

/** An operator of the graph. */
export interface OnnxNode {
  /** Name of the node, or of its first output where it has none. */
  readonly name: string;
  readonly operator: string;
  /** Set of operators that it is of; empty for ONNX's own. */
  readonly domain: string;
  /** Names of its inputs; one that is left out is an empty text. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** An input or output of the graph. */
export interface OnnxValue {
  readonly name: string;
  /** Element type; empty where the value is no tensor. */
  readonly dtype: string;
  /** Sizes; a text names one that is free. */
  readonly shape: readonly (number | string)[];
}

/** A model as its file holds it. */
export interface OnnxModel {
  /** Program that wrote the file, such as `pytorch`. */
  readonly producer: string;
  /** Version of ONNX's own set of operators. */
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Inputs that are no tensors of the file. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** A field's value: a number of 64 bits, or of 32 and 64 bits as bytes, or bytes of a stated length. */
type Field = bigint | Uint8Array;

/** A message: the values of each field by its number, in their order. */
class Message {
  readonly #fields = new Map<number, Field[]>();

  /** @throws {FileError} if the bytes end within a field, or are no protobuf. */
  constructor(private readonly bytes: Uint8Array, private readonly path: string) {
    const reader = new WireReader(bytes, path);
    while (!reader.isAtEnd) {
      const tag = Number(reader.readVarint());
      const value = reader.readValue(tag & 7);
      const field = Math.floor(tag / 8);
      const list = this.#fields.get(field);
      if (list) list.push(value);
      else this.#fields.set(field, [value]);
    }
  }

  messages(field: number): Message[] {
    return this.chunks(field).map((bytes) => new Message(bytes, this.path));
  }

  message(field: number): Message | undefined {
    return this.messages(field).at(-1);
  }

  texts(field: number): string[] {
    return this.chunks(field).map((bytes) => new TextDecoder().decode(bytes));
  }

  text(field: number): string {
    return this.texts(field).at(-1) ?? "";
  }

  /** Names, which errors can print on one line. */
  names(field: number): string[] {
    const names = this.texts(field);
    const bad = names.find((name) => name !== "" && !isPlainName(name));
    if (bad === undefined) return names;
    throw new FileError(
      this.path,
      `Cannot read ${this.path}: got the name ${describeName(bad)}, need an ONNX model, whole`,
    );
  }

  name(field: number): string {
    return this.names(field).at(-1) ?? "";
  }

  chunks(field: number): Uint8Array[] {
    return this.#get(field).filter((value) => typeof value !== "bigint");
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  /** Integers, packed or one by one, with their sign. */
  integers(field: number): number[] {
    return this.#get(field).flatMap((value) => {
      if (typeof value === "bigint") return [toInteger(value)];
      const reader = new WireReader(value, this.path);
      const list: number[] = [];
      while (!reader.isAtEnd) list.push(toInteger(reader.readVarint()));
      return list;
    });
  }

  integer(field: number): number {
    return this.integers(field).at(-1) ?? 0;
  }

  /** The bytes of numbers of a fixed width, packed or one by one, one after the other. */
  fixed(field: number): Uint8Array<ArrayBuffer> {
    const parts = this.chunks(field);
    const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let end = 0;
    for (const part of parts) {
      joined.set(part, end);
      end += part.length;
    }
    return joined;
  }

  floats(field: number): number[] {
    return [...new Float32Array(this.#whole(field, 4))];
  }

  #whole(field: number, widthBytes: number): ArrayBuffer {
    const bytes = this.fixed(field);
    return bytes.buffer.slice(0, bytes.length - bytes.length % widthBytes);
  }

  #get(field: number): readonly Field[] {
    return this.#fields.get(field) ?? [];
  }
}

/** Reads the values of protobuf's wire format within the bounds of its bytes. */
class WireReader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array, private readonly path: string) {}

  get isAtEnd(): boolean {
    return this.#at >= this.bytes.length;
  }

  readVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.isAtEnd) throw this.#fail("an end within a number");
      const byte = this.bytes[this.#at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw this.#fail("a number of more than 64 bits");
  }

  readValue(wireType: number): Field {
    if (wireType === 0) return this.readVarint();
    if (wireType === 1) return this.#take(8);
    if (wireType === 2) return this.#take(Number(this.readVarint()));
    if (wireType === 5) return this.#take(4);
    throw this.#fail(`a field of type ${wireType}`);
  }

  #take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.bytes.length) {
      throw this.#fail(`${this.bytes.length - this.#at} bytes of ${count}, a truncated file`);
    }
    const part = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  #fail(state: string): FileError {
    return new FileError(
      this.path,
      `Cannot read ${this.path}: got ${state}, need an ONNX model, whole`,
    );
  }
}

function toInteger(value: bigint): number {
  return Number(BigInt.asIntN(64, value));
}

/** Element types by their numbers in the file. */
const TYPES: readonly string[] = [
  "UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64 COMPLEX64",
  "COMPLEX128 BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ UINT4 INT4 FLOAT4E2M1",
].join(" ").split(" ");

const FLOATS: readonly string[] = ["FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"];

/** How elements stand in `raw_data`, little-endian and without gaps. */
const RAW: Readonly<
  Record<string, readonly [sizeBytes: number, decode: (buffer: ArrayBuffer) => Elements]>
> = {
  FLOAT: [4, (buffer) => new Float32Array(buffer)],
  DOUBLE: [8, (buffer) => new Float64Array(buffer)],
  FLOAT16: [2, (buffer) => new Float32Array(new Float16Array(buffer))],
  BFLOAT16: [2, (buffer) =>
    new Float32Array(
      Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer,
    )],
  BOOL: [1, (buffer) => Float64Array.from(new Uint8Array(buffer))],
  UINT8: [1, (buffer) => Float64Array.from(new Uint8Array(buffer))],
  INT8: [1, (buffer) => Float64Array.from(new Int8Array(buffer))],
  INT32: [4, (buffer) => Float64Array.from(new Int32Array(buffer))],
  INT64: [8, (buffer) => Float64Array.from(new BigInt64Array(buffer), Number)],
};

type Elements = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** Largest number of dimensions of a tensor. */
const MOST_DIMENSIONS = 8;

/**
 * Decodes the bytes of a `.onnx` file. Tensors are decoded when they are read, from the same bytes.
 *
 * @param path names the file in errors
 * @throws {FileError} if the bytes are truncated or no ONNX model.
 */
export function decodeOnnx(bytes: Uint8Array, path: string): OnnxModel {
  const model = new Message(bytes, path);
  const graph = model.message(7);
  const opset = model.messages(8).find((set) => set.text(1) === "" || set.text(1) === "ai.onnx");
  if (!graph || !opset) {
    throw new FileError(path, `Cannot read ${path}: got no graph, need an ONNX model, whole`);
  }
  const tensors = new Map(
    graph.messages(5).map((message) => {
      const tensor = decodeTensor(message, path);
      return [tensor.name, tensor];
    }),
  );
  if (graph.has(15)) {
    throw new FileError(path, `Cannot load ${path}: got a sparse tensor, need dense ones`);
  }
  return {
    producer: model.text(2),
    opset: opset.integer(2),
    nodes: graph.messages(1).map((message) => decodeNode(message, path)),
    tensors,
    inputs: graph.messages(11).map(decodeValue).filter(({ name }) => !tensors.has(name)),
    outputs: graph.messages(12).map(decodeValue),
  };
}

function decodeValue(message: Message): OnnxValue {
  const tensor = message.message(2)?.message(1);
  const sizes = tensor?.message(2)?.messages(1) ?? [];
  return {
    name: message.name(1),
    dtype: tensor ? TYPES[tensor.integer(1)] ?? "" : "",
    shape: sizes.map((size) => size.has(1) ? size.integer(1) : size.name(2) || "?"),
  };
}

function decodeNode(message: Message, path: string): OnnxNode {
  const outputs = message.names(2);
  return {
    name: message.name(3) || outputs[0] || "",
    operator: message.name(4),
    domain: message.name(7),
    inputs: message.names(1),
    outputs,
    attributes: new Map(
      message.messages(5).map((attribute) => [attribute.text(1), decodeAttribute(attribute, path)]),
    ),
  };
}

function decodeAttribute(message: Message, path: string): OnnxAttribute {
  const tensor = message.message(5);
  if (tensor) return decodeTensor(tensor, path);
  if (message.has(8)) return message.integers(8);
  if (message.has(7)) return message.floats(7);
  if (message.has(4)) return message.text(4);
  if (message.has(2)) return message.floats(2)[0];
  if (message.has(3)) return message.integer(3);
  // an empty list has no field of its own
  const type = message.integer(20);
  if (type === 6 || type === 7) return [];
  return type === 2 ? 0 : undefined;
}

function decodeTensor(message: Message, path: string): OnnxTensor {
  const name = message.name(8);
  const dtype = TYPES[message.integer(2)] ?? `${message.integer(2)}`;
  const shape = message.integers(1);
  const fail = (state: string, need: string) =>
    new FileError(
      path,
      `Cannot read tensor ${describeName(name)} of ${path}: got ${state}, need ${need}`,
    );
  if (shape.length > MOST_DIMENSIONS || shape.some((size) => size < 0)) {
    throw fail(`shape [${shape.join(", ")}]`, `at most ${MOST_DIMENSIONS} sizes of at least 0`);
  }
  const count = countElements(shape);
  const read = (): Elements => {
    if (message.integer(14) === 1) {
      const [place] = message.messages(13).filter((entry) => entry.text(1) === "location");
      throw fail(
        `its elements in another file, ${describeName(place?.text(2) ?? "")}`,
        "them inside; onnx.save_model(onnx.load(file), file, save_as_external_data=False) puts them there",
      );
    }
    const form = Object.hasOwn(RAW, dtype) ? RAW[dtype] : undefined;
    if (!form) throw fail(`elements of type ${dtype}`, "floating-point numbers");
    const elements = readElements(message, dtype, form);
    if (elements?.length === count) return elements;
    throw fail(
      `${elements?.length ?? "other than whole"} elements`,
      `${count} for its shape [${shape.join(", ")}]`,
    );
  };
  return { name, shape, dtype, isFloat: FLOATS.includes(dtype), read };
}

/** Decodes elements that stand as raw bytes or as typed fields; undefined if the raw bytes are not those of whole elements. */
function readElements(
  message: Message,
  dtype: string,
  [sizeBytes, decode]: (typeof RAW)[string],
): Elements | undefined {
  if (message.has(9)) {
    const raw = message.fixed(9);
    return raw.length % sizeBytes === 0 ? decode(raw.buffer) : undefined;
  }
  if (dtype === "FLOAT" || dtype === "DOUBLE") {
    const packed = message.fixed(dtype === "FLOAT" ? 4 : 10);
    return packed.length % sizeBytes === 0 ? decode(packed.buffer) : undefined;
  }
  const integers = message.integers(dtype === "INT64" ? 7 : 5);
  // bits of a float stand in integers of their own
  if (dtype === "FLOAT16" || dtype === "BFLOAT16") return decode(Uint16Array.from(integers).buffer);
  return Float64Array.from(integers);
}
