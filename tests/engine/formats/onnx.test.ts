/** ONNX files: elements of every form, and bytes that are none. @module */
import assert from "node:assert/strict";
import { FileError } from "../../../engine/errors.ts";
import { decodeOnnx } from "../../../engine/formats/onnx.ts";
import { bytesField, encodeOnnx, integerField } from "../onnx/onnx_writer.ts";

/** Decodes a tensor of a type and shape whose elements stand in a field. */
function decode(type: number, shape: readonly number[], elements: readonly number[]) {
  const tensor = Uint8Array.from([
    ...shape.flatMap((size) => integerField(1, size)),
    ...integerField(2, type),
    ...bytesField(8, "t"),
    ...elements,
  ]);
  const nodes = [["Identity", ["x"], "y"]] as const;
  return decodeOnnx(encodeOnnx({ nodes, tensors: { t: tensor } }), "a.onnx").tensors.get("t")!;
}

const raw = (array: ArrayBufferView) => bytesField(9, new Uint8Array(array.buffer));
const packed = (field: number, array: ArrayBufferView) =>
  bytesField(field, new Uint8Array(array.buffer));

Deno.test("elements are read raw and from the field of their type", () => {
  const halves = [1.5, -2, 0.25];
  const cases: [type: number, elements: number[], want: number[]][] = [
    [1, raw(Float32Array.from(halves)), halves],
    [1, packed(4, Float32Array.from(halves)), halves],
    [11, raw(Float64Array.from(halves)), halves],
    [11, packed(10, Float64Array.from(halves)), halves],
    [10, raw(Float16Array.from(halves)), halves],
    [10, [0x3e00, 0xc000, 0x3400].flatMap((bits) => integerField(5, bits)), halves],
    [16, raw(Uint16Array.of(0x3fc0, 0xc000, 0x3e80)), halves],
    [7, raw(BigInt64Array.of(-1n, 2n ** 40n, 0n)), [-1, 2 ** 40, 0]],
    [7, [-1, 5, 0].flatMap((value) => integerField(7, value)), [-1, 5, 0]],
    [6, raw(Int32Array.of(-7, 8, 9)), [-7, 8, 9]],
    [9, raw(Uint8Array.of(1, 0, 1)), [1, 0, 1]],
    [3, raw(Int8Array.of(-1, 2, 3)), [-1, 2, 3]],
  ];
  for (const [type, elements, want] of cases) {
    const tensor = decode(type, [3, 1], elements);
    assert.deepEqual([...tensor.read()], want, `${tensor.dtype}`);
    assert.equal(tensor.isFloat, [1, 10, 11, 16].includes(type));
    assert.deepEqual(tensor.shape, [3, 1]);
  }
});

Deno.test("a tensor that is not what it says is one line", () => {
  const ones = raw(Float32Array.of(1, 1));
  const refused: [tensor: () => unknown, message: RegExp][] = [
    [() => decode(1, [3], ones).read(), /got 2 elements, need 3 for its shape \[3\]/],
    [() => decode(1, [1], [...bytesField(9, [1, 2, 3])]).read(), /other than whole elements/],
    [() => decode(1, [-1], ones), /got shape \[-1\]/],
    [() => decode(8, [1], []).read(), /got elements of type STRING, need floating-point numbers/],
    [() => decode(99, [1], []).read(), /got elements of type 99/],
  ];
  for (const [read, message] of refused) {
    assert.throws(read, (error) => {
      assert.ok(error instanceof FileError, `${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a picture, a text and nothing are no ONNX models", () => {
  for (const text of ["", "\x89PNG\r\n\x1a\n", "import torch", "PK\x03\x04", "\x08\x08"]) {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    assert.throws(() => decodeOnnx(bytes, "a.onnx"), (error) => {
      assert.ok(error instanceof FileError, `${error}`);
      assert.match(error.message, /^Cannot read a\.onnx: got .*, need an ONNX model, whole$/);
      return true;
    });
  }
});
