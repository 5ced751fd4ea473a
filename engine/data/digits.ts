/**
 * Drawn digits: a procedural data set like MNIST, for first runs and tests without a download.
 *
 * @module
 */

import { checkKeys } from "../options.ts";
import { uniformFloat64 } from "npm:pure-rand@8.4.2/distribution/uniformFloat64";
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import type { Dataset, Split } from "./dataset.ts";
import { checkSplit, createDataset } from "./dataset.ts";
import type { Glyph, Point } from "./glyphs.ts";
import { GLYPHS } from "./glyphs.ts";
import { createGenerator, drawPermutation, STREAMS } from "./random.ts";

const SIDE = 28;
const CLASSES = 10;
const DEFAULT_SIZE = { train: 4_000, test: 1_000 } as const;

// Mean and standard deviation were measured once on the default training split; they are the same for every seed and size.
const MEAN = 0.1249;
const STD = 0.271;

const PIXELS_PER_UNIT = 0.2; // a digit is 20 pixels tall, as in MNIST
const PEN_REACH = 3; // no stroke inks a pixel farther away than this, in pixels
const EDGE = 1.2; // width in pixels of the soft edge of a stroke

/**
 * Draws grey digits that look handwritten, 28 x 28, 10 classes. Each is one of the ways to write the digit, bent, slanted, rotated, scaled
 * and shifted: most a little, some so much that they are hard to recognise.
 *
 * Every ten samples hold each class once. Sample i is the same whatever the size. The two splits share no samples. It takes some 0.1 ms a
 * sample.
 *
 * @param options.size number of samples; 4,000 for training and 1,000 for testing by default
 * @param options.seed integer in 0..2^32-1; 0 by default
 * @throws {RangeError} when size is not an integer of at least 1, or the seed out of range
 */
export function drawDigits(
  split: Split,
  options: { size?: number; seed?: number } = {},
): Dataset {
  checkKeys("draw digits", options, { size: true, seed: true });
  checkSplit("draw digits", split);
  const { size = DEFAULT_SIZE[split], seed = 0 } = options;
  checkRange("size", size, 1, 2 ** 31 - 1);
  checkRange("seed", seed, 0, 2 ** 32 - 1);
  const random = createGenerator(
    seed,
    split === "train" ? STREAMS.trainingDigits : STREAMS.testDigits,
  );
  const images = new Uint8Array(size * SIDE * SIDE);
  const labels = new Int32Array(size);
  let order = new Int32Array();
  for (let i = 0; i < size; i++) {
    if (i % CLASSES === 0) order = drawPermutation(random, CLASSES);
    labels[i] = order[i % CLASSES];
    drawSample(labels[i], random, images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE));
  }
  return createDataset({
    name: "digits",
    split,
    images,
    labels,
    shape: [SIDE, SIDE, 1],
    classes: CLASSES,
    mean: [MEAN],
    std: [STD],
  });
}

function checkRange(name: string, value: number, first: number, last: number): void {
  if (Number.isInteger(value) && value >= first && value <= last) return;
  throw new RangeError(
    `Cannot draw digits: got ${name} ${value}, need an integer in ${first}..${last}`,
  );
}

/** Draws one digit into `[28, 28]` u8 pixels. */
function drawSample(label: number, random: RandomGenerator, pixels: Uint8Array): void {
  const glyphs = GLYPHS[label];
  const glyph = glyphs[uniformInt(random, 0, glyphs.length - 1)];
  // Cubed, so that most samples are easy and few are hard.
  const difficulty = uniformFloat64(random) ** 3;
  const distances = measureDistances(glyph, chooseBend(random, difficulty));
  inkPixels(distances, difficulty, random, pixels);
}

/** Draws a uniform number from `centre - width` to `centre + width`. */
function vary(random: RandomGenerator, centre: number, width: number): number {
  return centre + width * (2 * uniformFloat64(random) - 1);
}

/** Maps a point from glyph units to pixels. */
type Bend = (x: number, y: number) => readonly [x: number, y: number];

