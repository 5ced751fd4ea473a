/**
 * Writes the bytes of ONNX files: just enough of protobuf for graphs in tests.
 *
 * @module
 */

/** A tensor that a graph is given: floats unless `integers` is set. */
export interface TensorParts {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly integers?: boolean;
}

/** An attribute: an integer, a float as `{ float }`, integers, a text, or a tensor. */
export type Attribute =
  | number
  | { readonly float: number }
  | readonly number[]
  | string
  | TensorParts;

/** An operator: its name, inputs, outputs and attributes. */
export type NodeParts = readonly [
  operator: string,
  inputs: readonly string[],
  outputs: string | readonly string[],
  attributes?: Readonly<Record<string, Attribute>>,
];

/** A graph from `x` to its last node's output. */
export interface GraphParts {
  readonly nodes: readonly NodeParts[];
  readonly tensors?: Readonly<Record<string, TensorParts | Uint8Array>>;
  /** Sizes of `x`; a text is a free one. Default: `["n", 2, 4, 5]`. */
  readonly input?: readonly (number | string)[];
  readonly opset?: number;
  readonly otherInputs?: readonly string[];
  readonly outputs?: readonly string[];
}

/** Numbers between -1 and 1 that do not repeat, other ones for each seed. */
export function draw(shape: readonly number[], seed = 1): TensorParts {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = Array.from({ length }, (_, i) => Math.fround(Math.sin((i + 1) * 12.9898 * seed)));
  return { shape, data };
}

function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

/** A field with an integer. */
export function integerField(field: number, value: number): number[] {
  return [...varint(field * 8), ...varint(value)];
}

/** A field with bytes, a text or a message. */
export function bytesField(field: number, value: string | ArrayLike<number>): number[] {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return [...varint(field * 8 + 2), ...varint(bytes.length), ...Array.from(bytes)];
}

function floatBytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** The message of a tensor, as raw data. */
export function encodeTensor(
  name: string,
  { shape, data, integers = false }: TensorParts,
): number[] {
  const raw = integers ? new Uint8Array(BigInt64Array.from(data, BigInt).buffer) : floatBytes(data);
  return [
    ...shape.flatMap((size) => integerField(1, size)),
    ...integerField(2, integers ? 7 : 1),
    ...bytesField(8, name),
    ...bytesField(9, raw),
  ];
}

function encodeAttribute(name: string, value: Attribute): number[] {
  const start = bytesField(1, name);
  if (typeof value === "number") {
    return [...start, ...integerField(3, value), ...integerField(20, 2)];
  }
  if (typeof value === "string") return [...start, ...bytesField(4, value), ...integerField(20, 3)];
  if (Array.isArray(value)) {
    return [...start, ...value.flatMap((v) => integerField(8, v)), ...integerField(20, 7)];
  }
  if ("float" in value) {
    return [...start, 2 * 8 + 5, ...floatBytes([value.float]), ...integerField(20, 1)];
  }
  return [
    ...start,
    ...bytesField(5, encodeTensor("", value as TensorParts)),
    ...integerField(20, 4),
  ];
}

function encodeValue(name: string, shape: readonly (number | string)[]): number[] {
  const sizes = shape.flatMap((size) =>
    bytesField(1, typeof size === "number" ? integerField(1, size) : bytesField(2, size))
  );
  const tensor = [...integerField(1, 1), ...bytesField(2, sizes)];
  return [...bytesField(1, name), ...bytesField(2, bytesField(1, tensor))];
}

/** Encodes a model. */
export function encodeOnnx(graph: GraphParts): Uint8Array<ArrayBuffer> {
  const { nodes, tensors = {}, input = ["n", 2, 4, 5], opset = 17, otherInputs = [] } = graph;
  const { outputs = [[nodes.at(-1)![2]].flat()[0]] } = graph;
  const body = [
    ...nodes.flatMap(([operator, inputs, outputs, attributes = {}], i) =>
      bytesField(1, [
        ...inputs.flatMap((name) => bytesField(1, name)),
        ...[outputs].flat().flatMap((name) => bytesField(2, name as string)),
        ...bytesField(3, `node_${i}`),
        ...bytesField(4, operator),
        ...Object.entries(attributes).flatMap(([name, value]) =>
          bytesField(5, encodeAttribute(name, value))
        ),
      ])
    ),
    ...Object.entries(tensors).flatMap(([name, tensor]) =>
      bytesField(5, tensor instanceof Uint8Array ? tensor : encodeTensor(name, tensor))
    ),
    ...["x", ...otherInputs].flatMap((name) => bytesField(11, encodeValue(name, input))),
    ...outputs.flatMap((name) => bytesField(12, encodeValue(name, []))),
  ];
  return Uint8Array.from([
    ...integerField(1, 8),
    ...bytesField(2, "pytorch"),
    ...bytesField(7, body),
    ...bytesField(8, integerField(2, opset)),
  ]);
}
