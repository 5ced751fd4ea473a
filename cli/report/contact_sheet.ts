/**
 * Contact sheets of samples, as SVG text. Titles and captions may hold any characters; they are escaped.
 *
 * @module
 */
import { encode } from "npm:fast-png@8.0.0";
import { type Dataset, indexSample, nameClass } from "../../mod.ts";
import { escapeMarkup } from "./markup.ts";
import { cutText, isolate, measureText } from "./text.ts";

/** One picture of a contact sheet. */
export interface SampleImage {
  /** `[H, W, C]` uint8, row-major: 1 channel is grey, 3 are red, green and blue. Absent for a sample that is no picture. */
  pixels?: Uint8Array;
  /** H, in pixels. */
  height: number;
  /** W, in pixels. */
  width: number;
  /** C: 1 or 3. */
  channels: number;
  /** Lines of text in the place of a picture, for a sample that is none. */
  lines?: readonly string[];
  /** Text below the picture, cut where it would reach the next one. */
  caption: string;
  /** File of the sample, which a viewer shows on the picture with the whole caption. */
  file?: string;
}

/** One row of a contact sheet. */
export interface SampleRow {
  /** Text above the row. */
  caption: string;
  /** Pictures from left to right. */
  images: SampleImage[];
}

/** Most columns of a table's row that are written in the place of a picture. */
const MOST_LINES = 6;

/**
 * Makes a picture of a data set's sample. Its caption is the index in the whole split, what is said of it, and the name of its class, last, since that
 * may be cut.
 *
 * Floats are scaled from the sample's smallest value, black, to its largest. Of 2 channels the first is shown, as grey, and of 4 or more the
 * first three, as red, green and blue. A row of a table has its first values instead, a line each.
 */
export function pictureSample(data: Dataset, sample: number, said?: string): SampleImage {
  const name = isolate(nameClass(data, data.labels[sample]));
  const caption = [`#${indexSample(data, sample)}`, ...said ? [said] : [], name].join(" ");
  return { ...drawValues(data, sample), caption, file: data.files?.[sample] };
}

function drawValues(
  data: Dataset,
  sample: number,
): Pick<SampleImage, "pixels" | "lines" | "height" | "width" | "channels"> {
  const { images, shape: [height, width, channels] } = data;
  if (height > 1 || width > 1) return toPicture(data, sample);
  const values = images.subarray(sample * channels, (sample + 1) * channels);
  const lines = Array.from(
    values.subarray(0, MOST_LINES),
    (value) => String(+value.toPrecision(4)),
  );
  if (channels > MOST_LINES) lines[MOST_LINES - 1] = `... (${channels} values)`;
  return { lines, height, width, channels: 1 };
}

/** Makes the pixels of a picture, `[H, W, C]` u8 of 1 or 3 channels, of a sample of any channels and type. */
function toPicture(
  { images, shape: [height, width, channels] }: Dataset,
  sample: number,
): Pick<Required<SampleImage>, "pixels" | "height" | "width" | "channels"> {
  const size = height * width * channels;
  const values = images.subarray(sample * size, (sample + 1) * size);
  const shown = channels < 3 ? 1 : 3;
  const scale = values instanceof Uint8Array ? (value: number) => value : scaleToBytes(values);
  const pixels = new Uint8Array(height * width * shown);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = scale(values[Math.floor(i / shown) * channels + i % shown]);
  }
  return { pixels, height, width, channels: shown };
}

/** Scales values to bytes, the smallest to 0 and the largest to 255; values that are all the same to 0. */
function scaleToBytes(values: Float32Array): (value: number) => number {
  let [smallest, largest] = [Infinity, -Infinity];
  for (const value of values) {
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
  }
  const range = largest - smallest || 1;
  return (value) => Math.round((value - smallest) / range * 255);
}

/** Side of the square that a sample is fitted into, in SVG units; below, the space around things and the size of captions. */
const SAMPLE_SIZE = 84;
const GAP = 12;
const CAPTION_SIZE = 11;

