/**
 * Contact sheets of samples, as SVG text. Titles and captions may hold any characters; they are escaped.
 *
 * @module
 */
import { encode } from "npm:fast-png@8.0.0";
import type { Dataset } from "../../mod.ts";
import { LETTER_WIDTH } from "./chart_style.ts";
import { escapeMarkup } from "./markup.ts";

/** One picture of a contact sheet. */
export interface SampleImage {
  /** `[H, W, C]` uint8, row-major: 1 channel is grey, 3 are red, green and blue. */
  pixels: Uint8Array;
  /** H, in pixels. */
  height: number;
  /** W, in pixels. */
  width: number;
  /** C: 1 or 3. */
  channels: number;
  /** Text below the picture. */
  caption: string;
}

/** One row of a contact sheet. */
export interface SampleRow {
  /** Text above the row. */
  caption: string;
  /** Pictures from left to right. */
  images: SampleImage[];
}

/** Makes a picture of a data set's sample. */
export function pictureSample(data: Dataset, sample: number, caption: string): SampleImage {
  const [height, width, channels] = data.shape;
  const size = height * width * channels;
  const pixels = data.images.slice(sample * size, (sample + 1) * size);
  return { pixels, height, width, channels, caption };
}

/** Side of the square that a sample is fitted into, in SVG units; below, the space around things and the size of captions. */
const SAMPLE_SIZE = 84;
const GAP = 12;
const CAPTION_SIZE = 11;

/**
 * Draws a contact sheet: rows of samples with their captions, enlarged without smoothing, each embedded as a PNG.
 *
 * @returns SVG, as large as the rows need
 * @throws {RangeError} pixels whose number is not H * W * C, or C that is neither 1 nor 3
 */
export function drawSamples(rows: SampleRow[], title: string): string {
  const measure = (text: string, size: number) => Math.ceil(LETTER_WIDTH * size * text.length);
  const images = rows.flatMap((row) => row.images);
  const cell = GAP +
    Math.max(SAMPLE_SIZE, ...images.map((image) => measure(image.caption, CAPTION_SIZE)));
  const rowHeight = 24 + SAMPLE_SIZE + CAPTION_SIZE + 2 * GAP;
  const width = GAP + Math.max(
    measure(title, 16) + GAP,
    ...rows.map((row) => Math.max(row.images.length * cell, measure(row.caption, 13) + GAP)),
  );
  const height = 40 + rows.length * rowHeight;
  const sheet = rows.map((row, i) => {
    const top = 40 + i * rowHeight;
    const cells = row.images.map((image, j) => drawSample(image, GAP + j * cell, top + 24));
    return drawText(row.caption, GAP, top + 14, 13) + cells.join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" font-family="sans-serif">` +
    `<rect width="100%" height="100%" fill="white"/>` +
    drawText(title, GAP, 26, 16, "bold") + sheet.join("") + "</svg>";
}

/** Draws an image in its square with the top left corner at (x, y), and the caption below. */
function drawSample(image: SampleImage, x: number, y: number): string {
  const { pixels, height, width, channels, caption } = image;
  if ((channels !== 1 && channels !== 3) || pixels.length !== height * width * channels) {
    throw new RangeError(
      `Cannot draw sample "${caption}": got ${pixels.length} pixel values for ` +
        `[${height}, ${width}, ${channels}], need H * W * C of them with C of 1 or 3`,
    );
  }
  const png = encode({ width, height, channels, depth: 8, data: pixels }).toBase64();
  return `<image x="${x}" y="${y}" width="${SAMPLE_SIZE}" height="${SAMPLE_SIZE}" ` +
    `image-rendering="pixelated" ` +
    `href="data:image/png;base64,${png}"/>` +
    drawText(caption, x, y + SAMPLE_SIZE + CAPTION_SIZE + 4, CAPTION_SIZE);
}

function drawText(text: string, x: number, y: number, size: number, weight = "normal"): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}">` +
    `${escapeMarkup(text)}</text>`;
}
