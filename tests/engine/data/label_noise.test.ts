/** Label noise: how many labels change, which, and to what. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { drawDigits } from "../../../engine/data/digits.ts";
import { flipLabels } from "../../../engine/data/label_noise.ts";
import { shareOf } from "../../../engine/reference/shares.ts";

Deno.test("just the flipped samples have another label, the same for the same seed", () => {
  const digits = drawDigits("train", { size: 97 });
  const cases = fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), seed: fc.nat(99) });
  fc.assert(fc.property(cases, ({ share, seed }) => {
    const { data, flipped } = flipLabels(digits, share, seed);
    assert.equal(flipped.length, shareOf(share, 97, true));
    const changed = [...data.labels.keys()].filter((i) => data.labels[i] !== digits.labels[i]);
    assert.deepEqual([...flipped], changed);
    assert.ok(data.labels.every((label) => label >= 0 && label < 10));
    assert.deepEqual(flipLabels(digits, share, seed), { data, flipped });
  }));
});

Deno.test("every wrong class is as likely as another, and every sample", () => {
  const digits = drawDigits("train", { size: 9000 });
  const { data, flipped } = flipLabels(digits, 0.5, 3);
  const steps = new Float64Array(10);
  for (const sample of flipped) {
    steps[(data.labels[sample] - digits.labels[sample] + 10) % 10]++;
  }
  assert.equal(steps[0], 0);
  // 4,500 draws of 9: 500 each, with a standard deviation of 21; 5 of them are passed once in 190,000 tries
  for (const count of steps.subarray(1)) assert.ok(Math.abs(count - 500) < 106, `${count}`);
  const early = flipped.filter((sample) => sample < 4500).length;
  assert.ok(Math.abs(early - 2250) < 5 * 34, `${early}`);
});

Deno.test("shares and classes that make no sense are refused", () => {
  const digits = drawDigits("train", { size: 10 });
  for (const share of [-0.1, 1.1, NaN]) assert.throws(() => flipLabels(digits, share), RangeError);
  assert.throws(() => flipLabels({ ...digits, classes: 1 }, 0.1), RangeError);
});
