import assert from "node:assert/strict";
import fc from "fast-check";
import type { DatasetParts } from "../../../engine/data/dataset.ts";
import {
  createDataset,
  findEmptyClasses,
  normalise,
  takeFirst,
  takeSamples,
} from "../../../engine/data/dataset.ts";

/** Three images of 1 x 2 pixels with 2 channels. */
const PARTS: DatasetParts = {
  name: "tiny",
  split: "train",
  images: Uint8Array.of(0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 255),
  labels: [2, 0, 1],
  shape: [1, 2, 2],
  classes: 3,
  mean: [0.5, 0.25],
  std: [1, 0.5],
};

const REFUSED: [what: string, change: Partial<DatasetParts>, message: string][] = [
  ["no samples", { images: new Uint8Array(), labels: [] }, "it holds no samples, need at least 1"],
  [
    "more images than labels",
    { labels: [0, 1] },
    "got 3 images of shape [1, 2, 2] and 2 labels, need as many images as labels; take both from the same samples",
  ],
  [
    "part of an image",
    { images: new Uint8Array(13) },
    "got 3.25 images of shape [1, 2, 2] and 3 labels, need as many images as labels; take both from the same samples",
  ],
  [
    "images of no size",
    { shape: [1, 0, 2], images: new Uint8Array() },
    "got images of shape [1, 0, 2], need sizes of at least 1",
  ],
  [
    "a label too large",
    { labels: [2, 3, 4] },
    "got label 3 at index 1, need an integer in 0..2",
  ],
  [
    "a negative label",
    { labels: [0, 0, -1] },
    "got label -1 at index 2, need an integer in 0..2",
  ],
  [
    "a label that is no integer",
    { labels: [0.5, 1, 1] },
    "got label 0.5 at index 0, need an integer in 0..2; from Python, save labels.astype('int64')",
  ],
  [
    "labels from 1 on",
    { labels: [3, 1, 2] },
    "got label 3 at index 0, need an integer in 0..2; the labels count from 1: subtract 1",
  ],
  [
    "labels of 64 bits, which are no numbers",
    { labels: BigInt64Array.of(2n, 0n, 1n) as never },
    "got label 2 at index 0, need an integer in 0..2, of type number",
  ],
  [
    "labels that are booleans",
    { labels: [true, false, true] as never },
    "got label true at index 0, need an integer in 0..2; from Python, save labels.astype('int64')",
  ],
  [
    "float images of NaN",
    { images: Float32Array.from({ length: 12 }, (_, i) => i === 7 ? NaN : i) },
    "got NaN in sample 1 (row 0, column 1, channel 1), need finite numbers; replace it, or leave the sample out",
  ],
  [
    "a table of infinite numbers",
    {
      images: Float32Array.from({ length: 12 }, (_, i) => i === 11 ? -Infinity : i),
      shape: [1, 1, 4],
      mean: [0],
      std: [1],
    },
    "got -Infinity in sample 2 (column 3), need finite numbers; replace it, or leave the sample out",
  ],
  [
    "a standard deviation that leads floats beyond float32",
    { images: Float32Array.from({ length: 12 }, (_, i) => i === 4 ? 1e30 : i), std: [1e-9, 1] },
    "got mean 0.5 and std 1e-9 for channel 0, need pixels within float32, got 1.0000000150474662e+39",
  ],
  [
    "images of another range",
    { images: new Int8Array(12) as never },
    "got images of Int8Array, need a Uint8Array of pixels from 0 to 255, or a Float32Array of any",
  ],
  [
    "images in a list",
    { images: Array.from({ length: 12 }, () => 0) as never },
    "got images of Array, need a Uint8Array of pixels from 0 to 255, or a Float32Array of any",
  ],
  [
    "indices of other samples",
    { indices: Int32Array.of(4) },
    "got 1 indices, need 3, one for each sample",
  ],
  ["no classes", { classes: 0 }, "got 0 classes, need an integer in 1..2147483648"],
  [
    "labels beyond 32 bits",
    { labels: [0, 0, 2 ** 32], classes: 2 ** 32 + 1 },
    "got 4294967297 classes, need an integer in 1..2147483648",
  ],
  [
    "means for other channels",
    { mean: [0, 0, 0] },
    "got 3 numbers for mean, need 2, one per channel, or 1 for all",
  ],
  ["a mean that is not finite", { mean: [NaN, 0] }, "got NaN in mean, need finite numbers"],
  [
    "a standard deviation that leads beyond float32",
    { std: [1, 1e-40] },
    "got mean 0.25 and std 1e-40 for channel 1, need pixels within float32, got -2.5e+39",
  ],
  [
    "mean and standard deviation of pixels up to 255",
    { mean: [127, 130], std: [60, 61] },
    "got mean 127 and std 60 for channel 0, need those of pixels from 0 to 1; divide both by 255",
  ],
  ["a standard deviation of 0", { std: [1, 0] }, "got 0 in std, need finite numbers above 0"],
];

