/** Shares of counts: the decimal product, rounded down or to the nearest integer. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { countShare } from "../../engine/share.ts";
import { KernelMatrix } from "../../engine/samples/source.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { pruneHeads } from "../../engine/samples/pruning.ts";
import { flipLabels } from "../../engine/data/label_noise.ts";
import { drawDigits } from "../../engine/data/digits.ts";
import { shareOf } from "../../engine/reference/shares.ts";

Deno.test("a share is what it is in decimal", () => {
  assert.equal(countShare(0.29, 100), 29);
  assert.equal(countShare(0.57, 1500), 855);
  assert.equal(countShare(0.145, 100, "nearest"), 15);
  assert.equal(countShare(1e-7, 1e7), 1);
  assert.equal(countShare(1e-7, 1e7 - 1), 0);
  assert.equal(countShare(5e-324, 10), 0);
  assert.equal(countShare(1, 60_000), 60_000);
  assert.equal(countShare(0, 5), 0);
  assert.equal(countShare(0.5, 1, "nearest"), 1);
  assert.equal(countShare(2e21, 2), 4e21);
});

/** Shares as people write them, and any others: with exponents, and of up to 17 digits. */
const share = fc.oneof(
  fc.tuple(fc.nat(99_999), fc.integer({ min: 1, max: 5 })).map(([n, d]) => n / 10 ** d),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.tuple(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: -25, max: -1 }))
    .map(([n, power]) => Number(`${n}e${power}`)),
);
const count = fc.oneof(fc.nat(200), fc.nat(2 ** 31));

Deno.test("shares are those of long multiplication", () => {
  const property = fc.property(share, count, (share, count) => {
    assert.equal(countShare(share, count), shareOf(share, count));
    assert.equal(countShare(share, count, "nearest"), shareOf(share, count, true));
  });
  fc.assert(property, { seed: 1, numRuns: 2000 });
});

Deno.test("shares are those of fractions of integers", () => {
  // n hundredths of m: no decimal is read or written on this side
  const property = fc.property(fc.nat(100), fc.nat(100_000), (n, m) => {
    assert.equal(BigInt(countShare(n / 100, m)), BigInt(n) * BigInt(m) / 100n);
    const nearest = (2n * BigInt(n) * BigInt(m) + 100n) / 200n;
    assert.equal(BigInt(countShare(n / 100, m, "nearest")), nearest);
  });
  fc.assert(property, { seed: 1, numRuns: 2000 });
});

Deno.test("shares of nothing that can be counted are refused", () => {
  for (const [share, count] of [[NaN, 1], [-0.1, 1], [Infinity, 1], [0.1, 1.5], [0.1, -1]]) {
    assert.throws(() => countShare(share, count), RangeError);
  }
});

Deno.test("labels that are no classes do not make clusters", async () => {
  const kernel = new KernelMatrix(Float32Array.of(1, 0, 0, 1), 2);
  for (const label of [NaN, -1, 0.5]) {
    await assert.rejects(clusterSamples(kernel, { ratio: 1, perClass: [0, label] }), {
      name: "RangeError",
      message:
        `Cannot cluster samples per class: got label ${label} for sample 1, need an integer of at least 0`,
    });
  }
});

Deno.test("clusters, pruned heads and wrong labels are counted in decimal", async () => {
  const identity = new Float32Array(100 * 100).map((_, at) => Number(at % 101 === 0));
  const { centroids } = await clusterSamples(new KernelMatrix(identity, 100), { ratio: 0.29 });
  assert.equal(centroids.length, 29);
  const clusters = { assignment: new Int32Array(1500), heads: [0] };
  assert.equal(pruneHeads(clusters, 0.57).length, 1500 - 855);
  const { flipped } = flipLabels(drawDigits("train", { size: 100 }), 0.145);
  assert.equal(flipped.length, 15);
});
