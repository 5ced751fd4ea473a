/** Nearest samples by stored kernels: those of the twin, whatever the precision and the tiles. @module */
import assert from "node:assert/strict";
import { findNearest, KernelMatrix, KernelStore } from "../../../mod.ts";
import { nearestSamples } from "../../../engine/reference/relations.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { finishStore, readBySpecification, settle } from "../store/store_fixtures.ts";

/** A symmetric matrix with many ties, and a diagonal below other entries, which is never a neighbour. */
function drawKernel(count: number): Float64Array {
  return Float64Array.from({ length: count * count }, (_, at) => {
    const [i, j] = [Math.floor(at / count), at % count];
    return i === j ? 100 : ((i + j) * 7 + i * j * 11) % 13 - 6;
  });
}

for (const count of [2, 3, 17]) {
  Deno.test(`the nearest of ${count} samples by a matrix, ties included`, async () => {
    const values = drawKernel(count);
    for (const type of [Float32Array, Float64Array]) {
      const kernel = new KernelMatrix(type.from(values), count);
      for (const size of new Set([1, Math.min(5, count - 1), count - 1])) {
        const expected = nearestSamples(values, count, size);
        const found = await findNearest(kernel, size);
        assert.deepEqual([...found.samples], expected.flat());
        assert.deepEqual(
          [...found.similarities],
          expected.flatMap((near, i) => near.map((j) => values[i * count + j])),
        );
        assert.equal(found.size, size);
      }
      await assert.rejects(findNearest(kernel, count), RangeError);
    }
  });
}

Deno.test("entries of a float64 matrix that float32 cannot tell apart are ranked as they are", async () => {
  // float32 rounds both to 1 + 2 ** -23, which is larger than either
  const [near, nearer] = [1 + 2 ** -24 + 2 ** -30, 1 + 2 ** -24 + 2 ** -29];
  const values = Float64Array.of(9, near, nearer, near, 9, 0, nearer, 0, 9);
  const { samples, similarities } = await findNearest(new KernelMatrix(values, 3), 2);
  assert.deepEqual([...samples.subarray(0, 2)], [2, 1]);
  assert.deepEqual([...similarities.subarray(0, 2)], [1 + 2 ** -23, 1 + 2 ** -23]);
});

Deno.test("the nearest samples by a store of several tiles, half or whole", async () => {
  await using folder = await openTempFolder();
  const count = 131;
  for (const symmetry of ["upper", "full"] as const) {
    const path = `${folder.path}/${symmetry}.zarr`;
    await finishStore(path, settle(count, { symmetry }));
    const stored = await readBySpecification(path);
    // of a half the rest reads as NaN
    const whole = stored.map((value, at) =>
      Number.isNaN(value) ? stored[at % count * count + Math.floor(at / count)] : value
    );
    const { samples } = await findNearest(await KernelStore.open(path), 6);
    assert.deepEqual([...samples], nearestSamples(whole, count, 6).flat());
  }
});
