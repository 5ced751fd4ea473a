/**
 * Spectra of pictures: short descriptions that do not change where a picture is shifted.
 *
 * @module
 */
import { scaleToOne, standardise } from "../vectors.ts";
import type { Dataset } from "../../data/dataset.ts";

/** Number of frequencies along each side, from 0. Copies differ from their originals in the high ones, where JPEG rounds most. */
const FREQUENCIES = 6;

/**
 * Computes the spectrum of each picture: the magnitudes of its low frequencies, without the mean. A cyclic shift changes none of them,
 * brightness little. Each magnitude is standardised over the pictures, and each spectrum scaled to length 1, so that inner products are cosines.
 *
 * Costs some `20 * H * W` multiplications a picture on the host.
 *
 * @param positions pictures of the data set
 * @returns `[positions.length, D]` f32, row-major; D is at most 60
 */
export function* computeSpectra(
  { images, shape: [height, width, channels] }: Dataset,
  positions: ArrayLike<number>,
): Generator<number, Float32Array<ArrayBuffer>> {
  const waves = listWaves(height, width);
  const vertical = drawWaves(height);
  const horizontal = drawWaves(width);
  const spectra = new Float32Array(positions.length * waves.length);
  const plane = new Float64Array(height * width);
  const cosines = new Float64Array(height * FREQUENCIES);
  const sines = new Float64Array(height * FREQUENCIES);
  for (let n = 0; n < positions.length; n++) {
    plane.fill(0);
    const first = positions[n] * plane.length * channels;
    for (let i = 0; i < plane.length; i++) {
      for (let c = 0; c < channels; c++) plane[i] += images[first + i * channels + c];
    }
    for (let row = 0; row < height; row++) {
      for (let k = 0; k < FREQUENCIES; k++) {
        let [real, imaginary] = [0, 0];
        for (let x = 0; x < width; x++) {
          real += plane[row * width + x] * horizontal.cosines[k * width + x];
          imaginary += plane[row * width + x] * horizontal.sines[k * width + x];
        }
        cosines[row * FREQUENCIES + k] = real;
        sines[row * FREQUENCIES + k] = imaginary;
      }
    }
    for (const [index, [down, right]] of waves.entries()) {
      let [real, imaginary] = [0, 0];
      for (let y = 0; y < height; y++) {
        const a = cosines[y * FREQUENCIES + Math.abs(right)];
        const b = Math.sign(right) * sines[y * FREQUENCIES + Math.abs(right)];
        const [cosine, sine] = [
          vertical.cosines[down * height + y],
          vertical.sines[down * height + y],
        ];
        real += cosine * a - sine * b;
        imaginary += cosine * b + sine * a;
      }
      spectra[n * waves.length + index] = Math.hypot(real, imaginary);
    }
    yield n + 1;
  }
  standardise(spectra, waves.length);
  for (let n = 0; n < positions.length; n++) {
    scaleToOne(spectra.subarray(n * waves.length, (n + 1) * waves.length));
  }
  return spectra;
}

/** Lists the waves of a spectrum by their frequencies; the transform of a real picture has each of the others' magnitudes, too. */
function listWaves(height: number, width: number): (readonly [down: number, right: number])[] {
  const most = [height, width].map((side) => Math.min(FREQUENCIES - 1, Math.floor(side / 2)));
  const waves: (readonly [number, number])[] = [];
  for (let down = 0; down <= most[0]; down++) {
    for (let right = -most[1]; right <= most[1]; right++) {
      if (down > 0 || right > 0) waves.push([down, right]);
    }
  }
  return waves;
}

/** Computes waves along a side, `[FREQUENCIES, size]` each. */
function drawWaves(size: number): { cosines: Float64Array; sines: Float64Array } {
  const angles = Float64Array.from(
    { length: FREQUENCIES * size },
    (_, i) => 2 * Math.PI * Math.floor(i / size) * (i % size) / size,
  );
  return { cosines: angles.map(Math.cos), sines: angles.map(Math.sin) };
}
