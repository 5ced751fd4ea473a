/**
 * Random crop and flip, the usual augmentation of CIFAR's images.
 *
 * @module
 */
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { DataError } from "../errors.ts";
import { type Dataset, takeSamples } from "./dataset.ts";
import { allocateLike, isTable } from "./pixels.ts";

/** Zeros that are added on every side before a crop. */
const PAD = 4;

/**
 * Takes the samples of the given indices, copied, each shifted by up to 4 pixels along both axes, with zeros (black pixels) where the image ends, and
 * mirrored left to right with probability 1/2.
 *
 * @param generator random generator, of which each sample takes three numbers
 * @throws {RangeError} when there are no indices, or one is not an integer in 0..N-1
 * @throws {DataError} when the samples are rows of a table
 */
export function cropAndFlip(
  data: Dataset,
  indices: ArrayLike<number>,
  generator: RandomGenerator,
): Dataset {
  const [height, width, channels] = data.shape;
  if (isTable(data.shape)) {
    throw new DataError(
      `Cannot augment ${data.name}: got a table of ${channels} columns, need pictures to shift and mirror; train without augment`,
    );
  }
  const samples = takeSamples(data, indices);
  const moved = allocateLike(samples.images, samples.images.length);
  for (let n = 0; n < indices.length; n++) {
    const down = uniformInt(generator, -PAD, PAD);
    const right = uniformInt(generator, -PAD, PAD);
    const isFlipped = uniformInt(generator, 0, 1) === 1;
    for (let row = Math.max(0, down); row < Math.min(height, height + down); row++) {
      for (let column = Math.max(0, right); column < Math.min(width, width + right); column++) {
        const from = ((n * height + row - down) * width + column - right) * channels;
        const to = (n * height + row) * width + (isFlipped ? width - 1 - column : column);
        moved.set(samples.images.subarray(from, from + channels), to * channels);
      }
    }
  }
  return { ...samples, images: moved };
}

/** Mirrors every picture left to right, copied. */
export function mirror(data: Dataset): Dataset {
  const [, width, channels] = data.shape;
  const images = data.images.slice();
  for (let at = 0; at < images.length; at += channels) {
    const column = at / channels % width;
    const from = at + (width - 1 - 2 * column) * channels;
    for (let channel = 0; channel < channels; channel++) {
      images[at + channel] = data.images[from + channel];
    }
  }
  return { ...data, images };
}
