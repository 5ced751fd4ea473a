import assert from "node:assert/strict";
import fc from "fast-check";
import type { WeightTensor } from "../../../engine/formats/safetensors.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  loadMetadata,
  loadWeights,
  saveWeights,
} from "../../../engine/formats/safetensors.ts";
import { openTempFolder } from "../../temp_folder.ts";

const shapes = fc.array(fc.nat({ max: 3 }), { maxLength: 4 });
const tensors = shapes.chain((shape) => {
  const count = shape.reduce((product, size) => product * size, 1);
  return fc.float32Array({ minLength: count, maxLength: count }).map((data) => ({ shape, data }));
});
const tensorMaps = fc.array(fc.tuple(fc.string(), tensors), { maxLength: 5 })
  .map((entries) => new Map<string, WeightTensor>(entries));

/** Encodes a file with the header given word by word. */
function encodeByHand(header: string | object, data: ArrayLike<number> = []): Uint8Array {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const length = [0, 8, 16, 24].map((shift) => text.length >> shift);
  return Uint8Array.from([...length, 0, 0, 0, 0, ...text, ...Array.from(data)]);
}

function describe(dtype: string, shape: number[], begin: number, end: number) {
  return { dtype, shape, data_offsets: [begin, end] };
}

Deno.test("encoded tensors decode to the same names, order, shapes and bits", () => {
  fc.assert(fc.property(tensorMaps, (map) => {
    const decoded = decodeSafetensors(encodeSafetensors(map), "w");
    const sorted = (names: Iterable<string>) => [...names].sort();
    assert.deepEqual(sorted(decoded.keys()), sorted(map.keys()));
    for (const [name, { shape, data }] of map) {
      assert.deepEqual(decoded.get(name)!.shape, shape);
      assert.deepEqual(
        new Uint8Array(decoded.get(name)!.data.buffer),
        new Uint8Array(data.slice().buffer),
      );
    }
    // Empty tensors take no bytes of the data, so only the others keep their order.
    const filled = (tensors: Map<string, WeightTensor>) =>
      [...tensors].filter(([, { data }]) => data.length > 0).map(([name]) => name);
    assert.deepEqual(filled(decoded), filled(map));
  }));
});

Deno.test("tensors whose names JavaScript would treat apart keep name and order", () => {
  const one = { shape: [1], data: Float32Array.of(1) };
  const map = new Map([["b", one], ["1", one], ["__proto__", one], ["0", one]]);
  assert.deepEqual(decodeSafetensors(encodeSafetensors(map), "w"), map);
});

Deno.test("any truncation of a safetensors file is a FileError", () => {
  fc.assert(fc.property(tensorMaps, fc.nat(), (map, cut) => {
    const bytes = encodeSafetensors(map);
    const truncated = bytes.subarray(0, cut % bytes.length);
    assert.throws(() => decodeSafetensors(truncated, "w"), { name: "FileError", path: "w" });
  }));
});

Deno.test("an encoded file is length, padded JSON with metadata, and data", () => {
  const map = new Map([["a.weight", { shape: [1, 2], data: Float32Array.of(1, -2) }]]);
  const json =
    '{"__metadata__":{"arch":"mlp"},"a.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}';
  const header = json.padEnd(Math.ceil(json.length / 8) * 8);
  assert.notEqual(header, json);
  assert.deepEqual(
    encodeSafetensors(map, { arch: "mlp" }),
    encodeByHand(header, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]),
  );
});

Deno.test("metadata are no tensor", () => {
  const bytes = encodeSafetensors(new Map(), { arch: "mlp" });
  assert.equal(decodeSafetensors(bytes, "w").size, 0);
});

