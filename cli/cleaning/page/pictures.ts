/**
 * Pictures of samples for the page, each once, as large as all of them together may be.
 *
 * @module
 */
import { encode } from "npm:fast-png@8.0.0";
import type { Dataset } from "../../../mod.ts";
import { resizePicture } from "../../../engine/formats/picture.ts";
import { pictureSample } from "../../report/contact_sheet.ts";
import { ALL_PICTURED, type Facts, listPositions, PICTURED, SHOWN_COPIES } from "./facts.ts";

/** Longest side of the pictures that are decided on, and of those that stand beside them or are pointed at, in pixels. */
const JUDGED_SIDE = 128;
const BESIDE_SIDE = 64;

/** Shortest side that pictures are shrunk to, in pixels. */
const SHORTEST_SIDE = 8;

/** Share of the room that the pictures which are decided on may take; the others take what is left. */
const JUDGED_SHARE = 2 / 3;

/** What stands for samples, by positions: base64 of a PNG, or some values of a sample that is no picture. */
export type Pictures = readonly (readonly [position: number, shown: string])[];

/**
 * Draws the pictures that the page shows within `room` bytes of JSON. Pictures that would take more are shrunk, all that are decided on alike, and all
 * that stand beside them.
 */
export async function drawPictures(data: Dataset, facts: Facts, room: number): Promise<Pictures> {
  const { judged, beside } = listPictured(facts);
  const first = await drawWithin(data, judged, JUDGED_SIDE, room * JUDGED_SHARE);
  const used = first.reduce((sum, entry) => sum + JSON.stringify(entry).length + 1, 0);
  return [...first, ...await drawWithin(data, beside, BESIDE_SIDE, room - used)];
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
  const beside = new Set([...lists.beside, ...all]).difference(judged);
  return { judged: [...judged], beside: [...beside] };
}

async function drawWithin(
  data: Dataset,
  positions: readonly number[],
  longest: number,
  room: number,
): Promise<Pictures> {
  const [height, width, channels] = data.shape;
  const side = Math.max(height, width);
  const fit = (length: number, shrunk: number) => Math.max(1, Math.round(length * shrunk / side));
  let shrunk = Math.min(side, longest);
  const bound = () => boundEntry(fit(height, shrunk), fit(width, shrunk), channels < 3 ? 1 : 3);
  while (shrunk > SHORTEST_SIDE && positions.length * bound() > room) shrunk--;
  return await Promise.all(positions.map(async (position) => {
    const sample = pictureSample(data, position);
    if (!sample.pixels) return [position, sample.lines!.join("\n")];
    const channels = sample.channels === 1 ? 1 : 3;
    const { pixels, height, width } = await resizePicture(
      { ...sample, pixels: sample.pixels, channels, isFlattened: false },
      fit(sample.height, shrunk),
      fit(sample.width, shrunk),
    );
    const png = encode({ data: pixels, height, width, channels, depth: 8 });
    return [position, png.toBase64()];
  }));
}

/** Bounds the bytes of a picture's entry in JSON: what is not compressible is stored, within the frame of zlib and of PNG. */
function boundEntry(height: number, width: number, channels: number): number {
  const lines = height * (1 + width * channels);
  const png = 57 + lines + 5 * (1 + Math.floor(lines / 4096)) + 6;
  return 4 * Math.ceil(png / 3) + '[1000000,""],'.length;
}
