/**
 * What makes a sample a near copy of another: of pictures, and of rows of a table.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import { countElements } from "../../formats/shape.ts";
import { Alignment, type Fit } from "./alignment.ts";
import { saveAsJpeg } from "./jpeg.ts";
import { computeSpectra } from "./spectrum.ts";
import { scaleToOne, standardise } from "../vectors.ts";

/** Whether samples are compared as rows: those of a table, and pictures that are too small to be shifted or saved as JPEG, with a side below 8 pixels. */
export function areComparedAsRows({ shape: [height, width] }: Dataset): boolean {
  return Math.min(height, width) < 8;
}

/** Comparison of samples, by their indices in the list that it was made with. */
export interface Comparison {
  /** Computes vectors whose inner products are largest between copies, `[N, D]` f32; yields how many are done. */
  describe(): Generator<number, Float32Array<ArrayBuffer>>;
  /** Measures how far apart neighbours of this data set are, given the nearest samples of each, `[N, size]`. */
  calibrate(nearest: Int32Array, size: number): void;
  /**
   * Compares two samples.
   *
   * @param slack how many times as much may be left between them as between copies
   * @returns their similarity if they are copies, at most 1
   */
  compare(first: number, second: number, slack: number): number | undefined;
  /** Measures how similar two samples are, whether they are copies or not. */
  measure(first: number, second: number): number;
}

/** Quality of JPEG that a near copy may have been saved with. */
const QUALITY = 60;

/**
 * What may be left between a picture and its copy, as a multiple of what JPEG leaves of it. Measured on CIFAR-10 and MNIST: at most 1.07 of copies that
 * were saved at that quality, 0.7 of those that are 18 levels brighter or darker and clipped, up to 1.7 but for 1 of 200 below 1.5 if these were
 * saved again, 0 of those that were only shifted; from 3.4 on of the closest digits of 750, from 10 on of 600 pictures of CIFAR-10.
 */
const PICTURE_BOUND = 1.5;

/**
 * What may be left between a picture and its copy, as a share of the median of what is left between different pictures that are nearest to one another.
 * Of small pictures JPEG leaves as much as sets different ones apart: 340 of 2,400 such pairs of digits of 8 x 8 pixels are within it. Measured: at most
 * 0.16 of planted copies among MNIST and CIFAR-10, from 0.18 on of those digits, and from 0.7 on of one picture with other noise.
 */
const NEIGHBOUR_BOUND = 0.2;

/** Most pictures whose nearest ones that median is taken of. */
const MOST_CALIBRATED = 1000;

/** Least square of the correlation with a copy: pictures with less in common are not known to be of the same thing, however little is left. */
const LEAST_SHARE = 0.75;

/** Least contrast of a copy, as a share of that of its original. */
const LEAST_CONTRAST = 2 / 3;