Deno.test("F64, F16 and BF16 are converted to float32, and so are whole numbers, by their type", () => {
  const f64 = new Uint8Array(Float64Array.of(0.1, -2).buffer);
  const f16 = [0x00, 0x3c, 0x01, 0x00, 0x00, 0xfc]; // 1, the least subnormal, -infinity
  const bf16 = [0x80, 0x3f, 0x49, 0x40]; // 1, 3.140625
  const bytes = encodeByHand(
    {
      f64: describe("F64", [2], 0, 16),
      f16: describe("F16", [3], 16, 22),
      bf16: describe("BF16", [2, 1], 22, 26),
      "bn1.num_batches_tracked": describe("I64", [], 26, 34),
    },
    [...f64, ...f16, ...bf16, ...new Uint8Array(BigInt64Array.of(-3n).buffer)],
  );
  assert.deepEqual(
    decodeSafetensors(bytes, "w"),
    new Map([
      ["f64", { shape: [2], data: Float32Array.of(0.1, -2) }],
      ["f16", { shape: [3], data: Float32Array.of(1, 2 ** -24, -Infinity) }],
      ["bf16", { shape: [2, 1], data: Float32Array.of(1, 3.140625) }],
      ["bn1.num_batches_tracked", { shape: [], data: Float32Array.of(-3), dtype: "I64" }],
    ]),
  );
});

Deno.test("a buffer of any type beside the weights leaves the file readable, and keeps its type", () => {
  const bytes = (array: { buffer: ArrayBuffer }) => [...new Uint8Array(array.buffer)];
  const buffers: [dtype: string, data: number[], values: number[]][] = [
    ["BOOL", [1, 0], [1, 0]],
    ["U8", [255, 0], [255, 0]],
    ["I8", [255, 1], [-1, 1]],
    ["U16", bytes(Uint16Array.of(65535, 1)), [65535, 1]],
    ["I16", bytes(Int16Array.of(-2, 1)), [-2, 1]],
    ["U32", bytes(Uint32Array.of(70000, 1)), [70000, 1]],
    ["I32", bytes(Int32Array.of(-70000, 1)), [-70000, 1]],
    ["U64", bytes(BigUint64Array.of(5n, 1n)), [5, 1]],
    ["F8_E4M3", [7, 7], []],
    ["F4", [7], []],
  ];
  for (const [dtype, data, values] of buffers) {
    const header = {
      w: describe("F32", [1], 0, 4),
      buffer: describe(dtype, [2], 4, 4 + data.length),
    };
    assert.deepEqual(
      decodeSafetensors(encodeByHand(header, [0, 0, 0x80, 0x3f, ...data]), "w"),
      new Map<string, WeightTensor>([
        ["w", { shape: [1], data: Float32Array.of(1) }],
        ["buffer", { shape: [2], data: Float32Array.from(values), dtype }],
      ]),
    );
  }
});

Deno.test("the order of the header does not matter, the order of the data does", () => {
  const bytes = encodeByHand(
    { b: describe("F32", [], 4, 8), a: describe("F32", [], 0, 4) },
    [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40],
  );
  const decoded = decodeSafetensors(bytes, "w");
  assert.deepEqual([...decoded.keys()], ["a", "b"]);
  assert.deepEqual(decoded.get("b")!.data, Float32Array.of(2));
});

Deno.test("an empty tensor may be named after the one that starts where it does", () => {
  const bytes = encodeByHand(
    { a: describe("F32", [1], 0, 4), empty: describe("F32", [0], 0, 0) },
    [0, 0, 0x80, 0x3f],
  );
  assert.deepEqual([...decodeSafetensors(bytes, "w").keys()], ["empty", "a"]);
});

Deno.test("a header of 640 bytes is not taken for a pickle, whose first bytes are the same", () => {
  const json = JSON.stringify({ a: describe("F32", [], 0, 4) }).padEnd(640);
  const bytes = encodeByHand(json, [0, 0, 0x80, 0x3f]);
  assert.deepEqual([bytes[0], bytes[1]], [0x80, 0x02]);
  assert.deepEqual(decodeSafetensors(bytes, "w").get("a")!.data, Float32Array.of(1));
});

const PICKLE_MESSAGE =
  /^Cannot read w: got a PyTorch pickle, need a .safetensors file; this converts it: python3 -c '[^'\n]+' w w\.safetensors$/;

