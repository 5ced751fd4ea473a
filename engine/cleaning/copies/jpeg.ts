/**
 * What a picture looks like once it has been saved as JPEG: the loss by which a copy that was saved again differs from its original.
 *
 * @module
 */

/** Side of the blocks that JPEG transforms. */
const SIDE = 8;

/** Coefficients of an orthonormal discrete cosine transform, `[frequency, position]`. */
const COSINES = Float64Array.from(
  { length: SIDE * SIDE },
  (_, i) => {
    const [frequency, position] = [Math.floor(i / SIDE), i % SIDE];
    const scale = Math.sqrt((frequency === 0 ? 1 : 2) / SIDE);
    return scale * Math.cos(Math.PI * frequency * (position + 0.5) / SIDE);
  },
);

/** Transpose of the transform, which is its inverse. */
const INVERSE = COSINES.map((_, i) => COSINES[i % SIDE * SIDE + Math.floor(i / SIDE)]);

/** Steps that coefficients are rounded to at quality 50, `[row, column]`: tables K.1 and K.2 of the standard (ITU-T T.81). */
// deno-fmt-ignore
const LUMINANCE = [
  16, 11, 10, 16, 24, 40, 51, 61,
  12, 12, 14, 19, 26, 58, 60, 55,
  14, 13, 16, 24, 40, 57, 69, 56,
  14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77,
  24, 35, 55, 64, 81, 104, 113, 92,
  49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];
// deno-fmt-ignore
const CHROMINANCE = [
  17, 18, 24, 47, 99, 99, 99, 99,
  18, 21, 26, 66, 99, 99, 99, 99,
  24, 26, 56, 99, 99, 99, 99, 99,
  47, 66, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
];

/** Scales a table of steps from quality 50 to one above it, as the Independent JPEG Group's library does, and with it nearly every other. */
function scaleSteps(steps: readonly number[], quality: number): readonly number[] {
  return steps.map((step) => Math.max(1, Math.floor((step * (200 - 2 * quality) + 50) / 100)));
}

/**
 * Saves a picture as JPEG and decodes it again: colour at half the resolution, where there are three channels, and any other number of channels as so
 * many grey pictures. Nothing is coded, since coding loses nothing.
 *
 * @param picture grey levels `[height, width, channels]` from 0 to 255, row-major
 * @param quality 50 to 100
 * @returns the same for the picture that is read again, not rounded to integers
 */
export function saveAsJpeg(
  picture: Float64Array,
  [height, width, channels]: readonly [number, number, number],
  quality: number,
): Float64Array {
  const luminance = scaleSteps(LUMINANCE, quality);
  const takeChannel = (channel: number): Plane => ({
    height,
    width,
    values: Float64Array.from(
      { length: height * width },
      (_, i) => picture[i * channels + channel],
    ),
  });
  const planes = Array.from({ length: channels }, (_, channel) => takeChannel(channel));
  if (channels !== 3) return interleave(planes.map((plane) => quantise(plane, luminance)));
  const chrominance = scaleSteps(CHROMINANCE, quality);
  const [y, blue, red] = mixPlanes(planes, TO_YCC);
  const saved = [blue, red].map((plane) =>
    doublePlane(quantise(halvePlane(plane), chrominance), height, width)
  );
  return interleave(mixPlanes([quantise(y, luminance), ...saved], TO_RGB));
}

/** One channel of a picture, `[height, width]`. */
interface Plane {
  readonly height: number;
  readonly width: number;
  readonly values: Float64Array;
}

/** Weights of red, green and blue in luminance, blue difference and red difference (JFIF), and the inverse; differences are around 0. */
const TO_YCC = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]];
const TO_RGB = [[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]];

function mixPlanes(planes: readonly Plane[], weights: readonly (readonly number[])[]): Plane[] {
  const [a, b, c] = planes.map(({ values }) => values);
  return weights.map(([p, q, r]) => ({
    ...planes[0],
    values: a.map((value, i) => p * value + q * b[i] + r * c[i]),
  }));
}

/** Joins channels into a picture, `[height, width, channels]`, of levels from 0 to 255. */
function interleave(planes: readonly Plane[]): Float64Array {
  const picture = new Float64Array(planes.length * planes[0].values.length);
  for (const [channel, { values }] of planes.entries()) {
    for (let i = 0; i < values.length; i++) {
      picture[i * planes.length + channel] = Math.min(255, Math.max(0, values[i]));
    }
  }
  return picture;
}

/** Averages a plane over squares of 2 x 2, the last row or column twice where their number is odd. */
function halvePlane({ height, width, values }: Plane): Plane {
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const half = new Float64Array(rows * columns);
  for (let i = 0; i < 2 * rows; i++) {
    const row = Math.min(i, height - 1) * width;
    for (let j = 0; j < 2 * columns; j++) {
      half[(i >> 1) * columns + (j >> 1)] += values[row + Math.min(j, width - 1)] / 4;
    }
  }
  return { height: rows, width: columns, values: half };
}

/** Repeats each element of a plane in a square of 2 x 2. */
function doublePlane({ width: columns, values }: Plane, height: number, width: number): Plane {
  const whole = new Float64Array(height * width);
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) whole[i * width + j] = values[(i >> 1) * columns + (j >> 1)];
  }
  return { height, width, values: whole };
}

/** Rounds the coefficients of each block to steps; blocks beyond the edge repeat the last row and column. */
function quantise({ height, width, values }: Plane, steps: readonly number[]): Plane {
  const saved = new Float64Array(values.length);
  const block = new Float64Array(SIDE * SIDE);
  const half = new Float64Array(SIDE * SIDE);
  for (let top = 0; top < height; top += SIDE) {
    for (let left = 0; left < width; left += SIDE) {
      for (let i = 0; i < SIDE * SIDE; i++) {
        const row = Math.min(top + (i >> 3), height - 1);
        block[i] = values[row * width + Math.min(left + (i & 7), width - 1)];
      }
      transform(block, COSINES, half);
      transform(half, COSINES, block);
      for (let i = 0; i < SIDE * SIDE; i++) block[i] = steps[i] * Math.round(block[i] / steps[i]);
      transform(block, INVERSE, half);
      transform(half, INVERSE, block);
      const columns = Math.min(SIDE, width - left);
      for (let i = 0; i < SIDE && top + i < height; i++) {
        for (let j = 0; j < columns; j++) {
          saved[(top + i) * width + left + j] = block[i * SIDE + j];
        }
      }
    }
  }
  return { height, width, values: saved };
}

/** Transforms the rows of a block by a matrix, and transposes it: twice is the whole transform. */
function transform(block: Float64Array, matrix: Float64Array, result: Float64Array): void {
  for (let row = 0; row < SIDE * SIDE; row += SIDE) {
    for (let k = 0; k < SIDE * SIDE; k += SIDE) {
      let sum = 0;
      for (let i = 0; i < SIDE; i++) sum += block[row + i] * matrix[k + i];
      result[k + (row >> 3)] = sum;
    }
  }
}
