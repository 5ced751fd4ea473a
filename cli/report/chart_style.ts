/**
 * Look of the charts, and their way to SVG through Vega-Lite and Vega.
 *
 * @module
 */
import * as vega from "npm:vega@6.4.0";
import { compile, type TopLevelSpec } from "npm:vega-lite@6.5.0";

/** Blue, red, yellow, black: some 20 steps of lightness apart (CIE L*), so that grey print keeps them apart. */
export const COLORS = ["#004488", "#bb5566", "#ddaa33", "#000000"];

/** Five dashes for four colours: the first 20 arms differ in the pair. */
export const DASHES = [[1, 0], [7, 3], [2, 3], [10, 3, 2, 3], [14, 4]];

/** Shapes of points, beside the colours. */
export const SHAPES = ["circle", "square", "triangle-up", "diamond"];

/** Assumed width of a letter relative to the font's size: there is no font to measure, and few texts are wider. */
export const LETTER_WIDTH = 0.62;

// Vega's own guess of 0.8 takes an axis's title for longer than the plot, and moves the plot aside for it. Vega's types leave this property out.
(vega as unknown as { textMetrics: { width: MeasureText } }).textMetrics.width = (item, text) =>
  Math.min(
    item.limit || Infinity,
    LETTER_WIDTH * (item.fontSize ?? 11) * String(text ?? item.text).length,
  );

type MeasureText = (
  item: { readonly text: unknown; readonly fontSize?: number; readonly limit?: number },
  text?: unknown,
) => number;

/**
 * Size, fonts and lines that the charts share. Where Vega cuts texts it takes a letter for 0.8 of the font's size: it cuts a title or name of more
 * than some 55 letters with an ellipsis, since the plot would shrink otherwise.
 */
export const CHART = {
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

/** Number of names that fit side by side if all are as long as the longest. */
export function countLegendColumns(names: readonly string[]): number {
  const longest = Math.max(...names.map((name) => name.length));
  const { labelFontSize, columnPadding, symbolSize } = CHART.config.legend;
  const column = Math.sqrt(symbolSize) + columnPadding + LETTER_WIDTH * labelFontSize * longest;
  return Math.max(1, Math.floor(560 / column));
}

/**
 * A logarithmic axis with ticks at 1, 2, 5, 10, 20, 50, ... within `[min, max]`, at powers of ten alone where it spans more than three:
 * Vega's own ticks may be fractions.
 */
export function describeLogAxis(
  field: string,
  title: string,
  [min, max]: readonly [min: number, max: number],
) {
  const powers = range(Math.floor(Math.log10(min)), Math.ceil(Math.log10(max)));
  const steps = Math.log10(max / min) > 3 ? [1] : [1, 2, 5];
  // parsed from text, since 10 ** -5 is not the number 1e-5
  const values = powers.flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((value) => value >= min && value <= max);
  return {
    field,
    title,
    type: "quantitative" as const,
    scale: { type: "log" as const, domain: [min, max], nice: false, padding: 8 },
    axis: { values, format: min >= 1 ? "," : "~g" },
  };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Passes of Vega's layout: each fits title, plot and legend by the sizes of the pass before, the first by a guess. */
const LAYOUT_PASSES = 2;

/** Draws a chart as SVG. */
export async function render(spec: TopLevelSpec): Promise<string> {
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: "none" });
  for (let pass = 0; pass < LAYOUT_PASSES; pass++) await view.resize().runAsync();
  return await view.toSVG();
}