const BROKEN: [what: string, bytes: Uint8Array, message: string | RegExp][] = [
  [
    "a zip file of torch.save",
    Uint8Array.from([0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0]),
    PICKLE_MESSAGE,
  ],
  [
    "a pickle of an old torch.save",
    Uint8Array.from([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20]),
    PICKLE_MESSAGE,
  ],
  [
    "an empty file",
    new Uint8Array(),
    "Cannot read w: got no safetensors header, need a .safetensors file",
  ],
  [
    "a header longer than the file",
    encodeByHand("{}").with(0, 100),
    "Cannot read w: got 10 bytes, need at least 108 for the header",
  ],
  [
    "a header that is not JSON",
    encodeByHand("{]"),
    "Cannot read w: got broken JSON, need the header of a .safetensors file",
  ],
  [
    "a tensor without offsets",
    encodeByHand({ a: { dtype: "F32", shape: [1] } }, [0, 0, 0, 0]),
    "Cannot read w: got a bad header entry for tensor a, need dtype, shape and data_offsets",
  ],
  [
    "a negative size",
    encodeByHand({ a: describe("F32", [-1], 0, 4) }, [0, 0, 0, 0]),
    "Cannot read w: got a bad header entry for tensor a, need dtype, shape and data_offsets",
  ],
  [
    "an integer tensor of too few bytes",
    encodeByHand({ steps: describe("I32", [2], 0, 4) }, new Uint8Array(4)),
    "Cannot read tensor steps of w: got 4 bytes, need 8 for I32 [2]",
  ],
  [
    "a tensor of too many bytes",
    encodeByHand({ a: describe("F32", [1], 0, 8) }, new Uint8Array(8)),
    "Cannot read tensor a of w: got 8 bytes, need 4 for F32 [1]",
  ],
  [
    "tensors that overlap",
    encodeByHand(
      { a: describe("F32", [2], 0, 8), b: describe("F32", [2], 4, 12) },
      new Uint8Array(12),
    ),
    "Cannot read tensor b of w: got bytes 4 to 12, need a start at 8, where the " +
    "tensor before it ends",
  ],
  [
    "a gap between tensors",
    encodeByHand(
      { a: describe("F32", [1], 0, 4), b: describe("F32", [1], 8, 12) },
      new Uint8Array(12),
    ),
    "Cannot read tensor b of w: got bytes 8 to 12, need a start at 4, where the " +
    "tensor before it ends",
  ],
  [
    "a tensor that ends before it starts",
    encodeByHand(
      { a: describe("F32", [2], 0, 8), b: describe("F32", [1], 8, 4) },
      new Uint8Array(8),
    ),
    "Cannot read tensor b of w: got bytes 8 to 4, need a start at 8, where the " +
    "tensor before it ends",
  ],
  [
    "bytes after the last tensor",
    encodeByHand({ a: describe("F32", [1], 0, 4) }, new Uint8Array(5)),
    "Cannot read w: got 5 bytes of data, need 4 for its tensors",
  ],
];

for (const [what, bytes, message] of BROKEN) {
  Deno.test(`refused as weights: ${what}`, () => {
    assert.throws(() => decodeSafetensors(bytes, "w"), { name: "FileError", path: "w", message });
  });
}

Deno.test("a tensor whose shape does not hold its data cannot be encoded", () => {
  const map = new Map([["a", { shape: [2, 3], data: new Float32Array(5) }]]);
  assert.throws(() => encodeSafetensors(map), {
    name: "RangeError",
    message: "Cannot write tensor a of shape [2, 3]: got 5 elements, need 6",
  });
});

Deno.test("a tensor cannot have the name of the metadata", () => {
  const map = new Map([["__metadata__", { shape: [0], data: new Float32Array() }]]);
  assert.throws(() => encodeSafetensors(map), { name: "RangeError" });
});

