/** Gram matrices, redundancy, relations and clusters from rows: against the twins, and against a stored kernel bit for bit. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { DataError, NonFiniteError } from "../../../engine/errors.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { computeGram, computeTiles } from "../../../engine/kernel/gram.ts";
import type { Residence } from "../../../engine/rows/plan.ts";
import type { PackedRows } from "../../../engine/rows/rows.ts";
import { computeSelfSimilarity } from "../../../engine/kernel/self_similarity.ts";
import { canRun, VARIANTS } from "../../../engine/rows/variants.ts";
import { computeClassSimilarity } from "../../../engine/samples/class_similarity.ts";
import { type ClusterOptions, clusterSamples, countMembers } from "../../../engine/samples/fpc.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import { relateSamples } from "../../../engine/samples/relations.ts";
import { KernelMatrix } from "../../../engine/samples/source.ts";
import { gramRows } from "../../../engine/reference/gram.ts";
import {
  centroidCount,
  classMeans,
  type Clusters,
  farthestPointClusters,
  farthestPointClustersPerClass,
  redundant,
  relatePairs,
} from "../../../engine/reference/relations.ts";
import { cutRows, drawIntegers, drawNumbers, layOut, testGpu, uploadRows } from "../gpu/open.ts";

/** Layout with every kind of segment. */
const LAYOUT = layOut(5, [4, 3], 2, [1, 2]);

/** Layout with factored convolutions, too, of an odd number of positions, and of the largest number. */
const SPREAD = layOut(5, [4, 3], [3, 2, 5], 2, [2, 1, 16]);

/** Numbers of rows at, beside and between whole panels; several blocks if a block holds one panel or two. */
const COUNTS = [1, 63, 64, 65, 131, 200];

/** Fewer numbers of rows, for tests with many results for each. */
const FEW_COUNTS = [1, 64, 65, 200];

function drawRows(seed: number, count: number, { length } = LAYOUT): Float32Array[] {
  return cutRows(drawNumbers(seed, count * length), length);
}

/** Draws rows of small integers, whose kernels are exact and full of ties. */
function drawTies(seed: number, count: number, { length } = LAYOUT): Float32Array[] {
  return cutRows(drawIntegers(seed, count * length), length);
}

/** Layout as {@linkcode SPREAD} with fewer products of positions, for tests that run it a hundred times. */
const FEWER = layOut(5, [4, 3], [3, 2, 5], 2, [2, 1, 3]);

/** Way to hold rows: rows of a block, residence, and elements of a row in a slice and held at once. */
type Way = readonly [number, Residence, sliceLength?: 1 | 7 | 12, heldLength?: number];

/** Ways that differ in the rows of a block, in the residence and in the slices. */
const WAYS: readonly Way[] = [
  [64, "device"],
  [128, "device", 7],
  [256, "device", 1],
  [64, "file"],
  [128, "file", 12],
  [256, "file", 1],
  [64, "recomputed"],
  [128, "recomputed", 7, 5],
  [64, "recomputed", 1, 12],
];

/**
 * Ways for variants that differ from the plain one in their kernel alone: each choice once, since a driver compiles a kernel anew for every size of a
 * texture.
 */
const SOME_WAYS: readonly Way[] = [
  [128, "device", 7],
  [64, "file"],
  [256, "recomputed", 1, 12],
];

const KINDS = Object.entries({ "rows": LAYOUT, "rows with factored convolutions": FEWER });

/** Takes the bits, so that a NaN equals itself and 0 is not -0. */
function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.slice().buffer);
}

// Gram matrices

for (const count of [...COUNTS, 577]) {
  testGpu(
    `the kernel of ${count} rows is exact, and symmetric with self-similarity on the diagonal bit for bit`,
    async (gpu) => {
      const layout = count % 2 ? SPREAD : LAYOUT;
      const integers = drawTies(count, count, layout);
      using exact = await uploadRows(gpu, layout, integers);
      const twin = gramRows(integers, integers, layout.segments).value;
      assert.ok(isDeepStrictEqual(Float64Array.from(await computeGram(exact)), twin));

      using rows = await uploadRows(gpu, layout, drawRows(count, count, layout));
      const matrix = await computeGram(rows);
      const transposed = matrix.map((_, i) => matrix[i % count * count + Math.floor(i / count)]);
      assert.deepEqual(bitsOf(transposed), bitsOf(matrix));
      const diagonal = Float32Array.from({ length: count }, (_, n) => matrix[n * count + n]);
      assert.deepEqual(bitsOf(await computeSelfSimilarity(rows)), bitsOf(diagonal));
    },
  );
}

