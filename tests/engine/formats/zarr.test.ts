/** Zarr v3 arrays and their checksum. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { computeCrc32c } from "../../../engine/formats/crc32c.ts";
import {
  decodeChunk,
  decodeZarr,
  encodeChunk,
  encodeZarr,
  measureChunk,
} from "../../../engine/formats/zarr.ts";
import { computeCrc32cByBits } from "../store/store_fixtures.ts";

const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);

for (
  const [what, bytes, crc] of [
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["32 ascending bytes", ascending, 0x46dd794e],
    ["32 descending bytes", ascending.toReversed(), 0x113fdb5c],
    ["the digits 1 to 9", new TextEncoder().encode("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(0), 0],
  ] as const
) {
  Deno.test(`the CRC-32C of ${what} is that of RFC 3720`, () => {
    assert.equal(computeCrc32c(bytes), crc);
  });
}

Deno.test("the CRC-32C of bytes at any place of a buffer is that of the definition, bit by bit", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat({ max: 9 }), (bytes, start) => {
      const view = bytes.subarray(Math.min(start, bytes.length));
      assert.equal(computeCrc32c(view), computeCrc32cByBits(view));
    }),
  );
});

const ARRAY = { shape: [5, 3], chunkShape: [4, 2], attributes: { kind: "lpntk", n: [1] } } as const;

Deno.test("an encoded zarr.json has the fields of the specification, and decodes to the same array", () => {
  const bytes = encodeZarr(ARRAY);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), {
    zarr_format: 3,
    node_type: "array",
    shape: [5, 3],
    data_type: "float32",
    chunk_grid: { name: "regular", configuration: { chunk_shape: [4, 2] } },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    fill_value: "NaN",
    codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
    attributes: { kind: "lpntk", n: [1] },
  });
  assert.deepEqual(decodeZarr(bytes, "zarr.json"), ARRAY);
});

for (
  const [what, change, message] of [
    ["of Zarr 2", { zarr_format: 2 }, "got 2 zarr_format"],
    ["that is a group", { node_type: "group" }, 'got "group" node_type'],
    ["of float64", { data_type: "float64" }, 'got "float64" data_type'],
    ["that is compressed", { codecs: [{ name: "zstd" }] }, 'got [{"name":"zstd"}] codecs'],
    ["of another fill value", { fill_value: 0 }, "got 0 fill_value"],
    ["of one dimension", { shape: [5] }, "got [5] shape"],
    ["of no rows", { shape: [0, 3] }, "got [0,3] shape"],
    ["in shards", { chunk_grid: { name: "rectilinear" } }, 'got {"name":"rectilinear"} chunk_grid'],
    ["without attributes", { attributes: undefined }, "got no attributes"],
  ] as const
) {
  Deno.test(`an array ${what} is refused`, () => {
    const json = { ...JSON.parse(new TextDecoder().decode(encodeZarr(ARRAY))), ...change };
    const bytes = new TextEncoder().encode(JSON.stringify(json));
    assert.throws(() => decodeZarr(bytes, "a.zarr/zarr.json"), {
      name: "FileError",
      path: "a.zarr/zarr.json",
      message: `Cannot read a.zarr/zarr.json: ${message}, need a two-dimensional float32 array ` +
        "as lpntk stores it; other arrays can be saved as .npy",
    });
  });
}

for (const text of ["", "{", "null", "7"]) {
  Deno.test(`a zarr.json that says '${text}' is refused`, () => {
    assert.throws(() => decodeZarr(new TextEncoder().encode(text), "zarr.json"), {
      name: "FileError",
    });
  });
}

Deno.test("a chunk holds its numbers, row-major and little-endian, then their checksum", () => {
  const bytes = encodeChunk(Float32Array.of(1, -2));
  assert.equal(bytes.length, measureChunk([1, 2]));
  assert.deepEqual([...bytes.subarray(0, 8)], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  const crc = computeCrc32cByBits(bytes.subarray(0, 8));
  assert.equal(new DataView(bytes.buffer).getUint32(8, true), crc);
  assert.deepEqual(decodeChunk(bytes, [1, 2], "c/0/0"), Float32Array.of(1, -2));
});

Deno.test("any changed bit of a chunk is found, and so is any other length", () => {
  const bytes = encodeChunk(Float32Array.of(1, -2, 0));
  const decode = (changed: Uint8Array<ArrayBuffer>) => () => decodeChunk(changed, [3, 1], "c/0/0");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assert.throws(decode(changed), {
      name: "StoredKernelError",
      needsRepair: true,
      message: /c\/0\/0: got contents/,
    });
  }
  for (const length of [0, 15, 17]) {
    const changed = new Uint8Array(length);
    changed.set(bytes.subarray(0, length));
    assert.throws(decode(changed), {
      name: "StoredKernelError",
      needsRepair: true,
      message:
        `Cannot read c/0/0: got ${length} bytes, need 16; store the kernel again with repair`,
    });
  }
});