Deno.test("text that is kept beside the tensors comes back, and nothing where there is none", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/w.safetensors`;
  const weights = new Map([["fc1.bias", { shape: [1], data: Float32Array.of(0.5) }]]);
  const texts = { format: "pt", samples: `{"split":"train","size":3}`, name: "Größe" };
  await Deno.writeFile(path, encodeSafetensors(weights, texts));
  assert.deepEqual(Object.fromEntries(await loadMetadata(path)), texts);
  assert.deepEqual(await loadWeights(path), weights);
  for (const other of [undefined, { a: 1 }, "text", null]) {
    await Deno.writeFile(path, encodeByHand(other === undefined ? {} : { __metadata__: other }));
    assert.equal((await loadMetadata(path)).size, 0);
  }
});

Deno.test("saved weights are read back equal, and are the bytes that any reader of the format expects", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/made/w.safetensors`;
  const values = Float32Array.of(9, 1, -2, 0.5, 9);
  // views into a larger array, a scalar, and no number at all
  const weights = new Map([
    ["fc1.weight", { shape: [1, 2], data: values.subarray(1, 3) }],
    ["scale", { shape: [], data: values.subarray(3, 4) }],
    ["empty", { shape: [0, 3], data: new Float32Array() }],
  ]);
  await saveWeights(path, weights, { metadata: { format: "pt", name: "Größe" } });
  const read = await loadWeights(path);
  assert.deepEqual([...read.keys()].sort(), [...weights.keys()].sort());
  for (const [name, { shape, data }] of weights) {
    assert.deepEqual(read.get(name), { shape, data: new Float32Array(data) }, name);
  }
  assert.deepEqual(
    Object.fromEntries(await loadMetadata(path)),
    { format: "pt", name: "Größe" },
  );
  const header = JSON.stringify({
    __metadata__: { format: "pt", name: "Größe" },
    "fc1.weight": { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] },
    scale: { dtype: "F32", shape: [], data_offsets: [8, 12] },
    empty: { dtype: "F32", shape: [0, 3], data_offsets: [12, 12] },
  });
  const sizeBytes = new TextEncoder().encode(header).length;
  const padding = " ".repeat(-sizeBytes & 7);
  const data = [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f];
  assert.deepEqual(await Deno.readFile(path), encodeByHand(`${header}${padding}`, data));

  await saveWeights(path, new Map());
  assert.deepEqual(await Deno.readFile(path), encodeSafetensors(new Map()));
  const names = await Array.fromAsync(Deno.readDir(`${folder.path}/made`), ({ name }) => name);
  assert.deepEqual(names, ["w.safetensors"]);
});

Deno.test("weights that cannot be saved leave what was there, and nothing else", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/w.safetensors`;
  await Deno.writeTextFile(path, "earlier");
  const wrong = new Map([["a", { shape: [2], data: Float32Array.of(1) }]]);
  await assert.rejects(saveWeights(path, wrong), {
    name: "RangeError",
    message: "Cannot write tensor a of shape [2]: got 1 elements, need 2",
  });
  await assert.rejects(saveWeights(path, new Map(), { metdata: {} } as never), {
    name: "TypeError",
    message: `Cannot write ${path}: got an unknown option metdata = {}, need metadata; ` +
      "did you mean metadata?",
  });
  await assert.rejects(saveWeights(`${path}/w.safetensors`, new Map()), { name: "FileError" });
  assert.equal(await Deno.readTextFile(path), "earlier");
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder.path), ({ name }) => name), [
    "w.safetensors",
  ]);
});

Deno.test("weights are loaded from disk, and a missing file is a FileError", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/w.safetensors`;
  await assert.rejects(loadWeights(path), {
    name: "FileError",
    path,
    message: `Cannot read ${path}: got no such file, need a .safetensors file`,
  });
  const weights = new Map([["fc1.bias", { shape: [1], data: Float32Array.of(0.5) }]]);
  await Deno.writeFile(path, encodeSafetensors(weights));
  assert.deepEqual(await loadWeights(path), weights);
});