for (const count of COUNTS) {
  testGpu(`blocks of any size give the same kernel of ${count} rows bit for bit`, async (gpu) => {
    const numbers = drawRows(count, count);
    using whole = await uploadRows(gpu, LAYOUT, numbers);
    const expected = bitsOf(await computeGram(whole));
    for (const blockRows of [64, 128]) {
      using rows = await uploadRows(gpu, LAYOUT, numbers, { blockRows });
      assert.equal(rows.blocks.length, Math.ceil(count / blockRows));
      assert.deepEqual(bitsOf(await computeGram(rows)), expected);
      assert.deepEqual(await computeSelfSimilarity(rows), await computeSelfSimilarity(whole));
      // the same rows on both sides of a rectangle: nothing is mirrored there
      assert.deepEqual(bitsOf(await computeGram(rows, whole)), expected);
      assert.deepEqual(bitsOf(await computeGram(whole, rows)), expected);
    }
  });
}

for (
  const [variant, [kind, layout]] of VARIANTS.flatMap((variant) =>
    KINDS.map((kind) => [variant, kind] as const)
  )
) {
  testGpu(
    `${variant.name} gives the same answers on 131 ${kind} bit for bit, in blocks and slices of any size, from a file and recomputed`,
    async (gpu) => {
      if (!canRun(gpu, variant, layout)) return; // never chosen there, as rows.test.ts holds
      const [numbers, others] = [drawRows(1, 131, layout), drawRows(2, 65, layout)];
      using plain = await uploadRows(gpu, layout, numbers);
      using plainOthers = await uploadRows(gpu, layout, others);
      const labels = numbers.map((_, n) => n % 3);
      const answer = async (rows: PackedRows, columns: PackedRows) => [
        bitsOf(await computeGram(rows)),
        bitsOf(await computeGram(rows, columns)),
        await computeSelfSimilarity(rows),
        await clusterSamples(rows, { ratio: 0.3 }),
        await clusterSamples(rows, { ratio: 0.1, perClass: labels }),
        await findRedundant(rows),
      ];
      const expected = await answer(plain, plainOthers);
      for (
        const [blockRows, residence, sliceLength, heldLength] of variant.lanes > 1
          ? SOME_WAYS
          : WAYS
      ) {
        const options = { variant, blockRows, sliceLength, residence, heldLength };
        using rows = await uploadRows(gpu, layout, numbers, options);
        using columns = await uploadRows(gpu, layout, others, options);
        const name =
          `${blockRows} rows, ${residence}, slices of ${sliceLength}, ${heldLength} held`;
        const slices = layout === LAYOUT ? { 1: 4, 7: 3, 12: 2 } : { 1: 5, 7: 5, 12: 4 };
        assert.equal(rows.slices.length, slices[sliceLength!] ?? (layout === LAYOUT ? 1 : 4), name);
        assert.ok(isDeepStrictEqual(await answer(rows, columns), expected), name);
      }
    },
  );
}

testGpu("rows in buffers and in textures are not multiplied", async (gpu) => {
  const [plain, textured] = [VARIANTS[0], VARIANTS.find(({ operands }) => operands === "texture")];
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 2), { variant: plain });
  using others = await uploadRows(gpu, LAYOUT, drawRows(1, 2), { variant: textured });
  await assert.rejects(computeGram(rows, others), RangeError);
});

testGpu("the kernel of 65 rows with 131 others agrees with its twin exactly", async (gpu) => {
  const [left, right] = [drawTies(1, 65), drawTies(2, 131)];
  using rows = await uploadRows(gpu, LAYOUT, left, { blockRows: 64 });
  using columns = await uploadRows(gpu, LAYOUT, right, { blockRows: 128 });
  const matrix = await computeGram(rows, columns);
  assert.deepEqual(Float64Array.from(matrix), gramRows(left, right, LAYOUT.segments).value);
});

testGpu("a tile of padded rows holds no sample twice and none too many", async (gpu) => {
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 131), { blockRows: 64 });
  const seen = new Uint8Array(131 * 131);
  const progress: [number, number][] = [];
  for await (const tile of computeTiles(rows, rows, (...step) => progress.push(step))) {
    for (let i = tile.firstRow; i < tile.firstRow + tile.rowCount; i++) {
      for (let j = tile.firstColumn; j < tile.firstColumn + tile.columnCount; j++) {
        seen[i * 131 + j]++;
        if (tile.mirrored) seen[j * 131 + i]++;
      }
    }
  }
  assert.deepEqual(seen, new Uint8Array(131 * 131).fill(1));
  assert.deepEqual(progress, [1, 2, 3, 4, 5, 6].map((done) => [done, 6]));
});

