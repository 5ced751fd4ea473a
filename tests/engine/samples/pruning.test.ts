/** Samples that are kept: by score, by cover, at random. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { kCenterGreedy } from "../../../engine/samples/k_center.ts";
import { keepHighest } from "../../../engine/samples/pruning.ts";
import { greedyCenters } from "../../../engine/reference/pruning.ts";

Deno.test("the highest scores are kept, infinite ones first, in increasing order", () => {
  const scores = [0, 3, Infinity, -1, 3, Infinity, 2];
  assert.deepEqual([...keepHighest(scores, 2)], [2, 5]);
  assert.deepEqual([...keepHighest(scores, 4)], [1, 2, 4, 5]);
  assert.deepEqual([...keepHighest(scores, 5)], [1, 2, 4, 5, 6]);
  assert.deepEqual([...keepHighest(scores, 7)], [0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("no sample that is left out scores higher than one that is kept", () => {
  const score = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Infinity, -Infinity));
  const property = fc.property(
    fc.array(score, { minLength: 1, maxLength: 70 }),
    fc.nat(),
    fc.nat(9),
    (scores, draw, seed) => {
      const size = 1 + draw % scores.length;
      const keep = [...keepHighest(scores, size, seed)];
      assert.equal(new Set(keep).size, size);
      assert.deepEqual(keep, keep.toSorted((a, b) => a - b));
      const least = Math.min(...keep.map((n) => scores[n]));
      assert.ok(scores.every((score, n) => keep.includes(n) || score <= least));
    },
  );
  fc.assert(property, { seed: 1 });
});

Deno.test("a tie at the border is drawn from all that are alike", () => {
  const scores = Array.from({ length: 40 }, (_, n) => Number(n < 4));
  const drawn = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const keep = [...keepHighest(scores, 10, seed)];
    assert.deepEqual(keep.slice(0, 4), [0, 1, 2, 3]);
    keep.slice(4).forEach((n) => drawn.add(n));
    assert.deepEqual([...keepHighest(scores, 10, seed)], keep);
  }
  // each of the 36 is drawn with probability 1/6: that one is missing after 40 draws has probability 36 (5/6)^40 = 0.025
  assert.ok(drawn.size >= 34, `${drawn.size} of 36`);
});

Deno.test("scores that are no numbers, and sizes out of range, are refused", () => {
  for (const size of [0, 3, 1.5, NaN]) {
    assert.throws(() => keepHighest([1, 2], size), RangeError);
    assert.throws(() => kCenterGreedy(Float32Array.of(1, 2), 2, size), RangeError);
  }
  assert.throws(() => keepHighest([1, NaN], 1), { name: "RangeError", message: /sample 1/ });
  assert.throws(() => kCenterGreedy(Float32Array.of(1, 2, 3), 2, 1), RangeError);
  assert.throws(() => kCenterGreedy(new Float32Array(), 2, 1), RangeError);
  for (const value of [NaN, -Infinity]) {
    assert.throws(() => kCenterGreedy(Float32Array.of(1, 2, value, 3), 2, 1), {
      name: "RangeError",
      message: `Cannot choose centers: got feature ${value} of sample 1, need finite numbers`,
    });
  }
});

Deno.test("centers are the farthest samples one after another, as the twin chooses them", () => {
  // integer features, so that distances are exact and often alike
  const property = fc.property(
    fc.integer({ min: 1, max: 5 }),
    fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 5, maxLength: 150 }),
    fc.nat(),
    (width, numbers, draw) => {
      const count = Math.floor(numbers.length / width);
      const features = Float32Array.from(numbers.slice(0, count * width));
      const rows = Array.from(
        { length: count },
        (_, n) => features.subarray(n * width, (n + 1) * width),
      );
      const size = 1 + draw % count;
      assert.deepEqual([...kCenterGreedy(features, count, size)], greedyCenters(rows, size));
    },
  );
  fc.assert(property, { seed: 1 });
});
