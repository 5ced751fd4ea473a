/**
 * Numbers that images are made of: bytes of pixels, or floats that a network is given as they are.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import { countElements } from "../formats/shape.ts";
import { findNonFinite } from "./finite_check.ts";

/** Elements of images: u8 from 0 to 255, which stand for 0 to 1, or f32 of any size. */
export type Pixels = Uint8Array | Float32Array;

/** Images with what they are normalised by. */
interface Images {
  readonly name: string;
  readonly images: Pixels;
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Returns whether samples of this shape are no pictures but rows of a table, of which each channel is a column. */
export function isTable([height, width]: Images["shape"]): boolean {
  return height === 1 && width === 1;
}

/** Allocates zeros of the same type. */
export function allocateLike(pixels: Pixels, count: number): Pixels {
  return pixels instanceof Float32Array ? new Float32Array(count) : new Uint8Array(count);
}

/**
 * Normalises elements: `(pixel / 255 - mean) / std` of bytes, `(value - mean) / std` of floats, by channel, rounded once from float64.
 *
 * @param elements elements that begin with a first channel
 * @param result receives as many numbers
 */
export function normaliseElements(
  { mean, std }: Pick<Images, "mean" | "std">,
  elements: Pixels,
  result: Float32Array,
): void {
  const channels = mean.length;
  if (elements instanceof Float32Array) {
    for (let i = 0; i < elements.length; i++) {
      result[i] = (elements[i] - mean[i % channels]) / std[i % channels];
    }
    return;
  }
  const tables = mean.map((mean, channel) =>
    Float32Array.from({ length: 256 }, (_, pixel) => (pixel / 255 - mean) / std[channel])
  );
  for (let i = 0; i < elements.length; i++) result[i] = tables[i % channels][elements[i]];
}

/**
 * Refuses floats that are NaN or infinite.
 *
 * @throws {DataError} if there are any; the message names the sample, and the place within it.
 */
export function checkFinite({ name, images, shape }: Omit<Images, "mean" | "std">): void {
  const bad = images instanceof Float32Array ? findNonFinite(images) : -1;
  if (bad < 0) return;
  const [, width, channels] = shape;
  const size = countElements(shape);
  const [pixel, channel] = [Math.floor(bad % size / channels), bad % channels];
  const place = isTable(shape)
    ? `column ${channel}`
    : `row ${Math.floor(pixel / width)}, column ${pixel % width}, channel ${channel}`;
  throw new DataError(
    `Cannot use data set ${name}: got ${images[bad]} in sample ${
      Math.floor(bad / size)
    } (${place}), need finite numbers; replace it, or leave the sample out`,
  );
}

/**
 * Refuses a mean and std of pixels that are not divided by 255, and those that take normalised pixels beyond float32, as a tiny std does.
 *
 * @throws {DataError} if they are refused.
 */
export function checkNormalised({ name, images, mean, std }: Images): void {
  const isFloat = images instanceof Float32Array;
  const ranges = isFloat ? measureRanges(images, std.length) : std.map(() => [0, 1]);
  for (const [channel, deviation] of std.entries()) {
    if (!isFloat && mean[channel] > 1 && deviation > 1) {
      throw new DataError(
        `Cannot use data set ${name}: got mean ${mean[channel]} and std ${deviation} for channel ` +
          `${channel}, need those of pixels from 0 to 1; divide both by 255`,
      );
    }
    const extremes = ranges[channel].map((value) => (value - mean[channel]) / deviation);
    const bad = extremes.find((pixel) => !Number.isFinite(Math.fround(pixel)));
    if (bad === undefined) continue;
    throw new DataError(
      `Cannot use data set ${name}: got mean ${mean[channel]} and std ${deviation} for channel ` +
        `${channel}, need pixels within float32, got ${bad}`,
    );
  }
}

/** Finds the smallest and the largest value of each channel. */
function measureRanges(images: Float32Array, channels: number): number[][] {
  const smallest = new Float32Array(channels).fill(Infinity);
  const largest = new Float32Array(channels).fill(-Infinity);
  for (let i = 0; i < images.length; i++) {
    const channel = i % channels;
    if (images[i] < smallest[channel]) smallest[channel] = images[i];
    if (images[i] > largest[channel]) largest[channel] = images[i];
  }
  return Array.from(smallest, (value, channel) => [value, largest[channel]]);
}
