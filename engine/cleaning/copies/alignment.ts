/**
 * Pictures laid on one another: shifted, and brighter or darker, until they fit best.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";

/** How well a picture fits another. */
export interface Fit {
  /** Correlation of their pixels where they overlap, at most 1. */
  readonly correlation: number;
  /** What is left once the one is made as bright and as rich in contrast as the other: the root of its mean square, in the data's units. */
  readonly residual: number;
  /** Contrast of the picture with less of it by that of the other, at most 1. */
  readonly contrast: number;
}

const NO_FIT: Fit = { correlation: 0, residual: Infinity, contrast: 0 };

/** Least correlation at the first shift that is tried at which neighbouring shifts are worth trying. */
const WORTH_TRYING = 0.5;

/** Neighbouring shifts. */
const STEPS = [[0, 1], [1, 0], [0, -1], [-1, 0], [1, 1], [1, -1], [-1, 1], [-1, -1]] as const;

/** Pictures of a data set that are laid on one another. It holds the sums of their rows and columns, `8 * N * (H + W)` bytes. */
export class Alignment {
  readonly #images: ArrayLike<number>;
  readonly #shape: Dataset["shape"];
  /** Sums of each picture's rows, `[N, H]`, and columns, `[N, W]`. */
  readonly #rows: Float64Array;
  readonly #columns: Float64Array;
  /** Largest shift up and down, and left and right: an eighth of the side. */
  readonly #reach: readonly [number, number];

  constructor({ images, shape, labels }: Dataset) {
    this.#images = images;
    this.#shape = shape;
    const [height, width, channels] = shape;
    this.#reach = [Math.floor(height / 8), Math.floor(width / 8)];
    this.#rows = new Float64Array(labels.length * height);
    this.#columns = new Float64Array(labels.length * width);
    let at = 0;
    for (let n = 0; n < labels.length; n++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < channels; c++, at++) {
            this.#rows[n * height + y] += images[at];
            this.#columns[n * width + x] += images[at];
          }
        }
      }
    }
  }

  /**
   * Fits a picture to another by a shift of at most an eighth of each side, without what is beyond their edges, and by brightness and contrast, which are
   * the same for all channels. The shift is sought where the sums of rows and columns agree best, and then step by step.
   */
  fit(first: number, second: number): Fit {
    const [height, width] = this.#shape;
    const [down, right] = this.#reach;
    let at = [
      findShift(take(this.#rows, first, height), take(this.#rows, second, height), down),
      findShift(take(this.#columns, first, width), take(this.#columns, second, width), right),
    ];
    let best = this.#fitAt(first, second, at[0], at[1]);
    const still = this.#fitAt(first, second, 0, 0);
    if (still.correlation >= best.correlation) [best, at] = [still, [0, 0]];
    if (best.correlation < WORTH_TRYING) return best;
    for (let improves = true; improves;) {
      improves = false;
      const [y, x] = at;
      for (const [dy, dx] of STEPS) {
        if (Math.abs(y + dy) > down || Math.abs(x + dx) > right) continue;
        const fit = this.#fitAt(first, second, y + dy, x + dx);
        if (fit.correlation > best.correlation) {
          [best, at, improves] = [fit, [y + dy, x + dx], true];
        }
      }
    }
    return best;
  }

  /** Fits a picture to another at a shift: row `y + down` of the first lies on row `y` of the second. */
  #fitAt(first: number, second: number, down: number, right: number): Fit {
    const images = this.#images;
    const [height, width, channels] = this.#shape;
    const size = height * width * channels;
    const lineLength = (width - Math.abs(right)) * channels;
    let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
    for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
      const from = first * size + ((y + down) * width + Math.max(0, right)) * channels;
      const to = second * size + (y * width + Math.max(0, -right)) * channels;
      for (let i = 0; i < lineLength; i++) {
        const p = images[from + i];
        const q = images[to + i];
        a += p;
        b += q;
        aa += p * p;
        bb += q * q;
        ab += p * q;
      }
    }
    const count = lineLength * (height - Math.abs(down));
    return toFit(count, a, b, aa, bb, ab);
  }
}

/** Makes a fit of sums over pairs of pixels. */
function toFit(n: number, a: number, b: number, aa: number, bb: number, ab: number): Fit {
  const [p, q] = [aa - a * a / n, bb - b * b / n];
  // of pictures without content rounding alone is left
  if (!(p > 1e-9 * aa && q > 1e-9 * bb)) return NO_FIT;
  const correlation = Math.min(1, (ab - a * b / n) / Math.sqrt(p * q));
  return {
    correlation,
    residual: Math.sqrt(Math.max(p, q) / n * (1 - correlation ** 2)),
    contrast: Math.sqrt(Math.min(p, q) / Math.max(p, q)),
  };
}

/** Finds the shift at which two lists of sums correlate most, the smallest on a tie: element `i + shift` of the first lies on `i` of the second. */
function findShift(first: Float64Array, second: Float64Array, reach: number): number {
  let [best, most] = [0, -Infinity];
  for (let distance = 0; distance <= reach; distance++) {
    for (const shift of distance ? [distance, -distance] : [0]) {
      let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
      const end = Math.min(first.length, first.length - shift);
      const start = Math.max(0, -shift);
      for (let i = start; i < end; i++) {
        const p = first[i + shift];
        const q = second[i];
        a += p;
        b += q;
        aa += p * p;
        bb += q * q;
        ab += p * q;
      }
      const { correlation } = toFit(end - start, a, b, aa, bb, ab);
      if (correlation > most) [best, most] = [shift, correlation];
    }
  }
  return best;
}

function take(sums: Float64Array, sample: number, length: number): Float64Array {
  return sums.subarray(sample * length, (sample + 1) * length);
}
