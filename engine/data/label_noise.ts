/**
 * Label noise: wrong labels for a known share of the samples.
 *
 * @module
 */
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import { checkNumber } from "../options.ts";
import type { Dataset } from "./dataset.ts";
import { createGenerator, drawPermutation, STREAMS } from "./random.ts";
import { countShare } from "../share.ts";

/** A data set with wrong labels, and the samples that have them. */
export interface NoisyDataset {
  /** The data set with wrong labels; it borrows the images. */
  readonly data: Dataset;
  /** Indices of the samples whose labels are wrong, in increasing order. */
  readonly flipped: Int32Array<ArrayBuffer>;
}

/**
 * Gives wrong labels to a share of the samples, rounded to the nearest number of samples. The samples and their labels, each one of the other
 * classes, are drawn uniformly, and are the same for the same seed.
 *
 * @throws {RangeError} if the share is outside [0, 1], or there is only one class.
 */
export function flipLabels(data: Dataset, share: number, seed = 0): NoisyDataset {
  const { name, classes } = data;
  const isShare = (value: number) => value >= 0 && value <= 1;
  checkNumber(`flip labels of ${name}`, "share", share, isShare, "a number from 0 to 1");
  if (classes < 2) {
    throw new RangeError(`Cannot flip labels of ${name}: got 1 class, need another to flip to`);
  }
  const generator = createGenerator(seed, STREAMS.labelNoise);
  const count = countShare(share, data.labels.length, "nearest");
  const flipped = drawPermutation(generator, data.labels.length).slice(0, count).sort();
  const labels = data.labels.slice();
  for (const sample of flipped) {
    labels[sample] = (labels[sample] + uniformInt(generator, 1, classes - 1)) % classes;
  }
  return { data: { ...data, labels }, flipped };
}
