/** Kernels from the device to a store and back: the same bits and the same answers as from memory. @module */
import assert from "node:assert/strict";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { KernelStore } from "../../../engine/store/store.ts";
import { KernelWriter, storeGram } from "../../../engine/store/store_writer.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { KernelMatrix } from "../../../engine/samples/source.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { readBySpecification, settle } from "./store_fixtures.ts";
import { cutRows, drawIntegers, drawNumbers, layOut, testGpu, uploadRows } from "../gpu/open.ts";

const LAYOUT = layOut(5, [4, 3], 2, [1, 2]);

function drawRows(seed: number, count: number): Float32Array[] {
  return cutRows(drawNumbers(seed, count * LAYOUT.length), LAYOUT.length);
}

/** Draws rows of small integers, whose kernels are full of ties. */
function drawTies(seed: number, count: number): Float32Array[] {
  return cutRows(drawIntegers(seed, count * LAYOUT.length), LAYOUT.length);
}

for (const count of [1, 63, 64, 65, 131, 200]) {
  for (const symmetry of ["upper", "full"] as const) {
    testGpu(
      `a store of symmetry ${symmetry} answers for ${count} rows as their matrix does`,
      async (gpu) => {
        await using folder = await openTempFolder();
        const labels = Array.from({ length: count }, (_, n) => (n * n) % 3);
        for (
          const [name, numbers] of [["a", drawRows(1, count)], ["b", drawTies(2, count)]] as const
        ) {
          const path = `${folder.path}/${name}.zarr`;
          using rows = await uploadRows(gpu, LAYOUT, numbers, {
            blockRows: Math.min(64, Math.ceil(count / 64) * 64),
          });
          const values = await computeGram(rows);
          {
            using writer = await KernelWriter.open(path, settle(count, { symmetry }));
            await storeGram(writer, rows);
            assert.equal(writer.missingCount, 0);
          }
          const raw = await readBySpecification(path);
          for (const [at, value] of raw.entries()) {
            if (symmetry === "upper" && Number.isNaN(value)) {
              const [row, column] = [Math.floor(at / count), at % count];
              assert.ok(Math.floor(row / 64) > Math.floor(column / 64), `[${row}, ${column}]`);
            } else assert.ok(Object.is(value, values[at]), `${value} at ${at}, need ${values[at]}`);
          }
          const matrix = new KernelMatrix(values, count);
          // memory for one chunk alone, so that every other comes from disk again
          for (const cacheBytes of [undefined, 1]) {
            const store = await KernelStore.open(path, { cacheBytes });
            for (const rule of ["any", "later"] as const) {
              assert.deepEqual(
                await findRedundant(store, { rule }),
                await findRedundant(matrix, { rule }),
              );
            }
            const thresholds = { threshold: 0.6, epsilon: 0.2, sample: count >> 1 };
            const related = await relateSamples(store, thresholds);
            assert.deepEqual(related, await relateSamples(matrix, thresholds));
            for (const wanted of [{ ratio: 0.3 }, { ratio: 0.5, perClass: labels }]) {
              const clusters = await clusterSamples(store, wanted);
              assert.deepEqual(clusters, await clusterSamples(matrix, wanted));
            }
          }
        }
      },
    );
  }
}

testGpu("a store takes the tiles that it lacks, and counts them alone", async (gpu) => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  using rows = await uploadRows(gpu, LAYOUT, drawRows(3, 131), { blockRows: 64 }); // 3 blocks, 6 tiles
  for (const lost of [undefined, "0/1", "2/2"]) {
    if (lost) await Deno.remove(`${path}/c/${lost}`);
    using writer = await KernelWriter.open(path, settle(131));
    const progress: [number, number][] = [];
    await storeGram(writer, rows, rows, { onProgress: (...step) => progress.push(step) });
    assert.deepEqual(progress, lost ? [[1, 1]] : [1, 2, 3, 4, 5, 6].map((done) => [done, 6]));
  }
});

testGpu("the kernel of 65 rows with 131 others is stored whole", async (gpu) => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 65), { blockRows: 64 });
  using columns = await uploadRows(gpu, LAYOUT, drawRows(2, 131), { blockRows: 64 });
  using writer = await KernelWriter.open(path, settle(65, { columns: 131, symmetry: "none" }));
  await storeGram(writer, rows, columns);
  assert.deepEqual(await readBySpecification(path), await computeGram(rows, columns));
});

testGpu("rows whose tiles are not the store's are refused", async (gpu) => {
  await using folder = await openTempFolder();
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 131), { blockRows: 64 });
  using wide = await uploadRows(gpu, LAYOUT, drawRows(1, 131), { blockRows: 128 });
  using few = await uploadRows(gpu, LAYOUT, drawRows(1, 130), { blockRows: 64 });
  using writer = await KernelWriter.open(`${folder.path}/K.zarr`, settle(131));
  for (const [left, right] of [[wide, wide], [few, few], [rows, few], [rows, wide]]) {
    await assert.rejects(storeGram(writer, left, right), RangeError);
  }
  using cross = await KernelWriter.open(
    `${folder.path}/C.zarr`,
    settle(131, { columns: 130, symmetry: "none" }),
  );
  await assert.rejects(storeGram(cross, rows), RangeError);
});

testGpu("a store that cannot be written ends the computation with the reason", async (gpu) => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/K.zarr`;
  using rows = await uploadRows(gpu, LAYOUT, drawRows(3, 131), { blockRows: 64 });
  using writer = await KernelWriter.open(path, settle(131));
  await Deno.writeTextFile(`${path}/c`, "in the way");
  await assert.rejects(storeGram(writer, rows), { name: "FileError", message: /Cannot write .*K/ });
  await Deno.remove(`${path}/c`);
});
