import assert from "node:assert/strict";
import fc from "fast-check";
import type { NpyData } from "../../../engine/formats/npy.ts";
import { decodeNpy, encodeNpy, readNpy, writeNpy } from "../../../engine/formats/npy.ts";
import { openTempFolder } from "../../temp_folder.ts";

const TYPES = [
  ["<f4", Float32Array],
  ["<f8", Float64Array],
  ["<f2", Float16Array],
  ["|u1", Uint8Array],
  ["|i1", Int8Array],
  ["<u2", Uint16Array],
  ["<i2", Int16Array],
  ["<u4", Uint32Array],
  ["<i4", Int32Array],
  ["<u8", BigUint64Array],
  ["<i8", BigInt64Array],
] as const;

const arrays = fc.record({
  type: fc.constantFrom(...TYPES),
  shape: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
  seed: fc.infiniteStream(fc.nat({ max: 255 })),
}).map(({ type: [dtype, Data], shape, seed }) => {
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(count * Data.BYTES_PER_ELEMENT);
  for (let i = 0; i < bytes.length; i++) bytes[i] = seed.next().value!;
  return { dtype, shape, data: new Data(bytes.buffer) as NpyData };
});

/** Encodes a file as NumPy lays it out, with the dictionary given word by word. */
function encodeByHand(
  dictionary: string,
  data: ArrayLike<number>,
  version: 1 | 2 | 3 = 1,
): Uint8Array {
  const header = new TextEncoder().encode(dictionary + "\n");
  const length = [header.length & 0xff, header.length >> 8, 0, 0].slice(0, version === 1 ? 2 : 4);
  const magic = [0x93, ...new TextEncoder().encode("NUMPY")];
  return Uint8Array.from([...magic, version, 0, ...length, ...header, ...Array.from(data)]);
}

