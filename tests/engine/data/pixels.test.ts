import assert from "node:assert/strict";
import { cropAndFlip } from "../../../engine/data/augmentation.ts";
import {
  createDataset,
  type DatasetParts,
  normalise,
  takeSamples,
} from "../../../engine/data/dataset.ts";
import { createGenerator, STREAMS } from "../../../engine/data/random.ts";

/** Floats that no byte could stand for: 5 samples of [height, width, channels]. */
function settle(shape: DatasetParts["shape"], parts: Partial<DatasetParts> = {}) {
  const size = shape[0] * shape[1] * shape[2];
  const images = Float32Array.from({ length: 5 * size }, (_, i) => (i - 17) * 1e3 / 7);
  const labels = [0, 1, 2, 1, 0];
  return createDataset({ name: "f", split: "train", images, labels, shape, classes: 3, ...parts });
}

Deno.test("floats are seen as they are, less the mean and over the standard deviation of their channel", () => {
  const raw = settle([2, 3, 2]);
  assert.deepEqual(normalise(raw, [0, 1, 2, 3, 4]), raw.images);
  const mean = [100, -3];
  const std = [7, 1e-3];
  const scaled = normalise(settle([2, 3, 2], { mean, std }), [3, 1]);
  const expected = [3, 1].flatMap((n) =>
    Array.from(
      raw.images.subarray(12 * n, 12 * n + 12),
      (value, i) => Math.fround((value - mean[i % 2]) / std[i % 2]),
    )
  );
  assert.deepEqual([...scaled], expected);
});

Deno.test("samples of floats that are taken stay floats, bit for bit", () => {
  const data = settle([1, 1, 7]);
  const taken = takeSamples(data, [4, 0, 4]);
  assert.ok(taken.images instanceof Float32Array);
  const row = (n: number) => [...data.images.subarray(7 * n, 7 * n + 7)];
  assert.deepEqual([...taken.images], [...row(4), ...row(0), ...row(4)]);
});

Deno.test("pictures of floats are shifted and mirrored as those of bytes are", () => {
  const floats = settle([5, 6, 3]);
  const bytes = settle([5, 6, 3], {
    images: Uint8Array.from(floats.images, (_, i) => 1 + i % 255),
  });
  const draw = () => createGenerator(3, STREAMS.augmentation);
  const [moved, expected] = [floats, bytes].map((data) =>
    cropAndFlip(data, [0, 1, 2, 3, 4, 0], draw())
  );
  assert.ok(moved.images instanceof Float32Array);
  // each byte stands for its place in the data set of floats, up to whole turns of 255
  for (const [i, byte] of expected.images.entries()) {
    if (byte === 0) assert.equal(moved.images[i], 0);
    else assert.equal(floats.images.indexOf(moved.images[i]) % 255, byte - 1);
  }
});

Deno.test("a table is not augmented", () => {
  assert.throws(
    () => cropAndFlip(settle([1, 1, 30]), [0], createGenerator(0, STREAMS.augmentation)),
    {
      name: "DataError",
      message:
        "Cannot augment f: got a table of 30 columns, need pictures to shift and mirror; train without augment",
    },
  );
});
