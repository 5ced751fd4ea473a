/**
 * Figures of a report, as SVG text: charts through Vega-Lite and Vega, contact sheets of samples directly.
 * Titles, names and captions may hold any characters; they are escaped.
 *
 * @module
 */

import { encode } from "npm:fast-png@8.0.0";
import { parse, View } from "npm:vega@6.4.0";
import { compile, type TopLevelSpec } from "npm:vega-lite@6.5.0";
import { summarise } from "./statistics.ts";

/** One way to train, and how well it did. */
export interface Arm {
  /** What the legend says. */
  name: string;
  /** `[seed][epoch]`, 0 to 1; every seed has the same number of epochs. */
  accuracy: number[][];
}

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
  /** What stands below it. */
  caption: string;
}

/** One row of a contact sheet. */
export interface SampleRow {
  /** What stands above it. */
  caption: string;
  /** From left to right. */
  images: SampleImage[];
}

/** Blue, red, yellow, black: some 20 steps of lightness apart (CIE L*), so that grey print keeps them apart. */
const COLORS = ["#004488", "#bb5566", "#ddaa33", "#000000"];

/** Five dashes for four colours: the first 20 arms differ in the pair. */
const DASHES = [[1, 0], [7, 3], [2, 3], [10, 3, 2, 3], [14, 4]];

/**
 * Size, type and rules that the charts share. Vega has no font to measure here and takes a letter for 0.8 of
 * its size; a title or name of more than some 55 letters is cut with an ellipsis, else the plot would shrink.
 */
const CHART = {
  width: 640,
  height: 360,
  autosize: { type: "fit", contains: "padding" },
  padding: 12,
  background: "white",
  config: {
    font: "sans-serif",
    // Marks carry no per-point descriptions: they would outweigh the figure itself.
    aria: false,
    view: { stroke: null },
    title: {
      anchor: "start",
      fontSize: 14,
      subtitleFontSize: 12,
      subtitleColor: "#555555",
      offset: 12,
      limit: 616,
    },
    axis: {
      labelFontSize: 12,
      titleFontSize: 13,
      titleFontWeight: "normal",
      titlePadding: 8,
      gridColor: "#e6e6e6",
      domainColor: "#555555",
      tickColor: "#555555",
      labelFlush: false,
    },
    legend: {
      orient: "bottom",
      title: null,
      labelFontSize: 12,
      labelLimit: 530,
      offset: 4,
      symbolType: "stroke",
      symbolSize: 484,
      symbolOpacity: 1,
      symbolStrokeWidth: 2,
      columnPadding: 24,
    },
  },
} as const;

/**
 * Test accuracy over epochs: a line through the mean over seeds for each arm, in a band of one sample standard
 * deviation on either side, cut at 0 and 100 %. An arm of one seed has no band.
 *
 * @returns SVG, 640 x 360
 * @throws {RangeError} no arm, an arm without an epoch, seeds of different lengths, or an accuracy that
 * is not a finite number
 */
export async function drawAccuracy(arms: Arm[], title: string): Promise<string> {
  const names = arms.map((arm) => arm.name);
  if (names.length === 0) throw new RangeError("Cannot draw accuracy: got no arm, need at least 1");
  const values = arms.flatMap(({ name, accuracy }, i) => tabulateAccuracy(accuracy, name, i));
  const domain = [...arms.keys()];
  const lastEpoch = Math.max(...values.map((value) => value.epoch));
  return await render({
    ...CHART,
    title: { text: { expr: "title" }, subtitle: "Mean over seeds; band: ± 1 standard deviation" },
    // As literals, some texts ("toString", "valueOf") meet an object's own keys inside Vega and break it.
    params: [{ name: "title", value: title }, { name: "names", value: names }],
    data: { values },
    encoding: {
      x: {
        field: "epoch",
        type: "quantitative",
        title: "Epoch",
        scale: { domain: [1, lastEpoch], nice: false, padding: 8 },
        axis: { tickMinStep: 1, format: "d", grid: false },
      },
      color: {
        field: "arm",
        type: "nominal",
        scale: { domain, range: COLORS },
        legend: { columns: countLegendColumns(names), labelExpr: "names[datum.value]" },
      },
    },
    layer: [
      {
        mark: { type: "area", opacity: 0.18 },
        encoding: {
          y: {
            field: "low",
            type: "quantitative",
            title: "Test accuracy (%)",
            scale: { zero: false },
          },
          y2: { field: "high" },
        },
      },
      {
        mark: { type: "line", strokeWidth: 2 },
        encoding: {
          y: { field: "mean", type: "quantitative" },
          strokeDash: { field: "arm", type: "nominal", scale: { domain, range: DASHES } },
        },
      },
      {
        mark: { type: "point", filled: true, size: 30, opacity: 1 },
        encoding: { y: { field: "mean", type: "quantitative" } },
      },
    ],
  });
}