testGpu("leaving a kernel's tiles half-way frees what they took", async (gpu) => {
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 131), { blockRows: 64 });
  for await (const _ of computeTiles(rows)) break;
});

testGpu("rows of two networks are not multiplied", async (gpu) => {
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 2));
  using others = await uploadRows(gpu, layOut(LAYOUT.length), drawRows(1, 2)); // as long, but laid out otherwise
  await assert.rejects(computeGram(rows, others), RangeError);
  const [first, ...rest] = LAYOUT.segments;
  const layout = { ...LAYOUT, segments: [{ ...first, layer: "another" }, ...rest] };
  using renamed = await uploadRows(gpu, layout, drawRows(1, 2));
  await assert.rejects(computeGram(rows, renamed), {
    name: "RangeError",
    message: /got rows of \d+ numbers of layers .* and rows of \d+ numbers of layers another, /,
  });
});

// Rows against a stored kernel

for (const count of FEW_COUNTS) {
  testGpu(`${count} rows and their stored kernel give the same answers`, async (gpu) => {
    const numbers = drawRows(count, count);
    const labels = Array.from({ length: count }, (_, n) => (n * n) % 3);
    using whole = await uploadRows(gpu, LAYOUT, numbers);
    const kernel = new KernelMatrix(await computeGram(whole), count);
    const options: ClusterOptions[] = [
      { ratio: 0.1 },
      { ratio: 1 },
      { ratio: 0.3, perClass: labels },
      { ratio: 0.4, among: [...labels.keys()].filter((n) => n % 4 === 0) },
    ];
    for (const blockRows of [64, undefined]) {
      using rows = await uploadRows(gpu, LAYOUT, numbers, { blockRows });
      assert.deepEqual(await findRedundant(rows), await findRedundant(kernel));
      for (const sample of [undefined, count - 1]) {
        const thresholds = { threshold: 0.6, epsilon: 0.2, sample };
        const related = await relateSamples(rows, thresholds);
        assert.deepEqual(related, await relateSamples(kernel, thresholds));
        assert.equal(related.partners.length, sample === undefined ? 0 : count - 1);
      }
      for (const wanted of options) {
        assert.deepEqual(await clusterSamples(rows, wanted), await clusterSamples(kernel, wanted));
      }
    }
  });
}

// Against the twins, on kernels full of ties

/** Opens rows in blocks of one panel, the same rows' kernel on the host, and the twin's kernel. */
async function openSources(gpu: Gpu, seed: number, count: number) {
  const numbers = drawTies(seed, count);
  const rows = await uploadRows(gpu, LAYOUT, numbers, { blockRows: 64 });
  const kappa = gramRows(numbers, numbers, LAYOUT.segments).value;
  const matrix = new KernelMatrix(await computeGram(rows), count);
  return {
    kappa,
    sources: [rows, matrix, new KernelMatrix(kappa, count)],
    [Symbol.dispose]: () => rows.dispose(),
  };
}

/** Finds the largest of `clusters`, the older on a tie. */
function findHead({ assignment }: Clusters, clusters: readonly number[]): number {
  const sizes = clusters.map((cluster) => assignment.filter((own) => own === cluster).length);
  return clusters[sizes.indexOf(Math.max(...sizes))];
}

