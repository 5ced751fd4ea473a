/** Outliers: scores against a float64 twin, and pictures that belong to no class. @module */
import assert from "node:assert/strict";
import { mapClasses } from "../../../engine/cleaning/class_map.ts";
import { drawThumbnails, findOutliers } from "../../../engine/cleaning/outliers.ts";
import { createDataset, type Dataset } from "../../../engine/data/dataset.ts";
import { drawDigits } from "../../../engine/data/digits.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import { mlp } from "../../../engine/network/models.ts";
import { classMeans, nearestSamples } from "../../../engine/reference/relations.ts";
import { drawNumbers } from "../gpu/open.ts";
import { testEngine } from "../open_engine.ts";

/** Draws noise, in bytes. */
function drawNoise(seed: number, size: number): Uint8Array {
  return Uint8Array.from(drawNumbers(seed, size), (value) => 127.5 + 127.5 * value);
}

/** Adds pictures of label 0 to a data set. */
function extend(data: Dataset, pictures: readonly Uint8Array[]): Dataset {
  const images = new Uint8Array(data.images.length + pictures.length * pictures[0].length);
  images.set(data.images);
  pictures.forEach((picture, k) => images.set(picture, data.images.length + k * picture.length));
  return createDataset({ ...data, images, labels: [...data.labels, ...pictures.map(() => 0)] });
}

/** Thumbnails pixel by pixel: each takes the pixels whose share of the side falls to it. */
function shrink({ images, labels, shape: [height, width, channels] }: Dataset): number[][] {
  const [rows, columns] = [Math.min(height, 8), Math.min(width, 8)];
  return Array.from(labels, (_, n) => {
    const means: number[] = [];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let c = 0; c < channels; c++) {
          const own: number[] = [];
          for (let y = Math.ceil(row * height / rows); y < (row + 1) * height / rows; y++) {
            for (
              let x = Math.ceil(column * width / columns);
              x < (column + 1) * width / columns;
              x++
            ) {
              own.push(images[((n * height + y) * width + x) * channels + c]);
            }
          }
          means.push(own.reduce((a, b) => a + b) / own.length);
        }
      }
    }
    const mean = means.reduce((a, b) => a + b) / means.length;
    const norm = Math.hypot(...means.map((value) => value - mean));
    return means.map((value) => norm > 1e-9 ? (value - mean) / norm : 0);
  });
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, k) => sum + value * b[k], 0);
}

/** Scores of a matrix of cosines, `[N]`, and how much they may be off where each cosine may be by `error`. */
function scoreTwin(cosines: ArrayLike<number>, count: number, size: number, error: number) {
  const means = nearestSamples(cosines, count, size).map((others, i) =>
    others.reduce((sum, j) => sum + cosines[i * count + j], 0) / size
  );
  const values = means.map((mean) => -Math.atanh(Math.min(1 - 1e-6, mean)));
  const middle = (list: readonly number[]) =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
  const median = middle(values);
  const deviation = middle(values.map((value) => Math.abs(value - median))) / 0.6745;
  // the slope of atanh; a median is off by no more than the worst of its numbers
  const off = Math.max(...means.map((mean) => error / (1 - mean * mean)));
  return values.map((value) => {
    const score = (value - median) / deviation;
    return { score, bound: (2 * off + 3 * off * Math.abs(score)) / deviation };
  });
}

for (
  const [height, width, channels, count] of [[8, 8, 1, 40], [13, 9, 3, 65], [28, 28, 1, 11], [
    30,
    17,
    2,
    64,
  ]]
) {
  testEngine(
    `scores of ${count} pictures of ${height} x ${width} x ${channels} are those of the twin`,
    async (engine) => {
      const shape = [height, width, channels] as const;
      const labels = Array.from({ length: count }, (_, n) => n % 4);
      // brighter to one side by its label, so that some are nearer than others
      const images = drawNoise(count, count * height * width * channels).map((level, i) => {
        const n = Math.floor(i / (height * width * channels));
        return level / 2 + (i % (width * channels) < width * channels / 2 ? 30 * labels[n] : 0);
      });
      const data = createDataset({
        name: "noise",
        split: "train",
        images,
        labels,
        shape,
        classes: 4,
      });
      using network = engine.network(mlp, { seed: 1, classes: 4 }, shape);
      using rows = await engine.project(network, data, { normalise: true });
      const found = await findOutliers(engine, rows, data);
      const size = Math.min(10, count - 1);
      const gram = await computeGram(rows);
      const thumbnails = shrink(data);
      // the same kernel bits on both sides; its mean is of f64
      const byKernel = scoreTwin(gram, count, size, 2 ** -45);
      // unit vectors of D numbers, each rounded, in a sum of D products
      const length = thumbnails[0].length;
      const byEye = scoreTwin(
        thumbnails.flatMap((a) => thumbnails.map((b) => dot(a, b))),
        count,
        size,
        (length + 4) * 2 ** -24,
      );
      const nearest = nearestSamples(gram, count, size);
      for (let n = 0; n < count; n++) {
        const expected = Math.max(byKernel[n].score, byEye[n].score);
        const bound = Math.max(byKernel[n].bound, byEye[n].bound);
        assert.ok(
          Math.abs(found.scores[n] - expected) <= bound,
          `${n}: ${found.scores[n]}, ${expected}`,
        );
        assert.equal(found.flags[n], Number(found.scores[n] > 3));
        const votes = [0, 1, 2, 3].map((label) =>
          nearest[n].filter((other) => labels[other] === label).reduce(
            (sum, j) => sum + gram[n * count + j],
            0,
          )
        );
        assert.equal(found.nearestClasses[n], votes.indexOf(Math.max(...votes)));
        const mean = nearest[n].reduce((sum, j) => sum + gram[n * count + j], 0) / size;
        assert.ok(Math.abs(found.similarities[n] - mean) <= 2 ** -45);
      }
    },
  );
}

