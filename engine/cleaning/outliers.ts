/**
 * Samples that resemble no other: foreign pictures, noise, blanks.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Engine } from "../engine.ts";
import { type CallOptions, interruptWith } from "../gpu/pace.ts";
import { refuseSurplus } from "../options.ts";
import { checkSampleRows, type Rows } from "../rows/rows.ts";
import { findNearest, type Nearest } from "../samples/nearest.ts";
import { areComparedAsRows } from "./copies/comparison.ts";
import { scaleToOne } from "./vectors.ts";

/** How strange each sample is. */
export interface Outliers {
  /** Standard deviations by which a sample's neighbours are farther than usual, `[N]` f64; higher is stranger. */
  readonly scores: Float64Array<ArrayBuffer>;
  /** 1 where the score is above 3, `[N]` u8. */
  readonly flags: Uint8Array<ArrayBuffer>;
  /** Class that the sample resembles most, `[N]` i32: that with the largest sum of cosines among its nearest samples. */
  readonly nearestClasses: Int32Array<ArrayBuffer>;
  /** Mean cosine of the kernel to the nearest samples, `[N]` f64. */
  readonly similarities: Float64Array<ArrayBuffer>;
}

/** Number of nearest samples that speak for a sample. */
const NEIGHBOURS = 10;

/** Score above which a sample is flagged; of normally distributed numbers 1.3 of 1,000 are above it. */
const LIMIT = 3;

/** Side of the thumbnails that pictures are compared by, in pixels. */
const THUMBNAIL = 8;

/** Largest cosine that differs from 1. */
const NEARLY_ONE = 1 - 1e-6;

/**
 * Finds samples that resemble no other: whose 10 nearest samples are unusually far, by the kernel or by thumbnails of the pictures. The mean cosine to
 * them is made comparable by Fisher's transform, `atanh`, under which it is about normally distributed, and by the median and the median absolute
 * deviation, which the outliers themselves do not move. The score is the larger of the two; a table's rows are judged by the kernel alone.
 *
 * Of pictures that all belong together, 700 or 5,000 of MNIST or CIFAR-10, at most 4 of 10,000 are flagged by their thumbnails, and 1 of
 * 100 by a kernel whose network has learnt little. Blank pictures, noise and stripes stand out in either data set, CIFAR's pictures among
 * digits, too; digits among CIFAR's pictures do not.
 *
 * Costs the kernel's matrix and one of rows of at most `64 * C` numbers, tile by tile and never stored.
 *
 * @param rows rows of the data set that were projected with `normalise: true`
 * @throws {TypeError} if the rows are none, or an option is unknown.
 * @throws {RangeError} if the rows are not normalised, or not one for each sample, or there are fewer than 2.
 */
export async function findOutliers(
  engine: Engine,
  rows: Rows,
  data: Dataset,
  options: CallOptions = {},
): Promise<Outliers> {
  refuseSurplus("find outliers", arguments, 4);
  const report = interruptWith("find outliers", options);
  checkSampleRows("find outliers", rows);
  const count = data.labels.length;
  if (!rows.projection.isNormalised) {
    throw new RangeError(
      "Cannot find outliers: got rows of other lengths than 1, need cosines; project with normalise: true",
    );
  }
  if (rows.count !== count || count < 2) {
    throw new RangeError(
      `Cannot find outliers: got ${rows.count} rows for ${count} samples, need one for each, of at least 2`,
    );
  }
  const size = Math.min(NEIGHBOURS, count - 1);
  const hasPictures = !areComparedAsRows(data);
  const passes = hasPictures ? 2 : 1;
  const pass = (index: number): CallOptions => ({
    onProgress: (done, total) => report?.(index * total + done, passes * total),
  });
  const nearest = await findNearest(rows, size, pass(0));
  const similarities = averageRows(nearest);
  let scores = measureDeviations(similarities);
  if (hasPictures) {
    using thumbnails = await engine.pack(drawThumbnails(data), count);
    const byEye = measureDeviations(averageRows(await findNearest(thumbnails, size, pass(1))));
    scores = scores.map((score, n) => Math.max(score, byEye[n]));
  }
  return {
    scores,
    flags: Uint8Array.from(scores, (score) => Number(score > LIMIT)),
    nearestClasses: voteForClasses(nearest, data),
    similarities,
  };
}

/** Averages each sample's similarity to its nearest ones, `[N]`. */
function averageRows({ similarities, size }: Nearest): Float64Array<ArrayBuffer> {
  const means = new Float64Array(similarities.length / size);
  similarities.forEach((similarity, i) => means[Math.floor(i / size)] += similarity / size);
  return means;
}

/** Measures how far below the median each cosine is, in standard deviations of what Fisher's transform makes of them. */
function measureDeviations(cosines: Float64Array): Float64Array<ArrayBuffer> {
  const distances = cosines.map((cosine) =>
    -Math.atanh(Math.min(NEARLY_ONE, Math.max(-NEARLY_ONE, cosine)))
  );
  const median = takeMedian(distances);
  // of a normal distribution, half is within this share of a standard deviation
  const deviation = takeMedian(distances.map((value) => Math.abs(value - median))) / 0.6745;
  return distances.map((value) => (value - median) / Math.max(deviation, 1e-6));
}

function takeMedian(values: Float64Array): number {
  return values.toSorted()[Math.floor(values.length / 2)];
}

/** Sums the cosines of the nearest samples by their classes, and takes the class with the largest sum, the lower on a tie. */
function voteForClasses(
  { samples, similarities, size }: Nearest,
  { labels }: Dataset,
): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: labels.length }, (_, n) => {
    const votes = new Map<number, number>();
    for (let i = n * size; i < (n + 1) * size; i++) {
      const label = labels[samples[i]];
      votes.set(label, (votes.get(label) ?? 0) + similarities[i]);
    }
    const [[best]] = [...votes].sort(([a, p], [b, q]) => q - p || a - b);
    return best;
  });
}

/** Shrinks pictures to at most 8 x 8, by averages, and makes them directions: without their mean, of length 1, or 0 where they are constant. */
export function drawThumbnails(
  { images, labels, shape: [height, width, channels] }: Dataset,
): Float32Array<ArrayBuffer> {
  const [rows, columns] = [height, width].map((side) => Math.min(side, THUMBNAIL));
  const length = rows * columns * channels;
  const thumbnails = new Float32Array(labels.length * length);
  const sums = new Float64Array(length);
  const pixels = new Int32Array(length);
  for (let n = 0; n < labels.length; n++) {
    sums.fill(0);
    pixels.fill(0);
    let at = n * height * width * channels;
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y * rows / height) * columns;
      for (let x = 0; x < width; x++) {
        const cell = (row + Math.floor(x * columns / width)) * channels;
        for (let c = 0; c < channels; c++, at++) {
          sums[cell + c] += images[at];
          pixels[cell + c]++;
        }
      }
    }
    const own = thumbnails.subarray(n * length, (n + 1) * length);
    const means = sums.map((sum, i) => sum / pixels[i]);
    // exact for a constant picture, as sums of f32 are in f64: it becomes 0
    const mean = means.reduce((sum, value) => sum + value, 0) / length;
    own.set(means.map((value) => value - mean));
    scaleToOne(own);
  }
  return thumbnails;
}