function describe(dtype: string, shape: string, fortran = "False"): string {
  return `{'descr': '${dtype}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
}

function bytesOf(data: NpyData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

Deno.test("an encoded .npy array decodes to the same bits, shape and dtype", () => {
  fc.assert(fc.property(arrays, ({ dtype, shape, data }) => {
    const decoded = decodeNpy(encodeNpy(data, shape), "a.npy");
    assert.equal(decoded.dtype, dtype);
    assert.equal(decoded.data.constructor, data.constructor);
    assert.deepEqual(decoded.shape, shape);
    assert.deepEqual(bytesOf(decoded.data), bytesOf(data));
  }));
});

Deno.test("any truncation of a .npy file is a FileError", () => {
  fc.assert(fc.property(arrays, fc.nat(), ({ shape, data }, cut) => {
    const bytes = encodeNpy(data, shape);
    const truncated = bytes.subarray(0, cut % bytes.length);
    assert.throws(() => decodeNpy(truncated, "a.npy"), { name: "FileError", path: "a.npy" });
  }));
});

Deno.test("an encoded .npy file is the one that numpy.save writes", () => {
  const bytes = encodeNpy(Float32Array.of(1, -2), [2]);
  const header = describe("<f4", "(2,)").padEnd(117) + "\n";
  assert.deepEqual(
    bytes,
    Uint8Array.from([
      ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0],
      ...new TextEncoder().encode(header),
      ...[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0],
    ]),
  );
  assert.match(
    new TextDecoder().decode(encodeNpy(Uint8Array.of(1, 2, 3, 4, 5, 6), [2, 3])),
    /'descr': '\|u1', 'fortran_order': False, 'shape': \(2, 3\), }/,
  );
});

Deno.test("the data of an encoded .npy file starts at a multiple of 64 after a line end", () => {
  for (let rank = 0; rank <= 32; rank++) {
    const bytes = encodeNpy(Uint8Array.of(7), new Array(rank).fill(1));
    assert.equal((bytes.length - 1) % 64, 0);
    assert.equal(bytes.at(-2), 0x0a);
  }
});

Deno.test("a view into a larger buffer is encoded alone", () => {
  const view = Int32Array.of(1, 2, 3, 4).subarray(1, 3);
  assert.deepEqual(decodeNpy(encodeNpy(view, [2]), "a.npy").data, Int32Array.of(2, 3));
});

Deno.test("a shape that does not hold the data cannot be encoded", () => {
  assert.throws(() => encodeNpy(new Uint8Array(5), [2, 3]), {
    name: "RangeError",
    message: "Cannot write an array of shape [2, 3]: got 5 elements, need 6",
  });
});

Deno.test("versions 2 and 3 of .npy are read", () => {
  for (const version of [2, 3] as const) {
    const bytes = encodeByHand(describe("<u2", "(2,)"), [1, 0, 0, 2], version);
    assert.deepEqual(decodeNpy(bytes, "a.npy").data, Uint16Array.of(1, 512));
  }
});

Deno.test("keys in another order, other quotes and spaces are read", () => {
  const bytes = encodeByHand(`{"shape":(2 ,1),"fortran_order":False,"descr":"|i1"}`, [1, 255]);
  assert.deepEqual(decodeNpy(bytes, "a.npy"), {
    data: Int8Array.of(1, -1),
    shape: [2, 1],
    dtype: "|i1",
  });
});

Deno.test("a scalar of 0 dimensions is read", () => {
  const { data, shape } = decodeNpy(encodeByHand(describe("<i2", "()"), [5, 0]), "a.npy");
  assert.deepEqual(data, Int16Array.of(5));
  assert.deepEqual(shape, []);
});

Deno.test("booleans become bytes", () => {
  const decoded = decodeNpy(encodeByHand(describe("|b1", "(2,)"), [1, 0]), "a.npy");
  assert.deepEqual(decoded, { data: Uint8Array.of(1, 0), shape: [2], dtype: "|b1" });
});

Deno.test("a matrix in Fortran order is transposed to C order", () => {
  // [[1, 2, 3], [4, 5, 6]], column after column
  const bytes = encodeByHand(describe("|u1", "(2, 3)", "True"), [1, 4, 2, 5, 3, 6]);
  assert.deepEqual(decodeNpy(bytes, "a.npy").data, Uint8Array.of(1, 2, 3, 4, 5, 6));
});

Deno.test("an array of any rank in Fortran order is read element for element", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    (shape) => {
      const count = shape.reduce((product, size) => product * size, 1);
      // Element (i, j, k) holds its own position in Fortran order, i + I (j + J k).
      const data = Uint8Array.from({ length: count }, (_, i) => i);
      const expected = data.map((position) => {
        const indices = shape.toReversed().map((size) => {
          const index = position % size;
          position = Math.floor(position / size);
          return index;
        }).reverse();
        return indices.reduceRight((sum, index, axis) => index + shape[axis] * sum, 0);
      });
      const tuple = `(${shape.map((size) => size + ",").join("")})`;
      const bytes = encodeByHand(describe("|u1", tuple, "True"), data);
      assert.deepEqual(decodeNpy(bytes, "a.npy").data, expected);
    },
  ));
});

Deno.test("big integers in Fortran order are transposed too", () => {
  const values = BigInt64Array.of(1n, 3n, 2n, 4n);
  const bytes = encodeByHand(describe("<i8", "(2, 2)", "True"), bytesOf(values));
  assert.deepEqual(decodeNpy(bytes, "a.npy").data, BigInt64Array.of(1n, 2n, 3n, 4n));
});

const BROKEN: [what: string, bytes: Uint8Array, message: string][] = [
  [
    "no signature",
    new TextEncoder().encode("PK\x03\x04 an .npz is a zip file"),
    "Cannot read a.npy: got no NumPy signature in the first 6 bytes, need a .npy file",
  ],
  [
    "version 4",
    encodeByHand(describe("<f4", "()"), [0, 0, 0, 0]).with(6, 4),
    "Cannot read a.npy: got .npy version 4, need 1, 2 or 3",
  ],
  [
    "half a header",
    encodeByHand(describe("<f4", "()"), []).subarray(0, 20),
    "Cannot read a.npy: got 20 bytes, need at least 66 for the header",
  ],
  [
    "big-endian numbers",
    encodeByHand(describe(">f4", "(1,)"), [0, 0, 0, 0]),
    "Cannot read a.npy: got big-endian >f4, need little-endian; save array.astype('<f4') instead",
  ],
  [
    "Python objects",
    encodeByHand(describe("|O", "(1,)"), [0]),
    "Cannot read a.npy: got Python objects, need numbers or texts; save array.astype('<f4') instead, or array.astype(str)",
  ],
  [
    "complex numbers",
    encodeByHand(describe("<c8", "()"), new Uint8Array(8)),
    "Cannot read a.npy: got dtype <c8, need one of <f4 <f8 <f2 |u1 |b1 |i1 <u2 <i2 <u4 <i4 <u8 <i8",
  ],
  [
    "records",
    encodeByHand("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (), }", [0, 0, 0, 0]),
    "Cannot read a.npy: got a structured dtype, need a plain array of numbers",
  ],
  [
    "no shape",
    encodeByHand("{'descr': '<f4', 'fortran_order': False}", []),
    "Cannot read a.npy: got a header without fortran_order or shape, need a file written by " +
    "numpy.save",
  ],
  [
    "bytes after the data",
    encodeByHand(describe("<f4", "(1,)"), [0, 0, 0, 0, 9]),
    "Cannot read a.npy: got 5 bytes of data, need 4 for <f4 of shape [1]",
  ],
];

for (const [what, bytes, message] of BROKEN) {
  Deno.test(`a .npy file with ${what} is refused`, () => {
    assert.throws(() => decodeNpy(bytes, "a.npy"), { name: "FileError", path: "a.npy", message });
  });
}

Deno.test("a written .npy file is read again, and a missing one is a FileError", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/a.npy`;
  await assert.rejects(readNpy(path), {
    name: "FileError",
    path,
    message: `Cannot read ${path}: got no such file, need a NumPy .npy file`,
  });
  await writeNpy(path, Float64Array.of(0.5, 0.25), [2, 1]);
  const { data, shape } = await readNpy(path);
  assert.deepEqual(data, Float64Array.of(0.5, 0.25));
  assert.deepEqual(shape, [2, 1]);
});

Deno.test("a folder in place of a .npy file is a FileError", async () => {
  await using folder = await openTempFolder();
  await assert.rejects(readNpy(folder.path), { name: "FileError", path: folder.path });
});
