/** Digests: the same for the same contents, another for any change. @module */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createDataset } from "../../../engine/data/dataset.ts";
import { hashDataset, hashWeights } from "../../../engine/data/digest.ts";

const parts = {
  name: "a",
  split: "train",
  images: Uint8Array.of(1, 2, 3, 4),
  labels: [0, 1],
  shape: [1, 2, 1],
  classes: 2,
  mean: [0],
  std: [1],
} as const;

Deno.test("a data set's digest hangs from everything that a network is given, and from nothing else", () => {
  const digest = hashDataset(createDataset(parts));
  const hash = createHash("sha256").update("[2,[1,2,1],2,[0],[1]]\n");
  assert.equal(
    digest,
    hash.update(Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4)).digest("hex"),
  );
  assert.equal(hashDataset(createDataset({ ...parts, name: "b", split: "test" })), digest);
  for (
    const change of [
      { images: Uint8Array.of(1, 2, 3, 5) },
      { images: Float32Array.of(1, 2, 3, 4) },
      { labels: [0, 0] },
      { shape: [2, 1, 1] as const },
      { classes: 3 },
      { mean: [0.5] },
      { std: [0.5] },
    ]
  ) {
    assert.notEqual(hashDataset(createDataset({ ...parts, ...change })), digest);
  }
});

Deno.test("floats with the bytes of pixels, and of more samples, have another digest", () => {
  const pixels = Uint8Array.from({ length: 8 }, (_, i) => i);
  const bytes = createDataset({ ...parts, images: pixels, shape: [1, 4, 1] });
  const floats = createDataset({
    ...parts,
    images: new Float32Array(pixels.buffer),
    shape: [1, 1, 1],
  });
  assert.notEqual(hashDataset(floats), hashDataset({ ...bytes, shape: floats.shape }));
});

Deno.test("the digest of weights hangs from names, shapes and bits, not from their order", () => {
  const weight = { shape: [1, 2], data: Float32Array.of(1, 0) };
  const bias = { shape: [1], data: Float32Array.of(3) };
  const digest = hashWeights(new Map([["w", weight], ["b", bias]]));
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.equal(hashWeights(new Map([["b", bias], ["w", weight]])), digest);
  // a view into a larger buffer is hashed alone
  const view = Float32Array.of(9, 1, 0, 9).subarray(1, 3);
  assert.equal(hashWeights(new Map([["w", { ...weight, data: view }], ["b", bias]])), digest);
  for (
    const changed of [
      { ...weight, shape: [2, 1] },
      { ...weight, data: Float32Array.of(1, -0) },
    ]
  ) assert.notEqual(hashWeights(new Map([["w", changed], ["b", bias]])), digest);
  assert.notEqual(hashWeights(new Map([["v", weight], ["b", bias]])), digest);
});