for (const count of FEW_COUNTS) {
  testGpu(`redundancy and relations of ${count} samples agree with the twins`, async (gpu) => {
    using opened = await openSources(gpu, count, count);
    const { kappa, sources } = opened;
    const thresholds = { threshold: 0.5, tolerance: 0.1 };
    const expected = relatePairs(kappa, count, thresholds);
    const sample = count >> 1;
    for (const source of sources) {
      assert.deepEqual(await findRedundant(source), redundant(kappa, count));
      const later = await findRedundant(source, { rule: "later" });
      assert.deepEqual(later, redundant(kappa, count, "later"));
      const { counts, partners } = await relateSamples(source, { sample });
      assert.deepEqual(counts, expected.counts);
      assert.deepEqual(
        partners.map((partner) => partner.sample).sort((a, b) => a - b),
        [...Array(count).keys()].filter((n) => n !== sample),
      );
      for (const [i, { sample: other, relation, similarity }] of partners.entries()) {
        assert.equal(similarity, kappa[sample * count + other]);
        const code = relation === "interchangeable" ? 1 : relation === "contradictory" ? -1 : 0;
        assert.equal(code, expected.codes[sample * count + other]);
        const next = partners[i + 1];
        const isOrdered = !next || similarity > next.similarity ||
          (similarity === next.similarity && other < next.sample);
        assert.ok(isOrdered, `partner ${i} is out of order`);
      }
    }
  });

  for (const ratio of [0.001, 0.07, 0.5, 1]) {
    testGpu(`${count} samples cluster as the twin says at ratio ${ratio}`, async (gpu) => {
      using opened = await openSources(gpu, count + 1, count);
      const { kappa, sources } = opened;
      const twin = farthestPointClusters(kappa, count, centroidCount(ratio, count));
      const heads = [findHead(twin, [...twin.centroids.keys()])];
      for (const source of sources) {
        assert.deepEqual(await clusterSamples(source, { ratio }), { ...twin, heads });
      }
    });
  }

  testGpu(`${count} samples cluster per class as the twin says`, async (gpu) => {
    using opened = await openSources(gpu, count + 2, count);
    const { kappa, sources } = opened;
    const labels = Array.from({ length: count }, (_, n) => [7, 2, 7, 40, 2, 7][n % 6]);
    const perClass = [...new Set(labels)].sort((a, b) => a - b);
    for (const ratio of [0.07, 0.5, 1]) {
      const twin = farthestPointClustersPerClass(kappa, labels, ratio);
      const heads = perClass.map((label) => {
        const own = [...twin.centroids.keys()].filter((c) => labels[twin.centroids[c]] === label);
        return findHead(twin, own);
      });
      for (const source of sources) {
        const clusters = await clusterSamples(source, { ratio, perClass: labels });
        assert.deepEqual(clusters, { ...twin, heads });
      }
    }
  });

  testGpu(`some of ${count} samples cluster as if there were no others`, async (gpu) => {
    using opened = await openSources(gpu, count + 3, count);
    const { kappa, sources } = opened;
    const among = [...Array(count).keys()].filter((n) => n % 3 === 0);
    const own = among.flatMap((i) => among.map((j) => kappa[i * count + j]));
    const twin = farthestPointClusters(own, among.length, centroidCount(0.3, among.length));
    const assignment = new Int32Array(count).fill(-1);
    among.forEach((sample, i) => assignment[sample] = twin.assignment[i]);
    for (const source of sources) {
      const clusters = await clusterSamples(source, { ratio: 0.3, among: among.toReversed() });
      assert.deepEqual(clusters.centroids, twin.centroids.map((centroid) => among[centroid]));
      assert.deepEqual(clusters.assignment, assignment);
      assert.equal(countMembers(clusters).reduce((sum, size) => sum + size), among.length);
    }
  });
}

testGpu(
  "samples that are all alike cluster round the first ones, the older cluster first",
  async (gpu) => {
    using rows = await uploadRows(gpu, LAYOUT, Array(70).fill(drawTies(1, 1)[0]), {
      blockRows: 64,
    });
    const { centroids, assignment, heads } = await clusterSamples(rows, { ratio: 0.05 });
    assert.deepEqual([...centroids], [0, 1, 2]);
    assert.deepEqual([...assignment], [0, 1, 2, ...Array(67).fill(0)]);
    assert.deepEqual(heads, [0]);
  },
);

// Classes

for (const count of FEW_COUNTS) {
  testGpu(
    `mean similarities of ${count} rows to each class are exact, from tiles of any size and a stored kernel`,
    async (gpu) => {
      const numbers = drawTies(count, count);
      const labels = numbers.map((_, n) => n * n % 5 % 3); // 0 and 1; nothing has label 2
      const kappa = gramRows(numbers, numbers, LAYOUT.segments).value;
      const expected = classMeans(kappa, count, labels, 3);
      for (const blockRows of [64, 256]) {
        using rows = await uploadRows(gpu, LAYOUT, numbers, { blockRows });
        assert.deepEqual([...await computeClassSimilarity(rows, labels, 3)], expected);
      }
      const stored = new KernelMatrix(Float64Array.from(kappa), count);
      assert.deepEqual([...await computeClassSimilarity(stored, labels, 3)], expected);
    },
  );
}

