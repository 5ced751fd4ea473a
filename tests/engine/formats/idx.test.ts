import assert from "node:assert/strict";
import fc from "fast-check";
import { readIdx } from "../../../engine/formats/idx.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { encodeIdx, gzip } from "./fixtures.ts";

const IDX = encodeIdx([2, 1, 3], [1, 2, 3, 253, 254, 255]);

async function readWritten(bytes: Uint8Array) {
  await using folder = await openTempFolder();
  await Deno.writeFile(`${folder.path}/a`, bytes);
  return await readIdx(`${folder.path}/a`);
}

Deno.test("plain and gzip IDX files are told apart by their bytes", async () => {
  for (const bytes of [IDX, await gzip(IDX)]) {
    const { shape, data } = await readWritten(bytes);
    assert.deepEqual(shape, [2, 1, 3]);
    assert.deepEqual(new Uint8Array(data), Uint8Array.of(1, 2, 3, 253, 254, 255));
  }
});

Deno.test("sizes are big-endian", async () => {
  const { shape } = await readWritten(encodeIdx([258, 1], new Uint8Array(258)));
  assert.deepEqual(shape, [258, 1]);
});

Deno.test("any truncation of an IDX file, plain or gzip, is a FileError", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/a`;
  const files = [IDX, await gzip(IDX)];
  await fc.assert(fc.asyncProperty(fc.constantFrom(...files), fc.nat(), async (bytes, cut) => {
    await Deno.writeFile(path, bytes.subarray(0, cut % bytes.length));
    await assert.rejects(readIdx(path), { name: "FileError", path });
  }));
});

Deno.test("a gzip file with a wrong checksum is refused", async () => {
  const bytes = await gzip(IDX);
  bytes[bytes.length - 8] ^= 1;
  await assert.rejects(readWritten(bytes), {
    name: "FileError",
    message: /broken gzip .*need the whole file; fetch it again$/,
  });
});

Deno.test("bytes after the data are refused", async () => {
  await assert.rejects(readWritten(encodeIdx([2, 2], new Uint8Array(5))), {
    name: "FileError",
    message: /: got 5 bytes of data, need 4 for shape \[2, 2\]$/,
  });
});

Deno.test("another element type is refused", async () => {
  await assert.rejects(readWritten(encodeIdx([1], [0, 0, 0, 0], 0x0d)), {
    name: "FileError",
    message: /: got IDX element type 13, need 8 \(unsigned byte\)$/,
  });
});

Deno.test("a file that is not IDX is refused", async () => {
  await assert.rejects(readWritten(new TextEncoder().encode("<!DOCTYPE html>")), {
    name: "FileError",
    message: /: got no IDX signature in the first 4 bytes, need an IDX file$/,
  });
});

Deno.test("a missing IDX file is a FileError", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/missing`;
  await assert.rejects(readIdx(path), {
    name: "FileError",
    path,
    message: `Cannot read ${path}: got no such file, need an IDX file, plain or gzip`,
  });
});