/** Compares pictures: they are copies if what is left once they are aligned is no more than what JPEG may have left, and far less than between different ones. */
export function comparePictures(data: Dataset, positions: Int32Array): Comparison {
  const size = countElements(data.shape);
  const { least, scale } = measureLevels(data.images);
  const alignment = new Alignment(data);
  const losses = new Map<number, number>();
  const lossOf = (n: number) => {
    const known = losses.get(n);
    if (known !== undefined) return known;
    const pixels = data.images.subarray(positions[n] * size, (positions[n] + 1) * size);
    const picture = Float64Array.from(pixels, (pixel) => (pixel - least) * scale);
    const saved = saveAsJpeg(picture, data.shape, QUALITY);
    const squares = picture.reduce((sum, level, i) => sum + (level - saved[i]) ** 2, 0);
    // levels are rounded to integers, too
    const loss = Math.max(1, Math.sqrt(squares / size));
    losses.set(n, loss);
    return loss;
  };
  let bound = Infinity;
  /** Whether two pictures have enough in common, and what is left between them is no more than JPEG may have left. */
  const isAlike = (first: number, second: number, fit: Fit, slack: number): boolean => {
    const { correlation, contrast } = fit;
    if (!(correlation > 0 && correlation ** 2 >= LEAST_SHARE && contrast >= LEAST_CONTRAST)) {
      return false;
    }
    const residual = fit.residual * scale / (slack * PICTURE_BOUND);
    return residual <= 1 || residual <= lossOf(first) || residual <= lossOf(second);
  };
  return {
    describe: () => computeSpectra(data, positions),
    calibrate(nearest, neighbours) {
      const residuals: number[] = [];
      const stride = Math.ceil(positions.length / MOST_CALIBRATED);
      for (let n = 0; n < positions.length; n += stride) {
        for (const other of nearest.subarray(n * neighbours, (n + 1) * neighbours)) {
          const fit = alignment.fit(positions[n], positions[other]);
          if (fit.residual < Infinity && !isAlike(n, other, fit, 1)) residuals.push(fit.residual);
        }
      }
      residuals.sort((a, b) => a - b);
      // where no pictures are different, nothing is known of what sets them apart
      bound = NEIGHBOUR_BOUND * (residuals[residuals.length >> 1] ?? Infinity);
    },
    compare(first, second, slack) {
      const fit = alignment.fit(positions[first], positions[second]);
      const isCopy = fit.residual <= slack * bound && isAlike(first, second, fit, slack);
      return isCopy ? fit.correlation : undefined;
    },
    measure: (first, second) => alignment.fit(positions[first], positions[second]).correlation,
  };
}

/** Measures the grey levels of a data set: the least number, and the scale by which all of them go from 0 to 255. */
function measureLevels(images: ArrayLike<number>): { least: number; scale: number } {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < images.length; i++) {
    if (images[i] < least) least = images[i];
    if (images[i] > most) most = images[i];
  }
  return { least, scale: most > least ? 255 / (most - least) : 1 };
}

/** What may be left between a row and its copy, as a share of the median distance between nearest rows. */
const ROW_BOUND = 0.05;

/** Least number of columns: in fewer dimensions chance brings rows together. */
const LEAST_COLUMNS = 3;

/**
 * Compares rows: they are copies if they are far closer than the nearest rows of this data set usually are, and so close that chance is expected to
 * bring fewer than one pair together, of N rows that are evenly scattered around one another in D dimensions.
 */
export function compareRows(data: Dataset, positions: Int32Array): Comparison {
  const size = countElements(data.shape);
  const rows = new Float32Array(positions.length * size);
  let bound = 0;
  const measureDistance = (first: number, second: number) => {
    let squares = 0;
    for (let k = 0; k < size; k++) {
      squares += (rows[first * size + k] - rows[second * size + k]) ** 2;
    }
    return Math.sqrt(squares / size);
  };
  return {
    *describe() {
      for (const [n, position] of positions.entries()) {
        rows.set(data.images.subarray(position * size, (position + 1) * size), n * size);
        yield n + 1;
      }
      standardise(rows, size);
      const directions = rows.slice();
      for (let n = 0; n < positions.length; n++) {
        scaleToOne(directions.subarray(n * size, (n + 1) * size));
      }
      return directions;
    },
    calibrate(nearest, neighbours) {
      const distances = Float64Array.from(
        positions,
        (_, n) =>
          Math.min(
            ...nearest.subarray(n * neighbours, (n + 1) * neighbours)
              .values().map((other) => measureDistance(n, other)),
          ),
      ).sort();
      const median = distances[Math.floor(distances.length / 2)];
      bound = size < LEAST_COLUMNS
        ? 0
        : median * Math.min(ROW_BOUND, positions.length ** (-1 / size));
    },
    compare(first, second, slack) {
      const distance = measureDistance(first, second);
      return distance <= slack * bound ? 1 - distance ** 2 / 2 : undefined;
    },
    measure: (first, second) => 1 - measureDistance(first, second) ** 2 / 2,
  };
}
