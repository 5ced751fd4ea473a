/** Tiles on a slow device: cut into short launches and submissions, the same to the last bit, with progress and an end within a tile. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { type CallOptions, interruptBy } from "../../../engine/gpu/pace.ts";
import { LAUNCH_MS } from "../../../engine/gpu/rates.ts";
import {
  computeGram,
  computeGramRow,
  computeTiles,
  foldTiles,
} from "../../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../../engine/kernel/self_similarity.ts";
import type { RowLayout } from "../../../engine/rows/layout.ts";
import type { Residence } from "../../../engine/rows/plan.ts";
import type { PackedRows } from "../../../engine/rows/rows.ts";
import { canRun, VARIANTS } from "../../../engine/rows/variants.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { findNearest } from "../../../engine/samples/nearest.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { assertShort, pretendRates, watchLoad, watchSubmissions } from "../gpu/load.ts";
import { cutRows, drawIntegers, drawNumbers, layOut, testGpu, uploadRows } from "../gpu/open.ts";

const LAYOUTS: Record<string, RowLayout> = {
  "one position": layOut(5, [4, 3], 2, [1, 2]),
  "several positions": layOut(5, [4, 3, 4], 7, [2, 3, 9]),
};

const COUNT = 300;

/** Rows whose products round, so that another order of a sum would show. */
function upload(gpu: Gpu, layout: RowLayout, options: Parameters<typeof uploadRows>[3]) {
  const numbers = drawNumbers(COUNT, COUNT * layout.length);
  return uploadRows(gpu, layout, cutRows(numbers, layout.length), options);
}

/** Asserts that two results are the same, without a list of what differs, which takes minutes for a matrix. */
function assertSame<T>(actual: T, expected: T, label: string): void {
  assert.ok(isDeepStrictEqual(actual, expected), label);
}

/** A rate of products by which so many pairs of panels of the longest slice are one launch. */
function slowDown(gpu: Gpu, { slices }: PackedRows, pairs: number): Disposable {
  const lines = Math.max(...slices.map((slice) => slice.lines));
  return pretendRates(gpu, { products: pairs * 2 * 64 * 64 * lines / LAUNCH_MS });
}

for (const [name, layout] of Object.entries(LAYOUTS)) {
  testGpu(`products of rows of ${name} are cut, and the same to the last bit`, async (gpu) => {
    const runnable = VARIANTS.filter((variant) => canRun(gpu, variant, layout));
    for (const side of new Set(runnable.map((variant) => variant.side))) {
      const variant = runnable.findLast((variant) => variant.side === side)!;
      using rows = await upload(gpu, layout, { variant, blockRows: 192 });
      const whole = await computeGram(rows);
      const redundant = await findRedundant(rows);
      const row = await computeGramRow(rows, 200);
      using _ = slowDown(gpu, rows, 2.5);
      {
        using load = watchLoad();
        assertSame(await computeGram(rows), whole, variant.name);
        assertShort(load, variant.side ** 2 * LAUNCH_MS / 2.5);
        // three tiles, of which the least computes three pairs
        const launches = load.submissions.flat().filter((ms) => ms > 0).length;
        assert.ok(launches > 3, `${launches} launches`);
      }
      assertSame(await findRedundant(rows), redundant, variant.name);
      assertSame(await computeGramRow(rows, 200), row, variant.name);
    }
  });
}

testGpu("submissions are as long as they may be", async (gpu) => {
  using rows = await upload(gpu, LAYOUTS["one position"], {});
  using _ = slowDown(gpu, rows, 1);
  using load = watchLoad();
  await computeGram(rows);
  // 15 pairs of panels of 50 ms each
  assert.deepEqual(load.submissions.map((launches) => launches.length), [4, 4, 4, 3]);
});

testGpu("rows count by the rate of their own variant, whatever was projected last", async (gpu) => {
  const layout = LAYOUTS["one position"];
  const [fast, slow] = VARIANTS.filter((variant) => canRun(gpu, variant, layout));
  using _ = pretendRates(gpu, { variants: { [fast.name]: 1e12, [slow.name]: 1e3 } });
  const timed: number[] = [];
  for (const variant of [fast, slow]) {
    using rows = await upload(gpu, layout, { variant });
    using load = watchLoad();
    await computeGram(rows);
    timed.push(load.submissions.flat().reduce((sum, ms) => sum + ms, 0));
  }
  const flops = 2 * 15 * 64 * 64 * layout.length;
  // a variant may compute two panels at a time, on the diagonal too many
  timed.forEach((ms, i) => assert.ok(ms >= (1 - 1e-9) * flops / [1e12, 1e3][i], `${timed}`));
  assert.ok(timed[0] < 2 * flops / 1e12, `${timed}`);
});