for (const [what, change, state] of REFUSED) {
  Deno.test(`a data set with ${what} is refused`, () => {
    assert.throws(() => createDataset({ ...PARTS, ...change }), {
      name: "DataError",
      message: `Cannot use data set tiny: ${state}`,
    });
  });
}

Deno.test("classes without a sample are listed, however many there are", () => {
  const empty = (labels: number[], classes: number) =>
    findEmptyClasses(createDataset({ ...PARTS, labels, classes })).take(4).toArray();
  assert.deepEqual(empty([2, 0, 1], 3), []);
  assert.deepEqual(empty([1, 2, 3], 4), [0]);
  assert.deepEqual(empty([2, 2, 0], 3), [1]);
  assert.deepEqual(empty([1, 1, 2 ** 31 - 1], 2 ** 31), [0, 2, 3, 4]);
});

Deno.test("labels become Int32Array and a single mean and std hold for every channel", () => {
  const data = createDataset({ ...PARTS, mean: [0.1], std: [2] });
  assert.deepEqual(data.labels, Int32Array.of(2, 0, 1));
  assert.deepEqual(data.mean, [0.1, 0.1]);
  assert.deepEqual(data.std, [2, 2]);
});

Deno.test("samples are taken in the given order, also twice", () => {
  const data = takeSamples(createDataset(PARTS), [2, 0, 2]);
  assert.deepEqual(data.labels, Int32Array.of(1, 2, 1));
  assert.deepEqual(data.images, Uint8Array.of(20, 21, 22, 255, 0, 1, 2, 3, 20, 21, 22, 255));
  assert.deepEqual(data.indices, Int32Array.of(2, 0, 2));
  assert.deepEqual([data.classes, data.name, data.split], [3, "tiny", "train"]);
});

Deno.test("an index that is no sample is a RangeError that names it", () => {
  const data = createDataset(PARTS);
  for (const index of [3, -1, 0.5, NaN]) {
    const error = {
      name: "RangeError",
      message: `Cannot take sample ${index} of tiny (train): it holds 3, need an integer in 0..2`,
    };
    assert.throws(() => takeSamples(data, [0, index]), error);
    assert.throws(() => normalise(data, [0, index]), error);
  }
});

Deno.test("mean and standard deviation are 0 and 1 by themselves", () => {
  const { mean: _mean, std: _std, ...parts } = PARTS;
  const { mean, std } = createDataset(parts);
  assert.deepEqual({ mean, std }, { mean: [0, 0], std: [1, 1] });
});

Deno.test("flags are not taken for indices", () => {
  const data = createDataset(PARTS);
  for (
    const [flags, type] of [[Uint8Array.of(0, 1, 1), "Uint8Array"], [[false, true, true], "Array"]]
  ) {
    assert.throws(() => takeSamples(data, flags as Uint8Array), {
      name: "TypeError",
      message:
        `Cannot take samples of tiny: got ${type} of flags, need indices; dropFlagged returns those of samples that are not flagged`,
    });
  }
});

Deno.test("no indices make no data set", () => {
  assert.throws(() => takeSamples(createDataset(PARTS), []), {
    name: "RangeError",
    message: "Cannot take samples of tiny: got no indices, need at least 1",
  });
});

Deno.test("the first samples are taken", () => {
  const data = takeFirst(createDataset(PARTS), 2);
  assert.deepEqual(data.labels, Int32Array.of(2, 0));
  assert.deepEqual(data.images, Uint8Array.of(0, 1, 2, 3, 10, 11, 12, 13));
});

Deno.test("taking more samples than there are, or none, is a RangeError", () => {
  for (const n of [4, 0, -1, 1.5, NaN]) {
    assert.throws(() => takeFirst(createDataset(PARTS), n), {
      name: "RangeError",
      message:
        `Cannot take the first ${n} samples of tiny (train): it holds 3, need an integer in 1..3`,
    });
  }
});

Deno.test("pixels are normalised by channel, exactly rounded from float64", () => {
  const x = (pixel: number, mean: number, std: number) => Math.fround((pixel / 255 - mean) / std);
  assert.deepEqual(
    normalise(createDataset(PARTS), [2, 0]),
    Float32Array.of(
      ...[x(20, 0.5, 1), x(21, 0.25, 0.5), x(22, 0.5, 1), x(255, 0.25, 0.5)],
      ...[x(0, 0.5, 1), x(1, 0.25, 0.5), x(2, 0.5, 1), x(3, 0.25, 0.5)],
    ),
  );
});

Deno.test("normalising any subset is taking it from the normalised whole", () => {
  const data = createDataset(PARTS);
  const whole = normalise(data, [0, 1, 2]);
  fc.assert(fc.property(fc.array(fc.nat({ max: 2 })), (indices) => {
    const parts = indices.flatMap((index) => [...whole.subarray(index * 4, index * 4 + 4)]);
    assert.deepEqual(normalise(data, indices), Float32Array.from(parts));
  }));
});
