/** Folds: equal within each class, in random order, the same for the same seed. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseFolds, divideSamples } from "../../../../engine/cleaning/labels/folds.ts";
import { createDataset } from "../../../../engine/data/dataset.ts";

Deno.test("every sample is in one fold, and folds and classes differ by at most one sample", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 2, max: 7 }),
      fc.nat(99),
      (labels, folds, seed) => {
        const data = createDataset({
          name: "some",
          split: "train",
          images: new Uint8Array(labels.length),
          labels,
          shape: [1, 1, 1],
          classes: 4,
        });
        const parts = divideSamples(data, folds, seed);
        assert.equal(parts.length, folds);
        assert.deepEqual(parts.flat().sort((a, b) => a - b), [...labels.keys()]);
        const isEven = (counts: number[]) => Math.max(...counts) - Math.min(...counts) <= 1;
        assert.ok(isEven(parts.map((part) => part.length)));
        for (let label = 0; label < 4; label++) {
          assert.ok(isEven(parts.map((part) => part.filter((n) => labels[n] === label).length)));
        }
        assert.deepEqual(divideSamples(data, folds, seed), parts);
      },
    ),
  );
});

Deno.test("neighbouring samples of a sorted data set are not dealt in turns, and seeds differ", () => {
  const labels = Array.from({ length: 40 }, (_, n) => Math.floor(n / 20));
  const images = new Uint8Array(40);
  const data = createDataset({
    name: "sorted",
    split: "train",
    images,
    labels,
    shape: [1, 1, 1],
    classes: 2,
  });
  const [part] = divideSamples(data, 4, 0);
  assert.ok(part.some((n, i) => i > 0 && n - part[i - 1] !== 4), part.join());
  assert.notDeepEqual(divideSamples(data, 4, 1)[0], part);
});

Deno.test("samples are judged in 5 folds, many in 3", () => {
  assert.deepEqual([2, 4999, 5000, 60_000].map(chooseFolds), [5, 5, 3, 3]);
});