testGpu("self-similarities and clusters are cut within a block, and the same", async (gpu) => {
  const count = 700;
  for (const [name, layout] of Object.entries(LAYOUTS)) {
    const numbers = cutRows(drawNumbers(count, count * layout.length), layout.length);
    using rows = await uploadRows(gpu, layout, numbers, { blockRows: 704 });
    const compute = async () => [
      await computeSelfSimilarity(rows),
      await clusterSamples(rows, { ratio: 0.02 }),
    ];
    const whole = await compute();
    const isSingle = name === "one position";
    // reading eight panels takes 40 ms, or the products of two pairs of panels of samples
    using _ = pretendRates(
      gpu,
      isSingle
        ? { reads: 8 * 4 * 64 * layout.length / 40 }
        : { elements: 2 * 4 * (9 * 64) ** 2 / 40 },
    );
    using load = watchLoad();
    assertSame(await compute(), whole, name);
    assertShort(load, 0);
    if (!isSingle) continue;
    // of 11 panels, those that a workgroup serves for each of 14 centroids, and six and five, twice for their self-similarities
    const launches = load.submissions.flat();
    const countNear = (ms: number) => launches.filter((own) => Math.abs(own - ms) < 1e-6).length;
    assert.deepEqual([40, 30, 25].map(countNear), [14 * 2, 2, 2]);
  }
});

testGpu("products of positions are summed in parts, and the same", async (gpu) => {
  using rows = await upload(gpu, LAYOUTS["several positions"], { blockRows: 192 });
  const whole = await computeGram(rows);
  // two and a half pairs of panels of samples
  using _ = pretendRates(gpu, { elements: 2.5 * 4 * (9 * 64) ** 2 / LAUNCH_MS });
  using load = watchLoad();
  assertSame(await computeGram(rows), whole, "a kernel");
  assertShort(load, 0);
  assert.ok(load.submissions.flat().some((ms) => Math.abs(ms - 2 * LAUNCH_MS / 2.5) < 1e-6));
});

testGpu("nearest samples are found in parts of a tile, and the same, with ties", async (gpu) => {
  const layout = LAYOUTS["one position"];
  const integers = drawIntegers(COUNT, COUNT * layout.length);
  for (const blockRows of [128, 320]) {
    using rows = await uploadRows(gpu, layout, cutRows(integers, layout.length), { blockRows });
    for (const size of [1, 7, 299]) {
      const whole = await findNearest(rows, size);
      // 20 columns of the largest tile a launch, and one launch for tiles of the others' rows
      const otherBytes = Math.min(blockRows, COUNT) * (4 + 16 * size);
      using _ = pretendRates(gpu, { elements: 20 * otherBytes / LAUNCH_MS });
      using load = watchLoad();
      assertSame(await findNearest(rows, size), whole, `${size} of blocks of ${blockRows}`);
      assertShort(load, 0);
      const launches = load.submissions.flat();
      assert.ok(launches.length >= 2 * Math.ceil(COUNT / 20), `${launches.length} launches`);
    }
  }
});

testGpu("every launch over rows and tiles counts", async (gpu) => {
  for (const layout of Object.values(LAYOUTS)) {
    using rows = await upload(gpu, layout, { blockRows: 128 });
    using load = watchLoad();
    await computeSelfSimilarity(rows);
    await findRedundant(rows);
    await relateSamples(rows);
    await findNearest(rows, 3);
    await clusterSamples(rows, { ratio: 0.05 });
    const launches = load.submissions.flat();
    assert.ok(launches.length > 0 && launches.every((ms) => ms > 0), `${launches}`);
  }
});

testGpu("a copy to panels or to a texture counts", (gpu) => {
  using _ = pretendRates(gpu, { reads: 4 * 64 * 2 / 150 });
  using stack = new DisposableStack();
  const own = <T extends GPUBuffer | GPUTexture>(made: T): T =>
    stack.adopt(made, (resource) => gpu.destroyBuffer(resource));
  for (const operands of ["buffer", "texture"] as const) {
    const from = own(gpu.createBuffer("from", 4 * 64));
    const to = own(gpu.createPanels("to", operands, 1, 1));
    using load = watchSubmissions();
    const commands = gpu.record();
    // 150 ms each
    for (let i = 0; i < 3; i++) commands.copyPanels(from, to, { height: 1, first: 0, count: 1 });
    commands.submit();
    assert.equal(load.count, 3, operands);
  }
  return Promise.resolve();
});