function chooseBend(random: RandomGenerator, difficulty: number): Bend {
  const strength = 0.5 + 1.5 * difficulty;
  const wobbleX = chooseWobble(random, 3.5 * strength);
  const wobbleY = chooseWobble(random, 3.5 * strength);
  const turn = vary(random, 0, 0.2 * strength);
  const slant = vary(random, 0.1, 0.25 * strength);
  const width = vary(random, 0.95, 0.15 * strength) * PIXELS_PER_UNIT;
  const height = vary(random, 0.95, 0.08 * strength) * PIXELS_PER_UNIT;
  const shiftX = vary(random, SIDE / 2, strength);
  const shiftY = vary(random, SIDE / 2, strength);
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  return (x, y) => {
    const across = width * (x + wobbleX(x, y) - slant * y);
    const down = height * (y + wobbleY(x, y));
    return [shiftX + cos * across - sin * down, shiftY + sin * across + cos * down];
  };
}

/** Draws a smooth displacement of points, the sum of two waves. */
function chooseWobble(
  random: RandomGenerator,
  amplitude: number,
): (x: number, y: number) => number {
  const [a, b] = [chooseWave(random), chooseWave(random)];
  return (x, y) => amplitude * (a(x, y) + b(x, y));
}

/** Draws a wave in a random direction, whose wavelength is at least two thirds of a digit. */
function chooseWave(random: RandomGenerator): (x: number, y: number) => number {
  const [kx, ky] = [vary(random, 0, 0.065), vary(random, 0, 0.065)];
  const phase = vary(random, 0, Math.PI);
  return (x, y) => Math.sin(kx * x + ky * y + phase);
}

/**
 * Computes the distance of each pixel to the nearest stroke, `[28, 28]` f64, in pixels; infinite beyond the reach of any stroke.
 */
function measureDistances(glyph: Glyph, bend: Bend): Float64Array {
  const distances = new Float64Array(SIDE * SIDE).fill(Infinity);
  for (const stroke of glyph) {
    const bent = stroke.map(([x, y]) => bend(x, y));
    for (let i = 1; i < bent.length; i++) lowerDistances(distances, bent[i - 1], bent[i]);
  }
  return distances;
}

/** Lowers the distances of the pixels near a line segment to their distance from it. */
function lowerDistances(distances: Float64Array, [ax, ay]: Point, [bx, by]: Point): void {
  const [dx, dy] = [bx - ax, by - ay];
  const lengthSquared = dx * dx + dy * dy;
  const [firstX, lastX] = findPixels(ax, bx);
  const [firstY, lastY] = findPixels(ay, by);
  for (let y = firstY; y <= lastY; y++) {
    for (let x = firstX; x <= lastX; x++) {
      // Pixel (x, y) has its centre at (x + 1/2, y + 1/2).
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = lengthSquared > 0 ? (px * dx + py * dy) / lengthSquared : 0;
      const nearest = Math.min(1, Math.max(0, along));
      const distance = Math.hypot(px - nearest * dx, py - nearest * dy);
      const pixel = y * SIDE + x;
      if (distance < distances[pixel]) distances[pixel] = distance;
    }
  }
}

/** First and last pixel within reach of a stroke between two coordinates. */
function findPixels(a: number, b: number): [first: number, last: number] {
  return [
    Math.max(0, Math.floor(Math.min(a, b) - PEN_REACH)),
    Math.min(SIDE - 1, Math.floor(Math.max(a, b) + PEN_REACH)),
  ];
}

/** Inks each pixel by its distance to the strokes, with a soft edge and some noise. */
function inkPixels(
  distances: Float64Array,
  difficulty: number,
  random: RandomGenerator,
  pixels: Uint8Array,
): void {
  const radius = vary(random, 1.2, 0.35 + 0.15 * difficulty);
  const ink = vary(random, 0.9, 0.1);
  const noise = 0.15 * difficulty;
  for (let i = 0; i < pixels.length; i++) {
    const coverage = Math.min(1, Math.max(0, (radius - distances[i]) / EDGE + 0.5));
    const value = ink * coverage + vary(random, 0, noise);
    pixels[i] = Math.round(255 * Math.min(1, Math.max(0, value)));
  }
}
