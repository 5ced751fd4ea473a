/** Rows of the caller's own vectors: their kernel is that of inner products, whatever pieces they are uploaded in. @module */
import assert from "node:assert/strict";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { drawIntegers } from "../gpu/open.ts";
import { testEngine } from "../open_engine.ts";

// one of each beside whole panels; several blocks; rows of more parts than a slice may have
for (const [count, length] of [[1, 1], [63, 5], [65, 257], [4200, 3], [3, 140_001]]) {
  testEngine(`the kernel of ${count} vectors of ${length} numbers is exact`, async (engine) => {
    // sums of at most 9 * 140,001 are exact in f32, in any order
    const vectors = drawIntegers(length, count * length);
    using rows = await engine.pack(vectors, count);
    const kappa = await computeGram(rows);
    const step = Math.ceil(count / 40);
    for (let i = 0; i < count; i += step) {
      for (let j = 0; j < count; j += step) {
        let sum = 0;
        for (let k = 0; k < length; k++) sum += vectors[i * length + k] * vectors[j * length + k];
        assert.equal(kappa[i * count + j], sum, `${i}, ${j}`);
      }
    }
  });
}

testEngine("vectors that cannot be rows are refused", async (engine) => {
  await assert.rejects(engine.pack(new Float32Array(7), 2), /got 7 numbers for 2 vectors/);
  await assert.rejects(engine.pack(new Float32Array(0), 2), /got 0 numbers for 2 vectors/);
  await assert.rejects(engine.pack(new Float32Array(2), 0), /count/);
  await assert.rejects(engine.pack(Float32Array.of(0, 1, NaN, 0), 2), /got NaN in vector 1/);
  // deno-lint-ignore no-explicit-any
  await assert.rejects(engine.pack([1, 2] as any, 2), TypeError);
});
