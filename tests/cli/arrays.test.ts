/** Labels, kernels and samples to keep, read from files: accepted, or refused with a reason. @module */
import assert from "node:assert/strict";
import { loadIndices, loadKernel, loadLabels } from "../../cli/arrays.ts";
import { encodeNpy, type NpyArray, readLabels } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";

type Data = NpyArray["data"];

/** Returns what `read` gives for an array in a file. */
async function readFrom<T>(
  array: Data | Uint8Array<ArrayBuffer>,
  read: (path: string) => Promise<T>,
  shape: readonly number[] = [array.length],
  rename: (header: string) => string = (header) => header,
): Promise<T> {
  await using folder = await openTempFolder();
  const path = `${folder.path}/array.npy`;
  const bytes = encodeNpy(array, shape);
  const header = rename(String.fromCharCode(...bytes.subarray(0, 128)));
  bytes.set(Uint8Array.from(header, (letter) => letter.charCodeAt(0)));
  await Deno.writeFile(path, bytes);
  return await read(path);
}

/** Header as `numpy.save` writes it for booleans. */
const asBooleans = (header: string) => header.replace("|u1", "|b1");

Deno.test("labels are integers of any width", async () => {
  for (
    const labels of [
      Uint8Array.of(0, 255),
      Int8Array.of(0, 127),
      Uint16Array.of(3, 65535),
      Int32Array.of(1, 2 ** 31 - 1),
      Uint32Array.of(1, 2 ** 31 - 1),
      BigInt64Array.of(0n, 7n),
      BigUint64Array.of(2n ** 31n - 1n),
    ]
  ) {
    assert.deepEqual(await readFrom(labels, readLabels), Int32Array.from(labels as never, Number));
  }
});

Deno.test("labels that are no classes are refused by their value", async () => {
  const need = "need integers from 0 to 2147483647";
  const cases: readonly [Data, string][] = [
    [Int8Array.of(0, -1), `got label -1 at index 1, ${need}`],
    [Uint32Array.of(2 ** 31), `got label 2147483648 at index 0, ${need}`],
    // Number would round the first to 2^53, and 2^64 - 1 is not -1
    [BigInt64Array.of(0n, 2n ** 53n + 1n), `got label 9007199254740993 at index 1, ${need}`],
    [BigUint64Array.of(2n ** 64n - 1n), `got label 18446744073709551615 at index 0, ${need}`],
    [BigInt64Array.of(-(2n ** 63n)), `got label -9223372036854775808 at index 0, ${need}`],
    [Float16Array.of(0, NaN), "got labels of dtype <f2, need integers"],
    [Float32Array.of(0, 1), "got labels of dtype <f4, need integers"],
    [Float64Array.of(0, 1), "got labels of dtype <f8, need integers"],
  ];
  for (const [labels, says] of cases) {
    await assert.rejects(readFrom(labels, readLabels), (error: Error) => {
      assert.equal(error.name, "FileError");
      assert.ok(error.message.includes(says), error.message);
      return true;
    });
  }
  const booleans = readFrom(Uint8Array.of(1, 0), readLabels, [2], asBooleans);
  await assert.rejects(booleans, /got labels of dtype \|b1, need integers/);
  await assert.rejects(readFrom(new Int32Array(4), readLabels, [2, 2]), /shape \[2, 2\], need \[N/);
  await assert.rejects(
    readFrom(new Int32Array(4), (path) => loadLabels(path, 5)),
    /got 4 labels, need 5, one for each sample/,
  );
});

Deno.test("samples to keep are indices in their order, or a mask", async () => {
  const keep = (path: string) => loadIndices(path, 4);
  for (const indices of [Int32Array.of(3, 0), Uint8Array.of(3, 0), BigInt64Array.of(3n, 0n)]) {
    assert.deepEqual(await readFrom(indices, keep), Int32Array.of(3, 0));
  }
  const mask = await readFrom(Uint8Array.of(1, 0, 0, 1), keep, [4], asBooleans);
  assert.deepEqual(mask, Int32Array.of(0, 3));
});

Deno.test("a mask of a part keeps samples by their indices in the whole split", async () => {
  const part = Int32Array.of(2, 5, 7);
  const keep = (path: string) => loadIndices(path, 8, part);
  const read = (...flags: number[]) =>
    readFrom(Uint8Array.from(flags), keep, [flags.length], asBooleans);
  assert.deepEqual(await read(0, 1, 1), Int32Array.of(5, 7));
  assert.deepEqual(await read(0, 0, 1, 0, 0, 0, 0, 1), Int32Array.of(2, 7));
  await assert.rejects(
    read(1, 0),
    /mask of 2, need 8, one for each sample, or 3, one for each that/,
  );
});

Deno.test("a mask of another length is no list of indices, and nothing is kept by it", async () => {
  const keep = (count: number) => (path: string) => loadIndices(path, count);
  const mask = (...flags: number[]) => (count: number) =>
    readFrom(Uint8Array.from(flags), keep(count), [flags.length], asBooleans);
  await assert.rejects(mask(1, 0)(4), /got a boolean mask of 2, need 4, one for each sample/);
  await assert.rejects(mask(1, 0, 1, 0, 1)(4), /got a boolean mask of 5, need 4/);
  await assert.rejects(mask(0, 0)(2), /got no index, need at least one/);
  await assert.rejects(
    readFrom(Uint8Array.of(1, 0, 0, 1), keep(4)),
    /zeros and ones of uint8, need.*if these are flags, save flags.astype\(bool\)/,
  );
  await assert.rejects(
    readFrom(Int32Array.of(1, 0, 0, 1), keep(4)),
    /index 0 twice.*if these are flags, save flags.astype\(bool\)/,
  );
  await assert.rejects(readFrom(Uint8Array.of(1, 0), keep(2)), /if these are flags/);
  await assert.rejects(
    readFrom(Float16Array.of(0, 1), keep(4)),
    /float16 \[2\], need integers \[K/,
  );
  await assert.rejects(readFrom(Int32Array.of(0, 1), keep(4), [1, 2]), /int32 \[1, 2\], need/);
  await assert.rejects(
    readFrom(BigUint64Array.of(2n ** 64n - 1n), keep(4)),
    /got index 18446744073709551615, need different integers from 0 to 3/,
  );
});

Deno.test("kernels of half floats, integers and booleans are refused", async () => {
  const say = /need float32 or float64 \[N, N\]/;
  await assert.rejects(readFrom(new Float16Array(4), loadKernel, [2, 2]), say);
  await assert.rejects(readFrom(new Uint8Array(4), loadKernel, [2, 2], asBooleans), say);
  await assert.rejects(readFrom(new BigInt64Array(4), loadKernel, [2, 2]), say);
});
