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
  /** `[H, W, C]` uint8, row-major: 1 channel is grey, 3 are red, green and blue. */
  pixels: Uint8Array;
  /** H, in pixels. */
  height: number;
  /** W, in pixels. */
  width: number;
  /** C: 1 or 3. */
  channels: number;
  /** Text below the picture, cut where it would reach the next one. */
  caption: string;
  /** Text that a viewer shows on the picture, such as its file. Default: the whole caption. */
  title?: string;
}

/** One row of a contact sheet. */
export interface SampleRow {
  /** Text above the row. */
  caption: string;
  /** Pictures from left to right. */
  images: SampleImage[];
}

/**
 * Makes a picture of a data set's sample. Its caption is the index in the whole split, what is said of it, and the name of its class, last, since that
 * may be cut; its title is the file, where there is one.
 */
export function pictureSample(data: Dataset, sample: number, said?: string): SampleImage {
  const [height, width, channels] = data.shape;
  const size = height * width * channels;
  const pixels = data.images.slice(sample * size, (sample + 1) * size);
  const name = isolate(nameClass(data, data.labels[sample]));
  const caption = [`#${indexSample(data, sample)}`, ...said ? [said] : [], name].join(" ");
  const file = data.files?.[sample];
  return { pixels, height, width, channels, caption, title: file && `${caption}: ${file}` };
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

/** Draws an image in its square with the top left corner at (x, y), and below it the caption, which is cut to a width. */
function drawSample(
  image: SampleImage,
  { x, y, width: most }: { readonly x: number; readonly y: number; readonly width: number },
): string {
  const { pixels, height, width, channels, caption, title = caption } = image;
  if ((channels !== 1 && channels !== 3) || pixels.length !== height * width * channels) {
    throw new RangeError(
      `Cannot draw sample "${caption}": got ${pixels.length} pixel values for ` +
        `[${height}, ${width}, ${channels}], need H * W * C of them with C of 1 or 3`,
    );
  }
  const png = encode({ width, height, channels, depth: 8, data: pixels }).toBase64();
  return `<image x="${x}" y="${y}" width="${SAMPLE_SIZE}" height="${SAMPLE_SIZE}" ` +
    `image-rendering="pixelated" ` +
    `href="data:image/png;base64,${png}"><title>${escapeMarkup(title)}</title></image>` +
    drawText(
      cutText(caption, CAPTION_SIZE, most),
      x,
      y + SAMPLE_SIZE + CAPTION_SIZE + 4,
      CAPTION_SIZE,
    );
}

function drawText(text: string, x: number, y: number, size: number, weight = "normal"): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}">` +
    `${escapeMarkup(text)}</text>`;
}