testEngine(
  "noise, stripes, blank and inverted pictures among digits are flagged, hardly any digit is",
  async (engine) => {
    const digits = drawDigits("train", { size: 600, seed: 1000 });
    const foreign = [
      drawNoise(1, 784),
      drawNoise(2, 784),
      new Uint8Array(784),
      new Uint8Array(784).fill(255),
      Uint8Array.from({ length: 784 }, (_, i) => i % 4 < 2 ? 255 : 0),
      Uint8Array.from(digits.images.subarray(0, 784), (level) => 255 - level),
    ];
    const data = extend(digits, foreign);
    using network = engine.network(mlp, { seed: 0, classes: 10 });
    using rows = await engine.project(network, data, { normalise: true });
    const { flags, scores } = await findOutliers(engine, rows, data);
    assert.deepEqual(Array.from(flags.subarray(600)), [1, 1, 1, 1, 1, 1]);
    // 1.3 of 1,000 are expected by either measure; of 600, more than 6 have a chance of 1 in 1,000
    const wrong = flags.subarray(0, 600).reduce((sum, flag) => sum + flag, 0);
    assert.ok(wrong <= 6, `${wrong} digits`);
    assert.ok(scores.every(Number.isFinite));
  },
);

Deno.test("thumbnails are those of the twin, and a constant picture has no direction", () => {
  const images = drawNumbers(3, 3 * 11 * 20 * 2);
  // a constant picture of a number that has no end in binary
  images.fill(0.1, 11 * 20 * 2, 2 * 11 * 20 * 2);
  const data = createDataset({
    name: "noise",
    split: "train",
    images,
    labels: [0, 0, 0],
    shape: [11, 20, 2],
    classes: 1,
  });
  const expected = shrink(data).flat();
  const drawn = drawThumbnails(data);
  assert.equal(drawn.length, expected.length);
  // three roundings to f32 of numbers up to 1
  drawn.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= 3 * 2 ** -24));
  assert.ok(drawn.subarray(128, 256).every((value) => value === 0));
});

testEngine("rows that are no cosines, or of other samples, are refused", async (engine) => {
  const data = drawDigits("train", { size: 3 });
  using network = engine.network(mlp, { seed: 0, classes: 10 });
  using plain = await engine.project(network, data);
  await assert.rejects(findOutliers(engine, plain, data), /project with normalise: true/);
  using rows = await engine.project(network, data, { normalise: true });
  await assert.rejects(
    findOutliers(engine, rows, drawDigits("train", { size: 4 })),
    /got 3 rows for 4/,
  );
});

Deno.test("the map of classes has the mean over pairs, and counts what each sample resembles most", () => {
  const labels = [1, 2, 2, 1, 1, 0]; // class 3 has no sample, class 0 a single one
  const kappa = drawNumbers(7, 36);
  for (let i = 0; i < 6; i++) for (let j = 0; j < i; j++) kappa[i * 6 + j] = kappa[j * 6 + i];
  const bySample = Float64Array.from(classMeans(kappa, 6, labels, 4));
  const { similarity, confusion } = mapClasses(bySample, labels);
  const counts = new Int32Array(16);
  for (let a = 0; a < 4; a++) {
    for (let b = 0; b < 4; b++) {
      let [sum, pairs] = [0, 0];
      for (let i = 0; i < 6; i++) {
        for (let j = 0; j < 6; j++) {
          if (i === j || labels[i] !== a || labels[j] !== b) continue;
          sum += kappa[i * 6 + j];
          pairs++;
        }
      }
      const value = similarity[a * 4 + b];
      if (pairs === 0) assert.ok(Number.isNaN(value));
      else assert.ok(Math.abs(value - sum / pairs) < 1e-12);
    }
  }
  for (let i = 0; i < 6; i++) {
    const row = Array.from(
      bySample.subarray(i * 4, i * 4 + 4),
      (v) => Number.isNaN(v) ? -Infinity : v,
    );
    counts[labels[i] * 4 + row.indexOf(Math.max(...row))]++;
  }
  assert.deepEqual(confusion, counts);
  assert.throws(() => mapClasses(new Float64Array(7), [0, 1]), /as many for each/);
  for (const label of [2, -1, 0.5]) {
    assert.throws(() => mapClasses(new Float64Array(4), [0, label]), {
      name: "RangeError",
      message: `Cannot map classes: got label ${label}, need an integer from 0 to 1`,
    });
  }
});
