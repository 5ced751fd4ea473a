/** Parts of a data set: in proportion, the same for the same seed, and counted from the split's beginning. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createDataset,
  indexSample,
  takeFirst,
  takeSamples,
} from "../../../engine/data/dataset.ts";
import { drawStratified } from "../../../engine/data/stratified.ts";

/** Makes a data set of these labels whose images encode their index: three pixels, its digits to the base 256. */
function makeData(labels: readonly number[]) {
  return createDataset({
    name: "numbered",
    split: "train",
    images: Uint8Array.from(labels.flatMap((_, i) => [i & 255, i >> 8 & 255, i >> 16])),
    labels,
    shape: [1, 3, 1],
    classes: 1 + Math.max(...labels),
    mean: [0],
    std: [1],
  });
}

/** Counts the samples of each class. */
function countLabels(labels: Iterable<number>, classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Labels of some classes of very unlike sizes, in any order, and how many samples to draw of them. */
const jobs = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.nat({ max: 90 })), {
  minLength: 1,
  maxLength: 8,
}).filter((counts) => counts.some((count) => count > 0))
  .chain((counts) => {
    const sorted = counts.flatMap((count, label) => Array<number>(count).fill(label));
    const orders = fc.oneof(
      fc.constant(sorted),
      fc.shuffledSubarray(sorted, { minLength: sorted.length }),
    );
    return fc.tuple(orders, fc.integer({ min: 1, max: sorted.length }), seeds);
  });

Deno.test("a part has as many samples as were asked for, each once, in order and with its own picture and label", () => {
  fc.assert(fc.property(jobs, ([labels, size, seed]) => {
    const whole = makeData(labels);
    const part = drawStratified(whole, size, { seed });
    assert.equal(part.labels.length, size);
    const indices = Array.from({ length: size }, (_, place) => indexSample(part, place));
    indices.forEach((index, place) => {
      assert.ok(place === 0 || index > indices[place - 1], `${indices}`);
      assert.equal(part.labels[place], labels[index]);
      assert.deepEqual(
        part.images.subarray(3 * place, 3 * place + 3),
        whole.images.subarray(3 * index, 3 * index + 3),
      );
    });
    assert.equal(part.indices === undefined, size === labels.length);
  }));
});

Deno.test("each class has its share to within one sample, and one at least where there is room", () => {
  fc.assert(fc.property(jobs, ([labels, size, seed]) => {
    const whole = makeData(labels);
    const all = countLabels(labels, whole.classes);
    const drawn = countLabels(drawStratified(whole, size, { seed }).labels, whole.classes);
    const present = all.filter((count) => count > 0).length;
    // classes that are given their one sample beyond their share take it from the others
    const lifted = all.filter((count) => count > 0 && size * count < labels.length).length;
    all.forEach((count, label) => {
      const share = size * count / labels.length;
      const told = `class ${label}: ${drawn} of ${all} for ${size}`;
      if (size >= present && count > 0) assert.ok(drawn[label] >= 1, told);
      if (size < present || lifted === 0) assert.ok(Math.abs(drawn[label] - share) < 1, told);
      assert.ok(drawn[label] <= Math.max(1, Math.ceil(share)), told);
      // a larger class never has fewer
      all.forEach((other, j) => assert.ok(other > count || drawn[j] <= drawn[label] + 1, told));
    });
  }));
});

Deno.test("shares are rounded by largest remainder, ties to the lower class", () => {
  const draw = (counts: readonly number[], size: number) => {
    const labels = counts.flatMap((count, label) => Array<number>(count).fill(label));
    return countLabels(drawStratified(makeData(labels), size).labels, counts.length);
  };
  assert.deepEqual(draw([100, 100, 100, 100], 150), [38, 38, 37, 37]);
  assert.deepEqual(draw([50, 30, 20], 7), [4, 2, 1]); // shares 3.5, 2.1, 1.4
  assert.deepEqual(draw([30, 50, 20], 7), [2, 4, 1]); // shares 2.1, 3.5, 1.4
  assert.deepEqual(draw([900, 100], 20), [18, 2]);
  assert.deepEqual(draw([1000, 1, 1, 1, 1, 1], 6), [1, 1, 1, 1, 1, 1]);
  assert.deepEqual(draw([1000, 1, 1, 1, 1, 1], 106), [101, 1, 1, 1, 1, 1]);
  assert.deepEqual(draw([10, 10, 10], 2), [1, 1, 0]); // no room for all
  assert.deepEqual(draw([10, 0, 10], 2), [1, 0, 1]); // a class without samples gets none
  // the one sample of class 1 leaves class 2, whose share is 1.01, less than one of the rest
  assert.deepEqual(draw([900, 1, 16], 58), [56, 1, 1]);
});

Deno.test("the draw is the seed's: the same again, unlike another's, whatever else the data set holds", () => {
  const labels = Array.from({ length: 600 }, (_, i) => Math.floor(i / 150));
  const whole = makeData(labels);
  const draw = (seed?: number) => drawStratified(whole, 90, { seed }).indices!;
  assert.deepEqual(draw(), draw(0));
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(0), draw(2 ** 32 - 1));
  const others = { ...whole, name: "other", images: whole.images.map((pixel) => 255 - pixel) };
  assert.deepEqual(drawStratified(others, 90).indices, draw());
  // the draw is fair: over many seeds every sample comes as often as its share says
  const seen = new Float64Array(labels.length);
  for (let seed = 0; seed < 2000; seed++) for (const index of draw(seed)) seen[index]++;
  const expected = 2000 * 90 / 600;
  // within 6 standard deviations of a binomial count, for 600 of them
  const bound = 6 * Math.sqrt(expected * (1 - 90 / 600));
  seen.forEach((count, i) => assert.ok(Math.abs(count - expected) < bound, `${i}: ${count}`));
});

Deno.test("samples of a part of a part are counted from the split's beginning", () => {
  fc.assert(fc.property(jobs, seeds, ([labels, size, seed], other) => {
    const part = drawStratified(makeData(labels), size, { seed });
    const count = 1 + other % size;
    for (
      const inner of [
        drawStratified(part, count, { seed: other }),
        takeFirst(part, count),
        takeSamples(part, [size - 1, other % size]),
      ]
    ) {
      inner.labels.forEach((label, place) => {
        const index = indexSample(inner, place);
        assert.equal(label, labels[index]);
        const [low, middle, high] = inner.images.subarray(3 * place);
        assert.equal(low + 256 * middle + 65536 * high, index);
      });
    }
  }));
});

Deno.test("a size that is none, or more than there is, is a RangeError", () => {
  for (const size of [0, -1, 1.5, NaN, 5]) {
    assert.throws(() => drawStratified(makeData([0, 0, 1, 1]), size), {
      name: "RangeError",
      message:
        `Cannot take ${size} samples of numbered (train): it holds 4, need an integer in 1..4`,
    });
  }
});

Deno.test("drawStratified refuses options that it would leave out", () => {
  const data = makeData([0, 1, 0, 1]);
  const draw = (options: unknown) => () => drawStratified(data, 2, options as { seed: number });
  assert.throws(draw(3), {
    name: "TypeError",
    message: "Cannot draw samples of numbered: got 3, need an object with seed",
  });
  assert.throws(draw({ sampleSeed: 3 }), {
    name: "TypeError",
    message: "Cannot draw samples of numbered: got an unknown option sampleSeed = 3, need seed; " +
      "sampleSeed is seed here",
  });
});