testGpu("progress within a tile grows from tile to tile, and ends with the last", async (gpu) => {
  for (const blockRows of [64, 128, 320]) {
    using rows = await upload(gpu, LAYOUTS["one position"], { blockRows });
    using _ = slowDown(gpu, rows, 0.25);
    for (
      const run of [
        (report: (done: number, total: number) => void) =>
          Array.fromAsync(computeTiles(rows, rows, report)),
        (report: (done: number, total: number) => void) => foldTiles(rows, () => [], report),
      ]
    ) {
      const reports: number[] = [];
      let whole = 0;
      await run((done, total) => {
        reports.push(done);
        whole = total;
      });
      assert.deepEqual(reports, reports.toSorted((a, b) => a - b));
      assert.equal(reports.at(-1), whole);
      assert.ok(reports[0] > 0 || reports[1] > 0, `${reports}`);
      // the least blocks are a launch each, which is a submission
      if (blockRows > 64) assert.ok(reports.some((done) => done % 1 > 0), `${reports}`);
    }
  }
});

testGpu("a tile that is no longer wanted is not finished", async (gpu) => {
  using rows = await upload(gpu, LAYOUTS["one position"], {});
  using _ = slowDown(gpu, rows, 0.25);
  const reason = new Error("no longer wanted");
  for (
    const run of [
      (signal: AbortSignal, onProgress: () => void) =>
        computeGram(rows, rows, { signal, onProgress }),
      (signal: AbortSignal, onProgress: () => void) =>
        foldTiles(
          rows,
          () => assert.fail("got on to the end of the tile"),
          interruptBy({ signal, onProgress }),
        ),
    ]
  ) {
    using load = watchLoad();
    const stop = new AbortController();
    await assert.rejects(run(stop.signal, () => stop.abort(reason)), reason);
    // of 15, one for each pair of panels
    assert.equal(load.submissions.length, 1);
  }
});

testGpu(
  "rows that are computed anew are reported, and ended, part by part",
  async (gpu) => {
    const layout = LAYOUTS["several positions"];
    const how = { residence: "recomputed", blockRows: 128, sliceLength: 50 } as const;
    using rows = await upload(gpu, layout, how);
    const jobs = {
      "a kernel": (options: CallOptions) => computeGram(rows, rows, options),
      "self-similarities": (options: CallOptions) => computeSelfSimilarity(rows, options),
    };
    const reason = new Error("no longer wanted");
    for (const [name, job] of Object.entries(jobs)) {
      const whole = await job({});
      // the last two blocks take the place of the first
      await computeGramRow(rows, 200);
      using load = watchLoad();
      const stop = new AbortController();
      let share = NaN;
      const onProgress = (done: number, total: number) => {
        share = done / total;
        stop.abort(reason);
      };
      await assert.rejects(job({ signal: stop.signal, onProgress }), reason, name);
      assert.ok(share >= 0 && share < 0.1, `${name}: ${share}`);
      // not one launch reads a part
      assert.deepEqual(load.submissions, [], name);
      assertSame(await job({}), whole, name);
    }
  },
);

testGpu("self-similarities that other jobs begin with end with the signal, too", async (gpu) => {
  const layout = LAYOUTS["several positions"];
  for (const job of [findRedundant, relateSamples]) {
    using rows = await upload(gpu, layout, { residence: "recomputed", sliceLength: 50 });
    using load = watchLoad();
    const reason = new Error("no longer wanted");
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 0);
    await assert.rejects(job(rows, { signal: stop.signal }), reason, job.name);
    assert.deepEqual(load.submissions, [], job.name);
  }
});

testGpu("rows that are disposed while they are computed anew say so", async (gpu) => {
  const layout = LAYOUTS["one position"];
  const rows = await upload(gpu, layout, { residence: "recomputed" });
  await assert.rejects(
    computeGram(rows, rows, { onProgress: () => rows.dispose() }),
    { name: "DisposedError" },
  );
});

const ELSEWHERE: readonly Residence[] = ["file", "recomputed"];

for (const residence of ELSEWHERE) {
  testGpu(`jobs share the places of rows that are ${residence} within their tiles`, async (gpu) => {
    const layout = LAYOUTS["one position"];
    using rows = await upload(gpu, layout, { residence, blockRows: 64, sliceLength: 7 });
    // each reads other places at a time
    const jobs = [
      () => computeGram(rows),
      () => findRedundant(rows),
      () => computeGramRow(rows, 200),
      () => clusterSamples(rows, { ratio: 0.05 }),
    ];
    const whole = [];
    for (const job of jobs) whole.push(await job());
    using _ = slowDown(gpu, rows, 0.25);
    assertSame(await Promise.all(jobs.map((job) => job())), whole, residence);
  });
}