/** How many names of the longest's length fit side by side, by Vega's measure of a letter. */
function countLegendColumns(names: string[]): number {
  const longest = Math.max(...names.map((name) => name.length));
  const { labelFontSize, columnPadding, symbolSize } = CHART.config.legend;
  const column = Math.sqrt(symbolSize) + columnPadding + 0.8 * labelFontSize * longest;
  return Math.max(1, Math.floor(560 / column));
}

/** One record an epoch: its mean over the seeds and the band's edges, in percent. */
function tabulateAccuracy(accuracy: number[][], name: string, arm: number) {
  const epochs = accuracy[0]?.length ?? 0;
  if (epochs === 0) {
    throw new RangeError(`Cannot draw accuracy: got no epoch in arm "${name}", need at least 1`);
  }
  const odd = accuracy.find((seed) => seed.length !== epochs);
  if (odd !== undefined) {
    throw new RangeError(
      `Cannot draw accuracy: got seeds of ${epochs} and ${odd.length} epochs in arm "${name}", ` +
        "need equal numbers",
    );
  }
  return Array.from({ length: epochs }, (_, i) => {
    const { mean, standardDeviation } = summarise(accuracy.map((seed) => 100 * seed[i]));
    const low = Math.max(0, mean! - (standardDeviation ?? 0));
    const high = Math.min(100, mean! + (standardDeviation ?? 0));
    return { arm, epoch: i + 1, mean, low, high };
  });
}

/**
 * Sizes of clusters in decreasing order over their rank, both on logarithmic axes.
 *
 * @param clusterSizes samples in each cluster, 1 or more; in any order
 * @returns SVG, 640 x 360
 * @throws {RangeError} no cluster, or a size below 1
 */
export async function drawClusterSizes(clusterSizes: number[], title: string): Promise<string> {
  if (clusterSizes.length === 0) {
    throw new RangeError("Cannot draw cluster sizes: got no cluster, need at least 1");
  }
  const broken = clusterSizes.find((size) => !(size >= 1));
  if (broken !== undefined) {
    throw new RangeError(`Cannot draw cluster sizes: got a size of ${broken}, need at least 1`);
  }
  const ranked = clusterSizes.toSorted((a, b) => b - a).map((size, i) => ({ rank: i + 1, size }));
  // Of equal sizes the first and the last draw the same line: hundreds of points instead of thousands.
  const values = ranked.filter(({ size }, i) =>
    size !== ranked[i - 1]?.size || size !== ranked[i + 1]?.size
  );
  return await render({
    ...CHART,
    title: { text: { expr: "title" } },
    params: [{ name: "title", value: title }],
    data: { values },
    mark: { type: "line", color: COLORS[0], point: { color: COLORS[0], size: 14 } },
    encoding: {
      x: describeLogAxis("rank", "Cluster rank", ranked.length),
      y: describeLogAxis("size", "Cluster size (samples)", ranked[0].size),
    },
  });
}

/** A logarithmic axis from 1 to `max`, with ticks at 1, 2, 5, 10, 20, 50, ...: Vega's own may be fractions. */
function describeLogAxis(field: string, title: string, max: number) {
  const values = Array.from({ length: Math.floor(Math.log10(max)) + 1 }, (_, i) => 10 ** i)
    .flatMap((decade) => [decade, 2 * decade, 5 * decade])
    .filter((value) => value <= max);
  return {
    field,
    title,
    type: "quantitative" as const,
    scale: { type: "log" as const, domain: [1, max], nice: false, padding: 8 },
    axis: { values, format: "," },
  };
}

function render(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

/** Side of the square that a sample is fitted into, and the space around things, in SVG units. */
const SAMPLE_SIZE = 84;
const GAP = 12;
const CAPTION_SIZE = 11;

/**
 * A contact sheet: rows of samples with their captions, enlarged without smoothing, each embedded as a PNG.
 *
 * @returns SVG, as large as the rows need
 * @throws {RangeError} pixels whose number is not H * W * C, or C that is neither 1 nor 3
 */
export function drawSamples(rows: SampleRow[], title: string): string {
  // Without a font to measure, 0.62 of its size is a letter's width that few texts exceed.
  const measure = (text: string, size: number) => Math.ceil(0.62 * size * text.length);
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

/** An image in its square with its top left corner at (x, y), and the caption below. */
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
  const escaped = text.replace(/[&<>]/g, (sign) => `&#${sign.codePointAt(0)};`);
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}">${escaped}</text>`;
}
