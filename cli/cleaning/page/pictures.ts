/**
 * Pictures of samples for the page, each once, as large as all of them together may be.
 *
 * @module
 */
import { encode } from "npm:fast-png@8.0.0";
import type { Dataset } from "../../../mod.ts";
import { toPicture } from "../../report/contact_sheet.ts";
import { ALL_PICTURED, type Facts, listPositions, PICTURED, SHOWN_COPIES } from "./facts.ts";

/** Longest side of the pictures that are decided on, and of those that stand beside them or are pointed at, in pixels. */
const JUDGED_SIDE = 128;
const BESIDE_SIDE = 64;

/** Shortest side that pictures are shrunk to, in pixels. */
const SHORTEST_SIDE = 8;

/** Share of the room that the pictures which are decided on may take; the others take what is left. */
const JUDGED_SHARE = 2 / 3;

/** Base64 of PNGs by positions: `[position, png]`. */
export type Pictures = readonly (readonly [position: number, png: string])[];

/** Whether samples can be shown as pictures. Images of one line are tables. */
export function isPicture({ shape: [height, width] }: Dataset): boolean {
  return Math.min(height, width) > 1;
}

/**
 * Draws the pictures that the page shows within `room` bytes of JSON. Pictures are shrunk, those of a group all alike, where they would take more.
 */
export function drawPictures(data: Dataset, facts: Facts, room: number): Pictures {
  if (!isPicture(data)) return [];
  const { judged, beside } = listPictured(facts);
  const first = drawWithin(data, judged, JUDGED_SIDE, room * JUDGED_SHARE);
  const used = first.reduce((sum, entry) => sum + JSON.stringify(entry).length + 1, 0);
  return [...first, ...drawWithin(data, beside, BESIDE_SIDE, room - used)];
}

/** Lists whose pictures are shown, each once. */
function listPictured(facts: Facts): { judged: number[]; beside: number[] } {
  const lists = listPositions({
    ...facts,
    groups: facts.groups.slice(0, PICTURED).map((group) => group.slice(0, SHOWN_COPIES)),
    suspects: facts.suspects.slice(0, PICTURED),
    outliers: facts.outliers.slice(0, PICTURED),
  });
  const judged = new Set(lists.judged.flat());
  const all = facts.labels.length <= ALL_PICTURED ? facts.labels.keys() : [];
  return {
    judged: [...judged],
    beside: [...new Set([...lists.beside, ...all]).difference(judged)],
  };
}

function drawWithin(data: Dataset, positions: number[], longest: number, room: number): Pictures {
  const [height, width] = data.shape;
  const channels = data.shape[2] < 3 ? 1 : 3;
  const side = Math.max(height, width);
  let taken = Math.min(side, longest);
  const fit = (length: number) => Math.max(1, Math.round(length * taken / side));
  while (
    taken > SHORTEST_SIDE &&
    positions.length * boundEntry(fit(height), fit(width), channels) > room
  ) taken--;
  return positions.map((position) => {
    const { pixels } = toPicture(data, position);
    const shrunk = shrink(pixels, [height, width, channels], fit(height), fit(width));
    const png = encode({
      data: shrunk,
      height: fit(height),
      width: fit(width),
      channels,
      depth: 8,
    });
    return [position, png.toBase64()];
  });
}

/** Bounds the bytes of a picture's entry in JSON: what is not compressible is stored, within the frame of zlib and of PNG. */
function boundEntry(height: number, width: number, channels: number): number {
  const lines = height * (1 + width * channels);
  const png = 57 + lines + 5 * (1 + Math.floor(lines / 4096)) + 6;
  return 4 * Math.ceil(png / 3) + '[1000000,""],'.length;
}

/**
 * Shrinks a picture by the mean over the area of each new pixel.
 *
 * @returns `[height, width, C]` u8; the pixels themselves where the size is theirs
 */
export function shrink(
  pixels: Uint8Array,
  [fromHeight, fromWidth, channels]: readonly [number, number, number],
  height: number,
  width: number,
): Uint8Array {
  if (height === fromHeight && width === fromWidth) return pixels;
  const rows = coverPixels(fromHeight, height);
  const columns = coverPixels(fromWidth, width);
  const shrunk = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [row, tall] of rows[y]) {
          for (const [column, wide] of columns[x]) {
            sum += tall * wide * pixels[(row * fromWidth + column) * channels + c];
          }
        }
        shrunk[(y * width + x) * channels + c] = Math.round(sum / (fromHeight * fromWidth));
      }
    }
  }
  return shrunk;
}

/** Lists the old pixels along an axis that each new one covers, and by how much: in parts of an old pixel, of which it has `to`. */
function coverPixels(from: number, to: number): [pixel: number, parts: number][][] {
  return Array.from({ length: to }, (_, n) => {
    const [start, end] = [n * from, (n + 1) * from];
    const first = Math.floor(start / to);
    const pixels = Array.from({ length: Math.ceil(end / to) - first }, (_, k) => first + k);
    return pixels.map((pixel) => [
      pixel,
      Math.min(end, (pixel + 1) * to) - Math.max(start, pixel * to),
    ]);
  });
}