testGpu(
  "65 rows are averaged over the classes of 131 others, which leave none out",
  async (gpu) => {
    const [left, right] = [drawTies(1, 65), drawTies(2, 131)];
    using rows = await uploadRows(gpu, LAYOUT, left, { blockRows: 64 });
    using columns = await uploadRows(gpu, LAYOUT, right, { blockRows: 128 });
    const labels = right.map((_, n) => n % 3);
    const kappa = gramRows(left, right, LAYOUT.segments).value;
    assert.deepEqual(
      [...await computeClassSimilarity(rows, labels, 3, { columns })],
      classMeans(kappa, 65, labels, 3, () => false),
    );
    for (const wrong of [labels.slice(1), labels.with(7, 3), labels.with(7, -1)]) {
      await assert.rejects(computeClassSimilarity(rows, wrong, 3, { columns }), DataError);
    }
  },
);

// Refusals

testGpu("a projection that is not finite is named wherever it stands in a row", async (gpu) => {
  for (const [sample, place, value] of [[64, 0, NaN], [2, 6, Infinity], [69, 14, NaN]] as const) {
    const numbers = drawRows(1, 70);
    numbers[sample][place] = value;
    using rows = await uploadRows(gpu, LAYOUT, numbers, { blockRows: 64 });
    for (
      const analyse of [
        () => computeSelfSimilarity(rows),
        () => findRedundant(rows),
        () => relateSamples(rows),
        () => clusterSamples(rows, { ratio: 0.1 }),
      ]
    ) {
      await assert.rejects(
        analyse,
        (error) => error instanceof NonFiniteError && error.message.includes(`sample ${sample},`),
      );
    }
  }
});

testGpu("options out of range are refused, from rows and from a stored kernel", async (gpu) => {
  using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 5));
  for (const source of [rows, new KernelMatrix(await computeGram(rows), 5)]) {
    for (
      const options of [
        { ratio: 0 },
        { ratio: 1.1 },
        { ratio: NaN },
        { ratio: 0.5, perClass: [0, 1, 0] },
        { ratio: 0.5, among: [] },
        { ratio: 0.5, among: [0, 5] },
        { ratio: 0.5, among: [-1, 2] },
      ]
    ) {
      await assert.rejects(
        clusterSamples(source, options),
        RangeError,
        `${options.among ?? options.ratio}`,
      );
    }
    for (
      const options of [
        { threshold: 0.4 },
        { threshold: 1.1 },
        { threshold: NaN },
        { epsilon: -0.1 },
        { epsilon: 0.5 },
        { sample: 5 },
        { sample: -1 },
        { sample: 0.5 },
      ]
    ) await assert.rejects(relateSamples(source, options), RangeError, JSON.stringify(options));
  }
});

testGpu(
  "indices that come twice, or are no whole numbers, are no samples to cluster",
  async (gpu) => {
    using rows = await uploadRows(gpu, LAYOUT, drawRows(1, 5));
    for (const among of [[1, 2, 1], [0.5], [NaN]]) {
      for (const source of [rows, new KernelMatrix(await computeGram(rows), 5)]) {
        await assert.rejects(clusterSamples(source, { ratio: 0.5, among }), RangeError, `${among}`);
      }
    }
  },
);

Deno.test("a kernel matrix must be square, finite and symmetric", () => {
  assert.throws(() => new KernelMatrix(new Float32Array(6), 2), DataError);
  assert.throws(() => new KernelMatrix(new Float32Array(0), 0), DataError);
  assert.throws(() => new KernelMatrix(Float32Array.of(1, NaN, NaN, 1), 2), {
    name: "NonFiniteError",
    message: /\[0, 1\]/,
  });
  assert.throws(() => new KernelMatrix(Float32Array.of(1, 0.5, 0.4, 1), 2), {
    name: "DataError",
    message: /\[1, 0\].*\[0, 1\]/,
  });
  new KernelMatrix(Float32Array.of(1, 0.5, 0.50001, 1), 2); // another program's rounding
  assert.throws(() => new KernelMatrix(Float64Array.of(1, 0, 0, -1e-9), 2), {
    name: "DataError",
    message: /got -1e-9 at \[1, 1\], need a diagonal of at least 0/,
  });
  for (const values of [[1, 0, 0, 1], Int32Array.of(1, 0, 0, 1), new Float16Array(4)]) {
    assert.throws(() => new KernelMatrix(values as never, 2), TypeError);
  }
});
