import assert from "node:assert/strict";
import { splitRandom } from "../../../engine/samples/subsets.ts";

Deno.test("a split holds every sample once, in subsets of one size, other ones for another seed", () => {
  for (const [count, size] of [[12, 1], [12, 4], [12, 12], [2000, 40]]) {
    const subsets = splitRandom(count, size, 7);
    assert.ok(subsets.length === count / size && subsets.every(({ length }) => length === size));
    const all = subsets.flatMap((subset) => [...subset]);
    assert.deepEqual(all.toSorted((a, b) => a - b), [...Array(count).keys()]);
  }
  assert.deepEqual(splitRandom(30, 5, 1), splitRandom(30, 5, 1));
  assert.notDeepEqual(splitRandom(30, 5, 1), splitRandom(30, 5, 2));
});

Deno.test("a split into parts that do not come out even is refused", () => {
  for (const size of [5, 0, 24, 1.5, NaN]) {
    assert.throws(() => splitRandom(12, size), {
      name: "RangeError",
      message: `Cannot split 12 samples: got subsets of ${size}, need a divisor of 12`,
    });
  }
});
