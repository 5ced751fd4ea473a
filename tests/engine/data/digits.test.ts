import assert from "node:assert/strict";
import fc from "fast-check";
import { drawDigits } from "../../../engine/data/digits.ts";

const IMAGE = 28 * 28;

/** Lists every image as a string, to compare images as wholes. */
function listImages(images: ArrayLike<number>): string[] {
  const bytes = Uint8Array.from(images);
  return Array.from(
    { length: bytes.length / IMAGE },
    (_, i) => bytes.subarray(i * IMAGE, (i + 1) * IMAGE).toHex(),
  );
}

Deno.test("digits are 4,000 images for training and 1,000 for testing by default", () => {
  for (const [split, size] of [["train", 4_000], ["test", 1_000]] as const) {
    const data = drawDigits(split);
    assert.equal(data.labels.length, size);
    assert.equal(data.images.length, size * IMAGE);
    assert.deepEqual([data.name, data.split, data.classes], ["digits", split, 10]);
    assert.deepEqual(data.shape, [28, 28, 1]);
  }
});

Deno.test("the mean and std written down are those of the default training split", () => {
  const { mean, std, ...data } = drawDigits("train");
  const images = Uint8Array.from(data.images);
  const measured = images.reduce((sum, pixel) => sum + pixel / 255, 0) / images.length;
  const variance = images.reduce((sum, pixel) => sum + (pixel / 255 - measured) ** 2, 0) /
    images.length;
  assert.equal(measured.toFixed(4), mean[0].toFixed(4));
  assert.equal(Math.sqrt(variance).toFixed(4), std[0].toFixed(4));
});

Deno.test("the default digits never change", async () => {
  const sums = { train: "", test: "" };
  for (const split of ["train", "test"] as const) {
    const { images, labels } = drawDigits(split);
    const bytes = Uint8Array.from([...labels, ...images]);
    sums[split] = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  }
  assert.deepEqual(sums, {
    train: "0388271e7dae46b2cfd67a30231859bae5c664510a65813d3edaf812cd1664ae",
    test: "301d7c981f8d05a88473cefe7de80f8567aeb8750af6ab47e9079c827b72dc3a",
  });
});

Deno.test("a sample is the same whatever the size, for any seed", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("train", "test"),
      fc.nat(),
      fc.integer({ min: 1, max: 40 }),
      (split, seed, size) => {
        const whole = drawDigits(split, { seed, size: 40 });
        const part = drawDigits(split, { seed, size });
        assert.deepEqual(part.images, whole.images.slice(0, size * IMAGE));
        assert.deepEqual(part.labels, whole.labels.slice(0, size));
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("each run of ten holds each class once, in an order that changes", () => {
  const { labels } = drawDigits("train", { size: 200 });
  const runs = Array.from({ length: 20 }, (_, i) => [...labels.subarray(i * 10, i * 10 + 10)]);
  for (const run of runs) assert.deepEqual(run.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(new Set(runs.map(String)).size, 20);
});

Deno.test("no two samples are the same, within and across splits and seeds", () => {
  const images = [
    ...listImages(drawDigits("train").images),
    ...listImages(drawDigits("test").images),
    ...listImages(drawDigits("train", { seed: 1, size: 500 }).images),
  ];
  assert.equal(new Set(images).size, images.length);
});

Deno.test("digits use the whole range of grey and stay within the frame", () => {
  const images = Uint8Array.from(drawDigits("train", { size: 500 }).images);
  for (
    const image of Array.from(
      { length: 500 },
      (_, i) => images.subarray(i * IMAGE, (i + 1) * IMAGE),
    )
  ) {
    const inked = image.reduce((count, pixel) => count + Number(pixel >= 128), 0);
    assert.ok(inked >= 15 && inked <= 300, `${inked} pixels of ink`);
  }
  assert.equal(images.reduce((least, pixel) => Math.min(least, pixel)), 0);
  assert.ok(images.reduce((most, pixel) => Math.max(most, pixel)) > 250);
});

Deno.test("classes can be told apart by the nearest mean image, though not perfectly", () => {
  const train = drawDigits("train", { size: 1_000 });
  const test = drawDigits("test", { size: 500 });
  const means = Array.from({ length: 10 }, () => new Float64Array(IMAGE));
  train.images.forEach((pixel, i) => {
    means[train.labels[Math.floor(i / IMAGE)]][i % IMAGE] += pixel / 100;
  });
  let correct = 0;
  for (let i = 0; i < 500; i++) {
    const image = Uint8Array.from(test.images.subarray(i * IMAGE, (i + 1) * IMAGE));
    const distances = means.map((mean) =>
      image.reduce((sum, pixel, p) => sum + (pixel - mean[p]) ** 2, 0)
    );
    correct += Number(distances.indexOf(Math.min(...distances)) === test.labels[i]);
  }
  assert.ok(correct > 300 && correct < 490, `${correct} of 500`);
});

Deno.test("a size or seed out of range is a RangeError", () => {
  for (const size of [0, -1, 1.5, NaN]) {
    assert.throws(() => drawDigits("train", { size }), {
      name: "RangeError",
      message: `Cannot draw digits: got size ${size}, need an integer in 1..2147483647`,
    });
  }
  for (const seed of [-1, 0.5, 2 ** 32]) {
    assert.throws(() => drawDigits("train", { seed, size: 1 }), {
      name: "RangeError",
      message: `Cannot draw digits: got seed ${seed}, need an integer in 0..4294967295`,
    });
  }
});