/** Most that a caption widens a picture's place to, and most that the texts above make of the sheet. */
const MOST_CAPTION = 2 * SAMPLE_SIZE;
const MOST_TEXT = 1000;

/**
 * Draws a contact sheet: rows of samples with their captions, enlarged without smoothing, each embedded as a PNG.
 *
 * @returns SVG, as large as the rows need
 * @throws {RangeError} pixels whose number is not H * W * C, or C that is neither 1 nor 3
 */
export function drawSamples(rows: SampleRow[], title: string): string {
  const images = rows.flatMap((row) => row.images);
  const captions = images.map((image) => measureText(image.caption, CAPTION_SIZE));
  const cell = GAP + Math.min(MOST_CAPTION, Math.max(SAMPLE_SIZE, ...captions));
  const rowHeight = 24 + SAMPLE_SIZE + CAPTION_SIZE + 2 * GAP;
  const longest = Math.max(GAP, ...rows.map((row) => row.images.length * cell));
  const most = Math.max(MOST_TEXT, longest - GAP);
  const head = cutText(title, 16, most);
  const aboves = rows.map((row) => cutText(row.caption, 13, most));
  const texts = [measureText(head, 16), ...aboves.map((above) => measureText(above, 13))];
  const width = GAP + Math.max(longest, Math.max(...texts) + GAP);
  const height = 40 + rows.length * rowHeight;
  const sheet = rows.map((row, i) => {
    const top = 40 + i * rowHeight;
    const cells = row.images.map((image, j) =>
      drawSample(image, { x: GAP + j * cell, y: top + 24, width: cell - GAP })
    );
    return drawText(aboves[i], GAP, top + 14, 13) + cells.join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" font-family="sans-serif">` +
    `<rect width="100%" height="100%" fill="white"/>` +
    drawText(head, GAP, 26, 16, "bold") + sheet.join("") + "</svg>";
}

/** Draws an image, or the lines in its place, in its square with the top left corner at (x, y), and below it the caption, which is cut to a width. */
function drawSample(
  image: SampleImage,
  { x, y, width: most }: { readonly x: number; readonly y: number; readonly width: number },
): string {
  const { caption, file, lines } = image;
  const drawn = lines
    ? lines.map((line, i) => drawText(line, x, y + (i + 1) * (CAPTION_SIZE + 2), CAPTION_SIZE))
      .join("")
    : `<image x="${x}" y="${y}" width="${SAMPLE_SIZE}" height="${SAMPLE_SIZE}" ` +
      `image-rendering="pixelated" href="${encodePicture(image)}"/>`;
  const shown = cutText(caption, CAPTION_SIZE, most);
  const title = file === undefined ? caption : `${caption}: ${file}`;
  const hint = title === shown ? "" : `<title>${escapeMarkup(title)}</title>`;
  return `<g>${hint}${drawn}${
    drawText(shown, x, y + SAMPLE_SIZE + CAPTION_SIZE + 4, CAPTION_SIZE)
  }</g>`;
}

/**
 * Encodes a picture as the address of a PNG that needs no file.
 *
 * @throws {RangeError} pixels whose number is not H * W * C, or C that is neither 1 nor 3
 */
export function encodePicture(
  { pixels = new Uint8Array(), height, width, channels, caption }: SampleImage,
): string {
  if ((channels !== 1 && channels !== 3) || pixels.length !== height * width * channels) {
    throw new RangeError(
      `Cannot draw sample "${caption}": got ${pixels.length} pixel values for ` +
        `[${height}, ${width}, ${channels}], need H * W * C of them with C of 1 or 3`,
    );
  }
  const png = encode({ width, height, channels, depth: 8, data: pixels }).toBase64();
  return `data:image/png;base64,${png}`;
}

function drawText(text: string, x: number, y: number, size: number, weight = "normal"): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}">` +
    `${escapeMarkup(text)}</text>`;
}
